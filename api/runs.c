#include "api/api.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/json.h"

static const char *query_or_empty(const struct http_request *req, const char *key)
{
    const char *value = http_query(req, key);
    return value ? value : "";
}

/* A full page's last id is the cursor of the next. */
static void answer_page(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    int64_t limit;
    if (answer->err) {
        http_answer_err(req, answer->err);
        return;
    }
    const char *text = pg_text(answer->rows, 0, 0);
    cleanup_json json_t *items = json_read(text, strlen(text), NULL, NULL);
    const size_t n = json_array_size(items);
    json_t *page = json_object();
    json_object_set(page, "items", items);
    const bool full = api_limit(req, &limit) && n == (size_t)limit;
    json_object_set_new(page, "next",
                        full ? json_incref(json_object_get(json_array_get(items, n - 1), "id"))
                             : json_null());
    api_answer_json(req, page);
}

void api_runs(struct http_request *req, void *arg)
{
    struct pg_params params = {0};
    struct uuid below = {{0}};
    int64_t limit, since_us;
    const char *cursor = http_query(req, "cursor");
    if (!api_limit(req, &limit) || !api_since(req, &since_us))
        return;
    if (cursor && !uuid_parse(cursor, &below)) {
        api_refuse(req, LEAT_EINPUT, "cursor: take it from 'next' of the page before");
        return;
    }
    pg_add_text(&params, query_or_empty(req, "pipeline"));
    pg_add_text(&params, query_or_empty(req, "state"));
    pg_add_text(&params, query_or_empty(req, "experiment"));
    pg_add_time_or_null(&params, since_us);
    pg_add_uuid_or_null(&params, &below);
    pg_add_int8(&params, limit);
    api_ask(arg, QUERY_API_RUNS, &params, answer_page, req);
}

static void ask_by_run(struct api *api, struct http_request *req, const struct uuid *run,
                       enum query_id query, pg_done *done)
{
    struct pg_params params = {0};
    pg_add_uuid(&params, run);
    api_ask_whole(api, query, &params, done, req);
}

static void show_run(struct api *api, struct http_request *req, const struct uuid *run)
{
    const bool images = strcmp(query_or_empty(req, "images"), "true") == 0;
    ask_by_run(api, req, run, images ? QUERY_API_RUN_IMAGES : QUERY_API_RUN, api_answer_row);
}

void api_run(struct http_request *req, void *arg)
{
    api_find_run(arg, req, show_run);
}

static void show_artifacts(struct api *api, struct http_request *req, const struct uuid *run)
{
    ask_by_run(api, req, run, QUERY_API_ARTIFACTS, api_answer_list);
}

void api_artifacts(struct http_request *req, void *arg)
{
    api_find_run(arg, req, show_artifacts);
}

struct object_answer {
    struct http_request *request;
    bool folder;
};

static void object_open(void *arg, int fd, int64_t size, const struct err *err)
{
    struct object_answer *o = arg;
    if (err)
        http_answer_err(o->request, err);
    else
        http_answer_fd(o->request, 200,
                       (struct http_header[]){{"Content-Type", "application/octet-stream"},
                                              {"Leat-Folder", o->folder ? "true" : "false"},
                                              {0}},
                       fd, size);
    free(o);
}

static void answer_object(struct api *api, struct http_request *req, const char *hash, bool folder)
{
    struct object_answer *o = mem_alloc(sizeof *o);
    *o = (struct object_answer){req, folder};
    store_open_fd(api->store, hash, object_open, o);
}

static void artifact_known(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    if (answer->err)
        http_answer_err(req, answer->err);
    else if (pg_row_count(answer->rows) == 0)
        api_refuse(req, LEAT_ENOTFOUND, "the run has no such artifact (yet)");
    else
        answer_object(http_context(req), req, pg_text(answer->rows, 0, 0),
                      pg_bool(answer->rows, 0, 1));
}

static void find_artifact(struct api *api, struct http_request *req, const struct uuid *run)
{
    const char *name = http_param(req, "output");
    const char *dot = strrchr(name, '.');
    struct pg_params params = {0};
    if (!dot) {
        api_refuse(req, LEAT_EINPUT, "name an artifact as STEP.OUTPUT");
        return;
    }
    cleanup_free char *step = mem_bytes(name, (size_t)(dot - name));
    pg_add_uuid(&params, run);
    pg_add_text(&params, step);
    pg_add_text(&params, dot + 1);
    http_set_context(req, api);
    api_ask(api, QUERY_API_ARTIFACT, &params, artifact_known, req);
}

void api_artifact(struct http_request *req, void *arg)
{
    api_find_run(arg, req, find_artifact);
}

void api_object(struct http_request *req, void *arg)
{
    const char *hash = http_param(req, "sha256");
    if (store_hash_ok(hash))
        answer_object(arg, req, hash, false);
    else
        api_refuse(req, LEAT_EINPUT, "an object is named by 64 hexadecimal digits");
}

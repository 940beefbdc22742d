/* POST /api/v1/apply: the pipelines that the documents name are read from the catalog, every
 * document of every file is compiled, then all are written in one transaction, or none. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/documents.h"
#include "common/base/mem.h"
#include "common/text/json.h"

#define LARGE_BYTES (64UL * 1024) /* compiling takes about a hundred times as much */

struct apply {
    struct api *api;
    struct http_request *req;
    struct documents all;
    size_t next; /* whose answer comes next: of what is missing, then of the documents */
    json_t *warnings;
    bool dry, large;
};

static void apply_free(struct apply *a)
{
    const bool large = a->large;
    documents_free(&a->all);
    json_decref(a->warnings);
    free(a);
    if (large)
        mem_give_back();
}

static json_t *result(const struct apply *a)
{
    json_t *items = json_array();
    for (size_t i = 0; i < a->all.count; i++) {
        const struct document *d = &a->all.items[i];
        json_t *item = json_pack("{s:s, s:s, s:s}", "kind", document_kind_name(d->kind), "name",
                                 d->name, "action", d->action);
        if (d->kind == DOCUMENT_PIPELINE) {
            json_object_set_new(item, "version", json_string(d->hash));
            json_object_set_new(item, "number", json_integer(d->number));
        }
        json_array_append_new(items, item);
    }
    return json_pack("{s:o, s:O}", "items", items, "warnings", a->warnings);
}

static void applied(void *arg, const struct pg_answer *answer)
{
    struct apply *a = arg;
    if (answer->err)
        http_answer_err(a->req, answer->err);
    else
        api_answer_json(a->req, result(a));
    apply_free(a);
}

static const char *keep_action(const char *action)
{
    static const char *const actions[] = {"created", "updated", "unchanged", "reverted"};
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (strcmp(actions[i], action) == 0)
            return actions[i];
    return "updated";
}

/* The answers of a put and of a comparison read the same; without a row there is nothing yet. */
static void take_action(struct document *d, const struct pg_answer *answer)
{
    const bool there = pg_row_count(answer->rows) > 0;
    d->action = there ? keep_action(pg_text(answer->rows, 0, 0)) : "created";
    d->number = d->kind == DOCUMENT_PIPELINE ? pg_int(answer->rows, 0, 1) : 0;
}

static void put_done(void *arg, const struct pg_answer *answer)
{
    struct apply *a = arg;
    struct document *d = &a->all.items[a->next++];
    if (!answer->err) /* the last call of the group answers for all */
        take_action(d, answer);
}

/* What a source, a limit and a pool are, after their name. */
static void add_values(struct pg_params *params, const struct document *d)
{
    if (d->kind == DOCUMENT_LIMIT) {
        pg_add_int8(params, d->limit);
        pg_add_text(params, d->description);
    } else if (d->kind == DOCUMENT_POOL) {
        if (d->limit < 0)
            pg_add_null(params, PG_INT8);
        else
            pg_add_int8(params, d->limit);
        pg_add_text(params, d->text);
        pg_add_text(params, d->description);
    } else {
        pg_add_text(params, d->provider);
        pg_add_text(params, d->secret);
        pg_add_text(params, d->text);
    }
}

static void put(struct apply *a, const struct document *d)
{
    static const enum query_id PUT[] = {[DOCUMENT_PIPELINE] = QUERY_API_PIPELINE_PUT,
                                        [DOCUMENT_SOURCE] = QUERY_API_SOURCE_PUT,
                                        [DOCUMENT_LIMIT] = QUERY_API_LIMIT_PUT,
                                        [DOCUMENT_POOL] = QUERY_API_POOL_PUT};
    struct pg *pg = a->api->pg;
    struct pg_params params = {0};
    pg_add_text(&params, d->name);
    if (d->kind == DOCUMENT_PIPELINE) {
        pg_add_text(&params, d->hash);
        pg_add_text(&params, d->file);
        pg_add_text(&params, d->text);
        pg_exec(pg, QUERY_API_VERSION_PUT, &params, NULL, NULL);
        pg_add_text(&params, d->name);
        pg_add_text(&params, d->hash);
    } else {
        add_values(&params, d);
    }
    pg_exec(pg, PUT[d->kind], &params, put_done, a);
    pg_params_free(&params);
}

static void compared(void *arg, const struct pg_answer *answer)
{
    struct apply *a = arg;
    struct document *d = &a->all.items[a->next++];
    if (!answer->err)
        take_action(d, answer);
    if (a->next == a->all.count)
        applied(a, answer);
}

static void compare(struct apply *a, const struct document *d)
{
    static const enum query_id COMPARE[] = {[DOCUMENT_PIPELINE] = QUERY_API_PIPELINE_COMPARE,
                                            [DOCUMENT_SOURCE] = QUERY_API_SOURCE_COMPARE,
                                            [DOCUMENT_LIMIT] = QUERY_API_LIMIT_COMPARE,
                                            [DOCUMENT_POOL] = QUERY_API_POOL_COMPARE};
    struct pg_params params = {0};
    pg_add_text(&params, d->name);
    if (d->kind == DOCUMENT_PIPELINE)
        pg_add_text(&params, d->hash);
    else
        add_values(&params, d);
    pg_exec(a->api->pg, COMPARE[d->kind], &params, compared, a);
    pg_params_free(&params);
}

/* A worker of it may come later, so it is no mistake for certain. */
static void unknown_pools(void *arg, const struct pg_answer *answer)
{
    struct apply *a = arg;
    for (size_t i = 0; !answer->err && i < pg_row_count(answer->rows); i++) {
        const char *pool = pg_text(answer->rows, i, 0);
        json_array_append_new(
            a->warnings,
            json_sprintf("%s: pool %s: no worker is of it and no file of kind: pool names it; what "
                         "wants it waits until a worker comes",
                         json_string_value(json_object_get(a->all.pools, pool)), pool));
    }
}

static void ask_for_pools(struct apply *a)
{
    cleanup_pg_params struct pg_params params = {0};
    const char *name;
    json_t *by;
    if (json_object_size(a->all.pools) == 0)
        return;
    pg_array_begin(&params, PG_TEXT);
    json_object_foreach (a->all.pools, name, by)
        pg_add_text(&params, name);
    pg_array_end(&params);
    pg_exec(a->api->pg, QUERY_API_POOLS_UNKNOWN, &params, unknown_pools, a);
}

/* What follows in the group gets the error too. */
static void ask_for_room(struct apply *a)
{
    cleanup_pg_params struct pg_params params = {0};
    pg_array_begin(&params, PG_TEXT);
    for (size_t i = 0; i < a->all.count; i++)
        pg_add_text(&params, document_kind_name(a->all.items[i].kind));
    pg_array_end(&params);
    pg_array_begin(&params, PG_TEXT);
    for (size_t i = 0; i < a->all.count; i++)
        pg_add_text(&params, a->all.items[i].name);
    pg_array_end(&params);
    pg_exec(a->api->pg, QUERY_API_APPLY_ROOM, &params, NULL, NULL);
}

static void write_all(struct apply *a)
{
    if (a->dry)
        ask_for_room(a);
    else
        pg_exec(a->api->pg, QUERY_API_CATALOG_RAISE, NULL, NULL, NULL); /* its row is the lock */
    ask_for_pools(a);
    for (size_t i = 0; i < a->all.count; i++)
        a->dry ? compare(a, &a->all.items[i]) : put(a, &a->all.items[i]);
    if (!a->dry)
        pg_exec(a->api->pg, QUERY_API_CATALOG_NOTIFY, NULL, applied, a);
    pg_sync(a->api->pg);
}

static void refuse(struct apply *a)
{
    struct text *problems = &a->all.problems;
    if (problems->len > 0 && problems->data[problems->len - 1] == '\n')
        problems->data[--problems->len] = '\0';
    cleanup_json json_t *body =
        json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", "about:blank", "title", "bad_input",
                  "status", 400, "code", "bad_input", "detail",
                  problems->len ? problems->data : "there is no document to apply");
    char *text = json_write(body);
    http_answer_take(a->req, 400, "application/problem+json", text, strlen(text));
    apply_free(a);
}

static void go_on(struct apply *a)
{
    a->next = 0;
    documents_compile(&a->all);
    if (a->all.problems.len || a->all.count == 0)
        refuse(a);
    else
        write_all(a);
}

/* After what is missing, in the same group: its answer is the last. */
static void limits_known(void *arg, const struct pg_answer *answer)
{
    struct apply *a = arg;
    if (answer->err) {
        http_answer_err(a->req, answer->err);
        apply_free(a);
        return;
    }
    for (size_t i = 0; i < pg_row_count(answer->rows); i++)
        if (json_object_get(a->all.limits, pg_text(answer->rows, i, 0)))
            documents_give_limit(&a->all, pg_text(answer->rows, i, 0));
    go_on(a);
}

static void looked_up(void *arg, const struct pg_answer *answer)
{
    struct apply *a = arg;
    const char *reference = json_string_value(json_array_get(a->all.missing, a->next++));
    const struct pg_rows *rows = answer->rows;
    if (!answer->err && pg_row_count(rows) > 0)
        documents_give(&a->all, reference, pg_is_null(rows, 0, 0) ? NULL : pg_text(rows, 0, 0),
                       "it has no such version");
}

/* NAME or NAME@VERSION. */
static void look_up(struct apply *a, const char *reference)
{
    struct pg_params params = {0};
    cleanup_free char *name = mem_string(reference);
    char *at = strchr(name, '@');
    if (at)
        *at++ = '\0';
    pg_add_text(&params, name);
    pg_add_text(&params, at ? at : "");
    pg_exec(a->api->pg, QUERY_API_VERSION_IR, &params, looked_up, a);
    pg_params_free(&params);
}

/* What is taken in is pinned as it is now: an apply of it that comes in between is as if it came
 * after this one. */
void api_apply(struct http_request *req, void *arg)
{
    cleanup_json json_t *body = api_body(req);
    const char *dry = http_query(req, "dry_run");
    size_t i;
    json_t *reference;
    if (!body)
        return;
    struct apply *a = mem_alloc(sizeof *a);
    *a = (struct apply){
        .api = arg, .req = req, .dry = dry && strcmp(dry, "true") == 0, .warnings = json_array()};
    size_t len = 0;
    http_body(req, &len);
    a->large = len > LARGE_BYTES;
    documents_open(&a->all, json_get_array(body, "files"), json_get_array(body, "parts"),
                   json_get_object(body, "images"));
    json_array_foreach (a->all.missing, i, reference)
        look_up(a, json_string_value(reference));
    if (json_array_size(a->all.missing) + json_object_size(a->all.limits) == 0)
        go_on(a);
    else
        pg_call(a->api->pg, QUERY_API_LIMIT_NAMES, NULL, limits_known, a);
}

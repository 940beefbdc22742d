/* POST /api/v1/apply: every document of every file is compiled first; then all are written in one
 * transaction, or none. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/ir.h"
#include "common/ir/source.h"
#include "common/text/json.h"
#include "common/text/yaml.h"

struct thing { /* one document, compiled */
    bool is_pipeline;
    char *name, *file, *text; /* text: the canonical IR, or the source's config */
    char *provider, *secret;
    char hash[SHA256_HEX];
    const char *action;
    int64_t number;
};

struct apply {
    struct api *api;
    struct http_request *req;
    struct thing *things;
    size_t count, cap;
    size_t next;          /* whose answer comes next */
    struct text problems; /* one a line */
    bool dry;
};

static void apply_free(struct apply *a)
{
    for (size_t i = 0; i < a->count; i++) {
        free(a->things[i].name);
        free(a->things[i].file);
        free(a->things[i].text);
        free(a->things[i].provider);
        free(a->things[i].secret);
    }
    free(a->things);
    text_free(&a->problems);
    free(a);
}

static void note(struct apply *a, const struct text *all, const struct err *err)
{
    text_puts(&a->problems, all->len ? all->data : err->text);
    if (a->problems.data[a->problems.len - 1] != '\n')
        text_append(&a->problems, "\n", 1);
}

static void add_pipeline(struct apply *a, const json_t *ir, const char *file)
{
    struct thing *t = &a->things[a->count++];
    t->is_pipeline = true;
    t->name = mem_string(json_get_string(ir, "name", ""));
    t->file = mem_string(file);
    t->text = json_write(ir);
    ir_hash(ir, t->hash);
}

static void add_source(struct apply *a, const json_t *source)
{
    struct thing *t = &a->things[a->count++];
    t->name = mem_string(json_get_string(source, "name", ""));
    t->provider = mem_string(json_get_string(source, "provider", ""));
    t->secret = mem_string(json_get_string(source, "secret", NULL));
    t->text = json_write(json_object_get(source, "config"));
}

static void compile(struct apply *a, const struct yaml_doc *doc, const char *name, const char *file)
{
    struct err err = {0};
    cleanup_text struct text all = {0};
    const char *kind = json_get_string(doc->value, "kind", "pipeline");
    const bool is_source = strcmp(kind, "source") == 0;
    cleanup_json json_t *out =
        is_source ? source_compile(doc, name, &all, &err) : ir_compile(doc, name, &all, &err);
    MEM_ROOM(a->things, a->count, a->cap);
    a->things[a->count] = (struct thing){0};
    if (!out)
        note(a, &all, &err);
    else if (is_source)
        add_source(a, out);
    else
        add_pipeline(a, out, file);
}

static void read_file(struct apply *a, const json_t *file)
{
    struct err err = {0};
    struct text none = {0};
    cleanup_yaml struct yaml_docs docs = {0};
    const char *name = json_get_string(file, "name", "file.yaml");
    const char *text = json_get_string(file, "text", "");
    if (strlen(text) > IR_FILE_MAX)
        err_set(&err, LEAT_ELIMIT, "%.200s: a file may have 1 MiB", name);
    else
        yaml_read(name, text, strlen(text), &docs, &err);
    if (err.code)
        note(a, &none, &err);
    for (size_t i = 0; i < docs.count; i++)
        compile(a, &docs.items[i], name, text);
}

static json_t *result(const struct apply *a)
{
    json_t *items = json_array();
    for (size_t i = 0; i < a->count; i++) {
        const struct thing *t = &a->things[i];
        json_t *item = json_pack("{s:s, s:s, s:s}", "kind", t->is_pipeline ? "pipeline" : "source",
                                 "name", t->name, "action", t->action);
        if (t->is_pipeline) {
            json_object_set_new(item, "version", json_string(t->hash));
            json_object_set_new(item, "number", json_integer(t->number));
        }
        json_array_append_new(items, item);
    }
    return json_pack("{s:o}", "items", items);
}

static void applied(void *arg, const struct pg_answer *answer)
{
    struct apply *a = arg;
    if (answer->err) {
        http_answer_err(a->req, answer->err);
    } else {
        json_t *body = result(a);
        char *text = json_write(body);
        json_decref(body);
        http_answer_take(a->req, 200, "application/json", text, strlen(text));
    }
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

static void put_done(void *arg, const struct pg_answer *answer)
{
    struct apply *a = arg;
    struct thing *t = &a->things[a->next++];
    if (answer->err)
        return; /* the last call of the group answers for all */
    t->action = keep_action(pg_text(answer->rows, 0, 0));
    t->number = t->is_pipeline ? pg_int(answer->rows, 0, 1) : 0;
}

static void put(struct apply *a, const struct thing *t)
{
    struct pg *pg = a->api->pg;
    struct pg_params params = {0};
    pg_add_text(&params, t->name);
    if (t->is_pipeline) {
        pg_add_text(&params, t->hash);
        pg_add_text(&params, t->file);
        pg_add_text(&params, t->text);
        pg_exec(pg, QUERY_API_VERSION_PUT, &params, NULL, NULL);
        pg_add_text(&params, t->name);
        pg_add_text(&params, t->hash);
    } else {
        pg_add_text(&params, t->provider);
        pg_add_text(&params, t->secret);
        pg_add_text(&params, t->text);
    }
    pg_exec(pg, t->is_pipeline ? QUERY_API_PIPELINE_PUT : QUERY_API_SOURCE_PUT, &params, put_done,
            a);
    pg_params_free(&params);
}

static void compared(void *arg, const struct pg_answer *answer)
{
    struct apply *a = arg;
    struct thing *t = &a->things[a->next++];
    if (!answer->err) {
        const struct pg_rows *rows = answer->rows;
        const bool there = pg_row_count(rows) > 0 && !pg_is_null(rows, 0, 0);
        const bool same = there && (t->is_pipeline ? strcmp(pg_text(rows, 0, 0), t->hash) == 0
                                                   : pg_bool(rows, 0, 0));
        t->action = !there ? "created" : same ? "unchanged" : "updated";
        t->number = t->is_pipeline ? pg_int(rows, 0, 1) : 0;
    }
    if (a->next == a->count)
        applied(a, answer);
}

static void compare(struct apply *a, const struct thing *t)
{
    struct pg_params params = {0};
    pg_add_text(&params, t->name);
    if (t->is_pipeline) {
        pg_add_text(&params, t->hash);
    } else {
        pg_add_text(&params, t->provider);
        pg_add_text(&params, t->secret);
        pg_add_text(&params, t->text);
    }
    pg_exec(a->api->pg, t->is_pipeline ? QUERY_API_PIPELINE_COMPARE : QUERY_API_SOURCE_COMPARE,
            &params, compared, a);
    pg_params_free(&params);
}

static void write_all(struct apply *a)
{
    if (!a->dry)
        pg_exec(a->api->pg, QUERY_API_CATALOG_RAISE, NULL, NULL, NULL); /* its row is the lock */
    for (size_t i = 0; i < a->count; i++)
        a->dry ? compare(a, &a->things[i]) : put(a, &a->things[i]);
    if (!a->dry)
        pg_exec(a->api->pg, QUERY_API_CATALOG_NOTIFY, NULL, applied, a);
    pg_sync(a->api->pg);
}

static void refuse(struct apply *a)
{
    cleanup_json json_t *body =
        json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", "about:blank", "title", "bad_input",
                  "status", 400, "code", "bad_input", "detail",
                  a->problems.len ? a->problems.data : "there is no document to apply");
    char *text = json_write(body);
    http_answer_take(a->req, 400, "application/problem+json", text, strlen(text));
    apply_free(a);
}

void api_apply(struct http_request *req, void *arg)
{
    cleanup_json json_t *body = api_body(req);
    const json_t *files = json_get_array(body, "files"), *file;
    const char *dry = http_query(req, "dry_run");
    size_t i;
    if (!body)
        return;
    struct apply *a = mem_alloc(sizeof *a);
    *a = (struct apply){.api = arg, .req = req, .dry = dry && strcmp(dry, "true") == 0};
    json_array_foreach (files, i, file)
        read_file(a, file);
    if (a->problems.len || a->count == 0)
        refuse(a);
    else
        write_all(a);
}

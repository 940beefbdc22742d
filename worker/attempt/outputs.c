#include "worker/attempt/outputs.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/failpoint.h"
#include "common/base/mem.h"
#include "common/ir/ir.h"
#include "common/store/store.h"
#include "common/text/json.h"
#include "worker/attempt/attempt.h"
#include "worker/attempt/environment.h"
#include "worker/attempt/files.h"
#include "worker/worker.h"

#define METRICS_BYTES (1024 * 1024)
#define METRICS_MOST  1000
#define METRIC_NAME   200

struct collecting {
    struct attempt *attempt;
    void (*done)(struct attempt *a, json_t *outputs, const struct err *err);
    const struct order_output *list;
    size_t count, next;
    json_t *outputs;
    size_t bytes;
    bool folder;    /* the artifact on its way is one */
    json_t *stored; /* it; borrowed from outputs */
};

static void go_on(struct collecting *c);

static void finish(struct collecting *c, const struct err *err)
{
    struct attempt *a = c->attempt;
    json_t *outputs = c->outputs;
    void (*done)(struct attempt *, json_t *, const struct err *) = c->done;
    free(c);
    if (err) {
        json_decref(outputs);
        outputs = NULL;
    }
    done(a, outputs, err);
}

static char *path_of(const struct collecting *c, const struct order_output *out)
{
    cleanup_free char *inside = mem_printf("%s/%s", out->path ? EXECUTOR_TAKEN : "out", out->name);
    return attempt_path(c->attempt, inside);
}

/* ---- typed outputs
 * ------------------------------------------------------------------------------- */

static enum ir_type type_of(int type)
{
    static const enum ir_type types[] = {
        [ORDER_OUTPUT_TYPE_NONE] = IR_STRING,   [ORDER_OUTPUT_TYPE_ARTIFACT] = IR_ARTIFACT,
        [ORDER_OUTPUT_TYPE_STRING] = IR_STRING, [ORDER_OUTPUT_TYPE_INTEGER] = IR_INTEGER,
        [ORDER_OUTPUT_TYPE_NUMBER] = IR_NUMBER, [ORDER_OUTPUT_TYPE_BOOLEAN] = IR_BOOLEAN,
        [ORDER_OUTPUT_TYPE_JSON] = IR_JSON,
    };
    return types[type];
}

static int read_typed(struct collecting *c, const struct order_output *out, struct err *err)
{
    cleanup_free char *path = path_of(c, out);
    cleanup_free char *text = NULL;
    size_t len = 0;
    int rc = file_read(path, IR_OUTPUT_VALUE_MAX + 1, &text, &len, err);
    if (rc == LEAT_ELIMIT)
        return err_set(err, LEAT_ELIMIT,
                       "it has more than %d bytes; declare it without a type, as an artifact",
                       IR_OUTPUT_VALUE_MAX);
    if (rc != 0)
        return rc;
    json_t *value = ir_output_value(type_of(out->type), text, len, err);
    if (!value)
        return err->code;
    json_object_set_new(c->outputs, out->name, value);
    c->bytes += len;
    if (c->bytes > OUTPUTS_BYTES)
        return err_set(err, LEAT_ELIMIT, "the typed outputs together have more than %d bytes",
                       OUTPUTS_BYTES);
    return 0;
}

/* ---- artifacts
 * ----------------------------------------------------------------------------------- */

static void failed(struct collecting *c, const struct err *err)
{
    struct err told = *err;
    err_wrap(&told, "output %s", c->list[c->next - 1].name);
    finish(c, &told);
}

static bool is_listed(const struct collecting *c, const char *name)
{
    const struct order_start *start = c->attempt->order.start;
    for (size_t i = 0; i < start->listed_count; i++)
        if (strcmp(start->listed[i], name) == 0)
            return true;
    return false;
}

static void put_unlisted(struct collecting *c, const char *why)
{
    json_object_set_new(c->stored, "unlisted", json_string(why));
    go_on(c);
}

/* The step has done its work: what is too much to list fails who wants it listed. */
static void listed(void *arg, const struct store_object *object, const struct err *err)
{
    struct collecting *c = arg;
    if (err && err->code != LEAT_ELIMIT) {
        failed(c, err);
    } else if (err) {
        put_unlisted(c, err->text);
    } else if (c->bytes + (size_t)object->size > OUTPUTS_BYTES) {
        cleanup_free char *why = mem_printf(
            "names that have with the step's other outputs more than %d bytes", OUTPUTS_BYTES);
        put_unlisted(c, why);
    } else {
        c->bytes += (size_t)object->size;
        json_object_set_new(c->stored, "names",
                            json_read(object->data, (size_t)object->size, NULL, NULL));
        go_on(c);
    }
}

static void stored(void *arg, const struct store_object *object, const struct err *err)
{
    struct collecting *c = arg;
    if (err) {
        failed(c, err);
        return;
    }
    failpoint_hit(FAILPOINT_OUTPUT_STORED_AFTER);
    const char *name = c->list[c->next - 1].name;
    c->stored = json_pack("{s:s, s:I, s:b}", "artifact", object->hash, "size",
                          (json_int_t)object->size, "folder", (int)c->folder);
    json_object_set_new(c->outputs, name, c->stored);
    if (!c->folder || !is_listed(c, name)) {
        go_on(c);
        return;
    }
    const struct store_names most = {IR_ITEMS_MAX, IR_ITEMS_BYTES_MAX};
    store_list_folder(c->attempt->worker->store, object->hash, most, listed, c);
}

/* 1 = on its way. */
static int put_artifact(struct collecting *c, const struct order_output *out, struct err *err)
{
    cleanup_free char *path = path_of(c, out);
    struct stat st;
    if (lstat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return err_set(err, LEAT_ENOTFOUND, "%s does not exist", path);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return err_set(err, LEAT_EINPUT, "%s is neither a file nor a folder", path);
    c->folder = S_ISDIR(st.st_mode);
    failpoint_hit(FAILPOINT_OUTPUT_STORED_BEFORE);
    if (c->folder)
        store_put_folder(c->attempt->worker->store, path, stored, c);
    else
        store_put_file(c->attempt->worker->store, path, 0, stored, c);
    return 1;
}

static int take_output(struct collecting *c, const struct order_output *out, struct err *err)
{
    int rc;
    if (!file_name_ok(out->name))
        return err_set(err, LEAT_EINPUT, "its name cannot be a file's");
    rc = out->type == ORDER_OUTPUT_TYPE_ARTIFACT ? put_artifact(c, out, err)
                                                 : read_typed(c, out, err);
    if (rc == LEAT_ENOTFOUND && out->optional)
        return 0;
    if (rc == LEAT_ENOTFOUND)
        err_set(err, rc, "it was declared and not written");
    return rc;
}

static void go_on(struct collecting *c)
{
    while (c->next < c->count) {
        struct err err = {0};
        const int rc = take_output(c, &c->list[c->next++], &err);
        if (rc > 0)
            return; /* `stored` goes on */
        if (rc < 0) {
            failed(c, &err);
            return;
        }
    }
    finish(c, NULL);
}

void outputs_collect(struct attempt *a,
                     void (*done)(struct attempt *a, json_t *outputs, const struct err *err))
{
    static const struct order_output manifest = {"manifest", ORDER_OUTPUT_TYPE_ARTIFACT, false,
                                                 NULL};
    const struct order_start *start = a->order.start;
    const bool pins = start->executor == ORDER_START_EXECUTOR_OBJECTS;
    struct collecting *c = mem_alloc(sizeof *c);
    c->attempt = a;
    c->done = done;
    c->list = pins ? &manifest : start->outputs;
    c->count = pins ? 1 : start->outputs_count;
    c->outputs = json_object();
    go_on(c);
}

/* ---- metrics
 * ------------------------------------------------------------------------------------- */

static bool take_metric(json_t *metrics, const char *line, size_t len)
{
    const struct json_limits limits = {.depth = 2, .bytes = 4096};
    cleanup_json json_t *row = json_read(line, len, &limits, NULL);
    const char *name = json_get_string(row, "name", NULL);
    json_t *value = json_object_get(row, "value");
    if (!name || name[0] == '\0' || strlen(name) > METRIC_NAME || !json_is_number(value) ||
        !isfinite(json_number_value(value)))
        return false;
    if (json_object_size(metrics) >= METRICS_MOST && !json_object_get(metrics, name))
        return false;
    json_object_set(metrics, name, value);
    return true;
}

json_t *outputs_metrics(const struct attempt *a, struct text *note)
{
    cleanup_free char *path =
        attempt_path(a, attempt_in_container(a) ? "out/" CONTAINER_METRICS : "metrics");
    cleanup_free char *text = NULL;
    size_t len = 0, number = 0;
    struct err err = {0};
    if (file_read(path, METRICS_BYTES, &text, &len, &err) != 0) {
        if (err.code != LEAT_ENOTFOUND)
            text_printf(note, "metrics: %s", err.text);
        return NULL;
    }
    json_t *metrics = json_object();
    for (const char *line = text, *end = text + len; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const size_t bytes = (size_t)((stop ? stop : end) - line);
        number++;
        if (bytes > 0 && !take_metric(metrics, line, bytes) && note->len == 0)
            text_printf(note,
                        "metrics: line %zu is not {\"name\": text, \"value\": number} or there "
                        "are more than %d; it and others like it are left out",
                        number, METRICS_MOST);
        line += bytes + 1;
    }
    return metrics;
}

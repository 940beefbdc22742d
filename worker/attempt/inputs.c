#include "worker/attempt/inputs.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/store.h"
#include "common/text/json.h"
#include "worker/attempt/attempt.h"
#include "worker/attempt/files.h"
#include "worker/attempt/lists.h"
#include "worker/worker.h"

#define MANIFEST_MOST (64 * 1024 * 1024)
#define AT_ONCE       4 /* objects on their way; the loop has as many threads */

/* One input being put; freed when it is done. */
struct putting {
    struct store *store;
    char *path; /* of the input */
    const char *name;
    inputs_done *done;
    void *arg;
    /* An object set: */
    json_t *objects; /* borrowed from manifest */
    json_t *manifest;
    size_t next; /* object to begin */
    int busy;
    bool failed;
    struct err err;
};

static void finish(struct putting *p, const struct err *err)
{
    struct err told;
    if (err) {
        told = *err;
        err_wrap(&told, "input %s", p->name);
    }
    inputs_done *done = p->done;
    void *arg = p->arg;
    json_decref(p->manifest);
    free(p->path);
    free(p);
    done(arg, err ? &told : NULL);
}

static void got(void *arg, const struct store_object *object, const struct err *err)
{
    (void)object;
    finish(arg, err);
}

static void laid_out(void *arg, const struct err *err)
{
    finish(arg, err);
}

/* ---- object sets
 * --------------------------------------------------------------------------------- */

static void put_objects(struct putting *p);

static void got_object(void *arg, const struct store_object *object, const struct err *err)
{
    (void)object;
    struct putting *p = arg;
    p->busy--;
    if (err && !p->failed) {
        p->failed = true;
        p->err = *err;
    }
    put_objects(p);
}

static int begin_object(struct putting *p, const json_t *object, struct err *err)
{
    const char *key = json_get_string(object, "key", "");
    const char *hash = json_get_string(object, "sha256", "");
    if (!store_name_ok(key) || !store_hash_ok(hash))
        return err_set(err, LEAT_EINPUT, "the manifest names a bad object");
    cleanup_free char *files = mem_printf("%s/files", p->path);
    if (folder_make_above(files, key, err) != 0)
        return err->code;
    cleanup_free char *path = mem_printf("%s/%s", files, key);
    p->busy++;
    store_get_file(p->store, hash, path, 0, got_object, p);
    return 0;
}

static void put_objects(struct putting *p)
{
    while (!p->failed && p->busy < AT_ONCE && p->next < json_array_size(p->objects))
        if (begin_object(p, json_array_get(p->objects, p->next++), &p->err) != 0)
            p->failed = true;
    if (p->busy == 0)
        finish(p, p->failed ? &p->err : NULL);
}

static int begin_set(struct putting *p, const struct store_object *text, struct err *err)
{
    const struct json_limits limits = {.depth = 8, .bytes = MANIFEST_MOST};
    cleanup_free char *files = mem_printf("%s/files", p->path);
    cleanup_free char *file = mem_printf("%s/manifest.json", p->path);
    p->manifest = json_read(text->data, (size_t)text->size, &limits, err);
    p->objects = json_get_array(p->manifest, "objects");
    if (!p->manifest)
        return err->code;
    if (!p->objects)
        return err_set(err, LEAT_EINPUT, "it is no manifest of objects");
    if (folder_make(p->path, 0755, err) != 0 || folder_make(files, 0755, err) != 0)
        return err->code;
    return file_write(file, text->data, (size_t)text->size, 0644, err);
}

static void got_manifest(void *arg, const struct store_object *object, const struct err *err)
{
    struct putting *p = arg;
    struct err own = {0};
    if (!err && begin_set(p, object, &own) == 0)
        put_objects(p);
    else
        finish(p, err ? err : &own);
}

/* ---- values
 * -------------------------------------------------------------------------------------- */

/* A string as it is, everything else as JSON: what ${{ }} would give too. */
static void put_value(struct putting *p, const json_t *value)
{
    struct err err = {0};
    cleanup_free char *json = json_is_string(value) ? NULL : json_write(value);
    const char *text = json ? json : json_string_value(value);
    const int rc = file_write(p->path, text, strlen(text), 0644, &err);
    finish(p, rc == 0 ? NULL : &err);
}

void inputs_put(struct attempt *a, const struct order_input *in, inputs_done *done, void *arg)
{
    struct putting *p = mem_alloc(sizeof *p);
    struct err err = {0};
    cleanup_free char *inside = mem_printf("in/%s", in->name);
    *p = (struct putting){.store = a->worker->store,
                          .path = attempt_path(a, inside),
                          .name = in->name,
                          .done = done,
                          .arg = arg};
    if (!file_name_ok(in->name)) {
        err_set(&err, LEAT_EINPUT, "its name cannot be a file's");
        finish(p, &err);
    } else if (in->value) {
        put_value(p, in->value);
    } else if (in->list || in->of) {
        lists_lay_out(a, in, p->path, laid_out, p);
    } else if (!in->artifact || !store_hash_ok(in->artifact)) {
        err_set(&err, LEAT_EINPUT, "the order gives neither value nor artifact");
        finish(p, &err);
    } else if (in->objects) {
        store_read(p->store, in->artifact, 0, MANIFEST_MOST, got_manifest, p);
    } else if (in->folder) {
        store_get_folder(p->store, in->artifact, p->path, got, p);
    } else {
        store_get_file(p->store, in->artifact, p->path, 0, got, p);
    }
}

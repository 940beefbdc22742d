/* Files to compiled documents. */
#include "api/documents.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/ir/ir.h"
#include "common/text/json.h"

static const char *const KINDS[] = {[DOCUMENT_PIPELINE] = "pipeline",
                                    [DOCUMENT_SOURCE] = "source",
                                    [DOCUMENT_LIMIT] = "limit",
                                    [DOCUMENT_POOL] = "pool"};

const char *document_kind_name(enum document_kind kind)
{
    return KINDS[kind];
}

void documents_free(struct documents *all)
{
    for (size_t i = 0; i < all->count; i++) {
        free(all->items[i].name);
        free(all->items[i].file);
        free(all->items[i].text);
        free(all->items[i].provider);
        free(all->items[i].secret);
        free(all->items[i].description);
    }
    free(all->items);
    text_free(&all->problems);
    bundle_free(all->bundle);
    json_decref(all->images);
    json_decref(all->missing);
    json_decref(all->catalog);
    json_decref(all->limits);
    json_decref(all->pools);
}

/* ---- the catalog ----------------------------------------------------------------------------- */

static void note_missing(void *arg, enum ir_reference kind, const char *name)
{
    struct documents *all = arg;
    if (kind == IR_REFERENCE_PIPELINE && json_array_size(all->missing) < BUNDLE_PARTS_MAX)
        json_array_append_new(all->missing, json_string(name));
    if (kind == IR_REFERENCE_LIMIT)
        json_object_set_new(all->limits, name, json_false());
}

void documents_give_limit(struct documents *all, const char *name)
{
    json_object_set_new(all->limits, name, json_true());
}

void documents_give(struct documents *all, const char *reference, const char *ir, const char *why)
{
    json_object_set_new(all->catalog, reference,
                        ir ? json_string(ir) : json_pack("{s:s}", "why", why));
}

/* All of them or none: one that is left out would stay what its tag is tomorrow. */
static int find_image(const struct documents *all, const char *image, struct ir_found *out,
                      struct err *err)
{
    const json_t *digest = json_object_get(all->images, image);
    if (!all->images)
        return 0;
    if (!json_is_string(digest))
        return err_set(err, LEAT_ENOTFOUND, "its digest was not sent along");
    out->len = json_string_length(digest);
    out->bytes = mem_bytes(json_string_value(digest), out->len);
    return 0;
}

static int find(void *arg, enum ir_reference kind, const char *reference, const char *from,
                struct ir_found *out, struct err *err)
{
    const struct documents *all = arg;
    const json_t *given = json_object_get(all->catalog, reference);
    (void)from;
    if (kind == IR_REFERENCE_COMPONENT)
        return err_set(err, LEAT_ENOTFOUND, "%.200s was not sent along", reference);
    if (kind == IR_REFERENCE_IMAGE)
        return find_image(all, reference, out, err);
    if (kind == IR_REFERENCE_LIMIT)
        return json_is_true(json_object_get(all->limits, reference))
                   ? 0
                   : err_set(err, LEAT_ENOTFOUND,
                             "there is no limit of that name: apply one of kind: limit");
    if (!json_is_string(given))
        return err_set(err, LEAT_ENOTFOUND, "%s",
                       json_get_string(given, "why", "there is no pipeline of that name"));
    out->len = json_string_length(given);
    out->bytes = mem_bytes(json_string_value(given), out->len);
    return 0;
}

/* ---- documents ------------------------------------------------------------------------------- */

void documents_open(struct documents *all, const json_t *files, const json_t *parts, json_t *images)
{
    size_t i;
    const json_t *file;
    all->bundle = bundle_new(find, all);
    all->images = json_incref(images);
    all->missing = json_array();
    all->catalog = json_object();
    all->limits = json_object();
    all->pools = json_object();
    json_array_foreach (files, i, file)
        bundle_add(all->bundle, json_get_string(file, "name", "file.yaml"),
                   json_get_string(file, "text", ""), &all->problems);
    if (json_array_size(parts) > BUNDLE_PARTS_MAX)
        text_printf(&all->problems, "parts: at most %d\n", BUNDLE_PARTS_MAX);
    json_array_foreach (parts, i, file) {
        if (i < BUNDLE_PARTS_MAX)
            bundle_add_part(all->bundle, json_get_string(file, "name", ""),
                            json_get_string(file, "text", ""));
    }
    bundle_missing(all->bundle, note_missing, all);
}

static void note_pools(struct documents *all, const struct document *d, const json_t *ir)
{
    size_t i;
    json_t *step;
    json_array_foreach (json_object_get(ir, "steps"), i, step) {
        const char *pool = json_get_string(step, "pool", NULL);
        if (pool && !json_object_get(all->pools, pool))
            json_object_set_new(
                all->pools, pool,
                json_sprintf("%s: step %s", d->name, json_get_string(step, "name", "")));
    }
}

static void fill_pipeline(struct documents *all, struct document *d, const json_t *ir, size_t i)
{
    d->file = mem_string(bundle_text(all->bundle, i));
    d->text = json_write(ir);
    ir_hash(ir, d->hash);
    note_pools(all, d, ir);
}

static void fill_source(struct documents *all, struct document *d, const json_t *source, size_t i)
{
    (void)all, (void)i;
    d->provider = mem_string(json_get_string(source, "provider", ""));
    d->secret = mem_string(json_get_string(source, "secret", NULL));
    d->text = json_write(json_object_get(source, "config"));
}

static void fill_limit(struct documents *all, struct document *d, const json_t *limit, size_t i)
{
    (void)all, (void)i;
    d->limit = json_get_int(limit, "limit", 0);
    d->description = mem_string(json_get_string(limit, "description", NULL));
}

static void fill_pool(struct documents *all, struct document *d, const json_t *pool, size_t i)
{
    (void)all, (void)i;
    d->limit = json_get_int(pool, "slots", -1);
    d->text = mem_string(json_get_string(pool, "path", NULL));
    d->description = mem_string(json_get_string(pool, "description", NULL));
}

static enum document_kind kind_of(const char *name)
{
    for (size_t kind = 0; kind < ARRAY_LEN(KINDS); kind++)
        if (strcmp(KINDS[kind], name) == 0)
            return (enum document_kind)kind;
    return DOCUMENT_PIPELINE;
}

static void compile(struct documents *all, size_t i)
{
    typedef void fill_fn(struct documents * all, struct document * d, const json_t *out, size_t i);
    static fill_fn *const FILL[] = {[DOCUMENT_PIPELINE] = fill_pipeline,
                                    [DOCUMENT_SOURCE] = fill_source,
                                    [DOCUMENT_LIMIT] = fill_limit,
                                    [DOCUMENT_POOL] = fill_pool};
    const char *kind = bundle_kind(all->bundle, i);
    cleanup_json json_t *out = bundle_compile(all->bundle, i, &all->problems);
    if (!out || strcmp(kind, "component") == 0)
        return;
    MEM_ROOM(all->items, all->count, all->cap);
    struct document *d = &all->items[all->count++];
    *d = (struct document){.name = mem_string(json_get_string(out, "name", ""))};
    d->kind = kind_of(kind);
    FILL[d->kind](all, d, out, i);
}

void documents_compile(struct documents *all)
{
    for (size_t i = 0; i < bundle_count(all->bundle); i++)
        compile(all, i);
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].kind == DOCUMENT_POOL)
            json_object_del(all->pools, all->items[i].name);
    bundle_free(all->bundle); /* the files as trees are most of what an apply holds */
    all->bundle = NULL;
}

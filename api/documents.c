/* Files to compiled documents. */
#include "api/documents.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/ir/ir.h"
#include "common/text/json.h"

static const char *const KINDS[] = {
    [DOCUMENT_PIPELINE] = "pipeline", [DOCUMENT_SOURCE] = "source", [DOCUMENT_LIMIT] = "limit"};

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
    json_decref(all->missing);
    json_decref(all->catalog);
    json_decref(all->limits);
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

static int find(void *arg, enum ir_reference kind, const char *reference, const char *from,
                struct ir_found *out, struct err *err)
{
    const struct documents *all = arg;
    const json_t *given = json_object_get(all->catalog, reference);
    (void)from;
    if (kind == IR_REFERENCE_COMPONENT)
        return err_set(err, LEAT_ENOTFOUND, "%.200s was not sent along", reference);
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

void documents_open(struct documents *all, const json_t *files, const json_t *parts)
{
    size_t i;
    const json_t *file;
    all->bundle = bundle_new(find, all);
    all->missing = json_array();
    all->catalog = json_object();
    all->limits = json_object();
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

static void fill_pipeline(struct document *d, const json_t *ir, const char *file)
{
    d->file = mem_string(file);
    d->text = json_write(ir);
    ir_hash(ir, d->hash);
}

static void fill_source(struct document *d, const json_t *source)
{
    d->provider = mem_string(json_get_string(source, "provider", ""));
    d->secret = mem_string(json_get_string(source, "secret", NULL));
    d->text = json_write(json_object_get(source, "config"));
}

static void fill_limit(struct document *d, const json_t *limit)
{
    d->limit = json_get_int(limit, "limit", 0);
    d->description = mem_string(json_get_string(limit, "description", NULL));
}

static void compile(struct documents *all, size_t i)
{
    const char *kind = bundle_kind(all->bundle, i);
    cleanup_json json_t *out = bundle_compile(all->bundle, i, &all->problems);
    if (!out || strcmp(kind, "component") == 0)
        return;
    MEM_ROOM(all->items, all->count, all->cap);
    struct document *d = &all->items[all->count++];
    *d = (struct document){.name = mem_string(json_get_string(out, "name", ""))};
    if (strcmp(kind, KINDS[DOCUMENT_SOURCE]) == 0)
        d->kind = DOCUMENT_SOURCE;
    if (strcmp(kind, KINDS[DOCUMENT_LIMIT]) == 0)
        d->kind = DOCUMENT_LIMIT;
    if (d->kind == DOCUMENT_SOURCE)
        fill_source(d, out);
    else if (d->kind == DOCUMENT_LIMIT)
        fill_limit(d, out);
    else
        fill_pipeline(d, out, bundle_text(all->bundle, i));
}

void documents_compile(struct documents *all)
{
    for (size_t i = 0; i < bundle_count(all->bundle); i++)
        compile(all, i);
    bundle_free(all->bundle); /* the files as trees are most of what an apply holds */
    all->bundle = NULL;
}

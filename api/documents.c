/* Files to compiled documents. */
#include "api/documents.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/ir/ir.h"
#include "common/ir/source.h"
#include "common/text/json.h"
#include "common/text/yaml.h"

void documents_free(struct documents *all)
{
    for (size_t i = 0; i < all->count; i++) {
        free(all->items[i].name);
        free(all->items[i].file);
        free(all->items[i].text);
        free(all->items[i].provider);
        free(all->items[i].secret);
    }
    free(all->items);
    text_free(&all->problems);
}

static void note(struct documents *all, const struct text *found, const struct err *err)
{
    text_puts(&all->problems, found->len ? found->data : err->text);
    if (all->problems.data[all->problems.len - 1] != '\n')
        text_append(&all->problems, "\n", 1);
}

static void add_pipeline(struct documents *all, const json_t *ir, const char *file)
{
    struct document *d = &all->items[all->count++];
    d->is_pipeline = true;
    d->name = mem_string(json_get_string(ir, "name", ""));
    d->file = mem_string(file);
    d->text = json_write(ir);
    ir_hash(ir, d->hash);
}

static void add_source(struct documents *all, const json_t *source)
{
    struct document *d = &all->items[all->count++];
    d->name = mem_string(json_get_string(source, "name", ""));
    d->provider = mem_string(json_get_string(source, "provider", ""));
    d->secret = mem_string(json_get_string(source, "secret", NULL));
    d->text = json_write(json_object_get(source, "config"));
}

static void compile(struct documents *all, const struct yaml_doc *doc, const char *name,
                    const char *file)
{
    struct err err = {0};
    cleanup_text struct text found = {0};
    const char *kind = json_get_string(doc->value, "kind", "pipeline");
    const bool is_source = strcmp(kind, "source") == 0;
    cleanup_json json_t *out =
        is_source ? source_compile(doc, name, &found, &err) : ir_compile(doc, name, &found, &err);
    MEM_ROOM(all->items, all->count, all->cap);
    all->items[all->count] = (struct document){0};
    if (!out)
        note(all, &found, &err);
    else if (is_source)
        add_source(all, out);
    else
        add_pipeline(all, out, file);
}

static void read_file(struct documents *all, const json_t *file)
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
        note(all, &none, &err);
    for (size_t i = 0; i < docs.count; i++)
        compile(all, &docs.items[i], name, text);
}

void documents_read(struct documents *all, const json_t *files)
{
    size_t i;
    const json_t *file;
    json_array_foreach (files, i, file)
        read_file(all, file);
}

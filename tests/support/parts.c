#include "tests/support/parts.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

static const struct part *find(const struct parts *parts, enum ir_reference kind, const char *name)
{
    for (size_t i = 0; i < parts->count; i++) {
        if (parts->items[i].kind == kind && strcmp(parts->items[i].name, name) == 0)
            return &parts->items[i];
    }
    return NULL;
}

static int give(struct ir_found *out, char *bytes, const char *name)
{
    *out = (struct ir_found){bytes, strlen(bytes), mem_string(name)};
    return 0;
}

static int find_file(const struct parts *parts, const char *reference, const char *from,
                     struct ir_found *out, struct err *err)
{
    cleanup_free char *path = text_starts_with(reference, "https://")
                                  ? mem_string(reference)
                                  : ir_relative(from, reference, err);
    const struct part *part = path ? find(parts, IR_REFERENCE_COMPONENT, path) : NULL;
    if (part)
        return give(out, mem_string(part->text), path);
    return path ? err_set(err, LEAT_ENOTFOUND, "there is no file %s", path) : err->code;
}

static int find_part(void *arg, enum ir_reference kind, const char *reference, const char *from,
                     struct ir_found *out, struct err *err)
{
    struct parts *parts = arg;
    if (kind == IR_REFERENCE_COMPONENT)
        return find_file(parts, reference, from, out, err);
    if (kind == IR_REFERENCE_LIMIT)
        return strcmp(reference, "nosuch") == 0
                   ? err_set(err, LEAT_ENOTFOUND, "there is no limit of that name")
                   : 0;
    if (kind == IR_REFERENCE_IMAGE)
        return 0; /* none is pinned */
    const struct part *part = find(parts, IR_REFERENCE_PIPELINE, reference);
    if (!part)
        return err_set(err, LEAT_ENOTFOUND, "there is no pipeline of that name");
    cleanup_json json_t *ir = parts_compile(parts, reference, part->text, NULL, err);
    return ir ? give(out, json_write(ir), reference) : err->code;
}

const struct ir_resolver *parts_resolver(struct parts *parts)
{
    parts->resolver = (struct ir_resolver){find_part, parts};
    return &parts->resolver;
}

json_t *parts_compile(struct parts *parts, const char *name, const char *yaml, struct text *all,
                      struct err *err)
{
    struct yaml_docs docs = {0};
    if (yaml_read(name, yaml, strlen(yaml), &docs, err) < 0)
        return NULL;
    json_t *out = ir_compile(&docs.items[0], name, parts ? parts_resolver(parts) : NULL, all, err);
    yaml_docs_free(&docs);
    return out;
}

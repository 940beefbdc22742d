#include "common/ir/plain.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/ir/ir.h"
#include "common/ir/problems.h"
#include "common/schema/check.h"
#include "common/text/json.h"
#include "schema/gen/files.h"

static const struct {
    const char *kind;
    const struct schema_node *schema;
} KINDS[] = {{"limit", &SCHEMA_LIMIT}, {"pool", &SCHEMA_POOL}};

static const struct schema_node *schema_of(const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++)
        if (strcmp(KINDS[i].kind, kind) == 0)
            return KINDS[i].schema;
    return NULL;
}

bool plain_is(const char *kind)
{
    return schema_of(kind) != NULL;
}

static void schema_problem_found(void *arg, const char *pointer, const char *text)
{
    struct problems *p = arg;
    const char *key = strrchr(pointer, '/');
    if (text_starts_with(text, "unknown key"))
        problem_at_key(p, pointer, "'%.64s': %s", key ? key + 1 : "", text);
    else
        problem_at(p, pointer, "%.64s: %s", key && key[1] ? key + 1 : "file", text);
}

json_t *plain_compile(const struct yaml_doc *doc, const char *kind, const char *name,
                      struct text *all, struct err *err)
{
    struct problems p = {.doc = doc, .file = name ? name : kind};
    cleanup_json json_t *out = NULL;
    if (schema_check(schema_of(kind), doc->value, schema_problem_found, &p) == 0) {
        out = json_deep_copy(doc->value);
        json_object_del(out, "kind");
    }
    const int rc = problems_tell(&p, IR_PROBLEMS_MAX, all, err);
    problems_free(&p);
    return rc == 0 ? TAKE(out) : NULL;
}

#include "common/ir/limit.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/ir/ir.h"
#include "common/ir/problems.h"
#include "common/schema/check.h"
#include "common/text/json.h"
#include "schema/gen/files.h"

static void schema_problem_found(void *arg, const char *pointer, const char *text)
{
    const char *key = strrchr(pointer, '/');
    if (text_starts_with(text, "unknown key"))
        problem_at_key(arg, pointer, "'%.64s': %s", key ? key + 1 : "", text);
    else
        problem_at(arg, pointer, "%.64s: %s", key && key[1] ? key + 1 : "limit", text);
}

json_t *limit_compile(const struct yaml_doc *doc, const char *name, struct text *all,
                      struct err *err)
{
    struct problems p = {.doc = doc, .file = name ? name : "limit"};
    cleanup_json json_t *out = NULL;
    if (schema_check(&SCHEMA_LIMIT, doc->value, schema_problem_found, &p) == 0) {
        out = json_deep_copy(doc->value);
        json_object_del(out, "kind");
    }
    const int rc = problems_tell(&p, IR_PROBLEMS_MAX, all, err);
    problems_free(&p);
    return rc == 0 ? TAKE(out) : NULL;
}

/* Any bytes as an expression: refused with a place, or evaluated within its budgets. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/text/cel.h"
#include "common/text/json.h"

static const char variables[] = "{\"s\":\"caf\\u00e9 v1.2\",\"n\":-5,\"d\":0.5,\"l\":[1,\"a\",null,"
                                "{\"k\":true}],\"m\":{\"x\":1,\"y\":{\"z\":[]}},\"nil\":null}";

static void look(void *user, const struct cel_reference *ref)
{
    (void)user;
    for (size_t i = 0; i < ref->count; i++)
        if (!ref->names[i])
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {0};
    cleanup_cel struct cel *cel = cel_compile_part((const char *)data, len, 1, 1, &err);
    if (!cel) {
        if (!err.code || !strchr(err.text, ':'))
            abort();
        return 0;
    }
    cel_references(cel, look, NULL);
    cleanup_json json_t *all = json_read(variables, sizeof variables - 1, NULL, NULL);
    struct cel_var items[8];
    struct cel_vars vars = {items, 0, 5000};
    const char *name;
    json_t *value;
    json_object_foreach (all, name, value)
        items[vars.count++] = (struct cel_var){name, value};
    cleanup_json json_t *v = cel_eval_json(cel, &vars, &err);
    if (!v && (err.code != LEAT_EINPUT && err.code != LEAT_ELIMIT))
        abort();
    cleanup_json json_t *untouched = json_read(variables, sizeof variables - 1, NULL, NULL);
    if (!json_equal(all, untouched))
        abort();
    return 0;
}

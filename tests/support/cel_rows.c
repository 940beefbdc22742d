#include "tests/support/cel_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/text.h"
#include "common/text/cel.h"
#include "common/text/json.h"

static const char variables[] =
    "{\"a\": {\"b\": {\"c\": 7}, \"list\": [1, 2.5, \"x\", null, {\"k\": true}], \"null\": null,"
    " \"dash-ed\": 1, \"in\": 2, \"as\": 3},"
    " \"n\": 5, \"d\": 0.5, \"s\": \"caf\\u00e9\", \"t\": true, \"nil\": null,"
    " \"steps\": {\"sgd\": {\"outputs\": {\"rmse\": 3.5}}, \"forest\": {\"outputs\": {\"rmse\": "
    "2}}},"
    " \"big\": 9223372036854775807, \"empty\": [], \"m\": {\"x\": 1, \"y\": 2}}";

#define VARS_MAX 16

static size_t variables_of(json_t *all, struct cel_var out[VARS_MAX])
{
    size_t count = 0;
    const char *name;
    json_t *value;
    json_object_foreach (all, name, value)
        out[count++] = (struct cel_var){name, value};
    return count;
}

/* The result as canonical JSON, or "!message". malloc'd. */
static char *evaluate(const char *source, const struct cel_vars *vars)
{
    struct err err = {0};
    cleanup_cel struct cel *cel = cel_compile(source, &err);
    cleanup_json json_t *v = cel ? cel_eval_json(cel, vars, &err) : NULL;
    return v ? json_write(v) : mem_printf("!%s", err.text);
}

static unsigned types_of_value(const json_t *v)
{
    static const unsigned of[] = {
        [JSON_OBJECT] = 1U << CEL_MAP,    [JSON_ARRAY] = 1U << CEL_LIST,
        [JSON_STRING] = 1U << CEL_STRING, [JSON_INTEGER] = 1U << CEL_INT,
        [JSON_REAL] = 1U << CEL_DOUBLE,   [JSON_TRUE] = 1U << CEL_BOOL,
        [JSON_FALSE] = 1U << CEL_BOOL,    [JSON_NULL] = 1U << CEL_NULL,
    };
    return of[json_typeof(v)];
}

/* Of the very value that the evaluation will see; CEL_ANY where there is none. */
static unsigned types_of(void *user, const struct cel_reference *ref)
{
    const json_t *at = user;
    for (size_t i = 0; at && i < ref->count; i++)
        at = json_object_get(at, ref->names[i]);
    return at ? types_of_value(at) : CEL_ANY;
}

/* Sides that are not always come to may hold what never fits. */
static bool may_pass_by(const char *source)
{
    static const char *const ways[] = {"&&", "||", "?", "default(", ".all(", ".exists"};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        if (strstr(source, ways[i]))
            return true;
    return false;
}

/* What is told of the types beforehand has to hold for what comes out. */
static bool types_hold(const char *source, const struct cel_vars *vars, json_t *all)
{
    cleanup_cel struct cel *cel = cel_compile(source, NULL);
    struct cel_result result = {0};
    if (!cel || cel_eval(cel, vars, &result, NULL) < 0)
        return true;
    json_decref(result.json);
    const unsigned types = cel_types(cel, types_of, all, NULL);
    return types ? types & (1U << result.type) : may_pass_by(source);
}

void cel_check_rows(const struct cel_row *rows, size_t count)
{
    cleanup_json json_t *all = json_read(variables, sizeof variables - 1, NULL, NULL);
    assert_non_null(all);
    struct cel_var items[VARS_MAX];
    const struct cel_vars vars = {items, variables_of(all, items), 0};
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *got = evaluate(rows[i].source, &vars);
        const bool fails = rows[i].result[0] == '!';
        const bool ok = fails ? got[0] == '!' && strstr(got, rows[i].result + 1)
                              : strcmp(got, rows[i].result) == 0;
        if (!ok) {
            print_error("%s gives %s, expected %s\n", rows[i].source, got, rows[i].result);
            wrong++;
        }
        if (!types_hold(rows[i].source, &vars, all)) {
            print_error("%s: not of the types that were told beforehand\n", rows[i].source);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

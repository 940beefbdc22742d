#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/cel.h"
#include "common/text/json.h"

static int compile_code(const char *source)
{
    struct err err = {0};
    cleanup_cel struct cel *cel = cel_compile(source, &err);
    return cel ? 0 : err.code;
}

static int eval_code(const char *source, uint32_t steps)
{
    struct err err = {0};
    cleanup_cel struct cel *cel = cel_compile(source, &err);
    if (!cel)
        fail_msg("%.100s: %s", source, err.text);
    const struct cel_vars vars = {.steps = steps};
    cleanup_json json_t *v = cel_eval_json(cel, &vars, &err);
    return v ? 0 : err.code;
}

static char *repeat(const char *before, const char *unit, int times, const char *after)
{
    struct text t = {0};
    text_puts(&t, before);
    for (int i = 0; i < times; i++)
        text_puts(&t, unit);
    text_puts(&t, after);
    return text_take(&t);
}

static void source_length(void **state)
{
    (void)state;
    cleanup_free char *at = repeat("1", " ", CEL_SOURCE_MAX - 1, "");
    cleanup_free char *over = repeat("1", " ", CEL_SOURCE_MAX, "");
    assert_int_equal(compile_code(at), 0);
    assert_int_equal(compile_code(over), LEAT_ELIMIT);
    assert_int_equal(compile_code("'\xff'"), LEAT_EINPUT);
    struct err err = {0};
    assert_null(cel_compile_part("1\0", 2, 1, 1, &err));
    assert_int_equal(err.code, LEAT_EINPUT);
}

static void nesting(void **state)
{
    (void)state;
    static const char *const units[][2] = {{"(", ")"}, {"[", "]"}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        cleanup_free char *open_at = repeat("", units[i][0], CEL_NESTING_MAX, "1");
        cleanup_free char *at = repeat(open_at, units[i][1], CEL_NESTING_MAX, "");
        cleanup_free char *open_over = repeat("", units[i][0], CEL_NESTING_MAX + 1, "1");
        cleanup_free char *over = repeat(open_over, units[i][1], CEL_NESTING_MAX + 1, "");
        assert_int_equal(compile_code(at), 0);
        assert_int_equal(compile_code(over), LEAT_ELIMIT);
    }
    cleanup_free char *nots = repeat("", "!", CEL_NESTING_MAX, "true");
    cleanup_free char *more_nots = repeat("", "!", CEL_NESTING_MAX + 1, "true");
    assert_int_equal(eval_code(nots, 0), 0);
    assert_int_equal(compile_code(more_nots), LEAT_ELIMIT);
}

static void chains(void **state)
{
    (void)state;
    cleanup_free char *at = repeat("1", "+1", CEL_HEIGHT_MAX - 1, "");
    cleanup_free char *over = repeat("1", "+1", CEL_HEIGHT_MAX, "");
    assert_int_equal(eval_code(at, 0), 0);
    assert_int_equal(compile_code(over), LEAT_ELIMIT);
    cleanup_free char *members = repeat("a", ".b", CEL_HEIGHT_MAX, "");
    assert_int_equal(compile_code(members), LEAT_ELIMIT);
}

static void steps(void **state)
{
    (void)state;
    assert_int_equal(eval_code("1 + 1", 4), 0); /* three nodes and the result */
    assert_int_equal(eval_code("1 + 1", 3), LEAT_ELIMIT);
    static const char loops[] = "[0,1,2,3,4,5,6,7,8,9].map(a, [0,1,2,3,4,5,6,7,8,9].map(b, "
                                "[0,1,2,3,4,5,6,7,8,9].map(c, [0,1,2,3,4,5,6,7,8,9].map(d, "
                                "[0,1,2,3,4,5,6,7,8,9].map(e, e)))))";
    assert_int_equal(eval_code(loops, 0), LEAT_ELIMIT);
}

static void limits_are_not_hidden(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "default(%s, 1)",    "%s == [] || true",        "true || %s == []",
        "%s == [] && false", "[1].exists(x, %s == [])", "[1].all(x, %s == [])",
    };
    const char *loop = "[1,2,3,4,5,6,7,8].map(a, [1,2,3,4,5,6,7,8].map(b, a * b))";
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        cleanup_text struct text t = {0};
        const char *at = strstr(sources[i], "%s");
        text_append(&t, sources[i], (size_t)(at - sources[i]));
        text_puts(&t, loop);
        text_puts(&t, at + 2);
        const int expected = i == 2 ? 0 : LEAT_ELIMIT; /* the right side is not looked at there */
        assert_int_equal(eval_code(t.data, 50), expected);
        assert_int_equal(eval_code(t.data, 0), 0);
    }
}

/* Unlike steps, memory is left after a demand that was too large: only its error can stop. */
static void the_memory_limit_is_not_hidden(void **state)
{
    (void)state;
    static const char *const around[][2] = {
        {"default(['0123456789']", ", 1)"},
        {"['0123456789']", " == [] || true"},
        {"[1, 2].exists(y, y == 2 || ['0123456789']", " == [])"},
    };
    for (size_t i = 0; i < ARRAY_LEN(around); i++) {
        cleanup_free char *text = repeat(around[i][0], ".map(x, x + x)", 60, around[i][1]);
        assert_int_equal(eval_code(text, 0), LEAT_ELIMIT);
    }
}

/* Each level doubles; only a budget stops 2^60. */
static void doubling(void **state)
{
    (void)state;
    cleanup_free char *text = repeat("['0123456789']", ".map(x, x + x)", 60, "");
    assert_int_equal(eval_code(text, 0), LEAT_ELIMIT);
    cleanup_free char *shared = repeat("[1]", ".map(x, [x, x])", 60, "");
    assert_int_equal(eval_code(shared, 0), LEAT_ELIMIT);
    cleanup_free char *joined = repeat("['0123456789']", ".map(x, [x, x, x, x].join(x))", 60, "");
    assert_int_equal(eval_code(joined, 0), LEAT_ELIMIT);
    cleanup_free char *replaced = repeat("'xxxxxxxxxx'", ".replace('x', 'xxxxxxxxxx')", 20, "");
    assert_int_equal(eval_code(replaced, 0), LEAT_ELIMIT);
}

static void patterns(void **state)
{
    (void)state;
    cleanup_free char *at = repeat("'a'.matches('", "a", 256, "')");
    cleanup_free char *over = repeat("'a'.matches('", "a", 257, "')");
    assert_int_equal(compile_code(at), 0);
    assert_int_equal(compile_code(over), LEAT_EINPUT);
    assert_int_equal(compile_code("'a'.matches('((a{100}){100}){100}')"), LEAT_EINPUT);
    cleanup_free char *long_text = repeat("", "x", 64 * 1024, "");
    cleanup_json json_t *subject = json_string(long_text);
    struct cel_var var = {"s", subject};
    const struct cel_vars vars = {&var, 1, 0};
    cleanup_cel struct cel *cel = cel_compile("s.matches('y$')", NULL);
    bool found = true;
    assert_int_equal(cel_eval_bool(cel, &vars, &found, NULL), 0);
    assert_false(found);
    cleanup_free char *longer_text = repeat("", "x", 64 * 1024 + 1, "");
    cleanup_json json_t *longer = json_string(longer_text);
    var.value = longer;
    assert_int_equal(cel_eval_bool(cel, &vars, &found, NULL), LEAT_ELIMIT);
}

static void conditions_are_bool(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_cel struct cel *number = cel_compile("1 + 1", &err);
    cleanup_cel struct cel *test = cel_compile("1 < 2", &err);
    bool v = false;
    assert_int_equal(cel_eval_bool(test, NULL, &v, &err), 0);
    assert_true(v);
    assert_int_equal(cel_eval_bool(number, NULL, &v, &err), LEAT_EINPUT);
    assert_string_equal(err.text, "1:3: the condition gives int, not bool");
}

static void add_path(void *user, const struct cel_reference *ref)
{
    struct text *out = user;
    text_printf(out, "%s%d:%d", out->len ? " " : "", ref->line, ref->column);
    for (size_t i = 0; i < ref->count; i++)
        text_printf(out, "/%s", ref->names[i]);
}

static void references(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"1 + 2", ""},
        {"n", "1:1/n"},
        {"steps.sgd.outputs.rmse < steps['forest'].outputs[\"rmse\"]",
         "1:1/steps/sgd/outputs/rmse 1:26/steps/forest/outputs/rmse"},
        {"event.data.commits[0].id", "1:1/event/data/commits"},
        {"a.b[c.d].e", "1:1/a/b 1:5/c/d"},
        {"has(a.b.c)", "1:5/a/b/c"},
        {"default(steps.x.outputs.y, params.z)", "1:9/steps/x/outputs/y 1:28/params/z"},
        {"l.map(x, x.a + y.b)", "1:1/l 1:16/y/b"},
        {"l.map(x, l2.map(y, x + y + z))", "1:1/l 1:10/l2 1:28/z"},
        {"x.all(x, x.a)", "1:1/x"},
        {"type(n) == int", "1:6/n"},
        {"int(a.b)", "1:5/a/b"},
        {"a.b.size() + a.c.startsWith(b).d", "1:1/a/b 1:14/a/c 1:29/b"},
        {"{a.k: b.v}", "1:2/a/k 1:7/b/v"},
        {"[a, b][c]", "1:2/a 1:5/b 1:8/c"},
        {"t ? a.x : b.y", "1:1/t 1:5/a/x 1:11/b/y"},
        {"-a.b\n+ !c.d", "1:2/a/b 2:4/c/d"},
        {"a['x\\x00y'].z", "1:1/a"},
        {"steps.`promote-sgd`.state", "1:1/steps/promote-sgd/state"},
        {"steps.promote-sgd.state", "1:1/steps/promote 1:15/sgd/state"},
        {"type(t) == google.protobuf.Timestamp", "1:6/t"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        cleanup_cel struct cel *cel = cel_compile(rows[i][0], &err);
        if (!cel)
            fail_msg("%s: %s", rows[i][0], err.text);
        cleanup_text struct text out = {0};
        text_puts(&out, "");
        cel_references(cel, add_path, &out);
        if (strcmp(out.data, rows[i][1]) != 0)
            fail_msg("%s: %s, expected %s", rows[i][0], out.data, rows[i][1]);
    }
}

static void the_page_names_every_function(void **state)
{
    (void)state;
    FILE *file = fopen("docs/expressions.md", "r");
    if (!file)
        fail_msg("docs/expressions.md: run from the top of the repository");
    cleanup_free char *page = mem_alloc(256 * 1024);
    assert_true(fread(page, 1, 256 * 1024 - 1, file) > 0);
    fclose(file);
    size_t count = 0;
    for (const char *name; (name = cel_function_name(count)) != NULL; count++) {
        cleanup_free char *call = mem_printf("| `%s(", name);
        cleanup_free char *member = mem_printf(".%s(", name);
        if (!strstr(page, call) && !strstr(page, member))
            fail_msg("docs/expressions.md does not name %s()", name);
    }
    assert_true(count > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_length),
        cmocka_unit_test(nesting),
        cmocka_unit_test(chains),
        cmocka_unit_test(steps),
        cmocka_unit_test(limits_are_not_hidden),
        cmocka_unit_test(the_memory_limit_is_not_hidden),
        cmocka_unit_test(doubling),
        cmocka_unit_test(patterns),
        cmocka_unit_test(conditions_are_bool),
        cmocka_unit_test(references),
        cmocka_unit_test(the_page_names_every_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

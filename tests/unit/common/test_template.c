#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "common/text/template.h"

static const char variables_text[] =
    "{\"params\": {\"tag\": \"v1.2\", \"n\": 100, \"lr\": 0.5, \"two\": 2.0, \"yes\": true,"
    " \"none\": null, \"list\": [1, \"a\", 2.0], \"map\": {\"b\": 1, \"a\": [true]},"
    " \"evil\": \"${{ params.tag }} $(id) `id` '; DROP\", \"big\": 12345678901234,"
    " \"uni\": \"\\u00e9\\n\\\"\"}}";

struct fixture {
    json_t *all;
    struct cel_var var;
    struct cel_vars vars;
};

static int setup(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    f->all = json_read(variables_text, sizeof variables_text - 1, NULL, NULL);
    f->var = (struct cel_var){"params", json_object_get(f->all, "params")};
    f->vars = (struct cel_vars){&f->var, 1, 0};
    *state = f;
    return f->all ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    json_decref(f->all);
    free(f);
    return 0;
}

static struct template *compile(const char *source)
{
    struct err err = {0};
    struct template *t = template_compile(source, &err);
    if (!t)
        fail_msg("%s: %s", source, err.text);
    return t;
}

static void texts(void **state)
{
    const struct fixture *f = *state;
    static const char *const rows[][2] = {
        {"", ""},
        {"plain $ { } }} {{ $x ${x}", "plain $ { } }} {{ $x ${x}"},
        {"${{ params.tag }}", "v1.2"},
        {"${{params.tag}}", "v1.2"},
        {"a:${{ params.tag }}-${{ params.n }}!", "a:v1.2-100!"},
        {"${{ params.tag }}${{ params.tag }}", "v1.2v1.2"},
        {"${{ params.lr }} ${{ params.two }} ${{ params.big }}", "0.5 2 12345678901234"},
        {"${{ params.yes }} ${{ !params.yes }}", "true false"},
        {"${{ params.list }} ${{ params.map }}", "[1,\"a\",2.0] {\"a\":[true],\"b\":1}"},
        {"${{ default(params.none, \"\") }}", ""},
        {"${{ default(params.missing.deeper, 'x') }}", "x"},
        {"$${{ params.tag }}", "${{ params.tag }}"},
        {"$$${{ params.tag }}", "$${{ params.tag }}"},
        {"$${{ ${{ params.tag }}", "${{ v1.2"},
        {"${{ '}}' }}", "}}"},
        {"${{ \"a}}b\" + '${{ x }}' }}", "a}}b${{ x }}"},
        {"${{ {'a': {'b': 1}}.a.b }}", "1"},
        {"${{ {'a': {'b': 1}}}}", "{\"a\":{\"b\":1}}"},
        {"${{ {} }}}", "{}}"},
        {"${{ '''x}}\ny''' }}", "x}}\ny"},
        {"${{ params.evil }}", "${{ params.tag }} $(id) `id` '; DROP"},
        {"${{ params.evil }}${{ params.tag }}", "${{ params.tag }} $(id) `id` '; DROPv1.2"},
        {"${{ params.uni }}", "\xc3\xa9\n\""},
        {"\xe2\x82\xac ${{ params.n }}", "\xe2\x82\xac 100"},
        {"${{ duration('90m') }} ${{ timestamp(0) }}", "5400s 1970-01-01T00:00:00Z"},
        {"${{ 1.0 / 0.0 }} ${{ b'hi' }} ${{ type(1) }}", "Infinity aGk= int"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_template struct template *t = compile(rows[i][0]);
        struct err err = {0};
        cleanup_free char *got = template_eval(t, &f->vars, &err);
        if (!got)
            fail_msg("%s: %s", rows[i][0], err.text);
        assert_string_equal(got, rows[i][1]);
    }
}

static void typed_values(void **state)
{
    const struct fixture *f = *state;
    static const char *const rows[][2] = {
        {"${{ params.n }}", "100"},
        {"${{ params.two }}", "2.0"},
        {"${{ params.list }}", "[1,\"a\",2.0]"},
        {"${{ params.none }}", "null"},
        {"${{ params.tag }}", "\"v1.2\""},
        {" ${{ params.n }}", "\" 100\""},
        {"${{ params.n }}${{ params.n }}", "\"100100\""},
        {"100", "\"100\""},
        {"", "\"\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_template struct template *t = compile(rows[i][0]);
        cleanup_json json_t *v = template_eval_json(t, &f->vars, NULL);
        assert_non_null(v);
        cleanup_free char *got = json_write(v);
        assert_string_equal(got, rows[i][1]);
    }
}

static void kinds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool literal, expression;
    } rows[] = {
        {"", true, false},
        {"x", true, false},
        {"$${{ x }}", true, false},
        {"${{ x }}", false, true},
        {" ${{ x }}", false, false},
        {"${{ x }} ", false, false},
        {"${{x}}${{x}}", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_template struct template *t = compile(rows[i].text);
        assert_int_equal(template_is_literal(t), rows[i].literal);
        assert_int_equal(template_is_expression(t), rows[i].expression);
    }
}

static void says_where_it_is_wrong(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"abc ${{ params.x", "1:5: this ${{ has no }}"},
        {"abc\n  ${{ params.x }", "2:16: a single } closes nothing"},
        {"${{", "1:1: this ${{ has no }}"},
        {"${{ 'a }}", "1:5: the text has no closing quote"},
        {"${{ }}", "1:5: the expression ends where a value is expected"},
        {"x ${{ a + }}", "1:11: the expression ends"},
        {"\xe2\x82\xac ${{ a b }}", "1:9: expected an operator or the end"},
        {"l1\nl2 ${{ a\n.b( }}", "3:5: the expression ends where"},
        {"${{ nope(1) }}", "1:5: there is no function nope()"},
        {"${{ a // }}", "1:1: this ${{ has no }}"},
        {"${{ a # b }}", "1:7: a character that has no place"},
        {"${{ {'a': 1 }}", "1:14: a single }"},
        {"\xff", "1:1: not UTF-8"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        assert_null(template_compile(rows[i][0], &err));
        assert_int_equal(err.code, LEAT_EINPUT);
        if (strncmp(err.text, rows[i][1], strlen(rows[i][1])) != 0)
            fail_msg("%s: \"%s\", expected \"%s\"", rows[i][0], err.text, rows[i][1]);
    }
}

static void fails_on_values(void **state)
{
    const struct fixture *f = *state;
    static const char *const rows[][2] = {
        {"a ${{ params.none }}", "1:3: the value is null"},
        {"a\nb ${{ params.missing }}", "2:13: no such key: missing"},
        {"${{ other.x }}", "1:5: there is no variable other"},
        {"${{ 1 / 0 }}", "1:7: division by zero"},
        {"${{ 'a\\x00b' }}", "1:5: the result has a text with a NUL"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_template struct template *t = compile(rows[i][0]);
        struct err err = {0};
        assert_null(template_eval(t, &f->vars, &err));
        assert_int_equal(err.code, LEAT_EINPUT);
        if (strncmp(err.text, rows[i][1], strlen(rows[i][1])) != 0)
            fail_msg("%s: \"%s\", expected \"%s\"", rows[i][0], err.text, rows[i][1]);
    }
}

static void result_limit_at_and_over(void **state)
{
    (void)state;
    cleanup_free char *long_text = mem_alloc(TEMPLATE_RESULT_MAX + 1);
    memset(long_text, 'x', TEMPLATE_RESULT_MAX - 1);
    cleanup_json json_t *v = json_string(long_text);
    const struct cel_var var = {"x", v};
    const struct cel_vars vars = {&var, 1, 0};
    cleanup_template struct template *at = compile("${{ x }}y"), *over = compile("y${{ x }}y");
    cleanup_template struct template *typed = compile("${{ x }}"); /* with its quotes */
    cleanup_free char *text = template_eval(at, &vars, NULL);
    assert_int_equal(strlen(text), TEMPLATE_RESULT_MAX);
    struct err err = {0};
    assert_null(template_eval(over, &vars, &err));
    assert_int_equal(err.code, LEAT_ELIMIT);
    assert_null(template_eval_json(typed, &vars, &err));
    assert_int_equal(err.code, LEAT_ELIMIT);
}

static void source_limits_at_and_over(void **state)
{
    (void)state;
    cleanup_free char *source = mem_alloc(TEMPLATE_SOURCE_MAX + 2);
    memset(source, 'x', TEMPLATE_SOURCE_MAX);
    cleanup_template struct template *at = compile(source);
    assert_true(template_is_literal(at));
    source[TEMPLATE_SOURCE_MAX] = 'x';
    struct err err = {0};
    assert_null(template_compile(source, &err));
    assert_int_equal(err.code, LEAT_ELIMIT);

    cleanup_text struct text many = {0};
    for (int i = 0; i < TEMPLATE_PARTS_MAX; i++)
        text_puts(&many, "${{1}}");
    cleanup_template struct template *parts = compile(many.data);
    cleanup_free char *ones = template_eval(parts, NULL, NULL);
    assert_int_equal(strlen(ones), TEMPLATE_PARTS_MAX);
    text_puts(&many, "${{1}}");
    assert_null(template_compile(many.data, &err));
    assert_int_equal(err.code, LEAT_ELIMIT);
}

static void add_path(void *user, const struct cel_reference *ref)
{
    struct text *out = user;
    text_printf(out, "%d:%d", ref->line, ref->column);
    for (size_t i = 0; i < ref->count; i++)
        text_printf(out, "/%s", ref->names[i]);
    text_puts(out, " ");
}

static void references_of_all_parts(void **state)
{
    (void)state;
    cleanup_template struct template *t =
        compile("a ${{ steps.sgd.outputs.rmse }}\n${{ params['x'] + run.id }}");
    cleanup_text struct text out = {0};
    template_references(t, add_path, &out);
    assert_string_equal(out.data, "1:7/steps/sgd/outputs/rmse 2:5/params/x 2:19/run/id ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(typed_values),
        cmocka_unit_test(kinds),
        cmocka_unit_test(says_where_it_is_wrong),
        cmocka_unit_test(fails_on_values),
        cmocka_unit_test(result_limit_at_and_over),
        cmocka_unit_test(source_limits_at_and_over),
        cmocka_unit_test(references_of_all_parts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/text/json.h"
#include "common/text/yaml.h"

static struct yaml_docs read_text(const char *text)
{
    struct yaml_docs docs;
    struct err err = {0};
    if (yaml_read("f.yaml", text, strlen(text), &docs, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return docs;
}

static void refuses(const char *text, int code, const char *message)
{
    struct yaml_docs docs;
    struct err err = {0};
    const int rc = yaml_read("f.yaml", text, strlen(text), &docs, &err);
    if (rc != code || err.code != code || !strstr(err.text, message))
        fail_msg("%.80s: %d \"%s\", expected %d \"%s\"", text, rc, err.text, code, message);
    assert_int_equal(docs.count, 0);
    assert_null(docs.items);
}

static void scalars_of_the_core_schema(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"null", "null"},
        {"~", "null"},
        {"Null", "null"},
        {"true", "true"},
        {"TRUE", "true"},
        {"False", "false"},
        {"tRUE", "\"tRUE\""},
        {"yes", "\"yes\""},
        {"No", "\"No\""},
        {"on", "\"on\""},
        {"off", "\"off\""},
        {"y", "\"y\""},
        {"12", "12"},
        {"-12", "-12"},
        {"+12", "12"},
        {"007", "7"},
        {"0o17", "15"},
        {"0xfF", "255"},
        {"-0x1", "\"-0x1\""},
        {"0o8", "\"0o8\""},
        {"1_000", "\"1_000\""},
        {"12:30:45", "\"12:30:45\""},
        {"2026-11-23", "\"2026-11-23\""},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"1.5", "1.5"},
        {"-.5", "-0.5"},
        {"3.", "3.0"},
        {"1e3", "1000.0"},
        {"1.5E-2", "0.015"},
        {".", "\".\""},
        {"1e", "\"1e\""},
        {"e3", "\"e3\""},
        {"-", "[null]"},
        {"1.2.3", "\"1.2.3\""},
        {"0x", "\"0x\""},
        {"'12'", "\"12\""},
        {"\"true\"", "\"true\""},
        {"''", "\"\""},
        {"\"a\\u00e9\\n\"", "\"a\xc3\xa9\\n\""},
        {"!!str 12", "\"12\""},
        {"! 12", "\"12\""},
        {"!!int \"12\"", "12"},
        {"!!float 3", "3.0"},
        {"!!bool 'true'", "true"},
        {"!!null ''", "null"},
        {"!!seq [1]", "[1]"},
        {"!!map {a: 1}", "{\"a\":1}"},
        {"!<tag:yaml.org,2002:str> 1", "\"1\""},
        {"|\n a\n b\n", "\"a\\nb\\n\""},
        {">-\n a\n b\n", "\"a b\""},
        {"{a: , b: [], c: {}}", "{\"a\":null,\"b\":[],\"c\":{}}"},
        {"on: {push: 1}", "{\"on\":{\"push\":1}}"},
        {"\"1\": x", "{\"1\":\"x\"}"},
        {"!!str 1: x", "{\"1\":\"x\"}"},
        {"'<<': x", "{\"<<\":\"x\"}"},
        {"[\"${{ a.b }}\"]", "[\"${{ a.b }}\"]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_yaml struct yaml_docs docs = read_text(rows[i][0]);
        assert_int_equal(docs.count, 1);
        cleanup_free char *text = json_write(docs.items[0].value);
        if (strcmp(text, rows[i][1]) != 0)
            fail_msg("%s gives %s, expected %s", rows[i][0], text, rows[i][1]);
    }
}

static void says_where_and_what_to_do(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"a: 1\nb: 2\na: 3\n", "f.yaml:3:1: the key \"a\" is there twice, first at 1:1"},
        {"x:\n  - {k: 1, k: 2}\n", "f.yaml:2:12: the key \"k\" is there twice, first at 2:6"},
        {"1: a", "f.yaml:1:1: the key 1 is not a text; put it in quotes"},
        {"true: a", "the key true is not a text"},
        {"~: a", "the key ~ is not a text"},
        {"{? : a}", "the key (nothing) is not a text"},
        {"[a]: b", "f.yaml:1:1: a key must be a plain text"},
        {"? {a: 1}\n: b", "f.yaml:1:3: a key must be a plain text"},
        {"x: &k a\n*k : b", "f.yaml:2:1: a key must be a plain text"},
        {"b: &b {x: 1}\nc:\n  <<: *b\n", "f.yaml:3:3: merge keys (<<) are not taken"},
        {"a: !ruby/object 1", "f.yaml:1:4: the tag !ruby/object is not known"},
        {"a: !!binary aGk=", "the tag tag:yaml.org,2002:binary is not known"},
        {"!!seq {a: 1}", "f.yaml:1:1: the tag tag:yaml.org,2002:seq"},
        {"!!map [a]", "the tag tag:yaml.org,2002:map"},
        {"!!map a", "the tag tag:yaml.org,2002:map"},
        {"%TAG ! tag:example.org,2000:\n---\na: 1", "f.yaml:1:1: %TAG"},
        {"a: !!int x", "f.yaml:1:4: the value is not what its tag says"},
        {"a: !!int 1.5", "the value is not what its tag says"},
        {"a: .inf", "f.yaml:1:4: infinities"},
        {"a: -.INF", "infinities"},
        {"a: .NaN", "infinities"},
        {"a: 1e999", "too large for a double"},
        {"a: 9223372036854775808", "does not fit into 64 bits"},
        {"a: 0xfffffffffffffffff", "does not fit into 64 bits"},
        {"a: \"x\\0y\"", "f.yaml:1:4: a text with a NUL"},
        {"\"x\\0y\": 1", "f.yaml:1:1: a text with a NUL"},
        {"a: *x", "f.yaml:1:4: no anchor &x ends before"},
        {"a: &x [*x]", "f.yaml:1:8: no anchor &x ends before"},
        {"a: &x 1\n---\nb: *x", "f.yaml:3:4: no anchor &x"},
        {"a: 1\n\tb: 2", "f.yaml:2:1: "},
        {"a: 1\n\tb: 2", "not tabs"},
        {"a: b: c", "f.yaml:1:5: mapping values are not allowed"},
        {"a: [1, 2", "f.yaml:2:1: while parsing a flow sequence, begun at 1:4"},
        {"a: 'x", "f.yaml:1:6: "},
        {"a: @x", "f.yaml:1:4: "},
        {"a: \xff", "f.yaml:1:4: "},
        {"a:\n  \xc3\x28", "f.yaml:2:4: "},
        {"a: x\x01", "f.yaml:1:5: "},
        {"a: 1\n}", "f.yaml:2:1: "},
        {"a: \"\\ud800\"", "f.yaml:1:"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        refuses(rows[i][0], LEAT_EINPUT, rows[i][1]);
}

static void several_documents(void **state)
{
    (void)state;
    cleanup_yaml struct yaml_docs docs =
        read_text("# first\n---\nname: a\n---\n---\n# nothing\n---\n\nname: b\n...\n--- ~\n");
    assert_int_equal(docs.count, 3);
    assert_string_equal(json_get_string(docs.items[0].value, "name", ""), "a");
    assert_int_equal(docs.items[0].line, 3);
    assert_string_equal(json_get_string(docs.items[1].value, "name", ""), "b");
    assert_int_equal(docs.items[1].line, 9);
    assert_true(json_is_null(docs.items[2].value));
}

static void nothing_in_it(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n", "# comment\n", "---\n", "---\n...\n---\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        cleanup_yaml struct yaml_docs docs = read_text(texts[i]);
        assert_int_equal(docs.count, 0);
    }
}

static void a_late_error_gives_no_documents(void **state)
{
    (void)state;
    refuses("a: 1\n---\nb: [", LEAT_EINPUT, "f.yaml:4:1: ");
}

static void anchors_and_aliases(void **state)
{
    (void)state;
    cleanup_yaml struct yaml_docs docs =
        read_text("base: &b {retry: 3, list: &l [1, 2]}\nx: *b\ny: *l\nz: &b 7\nw: *b\n");
    cleanup_free char *text = json_write(docs.items[0].value);
    assert_string_equal(text, "{\"base\":{\"list\":[1,2],\"retry\":3},\"w\":7,"
                              "\"x\":{\"list\":[1,2],\"retry\":3},\"y\":[1,2],\"z\":7}");
    json_t *base = json_get_object(docs.items[0].value, "base");
    json_t *x = json_get_object(docs.items[0].value, "x");
    assert_ptr_not_equal(base, x);
}

static void aliases_do_not_explode(void **state)
{
    (void)state;
    cleanup_text struct text t = {0};
    text_puts(&t, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 9; i++) {
        text_printf(&t, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            text_printf(&t, "%s*a%d", j ? ", " : "", i - 1);
        text_puts(&t, "]\n");
    }
    refuses(t.data, LEAT_ELIMIT, "more than 200000 values");
}

static void aliases_do_not_multiply_text(void **state)
{
    (void)state;
    cleanup_text struct text t = {0};
    text_puts(&t, "- &a x");
    for (int i = 0; i < 100000; i++)
        text_puts(&t, "0123456789");
    for (int i = 0; i < 20; i++)
        text_puts(&t, "\n- *a");
    refuses(t.data, LEAT_ELIMIT, "f.yaml:18:3: aliases expand to more than");
}

static char *nested(int depth, const char *inner)
{
    struct text t = {0};
    for (int i = 0; i < depth; i++)
        text_puts(&t, "[");
    text_puts(&t, inner);
    for (int i = 0; i < depth; i++)
        text_puts(&t, "]");
    return text_take(&t);
}

static void depth_limit_at_and_over(void **state)
{
    (void)state;
    cleanup_free char *at = nested(YAML_DEPTH_MAX, "0");
    cleanup_yaml struct yaml_docs docs = read_text(at);
    assert_int_equal(docs.count, 1);
    cleanup_free char *over = nested(YAML_DEPTH_MAX + 1, "0");
    refuses(over, LEAT_ELIMIT, "f.yaml:1:65: nested deeper than 64");

    cleanup_free char *half = nested(30, "0"), *alias = nested(34, "*a");
    cleanup_free char *fits = mem_printf("- &a %s\n- %s\n", half, alias);
    refuses(fits, LEAT_ELIMIT, "nested deeper"); /* the outer list is one level too */
    cleanup_free char *alias_at = nested(33, "*a");
    cleanup_free char *at_limit = mem_printf("- &a %s\n- %s\n", half, alias_at);
    cleanup_yaml struct yaml_docs ok = read_text(at_limit);
    assert_int_equal(ok.count, 1);
}

static void node_limit_at_and_over(void **state)
{
    (void)state;
    cleanup_text struct text t = {0};
    for (int i = 0; i < YAML_NODES_MAX - 1; i++)
        text_puts(&t, "- a\n");
    cleanup_yaml struct yaml_docs docs = read_text(t.data);
    assert_int_equal(json_array_size(docs.items[0].value), YAML_NODES_MAX - 1);
    text_puts(&t, "- a\n");
    refuses(t.data, LEAT_ELIMIT, "f.yaml:200000:3: more than 200000 values");
}

static const char located[] = "name: x\n"
                              "steps:\n"
                              "  prepare: {image: i, args: [a, 'b']}\n"
                              "  a/b:\n"
                              "    - true\n"
                              "    - {k: true}\n"
                              "copy: &c [1]\n"
                              "again: *c\n"
                              "  # end\n";

static void locations(void **state)
{
    (void)state;
    static const struct {
        const char *pointer;
        bool exact;
        int line, column, key_line, key_column;
    } rows[] = {
        {"", true, 1, 1, 1, 1},
        {"/name", true, 1, 7, 1, 1},
        {"/steps", true, 3, 3, 2, 1},
        {"/steps/prepare", true, 3, 12, 3, 3},
        {"/steps/prepare/args/1", true, 3, 33, 3, 33},
        {"/steps/prepare/args/2", false, 3, 29, 3, 23},
        {"/steps/a~1b/0", true, 5, 7, 5, 7},
        {"/steps/a~1b/1/k", true, 6, 11, 6, 8},
        {"/steps/nope/image", false, 3, 3, 2, 1},
        {"/nope", false, 1, 1, 1, 1},
        {"nope", false, 1, 1, 1, 1},
        {"/name/x", false, 1, 7, 1, 1},
        {"/again", true, 8, 8, 8, 1},
        {"/again/0", false, 8, 8, 8, 1},
        {"/copy/0", true, 7, 11, 7, 11},
    };
    cleanup_yaml struct yaml_docs docs = read_text(located);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int line, column;
        const bool exact = yaml_locate(&docs.items[0], rows[i].pointer, &line, &column);
        if (exact != rows[i].exact || line != rows[i].line || column != rows[i].column)
            fail_msg("%s: %d:%d %d", rows[i].pointer, line, column, exact);
        assert_int_equal(yaml_locate_key(&docs.items[0], rows[i].pointer, &line, &column), exact);
        if (line != rows[i].key_line || column != rows[i].key_column)
            fail_msg("key of %s: %d:%d", rows[i].pointer, line, column);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_of_the_core_schema),
        cmocka_unit_test(says_where_and_what_to_do),
        cmocka_unit_test(several_documents),
        cmocka_unit_test(nothing_in_it),
        cmocka_unit_test(a_late_error_gives_no_documents),
        cmocka_unit_test(anchors_and_aliases),
        cmocka_unit_test(aliases_do_not_explode),
        cmocka_unit_test(aliases_do_not_multiply_text),
        cmocka_unit_test(depth_limit_at_and_over),
        cmocka_unit_test(node_limit_at_and_over),
        cmocka_unit_test(locations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

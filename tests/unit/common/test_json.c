#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>

#include "common/base/mem.h"
#include "common/text/json.h"

static json_t *read_text(const char *text)
{
    struct err err = {0};
    json_t *v = json_read(text, strlen(text), NULL, &err);
    if (!v)
        fail_msg("%s: %s", text, err.text);
    return v;
}

static void refuses(const char *text, size_t len, int code, const char *message)
{
    struct err err = {0};
    cleanup_json json_t *v = json_read(text, len, NULL, &err);
    assert_null(v);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, message))
        fail_msg("%.*s: \"%s\" does not contain \"%s\"", (int)len, text, err.text, message);
}

static void reads_any_top_level_value(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"null", "null"},
        {" true\n", "true"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"9223372036854775807", "9223372036854775807"},
        {"0.5", "0.5"},
        {"1e2", "100.0"},
        {"\"x\"", "\"x\""},
        {"[]", "[]"},
        {"{\"b\":1,\"a\":{\"d\":[1,2.0,null],\"c\":\"\"}}",
         "{\"a\":{\"c\":\"\",\"d\":[1,2.0,null]},\"b\":1}"},
        {"\"\\u00e9\\ud83d\\ude00\\/\\n\\u0001\\u007f\"",
         "\"\xc3\xa9\xf0\x9f\x98\x80/\\n\\u0001\x7f\""},
        {"\"q\\\"b\\\\t\\tr\\rb\\bf\\f\"", "\"q\\\"b\\\\t\\tr\\rb\\bf\\f\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        cleanup_json json_t *v = read_text(texts[i][0]);
        cleanup_free char *text = json_write(v);
        assert_string_equal(text, texts[i][1]);
    }
}

static void says_where_it_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "1:1: "},
        {"{\n  \"a\": 1,\n  \"a\": 2}", "3:"},
        {"{\n  \"a\": 1,\n  \"a\": 2}", "duplicate"},
        {"[1, 2", "1:5: "},
        {"[1] x", "1:5: "},
        {"{\"a\" 1}", "1:6: "},
        {"[1,]", "1:4: "},
        {"'a'", "1:1: "},
        {"\"a\nb\"", "1:"},
        {"nul", "1:3: "},
        {"01", "1:1: "},
        {"\"\\u0000\"", "\\u0000"},
        {"{\"a\\u0000b\": 1}", "\\u0000"},
        {"\"\xff\"", "unable to decode byte 0xff"},
        {"\"\xed\xa0\x80\"", "unable to decode byte 0xed"},
        {"\xef\xbb\xbf{}", "1:1: "},
        {"9223372036854775808", "too big"},
        {"-9223372036854775809", "too big"},
        {"1e999", "overflow"},
        {"NaN", "1:"},
        {"\"\\ud800\"", "1:"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        refuses(rows[i].text, strlen(rows[i].text), LEAT_EINPUT, rows[i].message);
    refuses("[1]\0", 4, LEAT_EINPUT, "1:4: ");
    refuses("\"a\0b\"", 5, LEAT_EINPUT, "1:");
}

static void error_is_one_line(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(json_read("[\x01\x02]", 4, NULL, &err));
    for (const char *p = err.text; *p; p++)
        assert_true((unsigned char)*p >= ' ' && *p != 0x7F);
}

static char *nested(size_t depth, const char *prefix)
{
    struct text t = {0};
    text_puts(&t, prefix);
    for (size_t i = 0; i < depth; i++)
        text_puts(&t, i % 2 ? "{\"k\":" : "[");
    text_puts(&t, "0");
    for (size_t i = depth; i-- > 0;)
        text_puts(&t, i % 2 ? "}" : "]");
    return text_take(&t);
}

static void depth_limit_at_and_over(void **state)
{
    (void)state;
    cleanup_free char *at = nested(JSON_DEPTH_MAX, "");
    cleanup_json json_t *v = read_text(at);
    cleanup_free char *over = nested(JSON_DEPTH_MAX + 1, "\n");
    refuses(over, strlen(over), LEAT_ELIMIT, "2:193: nested deeper than 64");

    struct err err = {0};
    const struct json_limits flat = {.depth = 0, .bytes = 100};
    cleanup_json json_t *scalar = json_read("\"[[[{{{\"", 8, &flat, &err);
    assert_non_null(scalar);
    assert_null(json_read("[]", 2, &flat, &err));
    assert_int_equal(err.code, LEAT_ELIMIT);
}

static void byte_limit_at_and_over(void **state)
{
    (void)state;
    const struct json_limits limits = {.depth = 1, .bytes = 3};
    struct err err = {0};
    cleanup_json json_t *v = json_read("[1]", 3, &limits, &err);
    assert_non_null(v);
    assert_null(json_read("[12]", 4, &limits, &err));
    assert_int_equal(err.code, LEAT_ELIMIT);
}

static void brackets_in_strings_do_not_count(void **state)
{
    (void)state;
    struct text t = {0};
    text_puts(&t, "[\"\\\"");
    for (int i = 0; i < 100; i++)
        text_puts(&t, "[");
    text_puts(&t, "\\\\\"]");
    cleanup_free char *text = text_take(&t);
    cleanup_json json_t *v = read_text(text);
    assert_int_equal(json_array_size(v), 1);
}

static void doubles_are_shortest_and_read_back(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } rows[] = {
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {2.0, "2.0"},
        {-0.0, "-0.0"},
        {1e300, "1e+300"},
        {5e-324, "5e-324"},
        {123456789.0, "123456789.0"},
        {1e15, "1e+15"},
        {1.0 / 3.0, "0.3333333333333333"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[JSON_DOUBLE_TEXT];
        json_double_text(rows[i].v, text);
        assert_string_equal(text, rows[i].text);
        assert_true(strtod(text, NULL) == rows[i].v);
    }
}

static void equal_values_give_equal_bytes(void **state)
{
    (void)state;
    cleanup_json json_t *a = read_text("{\"z\":1,\"a\":[true,{\"y\":2,\"x\":3}],\"Z\":null}");
    cleanup_json json_t *b = read_text("{\"Z\":null,\"a\":[true,{\"x\":3,\"y\":2}],\"z\":1}");
    cleanup_free char *ta = json_write(a), *tb = json_write(b);
    assert_string_equal(ta, tb);
    assert_string_equal(ta, "{\"Z\":null,\"a\":[true,{\"x\":3,\"y\":2}],\"z\":1}");
}

static void pretty_text(void **state)
{
    (void)state;
    cleanup_json json_t *v = read_text("{\"b\":[1,{}],\"a\":[]}");
    cleanup_free char *text = json_write_pretty(v);
    assert_string_equal(text, "{\n  \"a\": [],\n  \"b\": [\n    1,\n    {}\n  ]\n}\n");
    cleanup_json json_t *again = read_text(text);
    assert_true(json_equal(v, again));
}

static void pointers_of_rfc_6901(void **state)
{
    (void)state;
    cleanup_json json_t *v = read_text("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,"
                                       "\"m~n\":8,\" \":7,\"01\":9}");
    static const struct {
        const char *pointer, *text;
    } rows[] = {
        {"/foo", "[\"bar\",\"baz\"]"},
        {"/foo/0", "\"bar\""},
        {"/", "0"},
        {"/a~1b", "1"},
        {"/c%d", "2"},
        {"/ ", "7"},
        {"/m~0n", "8"},
        {"/01", "9"},
    };
    assert_ptr_equal(json_pointer(v, ""), v);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *at = json_pointer(v, rows[i].pointer);
        assert_non_null(at);
        cleanup_free char *text = json_write(at);
        assert_string_equal(text, rows[i].text);
    }
    static const char *const nowhere[] = {
        "foo",   "/bar",    "/foo/2", "/foo/00", "/foo/01", "/foo/-", "/foo/-1",
        "/foo/", "/foo/0/", "/m~n",   "/m~2n",   "/foo/0x", "/a/b",   "/foo/99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(nowhere); i++)
        assert_null(json_pointer(v, nowhere[i]));
    assert_null(json_pointer(NULL, ""));
}

static void pointer_segments_are_escaped(void **state)
{
    (void)state;
    cleanup_text struct text p = {0};
    json_pointer_add(&p, "a/b");
    json_pointer_add_index(&p, 3);
    json_pointer_add(&p, "m~n");
    json_pointer_add(&p, "");
    assert_string_equal(p.data, "/a~1b/3/m~0n/");
}

static void getters_fall_back(void **state)
{
    (void)state;
    cleanup_json json_t *v =
        read_text("{\"s\":\"x\",\"i\":7,\"d\":0.5,\"b\":true,\"o\":{},\"a\":[],\"n\":null}");
    assert_string_equal(json_get_string(v, "s", "f"), "x");
    assert_string_equal(json_get_string(v, "i", "f"), "f");
    assert_null(json_get_string(v, "missing", NULL));
    assert_null(json_get_string(NULL, "s", NULL));
    assert_int_equal(json_get_int(v, "i", 1), 7);
    assert_int_equal(json_get_int(v, "d", 1), 1);
    assert_true(json_get_double(v, "i", 1) == 7.0);
    assert_true(json_get_double(v, "d", 1) == 0.5);
    assert_true(json_get_double(v, "s", 1) == 1.0);
    assert_true(json_get_bool(v, "b", false));
    assert_true(json_get_bool(v, "n", true));
    assert_non_null(json_get_object(v, "o"));
    assert_null(json_get_object(v, "a"));
    assert_non_null(json_get_array(v, "a"));
    assert_null(json_get_array(v, "o"));
    assert_null(json_get_array(json_get_array(v, "a"), "o"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_any_top_level_value),
        cmocka_unit_test(says_where_it_is_wrong),
        cmocka_unit_test(error_is_one_line),
        cmocka_unit_test(depth_limit_at_and_over),
        cmocka_unit_test(byte_limit_at_and_over),
        cmocka_unit_test(brackets_in_strings_do_not_count),
        cmocka_unit_test(doubles_are_shortest_and_read_back),
        cmocka_unit_test(equal_values_give_equal_bytes),
        cmocka_unit_test(pretty_text),
        cmocka_unit_test(pointers_of_rfc_6901),
        cmocka_unit_test(pointer_segments_are_escaped),
        cmocka_unit_test(getters_fall_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Growing strings, names, numbers, durations, sizes, quotes, near words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"

static void test_grow_and_take(void **state)
{
    (void)state;
    struct text t = {0};
    for (int i = 0; i < 1000; i++)
        text_printf(&t, "%d,", i % 10);
    assert_int_equal(t.len, 2000);
    text_append(&t, "\0x", 2);
    text_append(&t, NULL, 0);
    assert_int_equal(t.len, 2002);
    assert_int_equal(t.data[2002], 0);
    char *s = text_take(&t);
    assert_int_equal(strlen(s), 2000);
    assert_true(t.data == NULL && t.len == 0 && t.cap == 0);
    free(s);
    cleanup_free char *empty = text_take(&t);
    assert_string_equal(empty, "");
    text_free(&t);
}

static void test_prefix_and_suffix(void **state)
{
    (void)state;
    assert_true(text_starts_with("abc", "ab") && text_starts_with("abc", ""));
    assert_false(text_starts_with("ab", "abc"));
    assert_true(text_ends_with("abc", "bc") && text_ends_with("abc", ""));
    assert_false(text_ends_with("bc", "abc"));
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "-a",  ".a", "_a",  "A",
                                      "a b", "a/b", "ü",  "a\n", "abcdef"};
    static const char *const good[] = {"a", "0", "a-b", "a_b", "a.b", "abcde"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(text_is_name(bad[i], 5));
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(text_is_name(good[i], 5));
}

static void test_integers(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      " 1",
                                      "+1",
                                      "1 ",
                                      "1x",
                                      "x",
                                      "-",
                                      "\t1",
                                      "11",
                                      "-6",
                                      "--1",
                                      "0x1",
                                      "99999999999999999999"};
    long long n = 77;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(text_to_int(bad[i], -5, 10, &n));
    assert_int_equal(n, 77);
    assert_true(text_to_int("10", -5, 10, &n) && n == 10);
    assert_true(text_to_int("-5", -5, 10, &n) && n == -5);
    assert_true(text_to_int("-9223372036854775808", LLONG_MIN, LLONG_MAX, &n) && n == LLONG_MIN);
    assert_true(text_to_int("9223372036854775807", LLONG_MIN, LLONG_MAX, &n) && n == LLONG_MAX);
    assert_false(text_to_int("9223372036854775808", LLONG_MIN, LLONG_MAX, &n));
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {{"0", 0},          {"0s", 0},          {"7us", 7},
                {"500ms", 500000}, {"1.5s", 1500000},  {"10s", 10000000},
                {"5m", 300000000}, {"2h", 7200000000}, {"14d", 1209600000000},
                {"0.1ms", 100},    {"0.0000006s", 1}};
    static const char *const bad[] = {
        "",    "1",   "s",    "-1s",  "+1s",  " 1s",    "1 s",           "1s ",
        "1.s", ".5s", "1e3s", "1sec", "infs", "1.5.5s", "999999999999d", "1234567890123456s"};
    int64_t us = 0;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(text_to_duration(good[i].text, &us));
        assert_int_equal(us, good[i].us);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(text_to_duration(bad[i], &us));
}

static void test_sizes(void **state)
{
    (void)state;
    int64_t n = 0;
    assert_true(text_to_size("512", &n) && n == 512);
    assert_true(text_to_size("3B", &n) && n == 3);
    assert_true(text_to_size("64KiB", &n) && n == 65536);
    assert_true(text_to_size("25MiB", &n) && n == 26214400);
    assert_true(text_to_size("5GiB", &n) && n == 5368709120);
    assert_true(text_to_size("1.5TiB", &n) && n == 1649267441664);
    assert_true(text_to_size("2KB", &n) && n == 2000);
    assert_true(text_to_size("8192TiB", &n));
    assert_false(text_to_size("8193TiB", &n));
    assert_false(text_to_size("1kib", &n));
    assert_false(text_to_size("-1", &n));
    assert_false(text_to_size("", &n));
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        size_t length;
    } rows[] = {{"a", 1},
                {"ü", 2},
                {"€", 3},
                {"😀", 4},
                {"\x80", 0},
                {"\xc0\x80", 0},
                {"\xc3", 0},
                {"\xe0\x80\x80", 0},
                {"\xed\xa0\x80", 0},
                {"\xe2\x82", 0},
                {"\xf0\x80\x80\x80", 0},
                {"\xf4\x90\x80\x80", 0},
                {"\xf0\x9f\x98", 0},
                {"\xff", 0},
                {"\xf5\x80\x80\x80", 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(text_utf8_length(rows[i].s), rows[i].length);
}

static void test_quotes(void **state)
{
    (void)state;
    cleanup_text struct text t = {0};
    text_quote(&t, "a\"b\\c\nd\te\x7f\xffü");
    assert_string_equal(t.data, "\"a\\\"b\\\\c\\nd\\u0009e\\u007f\\ufffdü\"");
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const words[] = {"listen", "database", "bus", "slots", NULL};
    assert_string_equal(text_nearest("lisen", words), "listen");
    assert_string_equal(text_nearest("databse", words), "database");
    assert_string_equal(text_nearest("slot", words), "slots");
    assert_string_equal(text_nearest("bsu", words) ? text_nearest("bsu", words) : "none", "none");
    assert_string_equal(text_nearest("bu", words), "bus");
    assert_null(text_nearest("", words));
    static const char *const letters[] = {"x", "ab", NULL};
    assert_null(text_nearest("y", letters));
    assert_string_equal(text_nearest("a", letters), "ab");
    assert_null(text_nearest("xyz", words));
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_null(text_nearest(longer, words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow_and_take), cmocka_unit_test(test_prefix_and_suffix),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_integers),
        cmocka_unit_test(test_durations),     cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_utf8),          cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

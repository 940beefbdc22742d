/* Any sender of JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "tests/support/hook_call.h"

static char secret[] = "s3cr3t";
static char name[] = "any";
static struct source source = {.name = name, .secret = secret, .secret_len = 6};

#define KEY "Authorization: Bearer s3cr3t\r\n"

static int setup(void **state)
{
    (void)state;
    source.config = json_pack("{s:s, s:s, s:s}", "type", "dev.example.build", "signature_header",
                              "X-Sum", "delivery_header", "X-Build");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(source.config);
    return 0;
}

static void test_a_bearer_or_an_hmac(void **state)
{
    (void)state;
    cleanup_reply struct hook_reply a = {0}, b = {0}, c = {0}, d = {0}, e = {0};
    cleanup_free char *sum = hook_signature(&source, "X-Sum", "{}", 2);
    cleanup_free char *other = hook_signature(&source, "X-Sum", "[]", 2);
    cleanup_free char *both = mem_printf("%s%s", other, KEY);
    hook_call(&HOOK_GENERIC, &source, KEY, "{}", 2, &a);
    hook_call(&HOOK_GENERIC, &source, sum, "{}", 2, &b);
    hook_call(&HOOK_GENERIC, &source, "", "{}", 2, &c);
    hook_call(&HOOK_GENERIC, &source, other, "{}", 2, &d);
    hook_call(&HOOK_GENERIC, &source, both, "{}", 2, &e);
    assert_int_equal(a.checked, 0);
    assert_int_equal(b.checked, 0);
    assert_int_equal(c.checked, LEAT_EAUTH);
    assert_non_null(strstr(c.error, "'X-Sum: sha256=HMAC'"));
    assert_int_equal(d.checked, LEAT_EAUTH);
    assert_int_equal(e.checked, LEAT_EAUTH); /* a signature that is wrong is not made good */
}

static void test_the_event(void **state)
{
    (void)state;
    cleanup_reply struct hook_reply r = {0};
    hook_call(&HOOK_GENERIC, &source, KEY "x-build: 17\r\n", "[1,2]", 5, &r);
    assert_int_equal(r.normalised, 0);
    assert_string_equal(r.type, "dev.example.build");
    assert_string_equal(r.origin, "/hooks/any");
    assert_string_equal(r.delivery, "17");
    assert_int_equal(json_array_size(r.data), 2);
    assert_null(r.subject);
}

static void test_the_usual_names_where_none_are_given(void **state)
{
    (void)state;
    const struct source plain = {.name = name, .secret = secret, .secret_len = 6};
    cleanup_reply struct hook_reply r = {0}, s = {0};
    cleanup_free char *sum = hook_signature(&plain, SOURCE_SIGNATURE_USUAL, "{}", 2);
    cleanup_free char *headers = mem_printf("%s" SOURCE_DELIVERY_USUAL ": 9\r\n", sum);
    hook_call(&HOOK_GENERIC, &plain, headers, "{}", 2, &r);
    assert_int_equal(r.checked, 0);
    assert_string_equal(r.type, SOURCE_TYPE_USUAL);
    assert_string_equal(r.delivery, "9");
    hook_call(&HOOK_GENERIC, &plain, KEY, NULL, 0, &s);
    assert_int_equal(s.normalised, 0);
    assert_null(s.delivery); /* nothing names it: every request is an event of its own */
    assert_null(s.data);
}

static void test_the_longest_delivery_key(void **state)
{
    (void)state;
    for (size_t len = 255; len <= 257; len++) {
        cleanup_reply struct hook_reply r = {0};
        cleanup_text struct text t = {0};
        text_puts(&t, KEY "X-Build: ");
        for (size_t i = 0; i < len; i++)
            text_puts(&t, "k");
        text_puts(&t, "\r\n");
        hook_call(&HOOK_GENERIC, &source, t.data, "{}", 2, &r);
        assert_int_equal(r.normalised, len > 256 ? LEAT_EINPUT : 0);
        if (len > 256)
            assert_non_null(strstr(r.error, "X-Build"));
    }
    cleanup_reply struct hook_reply empty = {0};
    hook_call(&HOOK_GENERIC, &source, KEY "X-Build:\r\n", "{}", 2, &empty);
    assert_int_equal(empty.normalised, LEAT_EINPUT);
}

static void test_malformed_bodies(void **state)
{
    (void)state;
    static const char *const bad[] = {"{",
                                      "{} {}",
                                      "\xef\xbb\xbf{}",
                                      "{\"a\":1,\"a\":2}",
                                      "nul",
                                      "{\"a\":\"\\u0000\"}",
                                      "[1,]",
                                      "\"\xc0\x80\"",
                                      "1e999",
                                      "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cleanup_reply struct hook_reply r = {0};
        hook_call(&HOOK_GENERIC, &source, KEY, bad[i], strlen(bad[i]), &r);
        assert_int_equal(r.checked, 0);
        if (r.normalised >= 0 || !r.error[0])
            fail_msg("taken: %s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bearer_or_an_hmac),
        cmocka_unit_test(test_the_event),
        cmocka_unit_test(test_the_usual_names_where_none_are_given),
        cmocka_unit_test(test_the_longest_delivery_key),
        cmocka_unit_test(test_malformed_bodies),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

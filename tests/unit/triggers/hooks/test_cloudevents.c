/* CloudEvents over HTTP, structured and binary. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "tests/support/hook_call.h"

static char secret[] = "s3cr3t";
static char name[] = "bus";
static const struct source source = {.name = name, .secret = secret, .secret_len = 6};

#define KEY        "Authorization: Bearer s3cr3t\r\n"
#define STRUCTURED KEY "Content-Type: application/cloudevents+json; charset=utf-8\r\n"
#define BINARY     KEY "Content-Type: application/json\r\n"
#define CE         "ce-specversion: 1.0\r\nce-id: i1\r\nce-source: /s\r\nce-type: dev.example.x\r\n"
#define FOUR       "\"specversion\":\"1.0\",\"id\":\"i1\",\"source\":\"/s\",\"type\":\"dev.example.x\""

static void call(const char *headers, const char *body, struct hook_reply *r)
{
    hook_call(&HOOK_CLOUDEVENTS, &source, headers, body, body ? strlen(body) : 0, r);
    assert_int_equal(r->checked, 0);
}

static void refused(const char *headers, const char *body, const char *why)
{
    cleanup_reply struct hook_reply r = {0};
    call(headers, body, &r);
    if (r.normalised != LEAT_EINPUT || !strstr(r.error, why))
        fail_msg("%s: %d '%s', not '%s'", body, r.normalised, r.error, why);
}

static void test_the_secret_is_needed(void **state)
{
    (void)state;
    cleanup_reply struct hook_reply r = {0};
    hook_call(&HOOK_CLOUDEVENTS, &source, "Content-Type: application/cloudevents+json\r\n",
              "{" FOUR "}", strlen("{" FOUR "}"), &r);
    assert_int_equal(r.checked, LEAT_EAUTH);
    assert_non_null(strstr(r.error, "Authorization: Bearer"));
}

/* Both ways say the same: one event sent either way has one id. */
static void test_structured_and_binary_are_one_event(void **state)
{
    (void)state;
    cleanup_reply struct hook_reply s = {0}, b = {0};
    call(STRUCTURED, "{" FOUR ",\"subject\":\"sub\",\"data\":{\"psi\":0.3}}", &s);
    call(BINARY CE "ce-subject: sub\r\n", "{\"psi\":0.3}", &b);
    struct hook_reply *both[] = {&s, &b};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(both[i]->normalised, 0);
        assert_string_equal(both[i]->origin, "/s");
        assert_string_equal(both[i]->type, "dev.example.x");
        assert_string_equal(both[i]->subject, "sub");
        assert_string_equal(both[i]->delivery, "/s\ni1");
        assert_int_equal(both[i]->delivery_len, 5);
        assert_true(json_get_double(both[i]->data, "psi", 0) == 0.3);
    }
}

/* Joined by a line break, which neither may have: two events are never taken for one. */
static void test_source_and_id_make_the_delivery(void **state)
{
    (void)state;
    cleanup_reply struct hook_reply one = {0}, two = {0};
    call(STRUCTURED, "{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"/a\",\"type\":\"t\"}",
         &one);
    call(STRUCTURED, "{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/2\",\"type\":\"t\"}",
         &two);
    assert_string_not_equal(one.delivery, two.delivery);
    refused(STRUCTURED,
            "{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"/a\\nb\",\"type\":\"t\"}",
            "source");
}

static void test_data_of_any_kind_and_none(void **state)
{
    (void)state;
    static const char *const kinds[] = {"7", "\"x\"", "[1]", "null", "true", "{}"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        cleanup_reply struct hook_reply s = {0}, b = {0};
        cleanup_free char *body = mem_printf("{" FOUR ",\"data\":%s}", kinds[i]);
        call(STRUCTURED, body, &s);
        call(BINARY CE, kinds[i], &b);
        cleanup_free char *left = json_write(s.data), *right = json_write(b.data);
        assert_string_equal(left, kinds[i]);
        assert_string_equal(right, kinds[i]);
    }
    cleanup_reply struct hook_reply none = {0}, empty = {0};
    call(STRUCTURED, "{" FOUR "}", &none);
    assert_null(none.data);
    call(BINARY CE, NULL, &empty);
    assert_int_equal(empty.normalised, 0);
    assert_null(empty.data);
}

static void test_what_is_missing_or_wrong(void **state)
{
    (void)state;
    refused(STRUCTURED, "[]", "must be a JSON object");
    refused(STRUCTURED, NULL, "must be a JSON object");
    refused(STRUCTURED, "{\"id\":\"i\",\"source\":\"/s\",\"type\":\"t\"}", "no 'specversion'");
    refused(STRUCTURED, "{\"specversion\":\"1.0\",\"source\":\"/s\",\"type\":\"t\"}", "no 'id'");
    refused(STRUCTURED, "{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"/s\",\"type\":\"t\"}",
            "no 'id'");
    refused(STRUCTURED, "{\"specversion\":\"1.0\",\"id\":3,\"source\":\"/s\",\"type\":\"t\"}",
            "no 'id'");
    refused(STRUCTURED, "{\"specversion\":\"1.0\",\"id\":\"i\",\"type\":\"t\"}", "no 'source'");
    refused(STRUCTURED, "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"/s\"}", "no 'type'");
    refused(STRUCTURED, "{\"specversion\":\"0.3\",\"id\":\"i\",\"source\":\"/s\",\"type\":\"t\"}",
            "must be 1.0");
    refused(STRUCTURED,
            "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"/s\",\"type\":\"dev.leat.cron\"}",
            "Leat's own");
    refused(STRUCTURED, "{" FOUR ",\"data_base64\":\"AA==\"}", "data_base64");
    refused(BINARY, "{}", "no 'specversion'");
    refused(BINARY CE, "{", "1:");
}

/* Each attribute at its limit and one over. */
static void test_the_longest_attributes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int most;
    } limits[] = {{"id", 512}, {"source", 1024}, {"type", 256}};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        for (int over = 0; over < 2; over++) {
            cleanup_reply struct hook_reply r = {0};
            cleanup_json json_t *event = json_read("{" FOUR "}", strlen("{" FOUR "}"), NULL, NULL);
            cleanup_text struct text value = {0};
            for (int n = 0; n < limits[i].most + over; n++)
                text_puts(&value, "a");
            json_object_set_new(event, limits[i].name, json_string(value.data));
            cleanup_free char *body = json_write(event);
            call(STRUCTURED, body, &r);
            assert_int_equal(r.normalised, over ? LEAT_EINPUT : 0);
            if (over)
                assert_non_null(strstr(r.error, limits[i].name));
        }
    }
}

/* A subject that is too long to keep is left out: the specification makes it optional. */
static void test_the_longest_subject(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        cleanup_reply struct hook_reply r = {0};
        cleanup_text struct text body = {0};
        text_puts(&body, "{" FOUR ",\"subject\":\"");
        for (int n = 0; n < 2048 + over; n++)
            text_puts(&body, "s");
        text_puts(&body, "\"}");
        call(STRUCTURED, body.data, &r);
        assert_int_equal(r.normalised, 0);
        assert_int_equal(r.subject == NULL, over);
    }
}

static int64_t time_of(int64_t ahead_us)
{
    cleanup_reply struct hook_reply r = {0};
    char at[CLOCK_TEXT];
    clock_format(clock_wall_us() + ahead_us, at);
    cleanup_free char *body = mem_printf("{" FOUR ",\"time\":\"%s\"}", at);
    call(STRUCTURED, body, &r);
    assert_int_equal(r.normalised, 0);
    return r.time_us ? r.time_us - clock_wall_us() : INT64_MIN;
}

static bool near(int64_t a, int64_t b)
{
    return a > b - 10 * US_PER_S && a < b + 10 * US_PER_S;
}

static void test_a_time_is_believed_within_bounds(void **state)
{
    (void)state;
    const int64_t hour = 3600 * US_PER_S, day = 24 * hour;
    assert_true(near(time_of(0), 0));
    assert_true(near(time_of(-29 * day), -29 * day));
    assert_true(near(time_of(hour - 20 * US_PER_S), hour - 20 * US_PER_S));
    assert_true(time_of(-31 * day) == INT64_MIN);
    assert_true(time_of(hour + 20 * US_PER_S) == INT64_MIN);
    cleanup_reply struct hook_reply r = {0};
    call(STRUCTURED, "{" FOUR ",\"time\":\"yesterday\"}", &r);
    assert_int_equal(r.normalised, 0);
    assert_int_equal(r.time_us, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_secret_is_needed),
        cmocka_unit_test(test_structured_and_binary_are_one_event),
        cmocka_unit_test(test_source_and_id_make_the_delivery),
        cmocka_unit_test(test_data_of_any_kind_and_none),
        cmocka_unit_test(test_what_is_missing_or_wrong),
        cmocka_unit_test(test_the_longest_attributes),
        cmocka_unit_test(test_the_longest_subject),
        cmocka_unit_test(test_a_time_is_believed_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

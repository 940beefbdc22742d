/* Messages: what is encoded is decoded as it was; what is wrong is refused with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "schema/gen/messages.h"

static void a_report_survives_the_round_trip(void **state)
{
    (void)state;
    const char *executors[] = {"process", "noop"};
    struct held_attempt held[] = {{.nonce = INT64_MIN}, {.nonce = 7}};
    random_bytes(held[0].attempt.b, 16);
    random_bytes(held[1].attempt.b, 16);
    struct report_hello hello = {.boot = "b",
                                 .slots = 8,
                                 .executors = executors,
                                 .executors_count = 2,
                                 .workspace = "/w \"x\"\n\x01\xe2\x82\xac",
                                 .cpu = 0.1,
                                 .held = held,
                                 .held_count = 2};
    struct report in = {
        .v = 1, .kind = REPORT_KIND_HELLO, .worker = "w1", .n = INT64_MAX, .hello = &hello};
    random_bytes(in.incarnation.b, 16);
    size_t len;
    cleanup_free char *text = report_encode(&in, &len);
    assert_int_equal(len, strlen(text));

    struct report out;
    struct err err = {0};
    assert_int_equal(report_decode(text, len, &out, &err), 0);
    assert_int_equal(out.kind, REPORT_KIND_HELLO);
    assert_true(out.n == INT64_MAX);
    assert_memory_equal(&out.incarnation, &in.incarnation, 16);
    assert_string_equal(out.hello->workspace, hello.workspace);
    assert_true(out.hello->cpu == 0.1);
    assert_int_equal(out.hello->executors_count, 2);
    assert_string_equal(out.hello->executors[1], "noop");
    assert_int_equal(out.hello->held_count, 2);
    assert_true(out.hello->held[0].nonce == INT64_MIN);
    assert_memory_equal(&out.hello->held[1].attempt, &held[1].attempt, 16);
    assert_null(out.result);
    report_clear(&out);
    report_clear(&out);
}

static void free_json_and_bools_survive(void **state)
{
    (void)state;
    const char *text =
        "{\"v\":1,\"kind\":\"start\",\"epoch\":3,\"start\":{\"run\":\"00000000-0000-7000-8000-"
        "000000000001\",\"run_name\":\"r\",\"pipeline\":\"p\",\"experiment\":\"e\",\"step\":\"s\","
        "\"number\":1,\"executor\":\"noop\",\"argv\":[],\"inputs\":[{\"name\":\"i\",\"value\":"
        "{\"b\":[1,2.5,null]}},{\"name\":\"j\",\"artifact\":\"aa\",\"folder\":true}]}}";
    struct order order;
    struct err err = {0};
    assert_int_equal(order_decode(text, strlen(text), &order, &err), 0);
    assert_true(order.start->inputs[1].folder);
    assert_int_equal(json_array_size(json_object_get(order.start->inputs[0].value, "b")), 3);
    cleanup_free char *again = order_encode(&order, NULL);
    assert_string_equal(again, text);
    order_clear(&order);
}

static void bad_messages_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error;
    } rows[] = {
        {"", "report: "},
        {"[]", "report: the message: must be an object"},
        {"{\"v\":1}", "report: /kind: is missing"},
        {"{\"v\":0,\"kind\":\"hello\"}", "report: /v: is out of range"},
        {"{\"v\":\"1\"}", "report: /v: must be a whole number"},
        {"{\"v\":1,\"kind\":\"goodbye\"}", "report: /kind: is none of the words allowed"},
        {"{\"v\":1,\"v\":1}", "report: "},
        {"{\"v\":1,\"kind\":\"hello\",\"worker\":5}", "report: /worker: must be text"},
        {"{\"v\":1,\"kind\":\"hello\",\"worker\":\"w\",\"incarnation\":\"x\"}",
         "report: /incarnation: must be a UUID"},
        {"{\"v\":1,\"kind\":\"hello\",\"worker\":\"w\",\"incarnation\":\"00000000-0000-7000-8000-"
         "000000000001\",\"n\":1,\"hello\":{\"boot\":\"b\",\"slots\":1,\"executors\":[1],"
         "\"workspace\":\"\"}}",
         "report: /hello/executors: must be text"},
        {"{\"v\":1,\"kind\":\"hello\",\"worker\":\"w\",\"incarnation\":\"00000000-0000-7000-8000-"
         "000000000001\",\"n\":1,\"hello\":{\"boot\":\"b\",\"slots\":1,\"executors\":[],"
         "\"workspace\":\"\","
         "\"held\":[{\"nonce\":1}]}}",
         "report: /hello/held/attempt: is missing"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct report out;
        struct err err = {0};
        assert_true(report_decode(rows[i].text, strlen(rows[i].text), &out, &err) < 0);
        if (strncmp(err.text, rows[i].error, strlen(rows[i].error)) != 0)
            fail_msg("row %zu: '%s', wanted '%s'", i, err.text, rows[i].error);
        report_clear(&out);
    }
}

static void a_newer_version_may_add_properties(void **state)
{
    (void)state;
    const char *text = "{\"v\":2,\"epoch\":1,\"tx_seq\":2,\"colour\":\"blue\"}";
    struct change change;
    assert_int_equal(change_decode(text, strlen(text), &change, NULL), 0);
    assert_int_equal(change.tx_seq, 2);
    change_clear(&change);
}

static void lengths_are_limited_at_the_edge(void **state)
{
    (void)state;
    for (int extra = 0; extra <= 1; extra++) {
        cleanup_text struct text t = {0};
        text_puts(
            &t, "{\"v\":1,\"kind\":\"heartbeat\",\"n\":1,\"incarnation\":\"00000000-0000-7000-8000-"
                "000000000001\",\"worker\":\"");
        for (int i = 0; i < 64 + extra; i++)
            text_append(&t, "w", 1);
        text_puts(&t, "\"}");
        struct report out;
        assert_int_equal(report_decode(t.data, t.len, &out, NULL) == 0, extra == 0);
        report_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_survives_the_round_trip),
        cmocka_unit_test(free_json_and_bools_survive),
        cmocka_unit_test(bad_messages_are_refused_with_their_place),
        cmocka_unit_test(a_newer_version_may_add_properties),
        cmocka_unit_test(lengths_are_limited_at_the_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/ir.h"
#include "common/text/json.h"
#include "tests/support/ir_text.h"

static const char *const PIPELINE =
    "{\"ir\":1,\"name\":\"p\",\"steps\":[{\"name\":\"a\",\"kind\":\"run\"}],\"params\":["
    "{\"name\":\"tag\",\"type\":\"string\",\"default\":\"latest\"},"
    "{\"name\":\"seed\",\"type\":\"integer\",\"default\":42},"
    "{\"name\":\"rate\",\"type\":\"number\",\"default\":0.5,\"choices\":[0.5,1]},"
    "{\"name\":\"dry\",\"type\":\"boolean\",\"default\":false},"
    "{\"name\":\"shape\",\"type\":\"json\",\"default\":null},"
    "{\"name\":\"bucket\",\"type\":\"string\"}]}";

static int make_ir(void **state)
{
    cleanup_json json_t *json = json_of(PIPELINE);
    struct err err = {0};
    *state = ir_load(json, &err);
    return *state ? 0 : -1;
}

static int drop_ir(void **state)
{
    ir_free(*state);
    return 0;
}

/* Given parameters, whether they are text, and what comes out or what is said. */
static const struct {
    const char *given;
    bool from_text;
    const char *json, *error;
} ROWS[] = {
    {"{\"bucket\":\"b\"}", false,
     "{\"bucket\":\"b\",\"dry\":false,\"rate\":0.5,\"seed\":42,\"shape\":null,\"tag\":\"latest\"}",
     NULL},
    {"{\"bucket\":\"b\",\"dry\":\"true\",\"rate\":\"1.0\",\"seed\":\"-7\",\"shape\":\"[1]\","
     "\"tag\":\"12\"}",
     true, "{\"bucket\":\"b\",\"dry\":true,\"rate\":1.0,\"seed\":-7,\"shape\":[1],\"tag\":\"12\"}",
     NULL},
    {"{\"bucket\":\"\",\"dry\":true,\"rate\":1,\"shape\":\"[1]\"}", false,
     "{\"bucket\":\"\",\"dry\":true,\"rate\":1,\"seed\":42,\"shape\":\"[1]\",\"tag\":\"latest\"}",
     NULL},
    {"{}", false, NULL, "parameter bucket: must be given"},
    {"{\"bucket\":5}", false, NULL, "parameter bucket: must be text, not a number"},
    {"{\"bucket\":5}", true, NULL, "parameter bucket: must be text"},
    {"{\"bucket\":null}", false, NULL, "must be text, not null"},
    {"{\"bucket\":\"b\",\"seed\":\"7\"}", false, NULL, "parameter seed: must be an integer"},
    {"{\"bucket\":\"b\",\"seed\":\"7.5\"}", true, NULL, "parameter seed: must be an integer"},
    {"{\"bucket\":\"b\",\"seed\":\"seven\"}", true, NULL, "parameter seed: must be an integer"},
    {"{\"bucket\":\"b\",\"rate\":0.7}", false, NULL, "parameter rate: must be one of [0.5,1]"},
    {"{\"bucket\":\"b\",\"dry\":\"yes\"}", true, NULL, "parameter dry: must be true or false"},
    {"{\"bucket\":\"b\",\"shape\":\"{\"}", true, NULL, "parameter shape: must be JSON"},
    {"{\"bucket\":\"b\",\"tags\":\"x\"}", false, NULL,
     "parameter tags: pipeline p has none of that name; did you mean tag?"},
    {"[]", false, NULL, "must be an object"},
};

static void given_values_are_held_against_the_declarations(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct err err = {0};
        cleanup_json json_t *given = json_of(ROWS[i].given);
        cleanup_json json_t *out = ir_params(*state, given, ROWS[i].from_text, &err);
        cleanup_free char *text = out ? json_write(out) : NULL;
        if (ROWS[i].json) {
            if (!text || strcmp(text, ROWS[i].json) != 0)
                fail_msg("%s: %s %s", ROWS[i].given, text ? text : "refused,", err.text);
        } else if (out || !strstr(err.text, ROWS[i].error)) {
            fail_msg("%s: %s %s", ROWS[i].given, text ? text : "refused,", err.text);
        }
    }
}

static void nothing_given_is_an_empty_object(void **state)
{
    struct err err = {0};
    assert_null(ir_params(*state, NULL, false, &err));
    assert_int_equal(err.code, LEAT_EINPUT);
    assert_non_null(strstr(err.text, "bucket"));
}

static void a_value_at_the_limit_fits(void **state)
{
    struct err err = {0};
    cleanup_free char *text = mem_alloc(IR_OUTPUT_VALUE_MAX + 2);
    memset(text, 'x', IR_OUTPUT_VALUE_MAX);
    cleanup_json json_t *given = json_pack("{s:s}", "bucket", text);
    cleanup_json json_t *at = ir_params(*state, given, false, &err);
    assert_non_null(at);
    text[IR_OUTPUT_VALUE_MAX] = 'x';
    json_object_set_new(given, "bucket", json_string(text));
    assert_null(ir_params(*state, given, false, &err));
    assert_non_null(strstr(err.text, "over 65536 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_values_are_held_against_the_declarations),
        cmocka_unit_test(nothing_given_is_an_empty_object),
        cmocka_unit_test(a_value_at_the_limit_fits),
    };
    return cmocka_run_group_tests(tests, make_ir, drop_ir);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/ir.h"
#include "common/ir/value.h"
#include "common/text/json.h"

/* Text of a typed output, and the JSON it reads as or the error that it gets. */
static const struct {
    enum ir_type type;
    const char *text;
    const char *json;  /* NULL = refused */
    const char *error; /* part of it */
} OUTPUTS[] = {
    {IR_STRING, "", "\"\"", NULL},
    {IR_STRING, "a b\n", "\"a b\"", NULL},
    {IR_STRING, "a\n\n", "\"a\\n\"", NULL}, /* one newline and no more */
    {IR_STRING, "\n", "\"\"", NULL},
    {IR_STRING, "12", "\"12\"", NULL},
    {IR_STRING, "\xff", NULL, "UTF-8"},
    {IR_INTEGER, "12\n", "12", NULL},
    {IR_INTEGER, "-9223372036854775808", "-9223372036854775808", NULL},
    {IR_INTEGER, "9223372036854775807", "9223372036854775807", NULL},
    {IR_INTEGER, "9223372036854775808", NULL, "too big integer"},
    {IR_INTEGER, "1.0", NULL, "a number with a point"},
    {IR_INTEGER, "1e3", NULL, "a number with a point"},
    {IR_INTEGER, " 1", NULL, "blanks"},
    {IR_INTEGER, "1 \n", NULL, "blanks"},
    {IR_INTEGER, "1\n\n", NULL, "blanks"},
    {IR_INTEGER, "+1", NULL, "must be an integer: is \"+1\""},
    {IR_INTEGER, "one\ttwo", NULL, "must be an integer: is \"one\\u0009two\""},
    {IR_INTEGER, "012345678901234567890123456789012345678\u00e9x", NULL,
     "is \"012345678901234567890123456789012345678\u00e9\"…"},
    {IR_INTEGER, "0123456789012345678901234567890123456789x", NULL,
     "is \"0123456789012345678901234567890123456789\"…"},
    {IR_INTEGER, "", NULL, "is empty"},
    {IR_INTEGER, "\n", NULL, "is empty"},
    {IR_INTEGER, "\"1\"", NULL, "not text"},
    {IR_NUMBER, "0.25\n", "0.25", NULL},
    {IR_NUMBER, "1e-05", "1e-05", NULL},
    {IR_NUMBER, "7", "7", NULL},
    {IR_NUMBER, "nan", NULL, "must be a number"},
    {IR_NUMBER, "inf", NULL, "must be a number"},
    {IR_NUMBER, "1,5", NULL, "must be a number"},
    {IR_BOOLEAN, "true\n", "true", NULL},
    {IR_BOOLEAN, "false", "false", NULL},
    {IR_BOOLEAN, "True", NULL, "true or false"},
    {IR_BOOLEAN, "1", NULL, "true or false"},
    {IR_JSON, " {\"a\": [1, null]} \n", "{\"a\":[1,null]}", NULL},
    {IR_JSON, "null", "null", NULL},
    {IR_JSON, "{", NULL, "must be JSON"},
    {IR_JSON, "{\"a\":1,\"a\":2}", NULL, "must be JSON"},
    {IR_JSON, "", NULL, "must be JSON"},
};

static void output_texts_are_read_as_their_type(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(OUTPUTS); i++) {
        struct err err = {0};
        cleanup_json json_t *value =
            ir_output_value(OUTPUTS[i].type, OUTPUTS[i].text, strlen(OUTPUTS[i].text), &err);
        if (!OUTPUTS[i].json) {
            assert_null(value);
            if (!strstr(err.text, OUTPUTS[i].error))
                fail_msg("'%s': %s", OUTPUTS[i].text, err.text);
            continue;
        }
        if (!value)
            fail_msg("'%s': %s", OUTPUTS[i].text, err.text);
        cleanup_free char *json = json_write(value);
        assert_string_equal(json, OUTPUTS[i].json);
    }
}

static void nul_in_an_output_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(ir_output_value(IR_STRING, "a\0b", 3, &err));
    assert_int_equal(err.code, LEAT_EINPUT);
}

static void output_at_the_limit_fits_and_over_it_does_not(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_free char *text = mem_alloc(IR_OUTPUT_VALUE_MAX + 2);
    memset(text, 'x', IR_OUTPUT_VALUE_MAX + 1);
    cleanup_json json_t *over = ir_output_value(IR_STRING, text, IR_OUTPUT_VALUE_MAX + 1, &err);
    assert_null(over);
    assert_int_equal(err.code, LEAT_ELIMIT);
    text[IR_OUTPUT_VALUE_MAX] = '\n'; /* the newline does not count */
    cleanup_json json_t *at = ir_output_value(IR_STRING, text, IR_OUTPUT_VALUE_MAX + 1, &err);
    assert_int_equal(json_string_length(at), IR_OUTPUT_VALUE_MAX);
}

static void nested_json_is_bounded(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_text struct text deep = {0};
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        text_puts(&deep, "[");
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        text_puts(&deep, "]");
    cleanup_json json_t *at = ir_output_value(IR_JSON, deep.data, deep.len, &err);
    assert_non_null(at);
    cleanup_free char *deeper = mem_printf("[%s]", deep.data);
    assert_null(ir_output_value(IR_JSON, deeper, strlen(deeper), &err));
}

static void numbers_are_compared_by_value(void **state)
{
    (void)state;
    cleanup_json json_t *one = json_integer(1), *real = json_real(1.0), *text = json_string("1");
    assert_true(ir_value_equal(one, real));
    assert_false(ir_value_equal(one, text));
}

static void type_names_go_both_ways(void **state)
{
    (void)state;
    for (int type = IR_STRING; type <= IR_ARTIFACT; type++)
        assert_int_equal(ir_type_parse(ir_type_name((enum ir_type)type)), type);
    assert_int_equal(ir_type_parse("text"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_texts_are_read_as_their_type),
        cmocka_unit_test(nul_in_an_output_is_refused),
        cmocka_unit_test(output_at_the_limit_fits_and_over_it_does_not),
        cmocka_unit_test(nested_json_is_bounded),
        cmocka_unit_test(numbers_are_compared_by_value),
        cmocka_unit_test(type_names_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is decided while a run goes on: rules, parameters of groups, items, waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/ir/ir.h"
#include "common/text/json.h"
#include "schema/gen/messages.h"
#include "tests/support/parts.h"

#define RUN      IR_VERDICT_RUN
#define SKIP     IR_VERDICT_SKIP
#define UPSTREAM IR_VERDICT_UPSTREAM_FAILED

/* Ends: succeeded, skipped, failed. */
static const struct {
    struct ir_ends ends;
    enum ir_verdict all_succeeded, all_done, any_failed, any_succeeded, none_failed;
} RULES[] = {
    {{0, 0, 0}, RUN, RUN, SKIP, SKIP, RUN},
    {{2, 0, 0}, RUN, RUN, SKIP, RUN, RUN},
    {{0, 2, 0}, SKIP, RUN, SKIP, SKIP, RUN},
    {{0, 0, 2}, UPSTREAM, RUN, RUN, UPSTREAM, UPSTREAM},
    {{1, 1, 0}, SKIP, RUN, SKIP, RUN, RUN},
    {{1, 0, 1}, UPSTREAM, RUN, RUN, RUN, UPSTREAM},
    {{0, 1, 1}, UPSTREAM, RUN, RUN, UPSTREAM, UPSTREAM},
    {{1, 1, 1}, UPSTREAM, RUN, RUN, RUN, UPSTREAM},
};

static void each_rule_judges_each_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(RULES); i++) {
        const struct ir_ends *ends = &RULES[i].ends;
        assert_int_equal(ir_rule_judge(IR_ALL_SUCCEEDED, ends), RULES[i].all_succeeded);
        assert_int_equal(ir_rule_judge(IR_ALL_DONE, ends), RULES[i].all_done);
        assert_int_equal(ir_rule_judge(IR_ANY_FAILED, ends), RULES[i].any_failed);
        assert_int_equal(ir_rule_judge(IR_ANY_SUCCEEDED, ends), RULES[i].any_succeeded);
        assert_int_equal(ir_rule_judge(IR_NONE_FAILED, ends), RULES[i].none_failed);
    }
}

static const struct part PARTS[] = {
    {IR_REFERENCE_PIPELINE, "sub",
     "name: sub\nparams: {n: {type: integer, choices: [1, 2, 7], default: 1}, s: {}, j: {type: "
     "json, default: [0]}}\nsteps: {a: {executor: noop}}\n"},
};
static struct parts parts = {PARTS, ARRAY_LEN(PARTS), {0}};

/* What stands under `with`, and what the group's parameters come to with `item` at hand. */
static const struct {
    const char *with, *item, *params, *error;
} WITH[] = {
    {"s: x", "0", "{\"j\":[0],\"n\":1,\"s\":\"x\"}", NULL},
    {"s: \"a ${{ item }}\"", "3", "{\"j\":[0],\"n\":1,\"s\":\"a 3\"}", NULL},
    {"s: x, n: \"${{ item }}\"", "7", "{\"j\":[0],\"n\":7,\"s\":\"x\"}", NULL},
    {"s: x, n: \"${{ item }}\"", "\"7\"", "{\"j\":[0],\"n\":7,\"s\":\"x\"}", NULL},
    {"s: x, j: \"${{ item }}\"", "{\"k\":[1]}", "{\"j\":{\"k\":[1]},\"n\":1,\"s\":\"x\"}", NULL},
    {"s: x, j: {k: [1]}", "0", "{\"j\":{\"k\":[1]},\"n\":1,\"s\":\"x\"}", NULL},
    {"s: x, n: \"${{ item }}\"", "8", NULL, "parameter n: must be one of [1,2,7]"},
    {"s: x, n: \"${{ item }}\"", "\"y\"", NULL, "parameter n: must be an integer"},
    {"s: x, n: \"${{ item.k }}\"", "{}", NULL, "parameter n: "},
    {"s: \"${{ item }}\"", "[1]", NULL, "parameter s: must be text, not a list"},
};

static void a_group_gets_its_parameters(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(WITH); i++) {
        struct err err = {0};
        cleanup_free char *any = mem_printf("name: p\nsteps: {g: {for_each: \"${{ event.x }}\", "
                                            "pipeline: sub, with: {%s}}}\n",
                                            WITH[i].with);
        cleanup_json json_t *json = parts_compile(&parts, "p.yaml", any, NULL, &err);
        struct ir *ir = json ? ir_load(json, &err) : NULL;
        if (!ir)
            fail_msg("%s", err.text);
        cleanup_json json_t *item = json_read(WITH[i].item, strlen(WITH[i].item), NULL, &err);
        const struct cel_var seen = {"item", item};
        const struct cel_vars vars = {&seen, 1, 0};
        cleanup_json json_t *params = ir_group_params(ir->steps[0].group, &vars, &err);
        cleanup_free char *text = params ? json_write(params) : mem_string(err.text);
        if (WITH[i].params)
            assert_string_equal(text, WITH[i].params);
        else if (params || strncmp(text, WITH[i].error, strlen(WITH[i].error)) != 0)
            fail_msg("%s: %s", WITH[i].with, text);
        ir_free(ir);
    }
}

static void items_are_a_list_within_limits(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_json json_t *items = json_array();
    assert_int_equal(ir_items_check(items, &err), 0);
    for (int i = 0; i < IR_ITEMS_MAX; i++)
        json_array_append_new(items, json_integer(1));
    assert_int_equal(ir_items_check(items, &err), 0);
    json_array_append_new(items, json_integer(1));
    assert_int_equal(ir_items_check(items, &err), LEAT_ELIMIT);
    assert_string_equal(err.text, "for_each: 10001 items, and the limit is 10000");
    cleanup_free char *large = mem_alloc(IR_ITEMS_BYTES_MAX);
    memset(large, 'x', IR_ITEMS_BYTES_MAX - 4);
    json_array_clear(items);
    json_array_append_new(items, json_string(large));
    assert_int_equal(ir_items_check(items, &err), 0);
    large[IR_ITEMS_BYTES_MAX - 4] = 'x';
    json_array_set_new(items, 0, json_string(large));
    assert_int_equal(ir_items_check(items, &err), LEAT_ELIMIT);
    cleanup_json json_t *text = json_string("a");
    assert_int_equal(ir_items_check(text, &err), LEAT_EINPUT);
    assert_string_equal(err.text, "for_each: must be a list, not text");
    assert_int_equal(ir_items_check(NULL, &err), LEAT_EINPUT);
}

static void a_wait_takes_what_fits(void **state)
{
    (void)state;
    const struct event event = {.type = "dev.example.checked", .leatsource = "box"};
    const struct event bare = {.type = "dev.example.checked"};
    assert_true(ir_wait_fits(&(struct ir_wait){.type = "dev.example.checked"}, &event));
    assert_true(ir_wait_fits(&(struct ir_wait){.type = "dev.example.*"}, &event));
    assert_false(ir_wait_fits(&(struct ir_wait){.type = "dev.example"}, &event));
    assert_true(ir_wait_fits(&(struct ir_wait){.type = "dev.*", .source = "box"}, &event));
    assert_false(ir_wait_fits(&(struct ir_wait){.type = "dev.*", .source = "bag"}, &event));
    assert_false(ir_wait_fits(&(struct ir_wait){.type = "dev.*", .source = "box"}, &bare));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_judges_each_end),
        cmocka_unit_test(a_group_gets_its_parameters),
        cmocka_unit_test(items_are_a_list_within_limits),
        cmocka_unit_test(a_wait_takes_what_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

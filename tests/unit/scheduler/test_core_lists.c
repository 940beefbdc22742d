/* Lists of artifacts as inputs: in the order, or by their place. */
#include "tests/unit/scheduler/groups_harness.h"

#define HASH       "2222222222222222222222222222222222222222222222222222222222222222"
#define FILE_OF(n) "{\"m\":{\"artifact\":\"" HASH "\",\"size\":" #n ",\"folder\":false}}"

static const struct order_input *input_of(struct harness *h, const char *step)
{
    const struct order *o = order_of(h, ORDER_KIND_START, step);
    assert_non_null(o);
    assert_int_equal(o->start->inputs_count, 1);
    return &o->start->inputs[0];
}

static void list_is(const struct order_input *in, const char *want)
{
    cleanup_free char *text = in->list ? json_write(in->list) : NULL;
    assert_string_equal(text ? text : "none", want);
}

static const char EACH[] = "name: p\nsteps:\n"
                           "  train:\n"
                           "    for_each: [1, 2, 3]\n"
                           "    fail_fast: false\n"
                           "    allow_failure: true\n"
                           "    command: [x]\n"
                           "    outputs: {m: {}}\n"
                           "  best: {command: [x], rule: all_done, inputs: {models: train.m}}\n";

static void a_list_rides_in_the_order(void **state)
{
    struct harness *h = *state;
    begin(h, EACH);
    finish_nth(h, "train/train", 2, SUCCEEDED, FILE_OF(3));
    finish_nth(h, "train/train", 0, SUCCEEDED, FILE_OF(1));
    harness_restart(h, 0);
    harness_settle(h);
    harness_heartbeat(h, 0, 1);
    finish_nth(h, "train/train", 1, SUCCEEDED, FILE_OF(2));
    const struct order_input *in = input_of(h, "best");
    assert_string_equal(in->name, "models");
    list_is(in, "[{\"artifact\":\"" HASH "\",\"folder\":false,\"size\":1},"
                "{\"artifact\":\"" HASH "\",\"folder\":false,\"size\":2},"
                "{\"artifact\":\"" HASH "\",\"folder\":false,\"size\":3}]");
    assert_null(in->artifact);
    assert_int_equal(in->of->step, 0);
    assert_int_equal(in->of->iteration, 0);
    assert_string_equal(in->of->output, "m");
}

/* All items are over, so that those that went well are there for whoever wants the best of them. */
static void a_failed_item_is_null_in_its_list(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, EACH);
    finish_nth(h, "train/train", 0, SUCCEEDED, FILE_OF(1));
    finish_nth(h, "train/train", 1, FAILED, NULL);
    harness_restart(h, 0);
    harness_settle(h);
    harness_heartbeat(h, 0, 1);
    finish_nth(h, "train/train", 2, SUCCEEDED, FILE_OF(3));
    assert_string_equal(step_is(h, run, 0), "failed");
    list_is(input_of(h, "best"), "[{\"artifact\":\"" HASH "\",\"folder\":false,\"size\":1},null,"
                                 "{\"artifact\":\"" HASH "\",\"folder\":false,\"size\":3}]");
    harness_restart(h, 0);
    finish(h, 0, "best", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

/* Nor has one that fail_fast ended, or whose items were cancelled: not all of them were run. */
static void a_group_that_was_ended_has_no_list(void **state)
{
    struct harness *h = *state;
    struct uuid run =
        begin(h, "name: p\nsteps:\n"
                 "  train:\n"
                 "    for_each: [1, 2]\n"
                 "    allow_failure: true\n"
                 "    command: [x]\n"
                 "    outputs: {m: {}}\n"
                 "  best: {command: [x], rule: all_done, inputs: {models: train.m}}\n");
    finish_nth(h, "train/train", 0, SUCCEEDED, FILE_OF(1));
    finish_nth(h, "train/train", 1, FAILED, NULL);
    assert_null(order_of(h, ORDER_KIND_START, "best"));
    assert_string_equal(run_is(h, run), "failed");
}

/* A skipped item, and an output that need not be written: null at their places. */
static void what_is_not_there_is_null(void **state)
{
    struct harness *h = *state;
    begin(h, "name: p\nsteps:\n"
             "  train:\n"
             "    for_each: [1, 2, 3]\n"
             "    when: item != 2\n"
             "    command: [x]\n"
             "    outputs: {m: {optional: true}}\n"
             "  best: {command: [x], inputs: {models: train.m}}\n");
    finish_nth(h, "train/train", 0, SUCCEEDED, "{}");
    finish_nth(h, "train/train", 1, SUCCEEDED, FILE_OF(3));
    list_is(input_of(h, "best"),
            "[null,null,{\"artifact\":\"" HASH "\",\"folder\":false,\"size\":3}]");
}

static const char NESTED[] = "name: p\nsteps:\n"
                             "  city:\n"
                             "    for_each: [1, 2]\n"
                             "    as: city\n"
                             "    steps:\n"
                             "      year:\n"
                             "        for_each: \"${{ city == 1 ? [1, 2] : [] }}\"\n"
                             "        as: year\n"
                             "        command: [x]\n"
                             "        outputs: {m: {}}\n"
                             "      near: {command: [x], inputs: {models: year.m}}\n"
                             "    outputs: {m: year.m}\n"
                             "  best: {command: [x], inputs: {models: city.m}}\n";

static void lists_of_lists(void **state)
{
    struct harness *h = *state;
    begin(h, NESTED);
    list_is(input_of(h, "city/near"), "[]"); /* the second city's, whose years are none */
    assert_int_equal(input_of(h, "city/near")->of->iteration, 2);
    finish(h, 0, "city/near", SUCCEEDED, "{}");
    finish_nth(h, "city/year/year", 0, SUCCEEDED, FILE_OF(1));
    finish_nth(h, "city/year/year", 1, SUCCEEDED, FILE_OF(2));
    assert_int_equal(input_of(h, "city/near")->of->iteration, 1);
    finish(h, 0, "city/near", SUCCEEDED, "{}");
    list_is(input_of(h, "best"),
            "[[{\"artifact\":\"" HASH "\",\"folder\":false,\"size\":1},{\"artifact\":\"" HASH
            "\",\"folder\":false,\"size\":2}],[]]");
}

/* An older worker would not know what to do with it. */
static void it_waits_for_a_worker_that_can(void **state)
{
    struct harness *h = *state;
    harness_apply(h, EACH);
    h->older[0] = true;
    harness_hello(h, 0, 1000, NULL, 0);
    harness_run(h, "p", 1);
    for (size_t i = 0; i < 3; i++)
        finish_nth(h, "train/train", i, SUCCEEDED, FILE_OF(1));
    assert_null(order_of(h, ORDER_KIND_START, "best"));
    harness_hello(h, 1, 1, NULL, 0);
    assert_non_null(order_of(h, ORDER_KIND_START, "best"));
}

/* A list of values is a file with its text, which any worker can read. */
static void a_list_of_values_is_a_value(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n"
                     "  train: {for_each: [1, 2], command: [x], outputs: {n: {type: integer}}}\n"
                     "  best: {command: [x], inputs: {all: train.n}}\n");
    h->older[0] = true;
    harness_hello(h, 0, 1000, NULL, 0);
    harness_run(h, "p", 1);
    finish_nth(h, "train/train", 0, SUCCEEDED, "{\"n\": 4}");
    finish_nth(h, "train/train", 1, SUCCEEDED, "{\"n\": 5}");
    const struct order_input *in = input_of(h, "best");
    assert_null(in->of);
    cleanup_free char *text = json_write(in->value);
    assert_string_equal(text, "[4,5]");
}

/* Ten thousand: the order says where they are. */
static void a_long_list_stays_where_it_is(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nparams: {all: {type: json}}\nsteps:\n"
                     "  train: {for_each: \"${{ params.all }}\", command: [x], outputs: {m: {}}}\n"
                     "  best: {command: [x], inputs: {models: train.m}}\n");
    harness_hello(h, 0, 20000, NULL, 0);
    json_t *all = json_array();
    for (int i = 0; i < IR_ITEMS_MAX; i++)
        json_array_append_new(all, json_integer(i));
    json_t *params = json_pack("{s:o}", "all", all);
    harness_command(
        h,
        (struct command){
            .kind = COMMAND_KIND_RUN, .run = id_of(1), .pipeline = "p", .params = params},
        false);
    json_decref(params);
    for (size_t i = 0, seen = h->order_count; i < seen; i++)
        if (h->orders[i].kind == ORDER_KIND_START)
            harness_finished(h, 0, &h->orders[i], SUCCEEDED, FILE_OF(7));
    harness_settle(h);
    const struct order_input *in = input_of(h, "best");
    assert_null(in->list);
    assert_int_equal(in->of->step, 0);
    assert_string_equal(in->of->output, "m");
    assert_int_equal(json_array_size(json_object_get(row_of_result(h, id_of(1), 0)->outputs, "m")),
                     IR_ITEMS_MAX);
}

/* Some lists that fit alone do not fit together. */
static void lists_that_do_not_fit_together(void **state)
{
    struct harness *h = *state;
    struct text yaml = {0};
    text_puts(&yaml, "name: p\nsteps:\n  train:\n    for_each: [");
    for (int i = 0; i < 900; i++)
        text_printf(&yaml, "%s%d", i ? ", " : "", i);
    text_puts(&yaml, "]\n    command: [x]\n    outputs: {m: {}}\n"
                     "  best: {command: [x], inputs: {a: train.m, b: train.m, c: train.m}}\n");
    begin(h, yaml.data);
    text_free(&yaml);
    for (size_t i = 0, seen = h->order_count; i < seen; i++)
        if (h->orders[i].kind == ORDER_KIND_START)
            harness_finished(h, 0, &h->orders[i], SUCCEEDED, FILE_OF(7));
    harness_settle(h);
    const struct order *o = order_of(h, ORDER_KIND_START, "best");
    assert_non_null(o);
    assert_int_equal(o->start->inputs_count, 3);
    for (int i = 0; i < 3; i++) {
        assert_null(o->start->inputs[i].list);
        assert_non_null(o->start->inputs[i].of);
    }
}

/* Four megabytes, and not an element more. */
static void what_is_collected_is_bounded(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps:\n"
                               "  train: {for_each: [1, 2, 3, 4, 5], parallelism: 1, steps: {a: "
                               "{command: [x], outputs: {m: {}}}}, outputs: {m: a.m}}\n");
    char *long_name = mem_alloc((1 << 20) + 1);
    memset(long_name, 'x', 1 << 20);
    json_t *outputs = json_pack("{s:{s:s, s:s}}", "m", "artifact", HASH, "more", long_name);
    cleanup_free char *text = json_write(outputs);
    json_decref(outputs);
    free(long_name);
    for (int i = 0; i < 4; i++)
        finish(h, 0, "train/a", SUCCEEDED, text);
    assert_string_equal(run_is(h, run), "failed");
    assert_non_null(strstr(row_of_result(h, run, 0)->reason, "over 4194304 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_rides_in_the_order, harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(a_failed_item_is_null_in_its_list, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(a_group_that_was_ended_has_no_list, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_null, harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(lists_of_lists, harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(it_waits_for_a_worker_that_can, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(a_list_of_values_is_a_value, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(a_long_list_stays_where_it_is, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(lists_that_do_not_fit_together, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(what_is_collected_is_bounded, harness_setup,
                                        harness_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

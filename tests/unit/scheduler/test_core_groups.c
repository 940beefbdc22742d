/* Steps that are DAGs: groups, switch, for_each, loop, finally, rules; and their limits. */
#include "tests/unit/scheduler/groups_harness.h"

/* ---- shapes -------------------------------------------------------------------------------- */

static void a_group_gives_what_its_steps_gave(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\n"
                               "steps:\n"
                               "  g:\n"
                               "    steps: {a: {command: [a], outputs: {n: {type: integer}}}}\n"
                               "    outputs: {n: a.n}\n"
                               "  b: {command: [b, \"${{ steps.g.outputs.n }}\"]}\n");
    assert_string_equal(step_is(h, run, 0), "running");
    finish(h, 0, "g/a", SUCCEEDED, "{\"n\": 4}");
    outputs_are(h, run, 0, "{\"n\":4}");
    assert_string_equal(order_of(h, ORDER_KIND_START, "b")->start->argv[1], "4");
    finish(h, 0, "b", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    assert_int_equal(stats_of(h).live_steps, 0);
}

static void items_run_in_order_as_far_as_parallelism_goes(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\n"
                               "steps:\n"
                               "  e:\n"
                               "    for_each: [x, y, z]\n"
                               "    parallelism: 2\n"
                               "    command: [e, \"${{ item }}\", \"${{ index }}\"]\n"
                               "    outputs: {n: {type: integer}}\n");
    assert_int_equal(starts_of(h, "e/e"), 2);
    finish_nth(h, "e/e", 1, SUCCEEDED, "{\"n\": 1}");
    assert_int_equal(starts_of(h, "e/e"), 3);
    assert_string_equal(order_of(h, ORDER_KIND_START, "e/e")->start->argv[1], "z");
    assert_string_equal(order_of(h, ORDER_KIND_START, "e/e")->start->argv[2], "2");
    finish_nth(h, "e/e", 2, SUCCEEDED, "{\"n\": 2}");
    finish_nth(h, "e/e", 0, SUCCEEDED, "{\"n\": 0}");
    outputs_are(h, run, 0, "{\"n\":[0,1,2]}");
    assert_string_equal(run_is(h, run), "succeeded");
}

static void the_first_failed_item_cancels_the_others(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps:\n  e: {for_each: [1, 2, 3], command: [e]}\n");
    finish_nth(h, "e/e", 1, FAILED, NULL);
    assert_string_equal(step_is(h, run, 0), "cancelling");
    assert_int_equal(orders_of(h, ORDER_KIND_CANCEL), 2);
    finish_nth(h, "e/e", 0, REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    finish_nth(h, "e/e", 2, REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    reason_has(h, run, 0, "item 1: step e/e failed");
    assert_string_equal(run_is(h, run), "failed");
}

static void without_fail_fast_all_items_run(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\n"
                               "steps:\n"
                               "  e: {for_each: [1, 2], fail_fast: false, allow_failure: true,\n"
                               "      steps: {a: {command: [a]}}}\n"
                               "  after: {command: [b], needs: e, rule: all_done,\n"
                               "          when: steps.e.state == \"failed\"}\n");
    finish_nth(h, "e/a", 0, FAILED, NULL);
    assert_string_equal(step_is(h, run, 0), "running");
    finish_nth(h, "e/a", 1, SUCCEEDED, NULL);
    assert_string_equal(step_is(h, run, 0), "failed");
    finish(h, 0, "after", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void an_empty_list_succeeds(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\n"
                               "params: {all: {type: json, default: []}}\n"
                               "steps:\n"
                               "  e: {for_each: \"${{ params.all }}\", command: [e],\n"
                               "      outputs: {n: {type: integer}}}\n");
    outputs_are(h, run, 0, "{\"n\":[]}");
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_switch_takes_the_first_branch_that_holds(void **state)
{
    struct harness *h = *state;
    struct uuid run =
        begin(h, "name: p\n"
                 "steps:\n"
                 "  a: {command: [a], outputs: {n: {type: integer}}}\n"
                 "  s:\n"
                 "    switch:\n"
                 "      - {when: steps.a.outputs.n > 5, steps: {big: {command: [b]}}}\n"
                 "      - {when: steps.a.outputs.n > 2, steps: {mid: {command: [m]}}}\n"
                 "  t: {switch: [{when: steps.a.outputs.n > 9, steps: {x: {command: [x]}}}]}\n");
    finish(h, 0, "a", SUCCEEDED, "{\"n\": 3}");
    assert_int_equal(starts_of(h, "s/big"), 0);
    finish(h, 0, "s/mid", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    size_t skipped = 0;
    for (size_t i = 0; i < h->rows->results_count; i++)
        skipped += h->rows->results[i].state == STEP_SKIPPED;
    assert_int_equal(skipped, 1); /* t */
}

static const char LOOP[] =
    "name: p\n"
    "steps:\n"
    "  l:\n"
    "    loop: {until: outputs.n > 5, max: 3, delay: 10s}\n"
    "    command: [l, \"${{ loop.index }}\", \"${{ default(loop.previous.n, 0) }}\"]\n"
    "    outputs: {n: {type: integer}}\n";

static void a_loop_goes_on_until_its_condition_holds(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, LOOP);
    finish_nth(h, "l/l", 0, SUCCEEDED, "{\"n\": 2}");
    assert_int_equal(starts_of(h, "l/l"), 1); /* its delay */
    pass(h, 10 * US_PER_S);
    assert_int_equal(starts_of(h, "l/l"), 2);
    assert_string_equal(order_of(h, ORDER_KIND_START, "l/l")->start->argv[1], "1");
    assert_string_equal(order_of(h, ORDER_KIND_START, "l/l")->start->argv[2], "2");
    finish_nth(h, "l/l", 1, SUCCEEDED, "{\"n\": 7}");
    outputs_are(h, run, 0, "{\"n\":7}");
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_loop_that_never_holds_fails(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, LOOP);
    for (size_t round = 0; round < 3; round++) {
        finish_nth(h, "l/l", round, SUCCEEDED, "{\"n\": 1}");
        pass(h, 10 * US_PER_S);
    }
    reason_has(h, run, 0, "did not hold after 3 rounds");
    assert_string_equal(run_is(h, run), "failed");
}

static const char STEADY[] =
    "name: p\n"
    "steps:\n"
    "  l:\n"
    "    loop: {until: \"outputs.n == default(loop.previous.n, -1)\", max: 5}\n"
    "    command: [l]\n"
    "    outputs: {n: {type: integer}}\n";

static void until_sees_the_round_before(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, STEADY);
    finish_nth(h, "l/l", 0, SUCCEEDED, "{\"n\": 4}");
    finish_nth(h, "l/l", 1, SUCCEEDED, "{\"n\": 2}");
    finish_nth(h, "l/l", 2, SUCCEEDED, "{\"n\": 4}");
    harness_restart(h, 0);
    harness_settle(h);
    finish_nth(h, "l/l", 3, SUCCEEDED, "{\"n\": 4}");
    outputs_are(h, run, 0, "{\"n\":4}");
    assert_string_equal(run_is(h, run), "succeeded");
}

/* What is left of the delay, not all of it, and the round's own previous value. */
static void a_takeover_between_rounds(void **state)
{
    struct harness *h = *state;
    begin(h, LOOP);
    finish_nth(h, "l/l", 0, SUCCEEDED, "{\"n\": 3}");
    pass(h, 6 * US_PER_S);
    harness_restart(h, 0);
    harness_settle(h);
    assert_int_equal(starts_of(h, "l/l"), 1);
    pass(h, 4 * US_PER_S);
    assert_int_equal(starts_of(h, "l/l"), 2);
    assert_string_equal(order_of(h, ORDER_KIND_START, "l/l")->start->argv[2], "3");
}

static void a_takeover_counts_each_item_once(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\n"
                               "steps:\n"
                               "  e:\n"
                               "    for_each: [1, 2, 3, 4]\n"
                               "    parallelism: 2\n"
                               "    command: [e, \"${{ item }}\"]\n"
                               "    outputs: {n: {type: integer}}\n");
    finish_nth(h, "e/e", 0, SUCCEEDED, "{\"n\": 1}");
    harness_restart(h, 0);
    harness_settle(h);
    assert_int_equal(starts_of(h, "e/e"), 3);
    for (size_t i = 1; i < 4; i++) {
        char text[32];
        snprintf(text, sizeof text, "{\"n\": %zu}", i + 1);
        finish_nth(h, "e/e", i, SUCCEEDED, text);
        harness_restart(h, 0);
        harness_settle(h);
    }
    outputs_are(h, run, 0, "{\"n\":[1,2,3,4]}");
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_group_is_tried_again_as_a_whole(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\n"
                               "steps:\n"
                               "  g: {steps: {a: {command: [a]}, b: {command: [b], needs: a}},\n"
                               "      retry: {attempts: 2, backoff: {first: 4s}}}\n");
    finish(h, 0, "g/a", SUCCEEDED, NULL);
    finish(h, 0, "g/b", FAILED, NULL);
    assert_string_equal(step_is(h, run, 0), "waiting");
    harness_restart(h, 0);
    pass(h, 4 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "running");
    finish(h, 0, "g/a", SUCCEEDED, NULL);
    finish(h, 0, "g/b", SUCCEEDED, NULL);
    assert_int_equal(starts_of(h, "g/a"), 2);
    assert_int_equal(result(h, run, 0)->attempt, 2);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_group_has_a_timeout(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps:\n  g: {steps: {a: {command: [a]}}, timeout: 8s}\n");
    pass(h, 8 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "cancelling");
    harness_restart(h, 0);
    finish(h, 0, "g/a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    reason_has(h, run, 0, "timed out after 8 s");
    assert_string_equal(run_is(h, run), "failed");
}

/* ---- rules and finally --------------------------------------------------------------------- */

static void rules_judge_needs_that_are_over(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\n"
                               "steps:\n"
                               "  a: {command: [a], allow_failure: true}\n"
                               "  b: {command: [b]}\n"
                               "  c: {command: [c], needs: [a, b], rule: any_failed}\n"
                               "  d: {command: [d], needs: [a, b], rule: any_succeeded}\n"
                               "  e: {command: [e], needs: [a, b], rule: none_failed}\n"
                               "  f: {command: [f], needs: [a, b]}\n"
                               "  g: {command: [g], needs: b, rule: any_failed}\n");
    finish(h, 0, "a", FAILED, NULL);
    assert_int_equal(starts_of(h, "c"), 0); /* b is not over */
    finish(h, 0, "b", SUCCEEDED, NULL);
    finish(h, 0, "c", SUCCEEDED, NULL);
    finish(h, 0, "d", SUCCEEDED, NULL);
    assert_string_equal(step_is(h, run, 4), "upstream_failed");
    assert_string_equal(step_is(h, run, 5), "upstream_failed");
    assert_string_equal(step_is(h, run, 6), "skipped");
    assert_string_equal(run_is(h, run), "succeeded"); /* what failed was allowed to */
}

static const char FINALLY[] = "name: p\n"
                              "steps: {a: {command: [a]}}\n"
                              "finally: {tell: {command: [tell, \"${{ outcome.state }}\", \"${{ "
                              "outcome.reason }}\"]}}\n"
                              "finally_timeout: 20s\n";

static void finally_runs_after_success_and_failure(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, FINALLY);
    assert_int_equal(starts_of(h, "tell"), 0);
    finish(h, 0, "a", FAILED, NULL);
    assert_string_equal(order_of(h, ORDER_KIND_START, "tell")->start->argv[1], "failed");
    assert_string_equal(order_of(h, ORDER_KIND_START, "tell")->start->argv[2],
                        "step a failed: exit code 3");
    finish(h, 0, "tell", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "failed");
}

/* What they are told is how the work went: the same whichever of them is first, and for a leader
 * that takes over. */
static void finally_steps_are_not_told_of_each_other(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\n"
                               "steps: {a: {command: [a]}}\n"
                               "finally:\n"
                               "  tidy: {command: [tidy]}\n"
                               "  tell: {command: [tell, \"${{ outcome.state }}\", \"${{ "
                               "outcome.reason }}\"], needs: tidy, rule: all_done}\n");
    finish(h, 0, "a", SUCCEEDED, NULL);
    finish(h, 0, "tidy", FAILED, NULL);
    assert_string_equal(order_of(h, ORDER_KIND_START, "tell")->start->argv[1], "succeeded");
    assert_string_equal(order_of(h, ORDER_KIND_START, "tell")->start->argv[2], "");
    harness_restart(h, 0);
    harness_settle(h);
    finish(h, 0, "tell", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "failed");
    assert_string_equal(row_of_run(h, run)->reason, "step tidy failed: exit code 3");
}

/* It has 20 s together; a takeover goes on with the wall time gone by. */
static void finally_goes_on_with_its_time_after_a_takeover(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, FINALLY);
    finish(h, 0, "a", SUCCEEDED, NULL);
    pass(h, 6 * US_PER_S);
    harness_restart(h, 6 * US_PER_S);
    harness_settle(h);
    pass(h, 6 * US_PER_S);
    assert_int_equal(orders_of(h, ORDER_KIND_CANCEL), 0);
    harness_restart(h, US_PER_S);
    harness_settle(h);
    assert_int_equal(orders_of(h, ORDER_KIND_CANCEL), 0);
    pass(h, 2 * US_PER_S);
    assert_int_equal(orders_of(h, ORDER_KIND_CANCEL), 1);
    finish(h, 0, "tell", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, run), "failed");
}

/* A clock that jumped ends it at once, one that went back gives it all of its time again, never
 * more. */
static void finally_is_held_to_its_time(void **state)
{
    struct harness *h = *state;
    begin(h, FINALLY);
    finish(h, 0, "a", SUCCEEDED, NULL);
    harness_restart(h, -3600 * US_PER_S);
    harness_settle(h);
    pass(h, 18 * US_PER_S);
    assert_int_equal(orders_of(h, ORDER_KIND_CANCEL), 0);
    pass(h, 4 * US_PER_S);
    assert_int_equal(orders_of(h, ORDER_KIND_CANCEL), 1);
}

static void finally_runs_after_a_cancel(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, FINALLY);
    harness_cancel(h, run);
    assert_int_equal(starts_of(h, "tell"), 0);
    finish(h, 0, "a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(order_of(h, ORDER_KIND_START, "tell")->start->argv[1], "cancelled");
    harness_restart(h, 0);
    harness_settle(h);
    assert_int_equal(starts_of(h, "tell"), 1);
    finish(h, 0, "tell", FAILED, NULL);
    assert_string_equal(run_is(h, run), "cancelled");
}

static void finally_has_its_own_time(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, FINALLY);
    finish(h, 0, "a", SUCCEEDED, NULL);
    pass(h, 20 * US_PER_S);
    assert_int_equal(orders_of(h, ORDER_KIND_CANCEL), 1);
    finish(h, 0, "tell", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, run), "failed");
    assert_non_null(strstr(row_of_run(h, run)->reason, "its time was up"));
}

static void a_cancel_goes_into_groups(void **state)
{
    struct harness *h = *state;
    struct uuid run =
        begin(h, "name: p\n"
                 "steps:\n"
                 "  e: {for_each: [1, 2, 3], parallelism: 1, as: x, steps: {\n"
                 "      g: {steps: {a: {command: [a]}}, finally: {z: {command: [z]}}}}}\n");
    harness_cancel(h, run);
    finish(h, 0, "e/g/a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_int_equal(starts_of(h, "e/g/a"), 1);
    finish(h, 0, "e/g/z", SUCCEEDED, NULL);
    assert_string_equal(step_is(h, run, 0), "cancelled");
    assert_string_equal(run_is(h, run), "cancelled");
}

/* ---- limits -------------------------------------------------------------------------------- */

static struct uuid run_with(struct harness *h, json_t *items, int byte)
{
    json_t *params = json_pack("{s:o}", "all", items);
    harness_command(
        h,
        (struct command){
            .kind = COMMAND_KIND_RUN, .run = id_of(byte), .pipeline = "p", .params = params},
        false);
    json_decref(params);
    return id_of(byte);
}

static json_t *items_of(size_t count, const char *text)
{
    json_t *items = json_array();
    while (json_array_size(items) < count)
        json_array_append_new(items, text ? json_string(text) : json_integer(1));
    return items;
}

static const char EACH[] = "name: p\n"
                           "params: {all: {type: json, default: []}}\n"
                           "steps:\n"
                           "  e: {for_each: \"${{ params.all }}\", parallelism: 1, command: [e],\n"
                           "      outputs: {t: {type: string}}}\n";

static void ten_thousand_items_and_not_one_more(void **state)
{
    struct harness *h = *state;
    harness_apply(h, EACH);
    struct uuid fits = run_with(h, items_of(10000, NULL), 1);
    assert_string_equal(step_is(h, fits, 0), "running");
    assert_int_equal(stats_of(h).live_steps,
                     2); /* the group and one item: the others cost nothing */
    struct uuid over = run_with(h, items_of(10001, NULL), 2);
    reason_has(h, over, 0, "10001 items, and the limit is 10000");
}

static void what_is_collected_is_bounded(void **state)
{
    struct harness *h = *state;
    char value[60000], outputs[60100];
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    snprintf(outputs, sizeof outputs, "{\"t\": \"%s\"}", value);
    harness_apply(h, EACH);
    harness_hello(h, 0, 4, NULL, 0);
    struct uuid run = run_with(h, items_of(6, NULL), 1);
    for (size_t i = 0; i < 4; i++)
        finish_nth(h, "e/e", i, SUCCEEDED, outputs);
    assert_string_equal(step_is(h, run, 0), "running");
    finish_nth(h, "e/e", 4, SUCCEEDED, outputs);
    reason_has(h, run, 0, "output t: what was collected is over 262144 bytes");
    assert_int_equal(starts_of(h, "e/e"), 5);
    assert_string_equal(run_is(h, run), "failed");
}

static void a_run_has_a_bounded_number_of_live_steps(void **state)
{
    struct harness *h = *state;
    struct text yaml = {0};
    h->mirror = false;
    text_puts(&yaml, "name: p\nparams: {all: {type: json, default: []}}\nsteps:\n"
                     "  e:\n    for_each: \"${{ params.all }}\"\n    steps:\n");
    for (int i = 0; i < 11; i++)
        text_printf(&yaml, "      s%d: {command: [x]}\n", i);
    harness_apply(h, yaml.data);
    text_free(&yaml);
    run_with(h, items_of(9090, NULL), 1); /* 1 + 9090 x 11 */
    assert_int_equal(stats_of(h).live_steps, 99991);
    run_with(h, items_of(9091, NULL), 2); /* 100,002 */
    assert_int_equal(stats_of(h).live_steps, 99991);
    assert_int_equal(stats_of(h).live_runs, 1);
    core_check(h->core);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        T(a_group_gives_what_its_steps_gave),
        T(items_run_in_order_as_far_as_parallelism_goes),
        T(the_first_failed_item_cancels_the_others),
        T(without_fail_fast_all_items_run),
        T(an_empty_list_succeeds),
        T(a_switch_takes_the_first_branch_that_holds),
        T(a_loop_goes_on_until_its_condition_holds),
        T(a_loop_that_never_holds_fails),
        T(until_sees_the_round_before),
        T(a_takeover_between_rounds),
        T(a_takeover_counts_each_item_once),
        T(a_group_is_tried_again_as_a_whole),
        T(a_group_has_a_timeout),
        T(rules_judge_needs_that_are_over),
        T(finally_runs_after_success_and_failure),
        T(finally_steps_are_not_told_of_each_other),
        T(finally_goes_on_with_its_time_after_a_takeover),
        T(finally_is_held_to_its_time),
        T(finally_runs_after_a_cancel),
        T(finally_has_its_own_time),
        T(a_cancel_goes_into_groups),
        T(ten_thousand_items_and_not_one_more),
        T(what_is_collected_is_bounded),
        T(a_run_has_a_bounded_number_of_live_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How groups and the DAGs in them come to an end that is not the usual one: limits, stops that
 * cross, time that is up across a takeover, rows that do not belong together. */
#include "tests/unit/scheduler/groups_harness.h"

/* ---- time ---------------------------------------------------------------------------------- */

static const char SLOW[] = "name: p\nsteps:\n  g: {timeout: 10s, steps: {a: {command: [a]}}}\n";

/* Never more than the whole, whatever the wall clock says. */
static void a_timeout_goes_on_after_a_takeover(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, SLOW);
    harness_restart(h, -3600 * US_PER_S);
    pass(h, 9 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "running");
    pass(h, 2 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "cancelling");
    finish(h, 0, "g/a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    reason_has(h, run, 0, "timed out after 10 s");
    assert_string_equal(run_is(h, run), "failed");
}

static void a_timeout_that_passed_meanwhile_is_due_at_once(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, SLOW);
    harness_restart(h, 3600 * US_PER_S);
    harness_settle(h);
    assert_string_equal(step_is(h, run, 0), "cancelling");
}

/* Between two rounds, as anywhere: never more than the whole. */
static void a_delay_goes_on_after_a_takeover(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps:\n"
                               "  l: {loop: {until: \"loop.index > 0\", max: 3, delay: 10s}, "
                               "command: [a]}\n");
    finish(h, 0, "l/l", SUCCEEDED, NULL);
    harness_restart(h, -3600 * US_PER_S);
    harness_settle(h);
    const size_t before = orders_of(h, ORDER_KIND_START);
    pass(h, 8 * US_PER_S);
    assert_int_equal(orders_of(h, ORDER_KIND_START), before);
    pass(h, 4 * US_PER_S);
    assert_int_equal(orders_of(h, ORDER_KIND_START), before + 1);
    finish(h, 0, "l/l", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void items_that_cannot_be_evaluated_fail(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps:\n"
                               "  e: {for_each: \"${{ event.data.items }}\", command: [e]}\n");
    reason_has(h, run, 0, "for_each: ");
    assert_string_equal(run_is(h, run), "failed");
}

static void none_that_succeeded_and_none_that_failed_skips(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps:\n"
                               "  a: {command: [a], when: \"false\"}\n"
                               "  b: {command: [b], needs: a, rule: any_succeeded}\n");
    assert_string_equal(step_is(h, run, 1), "skipped");
    reason_has(h, run, 1, "step a is skipped");
    assert_string_equal(run_is(h, run), "succeeded");
}

/* The time of finally steps is up while the cancel is still going through a large DAG. */
static void a_stop_that_is_not_through_begins_anew(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nfinally_timeout: 1s\nsteps: {a: {command: [a]}, b: {command: [b]}}\n"
                     "finally: {f: {command: [f]}}\n");
    struct uuid run = harness_run(h, "p", 1);
    h->config.batch_rows = 4; /* two rows of results a look */
    harness_restart(h, 0);
    harness_settle(h);
    struct command cancel = {.v = 1, .kind = COMMAND_KIND_CANCEL, .id = id_of(9), .run = run};
    core_command(h->core, &cancel, false, &h->now, h->out);
    harness_turn(h);
    assert_string_equal(step_is(h, run, 1), "cancelled");
    assert_int_equal(core_deadline(h->core), 0); /* it is not through */
    harness_pass(h, 2 * US_PER_S);
    assert_string_equal(step_is(h, run, 2), "cancelled");
    assert_string_equal(run_is(h, run), "cancelled");
}

/* ---- limits -------------------------------------------------------------------------------- */

/* {NAME: a text of `len` bytes} */
static char *text_output(const char *name, size_t len)
{
    char *value = mem_alloc(len + 1);
    memset(value, 'x', len);
    char *outputs = mem_printf("{\"%s\": \"%s\"}", name, value);
    free(value);
    return outputs;
}

/* Its time was up, and what its steps gave all the same is too much: the first reason counts. */
static void the_first_reason_to_fail_counts(void **state)
{
    struct harness *h = *state;
    struct uuid run =
        begin(h, "name: p\nsteps:\n"
                 "  e: {for_each: [1, 2, 3, 4, 5], timeout: 10s, steps: {a: {command: "
                 "[a], outputs: {t: {type: string}}}}, outputs: {t: a.t}}\n");
    cleanup_free char *much = text_output("t", 60000);
    pass(h, 11 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "cancelling");
    for (size_t i = 0; i < 5; i++)
        finish_nth(h, "e/a", i, SUCCEEDED, much);
    reason_has(h, run, 0, "timed out after 10 s");
    assert_string_equal(run_is(h, run), "failed");
}

/* A list that is as large as a list may be, and a loop of which it is one round's output: with its
 * brackets it is too large there. */
static void what_a_round_gives_is_bounded_too(void **state)
{
    struct harness *h = *state;
    struct uuid run =
        begin(h, "name: p\nsteps:\n"
                 "  l:\n    loop: {until: \"true\", max: 3}\n    steps:\n"
                 "      e: {for_each: [1, 2, 3, 4], command: [a], outputs: {t: {type: "
                 "string}}}\n"
                 "    outputs: {t: e.t}\n");
    cleanup_free char *quarter = text_output("t", 65536 - 3); /* with quotes and a comma */
    for (size_t i = 0; i < 4; i++)
        finish_nth(h, "l/e/e", i, SUCCEEDED, quarter);
    assert_string_equal(machine_state_name(&MACHINE_STEP, result_of_instance(h, run, 1, 1)->state),
                        "succeeded");
    reason_has(h, run, 0, "output t: what was collected is over 262144 bytes");
    assert_string_equal(run_is(h, run), "failed");
}

/* Turns until nothing is due; is that said of some step? Rows are not kept: there are too many. */
static bool is_said(struct harness *h, const char *part)
{
    bool found = false;
    do {
        core_turn(h->core, &h->now, h->out);
        for (size_t i = 0; i < h->out->results_count; i++)
            found |= strstr(h->out->results[i].reason, part) != NULL;
        h->out->tx_seq++;
        batch_clear(h->out);
    } while (core_deadline(h->core) <= h->now.mono_us);
    return found;
}

static void a_group_that_finds_no_room_in_its_run_fails(void **state)
{
    struct harness *h = *state;
    cleanup_text struct text yaml = {0};
    text_puts(&yaml, "name: p\nparams: {all: {type: json}}\nsteps:\n"
                     "  e:\n    for_each: \"${{ params.all }}\"\n    steps:\n"
                     "      g:\n        steps:\n");
    for (int i = 0; i < 100; i++)
        text_printf(&yaml, "          s%d: {command: [x]}\n", i);
    harness_apply(h, yaml.data);
    json_t *all = json_array();
    for (int i = 0; i < 1000; i++)
        json_array_append_new(all, json_integer(i));
    json_t *params = json_pack("{s:o}", "all", all);
    struct command c = {.v = 1,
                        .kind = COMMAND_KIND_RUN,
                        .id = id_of(9),
                        .run = id_of(1),
                        .pipeline = "p",
                        .params = params};
    core_command(h->core, &c, false, &h->now, h->out);
    json_decref(params);
    assert_true(is_said(h, "the run would have more than 100000 live steps"));
    assert_int_equal(stats_of(h).live_runs, 0);
}

/* Whatever its worker let through. */
static void a_list_of_items_is_bounded_in_bytes(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps:\n"
                               "  a: {command: [a], outputs: {d: {}}}\n"
                               "  e: {for_each: {from: a.d}, command: [e]}\n");
    char *value = mem_alloc(IR_ITEMS_BYTES_MAX - 3); /* with quotes and brackets: one too many */
    memset(value, 'x', IR_ITEMS_BYTES_MAX - 4);
    cleanup_free char *outputs =
        mem_printf("{\"d\": {\"artifact\": \"x\", \"folder\": true, \"names\": [\"%sx\"]}}", value);
    free(value);
    finish(h, 0, "a", SUCCEEDED, outputs);
    reason_has(h, run, 1, "items of 262145 bytes, and the limit is 262144");
}

/* The limit is that of the items, not the smaller one of a text. */
static void items_that_are_computed_have_the_same_bound(void **state)
{
    struct harness *h = *state;
    struct uuid run =
        begin(h, "name: p\nsteps:\n"
                 "  a: {command: [a], outputs: {d: {type: json}}}\n"
                 "  e: {for_each: \"${{ steps.a.outputs.d + steps.a.outputs.d + "
                 "steps.a.outputs.d + steps.a.outputs.d }}\", command: [e]}\n"
                 "  f: {for_each: \"${{ steps.a.outputs.d.map(i, i + i + i + i + i) }}\","
                 " command: [f]}\n");
    char *value = mem_alloc(60001);
    memset(value, 'x', 60000);
    cleanup_free char *outputs = mem_printf("{\"d\": [\"%s\"]}", value);
    free(value);
    finish(h, 0, "a", SUCCEEDED, outputs);
    assert_string_equal(step_is(h, run, 1), "running");
    reason_has(h, run, 3, "items of 300004 bytes, and the limit is 262144");
}

/* ---- rows that do not belong together ------------------------------------------------------ */

static const char AGAIN[] = "name: p\nsteps:\n"
                            "  g: {retry: {attempts: 3}, steps: {a: {command: [a]}}}\n";

static void a_run_has_a_bounded_number_of_iterations(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, AGAIN);
    finish(h, 0, "g/a", FAILED, NULL);
    assert_string_equal(step_is(h, run, 0), "waiting");
    h->rows->groups[0].first = INT32_MAX - 1; /* after some two thousand million others */
    harness_restart(h, 0);
    pass(h, 4 * US_PER_S);
    reason_has(h, run, 0, "the run has begun too many iterations");
    assert_string_equal(run_is(h, run), "failed");
}

static void one_that_was_being_stopped_for_nothing_fails(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps: {g: {steps: {a: {command: [a]}}}}\n");
    row_of_step(h, run, 0)->state = STEP_CANCELLING; /* and nothing around it is */
    harness_restart(h, 0);
    harness_settle(h);
    finish(h, 0, "g/a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    reason_has(h, run, 0, "it was being stopped, and nothing says why");
    assert_string_equal(run_is(h, run), "failed");
}

/* An older version may have left no reason. */
static void a_failure_needs_no_reason(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps: {a: {command: [a]}, b: {command: [b]}}\n");
    finish(h, 0, "a", FAILED, NULL);
    row_of_result(h, run, 0)->reason = "";
    harness_restart(h, 0);
    finish(h, 0, "b", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "failed");
    assert_string_equal(row_of_run(h, run)->reason, "step a failed");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        T(a_timeout_goes_on_after_a_takeover),
        T(a_timeout_that_passed_meanwhile_is_due_at_once),
        T(a_delay_goes_on_after_a_takeover),
        T(items_that_cannot_be_evaluated_fail),
        T(none_that_succeeded_and_none_that_failed_skips),
        T(a_stop_that_is_not_through_begins_anew),
        T(the_first_reason_to_fail_counts),
        T(what_a_round_gives_is_bounded_too),
        T(a_group_that_finds_no_room_in_its_run_fails),
        T(a_list_of_items_is_bounded_in_bytes),
        T(items_that_are_computed_have_the_same_bound),
        T(a_run_has_a_bounded_number_of_iterations),
        T(one_that_was_being_stopped_for_nothing_fails),
        T(a_failure_needs_no_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

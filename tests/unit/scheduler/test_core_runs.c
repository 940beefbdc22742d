/* Runs and steps: docs/walk.md sections 2, 3 and 5. */
#include "tests/unit/scheduler/core_harness.h"

static const char CHAIN[] = "name: chain\n"
                            "steps:\n"
                            "  a: {command: [make, a], outputs: {rmse: {type: number}}}\n"
                            "  b: {command: [use, \"${{ steps.a.outputs.rmse }}\"],\n"
                            "      when: steps.a.outputs.rmse < 1.0}\n"
                            "  c: {command: [last], needs: b}\n";

static void chain_succeeds(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CHAIN);
    harness_hello(h, 0, 2, NULL, 0);
    struct uuid run = harness_run(h, "chain", 1);
    assert_true(h->accepted);
    assert_string_equal(run_is(h, run), "running");
    assert_string_equal(row_of_run(h, run)->name, "chain-1");
    assert_string_equal(step_is(h, run, 0), "placed");
    finish(h, 0, "a", SUCCEEDED, "{\"rmse\": 0.5}");
    assert_string_equal(step_is(h, run, 0), "succeeded");
    assert_string_equal(order_of(h, ORDER_KIND_START, "b")->start->argv[1], "0.5");
    finish(h, 0, "b", SUCCEEDED, NULL);
    finish(h, 0, "c", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    assert_int_equal(stats_of(h).live_runs, 0);
    assert_int_equal(stats_of(h).placed, 0);
}

static void condition_skips_and_skip_spreads(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CHAIN);
    harness_hello(h, 0, 2, NULL, 0);
    struct uuid run = harness_run(h, "chain", 1);
    finish(h, 0, "a", SUCCEEDED, "{\"rmse\": 2.5}");
    assert_string_equal(step_is(h, run, 1), "skipped");
    assert_string_equal(step_is(h, run, 2), "skipped");
    assert_string_equal(run_is(h, run), "succeeded");
}

static void condition_that_cannot_be_said_fails(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CHAIN);
    harness_hello(h, 0, 2, NULL, 0);
    struct uuid run = harness_run(h, "chain", 1);
    finish(h, 0, "a", SUCCEEDED, "{}");
    assert_string_equal(step_is(h, run, 1), "failed");
    assert_non_null(strstr(row_of_result(h, run, 1)->reason, "when: "));
    assert_string_equal(step_is(h, run, 2), "upstream_failed");
    assert_string_equal(run_is(h, run), "failed");
}

static void failure_spreads(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CHAIN);
    harness_hello(h, 0, 2, NULL, 0);
    struct uuid run = harness_run(h, "chain", 1);
    finish(h, 0, "a", FAILED, NULL);
    assert_string_equal(step_is(h, run, 0), "failed");
    assert_string_equal(row_of_result(h, run, 0)->reason, "exit code 3");
    assert_string_equal(step_is(h, run, 1), "upstream_failed");
    assert_string_equal(step_is(h, run, 2), "upstream_failed");
    assert_string_equal(run_is(h, run), "failed");
    assert_string_equal(row_of_run(h, run)->reason, "step a failed: exit code 3");
}

static void started_and_finished_in_one_batch_leave_no_row(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CHAIN);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "chain", 1);
    size_t rows = h->step_rows;
    struct order *o = order_of(h, ORDER_KIND_START, "a");
    harness_started(h, 0, o);
    harness_finished(h, 0, o, FAILED, NULL);
    harness_settle(h);
    assert_int_equal(h->step_rows, rows);
    assert_string_equal(run_is(h, run), "failed");
}

static void started_writes_running(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CHAIN);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "chain", 1);
    harness_started(h, 0, order_of(h, ORDER_KIND_START, "a"));
    harness_settle(h);
    assert_string_equal(step_is(h, run, 0), "running");
}

static void waits_for_capacity_in_order(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n  only: {command: [x]}\n");
    struct uuid first = harness_run(h, "p", 1);
    h->now.wall_us++;
    struct uuid second = harness_run(h, "p", 2);
    assert_int_equal(stats_of(h).ready, 2);
    harness_hello(h, 0, 1, NULL, 0);
    assert_string_equal(step_is(h, first, 0), "placed");
    assert_string_equal(step_is(h, second, 0), "-");
    finish(h, 0, "only", SUCCEEDED, NULL);
    assert_string_equal(step_is(h, second, 0), "placed");
}

static void concurrency_queues_first_in_first_out(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nconcurrency: {limit: 1}\nsteps:\n  only: {command: [x]}\n");
    harness_hello(h, 0, 8, NULL, 0);
    struct uuid runs[3];
    for (int i = 0; i < 3; i++)
        runs[i] = harness_run(h, "p", i + 1);
    assert_string_equal(run_is(h, runs[0]), "running");
    assert_string_equal(run_is(h, runs[1]), "queued");
    harness_cancel(h, runs[1]);
    assert_string_equal(run_is(h, runs[1]), "cancelled");
    finish(h, 0, "only", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, runs[0]), "succeeded");
    assert_string_equal(run_is(h, runs[2]), "running");
}

static void cancel_asks_and_ends(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CHAIN);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "chain", 1);
    harness_cancel(h, run);
    assert_string_equal(run_is(h, run), "cancelling");
    assert_string_equal(step_is(h, run, 0), "cancelling");
    assert_string_equal(step_is(h, run, 2), "cancelled");
    assert_int_equal(orders_of(h, ORDER_KIND_CANCEL), 1);
    finish(h, 0, "a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, run), "cancelled");
}

static void success_after_cancel_counts(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CHAIN);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "chain", 1);
    harness_cancel(h, run);
    finish(h, 0, "a", SUCCEEDED, "{\"rmse\": 0.5}");
    assert_string_equal(step_is(h, run, 0), "succeeded");
    assert_string_equal(run_is(h, run), "cancelled");
}

static void cancel_has_its_own_deadline(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CHAIN);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "chain", 1);
    harness_cancel(h, run);
    for (int i = 1; i <= 49; i++) { /* the worker lives and does not answer */
        harness_pass(h, 2 * US_PER_S);
        harness_heartbeat(h, 0, i);
    }
    assert_string_equal(run_is(h, run), "cancelling");
    harness_pass(h, 2 * US_PER_S);
    assert_string_equal(run_is(h, run), "cancelled");
    assert_string_equal(step_is(h, run, 0), "cancelled");
}

static void a_cancelled_attempt_keeps_its_slot_until_it_ends(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n  only: {command: [x]}\n");
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid first = harness_run(h, "p", 1), second = harness_run(h, "p", 2);
    harness_cancel(h, first);
    assert_string_equal(step_is(h, first, 0), "cancelling");
    assert_string_equal(step_is(h, second, 0), "-");
    finish(h, 0, "only", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(step_is(h, second, 0), "placed");
}

static void run_timeout_fails_it(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\ntimeout: 30s\nsteps:\n  only: {command: [x]}\n");
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    harness_pass(h, 29 * US_PER_S);
    assert_string_equal(run_is(h, run), "running");
    harness_pass(h, 1 * US_PER_S);
    assert_string_equal(run_is(h, run), "cancelling");
    harness_restart(h, 0);
    finish(h, 0, "only", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, run), "failed");
    assert_string_equal(row_of_run(h, run)->reason, "timed out after 30 s");
}

/* docs/decisions/004: what the wall clock may and may not shorten at a takeover. */
static void run_timeout_counts_the_time_without_a_leader(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\ntimeout: 30s\nsteps:\n  only: {command: [x]}\n");
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    harness_restart(h, 29 * US_PER_S);
    harness_pass(h, US_PER_S - 1);
    assert_string_equal(run_is(h, run), "running");
    harness_restart(h, -7200 * US_PER_S); /* a clock set back: never more than the whole */
    harness_pass(h, 30 * US_PER_S - 1);
    assert_string_equal(run_is(h, run), "running");
    harness_pass(h, 1);
    assert_string_equal(run_is(h, run), "cancelling");
}

static void run_timeout_is_never_longer_than_it_says(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\ntimeout: 10s\nsteps: {w: {wait: {type: x}}}\n");
    struct uuid run = harness_run(h, "p", 1);
    harness_restart(h, -3600 * US_PER_S);
    harness_pass(h, 9 * US_PER_S);
    assert_string_equal(run_is(h, run), "running");
    harness_pass(h, 2 * US_PER_S);
    assert_string_equal(run_is(h, run), "failed");
}

/* A newer leader, which has been here before, may know more ways to repeat a run. */
static void a_way_to_repeat_that_is_not_known_is_a_retry(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps: {w: {wait: {type: x}}}\n");
    struct uuid run = harness_run(h, "p", 1);
    row_of_run(h, run)->again = "sideways";
    harness_restart(h, 0);
    harness_settle(h);
    assert_string_equal(run_is(h, run), "running");
    harness_cancel(h, run);
    assert_string_equal(run_is(h, run), "cancelled");
}

static void a_clock_that_jumps_ends_no_cancel(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CHAIN);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "chain", 1);
    harness_cancel(h, run);
    harness_restart(h, 7200 * US_PER_S);
    harness_settle(h);
    assert_string_equal(run_is(h, run), "cancelling");
    harness_pass(h, 100 * US_PER_S - 1);
    assert_string_equal(run_is(h, run), "cancelling");
    harness_pass(h, 1);
    assert_string_equal(run_is(h, run), "cancelled");
}

static void expression_without_value_fails_the_step(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n  only: {command: [\"${{ event.data.key }}\"]}\n");
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    assert_string_equal(step_is(h, run, 0), "failed");
    assert_string_equal(run_is(h, run), "failed");
    assert_int_equal(orders_of(h, ORDER_KIND_START), 0);
    assert_int_equal(stats_of(h).placed, 0);
}

static void oversize_order_fails_the_step(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nparams:\n  big: {type: string}\nsteps:\n"
                     "  only: {command: [\"${{ params.big }}\", \"${{ params.big }}\",\n"
                     "    \"${{ params.big }}\", \"${{ params.big }}\", \"${{ params.big }}\"]}\n");
    harness_hello(h, 0, 1, NULL, 0);
    cleanup_free char *big = mem_alloc(60001);
    memset(big, 'x', 60000);
    json_t *params = json_pack("{s:s}", "big", big);
    harness_command(
        h,
        (struct command){
            .kind = COMMAND_KIND_RUN, .run = id_of(1), .pipeline = "p", .params = params},
        false);
    json_decref(params);
    assert_string_equal(step_is(h, id_of(1), 0), "failed");
    assert_non_null(strstr(row_of_result(h, id_of(1), 0)->reason, "the limit is 262144"));
}

static void refusals(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nparams:\n  n: {type: integer}\nsteps:\n  only: {command: [x]}\n");
    harness_run(h, "nobody", 1);
    assert_false(h->accepted);
    assert_string_equal(h->detail, "there is no pipeline nobody");
    harness_run(h, "p", 1);
    assert_false(h->accepted); /* n must be given */
    json_t *params = json_pack("{s:s}", "n", "12");
    struct command c = {
        .kind = COMMAND_KIND_RUN, .run = id_of(1), .pipeline = "p", .params = params};
    harness_command(h, c, false);
    assert_true(h->accepted);
    harness_command(h, c, false);
    assert_false(h->accepted);
    assert_string_equal(h->detail, "there is such a run already");
    c.run = id_of(2);
    c.version = "0123";
    harness_command(h, c, false);
    assert_string_equal(h->detail, "pipeline p has no version 0123");
    json_decref(params);
    harness_command(
        h, (struct command){.kind = COMMAND_KIND_RETRY, .run = id_of(3), .of = id_of(1)}, false);
    assert_string_equal(h->detail, "the run is not over; cancel it first or wait");
    harness_command(
        h, (struct command){.kind = COMMAND_KIND_RETRY, .run = id_of(3), .of = id_of(9)}, false);
    assert_string_equal(h->detail, "there is no such run");
}

static void tombstoned_run_is_born_cancelled(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CHAIN);
    harness_command(
        h, (struct command){.kind = COMMAND_KIND_RUN, .run = id_of(1), .pipeline = "chain"}, true);
    assert_true(h->accepted);
    assert_string_equal(run_is(h, id_of(1)), "cancelled");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
        T(chain_succeeds),
        T(condition_skips_and_skip_spreads),
        T(condition_that_cannot_be_said_fails),
        T(failure_spreads),
        T(started_and_finished_in_one_batch_leave_no_row),
        T(started_writes_running),
        T(waits_for_capacity_in_order),
        T(concurrency_queues_first_in_first_out),
        T(cancel_asks_and_ends),
        T(success_after_cancel_counts),
        T(cancel_has_its_own_deadline),
        T(run_timeout_counts_the_time_without_a_leader),
        T(run_timeout_is_never_longer_than_it_says),
        T(a_way_to_repeat_that_is_not_known_is_a_retry),
        T(a_clock_that_jumps_ends_no_cancel),
        T(a_cancelled_attempt_keeps_its_slot_until_it_ends),
        T(run_timeout_fails_it),
        T(expression_without_value_fails_the_step),
        T(oversize_order_fails_the_step),
        T(refusals),
        T(tombstoned_run_is_born_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Named limits, and how long a step waits to be placed: docs/pipelines.md, limits, queue_timeout.
 */
#include "scheduler/core/place/place.h"
#include "tests/unit/scheduler/limits_harness.h"

static void a_mutex_lets_one_after_the_other(void **state)
{
    struct harness *h = *state;
    harness_limit(h, "gpu", 1);
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", "limits: [gpu]");
    struct uuid first = run_of(h, "p", 1), second = run_of(h, "p", 2);
    assert_string_equal(step_is(h, first, 0), "placed");
    assert_int_equal(json_integer_value(json_object_get(row_of_step(h, first, 0)->limits, "gpu")),
                     1);
    assert_string_equal(step_is(h, second, 0), "waiting");
    assert_string_equal(row_of_step(h, second, 0)->reason, "waits for limit gpu");
    assert_int_equal(stats_of(h).waiting, 1);
    end_run(h, first, SUCCEEDED);
    assert_string_equal(step_is(h, second, 0), "placed");
    end_run(h, second, SUCCEEDED);
    assert_int_equal(stats_of(h).waiting, 0);
}

/* It is in use until the worker has let go, also while a cancel is under way. */
static void a_cancelled_attempt_holds_it_until_it_ends(void **state)
{
    struct harness *h = *state;
    harness_limit(h, "gpu", 1);
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", "limits: [gpu]");
    struct uuid first = run_of(h, "p", 1), second = run_of(h, "p", 2);
    harness_cancel(h, first);
    assert_string_equal(step_is(h, first, 0), "cancelling");
    assert_string_equal(step_is(h, second, 0), "waiting");
    end_run(h, first, REPORT_RESULT_OUTCOME_CANCELLED);
    assert_string_equal(step_is(h, second, 0), "placed");
    harness_cancel(h, second);
    end_run(h, second, REPORT_RESULT_OUTCOME_CANCELLED);
    harness_cancel(h, run_of(h, "p", 3));
}

static void a_takeover_counts_what_rows_hold(void **state)
{
    struct harness *h = *state;
    harness_limit(h, "gpu", 3);
    takeover_counts_what_rows_hold(h, "limits: {gpu: 2}", "waiting");
}

/* All or none: two that want the same two in turn never hold one each. */
static void all_are_taken_at_once(void **state)
{
    struct harness *h = *state;
    harness_limit(h, "a", 1);
    harness_limit(h, "b", 1);
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", "limits: [a]");
    apply_step(h, "q", "limits: [b]");
    apply_step(h, "r", "limits: [a, b]");
    struct uuid p = run_of(h, "p", 1), r = run_of(h, "r", 2);
    struct uuid q = run_of(h, "q", 3); /* younger: b is free, and set aside */
    assert_string_equal(step_is(h, r, 0), "waiting");
    assert_string_equal(step_is(h, q, 0), "waiting");
    end_run(h, p, SUCCEEDED);
    assert_string_equal(step_is(h, r, 0), "placed");
    assert_string_equal(step_is(h, q, 0), "waiting");
    end_run(h, r, SUCCEEDED);
    assert_string_equal(step_is(h, q, 0), "placed");
}

static void who_does_not_want_it_goes_on(void **state)
{
    struct harness *h = *state;
    harness_limit(h, "gpu", 0);
    harness_hello(h, 0, 1, NULL, 0);
    apply_step(h, "held", "limits: [gpu]");
    apply_step(h, "free", "priority: -100");
    struct uuid held = run_of(h, "held", 1), other = run_of(h, "free", 2);
    assert_string_equal(step_is(h, held, 0), "waiting");
    assert_string_equal(step_is(h, other, 0), "placed");
    harness_pass(h, 60 * US_PER_S); /* no worker is kept free for who waits for a limit */
    end_run(h, other, SUCCEEDED);
    other = run_of(h, "free", 3);
    assert_string_equal(step_is(h, other, 0), "placed");
}

static void who_wants_much_gets_its_turn(void **state)
{
    struct harness *h = *state;
    harness_limit(h, "gpu", 2);
    who_wants_both_gets_its_turn(h, "limits: [gpu]", "limits: {gpu: 2}", "waiting");
}

/* What can never be placed holds nobody up: it wants more than there is, or no worker has it. */
static void who_can_never_run_sets_nothing_aside(void **state)
{
    struct harness *h = *state;
    harness_limit(h, "gpu", 2);
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "greedy", "limits: {gpu: 3}");
    apply_step(h, "nowhere", "limits: {gpu: 2}, pool: moon");
    apply_step(h, "small", "limits: [gpu]");
    struct uuid greedy = run_of(h, "greedy", 1), nowhere = run_of(h, "nowhere", 2);
    struct uuid small = run_of(h, "small", 3);
    assert_string_equal(step_is(h, greedy, 0), "waiting");
    assert_string_equal(step_is(h, nowhere, 0), "waiting");
    assert_string_equal(step_is(h, small, 0), "placed");
    harness_limit(h, "gpu", 4);
    harness_settle(h);
    assert_string_equal(step_is(h, greedy, 0), "placed");
}

static void priority_goes_first_and_age_counts(void **state)
{
    struct harness *h = *state;
    harness_limit(h, "gpu", 1);
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", "limits: [gpu]");
    apply_step(h, "urgent", "limits: [gpu], priority: 5");
    struct uuid first = run_of(h, "p", 1), old = run_of(h, "p", 2);
    struct uuid urgent = run_of(h, "urgent", 3);
    end_run(h, first, SUCCEEDED);
    assert_string_equal(step_is(h, urgent, 0), "placed");
    harness_pass(h, 6 * 60 * US_PER_S); /* more than the five minutes that it is worth */
    struct uuid late = run_of(h, "urgent", 4);
    end_run(h, urgent, SUCCEEDED);
    assert_string_equal(step_is(h, old, 0), "placed");
    assert_string_equal(step_is(h, late, 0), "waiting");
}

static void a_limit_may_change_while_it_is_in_use(void **state)
{
    struct harness *h = *state;
    harness_limit(h, "gpu", 2);
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", "limits: [gpu]");
    struct uuid runs[4];
    for (int i = 0; i < 4; i++)
        runs[i] = run_of(h, "p", i + 1);
    harness_limit(h, "gpu", 1);
    harness_settle(h);
    assert_string_equal(step_is(h, runs[1], 0), "placed"); /* nobody is ended */
    end_run(h, runs[0], SUCCEEDED);
    assert_string_equal(step_is(h, runs[2], 0), "waiting"); /* one is in use, which is all */
    harness_limit(h, "gpu", 3);
    harness_settle(h);
    assert_string_equal(step_is(h, runs[2], 0), "placed");
    assert_string_equal(step_is(h, runs[3], 0), "placed");
}

/* Removing is refused while somebody names it; should it be gone all the same, nobody waits for it.
 */
static void a_limit_that_is_gone_fails_who_wants_it(void **state)
{
    struct harness *h = *state;
    harness_limit(h, "gpu", 0);
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", "limits: [gpu]");
    struct uuid run = run_of(h, "p", 1);
    harness_limit(h, "gpu", -1);
    harness_settle(h);
    assert_string_equal(step_is(h, run, 0), "failed");
    assert_string_equal(row_of_result(h, run, 0)->reason, "there is no limit gpu any more");
}

/* It is known no more and still in use: what is held of it is given back, and it may come again. */
static void a_limit_that_is_gone_is_held_to_the_end(void **state)
{
    struct harness *h = *state;
    harness_limit(h, "gpu", 1);
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", "limits: [gpu]");
    struct uuid first = run_of(h, "p", 1);
    harness_limit(h, "gpu", -1);
    harness_limit(h, "other", 1);
    harness_limit(h, "gpu", 1);
    struct uuid second = run_of(h, "p", 2);
    assert_string_equal(step_is(h, second, 0), "waiting");
    end_run(h, first, SUCCEEDED);
    assert_string_equal(step_is(h, second, 0), "placed");
}

static void a_lost_attempt_gives_it_back(void **state)
{
    struct harness *h = *state;
    harness_limit(h, "gpu", 1);
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", "limits: [gpu], retry: {attempts: 2, backoff: {first: 60s}}");
    struct uuid first = run_of(h, "p", 1), second = run_of(h, "p", 2);
    end_run(h, first, FAILED); /* while it waits for its next try it holds nothing */
    assert_string_equal(step_is(h, first, 0), "waiting");
    assert_null(row_of_step(h, first, 0)->limits);
    assert_string_equal(step_is(h, second, 0), "placed");
    harness_hello(h, 0, 8, NULL, 0); /* a new life, without it */
    assert_string_equal(step_is(h, second, 0), "placed");
    assert_int_equal(row_of_step(h, second, 0)->attempt, 2);
}

static void a_step_waits_only_so_long_for_a_worker(void **state)
{
    struct harness *h = *state;
    apply_step(h, "p", "queue_timeout: 30s, timeout: 10s, retry: {attempts: 3}");
    struct uuid run = run_of(h, "p", 1);
    assert_string_equal(step_is(h, run, 0), "ready");
    harness_pass(h, 20 * US_PER_S);
    harness_restart(h, 5 * US_PER_S); /* what passes without a leader counts */
    harness_pass(h, 4 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "ready");
    harness_restart(h, -3600 * US_PER_S); /* never more than the whole */
    harness_pass(h, 30 * US_PER_S - 1);
    assert_string_equal(step_is(h, run, 0), "ready");
    harness_pass(h, 1);
    assert_string_equal(step_is(h, run, 0), "failed");
    assert_string_equal(row_of_result(h, run, 0)->reason, "waited longer than 30 s for a worker");
    assert_int_equal(stats_of(h).ready, 0);
}

static void its_time_may_have_passed_without_a_leader(void **state)
{
    struct harness *h = *state;
    apply_step(h, "p", "queue_timeout: 30s");
    struct uuid run = run_of(h, "p", 1);
    harness_restart(h, 3600 * US_PER_S);
    harness_settle(h);
    assert_string_equal(row_of_result(h, run, 0)->reason, "waited longer than 30 s for a worker");
}

/* Its limit becomes too small in the very turn in which a worker would be kept free for it. */
static void no_worker_is_kept_for_who_lost_its_limit(void **state)
{
    struct harness *h = *state;
    harness_limit(h, "gpu", 1);
    harness_hello(h, 0, 2, NULL, 0);
    apply_step(h, "thin", "pool: default");
    apply_step(h, "wide", "limits: [gpu], resources: {slots: 2}");
    struct uuid thin = run_of(h, "thin", 1), wide = run_of(h, "wide", 2);
    for (int i = 1; i <= 4; i++) {
        harness_pass(h, 2 * US_PER_S);
        harness_heartbeat(h, 0, i);
    }
    harness_limit(h, "gpu", 0);
    harness_pass(h, 3 * US_PER_S);
    harness_heartbeat(h, 0, 5);
    struct uuid next = run_of(h, "thin", 3);
    assert_string_equal(step_is(h, next, 0), "placed"); /* the worker takes anybody */
    harness_limit(h, "gpu", 1);
    end_run(h, thin, SUCCEEDED);
    end_run(h, next, SUCCEEDED);
    assert_string_equal(step_is(h, wide, 0), "placed");
}

static void a_step_that_was_placed_is_not_queued(void **state)
{
    struct harness *h = *state;
    harness_limit(h, "gpu", 1);
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", "queue_timeout: 30s, limits: [gpu]");
    struct uuid first = run_of(h, "p", 1), second = run_of(h, "p", 2);
    harness_started(h, 0, order_of(h, ORDER_KIND_START, "only"));
    for (int i = 1; i <= 14; i++) {
        harness_pass(h, 2 * US_PER_S);
        harness_heartbeat(h, 0, i);
    }
    end_run(h, first, SUCCEEDED); /* just in time */
    assert_string_equal(step_is(h, second, 0), "placed");
    struct uuid third = run_of(h, "p", 3);
    for (int i = 15; i <= 40; i++) {
        harness_pass(h, 2 * US_PER_S);
        harness_heartbeat(h, 0, i);
    }
    assert_string_equal(step_is(h, second, 0), "placed"); /* what it takes is another matter */
    assert_string_equal(step_is(h, third, 0), "failed");
    assert_string_equal(row_of_result(h, third, 0)->reason,
                        "waited longer than 30 s for its limits and a worker");
}

/* Each that ends lets one go on, and nobody looks at the others. */
static void ten_thousand_wait_and_slow_nothing(void **state)
{
    struct harness *h = *state;
    h->mirror = false;
    harness_limit(h, "gpu", 1);
    harness_hello(h, 0, 8, NULL, 0);
    harness_apply(h, "name: p\nsteps:\n  all:\n    for_each: \"${{ params.items }}\"\n"
                     "    fail_fast: false\n    command: [x]\n    limits: [gpu]\n"
                     "params: {items: {type: json}}\n");
    json_t *items = json_array(), *params = json_pack("{s:o}", "items", items);
    for (int i = 0; i < 10000; i++)
        json_array_append_new(items, json_integer(i));
    harness_command(
        h,
        (struct command){
            .kind = COMMAND_KIND_RUN, .run = id_of(1), .pipeline = "p", .params = params},
        false);
    json_decref(params);
    assert_int_equal(stats_of(h).waiting, 9999);
    apply_step(h, "free", "priority: 0");
    const int64_t began = clock_monotonic_us();
    for (int i = 0; i < 1000; i++)
        finish(h, 0, NULL, SUCCEEDED, NULL);
    printf("1,000 ends and starts, 10,000 wait for one limit: %lld ms\n",
           (long long)(clock_monotonic_us() - began) / 1000);
    assert_int_equal(stats_of(h).waiting, 8999);
    harness_run(h, "free", 2);
    assert_int_equal(stats_of(h).placed, 2);
    core_check(h->core);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
        T(a_mutex_lets_one_after_the_other),
        T(a_cancelled_attempt_holds_it_until_it_ends),
        T(a_takeover_counts_what_rows_hold),
        T(all_are_taken_at_once),
        T(who_does_not_want_it_goes_on),
        T(who_wants_much_gets_its_turn),
        T(who_can_never_run_sets_nothing_aside),
        T(priority_goes_first_and_age_counts),
        T(a_limit_may_change_while_it_is_in_use),
        T(a_limit_that_is_gone_fails_who_wants_it),
        T(a_limit_that_is_gone_is_held_to_the_end),
        T(a_lost_attempt_gives_it_back),
        T(a_step_waits_only_so_long_for_a_worker),
        T(its_time_may_have_passed_without_a_leader),
        T(ten_thousand_wait_and_slow_nothing),
        T(no_worker_is_kept_for_who_lost_its_limit),
        T(ten_thousand_wait_and_slow_nothing),
        T(a_step_that_was_placed_is_not_queued),
        T(ten_thousand_wait_and_slow_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Attempts, reports, workers, leases and takeovers: docs/walk.md sections 3, 5, 6 and 7. */
#include "tests/unit/scheduler/core_harness.h"

#define LOST    REPORT_RESULT_OUTCOME_LOST
#define REFUSED REPORT_RESULT_OUTCOME_REFUSED

static const char ONE[] = "name: p\nsteps:\n  only: {command: [x]}\n";
static const char RETRIES[] =
    "name: p\nsteps:\n"
    "  only: {command: [x], retry: {attempts: 3, backoff: {first: 10s, cap: 15s, factor: 2},"
    " lost: 1}}\n";

/* Until the drain that the core wants has been done. */
static void drain(struct harness *h)
{
    int64_t ticket = core_wants_drain(h->core);
    assert_true(ticket > 0);
    core_drained(h->core, ticket, &h->now);
    harness_settle(h);
    assert_int_equal(core_wants_drain(h->core), 0);
}

/* Long enough for any backoff of RETRIES. */
static void pass_backoff(struct harness *h, int beat)
{
    for (int i = 0; i < 8; i++) {
        harness_pass(h, 2 * US_PER_S);
        harness_heartbeat(h, 0, beat * 10 + i);
    }
}

static void retry_waits_and_its_budget_ends(void **state)
{
    struct harness *h = *state;
    harness_apply(h, RETRIES);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1), last = {{0}};
    for (int i = 1; i <= 3; i++) {
        struct order *o = order_of(h, ORDER_KIND_START, "only");
        assert_int_equal(o->start->number, i);
        assert_false(same_id(&o->attempt, &last));
        last = o->attempt;
        finish(h, 0, "only", FAILED, NULL);
        if (i < 3) {
            assert_string_equal(step_is(h, run, 0), "waiting");
            assert_true(row_of_step(h, run, 0)->due_us <= 15 * US_PER_S);
            pass_backoff(h, i);
        }
    }
    assert_int_equal(h->attempts_done, 2);
    assert_string_equal(run_is(h, run), "failed");
    assert_int_equal(row_of_result(h, run, 0)->attempt, 3);
}

static void backoff_goes_on_after_a_takeover(void **state)
{
    struct harness *h = *state;
    harness_apply(h, RETRIES);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    finish(h, 0, "only", FAILED, NULL);
    int64_t wait = row_of_step(h, run, 0)->due_us;
    harness_restart(h, wait / 2);
    harness_settle(h);
    assert_string_equal(step_is(h, run, 0), "waiting");
    harness_heartbeat(h, 0, 1);
    harness_pass(h, wait - wait / 2);
    assert_string_equal(step_is(h, run, 0), "placed");
    assert_int_equal(order_of(h, ORDER_KIND_START, "only")->start->number, 2);
}

static void lost_and_refused_share_a_budget(void **state)
{
    struct harness *h = *state;
    harness_apply(h, RETRIES);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    finish(h, 0, "only", LOST, NULL);
    assert_string_equal(step_is(h, run, 0), "placed"); /* at once */
    assert_int_equal(row_of_step(h, run, 0)->lost, 1);
    harness_restart(h, 0); /* the count survives */
    harness_settle(h);
    finish(h, 0, "only", REFUSED, NULL);
    assert_string_equal(run_is(h, run), "failed");
}

static void lost_does_not_eat_the_retries(void **state)
{
    struct harness *h = *state;
    harness_apply(h, RETRIES);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    finish(h, 0, "only", LOST, NULL);
    for (int i = 1; i <= 3; i++) {
        assert_string_equal(run_is(h, run), "running");
        finish(h, 0, "only", FAILED, NULL);
        pass_backoff(h, i);
    }
    assert_string_equal(run_is(h, run), "failed");
    assert_int_equal(row_of_result(h, run, 0)->attempt, 4);
}

static void cancelled_unasked_is_a_failure(void **state)
{
    struct harness *h = *state;
    harness_apply(h, RETRIES);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    finish(h, 0, "only", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(step_is(h, run, 0), "failed");
}

static void repeats_gaps_and_forgeries_change_nothing(void **state)
{
    struct harness *h = *state;
    harness_apply(h, ONE);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    struct order *o = order_of(h, ORDER_KIND_START, "only");
    struct report_result result = {.outcome = SUCCEEDED};
    struct report r = {.kind = REPORT_KIND_FINISHED,
                       .attempt = o->attempt,
                       .nonce = o->nonce + 1,
                       .result = &result};
    harness_report(h, 0, r); /* forged: taken in, changes nothing */
    assert_int_equal(stats_of(h).reports_stale, 1);
    r.nonce = o->nonce;
    r.n = h->numbers[0] + 2;
    harness_report(h, 0, r); /* a gap */
    assert_int_equal(stats_of(h).reports_gap, 1);
    r.n = h->numbers[0];
    harness_report(h, 0, r); /* a repeat of a number */
    assert_int_equal(stats_of(h).reports_repeated, 1);
    harness_settle(h);
    assert_string_equal(run_is(h, run), "running");
    r.n = 0;
    harness_report(h, 0, r);
    r.n = h->numbers[0];
    harness_report(h, 0, r);
    harness_settle(h);
    assert_string_equal(run_is(h, run), "succeeded");
    harness_pass(h, US_PER_S);
    assert_int_equal(order_of(h, ORDER_KIND_GRANT, NULL)->committed, h->numbers[0]);
}

static void a_report_of_an_unknown_worker_is_stale(void **state)
{
    struct harness *h = *state;
    harness_report(h, 0, (struct report){.kind = REPORT_KIND_HEARTBEAT, .heartbeat = 1});
    harness_report(h, 0, (struct report){.kind = REPORT_KIND_HELLO}); /* says nothing */
    harness_settle(h);
    assert_int_equal(stats_of(h).reports_stale, 2);
    assert_int_equal(stats_of(h).workers, 0);
}

static void grants_answer_heartbeats_and_are_rare_otherwise(void **state)
{
    struct harness *h = *state;
    harness_apply(h, ONE);
    harness_hello(h, 0, 4, NULL, 0);
    assert_int_equal(orders_of(h, ORDER_KIND_GRANT), 1);
    harness_heartbeat(h, 0, 5);
    assert_int_equal(order_of(h, ORDER_KIND_GRANT, NULL)->heartbeat, 5);
    assert_int_equal(order_of(h, ORDER_KIND_GRANT, NULL)->committed, 2);
    for (int i = 1; i <= 3; i++) {
        harness_run(h, "p", i);
        finish(h, 0, "only", SUCCEEDED, NULL);
    }
    assert_int_equal(orders_of(h, ORDER_KIND_GRANT), 2);
    harness_pass(h, 50 * US_PER_MS - 1);
    assert_int_equal(orders_of(h, ORDER_KIND_GRANT), 2);
    harness_pass(h, 1);
    assert_int_equal(orders_of(h, ORDER_KIND_GRANT), 3);
    assert_int_equal(order_of(h, ORDER_KIND_GRANT, NULL)->heartbeat, 0);
}

static void silence_is_unreachable_then_lost_after_the_drain(void **state)
{
    struct harness *h = *state;
    harness_apply(h, RETRIES);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    harness_pass(h, 10 * US_PER_S);
    assert_int_equal(h->rows->workers[0].state, WORKER_UNREACHABLE);
    harness_pass(h, 90 * US_PER_S - 1); /* lost_after counts from the lease's end: 10 s + 90 s */
    assert_int_equal(core_wants_drain(h->core), 0);
    harness_pass(h, 1);
    assert_true(core_wants_drain(h->core) > 0);
    assert_string_equal(step_is(h, run, 0), "placed"); /* not before the drain */
    drain(h);
    assert_string_equal(step_is(h, run, 0), "ready"); /* nobody can take it */
    assert_int_equal(h->rows->workers[0].state, WORKER_GONE);
    assert_int_equal(orders_of(h, ORDER_KIND_CANCEL), 1);
    /* A late success of the lost attempt is stale. */
    harness_hello(h, 1, 1, NULL, 0);
    assert_string_equal(step_is(h, run, 0), "placed");
    harness_finished(h, 0, &h->orders[1], SUCCEEDED, NULL);
    harness_settle(h);
    assert_int_equal(stats_of(h).reports_stale, 1);
    finish(h, 1, "only", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

/* Its fuse burns at the end of the lease; the grace that follows must be over, too. */
static void a_long_grace_is_waited_for(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n  only: {command: [x], grace: 120s, lost_after: 30s}\n");
    harness_hello(h, 0, 1, NULL, 0);
    harness_run(h, "p", 1);
    harness_pass(h, 135 * US_PER_S - 1); /* lease 10 s, grace 120 s, margin 5 s */
    assert_int_equal(core_wants_drain(h->core), 0);
    harness_pass(h, 1);
    assert_true(core_wants_drain(h->core) > 0);
}

static void a_report_before_the_drain_ends_saves_it(void **state)
{
    struct harness *h = *state;
    harness_apply(h, ONE);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    harness_pass(h, 100 * US_PER_S);
    harness_pass(h, 0);
    int64_t ticket = core_wants_drain(h->core);
    assert_true(ticket > 0);
    finish(h, 0, "only", SUCCEEDED, NULL);
    core_drained(h->core, ticket, &h->now);
    harness_settle(h);
    assert_string_equal(run_is(h, run), "succeeded");
    assert_int_equal(h->rows->workers[0].state, WORKER_ACTIVE);
}

static void only_silences_before_the_ticket_are_judged(void **state)
{
    struct harness *h = *state;
    harness_apply(h, RETRIES);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    harness_pass(h, 40 * US_PER_S);
    harness_hello(h, 1, 1, NULL, 0);
    struct uuid second = harness_run(h, "p", 2);
    harness_pass(h, 60 * US_PER_S);
    int64_t ticket = core_wants_drain(h->core);
    harness_pass(h, 40 * US_PER_S); /* now the other is silent for long, too */
    core_drained(h->core, ticket, &h->now);
    harness_settle(h);
    assert_string_equal(step_is(h, run, 0), "ready");
    assert_string_equal(step_is(h, second, 0), "placed");
    drain(h);
    assert_string_equal(step_is(h, second, 0), "ready");
}

static void time_without_answers_does_not_count(void **state)
{
    struct harness *h = *state;
    harness_apply(h, ONE);
    harness_hello(h, 0, 1, NULL, 0);
    harness_run(h, "p", 1);
    h->now.mono_us += 300 * US_PER_S;
    h->now.wall_us += 300 * US_PER_S;
    h->now.answered_us += 99 * US_PER_S;
    harness_settle(h);
    assert_int_equal(h->rows->workers[0].state, WORKER_UNREACHABLE);
    assert_int_equal(core_wants_drain(h->core), 0);
    harness_pass(h, US_PER_S);
    assert_true(core_wants_drain(h->core) > 0);
    assert_int_equal(stats_of(h).placed, 1);
}

static void a_new_life_keeps_what_it_holds_and_loses_the_rest(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n  a: {command: [x]}\n  b: {command: [x]}\n");
    harness_hello(h, 0, 2, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    struct order *a = order_of(h, ORDER_KIND_START, "a");
    struct held_attempt held[] = {{a->attempt, a->nonce}, {id_of(77), 5}};
    harness_hello(h, 0, 2, held, 2);
    assert_true(same_id(&row_of_step(h, run, 0)->incarnation, &h->lives[0]));
    assert_int_equal(row_of_step(h, run, 0)->attempt, 1);
    assert_int_equal(row_of_step(h, run, 1)->attempt, 2); /* placed anew */
    struct order *cancel = order_of(h, ORDER_KIND_CANCEL, NULL);
    assert_true(same_id(&cancel->attempt, &held[1].attempt));
    /* The second hello of the same life judges nothing. */
    struct uuid life = h->lives[0];
    const char *executors[] = {"process"};
    struct report_hello again = {.boot = "boot",
                                 .slots = 2,
                                 .executors = executors,
                                 .executors_count = 1,
                                 .workspace = "/w"};
    assert_true(same_id(&life, &h->lives[0]));
    harness_report(h, 0, (struct report){.kind = REPORT_KIND_HELLO, .hello = &again});
    harness_settle(h);
    assert_int_equal(row_of_step(h, run, 0)->attempt, 1);
    assert_int_equal(row_of_step(h, run, 1)->attempt, 2);
}

static void an_old_hello_does_not_come_back(void **state)
{
    struct harness *h = *state;
    harness_apply(h, ONE);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid first = h->lives[0];
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1), second = h->lives[0];
    h->lives[0] = first;
    const char *executors[] = {"process"};
    struct report_hello old = {.boot = "boot",
                               .slots = 1,
                               .executors = executors,
                               .executors_count = 1,
                               .workspace = "/w"};
    harness_report(h, 0, (struct report){.kind = REPORT_KIND_HELLO, .n = 1, .hello = &old});
    harness_settle(h);
    assert_true(same_id(&h->rows->workers[0].incarnation, &second));
    assert_string_equal(step_is(h, run, 0), "placed");
    assert_int_equal(row_of_step(h, run, 0)->attempt, 1);
}

/* The hello is committed; the leader dies before it has raised its own epoch above that. */
static void the_next_leader_knows_the_highest_epoch(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 1, NULL, 0);
    const char *executors[] = {"process"};
    struct report_hello hello = {.boot = "boot",
                                 .slots = 1,
                                 .executors = executors,
                                 .executors_count = 1,
                                 .workspace = "/w",
                                 .epoch = 41};
    harness_report(h, 0, (struct report){.kind = REPORT_KIND_HELLO, .hello = &hello});
    harness_settle(h);
    assert_int_equal(core_highest_epoch(h->core), 41);
    harness_restart(h, 0);
    assert_int_equal(core_highest_epoch(h->core), 41);
}

static void silent_step_is_lost_after_its_timeout(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n  only: {command: [x], timeout: 5s, grace: 1s,"
                     " lost_after: 14s, retry: {lost: 0}}\n");
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    harness_started(h, 0, order_of(h, ORDER_KIND_START, "only"));
    for (int i = 1; i <= 10; i++) {
        assert_string_equal(run_is(h, run), "running");
        harness_pass(h, 2 * US_PER_S);
        harness_heartbeat(h, 0, i);
    }
    assert_string_equal(run_is(h, run), "failed");
}

/* Fetching inputs or pulling an image takes as long as it takes: the step's time begins when it
 * runs. */
static void preparing_for_long_is_not_lost(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n  only: {command: [x], timeout: 5s, grace: 1s,"
                     " lost_after: 14s, retry: {lost: 0}}\n");
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    int64_t beats = 0;
    for (int s = 0; s < 2 * 3600; s += 5) {
        harness_pass(h, 5 * US_PER_S);
        harness_heartbeat(h, 0, ++beats);
    }
    assert_string_equal(step_is(h, run, 0), "placed");
    harness_restart(h, US_PER_S); /* the next leader does not count either */
    for (int s = 0; s < 3600; s += 5) {
        harness_pass(h, 5 * US_PER_S);
        harness_heartbeat(h, 0, ++beats);
    }
    assert_string_equal(step_is(h, run, 0), "placed");
    harness_started(h, 0, order_of(h, ORDER_KIND_START, "only"));
    harness_pass(h, 5 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "running");
    for (int s = 0; s < 30; s += 5) { /* from here on it does */
        harness_pass(h, 5 * US_PER_S);
        harness_heartbeat(h, 0, ++beats);
    }
    assert_string_equal(run_is(h, run), "failed");
}

/* A silent worker's is lost all the same: its lease says so. */
static void preparing_on_a_silent_worker_is_lost(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n  only: {command: [x], timeout: 5s, grace: 1s,"
                     " lost_after: 14s, retry: {lost: 0}}\n");
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    for (int s = 0; s < 40; s++) {
        harness_pass(h, US_PER_S);
        core_drained(h->core, core_wants_drain(h->core), &h->now);
    }
    harness_settle(h);
    assert_string_equal(run_is(h, run), "failed");
}

static void takeover_keeps_running_attempts(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n  a: {command: [x]}\n  b: {command: [x], needs: a}\n");
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    harness_started(h, 0, order_of(h, ORDER_KIND_START, "a"));
    harness_settle(h);
    size_t orders = orders_of(h, ORDER_KIND_START);
    harness_restart(h, US_PER_S);
    harness_settle(h);
    assert_int_equal(orders_of(h, ORDER_KIND_START), orders);
    finish(h, 0, "a", SUCCEEDED, NULL);
    assert_string_equal(step_is(h, run, 1), "placed");
    assert_int_equal(order_of(h, ORDER_KIND_START, "b")->epoch, 8);
    finish(h, 0, "b", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void placed_orders_are_sent_again_with_the_same_id(void **state)
{
    struct harness *h = *state;
    h->config.resend_placed = true;
    harness_apply(h, ONE);
    harness_hello(h, 0, 1, NULL, 0);
    harness_run(h, "p", 1);
    struct order *o = order_of(h, ORDER_KIND_START, "only");
    struct uuid id = o->attempt;
    int64_t nonce = o->nonce;
    harness_restart(h, 0);
    harness_settle(h);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 1); /* the reports are read first */
    drain(h);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 2);
    o = order_of(h, ORDER_KIND_START, "only");
    assert_true(same_id(&o->attempt, &id));
    assert_int_equal(o->nonce, nonce);
    assert_int_equal(o->epoch, 8);
}

static void a_version_that_cannot_be_read_fails_its_runs(void **state)
{
    struct harness *h = *state;
    harness_apply(h, ONE);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    json_decref(h->rows->versions[0].ir);
    h->rows->versions[0].ir = json_object();
    harness_restart(h, 0);
    harness_started(h, 0, order_of(h, ORDER_KIND_START, "only")); /* in the first batch */
    harness_settle(h);
    assert_string_equal(run_is(h, run), "cancelling");
    finish(h, 0, "only", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, run), "failed");
    assert_non_null(strstr(row_of_run(h, run)->reason, "cannot be read"));
}

static void wide_steps_are_not_starved(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: wide\nsteps:\n  only: {command: [x], resources: {slots: 2}}\n");
    harness_apply(h, "name: thin\nsteps:\n  only: {command: [x]}\n");
    harness_hello(h, 0, 2, NULL, 0);
    harness_run(h, "thin", 1);
    struct order first = *order_of(h, ORDER_KIND_START, "only");
    struct uuid wide = harness_run(h, "wide", 2);
    harness_run(h, "thin", 3);
    struct order second = *order_of(h, ORDER_KIND_START, "only");
    assert_string_equal(step_is(h, wide, 0), "-");
    for (int i = 1; i <= 6; i++) {
        harness_pass(h, 2 * US_PER_S);
        harness_heartbeat(h, 0, i);
    }
    struct uuid third = harness_run(h, "thin", 4);
    harness_finished(h, 0, &first, SUCCEEDED, NULL);
    harness_settle(h);
    assert_string_equal(step_is(h, third, 0), "-"); /* the worker is kept for the wide one */
    harness_finished(h, 0, &second, SUCCEEDED, NULL);
    harness_settle(h);
    assert_string_equal(step_is(h, wide, 0), "placed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
        T(retry_waits_and_its_budget_ends),
        T(backoff_goes_on_after_a_takeover),
        T(lost_and_refused_share_a_budget),
        T(lost_does_not_eat_the_retries),
        T(cancelled_unasked_is_a_failure),
        T(repeats_gaps_and_forgeries_change_nothing),
        T(a_report_of_an_unknown_worker_is_stale),
        T(grants_answer_heartbeats_and_are_rare_otherwise),
        T(silence_is_unreachable_then_lost_after_the_drain),
        T(a_long_grace_is_waited_for),
        T(a_report_before_the_drain_ends_saves_it),
        T(only_silences_before_the_ticket_are_judged),
        T(time_without_answers_does_not_count),
        T(a_new_life_keeps_what_it_holds_and_loses_the_rest),
        T(an_old_hello_does_not_come_back),
        T(the_next_leader_knows_the_highest_epoch),
        T(silent_step_is_lost_after_its_timeout),
        T(preparing_for_long_is_not_lost),
        T(preparing_on_a_silent_worker_is_lost),
        T(takeover_keeps_running_attempts),
        T(placed_orders_are_sent_again_with_the_same_id),
        T(a_version_that_cannot_be_read_fails_its_runs),
        T(wide_steps_are_not_starved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Live runs whose version a new leader cannot read (another build's IR, a row that is gone): they
 * fail with that reason, whatever their steps were at, and nothing of them is left. */
#include "scheduler/core/run/runs.h"
#include "tests/unit/scheduler/limits_harness.h"

/* All versions of it are in a format that this build does not know. */
static void unreadable(struct harness *h, const char *pipeline)
{
    for (size_t i = 0; i < h->rows->versions_count; i++)
        if (strcmp(h->rows->versions[i].pipeline, pipeline) == 0)
            json_object_set_new(h->rows->versions[i].ir, "ir", json_integer(99));
}

/* The next life of the worker holds nothing: what ran there is lost. */
static void worker_comes_back_empty(struct harness *h)
{
    harness_hello(h, 0, 100, NULL, 0);
}

static void ended(struct harness *h, struct uuid run, const char *state, const char *reason)
{
    assert_string_equal(run_is(h, run), state);
    if (!strstr(row_of_run(h, run)->reason, reason))
        fail_msg("'%s' does not say '%s'", row_of_run(h, run)->reason, reason);
}

static void failed_as_unreadable(struct harness *h, struct uuid run)
{
    ended(h, run, "failed", "cannot be read");
    assert_int_equal(stats_of(h).live_steps, 0);
    for (size_t i = 0; i < h->rows->steps_count; i++)
        assert_false(same_id(&h->rows->steps[i].run, &run));
}

/* ---- whatever its steps are at ------------------------------------------------------------- */

static const char ALL_STATES[] =
    "name: p\nsteps:\n"
    "  done:    {command: [x]}\n"
    "  runs:    {command: [x]}\n"
    "  backoff: {command: [x], retry: {attempts: 3, backoff: {first: 60s}}}\n"
    "  limited: {command: [x], limits: [l]}\n"
    "  nobody:  {command: [x], pool: moon, queue_timeout: 1h}\n"
    "  group:   {steps: {in: {command: [x]}, next: {needs: in, command: [x]}}}\n"
    "  wait:    {wait: {type: a.b}}\n"
    "  ask:     {approval: {}}\n"
    "  after:   {needs: runs, command: [x]}\n"
    "finally: {f: {command: [x]}}\n";
enum { DONE, RUNS, BACKOFF, LIMITED, NOBODY, GROUP };

static struct uuid in_all_states(struct harness *h)
{
    harness_limit(h, "l", 0);
    harness_apply(h, ALL_STATES);
    struct uuid run = harness_run(h, "p", 1);
    finish(h, 0, "done", SUCCEEDED, NULL);
    finish(h, 0, "backoff", FAILED, NULL);
    harness_started(h, 0, order_of(h, ORDER_KIND_START, "runs"));
    harness_settle(h);
    static const struct {
        int step;
        const char *is;
    } ROWS[] = {{DONE, "succeeded"},  {RUNS, "running"}, {BACKOFF, "waiting"},
                {LIMITED, "waiting"}, {NOBODY, "ready"}, {GROUP, "running"}};
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
        assert_string_equal(step_is(h, run, ROWS[i].step), ROWS[i].is);
    return run;
}

static void every_step_that_is_live_ends(void **state)
{
    struct harness *h = *state;
    struct uuid run = in_all_states(h);
    unreadable(h, "p");
    harness_restart(h, 3600 * US_PER_S); /* all waits are over by now */
    harness_settle(h);
    assert_string_equal(run_is(h, run), "cancelling"); /* what runs is asked to end */
    assert_string_equal(step_is(h, run, RUNS), "cancelling");
    assert_string_equal(step_is(h, run, DONE), "succeeded");
    assert_string_equal(step_is(h, run, BACKOFF), "cancelled");
    assert_string_equal(step_is(h, run, LIMITED), "cancelled");
    assert_string_equal(step_is(h, run, GROUP), "cancelled");
    worker_comes_back_empty(h);
    failed_as_unreadable(h, run);
}

/* A second leader that cannot read it either, in the middle of that. */
static void so_it_does_across_another_takeover(void **state)
{
    struct harness *h = *state;
    struct uuid run = in_all_states(h);
    unreadable(h, "p");
    for (int i = 0; i < 3; i++) {
        harness_restart(h, US_PER_S);
        harness_settle(h);
    }
    worker_comes_back_empty(h);
    failed_as_unreadable(h, run);
}

/* Without the rows of its tries a group is none: its step is what its row says. */
static void a_version_that_is_gone_is_as_bad(void **state)
{
    struct harness *h = *state;
    struct uuid run = in_all_states(h);
    json_decref(h->rows->versions[0].ir);
    h->rows->versions_count = h->rows->pipelines_count = 0;
    harness_restart(h, 0);
    harness_settle(h);
    worker_comes_back_empty(h);
    ended(h, run, "failed", "is not in the catalog");
    harness_run(h, "p", 2);
    assert_false(h->accepted);
    assert_string_equal(h->detail, "there is no pipeline p");
}

static void in_its_finally_steps(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps: {a: {command: [x]}}\nfinally: {f: {command: [x]}}\n");
    struct uuid run = harness_run(h, "p", 1);
    finish(h, 0, "a", SUCCEEDED, NULL);
    assert_string_equal(step_is(h, run, 1), "placed");
    assert_int_equal(h->rows->finallys_count, 1);
    unreadable(h, "p");
    harness_restart(h, 0);
    harness_settle(h);
    worker_comes_back_empty(h);
    failed_as_unreadable(h, run);
}

/* ---- whatever the run is at ---------------------------------------------------------------- */

static void one_that_is_being_cancelled(void **state)
{
    struct harness *h = *state;
    struct uuid run = in_all_states(h);
    harness_cancel(h, run);
    unreadable(h, "p");
    harness_restart(h, 0);
    harness_settle(h);
    worker_comes_back_empty(h);
    failed_as_unreadable(h, run);
}

static void one_that_is_queued(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nconcurrency: {limit: 1}\nqueue_timeout: 1h\n"
                     "steps: {a: {command: [x]}}\n");
    struct uuid first = harness_run(h, "p", 1), second = harness_run(h, "p", 2);
    assert_string_equal(run_is(h, second), "queued");
    unreadable(h, "p");
    harness_restart(h, 2 * 3600 * US_PER_S);
    harness_settle(h);
    ended(h, second, "failed", "cannot be read");
    worker_comes_back_empty(h);
    failed_as_unreadable(h, first);
}

static void a_retry_that_takes_over_results(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps: {a: {command: [x]}, b: {command: [x]}}\n");
    struct uuid old = harness_run(h, "p", 1);
    finish(h, 0, "a", SUCCEEDED, NULL);
    finish(h, 0, "b", FAILED, NULL);
    harness_learn_run(h, old, NULL);
    harness_command(h, (struct command){.kind = COMMAND_KIND_RETRY, .run = id_of(2), .of = old},
                    false);
    row_of_run(h, id_of(2))->state = RUN_PENDING; /* its leader died before the last was in */
    for (size_t i = h->rows->steps_count; i-- > 0;)
        h->rows->steps[i] = h->rows->steps[--h->rows->steps_count];
    unreadable(h, "p");
    harness_restart(h, 0);
    harness_settle(h);
    failed_as_unreadable(h, id_of(2));
}

/* ---- reports and the catalog before its first turn ----------------------------------------- */

static void a_success_in_the_first_batch(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps: {a: {command: [x], cache: {}}}\n");
    struct uuid run = harness_run(h, "p", 1);
    unreadable(h, "p");
    harness_restart(h, 0);
    finish(h, 0, "a", SUCCEEDED, NULL);
    assert_string_equal(step_is(h, run, 0), "succeeded");
    failed_as_unreadable(h, run);
    assert_int_equal(h->cached_count, 0); /* nobody knows what it was asked for */
}

static void a_version_that_comes_back_comes_too_late(void **state)
{
    struct harness *h = *state;
    struct uuid run = in_all_states(h);
    json_t *known = json_deep_copy(h->rows->versions[0].ir);
    unreadable(h, "p");
    harness_restart(h, 0);
    struct snapshot *delta = snapshot_new();
    *snapshot_add_versions(delta) = h->rows->versions[0];
    delta->versions[0].ir = known;
    core_learn(h->core, delta, &h->now);
    core_learn(h->core, delta, &h->now); /* once more: it is known */
    snapshot_free(delta);
    harness_settle(h);
    worker_comes_back_empty(h);
    failed_as_unreadable(h, run);
    harness_run(h, "p", 2); /* it is there for the next */
    assert_true(h->accepted);
}

/* On Kafka its orders may be missing: nothing of it is started again, cancels are sent. */
static void nothing_of_it_is_sent_again(void **state)
{
    struct harness *h = *state;
    h->config.resend_placed = true;
    harness_apply(h, "name: p\nsteps: {a: {command: [x]},\n"
                     "  e: {for_each: \"${{ 'a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q'.split(',') }}\","
                     " command: [x]}}\n");
    struct uuid run = harness_run(h, "p", 1);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 18);
    unreadable(h, "p");
    harness_restart(h, 0);
    harness_forget_orders(h);
    core_drained(h->core, core_wants_drain(h->core), &h->now);
    harness_settle(h);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 0);
    assert_true(orders_of(h, ORDER_KIND_CANCEL) >= 18);
    worker_comes_back_empty(h);
    failed_as_unreadable(h, run);
}

/* What runs there takes its slots until the worker has ended it. */
static void what_runs_keeps_its_slots(void **state)
{
    struct harness *h = *state;
    h->pools[1] = "own";
    harness_hello(h, 1, 3, NULL, 0);
    harness_apply(h, "name: p\nsteps: {a: {command: [x], resources: {slots: 2}, pool: own}}\n");
    harness_apply(h, "name: q\nsteps: {b: {command: [x], resources: {slots: 2}, pool: own}}\n");
    struct uuid run = harness_run(h, "p", 1);
    assert_string_equal(step_is(h, run, 0), "placed");
    unreadable(h, "p");
    for (int i = 0; i < 2; i++) { /* the row goes on saying it, when it is cancelling too */
        harness_restart(h, 0);
        harness_settle(h);
    }
    assert_string_equal(step_is(h, run, 0), "cancelling");
    assert_int_equal(row_of_step(h, run, 0)->slots, 2);
    struct uuid later = harness_run(h, "q", 2);
    assert_string_equal(step_is(h, later, 0), "-"); /* it is ready, and waits */
    finish(h, 1, "a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    ended(h, run, "failed", "cannot be read");
    assert_string_equal(step_is(h, later, 0), "placed");
}

/* ---- runs that its steps have started ------------------------------------------------------ */

static const char STARTS[] =
    "name: p\nsteps:\n"
    "  e: {for_each: [x, y], steps: {s: {start: {pipeline: q}, retry: {attempts: 2}}}}\n"
    "  o: {start: {pipeline: q, wait: false}}\n";
static const char STARTED[] = "name: q\nconcurrency: {limit: 3}\nsteps: {c: {command: [c]}}\n";

/* The child of that instance, try and parent. */
static struct uuid child_of(struct harness *h, struct uuid parent, int iteration, int attempt)
{
    for (size_t i = 0; i < h->rows->starts_count; i++) {
        const struct snapshot_start *s = &h->rows->starts[i];
        if (same_id(&s->parent, &parent) && s->iteration == iteration && s->attempt == attempt)
            return s->child;
    }
    fail_msg("no run was started there");
    return id_of(0);
}

static void fail_run(struct harness *h, struct uuid run)
{
    for (size_t i = 0; i < h->order_count; i++)
        if (h->orders[i].kind == ORDER_KIND_START && same_id(&h->orders[i].start->run, &run))
            harness_finished(h, 0, &h->orders[i], FAILED, NULL);
    harness_settle(h);
}

/* What waits for a run that nobody waits for any more is cancelled; what was only begun goes on. */
static void what_it_waits_for_is_cancelled(void **state)
{
    struct harness *h = *state;
    harness_apply(h, STARTED);
    harness_apply(h, STARTS);
    struct uuid first = harness_run(h, "p", 1);
    struct uuid waited[] = {child_of(h, first, 1, 1), child_of(h, first, 2, 1)};
    struct uuid begun = child_of(h, first, 0, 1);
    assert_string_equal(run_is(h, waited[0]), "running");
    assert_string_equal(run_is(h, begun), "running");
    unreadable(h, "p");
    harness_restart(h, 0);
    harness_settle(h);
    assert_string_equal(run_is(h, waited[0]), "cancelling");
    assert_string_equal(run_is(h, begun), "running");
    worker_comes_back_empty(h);
    for (size_t i = 0; i < ARRAY_LEN(waited); i++)
        ended(h, waited[i], "cancelled", "the run that started it cannot be read");
    ended(h, first, "failed", "cannot be read");
    fail_run(h, begun);
    assert_string_equal(run_is(h, begun), "failed");
}

/* The children of two runs of one pipeline, one of them in its second try. */
static void each_belongs_to_its_own_try(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: q\nsteps: {c: {command: [c]}}\n");
    harness_apply(h, STARTS);
    struct uuid first = harness_run(h, "p", 1), second = harness_run(h, "p", 2);
    fail_run(h, child_of(h, second, 1, 1));
    harness_pass(h, 5 * US_PER_S);
    struct uuid waited[] = {child_of(h, first, 1, 1), child_of(h, first, 2, 1),
                            child_of(h, second, 1, 2), child_of(h, second, 2, 1)};
    unreadable(h, "p");
    harness_restart(h, 0);
    harness_settle(h);
    worker_comes_back_empty(h);
    for (size_t i = 0; i < ARRAY_LEN(waited); i++)
        ended(h, waited[i], "cancelled", "the run that started it cannot be read");
}

/* Both cannot be read: it fails for its own sake. */
static void one_that_is_queued_for_it(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: q\nconcurrency: {limit: 1}\nsteps: {c: {command: [c]}}\n");
    harness_apply(h, "name: p\nsteps: {s: {start: {pipeline: q}}}\n");
    harness_run(h, "q", 1);
    struct uuid parent = harness_run(h, "p", 2), child = h->rows->starts[0].child;
    assert_string_equal(run_is(h, child), "queued");
    unreadable(h, "p");
    unreadable(h, "q");
    harness_restart(h, 0);
    harness_settle(h);
    ended(h, child, "failed", "cannot be read");
    ended(h, parent, "failed", "cannot be read");
}

/* It was being cancelled with its parent: that goes on. */
static void one_that_is_being_cancelled_with_it(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: q\nsteps: {c: {command: [c]}}\n");
    harness_apply(h, "name: p\nsteps: {s: {start: {pipeline: q}}}\n");
    struct uuid parent = harness_run(h, "p", 1), child = h->rows->starts[0].child;
    harness_cancel(h, parent);
    unreadable(h, "p");
    harness_restart(h, 0);
    harness_settle(h);
    worker_comes_back_empty(h);
    ended(h, child, "cancelled", "cancelled with step s of run");
    ended(h, parent, "failed", "cannot be read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup_worker, harness_teardown)
        T(every_step_that_is_live_ends),
        T(so_it_does_across_another_takeover),
        T(a_version_that_is_gone_is_as_bad),
        T(in_its_finally_steps),
        T(one_that_is_being_cancelled),
        T(one_that_is_queued),
        T(a_retry_that_takes_over_results),
        T(a_success_in_the_first_batch),
        T(a_version_that_comes_back_comes_too_late),
        T(nothing_of_it_is_sent_again),
        T(what_runs_keeps_its_slots),
        T(what_it_waits_for_is_cancelled),
        T(each_belongs_to_its_own_try),
        T(one_that_is_queued_for_it),
        T(one_that_is_being_cancelled_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

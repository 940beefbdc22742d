/* How many runs there may be, and what becomes of what would make more: docs/walk.md, section 2. */
#include <malloc.h>

#include "scheduler/core/state.h"
#include "tests/unit/scheduler/core_harness.h"

#define MOST 2

static const char PIPELINE[] = "name: p\n"
                               "on:\n"
                               "  event: {type: dev.example.go, filter: event.data.n > 0}\n"
                               "steps:\n  only: {command: [x]}\n";

static int setup(void **state)
{
    struct harness *h = *state = harness_new();
    core_free(h->core);
    h->config.most_runs = MOST;
    h->core = core_new(&h->config);
    return 0;
}

/* Is it taken in? */
static bool send_event(struct harness *h, const char *type, int byte, const char *data)
{
    char id[UUID_TEXT];
    struct uuid event_id = id_of(byte);
    uuid_format(&event_id, id);
    cleanup_free char *envelope =
        mem_printf("{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"/x\",\"type\":\"%s\","
                   "\"time\":\"2026-11-23T08:00:00Z\",\"leatsource\":\"site\",\"data\":%s}",
                   id, type, data);
    struct event event;
    struct err err = {0};
    if (event_decode(envelope, strlen(envelope), &event, &err) < 0)
        fail_msg("%s", err.text);
    const size_t before = batch_row_count(h->out);
    const bool taken = core_event(h->core, &event, envelope, &h->now, h->out);
    assert_true(taken || batch_row_count(h->out) == before);
    event_clear(&event);
    harness_settle(h);
    return taken;
}

static void run_command(struct harness *h, int kind, int byte, int of)
{
    harness_command(
        h,
        (struct command){
            .kind = kind, .run = id_of(byte), .pipeline = "p", .steps = "only", .of = id_of(of)},
        false);
}

/* As many as there may be. */
static void fill(struct harness *h)
{
    for (int i = 1; i <= MOST; i++) {
        assert_true(core_room(h->core) > 0);
        harness_run(h, "p", i);
        assert_true(h->accepted);
    }
    assert_int_equal(core_room(h->core), 0);
}

static void learn_of(struct harness *h, int byte)
{
    struct snapshot *delta = snapshot_new();
    struct snapshot_run *row = snapshot_add_runs(delta);
    *row = *row_of_run(h, id_of(byte));
    row->state = RUN_FAILED;
    json_incref(row->params);
    json_incref(row->vars);
    core_learn(h->core, delta, &h->now);
    snapshot_free(delta);
}

/* At the edge and over it; refused for now, and nothing is remembered against it. */
static void commands_are_refused_while_there_are_too_many(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    harness_apply(h, PIPELINE);
    harness_run(h, "p", 9);
    finish(h, 0, "only", FAILED, NULL);
    fill(h);
    static const int KINDS[] = {COMMAND_KIND_RUN, COMMAND_KIND_RETRY, COMMAND_KIND_RERUN,
                                COMMAND_KIND_ONLY};
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
        learn_of(h, 9);
        run_command(h, KINDS[i], 3, 9);
        assert_false(h->accepted);
        assert_true(h->busy);
        assert_string_equal(h->detail, "2 runs are live or queued, and there may be 2: try again "
                                       "when some have ended");
        assert_string_equal(run_is(h, id_of(3)), "-");
    }
    assert_int_equal(stats_of(h).runs_refused, 4);
    harness_run(h, "nothing", 4); /* what is wrong with it goes first */
    assert_false(h->busy);
    finish(h, 0, "only", SUCCEEDED, NULL);
    harness_run(h, "p", 3);
    assert_true(h->accepted);
    harness_cancel(h, id_of(1)); /* what makes none goes on */
    assert_true(h->accepted);
}

static void events_wait_while_there_are_too_many(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    harness_apply(h, PIPELINE);
    fill(h);
    assert_false(send_event(h, "dev.example.go", 11, "{\"n\": 1}"));
    assert_true(send_event(h, "dev.example.other", 12, "{\"n\": 1}"));
    assert_true(send_event(h, "dev.example.go", 13, "{\"n\": 0}")); /* filtered: makes no run */
    assert_true(send_event(h, "dev.example.go", 14, "{}"));         /* nor does what fails */
    finish(h, 0, "only", SUCCEEDED, NULL);
    assert_true(send_event(h, "dev.example.go", 11, "{\"n\": 1}"));
    assert_non_null(strstr(h->verdicts, "\"verdict\":\"run\""));
    assert_false(send_event(h, "dev.example.go", 15, "{\"n\": 1}"));
    struct snapshot *delta = snapshot_new();
    struct snapshot_pipeline *p = snapshot_add_pipelines(delta);
    *p = h->rows->pipelines[0];
    p->paused = true;
    core_learn(h->core, delta, &h->now);
    snapshot_free(delta);
    assert_true(send_event(h, "dev.example.go", 15, "{\"n\": 1}"));
    assert_non_null(strstr(h->verdicts, "\"verdict\":\"paused\""));
}

/* An event is taken in whole. */
static void the_last_event_may_make_several(void **state)
{
    struct harness *h = *state;
    harness_apply(h, PIPELINE);
    harness_apply(h, "name: q\non:\n  event: [{type: dev.example.go}, {type: dev.example.*}]\n"
                     "steps:\n  only: {command: [x]}\n");
    harness_run(h, "p", 1);
    assert_true(send_event(h, "dev.example.go", 11, "{\"n\": 1}"));
    assert_int_equal(stats_of(h).live_runs, 4);
    assert_false(send_event(h, "dev.example.go", 12, "{\"n\": 1}"));
}

/* One that ends a wait is taken in, or who waits for it would keep it out; up to twice as many. */
static void who_waits_for_it_lets_it_in(void **state)
{
    struct harness *h = *state;
    harness_apply(h, PIPELINE);
    harness_apply(h, "name: w\nsteps:\n"
                     "  all:\n    wait: {type: dev.example.go, filter: event.data.m > 1}\n");
    for (int i = 1; i <= MOST; i++)
        harness_run(h, "w", i);
    assert_false(send_event(h, "dev.example.go", 11, "{\"n\": 1}")); /* the filter fails */
    assert_false(send_event(h, "dev.example.go", 11, "{\"n\": 1, \"m\": 1}"));
    assert_true(send_event(h, "dev.example.go", 12, "{\"n\": 1, \"m\": 2}"));
    assert_string_equal(run_is(h, id_of(1)), "succeeded");
    assert_string_equal(run_is(h, id_of(2)), "succeeded");
}

static void not_beyond_twice_as_many(void **state)
{
    struct harness *h = *state;
    harness_apply(h, PIPELINE);
    harness_apply(h, "name: w\nsteps:\n"
                     "  all:\n    wait: {type: dev.example.go, filter: event.data.n == 7}\n"
                     "  more:\n    wait: {type: dev.example.on}\n");
    harness_run(h, "w", 1);
    h->config.most_runs = 1;
    harness_restart(h, 0);
    harness_settle(h);
    assert_true(send_event(h, "dev.example.go", 11, "{\"n\": 7}")); /* ends the one, makes one */
    assert_int_equal(stats_of(h).live_runs, 2);
    assert_false(send_event(h, "dev.example.go", 12, "{\"n\": 7}"));
    assert_true(send_event(h, "dev.example.on", 13, "{}")); /* makes none */
    assert_string_equal(run_is(h, id_of(1)), "succeeded");
}

/* A leader that finds more than there may be keeps them all. */
static void a_takeover_loses_none(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    harness_apply(h, PIPELINE);
    fill(h);
    h->config.most_runs = 1;
    harness_restart(h, 0);
    harness_settle(h);
    assert_int_equal(stats_of(h).live_runs, 2);
    assert_int_equal(core_room(h->core), 0);
    assert_false(send_event(h, "dev.example.go", 11, "{\"n\": 1}"));
    finish(h, 0, "only", SUCCEEDED, NULL);
    assert_false(send_event(h, "dev.example.go", 11, "{\"n\": 1}"));
    harness_cancel(h, id_of(1));
    harness_cancel(h, id_of(2));
    for (size_t i = 0; i < h->order_count; i++)
        if (h->orders[i].kind == ORDER_KIND_CANCEL)
            harness_finished(h, 0, &h->orders[i], REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    harness_settle(h);
    assert_true(send_event(h, "dev.example.go", 11, "{\"n\": 1}"));
}

/* Who waits for a run that it starts would wait for itself: steps have room of their own, and fail
 * beyond it. */
static void steps_start_as_many_again(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    harness_apply(h, PIPELINE);
    harness_apply(h, "name: s\nsteps:\n"
                     "  each:\n    for_each: [1, 2, 3, 4]\n    fail_fast: false\n"
                     "    start: {pipeline: p}\n");
    harness_run(h, "s", 1);
    assert_int_equal(stats_of(h).live_runs, 2 * MOST);
    assert_int_equal(stats_of(h).runs_refused, 1);
    size_t refused = 0;
    for (size_t i = 0; i < h->rows->results_count; i++)
        refused += h->rows->results[i].state == STEP_FAILED &&
                   strcmp(h->rows->results[i].reason,
                          "4 runs are live or queued: steps start no more now") == 0;
    assert_int_equal(refused, 1);
    for (int i = 0; i < 3; i++)
        for (size_t k = h->order_count; k-- > 0;)
            if (h->orders[k].kind == ORDER_KIND_START)
                harness_finished(h, 0, &h->orders[k], SUCCEEDED, NULL);
    harness_settle(h);
    assert_string_equal(run_is(h, id_of(1)), "failed");
    assert_int_equal(core_room(h->core), MOST);
}

/* ---- ids of workers ------------------------------------------------------------------------ */

#define DAY_US (24 * 3600 * US_PER_S)

static void a_new_worker_is_refused_when_there_are_too_many(void **state)
{
    struct harness *h = *state;
    core_free(h->core);
    h->config.most_workers = 2;
    h->core = core_new(&h->config);
    harness_hello(h, 0, 1, NULL, 0);
    assert_true(core_takes_worker(h->core, "w1", 0));
    assert_false(core_takes_worker(h->core, "w1", 1)); /* another new one goes first */
    harness_hello(h, 1, 1, NULL, 0);
    assert_false(core_takes_worker(h->core, "w2", 0));
    harness_hello(h, 2, 1, NULL, 0);
    harness_heartbeat(h, 2, 1);
    assert_int_equal(stats_of(h).workers, 2);
    assert_int_equal(stats_of(h).workers_refused, 1);
    assert_true(core_takes_worker(h->core, "w0", 5)); /* who is known is heard */
    harness_hello(h, 0, 3, NULL, 0);
    assert_int_equal(stats_of(h).workers_refused, 1);
}

/* Silent until it is gone, then for as long as its id is kept. */
static void fall_silent(struct harness *h)
{
    for (int i = 0; i < 4; i++) {
        harness_pass(h, 100 * US_PER_S);
        core_drained(h->core, core_wants_drain(h->core), &h->now);
        harness_settle(h);
    }
}

static void an_id_that_is_gone_is_forgotten(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n  only: {command: [x]}\n");
    harness_hello(h, 0, 1, NULL, 0);
    harness_run(h, "p", 1);
    struct order start = *order_of(h, ORDER_KIND_START, "only");
    fall_silent(h);
    assert_int_equal(h->rows->workers[0].state, WORKER_GONE);
    harness_pass(h, 20 * DAY_US);
    assert_int_equal(stats_of(h).workers, 1);
    harness_restart(h, 9 * DAY_US); /* what passes without a leader counts */
    harness_settle(h);
    assert_int_equal(stats_of(h).workers, 1);
    harness_pass(h, DAY_US);
    assert_int_equal(stats_of(h).workers, 0);
    assert_int_equal(h->rows->workers_count, 0);
    const int64_t stale = stats_of(h).reports_stale;
    harness_finished(h, 0, &start, SUCCEEDED, NULL); /* late */
    harness_heartbeat(h, 0, 9);
    assert_int_equal(stats_of(h).reports_stale, stale + 2);
    assert_int_equal(stats_of(h).workers, 0);
    assert_string_equal(run_is(h, id_of(1)), "running");
    harness_hello(h, 0, 1, NULL, 0); /* a new life of the same name is a new worker */
    assert_int_equal(stats_of(h).workers, 1);
    assert_int_equal(stats_of(h).placed, 1);
}

static void an_id_that_was_removed_is_forgotten(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 1, NULL, 0);
    harness_command(
        h, (struct command){.kind = COMMAND_KIND_DRAIN, .run = id_of(8), .worker = "w0"}, false);
    harness_command(
        h, (struct command){.kind = COMMAND_KIND_REMOVE, .run = id_of(8), .worker = "w0"}, false);
    assert_true(h->accepted);
    harness_pass(h, 29 * DAY_US);
    assert_int_equal(stats_of(h).workers, 1);
    harness_heartbeat(h, 0, 3);        /* is not listened to, and keeps nothing alive */
    harness_restart(h, -400 * DAY_US); /* a clock that jumped: no longer than the whole */
    harness_pass(h, 30 * DAY_US - 1);
    assert_int_equal(stats_of(h).workers, 1);
    harness_pass(h, 1);
    assert_int_equal(stats_of(h).workers, 0);
}

/* One that says something in the batch in which it would be forgotten stays. */
static void who_comes_back_in_time_is_kept(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 1, NULL, 0);
    fall_silent(h);
    harness_pass(h, 29 * DAY_US);
    harness_heartbeat(h, 0, 5);
    assert_int_equal(h->rows->workers[0].state, WORKER_ACTIVE);
    harness_pass(h, 5 * US_PER_S);
    assert_int_equal(stats_of(h).workers, 1);
    fall_silent(h);
    h->now.mono_us += 30 * DAY_US;
    harness_report(h, 0, (struct report){.kind = REPORT_KIND_HEARTBEAT, .heartbeat = 6, .n = 1});
    harness_settle(h); /* a repeat says nothing of it being there */
    assert_int_equal(stats_of(h).workers, 0);
}

/* ---- pipelines ----------------------------------------------------------------------------- */

static void tell_deleted(struct harness *h, size_t i)
{
    struct snapshot *delta = snapshot_new();
    struct snapshot_pipeline *p = snapshot_add_pipelines(delta);
    h->rows->pipelines[i].deleted = true;
    *p = h->rows->pipelines[i];
    core_learn(h->core, delta, &h->now);
    snapshot_free(delta);
    harness_settle(h);
}

/* As deleted they are known while there is room, and while a run of them is live. */
static void deleted_pipelines_are_forgotten_beyond_the_bound(void **state)
{
    struct harness *h = *state;
    core_free(h->core);
    h->config.most_pipelines = 1;
    h->core = core_new(&h->config);
    harness_hello(h, 0, 1, NULL, 0);
    harness_apply(h, "name: a\nsteps:\n  only: {command: [x]}\n");
    tell_deleted(h, 0);
    assert_int_equal(stats_of(h).pipelines, 1);
    harness_run(h, "a", 1);
    assert_string_equal(h->detail, "pipeline a was deleted");
    harness_apply(h, "name: b\nsteps:\n  only: {command: [x]}\n");
    harness_run(h, "b", 2);
    tell_deleted(h, 1);
    assert_int_equal(stats_of(h).pipelines, 1); /* a has gone, b has a run */
    harness_run(h, "a", 3);
    assert_string_equal(h->detail, "there is no pipeline a");
    harness_apply(h, "name: c\nsteps:\n  only: {command: [x]}\n");
    harness_settle(h);
    assert_int_equal(stats_of(h).pipelines, 2);
    finish(h, 0, "only", SUCCEEDED, NULL);
    assert_int_equal(stats_of(h).pipelines, 1);
}

#define QUEUED 10000

/* What the default of most_runs rests on. Under the sanitizers nothing can be measured. */
static void a_queued_run_is_small(void **state)
{
    struct harness *h = *state;
    core_free(h->core);
    h->config.most_runs = QUEUED + 1;
    h->core = core_new(&h->config);
    h->mirror = false;
    harness_apply(h, "name: p\nconcurrency: {limit: 1}\nparams: {city: Rome, day: 3}\n"
                     "steps:\n  only: {command: [x]}\n");
    harness_run(h, "p", 1);
    const size_t before = mallinfo2().uordblks;
    for (int i = 0; i < QUEUED; i++) {
        struct uuid run = id_of(0);
        run.b[10] = 1;
        run.b[12] = (uint8_t)(i >> 8);
        run.b[13] = (uint8_t)i;
        harness_command(h, (struct command){.kind = COMMAND_KIND_RUN, .run = run, .pipeline = "p"},
                        false);
        assert_true(h->accepted);
    }
    assert_int_equal(stats_of(h).queued_runs, QUEUED);
    assert_int_equal(core_room(h->core), 0);
    const size_t each = (mallinfo2().uordblks - before) / QUEUED;
    printf("a queued run takes %zu bytes\n", each);
    assert_true(each < 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, harness_teardown)
        T(commands_are_refused_while_there_are_too_many),
        T(events_wait_while_there_are_too_many),
        T(the_last_event_may_make_several),
        T(who_waits_for_it_lets_it_in),
        T(not_beyond_twice_as_many),
        T(a_takeover_loses_none),
        T(steps_start_as_many_again),
        T(a_new_worker_is_refused_when_there_are_too_many),
        T(an_id_that_is_gone_is_forgotten),
        T(an_id_that_was_removed_is_forgotten),
        T(who_comes_back_in_time_is_kept),
        T(deleted_pipelines_are_forgotten_beyond_the_bound),
        T(a_queued_run_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

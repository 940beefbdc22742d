/* How many runs go on at once: docs/pipelines.md, concurrency and queue_timeout. */
#include "scheduler/core/events.h"
#include "tests/unit/scheduler/core_harness.h"

#define PIPELINE(concurrency)                                                                      \
    "name: p\non: {event: {type: dev.example.x, params: {city: \"${{ event.data.city }}\"}}}\n"    \
    "concurrency: {" concurrency "}\nqueue_timeout: 30s\nparams: {city: rome}\n"                   \
    "steps:\n  only: {command: [x]}\nfinally:\n  tell: {command: [y]}\n"

static struct uuid run_for(struct harness *h, int byte, const char *city)
{
    json_t *params = json_pack("{s:s}", "city", city);
    harness_command(
        h,
        (struct command){
            .kind = COMMAND_KIND_RUN, .run = id_of(byte), .pipeline = "p", .params = params},
        false);
    json_decref(params);
    harness_pass(h, 1000); /* none is as old as another */
    return id_of(byte);
}

/* Every step of the run that is there ends well, and what comes after it. */
static void end_run(struct harness *h, struct uuid run)
{
    for (size_t i = 0; i < h->order_count; i++)
        if (h->orders[i].kind == ORDER_KIND_START && same_id(&h->orders[i].start->run, &run)) {
            harness_finished(h, 0, &h->orders[i], SUCCEEDED, NULL);
            harness_settle(h);
        }
}

static void runs_with_one_key_share_a_limit(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    harness_apply(h, PIPELINE("key: \"${{ params.city }}\""));
    struct uuid first = run_for(h, 1, "rome"), second = run_for(h, 2, "rome");
    struct uuid other = run_for(h, 3, "oslo");
    assert_string_equal(row_of_run(h, first)->concurrency_key, "rome");
    assert_string_equal(run_is(h, first), "running");
    assert_string_equal(run_is(h, second), "queued");
    assert_string_equal(run_is(h, other), "running");
    end_run(h, first);
    assert_string_equal(run_is(h, first), "succeeded");
    assert_string_equal(run_is(h, second), "running");
    end_run(h, second);
    end_run(h, other);
    assert_int_equal(stats_of(h).bytes, 0); /* the groups went with their last runs */
}

/* The text is in the row: whatever the expression would say now, and to a leader that is new. */
static void groups_come_back_at_a_takeover(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    harness_apply(h, PIPELINE("key: \"${{ params.city }}\""));
    struct uuid runs[4];
    for (int i = 0; i < 4; i++)
        runs[i] = run_for(h, i + 1, i % 2 ? "rome" : "oslo");
    harness_restart(h, 0);
    harness_settle(h);
    assert_int_equal(stats_of(h).queued_runs, 2);
    end_run(h, runs[1]);
    assert_string_equal(run_is(h, runs[2]), "queued");
    assert_string_equal(run_is(h, runs[3]), "running");
}

static void a_key_that_cannot_be_worked_out_fails_the_run(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    harness_apply(h, PIPELINE("key: \"${{ event.data.city }}\""));
    struct uuid run = run_for(h, 1, "rome"); /* by hand: there is no event */
    assert_true(h->accepted);
    assert_string_equal(run_is(h, run), "failed");
    assert_non_null(strstr(row_of_run(h, run)->reason, "concurrency: key"));
}

static void skip_skips(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    harness_apply(h, PIPELINE("policy: skip, limit: 2"));
    struct uuid runs[3];
    for (int i = 0; i < 3; i++)
        runs[i] = run_for(h, i + 1, "rome");
    assert_true(h->accepted);
    assert_string_equal(run_is(h, runs[1]), "running");
    assert_string_equal(run_is(h, runs[2]), "skipped");
    assert_string_equal(row_of_run(h, runs[2])->reason,
                        "2 of 2 runs of its concurrency group go on or wait");
    end_run(h, runs[0]);
    assert_string_equal(run_is(h, run_for(h, 4, "rome")), "running");
}

static void the_verdict_of_the_event_says_skipped(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    static const char TEXT[] =
        "{\"specversion\":\"1.0\",\"id\":\"019a0000-0000-7000-8000-000000000077\",\"source\":\"/x\""
        ",\"type\":\"dev.example.x\",\"time\":\"2026-11-23T08:00:00Z\",\"leatsource\":\"s\""
        ",\"data\":{\"city\":\"rome\"}}";
    struct event event;
    struct err err = {0};
    harness_apply(h, PIPELINE("policy: skip"));
    run_for(h, 1, "rome");
    if (event_decode(TEXT, strlen(TEXT), &event, &err) < 0)
        fail_msg("%s", err.text);
    core_event(h->core, &event, TEXT, &h->now, h->out);
    struct uuid run = event_run_id(&event, "p", "event");
    event_clear(&event);
    harness_settle(h);
    assert_string_equal(run_is(h, run), "skipped");
    assert_non_null(strstr(h->verdicts, "\"verdict\":\"skipped\""));
    assert_non_null(strstr(h->verdicts, "go on or wait"));
}

/* It begins when the cancelled one is over, its finally steps too. */
static void cancel_running_waits_for_the_end(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    harness_apply(h, PIPELINE("policy: cancel_running"));
    struct uuid first = run_for(h, 1, "rome"), second = run_for(h, 2, "rome");
    assert_string_equal(run_is(h, first), "cancelling");
    assert_string_equal(row_of_run(h, first)->reason, "run p-2 of its concurrency group came");
    assert_string_equal(run_is(h, second), "queued");
    finish(h, 0, "only", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, first), "cancelling"); /* `tell` runs */
    assert_string_equal(run_is(h, second), "queued");
    harness_restart(h, 0);
    harness_settle(h);
    assert_string_equal(run_is(h, second), "queued");
    finish(h, 0, "tell", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, first), "cancelled");
    assert_string_equal(run_is(h, second), "running");
}

/* One that came meanwhile makes way too: nothing is in the queue that another would cancel. */
static void cancel_running_skips_what_waits(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    harness_apply(h, PIPELINE("policy: cancel_running, limit: 2"));
    struct uuid runs[5];
    for (int i = 0; i < 5; i++)
        runs[i] = run_for(h, i + 1, "rome");
    const char *want[] = {"cancelling", "cancelling", "skipped", "queued", "queued"};
    for (int i = 0; i < 5; i++)
        assert_string_equal(run_is(h, runs[i]), want[i]);
}

static void latest_only_keeps_the_newest(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    harness_apply(h, PIPELINE("policy: latest_only"));
    struct uuid runs[4];
    for (int i = 0; i < 4; i++)
        runs[i] = run_for(h, i + 1, "rome");
    const char *want[] = {"running", "skipped", "skipped", "queued"};
    for (int i = 0; i < 4; i++)
        assert_string_equal(run_is(h, runs[i]), want[i]);
    assert_string_equal(row_of_run(h, runs[1])->reason, "run p-3 of its concurrency group came");
    end_run(h, runs[0]);
    assert_string_equal(run_is(h, runs[3]), "running");
}

/* How many: by the version that is current. What becomes of one: by its own. */
static void another_version_counts_at_once(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    harness_apply(h, PIPELINE("limit: 1"));
    struct uuid runs[6];
    for (int i = 0; i < 5; i++)
        runs[i] = run_for(h, i + 1, "rome");
    harness_apply(h, PIPELINE("limit: 3, policy: skip"));
    harness_settle(h);
    const char *raised[] = {"running", "running", "running", "queued", "queued"};
    for (int i = 0; i < 5; i++)
        assert_string_equal(run_is(h, runs[i]), raised[i]);
    harness_apply(h, PIPELINE("limit: 2"));
    end_run(h, runs[0]); /* two are left, which is all there may be now */
    assert_string_equal(run_is(h, runs[3]), "queued");
    end_run(h, runs[1]);
    assert_string_equal(run_is(h, runs[3]), "running");
    harness_apply(h, "name: p\nparams: {city: rome}\nsteps:\n  only: {command: [x]}\n");
    harness_settle(h);
    assert_string_equal(run_is(h, runs[4]), "running");
}

/* Then what the run's own version says is what counts. */
static void without_a_current_version_a_limit_holds_all_the_same(void **state)
{
    static const struct {
        bool gone; /* no row says which version is the current one; else it cannot be read */
    } ROWS[] = {{true}, {false}};
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct harness *h = i ? harness_new() : *state;
        harness_hello(h, 0, 8, NULL, 0);
        harness_apply(h, PIPELINE("limit: 1"));
        struct uuid runs[3];
        for (int k = 0; k < 3; k++)
            runs[k] = run_for(h, k + 1, "rome");
        harness_apply(h, PIPELINE("limit: 1, policy: skip"));
        json_object_set_new(h->rows->versions[1].ir, "ir", json_integer(99));
        if (ROWS[i].gone)
            h->rows->pipelines_count = 0;
        harness_restart(h, 0);
        harness_settle(h);
        end_run(h, runs[0]);
        assert_string_equal(run_is(h, runs[0]), "succeeded");
        assert_string_equal(run_is(h, runs[1]), "running");
        assert_string_equal(run_is(h, runs[2]), "queued");
        if (i)
            harness_free(h);
    }
}

/* It takes over all of its work before its turn; its finally steps come with that. */
static void a_retry_that_has_all_its_work_waits_for_its_turn(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    harness_apply(h, PIPELINE("limit: 1"));
    struct uuid first = run_for(h, 1, "rome");
    finish(h, 0, "only", SUCCEEDED, NULL);
    finish(h, 0, "tell", FAILED, NULL);
    assert_string_equal(run_is(h, first), "failed");
    struct uuid other = run_for(h, 2, "rome"), retry = id_of(3);
    harness_learn_run(h, first, NULL);
    harness_command(h, (struct command){.kind = COMMAND_KIND_RETRY, .run = retry, .of = first},
                    false);
    assert_string_equal(run_is(h, retry), "queued");
    assert_string_equal(step_is(h, retry, 0), "succeeded");
    assert_string_equal(step_is(h, retry, 1), "-");
    end_run(h, other);
    assert_string_equal(run_is(h, retry), "running");
    finish(h, 0, "tell", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, retry), "succeeded");
}

static void a_run_is_not_queued_for_ever(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    harness_apply(h, PIPELINE("limit: 1"));
    struct uuid first = run_for(h, 1, "rome"), second = run_for(h, 2, "rome");
    harness_pass(h, 20 * US_PER_S);
    harness_restart(h, 5 * US_PER_S); /* what passes without a leader counts */
    harness_pass(h, 5 * US_PER_S - 5000);
    assert_string_equal(run_is(h, second), "queued");
    harness_restart(h, -3600 * US_PER_S); /* never more than the whole */
    harness_pass(h, 30 * US_PER_S - 1);
    assert_string_equal(run_is(h, second), "queued");
    harness_pass(h, 1);
    assert_string_equal(run_is(h, second), "failed");
    assert_string_equal(row_of_run(h, second)->reason, "queued for longer than 30 s");
    assert_string_equal(run_is(h, first), "running");
    struct uuid third = run_for(h, 3, "rome");
    end_run(h, first);
    harness_pass(h, 60 * US_PER_S); /* it began: what it takes is another matter */
    assert_string_equal(run_is(h, third), "running");
}

/* Each that ends lets one begin, and nobody looks at the others. */
static void a_thousand_wait_and_slow_nothing(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    h->mirror = false;
    harness_apply(h, PIPELINE("limit: 1"));
    harness_apply(h, "name: q\nsteps:\n  only: {command: [x]}\n");
    enum { RUNS = 20000 };
    for (int i = 0; i < RUNS; i++) {
        struct uuid id = id_of(0);
        id.b[12] = (uint8_t)(i >> 16), id.b[13] = (uint8_t)(i >> 8), id.b[14] = (uint8_t)i;
        struct command c = {.v = 1, .kind = COMMAND_KIND_RUN, .id = id, .run = id, .pipeline = "p"};
        c.id.b[11] = 0xee;
        core_command(h->core, &c, false, &h->now, h->out);
        if (i % 1000 == 999)
            harness_turn(h);
    }
    harness_settle(h);
    assert_int_equal(stats_of(h).queued_runs, RUNS - 1);
    const int64_t began = clock_monotonic_us();
    for (int i = 0; i < 2000; i++) /* work and tell of each */
        finish(h, 0, NULL, SUCCEEDED, NULL);
    printf("1,000 ends and starts, 20,000 queued: %lld ms\n",
           (long long)(clock_monotonic_us() - began) / 1000);
    assert_int_equal(stats_of(h).queued_runs, RUNS - 1001);
    assert_int_equal(stats_of(h).live_runs, RUNS - 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
        T(runs_with_one_key_share_a_limit),
        T(groups_come_back_at_a_takeover),
        T(a_key_that_cannot_be_worked_out_fails_the_run),
        T(skip_skips),
        T(the_verdict_of_the_event_says_skipped),
        T(cancel_running_waits_for_the_end),
        T(cancel_running_skips_what_waits),
        T(latest_only_keeps_the_newest),
        T(another_version_counts_at_once),
        T(without_a_current_version_a_limit_holds_all_the_same),
        T(a_retry_that_has_all_its_work_waits_for_its_turn),
        T(a_run_is_not_queued_for_ever),
        T(a_thousand_wait_and_slow_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

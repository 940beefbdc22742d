/* Steps that start a run of another pipeline: what cannot be started, and tries. */
#include "tests/unit/scheduler/starts_harness.h"

/* ---- what cannot be started ---------------------------------------------------------------- */

/* What the catalog says of the pipeline from now on. */
static void catalog_says(struct harness *h, struct snapshot_pipeline p)
{
    struct snapshot *delta = snapshot_new();
    for (size_t i = 0; i < h->rows->versions_count; i++)
        if (strcmp(h->rows->versions[i].pipeline, p.name) == 0 && !p.version)
            p.version = h->rows->versions[i].hash;
    p.next_number = 9;
    *snapshot_add_pipelines(delta) = p;
    core_learn(h->core, delta, &h->now);
    snapshot_free(delta);
}

static void what_cannot_be_started_fails_with_why(void **state)
{
    struct harness *h = *state;
    static const struct {
        struct snapshot_pipeline is;
        const char *says;
    } TABLE[] = {
        {{.name = "report", .paused = true}, "pipeline report is paused"},
        {{.name = "report", .deleted = true}, "pipeline report was deleted"},
        {{.name = "report", .version = "0123456789abcdef"},
         "version 0123456789ab of report is not"},
    };
    harness_apply(h, REPORT);
    harness_apply(h, "name: p\nsteps: {child: {start: {pipeline: report, params: {day: x}}}}\n");
    for (size_t i = 0; i < ARRAY_LEN(TABLE); i++) {
        catalog_says(h, TABLE[i].is);
        struct uuid run = harness_run(h, "p", (int)i + 1);
        reason_has(h, run, 0, TABLE[i].says);
        assert_string_equal(run_is(h, run), "failed");
    }
    assert_int_equal(h->rows->starts_count, 0);
}

/* Each of them is the only step of a run, and fails. */
static void what_it_is_given_is_evaluated_when_it_starts(void **state)
{
    struct harness *h = *state;
    static const struct {
        const char *start, *says;
    } TABLE[] = {
        {"{pipeline: nowhere}", "there is no pipeline nowhere"},
        {"{pipeline: report}", "day"},
        {"{pipeline: report, params: {day: \"${{ event.data.day }}\"}}", "params.day: "},
        {"{pipeline: report, params: {day: x}, name: \"${{ event.data.day }}\"}", "name: "},
        {"{pipeline: keyed}", "concurrency: key: "},
    };
    harness_apply(h, REPORT);
    harness_apply(h, "name: keyed\nconcurrency: {key: \"${{ event.data.x }}\", limit: 1}\n"
                     "steps: {a: {command: [a]}}\n");
    for (size_t i = 0; i < ARRAY_LEN(TABLE); i++) {
        cleanup_free char *yaml =
            mem_printf("name: p%zu\nsteps: {child: {start: %s}}\n", i, TABLE[i].start);
        cleanup_free char *name = mem_printf("p%zu", i);
        harness_apply(h, yaml);
        struct uuid run = harness_run(h, name, (int)i + 1);
        reason_has(h, run, 0, TABLE[i].says);
    }
    assert_int_equal(h->rows->starts_count, 0);
}

/* The catalog has lost it, and a run of it is there still. */
static void a_pipeline_that_only_a_run_names_is_none(void **state)
{
    struct harness *h = *state;
    harness_apply(h, REPORT);
    harness_apply(h, "name: p\nsteps:\n  child: {start: {pipeline: report, params: {day: x}}, "
                     "retry: {attempts: 2, backoff: {first: 1s}}}\n");
    struct uuid run = harness_run(h, "p", 1);
    h->rows->pipelines[0] = h->rows->pipelines[--h->rows->pipelines_count];
    harness_restart(h, 0);
    finish(h, 0, "count", FAILED, NULL);
    harness_pass(h, 2 * US_PER_S);
    reason_has(h, run, 0, "there is no pipeline report");
}

/* Whoever makes ids by the same rule as a step does may have come first. */
static void a_run_that_has_its_id_is_left_alone(void **state)
{
    struct harness *h = *state;
    struct harness *before = harness_new();
    harness_hello(before, 0, 1000, NULL, 0);
    started(before);
    const struct uuid id = child(before, 0);
    harness_free(before);
    harness_apply(h, "name: q\nsteps: {b: {command: [b]}}\n");
    harness_command(h, (struct command){.kind = COMMAND_KIND_RUN, .run = id, .pipeline = "q"},
                    false);
    harness_apply(h, REPORT);
    struct uuid run = begin(h, CHILD);
    reason_has(h, run, 0, "there is such a run already");
    assert_string_equal(run_is(h, run), "failed");
    finish(h, 0, "b", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, id), "succeeded");
}

static void nothing_waits_for_itself(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: self\nconcurrency: {limit: 2}\nsteps: {again: {start: {pipeline: "
                     "self}}}\n");
    struct uuid run = harness_run(h, "self", 1);
    reason_has(h, run, 0, "waits for this one");
    assert_int_equal(h->rows->starts_count, 0);
}

/* Nor, by its concurrency group, for one that waits for it; another key is another group. */
static void nothing_waits_for_who_waits_for_it(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: a\nconcurrency: {limit: 2, key: \"${{ params.k }}\"}\n"
                     "params: {k: x, n: 0}\n"
                     "steps: {s: {start: {pipeline: b, params: {k: \"${{ params.k }}\", n: \"${{ "
                     "params.n }}\"}}}}\n");
    harness_apply(h, "name: b\nparams: {k: x, n: 0}\n"
                     "steps: {s: {start: {pipeline: a, params: {k: \"${{ params.n > 0 ? params.k : "
                     "'y' }}\", n: 1}}}}\n");
    struct uuid run = harness_run(h, "a", 1); /* a of x, b, a of y, b, and again a of y */
    assert_int_equal(h->rows->starts_count, 3);
    reason_has(h, child(h, 2), 0, "a run of a waits for this one");
    assert_string_equal(run_is(h, run), "failed");
}

static void runs_start_one_another_sixteen_deep(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: self\nsteps: {again: {start: {pipeline: self}}}\n");
    struct uuid run = harness_run(h, "self", 1);
    assert_int_equal(h->rows->starts_count, 16);
    reason_has(h, child(h, 15), 0, "16 deep");
    assert_string_equal(run_is(h, run), "failed");
    harness_apply(h, "name: free\nsteps: {again: {start: {pipeline: free, wait: false}}}\n");
    harness_run(h, "free", 2);
    assert_int_equal(h->rows->starts_count, 32);
    reason_has(h, child(h, 31), 0, "16 deep");
}

/* ---- tries --------------------------------------------------------------------------------- */

static void it_is_tried_again_with_another_run(void **state)
{
    struct harness *h = *state;
    harness_apply(h, ONE);
    struct uuid run =
        begin(h, "  child: {start: {pipeline: one}, retry: {attempts: 2, backoff: {first: 1s}}}\n");
    finish(h, 0, "a", FAILED, NULL);
    assert_string_equal(step_is(h, run, 0), "waiting");
    harness_restart(h, 0);
    harness_pass(h, 2 * US_PER_S);
    assert_int_equal(h->rows->starts_count, 2);
    struct uuid one = child(h, 0), two = child(h, 1);
    assert_false(same_id(&one, &two));
    finish(h, 0, "a", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_try_that_cannot_start_waits_again(void **state)
{
    struct harness *h = *state;
    harness_apply(h, ONE);
    struct uuid run =
        begin(h, "  child: {start: {pipeline: one}, retry: {attempts: 3, backoff: {first: 1s}}}\n");
    finish(h, 0, "a", FAILED, NULL);
    catalog_says(h, (struct snapshot_pipeline){.name = "one", .paused = true});
    harness_pass(h, 2 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "waiting");
    says(row_of_step(h, run, 0)->reason, "after attempt 2: pipeline one is paused");
    harness_pass(h, 4 * US_PER_S);
    reason_has(h, run, 0, "pipeline one is paused");
    assert_int_equal(stats_of(h).waiting, 0);
    assert_string_equal(run_is(h, run), "failed");
}

static void end_child(struct harness *h, size_t nth, int outcome)
{
    struct uuid run = child(h, nth);
    for (size_t i = 0; i < h->order_count; i++)
        if (h->orders[i].kind == ORDER_KIND_START && same_id(&h->orders[i].start->run, &run))
            harness_finished(h, 0, &h->orders[i], outcome, NULL);
    harness_settle(h);
}

/* Only the ends that its policy names are tried again. */
static void its_policy_says_what_is_tried_again(void **state)
{
    struct harness *h = *state;
    harness_apply(h, ONE);
    struct uuid run = begin(h, "  f: {start: {pipeline: one}, retry: {attempts: 2, on: "
                               "[timed_out]}}\n"
                               "  t: {start: {pipeline: one}, timeout: 5s, allow_failure: true, "
                               "retry: {attempts: 2, on: [failed]}}\n");
    end_child(h, 0, FAILED);
    harness_pass(h, 6 * US_PER_S);
    end_child(h, 1, REPORT_RESULT_OUTCOME_CANCELLED);
    reason_has(h, run, 1, "timed out after 5 s");
    assert_int_equal(h->rows->starts_count, 2);
    assert_string_equal(run_is(h, run), "failed");
}

static void a_cancel_between_two_tries_ends_it(void **state)
{
    struct harness *h = *state;
    harness_apply(h, ONE);
    struct uuid run =
        begin(h, "  child: {start: {pipeline: one}, retry: {attempts: 2, backoff: {first: 9s}}}\n");
    finish(h, 0, "a", FAILED, NULL);
    harness_cancel(h, run);
    assert_string_equal(step_is(h, run, 0), "cancelled");
    assert_string_equal(run_is(h, run), "cancelled");
    assert_int_equal(stats_of(h).waiting, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, harness_setup_worker, harness_teardown)
    const struct CMUnitTest tests[] = {
        T(what_cannot_be_started_fails_with_why),
        T(what_it_is_given_is_evaluated_when_it_starts),
        T(a_pipeline_that_only_a_run_names_is_none),
        T(a_run_that_has_its_id_is_left_alone),
        T(nothing_waits_for_itself),
        T(nothing_waits_for_who_waits_for_it),
        T(runs_start_one_another_sixteen_deep),
        T(it_is_tried_again_with_another_run),
        T(a_try_that_cannot_start_waits_again),
        T(its_policy_says_what_is_tried_again),
        T(a_cancel_between_two_tries_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

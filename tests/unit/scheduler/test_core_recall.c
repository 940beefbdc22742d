/* A takeover over rows that do not fit together: what cannot be understood is left alone, what can
 * goes on. Such rows are another build's, or a hand's. */
#include "tests/unit/scheduler/groups_harness.h"

#define EACH                                                                                       \
    "name: p\nsteps:\n"                                                                            \
    "  e: {for_each: [x, y], steps: {a: {command: [a]}, b: {command: [b], needs: a}}}\n"

static void add_result(struct harness *h, struct uuid run, int step, int iteration)
{
    *snapshot_add_results(h->rows) = (struct snapshot_result){.run = run,
                                                              .step = step,
                                                              .iteration = iteration,
                                                              .state = STEP_SUCCEEDED,
                                                              .attempt = 1,
                                                              .reason = ""};
}

static void add_step(struct harness *h, struct uuid run, int step, int iteration, int state)
{
    *snapshot_add_steps(h->rows) = (struct snapshot_step){.run = run,
                                                          .step = step,
                                                          .iteration = iteration,
                                                          .state = (uint8_t)state,
                                                          .attempt = 1,
                                                          .attempt_id = id_of(0xaa),
                                                          .worker = "w0",
                                                          .reason = ""};
}

static void the_run_goes_on(struct harness *h, struct uuid run)
{
    harness_restart(h, 0);
    harness_settle(h);
    struct held_attempt held[8];
    size_t count = 0;
    for (size_t i = 0; i < h->rows->steps_count && count < 8; i++)
        if (h->rows->steps[i].worker && *h->rows->steps[i].worker)
            held[count++] = (struct held_attempt){.attempt = h->rows->steps[i].attempt_id,
                                                  .nonce = h->rows->steps[i].nonce};
    harness_hello(h, 0, 100, held, count);
    for (size_t i = 0; i < h->order_count; i++) {
        if (h->orders[i].kind != ORDER_KIND_START)
            continue;
        harness_finished(h, 0, &h->orders[i], SUCCEEDED, NULL);
        harness_settle(h);
    }
    assert_string_equal(run_is(h, run), "succeeded");
}

static void rows_that_name_nothing_are_left_alone(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, EACH);
    add_result(h, run, 999, 0);     /* no such step */
    add_result(h, run, -1, 0);      /* nor that */
    add_result(h, run, 1, 0);       /* of another DAG */
    add_result(h, run, 1, 77);      /* no group began so many iterations */
    add_result(h, id_of(55), 0, 0); /* no such run */
    add_step(h, run, 1, 88, STEP_RUNNING);
    add_step(h, run, 999, 0, STEP_WAITING);
    add_step(h, id_of(55), 0, 0, STEP_RUNNING);
    harness_restart(h, 0);
    core_check(h->core);
    h->rows->results_count = 0;
    h->rows->steps_count -= 3;
    the_run_goes_on(h, run);
}

static void add_try(struct harness *h, struct uuid run, int step, int iteration, int first)
{
    *snapshot_add_groups(h->rows) = (struct snapshot_group){
        .run = run, .step = step, .iteration = iteration, .attempt = 1, .first = first, .count = 2};
}

/* Iterations of tries of what is no group that is there. */
static void iterations_of_nothing_are_left_alone(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, EACH "  z: {command: [z]}\n");
    const size_t results = h->rows->results_count, groups = h->rows->groups_count;
    static const struct {
        int step, iteration, first;
    } ROWS[] = {{0, 77, 100},  /* it stands in an iteration that nobody began */
                {999, 0, 200}, /* no such step */
                {1, 0, 300},   /* of another DAG */
                {3, 0, 400},   /* a program */
                {-1, 0, 500}};
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        add_try(h, run, ROWS[i].step, ROWS[i].iteration, ROWS[i].first);
        add_result(h, run, 1, ROWS[i].first);
    }
    harness_restart(h, 0);
    core_check(h->core);
    h->rows->results_count = results;
    h->rows->groups_count = groups;
    the_run_goes_on(h, run);
}

/* The one before it in order is another run's. */
static void iterations_of_another_run_are_left_alone(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, EACH);
    harness_apply(h, "name: plain\nsteps: {a: {command: [a]}, b: {command: [b], needs: a}}\n");
    struct uuid other = harness_run(h, "plain", 2);
    add_result(h, other, 1, 1);
    harness_restart(h, 0);
    assert_string_equal(run_is(h, other), "running");
    h->rows->results_count--;
    the_run_goes_on(h, run);
    assert_string_equal(run_is(h, other), "succeeded");
}

/* A run that waits for its turn has no steps yet. */
static void rows_of_a_queued_run_are_left_alone(void **state)
{
    struct harness *h = *state;
    struct uuid first = begin(h, "name: p\nconcurrency: {limit: 1}\nsteps:\n"
                                 "  e: {for_each: [x], steps: {a: {command: [a]}}}\n");
    struct uuid run = harness_run(h, "p", 2);
    assert_string_equal(run_is(h, run), "queued");
    add_result(h, run, 0, 0);
    add_step(h, run, 1, 1, STEP_RUNNING);
    add_step(h, run, 0, 0, STEP_RUNNING);
    *snapshot_add_starts(h->rows) =
        (struct snapshot_start){.child = first, .parent = run, .depth = 1};
    harness_restart(h, 0);
    core_check(h->core);
    h->rows->results_count--;
    h->rows->steps_count -= 2;
    harness_settle(h);
    finish(h, 0, "e/a", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, first), "succeeded");
    assert_string_equal(run_is(h, run), "running");
}

/* The database gives rows in any order; the next iteration is behind all of them. */
static void tries_come_in_any_order(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps:\n"
                               "  e: {for_each: [x, y], steps: {a: {command: [a]}}}\n"
                               "  f: {for_each: [x, y], steps: {c: {command: [c]}}}\n"
                               "  g: {needs: e, steps: {d: {command: [d]}}}\n");
    struct snapshot_group swapped = h->rows->groups[0];
    h->rows->groups[0] = h->rows->groups[1];
    h->rows->groups[1] = swapped;
    the_run_goes_on(h, run);
    assert_int_equal(h->rows->groups_count, 3);
    assert_int_equal(h->rows->groups[2].first, 5);
}

/* Rows that name no step which waits for that run. */
static void a_run_that_nobody_started_goes_on(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: q\nsteps: {c: {command: [c]}}\n");
    struct uuid parent = begin(h, "name: p\nsteps:\n"
                                  "  a: {command: [a]}\n"
                                  "  hold: {wait: {type: t}}\n"
                                  "  s: {start: {pipeline: q}}\n"
                                  "  later: {needs: a, start: {pipeline: q}}\n");
    const struct snapshot_start real = h->rows->starts[0];
    struct uuid child = harness_run(h, "q", 9);
    static const struct {
        int step, attempt;
    } ROWS[] = {{999, 1}, {0, 1}, {1, 1}, {2, 7}, {3, 1}};
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
        *snapshot_add_starts(h->rows) =
            (struct snapshot_start){child, parent, ROWS[i].step, 0, ROWS[i].attempt, 1};
    h->rows->starts[0] = h->rows->starts[4]; /* while its step has not found its run yet */
    h->rows->starts[4] = real;
    *snapshot_add_starts(h->rows) = (struct snapshot_start){child, id_of(55), 0, 0, 1, 1};
    *snapshot_add_starts(h->rows) = (struct snapshot_start){id_of(56), parent, 2, 0, 1, 1};
    harness_restart(h, 0);
    harness_settle(h);
    assert_string_equal(run_is(h, child), "running");
    harness_cancel(h, parent); /* goes down to its own, and to no other */
    assert_string_equal(run_is(h, real.child), "cancelling");
    assert_string_equal(run_is(h, child), "running");
}

/* Why it is cancelled is not known: it is no timeout. */
static void a_cancel_without_a_reason_is_one(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps: {a: {command: [a]}}\n");
    harness_cancel(h, run);
    row_of_run(h, run)->reason = "";
    harness_restart(h, 0);
    finish(h, 0, "a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, run), "cancelled");
}

/* They are written together: a group that runs without its iterations is not understood. */
static void a_group_without_any_iterations_fails(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, EACH);
    json_decref(h->rows->groups[0].items);
    h->rows->groups_count = 0;
    h->rows->steps_count = 1; /* the group's own row is the first */
    harness_restart(h, 0);
    harness_settle(h);
    assert_string_equal(step_is(h, run, 0), "failed");
    assert_non_null(strstr(row_of_result(h, run, 0)->reason, "not in the database"));
}

static void a_group_without_its_iterations_fails(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps:\n"
                               "  e: {for_each: [x, y], steps: {a: {command: [a]}}}\n"
                               "  f: {for_each: [x, y], steps: {c: {command: [c]}}}\n");
    for (size_t i = 0; i < h->rows->groups_count; i++)
        if (h->rows->groups[i].step == 0) {
            json_decref(h->rows->groups[i].items);
            h->rows->groups[i] = h->rows->groups[--h->rows->groups_count];
        }
    harness_restart(h, 0);
    harness_settle(h);
    assert_string_equal(step_is(h, run, 0), "failed");
    assert_non_null(strstr(row_of_result(h, run, 0)->reason, "not in the database"));
}

static void a_branch_that_there_is_not_is_the_first(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, EACH);
    h->rows->groups[0].branch = 9;
    the_run_goes_on(h, run);
}

/* A step whose result was committed and whose live row was left. */
static void a_result_is_the_last_word(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps: {a: {command: [a]}, b: {command: [b]}}\n");
    add_result(h, run, 0, 0);
    harness_restart(h, 0);
    harness_settle(h);
    finish(h, 0, "b", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_group_waits_on_for_its_next_try(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps:\n"
                               "  g: {retry: {attempts: 3, backoff: {first: 60s}},\n"
                               "      steps: {a: {command: [a]}}}\n");
    finish(h, 0, "g/a", FAILED, NULL);
    assert_string_equal(step_is(h, run, 0), "waiting");
    harness_restart(h, 3600 * US_PER_S); /* its time went by without a leader */
    harness_settle(h);
    assert_string_equal(step_is(h, run, 0), "running");
    harness_restart(h, -3600 * US_PER_S); /* a clock that was put back */
    harness_settle(h);
    assert_string_equal(step_is(h, run, 0), "running");
}

/* On Kafka the cancels of what is in it may be missing: they are sent again, with why. */
static void a_group_that_is_being_stopped_says_why(void **state)
{
    static const struct {
        const char *keys, *why, *ends;
    } ROWS[] = {{"timeout: 5s, steps: {a: {command: [a]}, b: {command: [b]}}",
                 "timed out after 5 s", "failed"},
                {"for_each: [x, y], steps: {a: {command: [a]}}", "cancelled", "failed"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct harness *h = harness_new();
        h->config.resend_placed = true;
        cleanup_free char *yaml = mem_printf("name: p\nsteps:\n  e: {steps: {x: {command: [x]}}}\n"
                                             "  g: {%s}\n",
                                             ROWS[i].keys);
        struct uuid run = begin(h, yaml);
        finish(h, 0, "e/x", SUCCEEDED, NULL); /* is over: its iteration is nobody's any more */
        if (i == 0)
            harness_pass(h, 6 * US_PER_S);
        else
            finish(h, 0, "g/a", FAILED, NULL);
        assert_string_equal(step_is(h, run, 2), "cancelling");
        harness_restart(h, 0);
        harness_forget_orders(h);
        core_drained(h->core, core_wants_drain(h->core), &h->now);
        harness_settle(h);
        assert_non_null(order_of(h, ORDER_KIND_CANCEL, NULL));
        assert_string_equal(order_of(h, ORDER_KIND_CANCEL, NULL)->reason, ROWS[i].why);
        harness_hello(h, 0, 100, NULL, 0); /* what ran there is lost */
        assert_string_equal(run_is(h, run), ROWS[i].ends);
        harness_free(h);
    }
}

/* What a group's own policy says of its ends. */
static void a_group_is_tried_again_as_its_policy_says(void **state)
{
    static const struct {
        const char *keys, *then;
    } ROWS[] = {{"retry: {attempts: 2}", "waiting"},
                {"retry: {attempts: 2, on: [timed_out]}", "failed"},
                {"retry: {attempts: 1}", "failed"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct harness *h = harness_new();
        char yaml[200];
        snprintf(yaml, sizeof yaml, "name: p\nsteps: {g: {%s, steps: {a: {command: [a]}}}}\n",
                 ROWS[i].keys);
        struct uuid run = begin(h, yaml);
        finish(h, 0, "g/a", FAILED, NULL);
        assert_string_equal(step_is(h, run, 0), ROWS[i].then);
        harness_free(h);
    }
}

static void a_condition_that_fails_fails_the_loop(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps:\n"
                               "  l: {loop: {until: \"outputs.n > 3\", max: 5}, command: [a],\n"
                               "      outputs: {n: {type: integer, optional: true}}}\n");
    finish(h, 0, "l/l", SUCCEEDED, "{}");
    assert_string_equal(run_is(h, run), "failed");
    assert_non_null(strstr(row_of_result(h, run, 0)->reason, "until: "));
}

static void items_are_a_list(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nparams: {l: {type: json}}\nsteps:\n"
                     "  e: {for_each: \"${{ params.l }}\", command: [a]}\n");
    json_t *params cleanup_json = json_pack("{s:{s:i}}", "l", "a", 1);
    harness_command(
        h,
        (struct command){
            .kind = COMMAND_KIND_RUN, .run = id_of(1), .pipeline = "p", .params = params},
        false);
    assert_string_equal(run_is(h, id_of(1)), "failed");
    assert_non_null(
        strstr(row_of_result(h, id_of(1), 0)->reason, "for_each: must be a list, not an object"));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        T(rows_that_name_nothing_are_left_alone),
        T(iterations_of_nothing_are_left_alone),
        T(iterations_of_another_run_are_left_alone),
        T(rows_of_a_queued_run_are_left_alone),
        T(tries_come_in_any_order),
        T(a_run_that_nobody_started_goes_on),
        T(a_cancel_without_a_reason_is_one),
        T(a_group_without_any_iterations_fails),
        T(a_group_without_its_iterations_fails),
        T(a_branch_that_there_is_not_is_the_first),
        T(a_result_is_the_last_word),
        T(a_group_that_is_being_stopped_says_why),
        T(a_group_waits_on_for_its_next_try),
        T(a_group_is_tried_again_as_its_policy_says),
        T(a_condition_that_fails_fails_the_loop),
        T(items_are_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

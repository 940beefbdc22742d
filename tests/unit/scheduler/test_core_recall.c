/* A takeover over rows that do not fit together: what cannot be understood is left alone, what can
 * goes on. Such rows are another build's, or a hand's. */
#include "tests/unit/scheduler/core_harness.h"

static int setup(void **state)
{
    *state = harness_new();
    return 0;
}

static int teardown(void **state)
{
    harness_free(*state);
    return 0;
}

static struct uuid begin(struct harness *h, const char *yaml)
{
    harness_apply(h, yaml);
    harness_hello(h, 0, 100, NULL, 0);
    return harness_run(h, "p", 1);
}

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

/* They are written together: a group that runs without its iterations is not understood. */
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
    assert_non_null(strstr(row_of_result(h, id_of(1), 0)->reason, "is not a list"));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(rows_that_name_nothing_are_left_alone),   T(a_group_without_its_iterations_fails),
        T(a_branch_that_there_is_not_is_the_first), T(a_result_is_the_last_word),
        T(a_group_waits_on_for_its_next_try),       T(a_group_is_tried_again_as_its_policy_says),
        T(a_condition_that_fails_fails_the_loop),   T(items_are_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A retry of a run with DAGs inside its DAG: what is taken over, what runs anew, what is refused.
 */
#include "scheduler/core/run/runs.h"
#include "tests/unit/scheduler/again_harness.h"

/* ---- for_each ------------------------------------------------------------------------------ */

/* Steps: 0 e, 1 e/a, 2 e/b, 3 e/c, 4 last. */
static const char ITEMS[] =
    "name: p\n"
    "steps:\n"
    "  e:\n"
    "    for_each: [x, y, z]\n"
    "    fail_fast: false\n"
    "    steps:\n"
    "      a: {command: [a], outputs: {n: {type: integer}}}\n"
    "      b: {command: [b, \"${{ steps.a.outputs.n }}\", \"${{ item }}\"],\n"
    "          outputs: {m: {type: integer}}}\n"
    "      c: {command: [c]}\n"
    "    outputs: {m: b.m}\n"
    "  last: {command: [last, \"${{ steps.e.outputs.m }}\"]}\n";

/* `bad`: the item whose b fails. */
static struct uuid items_with_a_bad_one(struct harness *h, int bad)
{
    struct uuid run = begin(h, ITEMS);
    for (size_t i = 0; i < 3; i++) {
        finish_nth(h, "e/a", i, SUCCEEDED, i == 0 ? "{\"n\":10}" : "{\"n\":11}");
        finish_nth(h, "e/c", i, SUCCEEDED, NULL);
    }
    for (int i = 0; i < 3; i++)
        finish_nth(h, "e/b", (size_t)i, i == bad ? FAILED : SUCCEEDED,
                   i == 0   ? "{\"m\":20}"
                   : i == 1 ? "{\"m\":21}"
                            : "{\"m\":22}");
    return run;
}

static void items_that_succeeded_do_not_run_again(void **state)
{
    struct harness *h = *state;
    struct uuid old = items_with_a_bad_one(h, 1);
    assert_string_equal(run_is(h, old), "failed");
    struct uuid run = retry(h, old, NULL, 2);
    assert_int_equal(starts_of(h, "e/a"), 0);
    assert_int_equal(starts_of(h, "e/c"), 0);
    assert_int_equal(starts_of(h, "e/b"), 1);
    const struct order *b = order_of(h, ORDER_KIND_START, "e/b");
    assert_string_equal(b->start->argv[1], "11"); /* of the a that was taken over */
    assert_string_equal(b->start->argv[2], "y");
    finish_nth(h, "e/b", 0, SUCCEEDED, "{\"m\":99}");
    outputs_are(h, run, 0, "{\"m\":[20,99,22]}");
    assert_string_equal(order_of(h, ORDER_KIND_START, "last")->start->argv[1], "[20,99,22]");
    assert_int_equal(adopted(h, run, -1), 8);
    finish_nth(h, "last", 0, SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_retry_of_a_retry_takes_over_what_that_took_over(void **state)
{
    struct harness *h = *state;
    struct uuid second = retry(h, items_with_a_bad_one(h, 1), NULL, 2);
    finish_nth(h, "e/b", 0, FAILED, NULL);
    assert_string_equal(run_is(h, second), "failed");
    struct uuid third = retry(h, second, NULL, 3);
    assert_int_equal(adopted(h, third, -1), 8);
    assert_int_equal(starts_of(h, "e/b"), 1);
}

static void from_a_step_inside_it_runs_anew_in_every_item(void **state)
{
    struct harness *h = *state;
    struct uuid old = items_with_a_bad_one(h, -1);
    finish_nth(h, "last", 0, SUCCEEDED, NULL);
    assert_string_equal(run_is(h, old), "succeeded");
    struct uuid run = retry(h, old, "e/b", 2);
    assert_int_equal(starts_of(h, "e/b"), 3);
    assert_int_equal(starts_of(h, "e/a") + starts_of(h, "e/c"), 0);
    assert_int_equal(adopted(h, run, -1), 6);
    for (size_t i = 0; i < 3; i++)
        finish_nth(h, "e/b", i, SUCCEEDED, "{\"m\":1}");
    assert_int_equal(starts_of(h, "last"), 1); /* it comes after */
}

static void from_the_group_all_of_it_runs_anew(void **state)
{
    struct harness *h = *state;
    struct uuid run = retry(h, items_with_a_bad_one(h, 1), "e", 2);
    assert_int_equal(starts_of(h, "e/a"), 3);
    assert_int_equal(adopted(h, run, -1), 0);
}

/* The list has the run's own id in it. */
static void another_list_runs_anew(void **state)
{
    struct harness *h = *state;
    struct uuid old = begin(h, "name: p\n"
                               "steps:\n"
                               "  e: {for_each: \"${{ [run.id, 'x'] }}\", command: [e]}\n");
    finish_nth(h, "e/e", 1, SUCCEEDED, NULL);
    finish_nth(h, "e/e", 0, FAILED, NULL);
    struct uuid run = retry(h, old, NULL, 2);
    assert_int_equal(starts_of(h, "e/e"), 2);
    assert_int_equal(adopted(h, run, -1), 0);
}

static void the_same_list_is_taken_over(void **state)
{
    struct harness *h = *state;
    struct uuid old =
        begin(h, "name: p\nsteps: {e: {for_each: \"${{ [1, 'x'] }}\", command: [e]}}\n");
    finish_nth(h, "e/e", 1, SUCCEEDED, NULL);
    finish_nth(h, "e/e", 0, FAILED, NULL);
    struct uuid run = retry(h, old, NULL, 2);
    assert_int_equal(starts_of(h, "e/e"), 1);
    assert_int_equal(adopted(h, run, -1), 1);
}

static void the_next_try_of_the_group_runs_all_anew(void **state)
{
    struct harness *h = *state;
    struct uuid old = begin(h, "name: p\n"
                               "steps:\n"
                               "  g:\n"
                               "    retry: {attempts: 2}\n"
                               "    steps: {a: {command: [a]}, b: {command: [b], needs: a}}\n");
    for (size_t try = 0; try < 2; try++) {
        finish_nth(h, "g/a", try, SUCCEEDED, NULL);
        finish_nth(h, "g/b", try, FAILED, NULL);
        harness_pass(h, 2 * US_PER_S);
    }
    assert_string_equal(run_is(h, old), "failed");
    struct uuid run = retry(h, old, NULL, 2);
    assert_int_equal(adopted(h, run, 1), 1);
    assert_int_equal(starts_of(h, "g/a"), 0);
    finish_nth(h, "g/b", 0, FAILED, NULL);
    harness_pass(h, 2 * US_PER_S);
    assert_int_equal(starts_of(h, "g/a"), 1);
}

static void what_needs_a_failed_step_runs_anew_whatever_its_rule(void **state)
{
    struct harness *h = *state;
    struct uuid old = begin(h, "name: p\n"
                               "steps:\n"
                               "  a: {command: [a]}\n"
                               "  b: {command: [b]}\n"
                               "  tell: {command: [tell], needs: [a, b], rule: all_done}\n");
    finish_nth(h, "a", 0, FAILED, NULL);
    finish_nth(h, "b", 0, SUCCEEDED, NULL);
    finish_nth(h, "tell", 0, SUCCEEDED, NULL);
    struct uuid run = retry(h, old, NULL, 2);
    assert_int_equal(adopted(h, run, -1), 1); /* b */
    finish_nth(h, "a", 0, SUCCEEDED, NULL);
    assert_int_equal(starts_of(h, "tell"), 1);
}

/* ---- finally ------------------------------------------------------------------------------- */

static void finally_of_an_item_is_taken_over_with_all_of_it(void **state)
{
    struct harness *h = *state;
    struct uuid old = begin(h, "name: p\n"
                               "steps:\n"
                               "  e:\n"
                               "    for_each: [x, y]\n"
                               "    fail_fast: false\n"
                               "    steps: {a: {command: [a]}, b: {command: [b], needs: a}}\n"
                               "    finally: {f: {command: [f]}}\n"
                               "finally: {all: {command: [all]}}\n");
    for (size_t i = 0; i < 2; i++) {
        finish_nth(h, "e/a", i, SUCCEEDED, NULL);
        finish_nth(h, "e/b", i, i ? FAILED : SUCCEEDED, NULL);
        finish_nth(h, "e/f", i, SUCCEEDED, NULL);
    }
    finish_nth(h, "all", 0, SUCCEEDED, NULL);
    struct uuid run = retry(h, old, NULL, 2);
    assert_int_equal(adopted(h, run, -1), 4); /* a, b, f of x; a of y */
    finish_nth(h, "e/b", 0, SUCCEEDED, NULL);
    assert_int_equal(starts_of(h, "e/f"), 1);
    finish_nth(h, "e/f", 0, SUCCEEDED, NULL);
    finish_nth(h, "all", 0, SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

/* ---- loops --------------------------------------------------------------------------------- */

static const char ROUNDS[] = "name: p\n"
                             "steps:\n"
                             "  l:\n"
                             "    loop: {until: outputs.n > 2, max: 4, delay: 10s}\n"
                             "    steps:\n"
                             "      a: {command: [a, \"${{ default(loop.previous.n, 0) }}\"],\n"
                             "          outputs: {n: {type: integer}}}\n"
                             "      b: {command: [b], needs: a}\n"
                             "    outputs: {n: a.n}\n";

static void round_ends(struct harness *h, size_t nth, const char *n, int outcome)
{
    finish_nth(h, "l/a", nth, SUCCEEDED, n);
    finish_nth(h, "l/b", nth, outcome, NULL);
    pass(h, 11 * US_PER_S);
}

static void rounds_go_on_from_the_one_that_failed(void **state)
{
    struct harness *h = *state;
    struct uuid old = begin(h, ROUNDS);
    round_ends(h, 0, "{\"n\":1}", SUCCEEDED);
    round_ends(h, 1, "{\"n\":2}", FAILED);
    assert_string_equal(run_is(h, old), "failed");
    struct uuid run = retry(h, old, NULL, 2); /* without a wait between rounds that are over */
    assert_int_equal(adopted(h, run, -1), 3);
    assert_int_equal(starts_of(h, "l/a"), 0);
    finish_nth(h, "l/b", 0, SUCCEEDED, NULL);
    assert_int_equal(starts_of(h, "l/a"), 0); /* the delay is between rounds that run */
    pass(h, 11 * US_PER_S);
    assert_string_equal(order_of(h, ORDER_KIND_START, "l/a")->start->argv[1], "2");
    finish_nth(h, "l/a", 0, SUCCEEDED, "{\"n\":3}");
    finish_nth(h, "l/b", 1, SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_loop_whose_rounds_were_used_up_runs_anew(void **state)
{
    struct harness *h = *state;
    struct uuid old = begin(h, ROUNDS);
    for (size_t i = 0; i < 4; i++)
        round_ends(h, i, "{\"n\":1}", SUCCEEDED);
    assert_string_equal(run_is(h, old), "failed");
    struct uuid run = retry(h, old, NULL, 2);
    assert_int_equal(adopted(h, run, -1), 0);
    assert_int_equal(starts_of(h, "l/a"), 1);
}

static void from_a_step_in_a_loop_only_the_first_round_repeats(void **state)
{
    struct harness *h = *state;
    struct uuid old = begin(h, ROUNDS);
    round_ends(h, 0, "{\"n\":1}", SUCCEEDED);
    round_ends(h, 1, "{\"n\":3}", SUCCEEDED);
    assert_string_equal(run_is(h, old), "succeeded");
    struct uuid run = retry(h, old, "l/b", 2);
    assert_int_equal(starts_of(h, "l/a"), 0);
    finish_nth(h, "l/b", 0, SUCCEEDED, NULL);
    pass(h, 11 * US_PER_S);
    assert_int_equal(starts_of(h, "l/a"), 1); /* what came after may come to something else */
    assert_int_equal(adopted(h, run, -1), 1);
}

/* ---- another shape ------------------------------------------------------------------------- */

/* What the group found in the old run, the first of its pipeline, it does not find again. */
static void what_is_found_otherwise_runs_anew(void **state)
{
    static const char *const GROUPS[] = {
        "  g: {for_each: \"${{ run.number == 1 ? ['x', 'y'] : ['x'] }}\", command: [a]}\n",
        "  g: {switch: [{when: run.number == 1, steps: {a: {command: [a]}}},"
        " {steps: {b: {command: [b]}}}]}\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(GROUPS); i++) {
        struct harness *h = harness_new();
        cleanup_free char *yaml =
            mem_printf("name: p\nsteps:\n%s  z: {needs: g, command: [z]}\n", GROUPS[i]);
        struct uuid old = begin(h, yaml);
        for (size_t n = 0; n < h->order_count; n++)
            if (h->orders[n].kind == ORDER_KIND_START)
                harness_finished(h, 0, &h->orders[n], SUCCEEDED, NULL);
        harness_settle(h);
        finish_nth(h, "z", 0, FAILED, NULL);
        row_of_result(h, old, 0)->state = STEP_FAILED; /* so that it is not taken over whole */
        row_of_result(h, old, 0)->reason = RUN_TIMED_OUT " 5 s";
        struct uuid run = retry(h, old, NULL, 2);
        assert_int_equal(adopted(h, run, -1), 0);
        assert_string_equal(step_is(h, run, 0), "running");
        harness_free(h);
    }
}

/* Its time was up: what had succeeded by then did. A row that does not say why it failed says no
 * other. */
static void a_group_that_was_too_slow_goes_on(void **state)
{
    static const char *const REASONS[] = {NULL, ""};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(REASONS); i++) {
        struct harness *h = harness_new();
        struct uuid old =
            begin(h, "name: p\nsteps:\n"
                     "  g: {timeout: 5s,\n"
                     "      steps: {a: {command: [a]}, b: {command: [b], needs: a}}}\n");
        finish_nth(h, "g/a", 0, SUCCEEDED, NULL);
        pass(h, 6 * US_PER_S);
        finish_nth(h, "g/b", 0, REPORT_RESULT_OUTCOME_CANCELLED, NULL);
        assert_string_equal(run_is(h, old), "failed");
        if (REASONS[i])
            row_of_result(h, old, 0)->reason = REASONS[i];
        struct uuid run = retry(h, old, NULL, 2);
        assert_int_equal(adopted(h, run, 1), 1);
        assert_int_equal(starts_of(h, "g/a"), 0);
        assert_int_equal(starts_of(h, "g/b"), 1);
        harness_free(h);
    }
}

/* It would fail again after the same rounds. */
static void a_loop_whose_condition_failed_runs_anew(void **state)
{
    struct harness *h = *state;
    struct uuid old = begin(h, "name: p\nsteps:\n"
                               "  l: {loop: {until: outputs.n > 3, max: 5}, command: [a],\n"
                               "      outputs: {n: {type: integer, optional: true}}}\n");
    finish_nth(h, "l/l", 0, SUCCEEDED, "{\"n\":1}");
    finish_nth(h, "l/l", 1, SUCCEEDED, "{}");
    assert_string_equal(run_is(h, old), "failed");
    struct uuid run = retry(h, old, NULL, 2);
    assert_int_equal(adopted(h, run, -1), 0);
    assert_int_equal(starts_of(h, "l/l"), 1);
}

/* A row of the run's own DAG, in an iteration. */
static void a_result_of_another_dag_is_passed_over(void **state)
{
    struct harness *h = *state;
    struct uuid old = items_with_a_bad_one(h, 1);
    *snapshot_add_results(h->rows) = (struct snapshot_result){
        .run = old, .iteration = 1, .state = STEP_SUCCEEDED, .attempt = 1, .reason = ""};
    struct uuid run = retry(h, old, NULL, 2);
    assert_int_equal(adopted(h, run, -1), 8);
    assert_int_equal(starts_of(h, "e/b"), 1);
}

/* ---- refused ------------------------------------------------------------------------------- */

static void what_cannot_be_meant_is_refused(void **state)
{
    struct harness *h = *state;
    struct uuid old =
        begin(h, "name: p\n"
                 "steps:\n"
                 "  a: {command: [a], outputs: {n: {type: integer}}}\n"
                 "  s:\n"
                 "    switch:\n"
                 "      - {when: steps.a.outputs.n > 1, steps: {big: {command: [big]}}}\n"
                 "      - {steps: {small: {command: [small]}}}\n"
                 "  g: {when: steps.a.outputs.n > 9, steps: {in: {command: [in]}}}\n"
                 "  z: {needs: [s], command: [z]}\n");
    finish_nth(h, "a", 0, SUCCEEDED, "{\"n\":5}");
    finish_nth(h, "s/big", 0, SUCCEEDED, NULL);
    finish_nth(h, "z", 0, FAILED, NULL);
    assert_string_equal(run_is(h, old), "failed");
    retry_refused(h, old, "s/small",
                  "step s/small stands in a branch of s that was not taken in that run");
    retry_refused(h, old, "g/in", "g was skipped in that run: nothing of it can begin");
    retry_refused(h, old, "small",
                  "pipeline p has no step small in that version; do you mean s/small?");
    retry_refused(h, old, "s/big[2]",
                  "s/big[2] is one instance of a step, and a step is named in all items and "
                  "rounds: name s/big");
    retry_refused(h, old, "s/none", "pipeline p has no step s/none in that version");
    struct uuid second = retry(h, old, NULL, 2);
    finish_nth(h, "z", 0, SUCCEEDED, NULL);
    assert_string_equal(run_is(h, second), "succeeded");
    char first[UUID_TEXT], why[300];
    uuid_format(&old, first);
    snprintf(why, sizeof why,
             "s was adopted from %s as a whole: retry that run from s/big, or this one from s",
             first);
    retry_refused(h, second, "s/big", why);
    retry_refused(h, second, NULL,
                  "the run succeeded: there is nothing to try again; name a step to begin from");
    struct uuid third = retry(h, old, "s/big", 3);
    assert_int_equal(starts_of(h, "s/big"), 1);
    assert_int_equal(adopted(h, third, -1), 1); /* a */
}

/* ---- bounds and takeovers ------------------------------------------------------------------ */

#define ROWS 40 /* of a batch */
#define MANY 400

static struct uuid wide_group(struct harness *h)
{
    char *yaml = mem_string("name: p\nsteps:\n  g:\n    steps:\n      bad: {command: [bad]}\n");
    for (int i = 0; i < MANY; i++) {
        char *more = mem_printf("%s      s%03d: {executor: noop}\n", yaml, i);
        free(yaml);
        yaml = more;
    }
    struct uuid run = begin(h, yaml);
    free(yaml);
    for (size_t i = 0; i < h->order_count; i++)
        if (h->orders[i].kind == ORDER_KIND_START)
            harness_finished(h, 0, &h->orders[i],
                             strcmp(h->orders[i].start->step, "g/bad") ? SUCCEEDED : FAILED, NULL);
    harness_settle(h);
    assert_string_equal(run_is(h, run), "failed");
    h->config.batch_rows = ROWS;
    harness_restart(h, 0);
    harness_settle(h);
    return run;
}

static void each_batch_of_a_frame_is_bounded(void **state)
{
    struct harness *h = *state;
    struct uuid old = wide_group(h);
    h->most_rows = 0;
    struct uuid run = retry(h, old, NULL, 2);
    assert_int_equal(adopted(h, run, -1), MANY);
    assert_true(h->most_rows <= ROWS * 5 / 4);
    assert_int_equal(starts_of(h, "g/bad"), 1);
}

static void the_next_leader_goes_on_in_the_middle_of_a_frame(void **state)
{
    struct harness *h = *state;
    struct uuid run = ask_retry(h, wide_group(h), NULL, 2);
    for (int i = 0; i < 4; i++)
        harness_turn(h);
    const int before = adopted(h, run, -1);
    assert_true(before > 0 && before < MANY);
    assert_int_equal(starts_of(h, "g/bad"), 0); /* nothing begins before all are in */
    harness_restart(h, US_PER_S);
    harness_settle(h);
    assert_int_equal(adopted(h, run, -1), MANY);
    assert_int_equal(starts_of(h, "g/bad"), 1);
    for (int i = 0; i < 3; i++) {
        harness_restart(h, US_PER_S);
        harness_settle(h);
    }
    assert_int_equal(adopted(h, run, -1), MANY);
}

static void a_cancel_in_the_middle_of_a_frame_ends_it(void **state)
{
    struct harness *h = *state;
    struct uuid run = ask_retry(h, wide_group(h), NULL, 2);
    for (int i = 0; i < 4; i++)
        harness_turn(h);
    harness_cancel(h, run);
    assert_string_equal(run_is(h, run), "cancelled");
    assert_true(adopted(h, run, -1) < MANY);
    assert_int_equal(stats_of(h).live_steps, 0);
}

static void a_takeover_between_items_repeats_the_rest(void **state)
{
    struct harness *h = *state;
    struct uuid old = begin(h, "name: p\n"
                               "steps:\n"
                               "  e:\n"
                               "    for_each: [0, 1, 2, 3]\n"
                               "    parallelism: 1\n"
                               "    fail_fast: false\n"
                               "    steps: {a: {command: [a]}, b: {command: [b], needs: a}}\n");
    for (size_t i = 0; i < 4; i++) {
        finish_nth(h, "e/a", i, SUCCEEDED, NULL);
        finish_nth(h, "e/b", i, i == 0 || i == 2 ? FAILED : SUCCEEDED, NULL);
    }
    struct uuid run = retry(h, old, NULL, 2);
    assert_int_equal(starts_of(h, "e/b"), 1);
    harness_restart(h, US_PER_S);
    finish_nth(h, "e/b", 0, SUCCEEDED, NULL);
    assert_int_equal(adopted(h, run, 1), 3); /* item 1 whole, a of item 2 */
    harness_restart(h, US_PER_S);
    harness_settle(h);
    finish_nth(h, "e/b", 1, SUCCEEDED, NULL);
    assert_int_equal(starts_of(h, "e/b"), 2);
    assert_int_equal(starts_of(h, "e/a"), 0);
    assert_int_equal(adopted(h, run, -1), 6);
    assert_string_equal(run_is(h, run), "succeeded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
        T(items_that_succeeded_do_not_run_again),
        T(a_retry_of_a_retry_takes_over_what_that_took_over),
        T(from_a_step_inside_it_runs_anew_in_every_item),
        T(from_the_group_all_of_it_runs_anew),
        T(another_list_runs_anew),
        T(the_same_list_is_taken_over),
        T(the_next_try_of_the_group_runs_all_anew),
        T(what_needs_a_failed_step_runs_anew_whatever_its_rule),
        T(finally_of_an_item_is_taken_over_with_all_of_it),
        T(rounds_go_on_from_the_one_that_failed),
        T(a_loop_whose_rounds_were_used_up_runs_anew),
        T(from_a_step_in_a_loop_only_the_first_round_repeats),
        T(what_is_found_otherwise_runs_anew),
        T(a_group_that_was_too_slow_goes_on),
        T(a_loop_whose_condition_failed_runs_anew),
        T(a_result_of_another_dag_is_passed_over),
        T(what_cannot_be_meant_is_refused),
        T(each_batch_of_a_frame_is_bounded),
        T(the_next_leader_goes_on_in_the_middle_of_a_frame),
        T(a_cancel_in_the_middle_of_a_frame_ends_it),
        T(a_takeover_between_items_repeats_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

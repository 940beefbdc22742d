/* A run of a few steps of which some stand in groups: what runs, what is taken over, what is left
 * out, instance by instance. What is refused: test_core_taken.c. */
#include "scheduler/core/run/runs.h"
#include "tests/unit/scheduler/part_harness.h"

/* ---- for_each ------------------------------------------------------------------------------ */

static void in_each_item_only_the_named_step_runs(void **state)
{
    struct harness *h = *state;
    struct uuid old = trained(h);
    struct uuid run = only(h, old, "train/fit", 2);
    is_accepted(h);
    assert_int_equal(starts_of(h, "train/fit"), 2);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 2);
    assert_int_equal(adopted(h, run, at(h, "train/fetch")), 2);
    assert_int_equal(adopted(h, run, at(h, "prep")), 1);
    const struct order *fit = order_of(h, ORDER_KIND_START, "train/fit");
    assert_string_equal(fit->start->argv[1], "11");
    assert_string_equal(fit->start->argv[2], "oslo");
    finish_nth(h, "train/fit", 0, SUCCEEDED, "{\"model\":70}");
    finish_nth(h, "train/fit", 1, SUCCEEDED, "{\"model\":71}");
    assert_string_equal(run_is(h, run), "succeeded");
    outputs_are(h, run, at(h, "train"), "{\"model\":[70,71]}"); /* and no list of nulls */
    reason_has(h, run, at(h, "train"), "ran in part: train/fit");
    assert_int_equal(left_out(h, run, at(h, "train/evaluate")), 2);
    assert_int_equal(left_out(h, run, at(h, "train/clean")), 2);
    assert_int_equal(left_out(h, run, at(h, "best")), 1);
}

static void what_looks_at_it_outside_may_run_too(void **state)
{
    struct harness *h = *state;
    struct uuid run = only(h, trained(h), "train/fit,pick", 2);
    is_accepted(h);
    finish_nth(h, "train/fit", 0, SUCCEEDED, "{\"model\":70}");
    finish_nth(h, "train/fit", 1, SUCCEEDED, "{\"model\":71}");
    assert_string_equal(order_of(h, ORDER_KIND_START, "pick")->start->argv[1], "[70,71]");
    finish(h, 0, "pick", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_group_that_is_named_too_runs_whole(void **state)
{
    struct harness *h = *state;
    struct uuid run = only(h, trained(h), "train/fit,train", 2);
    is_accepted(h);
    assert_int_equal(starts_of(h, "train/fetch"), 2);
    assert_int_equal(adopted(h, run, -1), 1);
}

/* It sees what went before it in its own item. */
static void a_finally_step_of_each_item(void **state)
{
    struct harness *h = *state;
    struct uuid run = only(h, trained(h), "train/clean", 2);
    is_accepted(h);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 2);
    assert_string_equal(order_of(h, ORDER_KIND_START, "train/clean")->start->argv[1], "21");
    assert_int_equal(adopted(h, run, at(h, "train/fit")), 2);
    assert_int_equal(left_out(h, run, at(h, "train/fetch")), 2);
    for (size_t i = 0; i < 2; i++)
        finish_nth(h, "train/clean", i, SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void another_list_fails_the_group_alone(void **state)
{
    struct harness *h = *state;
    struct uuid run = only_with(h, trained(h), "train/fit,other", "{\"cities\":[\"rome\"]}", 2);
    is_accepted(h);
    assert_string_equal(step_is(h, run, at(h, "train")), "failed");
    reason_has(h, run, at(h, "train"), "nothing to take over: its list of 1 items is not the one");
    reason_has(h, run, at(h, "train"), "of 2");
    assert_int_equal(orders_of(h, ORDER_KIND_START), 1);
    finish(h, 0, "other", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "failed");
}

static void another_list_is_fine_where_nothing_of_an_item_is_needed(void **state)
{
    struct harness *h = *state;
    struct uuid run = only_with(h, trained(h), "train/fetch", "{\"cities\":[1,2,3]}", 2);
    is_accepted(h);
    assert_int_equal(starts_of(h, "train/fetch"), 3);
    assert_int_equal(adopted(h, run, -1), 1);
}

static void no_items_then_and_now(void **state)
{
    struct harness *h = *state;
    struct uuid old = trained_with(h, "{\"cities\":[]}");
    assert_string_equal(run_is(h, old), "succeeded");
    only(h, old, "train/fit", 2);
    is_refused(h, "step train/fetch is needed, and train was skipped in that run, had no items or "
                  "took another branch");
    struct uuid run = only(h, old, "train/fetch", 3);
    is_accepted(h);
    reason_has(h, run, at(h, "train"), "ran in part");
    outputs_are(h, run, at(h, "train"), "{}");
    assert_string_equal(run_is(h, run), "succeeded");
}

/* ---- groups in groups ---------------------------------------------------------------------- */

static const char DEEP[] = "name: p\n"
                           "params: {some: {type: json, default: [[1], [], [2, 3]]}, max: 9, last: "
                           "{type: json, default: []}}\n"
                           "steps:\n"
                           "  out:\n"
                           "    for_each: \"${{ params.some }}\"\n"
                           "    as: those\n"
                           "    fail_fast: false\n"
                           "    steps:\n"
                           "      base: {command: [base], outputs: {n: {type: integer}}}\n"
                           "      in:\n"
                           "        for_each: \"${{ those + params.last }}\"\n"
                           "        when: index < params.max\n"
                           "        steps:\n"
                           "          x: {command: [x], outputs: {n: {type: integer}}}\n"
                           "          y: {command: [y, \"${{ steps.base.outputs.n }}\", \"${{ "
                           "steps.x.outputs.n }}\", \"${{ item }}\"]}\n";

static struct uuid deep(struct harness *h, const char *params)
{
    harness_apply(h, DEEP);
    struct uuid old = run_with(h, params);
    for (size_t i = 0; i < 3; i++)
        finish_nth(h, "out/base", i, SUCCEEDED, i == 2 ? "{\"n\":102}" : "{\"n\":100}");
    const size_t inside = starts_of(h, "out/in/x");
    for (size_t i = 0; i < inside; i++)
        finish_nth(h, "out/in/x", i, SUCCEEDED, i == 2 ? "{\"n\":7}" : "{\"n\":5}");
    for (size_t i = 0; i < inside; i++)
        finish_nth(h, "out/in/y", i, SUCCEEDED, NULL);
    assert_string_equal(run_is(h, old), "succeeded");
    return old;
}

static void each_instance_has_its_own(void **state)
{
    struct harness *h = *state;
    struct uuid run = only(h, deep(h, "{}"), "out/in/y", 2);
    is_accepted(h);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 3);
    const struct order *y = order_of(h, ORDER_KIND_START, "out/in/y");
    assert_string_equal(y->start->argv[1], "102");
    assert_string_equal(y->start->argv[2], "7");
    assert_string_equal(y->start->argv[3], "3");
    assert_int_equal(adopted(h, run, -1), 6);
    for (size_t i = 0; i < 3; i++)
        finish_nth(h, "out/in/y", i, SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

/* The second list was empty then, and the third group was skipped. */
static void an_instance_that_had_nothing_fails_by_itself(void **state)
{
    struct harness *h = *state;
    struct uuid old = deep(h, "{\"max\":2}");
    struct uuid run = only_with(h, old, "out/in/y", "{\"max\":9}", 2);
    is_accepted(h);
    assert_int_equal(starts_of(h, "out/in/y"), 1);
    const struct snapshot_result *last = result_of_instance(h, run, at(h, "out/in"), 3);
    assert_string_equal(machine_state_name(&MACHINE_STEP, last->state), "failed");
    says(last->reason, "nothing to take over: it never began in run");
    run = only_with(h, old, "out/in/y", "{\"last\":[8]}", 3);
    is_accepted(h);
    last = result_of_instance(h, run, at(h, "out/in"), 2);
    says(last->reason, "nothing to take over: its list of 1 items is not the one of run");
    says(last->reason, "of 0");
}

/* ---- switch -------------------------------------------------------------------------------- */

static const char SWITCH[] =
    "name: p\n"
    "params: {big: 5, more: 9}\n"
    "steps:\n"
    "  s:\n"
    "    switch:\n"
    "      - when: params.more > 10\n"
    "        steps: {far: {command: [far]}}\n"
    "      - when: params.big > 3\n"
    "        steps:\n"
    "          fit: {command: [fit], outputs: {n: {type: integer}}}\n"
    "          ship: {needs: fit, command: [ship]}\n"
    "      - steps: {again: {command: [again], outputs: {n: {type: integer}}},\n"
    "                then: {needs: again, command: [then]}}\n"
    "  z: {needs: s, command: [z]}\n";

static struct uuid switched(struct harness *h)
{
    struct uuid old = harness_begin(h, SWITCH);
    finish(h, 0, "s/fit", SUCCEEDED, "{\"n\":1}");
    finish(h, 0, "s/ship", SUCCEEDED, NULL);
    finish(h, 0, "z", SUCCEEDED, NULL);
    return old;
}

static void the_branch_with_the_step_runs_in_part(void **state)
{
    struct harness *h = *state;
    struct uuid run = only(h, switched(h), "s/ship", 2);
    is_accepted(h);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 1);
    assert_int_equal(adopted(h, run, at(h, "s/fit")), 1);
    finish(h, 0, "s/ship", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    assert_int_equal(left_out(h, run, at(h, "z")), 1);
}

static void another_branch_has_nothing_to_run(void **state)
{
    struct harness *h = *state;
    struct uuid run = only_with(h, switched(h), "s/ship,z", "{\"big\":1}", 2);
    is_accepted(h);
    assert_string_equal(step_is(h, run, at(h, "s")), "skipped");
    reason_has(h, run, at(h, "s"), "the branch that it takes has no step of this run");
    assert_string_equal(step_is(h, run, at(h, "z")), "skipped");
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_branch_in_which_nothing_is_needed_may_be_another(void **state)
{
    struct harness *h = *state;
    struct uuid run = only_with(h, switched(h), "s/ship,s/far", "{\"more\":11}", 2);
    is_accepted(h);
    assert_int_equal(starts_of(h, "s/far"), 1);
    assert_int_equal(adopted(h, run, -1), 0);
}

/* In one item that branch was taken, in the other it is now. */
static void a_branch_that_was_not_taken_then_fails(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\n"
                     "params: {over: 1}\n"
                     "steps:\n"
                     "  e:\n"
                     "    for_each: [1, 2]\n"
                     "    fail_fast: false\n"
                     "    steps:\n"
                     "      s:\n"
                     "        switch:\n"
                     "          - when: item > params.over\n"
                     "            steps: {a: {command: [a]}, b: {needs: a, command: [b]}}\n"
                     "          - steps: {c: {command: [c]}}\n");
    struct uuid old = harness_run(h, "p", 1);
    finish(h, 0, "e/s/a", SUCCEEDED, NULL);
    finish(h, 0, "e/s/b", SUCCEEDED, NULL);
    finish(h, 0, "e/s/c", SUCCEEDED, NULL);
    struct uuid run = only(h, old, "e/s/b", 2);
    is_accepted(h);
    assert_int_equal(starts_of(h, "e/s/b"), 1);
    says(result_of_instance(h, run, at(h, "e/s"), 1)->reason, "the branch that it takes has no");
    run = only_with(h, old, "e/s/b", "{\"over\":0}", 3);
    is_accepted(h);
    assert_int_equal(starts_of(h, "e/s/b"), 1);
    says(result_of_instance(h, run, at(h, "e/s"), 1)->reason, "nothing to take over: run ");
    says(result_of_instance(h, run, at(h, "e/s"), 1)->reason, " took another branch");
}

/* ---- tries --------------------------------------------------------------------------------- */

static void each_try_takes_over_the_same(void **state)
{
    struct harness *h = *state;
    struct uuid old =
        harness_begin(h, "name: p\nsteps:\n"
                         "  g:\n"
                         "    retry: {attempts: 2}\n"
                         "    steps: {a: {command: [a]}, b: {needs: a, command: [b]},\n"
                         "            c: {needs: b, command: [c]}}\n");
    finish(h, 0, "g/a", SUCCEEDED, NULL);
    finish(h, 0, "g/b", SUCCEEDED, NULL);
    finish(h, 0, "g/c", SUCCEEDED, NULL);
    struct uuid run = only(h, old, "g/b", 2);
    is_accepted(h);
    finish(h, 0, "g/b", FAILED, NULL);
    harness_pass(h, 2 * US_PER_S);
    assert_int_equal(starts_of(h, "g/b"), 2);
    assert_int_equal(starts_of(h, "g/a"), 0);
    finish_nth(h, "g/b", 1, SUCCEEDED, NULL);
    assert_int_equal(adopted(h, run, at(h, "g/a")), 2);
    assert_int_equal(left_out(h, run, at(h, "g/c")), 2);
    assert_string_equal(run_is(h, run), "succeeded");
}

/* ---- takeovers ----------------------------------------------------------------------------- */

static void the_next_leader_takes_the_rest_of_each_item_over(void **state)
{
    (void)state;
    for (int turns = 1; turns < 12; turns++) {
        struct harness *h = harness_new();
        harness_hello(h, 0, 1000, NULL, 0);
        struct uuid old = trained(h);
        struct uuid run = only(h, old, "train/evaluate", 2);
        h->config.batch_rows = 4;
        for (int i = 0; i < turns; i++)
            harness_turn(h);
        harness_restart(h, 0);
        harness_settle(h);
        assert_int_equal(adopted(h, run, at(h, "train/fit")), 2);
        assert_int_equal(left_out(h, run, at(h, "train/fetch")), 2);
        assert_int_equal(starts_of(h, "train/evaluate"), 2);
        for (size_t i = 0; i < 2; i++)
            finish_nth(h, "train/evaluate", i, SUCCEEDED, "{\"rmse\":1}");
        assert_string_equal(run_is(h, run), "succeeded");
        harness_free(h);
    }
}

/* Of a run whose version is not to be read any more nobody knows what its steps are. */
static void without_the_old_run_the_group_fails(void **state)
{
    enum { BROKEN_VERSION, NO_RUN, NO_RESULT, CANCELLED, WAYS };
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        const bool cancelled = way == CANCELLED;
        struct harness *h = harness_new();
        harness_hello(h, 0, 1000, NULL, 0);
        struct uuid old = trained(h);
        harness_apply(h, TRAIN_OTHERWISE);
        struct uuid run = only(h, old, "train/fit", 2);
        is_accepted(h);
        if (cancelled)
            harness_cancel(h, run);
        if (way == NO_RUN)
            row_of_run(h, run)->retry_of = id_of(88);
        else if (way == NO_RESULT)
            row_of_result(h, old, at(h, "train"))->run = id_of(88);
        else
            json_object_set_new(h->rows->versions[0].ir, "ir", json_integer(99));
        harness_restart(h, 0);
        harness_settle(h);
        for (size_t i = 0; i < 2; i++)
            finish_nth(h, "train/fit", i, cancelled ? REPORT_RESULT_OUTCOME_CANCELLED : SUCCEEDED,
                       "{\"model\":1}");
        assert_string_equal(run_is(h, run), cancelled ? "cancelled" : "failed");
        if (!cancelled)
            reason_has(h, run, at(h, "train"),
                       way == NO_RESULT ? "never began in run" : "cannot be read any more");
        harness_free(h);
    }
}

/* A row of the run's own DAG, in an iteration. */
static void a_result_of_another_dag_is_passed_over(void **state)
{
    struct harness *h = *state;
    struct uuid old = trained(h);
    *snapshot_add_results(h->rows) = (struct snapshot_result){.run = old,
                                                              .step = at(h, "prep"),
                                                              .iteration = 1,
                                                              .state = STEP_SUCCEEDED,
                                                              .attempt = 1,
                                                              .reason = ""};
    struct uuid run = only(h, old, "train/fit", 2);
    is_accepted(h);
    assert_int_equal(adopted(h, run, -1), 3);
    assert_int_equal(starts_of(h, "train/fit"), 2);
}

static void a_cancel_in_the_middle(void **state)
{
    struct harness *h = *state;
    struct uuid run = only(h, trained(h), "train/fit", 2);
    h->config.batch_rows = 4;
    harness_turn(h);
    harness_cancel(h, run);
    for (size_t i = 0; i < starts_of(h, "train/fit"); i++)
        finish_nth(h, "train/fit", i, REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, run), "cancelled");
}

/* ---- what repeats it ----------------------------------------------------------------------- */

static struct uuid part_and_a_failure(struct harness *h)
{
    struct uuid run = only(h, trained(h), "train/fit,other", 2);
    is_accepted(h);
    finish(h, 0, "other", FAILED, NULL);
    finish_nth(h, "train/fit", 0, SUCCEEDED, "{\"model\":70}");
    finish_nth(h, "train/fit", 1, SUCCEEDED, "{\"model\":71}");
    assert_string_equal(run_is(h, run), "failed");
    return run;
}

static void a_retry_of_it_runs_what_was_left_out(void **state)
{
    struct harness *h = *state;
    struct uuid run = retry(h, part_and_a_failure(h), NULL, 3);
    assert_int_equal(adopted(h, run, at(h, "train")), 0);
    assert_int_equal(adopted(h, run, at(h, "train/fit")), 2);
    assert_int_equal(starts_of(h, "train/evaluate"), 2);
    for (size_t i = 0; i < 2; i++)
        finish_nth(h, "train/evaluate", i, SUCCEEDED, "{\"rmse\":1}");
    assert_int_equal(starts_of(h, "train/clean"), 2);
    for (size_t i = 0; i < 2; i++)
        finish_nth(h, "train/clean", i, SUCCEEDED, NULL);
    outputs_are(h, run, at(h, "train"), "{\"model\":[70,71],\"rmse\":[1,1]}");
    assert_int_equal(starts_of(h, "best") + starts_of(h, "pick"), 2);
}

static void a_part_of_what_it_ran_in_part(void **state)
{
    struct harness *h = *state;
    struct uuid first = part_and_a_failure(h);
    struct uuid run = only(h, first, "train/evaluate", 3);
    is_accepted(h);
    assert_int_equal(starts_of(h, "train/evaluate"), 2);
    assert_string_equal(order_of(h, ORDER_KIND_START, "train/evaluate")->start->argv[1], "71");
    (void)run;
    only(h, first, "train/clean,best", 4);
    is_refused(h, "step best looks at output rmse of train, which this run leaves out: name "
                  "train/evaluate too");
    only(h, first, "pick", 5);
    is_refused(h, "output rmse of step train is needed, and that run has none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup_worker, harness_teardown)
        T(in_each_item_only_the_named_step_runs),
        T(what_looks_at_it_outside_may_run_too),
        T(a_group_that_is_named_too_runs_whole),
        T(a_finally_step_of_each_item),
        T(another_list_fails_the_group_alone),
        T(another_list_is_fine_where_nothing_of_an_item_is_needed),
        T(no_items_then_and_now),
        T(each_instance_has_its_own),
        T(an_instance_that_had_nothing_fails_by_itself),
        T(the_branch_with_the_step_runs_in_part),
        T(another_branch_has_nothing_to_run),
        T(a_branch_in_which_nothing_is_needed_may_be_another),
        T(a_branch_that_was_not_taken_then_fails),
        T(each_try_takes_over_the_same),
        T(the_next_leader_takes_the_rest_of_each_item_over),
        T(without_the_old_run_the_group_fails),
        T(a_result_of_another_dag_is_passed_over),
        T(a_cancel_in_the_middle),
        T(a_retry_of_it_runs_what_was_left_out),
        T(a_part_of_what_it_ran_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

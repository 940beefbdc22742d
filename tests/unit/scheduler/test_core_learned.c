/* What is known of the old run that a retry repeats: all of it, in any order, or nothing. */
#include "tests/unit/scheduler/again_harness.h"

/* All starts of that step since orders were last forgotten, but for the last `spared`. */
static void end_all(struct harness *h, const char *step, size_t spared, int outcome)
{
    size_t left = starts_of(h, step) - spared;
    for (size_t i = 0; i < h->order_count && left; i++)
        if (h->orders[i].kind == ORDER_KIND_START && strcmp(h->orders[i].start->step, step) == 0) {
            harness_finished(h, 0, &h->orders[i], outcome, NULL);
            left--;
        }
    harness_settle(h);
}

/* ---- all of it ----------------------------------------------------------------------------- */

#define ITEMS 20

/* Each item with a group in it that succeeds at the second try, but for the last one's. */
static struct uuid nested_run(struct harness *h)
{
    struct uuid run = harness_begin(
        h, "name: p\nsteps:\n"
           "  e:\n"
           "    for_each: \"${{ 'a b c d e f g h i j k l m n o p q r s t'.split(' ') }}\"\n"
           "    fail_fast: false\n"
           "    steps:\n"
           "      g: {retry: {attempts: 2}, steps: {a: {command: [a]}}}\n"
           "      h: {steps: {b: {command: [b]}}}\n");
    assert_int_equal(starts_of(h, "e/g/a"), ITEMS);
    end_all(h, "e/h/b", 0, SUCCEEDED);
    end_all(h, "e/g/a", 0, FAILED);
    harness_forget_orders(h);
    harness_pass(h, 5 * US_PER_S);
    assert_int_equal(starts_of(h, "e/g/a"), ITEMS);
    struct uuid bad = order_of(h, ORDER_KIND_START, "e/g/a")->attempt;
    harness_finished(h, 0, order_of(h, ORDER_KIND_START, "e/g/a"), FAILED, NULL);
    for (size_t i = 0; i < h->order_count; i++)
        if (h->orders[i].kind == ORDER_KIND_START && !same_id(&h->orders[i].attempt, &bad))
            harness_finished(h, 0, &h->orders[i], SUCCEEDED, NULL);
    harness_settle(h);
    assert_string_equal(run_is(h, run), "failed");
    return run;
}

static void swap_groups(struct harness *h)
{
    for (size_t i = 0, k = h->rows->groups_count; i + 1 < k; i++) {
        struct snapshot_group swapped = h->rows->groups[i];
        h->rows->groups[i] = h->rows->groups[--k];
        h->rows->groups[k] = swapped;
    }
}

/* The last try of each group is the one that is repeated, in whatever order the rows come. */
static void many_groups_and_tries(void **state)
{
    struct harness *h = *state;
    struct uuid old = nested_run(h);
    swap_groups(h);
    struct uuid run = retry(h, old, NULL, 2);
    assert_int_equal(starts_of(h, "e/g/a"), 1);
    assert_int_equal(starts_of(h, "e/h/b"), 0);
    for (int i = 0; i < 2; i++) {
        harness_restart(h, 0);
        harness_settle(h);
    }
    assert_int_equal(adopted(h, run, -1), ITEMS * 2 - 1); /* groups, each as a whole */
    end_all(h, "e/g/a", 0, SUCCEEDED);
    assert_string_equal(run_is(h, run), "succeeded");
}

/* ---- nothing ------------------------------------------------------------------------------- */

/* Its cancel was there before it. */
static void of_a_run_that_never_began_all_runs(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps: {a: {command: [a]}, g: {steps: {in: {command: [in]}}}}\n");
    harness_command(h, (struct command){.kind = COMMAND_KIND_RUN, .run = id_of(1), .pipeline = "p"},
                    true);
    assert_string_equal(run_is(h, id_of(1)), "cancelled");
    struct uuid run = retry(h, id_of(1), NULL, 2);
    assert_int_equal(adopted(h, run, -1), 0);
    assert_int_equal(starts_of(h, "a"), 1);
    assert_int_equal(starts_of(h, "g/in"), 1);
}

/* What stands in an item that is another now has nothing to repeat; the group beside it has. */
static void of_another_item_nothing_is_known(void **state)
{
    struct harness *h = *state;
    struct uuid old = harness_begin(
        h, "name: p\nsteps:\n"
           "  e: {for_each: \"${{ [run.id] }}\", steps: {g: {steps: {a: {command: [a]}}}}}\n"
           "  f: {steps: {b: {command: [b]}, c: {command: [c]}}}\n");
    end_all(h, "f/b", 0, SUCCEEDED);
    end_all(h, "f/c", 0, FAILED);
    end_all(h, "e/g/a", 0, FAILED);
    struct uuid run = retry(h, old, NULL, 2);
    assert_int_equal(adopted(h, run, -1), 1);
    assert_int_equal(starts_of(h, "e/g/a"), 1);
    assert_int_equal(starts_of(h, "f/b"), 0);
    assert_int_equal(starts_of(h, "f/c"), 1);
}

/* Its time was up between two rounds: the second has no rows, nor has the group in it. */
static void of_a_round_that_never_began_nothing_is_known(void **state)
{
    struct harness *h = *state;
    struct uuid old =
        harness_begin(h, "name: p\nsteps:\n"
                         "  l: {loop: {until: \"false\", max: 3, delay: 8s}, timeout: 5s,\n"
                         "      steps: {g: {steps: {a: {command: [a]}}}}}\n");
    end_all(h, "l/g/a", 0, SUCCEEDED);
    harness_pass(h, 6 * US_PER_S);
    assert_string_equal(run_is(h, old), "failed");
    harness_heartbeat(h, 0, 1);
    struct uuid run = retry(h, old, NULL, 2);
    assert_int_equal(adopted(h, run, -1), 1); /* the first, and no wait after it */
    assert_int_equal(starts_of(h, "l/g/a"), 1);
    harness_restart(h, 0);
    harness_settle(h);
    assert_string_equal(step_is(h, run, 0), "running");
}

/* It had no list then, and has one now. */
static void of_a_group_that_never_began_nothing_is_known(void **state)
{
    struct harness *h = *state;
    struct uuid old =
        harness_begin(h, "name: p\nsteps:\n"
                         "  e: {for_each: \"${{ run.number == 1 ? {'no': 'list'} : ['x'] }}\",\n"
                         "      steps: {a: {command: [a]}}}\n"
                         "  f: {steps: {b: {command: [b]}}}\n");
    end_all(h, "f/b", 0, FAILED);
    assert_string_equal(step_is(h, old, 0), "failed");
    retry(h, old, NULL, 2);
    assert_int_equal(starts_of(h, "e/a"), 1);
}

/* It is a place to begin from, too: all of it runs anew. */
static void a_group_that_never_began_may_be_begun_from(void **state)
{
    struct harness *h = *state;
    struct uuid old =
        harness_begin(h, "name: p\nsteps:\n"
                         "  e: {for_each: \"${{ run.number == 1 ? {'no': 'list'} : ['x'] }}\",\n"
                         "      steps: {a: {command: [a]}}}\n");
    assert_string_equal(run_is(h, old), "failed");
    retry(h, old, "e/a", 2);
    assert_int_equal(starts_of(h, "e/a"), 1);
}

/* ---- from a step on ------------------------------------------------------------------------ */

/* Two ways lead to the last of them, and two groups were tried; the first has the step. */
static void each_step_that_comes_after_is_marked_once(void **state)
{
    struct harness *h = *state;
    struct uuid old = harness_begin(h, "name: p\nsteps:\n"
                                       "  g:\n"
                                       "    steps:\n"
                                       "      a: {command: [a]}\n"
                                       "      b: {needs: a, command: [b]}\n"
                                       "      c: {needs: a, command: [c]}\n"
                                       "      d: {needs: [b, c], command: [d]}\n"
                                       "  z: {steps: {in: {command: [in]}}}\n");
    static const char *const STEPS[] = {"g/a", "g/b", "g/c", "g/d", "z/in"};
    for (size_t i = 0; i < ARRAY_LEN(STEPS); i++)
        end_all(h, STEPS[i], 0, SUCCEEDED);
    assert_string_equal(run_is(h, old), "succeeded");
    struct uuid run = retry(h, old, "g/a", 2);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(starts_of(h, STEPS[i]), 1);
        end_all(h, STEPS[i], 0, SUCCEEDED);
    }
    assert_int_equal(adopted(h, run, -1), 1); /* z, whole */
    assert_string_equal(run_is(h, run), "succeeded");
}

/* The first group comes after the step, the other goes on with what it has. */
static void a_group_that_comes_after_repeats_nothing(void **state)
{
    struct harness *h = *state;
    struct uuid old =
        harness_begin(h, "name: p\nsteps:\n"
                         "  a: {command: [a]}\n"
                         "  g: {needs: a, steps: {x: {command: [x]}}}\n"
                         "  z: {steps: {in: {command: [in]}, bad: {command: [bad]}}}\n");
    end_all(h, "a", 0, SUCCEEDED);
    end_all(h, "g/x", 0, SUCCEEDED);
    end_all(h, "z/in", 0, SUCCEEDED);
    end_all(h, "z/bad", 0, FAILED);
    struct uuid run = retry(h, old, "a", 2);
    end_all(h, "a", 0, SUCCEEDED);
    assert_int_equal(starts_of(h, "g/x"), 1);
    assert_int_equal(starts_of(h, "z/in"), 0);
    assert_int_equal(starts_of(h, "z/bad"), 1);
    assert_int_equal(adopted(h, run, -1), 1);
}

/* Whoever asks for two of them gets two; a takeover knows one without its event, and is told. */
static void of_several_runs_each_is_known(void **state)
{
    struct harness *h = *state;
    harness_apply(h,
                  "name: p\nsteps:\n  a: {command: [a, \"${{ default(event.type, 'none') }}\"]}\n"
                  "  g: {steps: {x: {command: [x]}, y: {needs: x, command: [y]}}}\n");
    struct uuid old[] = {harness_run(h, "p", 1), harness_run(h, "p", 3)};
    end_all(h, "a", 0, SUCCEEDED);
    end_all(h, "g/x", 0, SUCCEEDED);
    end_all(h, "g/y", 0, FAILED);
    harness_learn_run(h, old[1], NULL);
    retry(h, old[0], NULL, 2); /* the other is forgotten */
    for (int i = 0; i < 2; i++)
        harness_learn_run(h, old[0], json_pack("{s:s}", "type", "drift")); /* the first is held */
    struct uuid again =
        harness_ask(h, (struct command){.kind = COMMAND_KIND_RETRY, .of = old[0], .from = "a"}, 4);
    harness_settle(h);
    assert_string_equal(run_is(h, again), "running");
    assert_string_equal(order_of(h, ORDER_KIND_START, "a")->start->argv[1], "drift");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup_worker, harness_teardown)
        T(many_groups_and_tries),
        T(of_a_run_that_never_began_all_runs),
        T(of_another_item_nothing_is_known),
        T(of_a_round_that_never_began_nothing_is_known),
        T(of_a_group_that_never_began_nothing_is_known),
        T(a_group_that_never_began_may_be_begun_from),
        T(each_step_that_comes_after_is_marked_once),
        T(a_group_that_comes_after_repeats_nothing),
        T(of_several_runs_each_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A run of some steps: what the old run must have for them, and where another version lacks it. */
#include "scheduler/core/run/runs.h"
#include "tests/unit/scheduler/again_harness.h"

/* ---- types --------------------------------------------------------------------------------- */

static const char TYPES[] =
    "name: p\nsteps:\n"
    "  a: {command: [a], outputs: {s: {type: string}, i: {type: integer}, n: {type: number},\n"
    "      b: {type: boolean}, j: {type: json}, f: {}, o: {optional: true}}}\n"
    "  e: {for_each: [x], command: [e], outputs: {m: {type: integer}}}\n"
    "  use: {command: [use, \"${{ steps.e.outputs.m }}\"],\n"
    "        inputs: {f: a.f, o: a.o, t: {value: x}}}\n";
static const char GIVEN[] =
    "{\"s\":\"t\",\"i\":1,\"n\":1.5,\"b\":true,\"j\":[1],\"f\":{\"artifact\":\"aa\"}}";

static struct uuid typed_run(struct harness *h)
{
    harness_apply(h, TYPES);
    struct uuid run = harness_run(h, "p", 1);
    finish(h, 0, "a", SUCCEEDED, GIVEN);
    finish(h, 0, "e/e", SUCCEEDED, "{\"m\":1}");
    finish(h, 0, "use", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    return run;
}

static void outputs_must_be_of_their_type(void **state)
{
    static const struct {
        const char *output, *value, *type; /* NULL = it is good */
    } ROWS[] = {{"s", "1", "string"},
                {"i", "1.5", "integer"},
                {"n", "\"1\"", "number"},
                {"n", "2", NULL},
                {"b", "1", "boolean"},
                {"j", "\"anything\"", NULL},
                {"f", "3", "artifact"},
                {"f", "{\"size\":1}", "artifact"},
                {"o", "{\"artifact\":\"bb\"}", NULL},
                {"o", "\"bb\"", "artifact"}};
    struct harness *h = *state;
    struct uuid old = typed_run(h);
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct snapshot_result *a = row_of_result(h, old, 0);
        json_decref(a->outputs);
        a->outputs = json_of(GIVEN);
        json_object_set_new(a->outputs, ROWS[i].output,
                            json_loads(ROWS[i].value, JSON_DECODE_ANY, NULL));
        only(h, old, "use", 10 + (int)i);
        if (!ROWS[i].type) {
            is_accepted(h);
            continue;
        }
        char why[200];
        snprintf(why, sizeof why,
                 "output %s of step a is needed as %s, and that run has it as something else",
                 ROWS[i].output, ROWS[i].type);
        is_refused(h, why);
    }
}

/* What was one value is none for each item, and the other way round. */
static void a_list_is_no_value_and_a_value_no_list(void **state)
{
    static const char ONE[] = "  s: {command: [s], outputs: {n: {type: integer}}}\n";
    static const char EACH[] =
        "  s: {for_each: [x], command: [s], outputs: {n: {type: integer}}}\n";
    static const char USE[] = "  u: {command: [u, \"${{ steps.s.outputs.n }}\"]}\n";
    struct harness *h = *state;
    for (int each = 0; each < 2; each++) {
        cleanup_free char *was = mem_printf("name: p\nsteps:\n%s%s", each ? EACH : ONE, USE);
        cleanup_free char *is = mem_printf("name: p\nsteps:\n%s%s", each ? ONE : EACH, USE);
        harness_apply(h, was);
        struct uuid old = harness_run(h, "p", (uint8_t)(1 + each));
        finish(h, 0, each ? "s/s" : "s", SUCCEEDED, "{\"n\":1}");
        finish(h, 0, "u", SUCCEEDED, NULL);
        harness_apply(h, is);
        only(h, old, "u", 10 + each);
        is_refused(h, each ? "output n of step s is needed as integer, and that run has it as "
                             "something else"
                           : "output n of step s is needed as a list, and that run has it as "
                             "something else");
    }
}

/* ---- versions ------------------------------------------------------------------------------ */

static void what_the_old_version_had_not_is_refused(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps: {a: {command: [a]}, b: {command: [b], needs: a}}\n");
    struct uuid old = harness_run(h, "p", 1);
    finish(h, 0, "a", SUCCEEDED, NULL);
    finish(h, 0, "b", SUCCEEDED, NULL);
    harness_apply(h, "name: p\nsteps: {new: {command: [n]}, b: {command: [b], needs: new}}\n");
    only(h, old, "b", 2);
    is_refused(h, "step new is needed, and that run has no such step");
}

/* What needs one another in it is no affair of the run's. */
static void a_group_runs_whole(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n  a: {command: [a]}\n"
                     "  g: {needs: a, steps: {x: {command: [x]}, y: {needs: x, command: [y]}}}\n"
                     "  z: {command: [z]}\n");
    struct uuid old = harness_run(h, "p", 1);
    static const char *const STEPS[] = {"a", "g/x", "g/y", "z"};
    for (size_t i = 0; i < ARRAY_LEN(STEPS); i++)
        finish(h, 0, STEPS[i], SUCCEEDED, NULL);
    struct uuid run = only(h, old, "g", 2);
    is_accepted(h);
    assert_string_equal(step_is(h, run, 0), "succeeded");
    finish(h, 0, "g/x", SUCCEEDED, NULL);
    finish(h, 0, "g/y", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    assert_string_equal(step_is(h, run, 4), "skipped");
}

/* What was not to be had then is not to be had now. */
static void what_was_skipped_is_skipped(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n  a: {when: \"false\", command: [a]}\n"
                     "  b: {command: [b], needs: a, rule: all_done}\n");
    struct uuid old = harness_run(h, "p", 1);
    finish(h, 0, "b", SUCCEEDED, NULL);
    struct uuid run = only(h, old, "b", 2);
    is_accepted(h);
    assert_string_equal(step_is(h, run, 0), "skipped");
    assert_non_null(strstr(row_of_result(h, run, 0)->reason, "adopted from"));
    assert_string_equal(step_is(h, run, 1), "placed");
}

static const char MAY_FAIL[] =
    "name: p\nsteps:\n"
    "  a: {command: [a], allow_failure: true, outputs: {n: {type: integer}}}\n"
    "  e: {for_each: [x, y], fail_fast: false, allow_failure: true, command: [e],\n"
    "      outputs: {n: {type: integer}}}\n"
    "  b: {needs: a, rule: all_done,\n"
    "      command: [\"${{ steps.a.state }} ${{ steps.e.outputs.n }}\"]}\n"
    "  c: {needs: a, command: [c]}\n"
    "  d: {needs: a, rule: none_failed, command: [d]}\n";

static struct uuid run_in_which_some_failed(struct harness *h)
{
    harness_apply(h, MAY_FAIL);
    struct uuid run = harness_run(h, "p", 1);
    finish(h, 0, "a", FAILED, NULL);
    finish_nth(h, "e/e", 0, SUCCEEDED, "{\"n\":1}");
    finish_nth(h, "e/e", 1, FAILED, NULL);
    finish(h, 0, "b", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    return run;
}

/* It went on then, and does so now, with what it gave all the same; also after a takeover. */
static void what_may_fail_is_taken_over_as_it_failed(void **state)
{
    struct harness *h = *state;
    struct uuid run = only(h, run_in_which_some_failed(h), "b", 2);
    is_accepted(h);
    harness_restart(h, US_PER_S);
    harness_settle(h);
    harness_heartbeat(h, 0, 1);
    harness_settle(h);
    assert_string_equal(step_is(h, run, 0), "failed");
    assert_string_equal(step_is(h, run, 1), "failed");
    assert_string_equal(order_of(h, ORDER_KIND_START, "b")->start->argv[0], "failed [1,null]");
    finish(h, 0, "b", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    run = only(h, run, "b", 3); /* of what was taken over so itself */
    is_accepted(h);
    finish(h, 0, "b", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

/* What needs it would not run, or the run would fail. */
static void what_failed_is_else_refused(void **state)
{
    static const char FAILED_HERE[] = "step a is needed, and in that run it is failed";
    struct harness *h = *state;
    struct uuid old = run_in_which_some_failed(h);
    only(h, old, "c", 2);
    is_refused(h, FAILED_HERE);
    only(h, old, "b,d", 3);
    is_refused(h, FAILED_HERE);
    harness_apply(h, "name: p\nsteps:\n"
                     "  a: {command: [a]}\n"
                     "  b: {needs: a, rule: all_done, command: [b]}\n");
    only(h, old, "b", 4);
    is_refused(h, FAILED_HERE);
}

/* Its other results, the failed one too, are of no account. */
static void what_this_version_has_not_is_passed_over(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n  a: {command: [a]}\n  gone: {command: [g]}\n"
                     "  z: {command: [z]}\n  b: {command: [b], needs: a}\n");
    struct uuid old = harness_run(h, "p", 1);
    finish(h, 0, "a", SUCCEEDED, NULL);
    finish(h, 0, "gone", SUCCEEDED, NULL);
    finish(h, 0, "z", FAILED, NULL);
    finish(h, 0, "b", SUCCEEDED, NULL);
    for (int step = -1; step < 1000; step += 1000) /* rows of another build */
        *snapshot_add_results(h->rows) = (struct snapshot_result){
            .run = old, .step = step, .state = STEP_SUCCEEDED, .attempt = 1, .reason = ""};
    harness_apply(h, "name: p\nsteps: {a: {command: [a]}, b: {command: [b], needs: a}}\n");
    struct uuid run = only(h, old, "b", 2);
    is_accepted(h);
    assert_string_equal(step_is(h, run, 0), "succeeded");
    finish(h, 0, "b", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_version_that_cannot_be_read_is_refused(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps: {a: {command: [a]}, b: {command: [b], needs: a}}\n");
    struct uuid old = harness_run(h, "p", 1);
    finish(h, 0, "a", SUCCEEDED, NULL);
    finish(h, 0, "b", SUCCEEDED, NULL);
    harness_apply(h, "name: p\nsteps: {b: {command: [b]}}\n");
    harness_turn(h); /* nobody needs the first version any more */
    const char *hash = h->rows->versions[0].hash;
    h->rows->versions[0].hash = "none"; /* it is not in the catalog */
    only(h, old, "b", 2);
    is_refused(h, "the version of that run cannot be read any more");
    h->rows->versions[0].hash = hash;
    json_object_set_new(h->rows->versions[0].ir, "ir", json_integer(99));
    only(h, old, "b", 3);
    is_refused(h, "the version of that run cannot be read any more");
}

/* ---- takeovers ----------------------------------------------------------------------------- */

static const char CHAIN[] = "name: p\nsteps:\n"
                            "  a: {command: [a]}\n"
                            "  g: {steps: {in: {command: [i]}}}\n"
                            "  b: {command: [b], needs: [a, g]}\n";

/* b alone, of a run in which all succeeded. */
static struct uuid only_b(struct harness *h)
{
    harness_apply(h, CHAIN);
    struct uuid old = harness_run(h, "p", 1);
    finish(h, 0, "a", SUCCEEDED, NULL);
    finish(h, 0, "g/in", SUCCEEDED, NULL);
    finish(h, 0, "b", SUCCEEDED, NULL);
    struct uuid run = only(h, old, "b", 2);
    is_accepted(h);
    assert_string_equal(step_is(h, run, 3), "placed");
    return run;
}

/* As if its leader had died when `kept` results were in. */
static void died_while_adopting(struct harness *h, struct uuid run, size_t kept)
{
    row_of_run(h, run)->state = RUN_PENDING;
    h->rows->steps_count = 0;
    struct snapshot_result *all = h->rows->results;
    size_t count = 0, found = 0;
    for (size_t i = 0; i < h->rows->results_count; i++) {
        if (same_id(&all[i].run, &run) && found++ >= kept)
            json_decref(all[i].outputs);
        else
            all[count++] = all[i];
    }
    h->rows->results_count = count;
}

static void the_next_leader_takes_the_rest_over(void **state)
{
    struct harness *h = *state;
    struct uuid run = only_b(h);
    died_while_adopting(h, run, 1);
    harness_restart(h, 0);
    assert_non_null(run_find(h->core, &run)->adopts);
    harness_settle(h);
    assert_null(run_find(h->core, &run)->adopts);
    assert_string_equal(step_is(h, run, 0), "succeeded");
    assert_string_equal(step_is(h, run, 3), "placed");
}

/* The old run is of use until it begins, and not held any longer. */
static void what_has_begun_holds_nothing(void **state)
{
    struct harness *h = *state;
    struct uuid run = only_b(h);
    harness_restart(h, 0);
    assert_null(run_find(h->core, &run)->adopts);
    harness_settle(h);
    assert_string_equal(step_is(h, run, 3), "placed");
}

/* Without the old version nobody knows which step a result is of: what is needed has none. */
static void without_the_old_version_nothing_is_taken_over(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CHAIN);
    struct uuid old = harness_run(h, "p", 1);
    finish(h, 0, "a", SUCCEEDED, NULL);
    finish(h, 0, "g/in", SUCCEEDED, NULL);
    finish(h, 0, "b", SUCCEEDED, NULL);
    harness_apply(h, "name: p\nsteps: {a: {command: [a]}, b: {command: [b], needs: a}}\n");
    struct uuid run = only(h, old, "b", 2);
    is_accepted(h);
    died_while_adopting(h, run, 0);
    json_object_set_new(h->rows->versions[0].ir, "ir", json_integer(99));
    harness_restart(h, 0);
    harness_settle(h);
    assert_string_equal(step_is(h, run, 0), "skipped");
    assert_string_equal(step_is(h, run, 1), "skipped");
}

/* A row that names none: all are left out. */
static void without_its_steps_it_runs_none(void **state)
{
    struct harness *h = *state;
    struct uuid run = only_b(h);
    died_while_adopting(h, run, 0);
    row_of_run(h, run)->retry_from = "";
    harness_restart(h, 0);
    harness_settle(h);
    assert_string_equal(step_is(h, run, 3), "skipped");
    assert_string_equal(run_is(h, run), "succeeded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup_worker, harness_teardown)
        T(outputs_must_be_of_their_type),
        T(a_list_is_no_value_and_a_value_no_list),
        T(what_the_old_version_had_not_is_refused),
        T(a_group_runs_whole),
        T(what_was_skipped_is_skipped),
        T(what_may_fail_is_taken_over_as_it_failed),
        T(what_failed_is_else_refused),
        T(what_this_version_has_not_is_passed_over),
        T(a_version_that_cannot_be_read_is_refused),
        T(the_next_leader_takes_the_rest_over),
        T(what_has_begun_holds_nothing),
        T(without_the_old_version_nothing_is_taken_over),
        T(without_its_steps_it_runs_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

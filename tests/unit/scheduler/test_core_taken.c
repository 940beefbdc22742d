/* A run of a few steps of which some stand in groups: what is refused, and why. */
#include "scheduler/core/run/runs.h"
#include "tests/unit/scheduler/part_harness.h"

static void only_refused(struct harness *h, struct uuid of, const char *steps, const char *why)
{
    static int byte = 20;
    only(h, of, steps, byte++);
    is_refused(h, why);
}

/* ---- what cannot be meant ------------------------------------------------------------------ */

static void nothing_inside_a_loop(void **state)
{
    struct harness *h = *state;
    struct uuid old =
        harness_begin(h, "name: p\nsteps:\n"
                         "  e:\n"
                         "    for_each: [x]\n"
                         "    steps:\n"
                         "      l:\n"
                         "        loop: {until: outputs.n > 0, max: 2}\n"
                         "        steps:\n"
                         "          a: {command: [a], outputs: {n: {type: integer}}}\n"
                         "          in: {for_each: [1], as: y, command: [in]}\n"
                         "        outputs: {n: a.n}\n"
                         "      b: {needs: l, command: [b]}\n");
    finish(h, 0, "e/l/in/in", SUCCEEDED, NULL);
    finish(h, 0, "e/l/a", SUCCEEDED, "{\"n\":1}");
    finish(h, 0, "e/b", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, old), "succeeded");
    only_refused(h, old, "e/l/a",
                 "step e/l/a stands in loop e/l, whose rounds follow from one another: name e/l");
    only_refused(h, old, "e/l/in/in",
                 "step e/l/in/in stands in loop e/l, whose rounds follow from one another: name "
                 "e/l");
    only_refused(h, old, "e/b[1]",
                 "e/b[1] is one instance of a step, and a step is named in all items and rounds: "
                 "name e/b");
    only(h, old, "e/l", 2); /* the loop as a whole, in each item */
    is_accepted(h);
    assert_int_equal(starts_of(h, "e/l/a"), 1);
    only(h, old, "e/b", 3); /* it is taken over as a whole */
    is_accepted(h);
    assert_int_equal(starts_of(h, "e/b"), 1);
}

/* ---- outputs that are left out ------------------------------------------------------------- */

static const char LOOKERS[] =
    "name: p\nsteps:\n"
    "  g:\n"
    "    steps:\n"
    "      a: {command: [a], outputs: {n: {type: integer}, l: {type: json}}}\n"
    "      b: {command: [b], outputs: {n: {type: integer}, l: {type: json}, d: {}}}\n"
    "    outputs: {n: a.n, m: b.n, l: b.l, d: b.d}\n"
    "  image: {image: \"i:${{ steps.g.outputs.m }}\", command: [x]}\n"
    "  workdir: {workdir: \"/${{ steps.g.outputs.m }}\", command: [x]}\n"
    "  argv: {command: [x, \"${{ steps.g.outputs.n }}${{ steps.g.outputs.m }}\"]}\n"
    "  env: {command: [x], env: {A: \"${{ steps.g.outputs.m }}\"}}\n"
    "  value: {command: [x], inputs: {a: {value: \"${{ steps.g.outputs.m }}\"}}}\n"
    "  input: {command: [x], inputs: {a: g.d}}\n"
    "  when: {when: steps.g.outputs.m > 1, command: [x]}\n"
    "  items: {for_each: \"${{ steps.g.outputs.l }}\", command: [x]}\n"
    "  names: {for_each: {from: g.d}, command: [x]}\n"
    "  branch: {switch: [{when: steps.g.outputs.m > 1, steps: {x: {command: [x]}}}]}\n"
    "  until: {needs: g, loop: {until: steps.g.outputs.m > 1, max: 2}, command: [x]}\n"
    "  wait: {needs: g, wait: {type: t, filter: event.data.n > steps.g.outputs.m}}\n"
    "  ask: {approval: {message: \"${{ steps.g.outputs.m }}?\"}}\n"
    "  plain: {needs: g, approval: {}}\n"
    "  start: {start: {pipeline: q, name: \"${{ steps.g.outputs.m }}\"}}\n"
    "  given: {start: {pipeline: q, params: {a: \"${{ steps.g.outputs.m }}\"}}}\n"
    "  inside: {steps: {deep: {command: [x, \"${{ steps.g.outputs.m }}\"]}}}\n"
    "  how: {rule: all_done, command: [x, \"${{ steps.g.state }} ${{ default(event.data.a.b, 1) "
    "}}\"]}\n";

/* Whatever text looks at it. */
static void what_looks_at_an_output_that_is_left_out(void **state)
{
    static const char *const ROWS[][2] = {
        {"image", "m"}, {"workdir", "m"}, {"argv", "m"},  {"env", "m"},   {"value", "m"},
        {"input", "d"}, {"when", "m"},    {"items", "l"}, {"names", "d"}, {"branch", "m"},
        {"until", "m"}, {"wait", "m"},    {"ask", "m"},   {"start", "m"}, {"given", "m"}};
    struct harness *h = *state;
    struct uuid old = harness_begin(h, LOOKERS);
    harness_cancel(h, old);
    finish(h, 0, "g/a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    finish(h, 0, "g/b", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, old), "cancelled");
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        char steps[64], why[200];
        snprintf(steps, sizeof steps, "g/a,%s", ROWS[i][0]);
        snprintf(why, sizeof why,
                 "step %s looks at output %s of g, which this run leaves out: name g/b too",
                 ROWS[i][0], ROWS[i][1]);
        only_refused(h, old, steps, why);
    }
    only_refused(h, old, "g/a,inside",
                 "step inside/deep looks at output m of g, which this run leaves out: name g/b "
                 "too");
    only(h, old, "g/a,how,plain", 2);
    is_accepted(h);
}

/* The branch that gives it may be the one. */
static void of_a_switch_one_branch_is_enough(void **state)
{
    struct harness *h = *state;
    struct uuid old =
        harness_begin(h, "name: p\nsteps:\n"
                         "  s:\n"
                         "    switch:\n"
                         "      - when: \"false\"\n"
                         "        steps: {a: {command: [a], outputs: {n: {type: integer}}}}\n"
                         "        outputs: {n: a.n}\n"
                         "      - steps: {b: {command: [b], outputs: {n: {type: integer},\n"
                         "                    m: {type: integer}}}}\n"
                         "        outputs: {n: b.n, m: b.m}\n"
                         "  z: {command: [z, \"${{ steps.s.outputs.n }}\"]}\n"
                         "  y: {command: [z, \"${{ steps.s.outputs.m }}\"]}\n");
    harness_cancel(h, old);
    finish(h, 0, "s/b", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    only_refused(h, old, "s/a,y",
                 "step y looks at output m of s, which this run leaves out: name s/b too");
    only(h, old, "s/b,z", 2);
    is_accepted(h);
}

/* ---- what the old run has not -------------------------------------------------------------- */

static void an_instance_that_did_not_go_well(void **state)
{
    struct harness *h = *state;
    harness_apply(h, TRAIN);
    struct uuid old = run_with(h, "{}");
    finish(h, 0, "prep", SUCCEEDED, "{\"t\":1}");
    finish_nth(h, "train/fetch", 0, SUCCEEDED, "{\"n\":1}");
    finish_nth(h, "train/fetch", 1, FAILED, NULL);
    finish_nth(h, "train/fit", 0, REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    finish(h, 0, "other", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, old), "failed");
    only_refused(h, old, "train/fit",
                 "step train/fetch[2] is needed, and in that run it is failed");
    struct snapshot_result *second = result_of_instance(h, old, at(h, "train/fetch"), 2);
    second->state = STEP_SUCCEEDED;
    only_refused(h, old, "train/fit",
                 "output n of step train/fetch[2] is needed, and that run has none");
    second->outputs = json_of("{\"n\":\"x\"}");
    only_refused(h, old, "train/fit",
                 "output n of step train/fetch[2] is needed as integer, and that run has it as "
                 "something else");
    second->run = id_of(99);
    only_refused(h, old, "train/fit",
                 "step train/fetch[2] is needed, and that run has no such step");
}

static void a_group_that_never_began(void **state)
{
    struct harness *h = *state;
    harness_apply(h, TRAIN);
    struct uuid old = run_with(h, "{}");
    finish(h, 0, "prep", FAILED, NULL);
    finish(h, 0, "other", SUCCEEDED, NULL);
    row_of_result(h, old, at(h, "prep"))->state = STEP_SUCCEEDED;
    row_of_result(h, old, at(h, "prep"))->outputs = json_of("{\"t\":1}");
    only_refused(h, old, "train/fit",
                 "a part of train is to run, and in that run it never began: it is "
                 "upstream_failed: name train to run all of it");
    row_of_result(h, old, at(h, "prep"))->state = STEP_SKIPPED;
    row_of_result(h, old, at(h, "prep"))->reason = "";
    row_of_result(h, old, at(h, "train"))->state = STEP_SKIPPED;
    only_refused(h, old, "train/fit",
                 "step train/fetch is needed, and train was skipped in that run, had no items or "
                 "took another branch");
    only(h, old, "train/fetch", 2);
    is_accepted(h);
    row_of_result(h, old, at(h, "train"))->run = id_of(99);
    only_refused(h, old, "train/fit",
                 "a part of train is to run, and in that run it never began: name train to run all "
                 "of it");
}

static void a_group_that_was_taken_over_whole(void **state)
{
    struct harness *h = *state;
    struct uuid second = retry(h, trained(h), "best", 2);
    finish(h, 0, "best", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, second), "succeeded");
    char first[UUID_TEXT], why[300];
    struct uuid id = id_of(1);
    uuid_format(&id, first);
    snprintf(why, sizeof why,
             "train was adopted from %s as a whole: take the inputs from that run, or name train",
             first);
    only_refused(h, second, "train/fit", why);
    only(h, second, "train/fetch", 3); /* nothing of it is needed */
    is_accepted(h);
    assert_int_equal(starts_of(h, "train/fetch"), 2);
    row_of_result(h, second, at(h, "train"))->state = STEP_SKIPPED;
    only_refused(h, second, "train/fit",
                 "step train/fetch is needed, and train was skipped in that run, had no items or "
                 "took another branch");
}

static void what_was_left_out_is_not_to_be_had(void **state)
{
    struct harness *h = *state;
    struct uuid run = only(h, trained(h), "train/fetch", 2);
    is_accepted(h);
    for (size_t i = 0; i < 2; i++)
        finish_nth(h, "train/fetch", i, SUCCEEDED, "{\"n\":1}");
    assert_string_equal(run_is(h, run), "succeeded");
    only_refused(h, run, "train/evaluate",
                 "step train/fit[1] is needed, and that run left it out: take the inputs from one "
                 "that ran it");
}

/* ---- versions ------------------------------------------------------------------------------ */

#define GROUP(more) "name: p\nsteps:\n  g: {" more "}\n"
#define TWO         "steps: {a: {command: [a]}, b: {needs: a, command: [b]}}"

static void another_version(void **state)
{
    static const char OTHER[] =
        "in the version of that run g is another sort of group, or has g/a in another "
        "branch: name g to run all of it";
    static const struct {
        const char *then, *now, *why; /* NULL: it is taken over */
    } ROWS[] = {
        {GROUP("for_each: [1, 2], " TWO), GROUP("for_each: [1, 2], as: x, " TWO), NULL},
        {GROUP("for_each: [1], " TWO), GROUP(TWO), OTHER},
        {GROUP("switch: [{when: \"true\", " TWO "}]"), GROUP("switch: [{when: 1 == 1, " TWO "}]"),
         NULL},
        {GROUP("switch: [{" TWO "}]"),
         GROUP("switch: [{when: \"false\", steps: {x: {command: [x]}}}, {" TWO "}]"), OTHER},
        {GROUP("steps: {a: {command: [a]}}"),
         GROUP("steps: {c: {command: [c]}, b: {needs: c, command: [b]}}"),
         "step g/c is needed, and that run has no such step"},
        {"name: p\nsteps: {g: {command: [a]}}\n", GROUP(TWO),
         "step g/a is needed, and that run has no such step"},
    };
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct harness *h = harness_new();
        harness_hello(h, 0, 1000, NULL, 0);
        struct uuid old = harness_begin(h, ROWS[i].then);
        for (size_t k = 0; k < h->order_count; k++) /* more come as these end */
            if (h->orders[k].kind == ORDER_KIND_START) {
                harness_finished(h, 0, &h->orders[k], SUCCEEDED, NULL);
                harness_settle(h);
            }
        assert_string_equal(run_is(h, old), "succeeded");
        harness_apply(h, ROWS[i].now);
        struct uuid run = only(h, old, "g/b", 2);
        if (ROWS[i].why) {
            is_refused(h, ROWS[i].why);
        } else {
            is_accepted(h);
            assert_true(starts_of(h, "g/b") > 0);
            assert_int_equal(adopted(h, run, at(h, "g/a")), (int)starts_of(h, "g/b"));
        }
        harness_free(h);
    }
    (void)state;
}

/* The same sort, and the list of the file is another. */
static void another_list_in_the_file(void **state)
{
    struct harness *h = *state;
    struct uuid old = harness_begin(h, GROUP("for_each: [1, 2], " TWO));
    for (size_t i = 0; i < 2; i++)
        finish_nth(h, "g/a", i, SUCCEEDED, NULL);
    for (size_t i = 0; i < 2; i++)
        finish_nth(h, "g/b", i, SUCCEEDED, NULL);
    harness_apply(h, GROUP("for_each: [1, 3], " TWO));
    struct uuid run = only(h, old, "g/b", 2);
    is_accepted(h);
    reason_has(h, run, at(h, "g"), "nothing to take over: its list of 2 items is not the one");
    assert_string_equal(run_is(h, run), "failed");
}

#define FOLDER(more)                                                                               \
    "{\"artifact\":\"1111111111111111111111111111111111111111111111111111111111111111\","          \
    "\"size\":3,\"folder\":true" more "}"
#define FOLDERS(more)                                                                              \
    "name: p\nsteps:\n"                                                                            \
    "  s: {command: [s], outputs: {d: {}, e: {}}}\n"                                               \
    "  a: {command: [a], inputs: {d: s.d}}\n"                                                      \
    "  g:\n"                                                                                       \
    "    steps:\n"                                                                                 \
    "      t: {command: [t], outputs: {d: {}, e: {}, n: {type: integer}}}\n"                       \
    "      x: {command: [x], inputs: {e: t.e}}\n"                                                  \
    "    outputs: {n: t.n, d: t.d, e: t.e}\n" more

static struct uuid run_of_folders(struct harness *h, const char *s, const char *t)
{
    struct uuid run = harness_begin(h, FOLDERS(""));
    finish(h, 0, "s", SUCCEEDED, s);
    finish(h, 0, "a", SUCCEEDED, NULL);
    finish(h, 0, "g/t", SUCCEEDED, t);
    finish(h, 0, "g/x", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    harness_apply(h, FOLDERS("  each: {for_each: {from: s.d}, command: [x]}\n"
                             "  over: {for_each: {from: g.d}, command: [x]}\n"
                             "  some: {for_each: [1], command: [x]}\n"));
    return run;
}

/* In the old version no for_each went over it. */
static void a_folder_whose_names_nobody_asked_for(void **state)
{
    static const struct {
        const char *steps, *why;
    } ROWS[] = {
        {"each", "the names in output d of step s are needed, and that run did not ask for them: "
                 "name s too"},
        {"g/x,over", "the names in output d of step g/t[1] are needed, and that run did not ask "
                     "for them: name g/t too"},
        {"over", "the names in output d of step g are needed, and that run did not ask for them: "
                 "name g too"},
    };
    static const char *const FINE[] = {"s,each", "g/x,some", "a", "g/t,g/x,over"};
    struct harness *h = *state;
    struct uuid old = run_of_folders(h, "{\"d\":" FOLDER("") ",\"e\":" FOLDER("") "}",
                                     "{\"d\":" FOLDER("") ",\"e\":" FOLDER("") ",\"n\":1}");
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
        only_refused(h, old, ROWS[i].steps, ROWS[i].why);
    for (size_t i = 0; i < ARRAY_LEN(FINE); i++) {
        only(h, old, FINE[i], 100 + (int)i);
        is_accepted(h);
    }
}

/* Of one that has too many the step says so. */
static void a_folder_whose_names_were_asked_for(void **state)
{
    struct harness *h = *state;
    struct uuid old =
        run_of_folders(h, "{\"d\":" FOLDER(",\"unlisted\":\"too many\"") ",\"e\":" FOLDER("") "}",
                       "{\"d\":" FOLDER(",\"names\":[\"a\"]") ",\"e\":" FOLDER("") ",\"n\":1}");
    only(h, old, "g/x,over", 100);
    is_accepted(h);
    struct uuid run = only(h, old, "each", 101);
    is_accepted(h);
    reason_has(h, run, at(h, "each"), "output d of step s: too many");
}

/* A branch that is no more was the one. */
static void a_branch_that_is_no_more(void **state)
{
    struct harness *h = *state;
    struct uuid old = harness_begin(
        h, GROUP("switch: [{when: \"false\", " TWO "}, {steps: {x: {command: [x]}}}]"));
    finish(h, 0, "g/x", SUCCEEDED, NULL);
    harness_apply(h, GROUP("switch: [{when: \"true\", " TWO "}]"));
    only(h, old, "g/b", 2);
    is_refused(h, "step g/a is needed, and g was skipped in that run, had no items or took another "
                  "branch");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup_worker, harness_teardown)
        T(nothing_inside_a_loop),
        T(what_looks_at_an_output_that_is_left_out),
        T(of_a_switch_one_branch_is_enough),
        T(an_instance_that_did_not_go_well),
        T(a_group_that_never_began),
        T(a_group_that_was_taken_over_whole),
        T(what_was_left_out_is_not_to_be_had),
        T(another_version),
        T(another_list_in_the_file),
        T(a_folder_whose_names_nobody_asked_for),
        T(a_folder_whose_names_were_asked_for),
        T(a_branch_that_is_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

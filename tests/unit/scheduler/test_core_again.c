/* Runs that repeat a finished one otherwise than a retry: reruns, and a few steps only. */
#include "tests/unit/scheduler/again_harness.h"

static const char FILE_TEXT[] =
    "name: p\n"
    "params: {tag: v1, who: anna}\n"
    "steps:\n"
    "  a: {image: \"r/a:${{ params.tag }}\", command: [a, \"${{ params.who }}\"],\n"
    "      outputs: {n: {type: integer}}}\n"
    "  b: {image: r/b, command: [b, \"${{ steps.a.outputs.n }}\"], when: steps.a.outputs.n > 1}\n"
    "  c: {command: [c], needs: b}\n"
    "  d: {command: [d]}\n"
    "  g: {needs: a, steps: {in: {command: [in, \"${{ steps.d.state }}\"]}}}\n"
    "finally: {f: {command: [f]}}\n";
enum { A, B, C, D, G, IN, F };

/* An old run that is over: a and d succeeded, b too, c failed. */
static struct uuid old_run(struct harness *h)
{
    harness_apply(h, FILE_TEXT);
    harness_hello(h, 0, 100, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    finish(h, 0, "a", SUCCEEDED, "{\"n\":7}");
    finish(h, 0, "d", SUCCEEDED, NULL);
    finish(h, 0, "b", SUCCEEDED, NULL);
    finish(h, 0, "g/in", SUCCEEDED, NULL);
    finish(h, 0, "c", FAILED, NULL);
    finish(h, 0, "f", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "failed");
    row_of_result(h, run, A)->image = "r/a@sha256:aa";
    row_of_result(h, run, B)->image = "r/b@sha256:bb";
    return run;
}

static const char *image_of(struct harness *h, const char *step)
{
    const struct order *o = order_of(h, ORDER_KIND_START, step);
    assert_non_null(o);
    return o->start->image;
}

/* ---- rerun --------------------------------------------------------------------------------- */

static void a_rerun_runs_all_anew_with_the_images_of_then(void **state)
{
    struct harness *h = *state;
    struct uuid old = old_run(h), run = ask_rerun(h, old, NULL, 2);
    harness_settle(h);
    assert_true(h->accepted);
    assert_string_equal(image_of(h, "a"), "r/a@sha256:aa");
    finish(h, 0, "a", SUCCEEDED, "{\"n\":7}");
    harness_restart(h, 0); /* and a leader that takes over knows of them */
    finish(h, 0, "d", SUCCEEDED, NULL);
    assert_string_equal(image_of(h, "b"), "r/b@sha256:bb");
    assert_string_equal(row_of_run(h, run)->again, "rerun");
    assert_string_equal(run_is(h, old), "failed");
}

static void another_parameter_lets_go_of_what_looks_at_it(void **state)
{
    struct harness *h = *state;
    ask_rerun(h, old_run(h), "{\"tag\":\"v2\"}", 2);
    harness_settle(h);
    assert_string_equal(image_of(h, "a"), "r/a:v2");
    finish(h, 0, "a", SUCCEEDED, "{\"n\":7}");
    assert_string_equal(image_of(h, "b"), "r/b@sha256:bb");
}

static void another_parameter_elsewhere_does_not(void **state)
{
    struct harness *h = *state;
    ask_rerun(h, old_run(h), "{\"who\":\"bea\"}", 2);
    harness_settle(h);
    assert_string_equal(image_of(h, "a"), "r/a@sha256:aa");
    assert_string_equal(order_of(h, ORDER_KIND_START, "a")->start->argv[1], "bea");
}

static void an_event_that_is_gone_is_said(void **state)
{
    struct harness *h = *state;
    struct uuid old = old_run(h);
    row_of_run(h, old)->event = id_of(77);
    ask_rerun(h, old, NULL, 2);
    char id[UUID_TEXT], why[200];
    struct uuid event = id_of(77);
    uuid_format(&event, id);
    snprintf(why, sizeof why,
             "the event that started it, %s, is no longer kept: what looks at it would see none "
             "(--anyway runs it so)",
             id);
    is_refused(h, why);
    harness_learn_run(h, old, NULL);
    harness_ask(h, (struct command){.kind = COMMAND_KIND_RERUN, .of = old, .anyway = true}, 3);
    harness_settle(h);
    assert_true(h->accepted);
    harness_learn_run(h, old, json_pack("{s:s}", "type", "x"));
    harness_ask(h, (struct command){.kind = COMMAND_KIND_RERUN, .of = old}, 4);
    harness_settle(h);
    assert_true(h->accepted);
}

/* ---- only ---------------------------------------------------------------------------------- */

static void only_the_named_steps_run(void **state)
{
    struct harness *h = *state;
    struct uuid run = only(h, old_run(h), "b,g", 2);
    harness_settle(h);
    assert_true(h->accepted);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 2);
    assert_string_equal(order_of(h, ORDER_KIND_START, "b")->start->argv[1], "7");
    assert_string_equal(order_of(h, ORDER_KIND_START, "g/in")->start->argv[1], "succeeded");
    for (int restart = 0; restart < 2; restart++) {
        assert_string_equal(step_is(h, run, A), "succeeded");
        assert_non_null(strstr(row_of_result(h, run, A)->reason, "adopted from"));
        assert_string_equal(step_is(h, run, D), "succeeded"); /* a step inside g looks at it */
        harness_restart(h, 0);
        harness_settle(h);
    }
    finish(h, 0, "b", SUCCEEDED, NULL);
    assert_string_equal(step_is(h, run, C), "skipped");
    finish(h, 0, "g/in", SUCCEEDED, NULL);
    assert_string_equal(step_is(h, run, F), "skipped");
    assert_string_equal(row_of_result(h, run, F)->reason, "not among the steps of this run");
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_finally_step_alone(void **state)
{
    struct harness *h = *state;
    struct uuid run = only(h, old_run(h), "f", 2);
    harness_settle(h);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 1);
    finish(h, 0, "f", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_leader_that_takes_over_in_the_middle(void **state)
{
    struct harness *h = *state;
    struct uuid run = only(h, old_run(h), "b,g", 2);
    h->config.batch_rows = 4;
    harness_turn(h);
    harness_restart(h, 0);
    harness_settle(h);
    assert_string_equal(step_is(h, run, A), "succeeded");
    assert_string_equal(step_is(h, run, B), "placed");
    assert_string_equal(step_is(h, run, C), "-");
}

static void what_is_missing_or_cannot_be_meant_is_refused(void **state)
{
    static const struct {
        const char *steps, *why;
    } rows[] = {
        {"", "name the steps to run"},
        {"x", "pipeline p has no step x in that version"},
        {"b,", "pipeline p has no step  in that version"},
        {"in", "pipeline p has no step in in that version; do you mean g/in?"},
    };
    struct harness *h = *state;
    struct uuid old = old_run(h);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        only(h, old, rows[i].steps, 10 + (int)i);
        is_refused(h, rows[i].why);
    }
    struct snapshot_result *a = row_of_result(h, old, A);
    json_decref(a->outputs);
    a->outputs = json_of("{\"n\":\"seven\"}");
    only(h, old, "b", 20);
    is_refused(h, "output n of step a is needed as integer, and that run has it as something else");
    json_object_del(a->outputs, "n");
    only(h, old, "b", 21);
    is_refused(h, "output n of step a is needed, and that run has none");
    a->state = STEP_FAILED;
    only(h, old, "b", 22);
    is_refused(h, "step a is needed, and in that run it is failed");
    harness_learn_run(h, old, NULL);
    harness_ask(
        h, (struct command){.kind = COMMAND_KIND_ONLY, .of = old, .pipeline = "q", .steps = "b"},
        23);
    is_refused(h, "there is no pipeline q");
}

static void a_run_that_never_had_its_parameters_is_not_tried_again(void **state)
{
    struct harness *h = *state;
    struct uuid old = old_run(h);
    json_object_clear(row_of_run(h, old)->params);
    harness_learn_run(h, old, NULL);
    harness_ask(h, (struct command){.kind = COMMAND_KIND_RETRY, .of = old}, 20);
    is_refused(h, "the run failed before it had its parameter tag: a rerun may be given it");
}

/* ---- retry --------------------------------------------------------------------------------- */

/* A group that was skipped in every item, one without items, and an instance of a step that there
 * is not. */
static void a_step_that_is_no_place_to_begin_from_is_refused(void **state)
{
    static const struct {
        const char *from, *why;
    } ROWS[] = {{"e/g/in", "e/g was skipped in that run: nothing of it can begin"},
                {"n/in", "n had no items in that run: nothing of it can begin"},
                {"none[1]", "pipeline p has no step none[1] in that version"}};
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n"
                     "  e:\n"
                     "    for_each: [x, y]\n"
                     "    steps: {g: {when: \"item == 'z'\", steps: {in: {command: [in]}}}}\n"
                     "  n: {for_each: [], steps: {in: {command: [in]}}}\n");
    struct uuid old = harness_run(h, "p", 1);
    assert_string_equal(run_is(h, old), "succeeded");
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        harness_learn_run(h, old, NULL);
        harness_ask(
            h, (struct command){.kind = COMMAND_KIND_RETRY, .of = old, .from = ROWS[i].from}, 10);
        is_refused(h, ROWS[i].why);
    }
}

/* ---- all three ----------------------------------------------------------------------------- */

static const int KINDS[] = {COMMAND_KIND_RETRY, COMMAND_KIND_RERUN, COMMAND_KIND_ONLY};

static void repeat_is_refused(struct harness *h, int kind, struct uuid of, int byte,
                              const char *why)
{
    harness_ask(h,
                (struct command){.kind = kind, .of = of, .pipeline = "p", .steps = "b", .from = ""},
                byte);
    is_refused(h, why);
}

static void what_cannot_be_repeated_is_refused(void **state)
{
    struct harness *h = *state;
    struct uuid old = old_run(h), live = harness_run(h, "p", 40);
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
        repeat_is_refused(h, KINDS[i], id_of(99), 50, "there is no such run");
        repeat_is_refused(h, KINDS[i], live, 51, "the run is not over; cancel it first or wait");
        harness_learn_run(h, old, NULL);
        repeat_is_refused(h, KINDS[i], old, 40, "there is such a run already");
    }
    struct snapshot *delta = snapshot_new();
    *snapshot_add_pipelines(delta) = h->rows->pipelines[0];
    delta->pipelines[0].deleted = true;
    core_learn(h->core, delta, &h->now);
    snapshot_free(delta);
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
        harness_learn_run(h, old, NULL);
        repeat_is_refused(h, KINDS[i], old, 52, "pipeline p was deleted");
    }
}

static void a_run_of_another_pipeline_is_refused(void **state)
{
    struct harness *h = *state;
    struct uuid old = old_run(h);
    harness_apply(h, "name: q\nsteps: {b: {command: [b]}}\n");
    harness_learn_run(h, old, NULL);
    harness_ask(
        h, (struct command){.kind = COMMAND_KIND_ONLY, .of = old, .pipeline = "q", .steps = "b"},
        30);
    is_refused(h, "that run is one of pipeline p");
    only(h, old, NULL, 31);
    is_refused(h, "name the steps to run");
}

/* No step named: what did not succeed. */
static void an_empty_step_is_none(void **state)
{
    struct harness *h = *state;
    struct uuid old = old_run(h);
    harness_learn_run(h, old, NULL);
    struct uuid run =
        harness_ask(h, (struct command){.kind = COMMAND_KIND_RETRY, .of = old, .from = ""}, 2);
    harness_settle(h);
    assert_true(h->accepted);
    assert_string_equal(row_of_run(h, run)->retry_from, "");
    assert_non_null(order_of(h, ORDER_KIND_START, "c"));
    assert_null(order_of(h, ORDER_KIND_START, "a"));
}

static void parameters_are_checked_as_those_of_a_run(void **state)
{
    struct harness *h = *state;
    ask_rerun(h, old_run(h), "{\"tga\":\"v2\"}", 2);
    is_refused(h, "parameter tga: pipeline p has none of that name");
}

static void an_experiment_may_be_another(void **state)
{
    static const struct {
        const char *said, *kept;
    } ROWS[] = {{NULL, "p"}, {"", "p"}, {"lab", "lab"}};
    struct harness *h = *state;
    struct uuid old = old_run(h);
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        harness_learn_run(h, old, NULL);
        struct uuid run = harness_ask(
            h, (struct command){.kind = COMMAND_KIND_RERUN, .of = old, .experiment = ROWS[i].said},
            2 + (int)i);
        harness_settle(h);
        assert_string_equal(row_of_run(h, run)->experiment, ROWS[i].kept);
    }
}

/* Before its first turn a leader may be told of the run that it has learned at the takeover. */
static void a_run_that_is_learned_again_is_as_it_was_told_last(void **state)
{
    struct harness *h = *state;
    struct uuid old = old_run(h);
    harness_learn_run(h, old, NULL);
    json_decref(row_of_result(h, old, A)->outputs);
    row_of_result(h, old, A)->outputs = json_of("{\"n\":8}");
    only(h, old, "b", 2);
    harness_settle(h);
    assert_string_equal(order_of(h, ORDER_KIND_START, "b")->start->argv[1], "8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
        T(a_rerun_runs_all_anew_with_the_images_of_then),
        T(another_parameter_lets_go_of_what_looks_at_it),
        T(another_parameter_elsewhere_does_not),
        T(an_event_that_is_gone_is_said),
        T(only_the_named_steps_run),
        T(a_finally_step_alone),
        T(a_leader_that_takes_over_in_the_middle),
        T(what_is_missing_or_cannot_be_meant_is_refused),
        T(a_run_that_never_had_its_parameters_is_not_tried_again),
        T(a_step_that_is_no_place_to_begin_from_is_refused),
        T(what_cannot_be_repeated_is_refused),
        T(a_run_of_another_pipeline_is_refused),
        T(an_empty_step_is_none),
        T(parameters_are_checked_as_those_of_a_run),
        T(an_experiment_may_be_another),
        T(a_run_that_is_learned_again_is_as_it_was_told_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

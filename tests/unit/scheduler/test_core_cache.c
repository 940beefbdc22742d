/* cache: what a key is made of, what is found, and what runs all the same (docs/pipelines.md). */
#include "scheduler/core/place/cache.h"
#include "tests/unit/scheduler/core_harness.h"

static const char CACHED[] =
    "name: p\nparams: {n: 1, unused: a}\nsteps:\n"
    "  make: {command: [make, \"${{ params.n }}\", \"${{ outputs.t.path }}\"], cache: {ttl: 1h},"
    " outputs: {t: {}, k: {type: integer}}}\n"
    "  use: {command: [use, \"${{ steps.make.outputs.k }}\", \"${{ inputs.t.path }}\"],"
    " inputs: {t: make.t}, cache: {}}\n";
#define MADE "{\"k\": 4, \"t\": {\"artifact\": \"aa\", \"size\": 3, \"folder\": false}}"

static int setup(void **state)
{
    struct harness *h = harness_new();
    harness_hello(h, 0, 9, NULL, 0);
    *state = h;
    return 0;
}

static struct uuid run_with(struct harness *h, int byte, const char *params, bool no_cache)
{
    json_t *given = json_of(params);
    harness_command(h,
                    (struct command){.kind = COMMAND_KIND_RUN,
                                     .run = id_of(byte),
                                     .pipeline = "p",
                                     .params = given,
                                     .no_cache = no_cache},
                    false);
    json_decref(given);
    return id_of(byte);
}

static size_t starts(struct harness *h)
{
    return orders_of(h, ORDER_KIND_START);
}

/* The first run, which makes both results. */
static struct uuid first_run(struct harness *h)
{
    struct uuid run = run_with(h, 1, NULL, false);
    finish(h, 0, "make", SUCCEEDED, MADE);
    finish(h, 0, "use", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    assert_int_equal(h->cached_count, 2);
    return run;
}

static void the_same_again_runs_nothing(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CACHED);
    struct uuid first = first_run(h);
    const size_t before = starts(h);
    struct uuid again = run_with(h, 2, "{\"unused\": \"b\"}", false);
    assert_int_equal(starts(h), before);
    assert_string_equal(run_is(h, again), "succeeded");
    const struct snapshot_result *r = row_of_result(h, again, 0);
    assert_true(same_id(&r->cached_from, &first) && uuid_is_nil(&r->attempt_id));
    assert_int_equal(r->attempt, 0);
    assert_int_equal(strncmp(r->reason, "cached from 019a", 16), 0);
    assert_int_equal(json_integer_value(json_object_get(r->outputs, "k")), 4);
    assert_int_equal(h->cached_count, 2); /* its age is that of the first */
}

static void other_arguments_run(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CACHED);
    first_run(h);
    const size_t before = starts(h);
    run_with(h, 2, "{\"n\": 2}", false);
    assert_int_equal(starts(h), before + 1);
    /* The same output again: what comes after it is cached, whatever made it. */
    finish(h, 0, "make", SUCCEEDED, MADE);
    assert_string_equal(run_is(h, id_of(2)), "succeeded");
    assert_int_equal(starts(h), before + 1);
}

static void another_input_runs(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CACHED);
    first_run(h);
    run_with(h, 2, "{\"n\": 2}", false);
    const size_t before = starts(h);
    finish(h, 0, "make", SUCCEEDED,
           "{\"k\": 4, \"t\": {\"artifact\": \"bb\", \"size\": 3, \"folder\": false}}");
    assert_int_equal(starts(h), before + 1);
}

static void too_old_runs(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CACHED);
    first_run(h);
    h->now.wall_us += 3601 * US_PER_S;
    const size_t before = starts(h);
    run_with(h, 2, NULL, false);
    assert_int_equal(starts(h), before + 1); /* make; use is of any age */
    finish(h, 0, "make", SUCCEEDED, MADE);
    assert_string_equal(run_is(h, id_of(2)), "succeeded");
    assert_int_equal(starts(h), before + 1);
}

static void without_cache_all_runs_and_is_kept(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CACHED);
    first_run(h);
    const size_t looked = h->looked_up;
    struct uuid run = run_with(h, 2, NULL, true);
    harness_restart(h, 1000); /* a new leader knows it, too */
    harness_settle(h);
    finish(h, 0, "make", SUCCEEDED, MADE);
    finish(h, 0, "use", SUCCEEDED, NULL);
    assert_int_equal(h->looked_up, looked);
    assert_int_equal(h->cached_count, 2);
    assert_true(same_id(&h->cached[0].run, &run));
}

static const char TOLD[] =
    "name: p\nsteps: {a: {command: [a]}}\n"
    "finally:\n"
    "  tell: {command: [tell, \"${{ outcome.state }}\"], cache: {}}\n"
    "  all: {for_each: [1], command: [all, \"${{ outcome.state }}\"], cache: {}}\n";

/* Told of a success, while a cancel comes: its result is of that success. */
static void what_finally_was_told_counts(void **state)
{
    struct harness *h = *state;
    harness_apply(h, TOLD);
    run_with(h, 1, NULL, false);
    finish(h, 0, "a", SUCCEEDED, NULL);
    harness_cancel(h, id_of(1));
    finish(h, 0, "tell", SUCCEEDED, NULL);
    finish(h, 0, "all/all", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, id_of(1)), "cancelled");
    assert_int_equal(h->cached_count, 2);
    const size_t before = starts(h);
    run_with(h, 2, NULL, false);
    harness_cancel(h, id_of(2));
    finish(h, 0, "a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_int_equal(starts(h), before + 3); /* nothing was told of a cancel */
    run_with(h, 3, NULL, false);
    finish(h, 0, "a", SUCCEEDED, NULL);
    assert_int_equal(starts(h), before + 4);
    assert_string_equal(run_is(h, id_of(3)), "succeeded");
}

/* The leader that knew what it was told is no more. */
static void what_finally_was_told_is_forgotten(void **state)
{
    struct harness *h = *state;
    harness_apply(h, TOLD);
    run_with(h, 1, NULL, false);
    finish(h, 0, "a", SUCCEEDED, NULL);
    harness_restart(h, 1000);
    harness_settle(h);
    finish(h, 0, "tell", SUCCEEDED, NULL);
    finish(h, 0, "all/all", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, id_of(1)), "succeeded");
    assert_int_equal(h->cached_count, 0);
}

static void failures_are_not_kept(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CACHED);
    run_with(h, 1, NULL, false);
    finish(h, 0, "make", FAILED, NULL);
    assert_int_equal(h->cached_count, 0);
}

static void two_at_once_both_run(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CACHED);
    run_with(h, 1, NULL, false);
    run_with(h, 2, NULL, false);
    assert_int_equal(starts(h), 2);
}

/* The row is there and the result is not: its week has gone. */
static void a_result_that_is_gone_is_none(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CACHED);
    first_run(h);
    h->cached[0].run = id_of(77);
    const size_t before = starts(h);
    run_with(h, 2, NULL, false);
    assert_int_equal(starts(h), before + 1);
}

/* Nobody can say what it would run: it fails as any other. */
static void what_cannot_be_evaluated_is_not_looked_up(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps: {s: {command: [\"${{ event.data.x }}\"], cache: {}}}\n");
    struct uuid run = run_with(h, 1, NULL, false);
    assert_int_equal(h->looked_up, 0);
    assert_string_equal(run_is(h, run), "failed");
}

/* Somebody else's idea of the key: it does not give what this step promises. */
static void a_result_that_lacks_an_output_is_none(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CACHED);
    json_object_del(row_of_result(h, first_run(h), 0)->outputs, "k");
    const size_t before = starts(h);
    run_with(h, 2, NULL, false);
    assert_int_equal(starts(h), before + 1);
}

static void an_optional_output_may_be_missing(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps: {s: {command: [x], cache: {}, outputs: {o: {optional: true},"
                     " n: {type: integer}}}}\n");
    run_with(h, 1, NULL, false);
    finish(h, 0, "s", SUCCEEDED, "{\"n\": 1}");
    const size_t before = starts(h);
    struct uuid again = run_with(h, 2, NULL, false);
    assert_int_equal(starts(h), before);
    assert_string_equal(run_is(h, again), "succeeded");
}

/* ---- questions and answers ----------------------------------------------------------------- */

/* So many runs, each with a step whose answer is open. */
static void ask_for(struct harness *h, int from, int count)
{
    for (int i = 0; i < count; i++) {
        struct command c = {.v = 1, .id = id_of(from + i + 100), .kind = COMMAND_KIND_RUN};
        c.run = id_of(from + i);
        c.pipeline = "p";
        core_command(h->core, &c, false, &h->now, h->out);
    }
    harness_turn(h);
}

/* As many as the shell asks for at once; the others are the next question. */
static void questions_are_asked_a_few_at_a_time(void **state)
{
    struct harness *h = *state;
    struct core_cached_wanted wanted[4];
    harness_apply(h, CACHED);
    ask_for(h, 1, 3);
    assert_int_equal(core_wants_cached(h->core, wanted, 2), 2);
    core_cached(h->core, NULL);
    core_cached(h->core, NULL); /* nothing was asked for */
    assert_int_equal(core_wants_cached(h->core, wanted, 4), 1);
    core_cached(h->core, NULL);
    harness_settle(h);
    assert_int_equal(starts(h), 3);
}

/* The second has one, the first has none: each gets its own. */
static void an_answer_is_to_its_own_question(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CACHED);
    first_run(h);
    const size_t before = starts(h);
    for (int i = 2; i <= 4; i++) {
        json_t *params = json_pack("{s:i}", "n", i == 3 ? 1 : i);
        struct command c = {.v = 1, .id = id_of(i + 100), .kind = COMMAND_KIND_RUN};
        c.run = id_of(i);
        c.pipeline = "p";
        c.params = params;
        core_command(h->core, &c, false, &h->now, h->out);
        json_decref(params);
    }
    harness_settle(h);
    assert_int_equal(starts(h), before + 2);
    assert_string_equal(run_is(h, id_of(3)), "succeeded");
    assert_string_equal(step_is(h, id_of(2), 0), "placed");
    assert_string_equal(step_is(h, id_of(4), 0), "placed");
}

/* The answers are in, and the turn has no room for all of what follows from them. */
static void answers_are_taken_a_few_at_a_time(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CACHED);
    first_run(h);
    h->config.batch_rows = 4;
    harness_restart(h, 1000);
    ask_for(h, 2, 8);
    for (int i = 0; i < 20 && !h->core->looked; i++)
        harness_turn(h);
    assert_non_null(h->core->looked);
    assert_true(cache_open_looks(h->core) > 0);
    assert_int_equal(core_deadline(h->core), 0);
}

static void and_all_of_them_are_taken(void **state)
{
    struct harness *h = *state;
    answers_are_taken_a_few_at_a_time(state);
    harness_settle(h);
    for (int i = 2; i < 10; i++)
        assert_string_equal(run_is(h, id_of(i)), "succeeded");
}

/* What else is in the run goes on to its end. */
static void an_answer_to_a_step_that_was_stopped(void **state)
{
    struct harness *h = *state;
    struct core_cached_wanted wanted[4];
    harness_apply(h, "name: p\nsteps:\n  a: {command: [a]}\n  s: {command: [s], cache: {}}\n");
    ask_for(h, 1, 1);
    assert_int_equal(core_wants_cached(h->core, wanted, 4), 1);
    struct command cancel = {.v = 1, .id = id_of(201), .kind = COMMAND_KIND_CANCEL};
    cancel.run = id_of(1);
    core_command(h->core, &cancel, false, &h->now, h->out);
    core_cached(h->core, NULL);
    h->looked_up = 0;
    harness_turn(h);
    assert_string_equal(step_is(h, id_of(1), 1), "cancelled");
    finish(h, 0, "a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, id_of(1)), "cancelled");
}

/* Cancelled between the question and the answer. */
/* The DAG that it stands in is over, and it is kept for the answer: it goes with the core. */
static void a_core_that_ends_while_a_question_is_open(void **state)
{
    struct harness *h = *state;
    struct core_cached_wanted wanted[4];
    harness_apply(h, "name: p\nsteps:\n  g: {steps: {s: {command: [s], cache: {}}}}\n");
    ask_for(h, 1, 1);
    assert_int_equal(core_wants_cached(h->core, wanted, 4), 1);
    struct command cancel = {.v = 1, .id = id_of(201), .kind = COMMAND_KIND_CANCEL};
    cancel.run = id_of(1);
    core_command(h->core, &cancel, false, &h->now, h->out);
    core_turn(h->core, &h->now, h->out);
    assert_non_null(h->core->over_frames);
}

static void an_answer_that_comes_too_late(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CACHED);
    first_run(h);
    struct command run = {
        .v = 1, .id = id_of(200), .kind = COMMAND_KIND_RUN, .run = id_of(2), .pipeline = "p"};
    struct command cancel = {.v = 1, .id = id_of(201), .kind = COMMAND_KIND_CANCEL};
    cancel.run = id_of(2);
    struct core_cached_wanted wanted[4];
    core_command(h->core, &run, false, &h->now, h->out);
    core_turn(h->core, &h->now, h->out); /* settles: the question is open */
    core_check(h->core);
    batch_clear(h->out);
    assert_int_equal(core_wants_cached(h->core, wanted, 4), 1);
    assert_int_equal(core_deadline(h->core), 0);
    core_command(h->core, &cancel, false, &h->now, h->out);
    core_turn(h->core, &h->now, h->out);
    core_check(h->core);
    core_cached(h->core, NULL);
    core_turn(h->core, &h->now, h->out);
    core_check(h->core);
    assert_int_equal(core_wants_cached(h->core, wanted, 4), 0);
    h->mirror = false;
}

static void a_takeover_asks_again(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CACHED);
    first_run(h);
    const size_t before = starts(h);
    struct command run = {
        .v = 1, .id = id_of(200), .kind = COMMAND_KIND_RUN, .run = id_of(2), .pipeline = "p"};
    core_command(h->core, &run, false, &h->now, h->out);
    harness_turn(h); /* its row is in, its step is being looked up */
    harness_restart(h, 1000);
    harness_settle(h);
    assert_string_equal(run_is(h, id_of(2)), "succeeded");
    assert_int_equal(starts(h), before);
}

/* ---- images -------------------------------------------------------------------------------- */

#define DIGEST "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void expect_looked_up(struct harness *h, int byte, const char *image, bool expected)
{
    cleanup_free char *params = mem_printf("{\"image\": \"%s\"}", image);
    const size_t looked = h->looked_up;
    run_with(h, byte, params, false);
    assert_int_equal(h->looked_up - looked, expected);
}

static void an_image_by_tag_has_no_key(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nparams: {image: a}\nsteps:\n"
                     "  s: {image: \"${{ params.image }}\", command: [x], cache: {}}\n");
    expect_looked_up(h, 1, "a/b:1", false);
    finish(h, 0, "s", SUCCEEDED, NULL);
    assert_int_equal(h->cached_count, 0);
    expect_looked_up(h, 2, "a/b" DIGEST, true);
}

static void nor_has_one_of_a_finally_step(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nparams: {image: a}\nsteps: {a: {command: [a]}}\n"
                     "finally: {s: {image: \"${{ params.image }}\", command: [x], cache: {}}}\n");
    expect_looked_up(h, 1, "a/b:1", false);
    finish(h, 0, "a", SUCCEEDED, NULL);
    finish(h, 0, "s", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, id_of(1)), "succeeded");
    assert_int_equal(h->cached_count, 0);
}

/* What a step says of how it is run: none of these takes the result of one before it. */
static void what_is_run_counts(void **state)
{
    static const struct {
        const char *keys;
        bool looked_up;
    } ROWS[] = {
        {"", true},
        {"pool: big,", true},
        {"executor: noop,", true},
        {"image: \"${{ params.image }}\", executor: process,", true}, /* ignores it */
        {"image: \"${{ params.image }}\", executor: docker,", false},
        {"image: \"a/b" DIGEST "\", container: {pids: 9},", true},
        {"image: \"a/b" DIGEST "\", container: {pids: 8},", true},
    };
    struct harness *h = *state;
    for (int i = 0; i < (int)ARRAY_LEN(ROWS); i++) {
        cleanup_free char *yaml = mem_printf("name: p\nparams: {image: \"a:1\"}\n"
                                             "steps: {s: {%s command: [x], cache: {}}}\n",
                                             ROWS[i].keys);
        harness_apply(h, yaml);
        const size_t looked = h->looked_up, before = starts(h);
        run_with(h, i + 1, NULL, false);
        assert_int_equal(h->looked_up - looked, ROWS[i].looked_up);
        if (starts(h) > before) /* there is a worker for it */
            finish(h, 0, "s", SUCCEEDED, NULL);
        else
            assert_string_equal(run_is(h, id_of(i + 1)), "running");
    }
    assert_int_equal(h->cached_count, 5);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        T(the_same_again_runs_nothing),
        T(other_arguments_run),
        T(another_input_runs),
        T(too_old_runs),
        T(without_cache_all_runs_and_is_kept),
        T(failures_are_not_kept),
        T(what_finally_was_told_counts),
        T(what_finally_was_told_is_forgotten),
        T(two_at_once_both_run),
        T(a_result_that_is_gone_is_none),
        T(what_cannot_be_evaluated_is_not_looked_up),
        T(a_result_that_lacks_an_output_is_none),
        T(an_optional_output_may_be_missing),
        T(questions_are_asked_a_few_at_a_time),
        T(an_answer_is_to_its_own_question),
        T(answers_are_taken_a_few_at_a_time),
        T(and_all_of_them_are_taken),
        T(an_answer_to_a_step_that_was_stopped),
        T(a_core_that_ends_while_a_question_is_open),
        T(an_answer_that_comes_too_late),
        T(a_takeover_asks_again),
        T(an_image_by_tag_has_no_key),
        T(nor_has_one_of_a_finally_step),
        T(what_is_run_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Steps that wait for the answer of a person. */
#include "tests/unit/scheduler/core_harness.h"

static void answer(struct harness *h, struct uuid run, const char *step, int iteration, int what,
                   const char *by, const char *comment)
{
    static int n = 100;
    harness_command(h,
                    (struct command){.kind = COMMAND_KIND_APPROVE,
                                     .id = id_of(n++),
                                     .run = run,
                                     .step = step,
                                     .iteration = iteration,
                                     .answer = what,
                                     .by = by,
                                     .comment = comment},
                    false);
}

#define YES COMMAND_ANSWER_APPROVED
#define NO  COMMAND_ANSWER_REJECTED

static void refused(struct harness *h, const char *why)
{
    if (h->accepted)
        fail_msg("it was accepted");
    if (!strstr(h->detail, why))
        fail_msg("'%s' does not say '%s'", h->detail, why);
}

static const char ASK[] =
    "name: p\n"
    "steps:\n"
    "  fit: {command: [fit], outputs: {rmse: {type: number}}}\n"
    "  ask: {approval: {by: [anna, bruno], message: \"Ship ${{ steps.fit.outputs.rmse }}?\"}}\n"
    "  ship: {command: [ship, \"${{ steps.ask.outputs.by }}\"], needs: ask}\n"
    "  why: {command: [why, \"${{ steps.ask.outputs.answer }}\"], needs: ask, rule: any_failed}\n";

static struct uuid asked(struct harness *h)
{
    struct uuid run = harness_begin(h, ASK);
    finish(h, 0, "fit", SUCCEEDED, "{\"rmse\": 3.5}");
    assert_string_equal(step_is(h, run, 1), "waiting");
    return run;
}

static void the_one_who_may_approves(void **state)
{
    struct harness *h = *state;
    struct uuid run = asked(h);
    assert_string_equal(row_of_step(h, run, 1)->reason,
                        "waits for an answer of anna or bruno: Ship 3.5?");
    assert_true(row_of_step(h, run, 1)->due_us == 7 * 86400 * US_PER_S);
    assert_int_equal(stats_of(h).placed, 0);
    answer(h, run, "ask", 0, YES, "anna", "looks good");
    assert_true(h->accepted);
    outputs_are(h, run, 1, "{\"answer\":\"approved\",\"by\":\"anna\",\"comment\":\"looks good\"}");
    assert_string_equal(order_of(h, ORDER_KIND_START, "ship")->start->argv[1], "anna");
    finish(h, 0, "ship", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    assert_int_equal(stats_of(h).waiting, 0);
}

static void the_first_answer_wins(void **state)
{
    struct harness *h = *state;
    struct uuid run = asked(h);
    answer(h, run, "ask", 0, NO, "bruno", "too high");
    assert_true(h->accepted);
    assert_string_equal(result(h, run, 1)->reason, "rejected by bruno: too high");
    answer(h, run, "ask", 0, YES, "anna", NULL);
    refused(h, "step ask does not wait for an answer: it is failed");
    assert_string_equal(order_of(h, ORDER_KIND_START, "why")->start->argv[1], "rejected");
    finish(h, 0, "why", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "failed");
    answer(h, run, "ask", 0, YES, "anna", NULL);
    refused(h, "there is no such run"); /* unless the shell has learned how it ended */
}

static void whoever_may_not_is_refused(void **state)
{
    struct harness *h = *state;
    struct uuid run = asked(h);
    answer(h, run, "ask", 0, YES, "mallory", NULL);
    refused(h, "anna or bruno may answer step ask, not mallory");
    answer(h, run, "ask", 0, YES, NULL, NULL);
    refused(h, "not somebody without a name");
    answer(h, run, "ask", 0, YES, "", NULL);
    refused(h, "not somebody without a name");
    answer(h, run, NULL, 0, YES, "anna", NULL);
    refused(h, "no step is named");
    answer(h, run, "", 0, YES, "anna", NULL);
    refused(h, "no step is named");
    answer(h, run, "fit", 0, YES, "anna", NULL);
    refused(h, "step fit waits for no person");
    answer(h, run, "nobody", 0, YES, "anna", NULL);
    refused(h, "the run has no step nobody");
    answer(h, id_of(77), "ask", 0, YES, "anna", NULL);
    refused(h, "there is no such run");
    answer(h, run, "ask", 0, COMMAND_ANSWER_NONE, "anna", NULL);
    refused(h, "approved or rejected");
    answer(h, run, "ask", 9, YES, "anna", NULL);
    refused(h, "does not wait");
    assert_string_equal(step_is(h, run, 1), "waiting");
}

/* What they say of themselves is kept, as far as they say it. */
static void who_answers_may_say_who_and_why_or_not(void **state)
{
    struct harness *h = *state;
    static const struct {
        int what;
        const char *by, *comment, *outputs, *reason;
    } TABLE[] = {
        {YES, NULL, NULL, "{\"answer\":\"approved\"}", ""},
        {YES, "", "", "{\"answer\":\"approved\"}", ""},
        {YES, "anna", "fine", "{\"answer\":\"approved\",\"by\":\"anna\",\"comment\":\"fine\"}", ""},
        {NO, NULL, NULL, "{\"answer\":\"rejected\"}", "rejected"},
        {NO, "", "", "{\"answer\":\"rejected\"}", "rejected"},
        {NO, "anna", NULL, "{\"answer\":\"rejected\",\"by\":\"anna\"}", "rejected by anna"},
        {NO, NULL, "no", "{\"answer\":\"rejected\",\"comment\":\"no\"}", "rejected: no"},
    };
    harness_apply(h, "name: p\nsteps: {ask: {approval: {message: \"${{ params.m }}\"}}}\n"
                     "params: {m: {default: \"\"}}\n");
    for (size_t i = 0; i < ARRAY_LEN(TABLE); i++) {
        struct uuid run = harness_run(h, "p", (int)i + 1);
        assert_string_equal(
            row_of_step(h, run, 0)->reason,
            "waits for an answer of anybody who may approve"); /* and says no more */
        answer(h, run, "ask", 0, TABLE[i].what, TABLE[i].by, TABLE[i].comment);
        assert_true(h->accepted);
        outputs_are(h, run, 0, TABLE[i].outputs);
        assert_string_equal(result(h, run, 0)->reason, TABLE[i].reason);
    }
}

static void whoever_may_is_told(void **state)
{
    struct harness *h = *state;
    struct uuid run =
        harness_begin(h, "name: p\nsteps: {ask: {approval: {by: [anna, bruno, carla]}}}\n");
    assert_string_equal(row_of_step(h, run, 0)->reason,
                        "waits for an answer of anna, bruno or carla");
}

/* Queued, still taking over results, or of a version that nobody can read. */
static void a_run_that_has_not_begun_asks_nobody(void **state)
{
    struct harness *h = *state;
    static const char YAML[] = "name: p\nconcurrency: {limit: 1}\n"
                               "steps: {ask: {approval: {}}, b: {command: [x]}}\n";
    struct uuid first = harness_begin(h, YAML), queued = harness_run(h, "p", 2);
    answer(h, queued, "ask", 0, YES, "anna", NULL);
    refused(h, "the run has not begun");
    answer(h, first, "ask", 0, YES, "anna", NULL);
    finish(h, 0, "b", FAILED, NULL);
    finish(h, 0, "b", FAILED, NULL); /* of the second */
    answer(h, queued, "ask", 0, NO, "anna", NULL);
    harness_learn_run(h, first, NULL);
    struct command retry = {
        .v = 1, .kind = COMMAND_KIND_RETRY, .id = id_of(90), .run = id_of(3), .of = first};
    struct command yes = {.v = 1,
                          .kind = COMMAND_KIND_APPROVE,
                          .id = id_of(91),
                          .run = id_of(3),
                          .step = "ask",
                          .answer = YES};
    core_command(h->core, &retry, false, &h->now, h->out);
    core_command(h->core, &yes, false, &h->now, h->out); /* in one batch */
    harness_settle(h);
    refused(h, "the run has not begun");
}

/* It has ended in the very batch in which the answer comes. */
static void a_run_that_is_over_asks_nobody(void **state)
{
    struct harness *h = *state;
    static const char YAML[] = "name: p\nconcurrency: {limit: 1}\nsteps: {ask: {approval: {}}}\n";
    harness_begin(h, YAML);
    struct uuid queued = harness_run(h, "p", 2);
    struct command cancel = {.v = 1, .kind = COMMAND_KIND_CANCEL, .id = id_of(92), .run = queued};
    core_command(h->core, &cancel, false, &h->now, h->out);
    answer(h, queued, "ask", 0, YES, "anna", NULL);
    refused(h, "the run is over already: cancelled");
}

static void a_run_that_cannot_be_read_asks_nobody(void **state)
{
    struct harness *h = *state;
    struct uuid run = harness_begin(h, "name: p\nsteps: {ask: {approval: {}}}\n");
    json_object_set_new(h->rows->versions[0].ir, "ir", json_integer(99));
    harness_restart(h, 0);
    answer(h, run, "ask", 0, YES, "anna", NULL); /* it ends in the same batch */
    refused(h, "cannot be read");
    assert_string_equal(run_is(h, run), "failed");
}

static void before_it_is_asked_there_is_nothing_to_answer(void **state)
{
    struct harness *h = *state;
    struct uuid run = harness_begin(h, ASK);
    answer(h, run, "ask", 0, YES, "anna", NULL);
    refused(h, "step ask does not wait for an answer: it is pending");
}

static void without_names_anybody_may(void **state)
{
    struct harness *h = *state;
    struct uuid run = harness_begin(h, "name: p\nsteps: {ask: {approval: {}}}\n");
    assert_string_equal(row_of_step(h, run, 0)->reason,
                        "waits for an answer of anybody who may approve");
    answer(h, run, "ask", 0, YES, NULL, NULL);
    outputs_are(h, run, 0, "{\"answer\":\"approved\"}");
}

static struct uuid unanswered(struct harness *h, const char *on_timeout)
{
    cleanup_free char *yaml = mem_printf("name: p\nsteps:\n  ask: {approval: {on_timeout: %s}, "
                                         "timeout: 10s}\n  a: {command: [a], needs: ask}\n",
                                         on_timeout);
    struct uuid run = harness_begin(h, yaml);
    harness_restart(h, 6 * US_PER_S);
    harness_pass(h, 3 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "waiting");
    harness_pass(h, 2 * US_PER_S);
    if (!strstr(result(h, run, 0)->reason, "timed out after 10 s: nobody has answered"))
        fail_msg("%s", result(h, run, 0)->reason);
    return run;
}

static void a_silence_fails(void **state)
{
    struct harness *h = *state;
    assert_string_equal(run_is(h, unanswered(h, "fail")), "failed");
}

static void a_silence_skips(void **state)
{
    struct harness *h = *state;
    struct uuid run = unanswered(h, "skip");
    assert_string_equal(step_is(h, run, 0), "skipped");
    assert_string_equal(step_is(h, run, 1), "skipped");
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_silence_approves(void **state)
{
    struct harness *h = *state;
    struct uuid run = unanswered(h, "approve");
    outputs_are(h, run, 0, "{\"answer\":\"approved\"}");
    assert_string_equal(run_is(h, run), "running");
}

static void items_are_asked_each(void **state)
{
    struct harness *h = *state;
    struct uuid run =
        harness_begin(h, "name: p\nsteps:\n  e:\n    for_each: [x, y]\n    fail_fast: false\n"
                         "    steps: {ask: {approval: {message: \"${{ item }}?\"}}}\n"
                         "    outputs: {by: ask.by}\n");
    assert_int_equal(stats_of(h).waiting, 2);
    answer(h, run, "e/ask", 0, YES, "anna", NULL);
    refused(h, "2 instances of step e/ask wait for an answer: say which, e/ask[ITERATION]");
    harness_restart(h, 0);
    answer(h, run, "e/ask", 2, YES, "anna", NULL);
    assert_true(h->accepted);
    answer(h, run, "e/ask", 2, YES, "anna", NULL);
    refused(h, "does not wait");
    answer(h, run, "e/ask", 0, YES, "bruno", NULL); /* the only one that is left */
    assert_true(h->accepted);
    outputs_are(h, run, 0, "{\"by\":[\"bruno\",\"anna\"]}");
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_question_that_cannot_be_asked_fails(void **state)
{
    struct harness *h = *state;
    struct uuid run =
        harness_begin(h, "name: p\nsteps: {ask: {approval: {message: \"${{ event.data.x }}\"}}}\n");
    if (!strstr(result(h, run, 0)->reason, "message: "))
        fail_msg("%s", result(h, run, 0)->reason);
    assert_string_equal(run_is(h, run), "failed");
}

static void a_cancel_takes_the_question_back(void **state)
{
    struct harness *h = *state;
    struct uuid run = asked(h);
    struct command c = {.kind = COMMAND_KIND_CANCEL, .run = run, .id = id_of(9)};
    core_command(h->core, &c, false, &h->now, h->out); /* in one batch with the answer */
    answer(h, run, "ask", 0, YES, "anna", NULL);
    refused(h, "step ask is being cancelled");
    assert_string_equal(run_is(h, run), "cancelled");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, harness_setup_worker, harness_teardown)
    const struct CMUnitTest tests[] = {
        T(the_one_who_may_approves),
        T(the_first_answer_wins),
        T(whoever_may_not_is_refused),
        T(who_answers_may_say_who_and_why_or_not),
        T(whoever_may_is_told),
        T(a_run_that_has_not_begun_asks_nobody),
        T(a_run_that_is_over_asks_nobody),
        T(a_run_that_cannot_be_read_asks_nobody),
        T(before_it_is_asked_there_is_nothing_to_answer),
        T(without_names_anybody_may),
        T(a_silence_fails),
        T(a_silence_skips),
        T(a_silence_approves),
        T(items_are_asked_each),
        T(a_question_that_cannot_be_asked_fails),
        T(a_cancel_takes_the_question_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

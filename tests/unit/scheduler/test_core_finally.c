/* finally steps whose time is up, also when the leader dies between the deadline and their end. */
#include "tests/unit/scheduler/groups_harness.h"

static const char TELL[] = "name: p\nfinally_timeout: 20s\n"
                           "steps: {a: {command: [a]}}\n"
                           "finally: {tell: {command: [tell], retry: {attempts: 3}}}\n";

static struct uuid until_it_is_asked_to_end(struct harness *h, const char *file)
{
    struct uuid run = begin(h, file);
    finish(h, 0, "a", SUCCEEDED, NULL);
    pass(h, 20 * US_PER_S);
    assert_int_equal(orders_of(h, ORDER_KIND_CANCEL), 1);
    return run;
}

static void one_that_may_fail_fails_nothing(void **state)
{
    struct harness *h = *state;
    struct uuid run =
        until_it_is_asked_to_end(h, "name: p\nfinally_timeout: 20s\nsteps: {a: {command: [a]}}\n"
                                    "finally: {tell: {command: [tell], allow_failure: true}}\n");
    finish(h, 0, "tell", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(step_is(h, run, 1), "cancelled");
    assert_string_equal(run_is(h, run), "succeeded");
}

/* The recount of each turn agrees while another one is still to end. */
static void it_does_so_while_others_are_still_ending(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(
        h, "name: p\nfinally_timeout: 20s\nsteps: {a: {command: [a]}}\n"
           "finally: {tell: {command: [tell], allow_failure: true}, wipe: {command: [wipe]}}\n");
    finish(h, 0, "a", SUCCEEDED, NULL);
    pass(h, 20 * US_PER_S);
    assert_int_equal(orders_of(h, ORDER_KIND_CANCEL), 2);
    finish(h, 0, "tell", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(step_is(h, run, 1), "cancelled");
    finish(h, 0, "wipe", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

/* Its worker speaks before the new leader has looked at any time. */
static void a_takeover_knows_what_its_deadline_ended(void **state)
{
    struct harness *h = *state;
    struct uuid run = until_it_is_asked_to_end(h, TELL);
    harness_restart(h, 0);
    finish(h, 0, "tell", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(step_is(h, run, 1), "cancelled");
    assert_string_equal(run_is(h, run), "failed");
    assert_non_null(strstr(row_of_run(h, run)->reason, "its time was up"));
}

static void a_clock_that_went_back_begins_nothing_anew(void **state)
{
    struct harness *h = *state;
    struct uuid run = until_it_is_asked_to_end(h, TELL);
    harness_restart(h, -3600 * US_PER_S);
    finish(h, 0, "tell", FAILED, NULL);
    assert_string_equal(step_is(h, run, 1), "cancelled");
    assert_string_equal(run_is(h, run), "failed");
}

#define GROUP(more, body)                                                                          \
    "name: p\nfinally_timeout: 20s\nsteps: {a: {command: [a]}}\n"                                  \
    "finally: {g: {retry: {attempts: 3}, " more "steps: {" body "}}}\n"

static void a_group_that_its_deadline_ended_is_not_tried_again(void **state)
{
    static const struct {
        const char *file;
        int64_t gone_us;
        int outcome;
    } CASES[] = {
        {GROUP("", "b: {command: [b]}"), 0, REPORT_RESULT_OUTCOME_CANCELLED},
        {GROUP("", "b: {command: [b]}"), -3600 * US_PER_S, REPORT_RESULT_OUTCOME_CANCELLED},
        {GROUP("for_each: [1], ", "b: {command: [b]}"), -3600 * US_PER_S,
         REPORT_RESULT_OUTCOME_CANCELLED},
        {GROUP("for_each: [1], fail_fast: false, ", "b: {command: [b]}"), -3600 * US_PER_S,
         REPORT_RESULT_OUTCOME_CANCELLED},
        {GROUP("", "b: {command: [b]}"), -3600 * US_PER_S, FAILED},
        {GROUP("for_each: [1], ", "b: {command: [b]}"), -3600 * US_PER_S, FAILED},
        {GROUP("for_each: [1], fail_fast: false, ", "b: {command: [b]}"), -3600 * US_PER_S, FAILED},
    };
    struct harness *h = *state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct uuid run = until_it_is_asked_to_end(h, CASES[i].file);
        harness_restart(h, CASES[i].gone_us);
        finish(h, 0, "g/b", CASES[i].outcome, NULL);
        assert_string_equal(step_is(h, run, 1), "cancelled");
        assert_string_equal(run_is(h, run), "failed");
        harness_teardown(state);
        harness_setup(state);
        h = *state;
    }
}

/* One that was ending by itself, as an item had failed, when its time was up too. */
static void a_group_that_was_ending_already_is_not_tried_again(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, GROUP("for_each: [1, 2], ", "b: {command: [b]}"));
    finish(h, 0, "a", SUCCEEDED, NULL);
    finish_nth(h, "g/b", 0, FAILED, NULL);
    assert_int_equal(orders_of(h, ORDER_KIND_CANCEL), 1);
    pass(h, 20 * US_PER_S);
    harness_restart(h, -3600 * US_PER_S);
    finish_nth(h, "g/b", 1, REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(step_is(h, run, 1), "cancelled");
    assert_string_equal(run_is(h, run), "failed");
}

/* Without the deadline it is: a takeover does not take the one for the other. */
static void a_group_that_ends_by_itself_is_tried_again(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, GROUP("for_each: [1, 2], ", "b: {command: [b]}"));
    finish(h, 0, "a", SUCCEEDED, NULL);
    finish_nth(h, "g/b", 0, FAILED, NULL);
    harness_restart(h, -3600 * US_PER_S);
    finish_nth(h, "g/b", 1, REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(step_is(h, run, 1), "waiting");
}

static const char STARTS[] =
    "name: p\nfinally_timeout: 20s\nsteps: {a: {command: [a]}}\n"
    "finally: {s: {start: {pipeline: other}, timeout: 15s, retry: {attempts: 3, on: [failed, "
    "timed_out]}}}\n";

static void a_run_that_a_step_started_is_not_started_again(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: other\nsteps: {o: {command: [o]}}\n");
    /* Asked to end by the deadline; by its own time before, and then by the deadline too. */
    for (int late = 0; late < 2; late++) {
        cleanup_free char *file = mem_string(STARTS);
        memcpy(strstr(file, "15s"), late ? "15s" : "25s", 3);
        struct uuid run = begin(h, file);
        finish(h, 0, "a", SUCCEEDED, NULL);
        pass(h, 20 * US_PER_S);
        assert_string_equal(step_is(h, run, 1), "cancelling");
        harness_restart(h, -3600 * US_PER_S);
        finish(h, 0, "o", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
        assert_string_equal(step_is(h, run, 1), "cancelled");
        assert_string_equal(run_is(h, run), "failed");
        harness_teardown(state);
        harness_setup(state);
        h = *state;
        harness_apply(h, "name: other\nsteps: {o: {command: [o]}}\n");
    }
}

/* Some of it had failed by itself. */
static void a_group_in_which_something_failed_too(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, GROUP("for_each: [1, 2], fail_fast: false, ", "b: {command: [b]}"));
    finish(h, 0, "a", SUCCEEDED, NULL);
    finish_nth(h, "g/b", 0, FAILED, NULL);
    pass(h, 20 * US_PER_S);
    harness_restart(h, -3600 * US_PER_S);
    finish_nth(h, "g/b", 1, REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(step_is(h, run, 1), "cancelled");
    assert_string_equal(run_is(h, run), "failed");
}

static void nothing_begins_when_the_time_went_by_meanwhile(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, TELL);
    finish(h, 0, "a", SUCCEEDED, NULL);
    harness_restart(h, 3600 * US_PER_S);
    finish(h, 0, "tell", FAILED, NULL);
    assert_string_equal(step_is(h, run, 1), "cancelled");
    assert_string_equal(run_is(h, run), "failed");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        T(one_that_may_fail_fails_nothing),
        T(it_does_so_while_others_are_still_ending),
        T(a_takeover_knows_what_its_deadline_ended),
        T(a_clock_that_went_back_begins_nothing_anew),
        T(a_group_that_its_deadline_ended_is_not_tried_again),
        T(a_group_in_which_something_failed_too),
        T(a_group_that_was_ending_already_is_not_tried_again),
        T(a_group_that_ends_by_itself_is_tried_again),
        T(a_run_that_a_step_started_is_not_started_again),
        T(nothing_begins_when_the_time_went_by_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

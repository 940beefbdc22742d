/* at_most_once: leave before the start, and what is lost before and after it (docs/walk.md 3, 5).
 */
#include "tests/unit/scheduler/core_harness.h"

#define LOST    REPORT_RESULT_OUTCOME_LOST
#define REFUSED REPORT_RESULT_OUTCOME_REFUSED

static const char ONCE[] = "name: p\nsteps:\n"
                           "  only: {command: [x], at_most_once: true}\n"
                           "  tell: {command: [t], rule: all_done, needs: only}\n";
static const char GROUP[] =
    "name: p\nsteps:\n  g:\n    retry: {attempts: 2, backoff: {first: 1s, cap: 1s}}\n"
    "    steps: {only: {command: [x], at_most_once: true}}\n";

/* Started runs have one placed attempt of `only`; steps: 0 = only. */
static struct uuid begin(struct harness *h, const char *file)
{
    harness_apply(h, file);
    harness_hello(h, 0, 4, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    assert_true(order_of(h, ORDER_KIND_START, NULL)->start->at_most_once);
    return run;
}

static void ask(struct harness *h, const struct order *o)
{
    harness_report(
        h, 0, (struct report){.kind = REPORT_KIND_ASK, .attempt = o->attempt, .nonce = o->nonce});
    harness_settle(h);
}

static size_t leaves_of(const struct harness *h)
{
    size_t n = 0;
    for (size_t i = 0; i < h->order_count; i++)
        n += h->orders[i].kind == ORDER_KIND_GRANT && !uuid_is_nil(&h->orders[i].attempt);
    return n;
}

static void the_leave_is_a_row_before_it_is_an_order(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, ONCE);
    struct order start = *order_of(h, ORDER_KIND_START, "only");
    assert_false(row_of_step(h, run, 0)->leave);
    assert_int_equal(leaves_of(h), 0);
    ask(h, &start);
    assert_true(row_of_step(h, run, 0)->leave);
    assert_string_equal(step_is(h, run, 0), "placed");
    assert_int_equal(leaves_of(h), 1);
    const struct order *leave = order_of(h, ORDER_KIND_GRANT, NULL);
    assert_true(same_id(&leave->attempt, &start.attempt) && leave->nonce == start.nonce);
    assert_int_equal(leave->heartbeat, 0);
    assert_int_equal(leave->committed, h->numbers[0]); /* the question is in, too */
    ask(h, &start); /* asked anew: the same answer, no other row */
    assert_int_equal(leaves_of(h), 2);
    harness_started(h, 0, &start);
    harness_settle(h);
    assert_string_equal(step_is(h, run, 0), "running");
    finish(h, 0, "only", SUCCEEDED, NULL);
    assert_string_equal(step_is(h, run, 0), "succeeded");
}

static void nobody_else_is_let(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, ONCE);
    struct order start = *order_of(h, ORDER_KIND_START, "only");
    start.nonce++;
    ask(h, &start);
    assert_int_equal(leaves_of(h), 0);
    start.nonce--;
    harness_cancel(h, run);
    ask(h, &start); /* its cancel is on its way */
    assert_int_equal(leaves_of(h), 0);
    finish(h, 0, "only", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, run), "cancelled");
}

static void lost_before_the_leave_is_placed_again(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, ONCE);
    for (int i = 1; i <= 5; i++) {
        finish(h, 0, "only", i % 2 ? LOST : REFUSED, NULL);
        assert_string_equal(step_is(h, run, 0), "placed");
        assert_int_equal(order_of(h, ORDER_KIND_START, "only")->start->number, i + 1);
    }
    finish(h, 0, "only", LOST, NULL); /* bounded, as every step */
    assert_string_equal(step_is(h, run, 0), "failed");
    assert_null(strstr(row_of_result(h, run, 0)->reason, "may have run"));
}

static void lost_after_the_leave_has_failed(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, ONCE);
    ask(h, order_of(h, ORDER_KIND_START, "only"));
    harness_hello(h, 0, 4, NULL, 0); /* another life, which holds nothing */
    assert_string_equal(step_is(h, run, 0), "failed");
    assert_non_null(strstr(row_of_result(h, run, 0)->reason, "it may have run"));
    assert_int_equal(row_of_result(h, run, 0)->attempt, 1);
    finish(h, 0, "tell", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "failed");
}

/* The cancel is in one batch with it, and came first. */
static void who_is_being_stopped_is_not_let(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, ONCE);
    const struct order *o = order_of(h, ORDER_KIND_START, "only");
    struct command cancel = {.v = 1, .kind = COMMAND_KIND_CANCEL, .id = id_of(90), .run = run};
    core_command(h->core, &cancel, false, &h->now, h->out);
    ask(h, o);
    assert_false(row_of_step(h, run, 0)->leave);
    assert_int_equal(leaves_of(h), 0);
}

/* A worker that starts it all the same has started it. */
static void one_that_did_not_ask_may_have_run(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, ONCE);
    harness_started(h, 0, order_of(h, ORDER_KIND_START, "only"));
    harness_settle(h);
    finish(h, 0, "only", LOST, NULL);
    assert_string_equal(step_is(h, run, 0), "failed");
    assert_non_null(strstr(row_of_result(h, run, 0)->reason, "it may have run"));
}

/* The worker itself says that it did not begin: there is no doubt. */
static void refused_after_the_leave_is_placed_again(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, ONCE);
    ask(h, order_of(h, ORDER_KIND_START, "only"));
    finish(h, 0, "only", REFUSED, NULL);
    assert_string_equal(step_is(h, run, 0), "placed");
    assert_false(row_of_step(h, run, 0)->leave); /* the new one has to ask */
    assert_int_equal(order_of(h, ORDER_KIND_START, "only")->start->number, 2);
}

static void a_failure_is_final(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, ONCE);
    ask(h, order_of(h, ORDER_KIND_START, "only"));
    finish(h, 0, "only", FAILED, NULL);
    assert_string_equal(step_is(h, run, 0), "failed");
}

static void a_takeover_knows_the_leave(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, ONCE);
    struct order start = *order_of(h, ORDER_KIND_START, "only");
    struct held_attempt held = {start.attempt, start.nonce};
    ask(h, &start);
    harness_restart(h, 1000);
    harness_settle(h);
    assert_true(row_of_step(h, run, 0)->leave);
    harness_hello(h, 0, 4, &held, 1); /* another life holds it: its row names that life now */
    assert_true(row_of_step(h, run, 0)->leave);
    harness_restart(h, 1000);
    harness_hello(h, 0, 4, NULL, 0);
    assert_string_equal(step_is(h, run, 0), "failed");
}

/* On Kafka orders may be missing after a takeover: who was let start is told so again and gets no
 * second start. */
static void a_takeover_says_it_again(void **state)
{
    struct harness *h = *state;
    h->config.resend_placed = true;
    begin(h, ONCE);
    struct order start = *order_of(h, ORDER_KIND_START, "only");
    ask(h, &start);
    const size_t starts = orders_of(h, ORDER_KIND_START);
    harness_restart(h, 1000);
    harness_settle(h);
    const int64_t ticket = core_wants_drain(h->core);
    assert_true(ticket > 0);
    core_drained(h->core, ticket, &h->now);
    harness_settle(h);
    assert_int_equal(leaves_of(h), 2);
    assert_int_equal(orders_of(h, ORDER_KIND_START), starts);
}

/* What the file says of the group is of the group: its second try is another attempt. */
static void a_group_tries_again(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, GROUP);
    ask(h, order_of(h, ORDER_KIND_START, "g/only"));
    finish(h, 0, "g/only", FAILED, NULL);
    harness_pass(h, 2 * US_PER_S);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 2);
    ask(h, order_of(h, ORDER_KIND_START, "g/only"));
    finish(h, 0, "g/only", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_leave_is_a_row_before_it_is_an_order, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(nobody_else_is_let, harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(lost_before_the_leave_is_placed_again, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(lost_after_the_leave_has_failed, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(who_is_being_stopped_is_not_let, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(one_that_did_not_ask_may_have_run, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(refused_after_the_leave_is_placed_again, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(a_failure_is_final, harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(a_takeover_knows_the_leave, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(a_takeover_says_it_again, harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(a_group_tries_again, harness_setup, harness_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

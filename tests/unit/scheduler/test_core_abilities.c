/* Steps whose orders only newer workers understand. */
#include "tests/unit/scheduler/core_harness.h"

static const char SILENT[] = "name: p\nsteps:\n"
                             "  s: {command: [x], heartbeat: 30s, retry: {attempts: 2, on: "
                             "[timed_out], backoff: {first: 1s}}}\n";

/* N and N-1 side by side: it waits for a worker of this version, also after a takeover. */
static void an_older_worker_is_not_given_it(void **state)
{
    struct harness *h = *state;
    harness_apply(h, SILENT);
    h->older[0] = true;
    harness_hello(h, 0, 4, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    harness_pass(h, US_PER_S);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 0);
    harness_restart(h, 0);
    harness_settle(h);
    harness_heartbeat(h, 0, 1);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 0);
    harness_hello(h, 1, 1, NULL, 0);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 1);
    assert_string_equal(h->order_workers[h->order_count - 1], "w1");
    const struct order *o = order_of(h, ORDER_KIND_START, "s");
    assert_int_equal(o->start->heartbeat_us, 30 * US_PER_S);
    assert_string_equal(row_of_step(h, run, 0)->worker, "w1");
}

/* What other steps want has nothing to do with it. */
static void an_older_worker_is_given_the_rest(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps: {s: {command: [x]}}\n");
    h->older[0] = true;
    harness_hello(h, 0, 4, NULL, 0);
    harness_run(h, "p", 1);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 1);
    assert_int_equal(order_of(h, ORDER_KIND_START, "s")->start->heartbeat_us, 0);
}

/* A worker that comes back as an older one, or as a newer. */
static void another_life_may_have_others(void **state)
{
    struct harness *h = *state;
    harness_apply(h, SILENT);
    harness_hello(h, 0, 4, NULL, 0);
    h->older[0] = true;
    harness_hello(h, 0, 4, NULL, 0);
    harness_run(h, "p", 1);
    harness_pass(h, US_PER_S);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 0);
    h->older[0] = false;
    harness_hello(h, 0, 4, NULL, 0);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 1);
}

static void silence_is_tried_again(void **state)
{
    struct harness *h = *state;
    harness_apply(h, SILENT);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    finish(h, 0, "s", REPORT_RESULT_OUTCOME_TIMED_OUT, NULL);
    assert_string_equal(step_is(h, run, 0), "waiting");
    harness_pass(h, 2 * US_PER_S);
    assert_int_equal(order_of(h, ORDER_KIND_START, "s")->start->number, 2);
    finish(h, 0, "s", REPORT_RESULT_OUTCOME_FAILED, NULL); /* is not in `on` */
    assert_string_equal(run_is(h, run), "failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_older_worker_is_not_given_it, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(an_older_worker_is_given_the_rest, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(another_life_may_have_others, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(silence_is_tried_again, harness_setup, harness_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The recount at the edges of turns that end in the middle of work: each turn here is checked. */
#include "tests/unit/scheduler/core_harness.h"

/* Its steps still wait to be settled when it is over already. */
static void a_wide_run_that_is_cancelled_as_it_begins(void **state)
{
    struct harness *h = *state;
    char *yaml = mem_string("name: p\nsteps:\n");
    for (int i = 0; i < 300; i++) {
        char *more = mem_printf("%s  s%03d: {executor: noop}\n", yaml, i);
        free(yaml);
        yaml = more;
    }
    h->config.batch_rows = 8;
    harness_restart(h, 0);
    harness_apply(h, yaml);
    free(yaml);
    struct command c = {.v = 1, .id = id_of(101), .kind = COMMAND_KIND_RUN, .pipeline = "p"};
    c.run = id_of(1);
    core_command(h->core, &c, false, &h->now, h->out);
    harness_turn(h);
    c.id = id_of(102);
    c.kind = COMMAND_KIND_CANCEL;
    core_command(h->core, &c, false, &h->now, h->out);
    size_t turns = h->turns;
    harness_settle(h);
    assert_true(h->turns - turns > 10);
    assert_string_equal(run_is(h, id_of(1)), "cancelled");
    assert_int_equal(stats_of(h).live_steps, 0);
}

/* One of them waits for a worker, one runs, and their time is up. */
static void finally_steps_that_are_too_slow(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nfinally_timeout: 1s\nsteps: {a: {command: [a]}}\n"
                     "finally: {f: {command: [f]}, g: {command: [g], pool: moon}}\n");
    struct uuid run = harness_run(h, "p", 1);
    finish(h, 0, "a", SUCCEEDED, NULL);
    harness_pass(h, 2 * US_PER_S);
    assert_string_equal(step_is(h, run, 2), "cancelled");
    assert_string_equal(step_is(h, run, 1), "cancelling");
    harness_restart(h, 0);
    harness_settle(h);
    finish(h, 0, "f", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, run), "failed");
    assert_non_null(strstr(row_of_run(h, run)->reason, "its time was up"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup_worker, harness_teardown)
        T(a_wide_run_that_is_cancelled_as_it_begins),
        T(finally_steps_that_are_too_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

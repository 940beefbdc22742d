/* Workers that are drained, resumed, removed: across silence, new lives and takeovers. */
#include "tests/unit/scheduler/core_harness.h"

static const char ONE[] = "name: p\nsteps:\n  only: {command: [x]}\n";

static int setup(void **state)
{
    struct harness *h = harness_new();
    harness_apply(h, ONE);
    harness_hello(h, 0, 4, NULL, 0);
    *state = h;
    return 0;
}

static void ask(struct harness *h, int kind)
{
    harness_command(h, (struct command){.kind = kind, .run = id_of(200), .worker = "w0"}, false);
}

static const char *worker_is(struct harness *h)
{
    for (size_t i = 0; i < h->rows->workers_count; i++)
        if (strcmp(h->rows->workers[i].id, "w0") == 0)
            return machine_state_name(&MACHINE_WORKER, h->rows->workers[i].state);
    return "-";
}

static void a_drained_worker_gets_nothing_new(void **state)
{
    struct harness *h = *state;
    struct uuid first = harness_run(h, "p", 1);
    ask(h, COMMAND_KIND_DRAIN);
    assert_string_equal(worker_is(h), "draining");
    struct uuid second = harness_run(h, "p", 2);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 1);
    finish(h, 0, "only", SUCCEEDED, NULL); /* what it had goes on */
    assert_string_equal(run_is(h, first), "succeeded");
    assert_string_equal(run_is(h, second), "running");
    assert_int_equal(orders_of(h, ORDER_KIND_START), 1);
    ask(h, COMMAND_KIND_RESUME);
    assert_string_equal(worker_is(h), "active");
    assert_int_equal(orders_of(h, ORDER_KIND_START), 2);
}

static void it_stays_drained_across_a_takeover_and_a_new_life(void **state)
{
    struct harness *h = *state;
    ask(h, COMMAND_KIND_DRAIN);
    harness_restart(h, 0);
    harness_run(h, "p", 1);
    harness_hello(h, 0, 4, NULL, 0);
    assert_string_equal(worker_is(h), "draining");
    assert_int_equal(orders_of(h, ORDER_KIND_START), 0);
}

static void it_stays_drained_across_silence_and_a_takeover_in_it(void **state)
{
    struct harness *h = *state;
    ask(h, COMMAND_KIND_DRAIN);
    harness_pass(h, 15 * US_PER_S);
    assert_string_equal(worker_is(h), "unreachable");
    harness_restart(h, 0);
    harness_heartbeat(h, 0, 1);
    assert_string_equal(worker_is(h), "draining");
    harness_run(h, "p", 1);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 0);
}

static void a_silent_one_can_be_drained(void **state)
{
    struct harness *h = *state;
    harness_pass(h, 15 * US_PER_S);
    ask(h, COMMAND_KIND_DRAIN);
    assert_string_equal(worker_is(h), "unreachable");
    harness_heartbeat(h, 0, 1);
    assert_string_equal(worker_is(h), "draining");
}

static void only_one_that_holds_nothing_is_removed(void **state)
{
    struct harness *h = *state;
    harness_run(h, "p", 1);
    ask(h, COMMAND_KIND_REMOVE);
    assert_string_equal(worker_is(h), "active");
    ask(h, COMMAND_KIND_DRAIN);
    ask(h, COMMAND_KIND_REMOVE);
    assert_string_equal(worker_is(h), "draining");
    finish(h, 0, "only", SUCCEEDED, NULL);
    ask(h, COMMAND_KIND_RESUME);
    ask(h, COMMAND_KIND_REMOVE); /* active */
    assert_string_equal(worker_is(h), "active");
    ask(h, COMMAND_KIND_DRAIN);
    ask(h, COMMAND_KIND_REMOVE);
    assert_string_equal(worker_is(h), "gone");
}

static void a_removed_one_is_not_listened_to_until_a_new_life(void **state)
{
    struct harness *h = *state;
    ask(h, COMMAND_KIND_DRAIN);
    ask(h, COMMAND_KIND_REMOVE);
    harness_heartbeat(h, 0, 1);
    assert_string_equal(worker_is(h), "gone");
    harness_restart(h, 0);
    harness_heartbeat(h, 0, 2);
    assert_string_equal(worker_is(h), "gone");
    ask(h, COMMAND_KIND_RESUME); /* there is no such worker */
    assert_string_equal(worker_is(h), "gone");
    harness_hello(h, 0, 4, NULL, 0);
    assert_string_equal(worker_is(h), "active");
    harness_run(h, "p", 1);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 1);
    core_check(h->core);
}

/* A hello that is read again, of the life that was removed, brings nothing back. */
static void a_hello_of_the_removed_life_is_stale(void **state)
{
    struct harness *h = *state;
    static const char *const process = "process";
    struct report_hello again = {.boot = "boot",
                                 .workspace = "/w",
                                 .slots = 4,
                                 .executors = (const char **)&process,
                                 .executors_count = 1};
    ask(h, COMMAND_KIND_DRAIN);
    ask(h, COMMAND_KIND_REMOVE);
    harness_report(h, 0, (struct report){.kind = REPORT_KIND_HELLO, .hello = &again});
    harness_settle(h);
    assert_string_equal(worker_is(h), "gone");
    assert_int_equal(stats_of(h).reports_stale, 1);
}

static void one_that_is_gone_can_be_removed(void **state)
{
    struct harness *h = *state;
    harness_pass(h, 15 * US_PER_S);
    harness_pass(h, 200 * US_PER_S);
    core_drained(h->core, core_wants_drain(h->core), &h->now);
    harness_settle(h);
    assert_string_equal(worker_is(h), "gone");
    assert_false(core_orders_read(h->core, "w0", 0) == CORE_NEVER);
    ask(h, COMMAND_KIND_REMOVE);
    assert_true(h->accepted);
    assert_string_equal(worker_is(h), "gone");
    assert_true(core_orders_read(h->core, "w0", 0) == CORE_NEVER);
}

/* What its present life has not read stays; nobody reads the orders of one that was removed. */
static void orders_wait_for_their_worker_unless_it_was_removed(void **state)
{
    struct harness *h = *state;
    const int64_t long_ago = 0, just_now = h->now.wall_us + 3600 * US_PER_S;
    assert_true(core_orders_read(h->core, "nobody", long_ago) == CORE_NEVER);
    assert_int_equal(core_orders_read(h->core, "w0", long_ago), 0);
    harness_report(h, 0,
                   (struct report){.kind = REPORT_KIND_HEARTBEAT, .heartbeat = 1, .orders = 7});
    harness_report(
        h, 0, (struct report){.kind = REPORT_KIND_HEARTBEAT, .heartbeat = 2}); /* older version */
    assert_int_equal(core_orders_read(h->core, "w0", just_now),
                     7); /* active: whatever the wall clock says */
    harness_hello(h, 0, 4, NULL, 0);
    assert_int_equal(core_orders_read(h->core, "w0", long_ago), 0);
    ask(h, COMMAND_KIND_DRAIN);
    ask(h, COMMAND_KIND_REMOVE);
    assert_true(core_orders_read(h->core, "w0", long_ago) == CORE_NEVER);
}

static void all_may_be_said_again(void **state)
{
    struct harness *h = *state;
    for (int i = 0; i < 2; i++) {
        ask(h, COMMAND_KIND_DRAIN);
        assert_string_equal(worker_is(h), "draining");
    }
    for (int i = 0; i < 2; i++) {
        ask(h, COMMAND_KIND_RESUME);
        assert_string_equal(worker_is(h), "active");
    }
}

static void nobody_is_refused(void **state)
{
    struct harness *h = *state;
    static const int KINDS[] = {COMMAND_KIND_DRAIN, COMMAND_KIND_RESUME, COMMAND_KIND_REMOVE};
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
        harness_command(
            h, (struct command){.kind = KINDS[i], .run = id_of(201), .worker = "nobody"}, false);
        assert_false(h->accepted);
        assert_string_equal(h->detail, "there is no worker nobody");
        harness_command(h, (struct command){.kind = KINDS[i], .run = id_of(202)}, false);
        assert_false(h->accepted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, harness_teardown)
        T(a_drained_worker_gets_nothing_new),
        T(it_stays_drained_across_a_takeover_and_a_new_life),
        T(it_stays_drained_across_silence_and_a_takeover_in_it),
        T(a_silent_one_can_be_drained),
        T(only_one_that_holds_nothing_is_removed),
        T(a_removed_one_is_not_listened_to_until_a_new_life),
        T(orders_wait_for_their_worker_unless_it_was_removed),
        T(a_hello_of_the_removed_life_is_stale),
        T(one_that_is_gone_can_be_removed),
        T(all_may_be_said_again),
        T(nobody_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

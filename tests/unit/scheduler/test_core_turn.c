/* What a turn does and leaves: when there is something to do, how much it writes, and a core that
 * is thrown away in the middle of it. */
#include "tests/unit/scheduler/core_harness.h"

static const char CHAIN[] = "name: p\nsteps: {a: {command: [a]}, b: {command: [b], needs: a}}\n";

static bool is_due(const struct harness *h)
{
    return core_deadline(h->core) <= h->now.mono_us;
}

/* An input without its turn. */
static void tell(struct harness *h, struct command c, bool tombstoned)
{
    c.v = 1;
    c.id = id_of(200);
    core_command(h->core, &c, tombstoned, &h->now, h->out);
}

/* ---- when there is something to do --------------------------------------------------------- */

static void nothing_is_due_when_nothing_is_there(void **state)
{
    struct harness *h = *state;
    harness_turn(h);
    assert_true(core_deadline(h->core) == CORE_NEVER);
    harness_restart(h, 0);
    assert_true(is_due(h)); /* what the first turn finds */
    harness_turn(h);
    assert_true(core_deadline(h->core) == CORE_NEVER);
}

static void a_report_is_something_to_do(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CHAIN);
    harness_hello(h, 0, 4, NULL, 0);
    harness_run(h, "p", 1);
    harness_report(h, 0, (struct report){.kind = REPORT_KIND_HEARTBEAT, .heartbeat = 1});
    assert_true(is_due(h)); /* a grant, and its row */
    harness_settle(h);
    harness_finished(h, 0, order_of(h, ORDER_KIND_START, "a"), SUCCEEDED, NULL);
    assert_true(is_due(h)); /* the step after it */
    harness_settle(h);
    assert_non_null(order_of(h, ORDER_KIND_START, "b"));
    harness_started(h, 0, order_of(h, ORDER_KIND_START, "b"));
    assert_true(is_due(h)); /* its row */
}

static void a_judgement_is_something_to_do(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 4, NULL, 0);
    harness_pass(h, 15 * US_PER_S);
    harness_pass(h, 200 * US_PER_S);
    assert_false(is_due(h));
    core_drained(h->core, core_wants_drain(h->core), &h->now);
    assert_true(is_due(h));
    harness_settle(h);
    assert_int_equal(h->rows->workers[0].state, WORKER_GONE);
}

/* All of its work is in: a new leader looks whether its finally steps have begun. */
static void a_run_that_is_nearly_over_is_something_to_do(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps: {a: {command: [a]}}\nfinally: {f: {command: [f]}}\n");
    harness_hello(h, 0, 4, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    finish(h, 0, "a", SUCCEEDED, NULL);
    harness_restart(h, 0);
    assert_true(is_due(h));
    finish(h, 0, "f", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_cancel_is_something_to_do(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CHAIN);
    struct uuid run = harness_run(h, "p", 1);
    tell(h, (struct command){.kind = COMMAND_KIND_CANCEL, .run = run}, false);
    assert_true(is_due(h));
    harness_settle(h);
    assert_string_equal(run_is(h, run), "cancelled");
}

/* It is over already, and has taken a number. */
static void a_run_that_is_born_over_is_something_to_do(void **state)
{
    struct harness *h = *state;
    harness_apply(h, CHAIN);
    harness_settle(h);
    tell(h, (struct command){.kind = COMMAND_KIND_RUN, .run = id_of(1), .pipeline = "p"}, true);
    assert_true(is_due(h));
    harness_settle(h);
    assert_string_equal(run_is(h, id_of(1)), "cancelled");
}

static void an_answer_about_an_earlier_result_is_something_to_do(void **state)
{
    struct harness *h = *state;
    struct core_cached_wanted wanted;
    harness_apply(h, "name: p\nsteps: {a: {command: [a], cache: {}}}\n");
    tell(h, (struct command){.kind = COMMAND_KIND_RUN, .run = id_of(1), .pipeline = "p"}, false);
    harness_turn(h);
    assert_int_equal(core_wants_cached(h->core, &wanted, 1), 1);
    core_cached(h->core, NULL);
    assert_true(is_due(h));
    harness_settle(h);
    assert_int_equal(stats_of(h).ready, 1);
}

/* ---- how much it writes -------------------------------------------------------------------- */

/* 8 MiB of orders, and the one that makes them more; the rest is placed in turns after it. */
static void orders_of_a_turn_are_bounded_in_bytes(void **state)
{
    struct harness *h = *state;
    enum { STEPS = 60, MOST = (8 * 1024 + 256) * 1024 };
    char value[60000];
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    cleanup_text struct text yaml = {0};
    text_puts(&yaml, "name: p\nparams: {t: {}}\nsteps:\n");
    for (int i = 0; i < STEPS; i++)
        text_printf(&yaml,
                    "  s%d: {command: [x, \"${{ params.t }}\", \"${{ params.t }}\", "
                    "\"${{ params.t }}\", \"${{ params.t }}\"]}\n",
                    i);
    harness_apply(h, yaml.data);
    harness_hello(h, 0, STEPS, NULL, 0);
    json_t *params = json_pack("{s:s}", "t", value);
    tell(h,
         (struct command){
             .kind = COMMAND_KIND_RUN, .run = id_of(1), .pipeline = "p", .params = params},
         false);
    json_decref(params);
    size_t turns = 0, orders = 0;
    for (; is_due(h); turns++) {
        size_t bytes = 0;
        core_turn(h->core, &h->now, h->out);
        for (size_t i = 0; i < h->out->messages_count; i++)
            if (strcmp(h->out->messages[i].topic, TOPIC_CHANGES) != 0) {
                bytes += h->out->messages[i].len;
                orders++;
            }
        assert_true(bytes < MOST);
        h->out->tx_seq++;
        batch_clear(h->out);
    }
    assert_int_equal(orders, STEPS);
    assert_true(turns >= 2);
}

/* ---- thrown away --------------------------------------------------------------------------- */

/* Its transaction was not provably in: the memory goes as it is, with what had just ended. */
static void a_core_may_be_thrown_away_before_its_turn(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nconcurrency: {limit: 1}\nsteps: {a: {command: [a]}}\n");
    harness_hello(h, 0, 4, NULL, 0);
    struct uuid first = harness_run(h, "p", 1), second = harness_run(h, "p", 2);
    tell(h, (struct command){.kind = COMMAND_KIND_CANCEL, .run = second}, false);
    harness_finished(h, 0, order_of(h, ORDER_KIND_START, "a"), SUCCEEDED, NULL);
    batch_clear(h->out);
    harness_restart(h, 0);
    assert_string_equal(run_is(h, first), "running"); /* nothing of it was committed */
    harness_settle(h);
    assert_int_equal(stats_of(h).live_runs, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
        T(nothing_is_due_when_nothing_is_there),
        T(a_report_is_something_to_do),
        T(a_judgement_is_something_to_do),
        T(a_run_that_is_nearly_over_is_something_to_do),
        T(a_cancel_is_something_to_do),
        T(a_run_that_is_born_over_is_something_to_do),
        T(an_answer_about_an_earlier_result_is_something_to_do),
        T(orders_of_a_turn_are_bounded_in_bytes),
        T(a_core_may_be_thrown_away_before_its_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Large runs: bounded turns, nothing scanned again, little memory a step. */
#include "tests/unit/scheduler/core_harness.h"

static int setup(void **state)
{
    struct harness *h = *state = harness_new();
    h->mirror = false; /* its look-ups are linear */
    return 0;
}

/* An IR of `count` noop steps; `needs` fills in the names that step i waits for. */
static json_t *big_ir(int count, const char *first_when,
                      void (*needs)(int i, int count, json_t *names))
{
    static const char SMALL[] = "name: big\nsteps:\n  a: {executor: noop}\n";
    struct yaml_docs docs cleanup_yaml = {0};
    struct err err = {0};
    assert_int_equal(yaml_read("small", SMALL, strlen(SMALL), &docs, &err), 0);
    json_t *ir = ir_compile(&docs.items[0], "small", NULL, NULL, &err);
    assert_non_null(ir);
    json_t *steps = json_object_get(ir, "steps");
    json_t *pattern = json_deep_copy(json_array_get(steps, 0));
    json_array_clear(steps);
    for (int i = 0; i < count; i++) {
        json_t *step = json_copy(pattern), *names = json_array();
        char name[16];
        snprintf(name, sizeof name, "s%06d", i);
        json_object_set_new(step, "name", json_string(name));
        needs(i, count, names);
        json_object_set_new(step, "needs", names);
        if (i == 0 && first_when)
            json_object_set_new(step, "when", json_string(first_when));
        json_array_append_new(steps, step);
    }
    json_decref(pattern);
    return ir;
}

static void need(json_t *names, int i)
{
    char name[16];
    snprintf(name, sizeof name, "s%06d", i);
    json_array_append_new(names, json_string(name));
}

static void in_a_chain(int i, int count, json_t *names)
{
    (void)count;
    if (i > 0)
        need(names, i - 1);
}

static void last_joins(int i, int count, json_t *names)
{
    for (int k = 0; i == count - 1 && k < i; k++)
        need(names, k);
}

#define LAYER 100
static void in_layers(int i, int count, json_t *names)
{
    (void)count;
    if (i < LAYER)
        return;
    int above = i - LAYER, first = above / LAYER * LAYER;
    int other = first + (above - first + 1) % LAYER;
    need(names, above < other ? above : other);
    need(names, above < other ? other : above);
}

/* Answers every start order at once, until nothing is due. */
static size_t work_to_the_end(struct harness *h)
{
    size_t done = 0, seen = 1;
    while (seen) {
        seen = 0;
        for (size_t i = 0; i < h->order_count; i++)
            if (h->orders[i].kind == ORDER_KIND_START) {
                harness_finished(h, 0, &h->orders[i], SUCCEEDED, NULL);
                seen++;
            }
        harness_forget_orders(h);
        harness_settle(h);
        seen += h->order_count; /* grants count as well, and end of themselves */
        done += orders_of(h, ORDER_KIND_START);
    }
    return done;
}

static void skip_spreads_over_50000_in_bounded_turns(void **state)
{
    struct harness *h = *state;
    harness_apply_ir(h, big_ir(50000, "false", in_a_chain));
    int64_t began = clock_monotonic_us();
    harness_run(h, "big", 1);
    assert_int_equal(stats_of(h).live_runs, 0);
    assert_true(h->turns >= 50000 / h->config.batch_rows);
    assert_true(h->most_rows <= h->config.batch_rows * 5 / 4);
    printf("50,000 skipped: %lld ms in %zu turns\n",
           (long long)(clock_monotonic_us() - began) / 1000, h->turns);
}

static void cancel_of_50000_is_bounded(void **state)
{
    struct harness *h = *state;
    harness_apply_ir(h, big_ir(50000, NULL, in_a_chain));
    harness_hello(h, 0, 4, NULL, 0);
    struct uuid run = harness_run(h, "big", 1);
    harness_cancel(h, run);
    assert_int_equal(stats_of(h).live_steps, 1);
    assert_true(h->most_rows <= h->config.batch_rows * 5 / 4);
    core_check(h->core);
    finish(h, 0, "s000000", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_int_equal(stats_of(h).live_runs, 0);
}

static void fan_out_of_1000_is_placed_in_one_turn(void **state)
{
    struct harness *h = *state;
    h->config.batch_rows = 4000;
    core_free(h->core);
    h->core = core_new(&h->config);
    harness_apply_ir(h, big_ir(1001, NULL, last_joins));
    harness_hello(h, 0, 1000, NULL, 0);
    size_t turns = h->turns;
    harness_run(h, "big", 1);
    assert_int_equal(h->turns, turns + 1);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 1000);
    assert_int_equal(stats_of(h).placed, 1000);
    core_check(h->core);
    work_to_the_end(h);
    assert_int_equal(stats_of(h).live_runs, 0);
}

static void ten_thousand_steps_run_to_the_end(void **state)
{
    struct harness *h = *state;
    harness_apply_ir(h, big_ir(10000, NULL, in_layers));
    harness_hello(h, 0, 256, NULL, 0);
    int64_t began = clock_monotonic_us();
    harness_run(h, "big", 1);
    core_check(h->core);
    assert_int_equal(stats_of(h).live_steps, 10000);
    assert_true(stats_of(h).bytes < 10000 * 200);
    work_to_the_end(h);
    printf("10,000 steps: %lld ms in %zu turns, codecs included\n",
           (long long)(clock_monotonic_us() - began) / 1000, h->turns);
    assert_int_equal(stats_of(h).live_runs, 0);
    assert_int_equal(stats_of(h).bytes, 0);
    core_check(h->core);
}

static void a_change_record_is_cut_at_its_limit(void **state)
{
    struct harness *h = *state;
    h->config.batch_rows = 20000;
    core_free(h->core);
    h->core = core_new(&h->config);
    harness_apply_ir(h, big_ir(10000, "false", in_a_chain));
    harness_run(h, "big", 1);
    assert_int_equal(h->partial, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, harness_teardown)
        T(skip_spreads_over_50000_in_bounded_turns), T(cancel_of_50000_is_bounded),
        T(fan_out_of_1000_is_placed_in_one_turn),    T(ten_thousand_steps_run_to_the_end),
        T(a_change_record_is_cut_at_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

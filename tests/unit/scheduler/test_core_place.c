/* A worker that is kept free for a step that wants much of it. */
#include "tests/unit/scheduler/core_harness.h"

static void hello_as(struct harness *h, int w, int slots, const char *executor)
{
    struct report_hello hello = {.boot = "boot",
                                 .workspace = "/w",
                                 .slots = slots,
                                 .executors = &executor,
                                 .executors_count = 1};
    h->lives[w] = id_of(0xe0 + w);
    harness_report(h, w, (struct report){.kind = REPORT_KIND_HELLO, .hello = &hello});
    harness_settle(h);
}

static void apply_step(struct harness *h, const char *name, const char *wants, int priority)
{
    cleanup_free char *yaml =
        mem_printf("name: %s\nsteps: {s: {command: [%s], executor: process, priority: %d, "
                   "resources: {%s}}}\n",
                   name, name, priority, wants);
    harness_apply(h, yaml);
}

static struct uuid run_of(struct harness *h, const char *pipeline, int byte)
{
    harness_run(h, pipeline, byte);
    h->now.wall_us += 1000; /* none is as old as another */
    return id_of(byte);
}

/* Time goes by, and all of them are heard. */
static void pass(struct harness *h, int workers, int64_t us)
{
    static int64_t beat;
    for (; us > 0; us -= 2 * US_PER_S) {
        beat++;
        for (int w = 0; w < workers; w++)
            harness_heartbeat(h, w, beat);
        harness_pass(h, 2 * US_PER_S);
    }
}

/* Which worker has it: -1 = none. */
static int worker_of(struct harness *h, struct uuid run)
{
    const struct snapshot_step *row = row_of_step(h, run, 0);
    return row && row->worker && *row->worker ? row->worker[1] - '0' : -1;
}

static void end(struct harness *h, struct uuid run)
{
    for (size_t i = h->order_count; i-- > 0;)
        if (h->orders[i].kind == ORDER_KIND_START && same_id(&h->orders[i].start->run, &run)) {
            harness_finished(h, h->order_workers[i][1] - '0', &h->orders[i], SUCCEEDED, NULL);
            harness_settle(h);
            return;
        }
}

/* Not the one that is kept for another, nor one that could not run it. */
static void each_wide_step_is_kept_a_worker_of_its_own(void **state)
{
    struct harness *h = *state;
    apply_step(h, "thin", "slots: 1", 0);
    apply_step(h, "wide", "slots: 4", 0);
    apply_step(h, "urgent", "slots: 4, cpu: 0.5", 100);
    hello_as(h, 0, 4, "process");
    hello_as(h, 1, 8, "docker");
    hello_as(h, 2, 4, "process");
    struct uuid first = run_of(h, "thin", 1), second = run_of(h, "thin", 2);
    const int one = worker_of(h, first), other = worker_of(h, second);
    assert_int_equal(one + other, 2); /* one each */
    struct uuid wide = run_of(h, "wide", 3);
    pass(h, 3, 12 * US_PER_S);
    struct uuid urgent = run_of(h, "urgent", 4);
    pass(h, 3, 12 * US_PER_S);
    struct uuid third = run_of(h, "thin", 5);
    assert_int_equal(worker_of(h, third), -1); /* both are kept free */
    end(h, first);
    end(h, second);
    assert_true(worker_of(h, wide) == one || worker_of(h, wide) == other);
    assert_int_equal(worker_of(h, wide) + worker_of(h, urgent), 2);
    assert_int_equal(worker_of(h, third), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
        T(each_wide_step_is_kept_a_worker_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

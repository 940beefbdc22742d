/* tests/unit/scheduler/groups_harness.h: a run with DAGs inside its DAG and one worker that has
 * room for all. */
#pragma once
#include "tests/unit/scheduler/core_harness.h"

static inline int setup(void **state)
{
    *state = harness_new();
    return 0;
}

static inline int teardown(void **state)
{
    harness_free(*state);
    return 0;
}

/* A run of the file with a worker that has room for all. */
static inline struct uuid begin(struct harness *h, const char *yaml)
{
    harness_apply(h, yaml);
    harness_hello(h, 0, 1000, NULL, 0);
    return harness_run(h, "p", 1);
}

static inline const struct snapshot_result *result(struct harness *h, struct uuid run, int step)
{
    const struct snapshot_result *r = row_of_result(h, run, step);
    if (!r)
        fail_msg("step %d has no result", step);
    return r;
}

static inline void outputs_are(struct harness *h, struct uuid run, int step, const char *want)
{
    char *text = json_write(result(h, run, step)->outputs);
    assert_string_equal(text, want);
    free(text);
}

static inline void reason_has(struct harness *h, struct uuid run, int step, const char *part)
{
    if (!strstr(result(h, run, step)->reason, part))
        fail_msg("'%s' does not say '%s'", result(h, run, step)->reason, part);
}

static inline size_t starts_of(const struct harness *h, const char *step)
{
    size_t n = 0;
    for (size_t i = 0; i < h->order_count; i++)
        n += h->orders[i].kind == ORDER_KIND_START && strcmp(h->orders[i].start->step, step) == 0;
    return n;
}

/* The nth start of that step ends so. */
static inline void finish_nth(struct harness *h, const char *step, size_t nth, int outcome,
                              const char *outputs)
{
    for (size_t i = 0; i < h->order_count; i++)
        if (h->orders[i].kind == ORDER_KIND_START && strcmp(h->orders[i].start->step, step) == 0 &&
            nth-- == 0) {
            harness_finished(h, 0, &h->orders[i], outcome, outputs);
            harness_settle(h);
            return;
        }
    fail_msg("%s was not started so often", step);
}

/* Time goes by, and the worker is heard meanwhile. */
static inline void pass(struct harness *h, int64_t us)
{
    static int64_t beat = 100;
    for (; us > 0; us -= 2 * US_PER_S) {
        harness_heartbeat(h, 0, ++beat);
        harness_pass(h, us > 2 * US_PER_S ? 2 * US_PER_S : us);
    }
}

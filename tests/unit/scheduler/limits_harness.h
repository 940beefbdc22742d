/* tests/unit/scheduler/limits_harness.h: runs of one step that wants something there is little of.
 */
#pragma once
#include "tests/unit/scheduler/core_harness.h"

/* All limits and pools that there are, as the catalog tells them. */
static inline void harness_learn_limits(struct harness *h)
{
    struct snapshot *delta = snapshot_new();
    delta->has_limits = true;
    for (size_t i = 0; i < h->rows->limits_count; i++)
        *snapshot_add_limits(delta) = h->rows->limits[i];
    for (size_t i = 0; i < h->rows->pools_count; i++)
        *snapshot_add_pools(delta) = h->rows->pools[i];
    core_learn(h->core, delta, &h->now);
    snapshot_free(delta);
}

static inline void apply_step(struct harness *h, const char *name, const char *keys)
{
    cleanup_free char *yaml =
        mem_printf("name: %s\nsteps:\n  only: {command: [x], %s}\n", name, keys);
    harness_apply(h, yaml);
}

static inline struct uuid run_of(struct harness *h, const char *pipeline, int byte)
{
    harness_run(h, pipeline, byte);
    harness_pass(h, 1000); /* none is as old as another */
    return id_of(byte);
}

/* A limit has this size now; -1: it is removed. */
static inline void harness_limit(struct harness *h, const char *name, int64_t n)
{
    struct snapshot_limit *to = NULL;
    for (size_t i = 0; i < h->rows->limits_count; i++)
        if (strcmp(h->rows->limits[i].name, name) == 0)
            to = &h->rows->limits[i];
    if (!to) {
        to = snapshot_add_limits(h->rows);
        to->name = snapshot_text(h->rows, name);
    }
    to->n = n;
    if (n < 0)
        *to = h->rows->limits[--h->rows->limits_count];
    harness_learn_limits(h);
}

static inline struct order *start_of(struct harness *h, struct uuid run, int *worker)
{
    for (size_t i = h->order_count; i-- > 0;)
        if (h->orders[i].kind == ORDER_KIND_START && same_id(&h->orders[i].start->run, &run)) {
            *worker = h->order_workers[i][1] - '0';
            return &h->orders[i];
        }
    fail_msg("it was not placed");
    return NULL;
}

static inline void end_run(struct harness *h, struct uuid run, int outcome)
{
    int worker;
    const struct order *o = start_of(h, run, &worker);
    harness_finished(h, worker, o, outcome, NULL);
    harness_settle(h);
}

/* What a limit with a name and the slots of a pool have in common: the step says by `keys` what it
 * wants, and who waits for it is `waits` in its row. */

/* Of three, two are wanted twice. */
static inline void takeover_counts_what_rows_hold(struct harness *h, const char *keys,
                                                  const char *waits)
{
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", keys);
    struct uuid first = run_of(h, "p", 1), second = run_of(h, "p", 2);
    harness_restart(h, 0);
    harness_settle(h);
    assert_string_equal(step_is(h, second, 0), waits);
    end_run(h, first, SUCCEEDED);
    assert_string_equal(step_is(h, second, 0), "placed");
}

/* Of two, `one` wants one and `both` wants both: it is not passed by small ones for ever. */
static inline void who_wants_both_gets_its_turn(struct harness *h, const char *one,
                                                const char *both, const char *waits)
{
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "small", one);
    apply_step(h, "large", both);
    struct uuid first = run_of(h, "small", 1), large = run_of(h, "large", 2);
    struct uuid later = run_of(h, "small", 4);
    assert_string_equal(step_is(h, large, 0), waits);
    assert_string_equal(step_is(h, later, 0), waits); /* one is free and set aside */
    end_run(h, first, SUCCEEDED);
    assert_string_equal(step_is(h, large, 0), "placed");
    end_run(h, large, SUCCEEDED);
    assert_string_equal(step_is(h, later, 0), "placed");
}

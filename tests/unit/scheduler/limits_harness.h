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

/* tests/unit/scheduler/groups_harness.h: a run with DAGs inside its DAG and one worker that has
 * room for all. */
#pragma once
#include "tests/unit/scheduler/core_harness.h"

/* A run of the file with a worker that has room for all. */
static inline struct uuid begin(struct harness *h, const char *yaml)
{
    harness_apply(h, yaml);
    harness_hello(h, 0, 1000, NULL, 0);
    return harness_run(h, "p", 1);
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

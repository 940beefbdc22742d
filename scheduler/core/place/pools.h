/* scheduler/core/place/pools.h: the workers that go by one name, and what the catalog says of them.
 * A pool is there while somebody names it: a version by its lanes, a worker, or a file of kind:
 * pool. Its slots are a limit like those with a name (limits.h): what attempts use of them follows
 * from their rows. */
#pragma once
#include "scheduler/core/state.h"

struct pool *pool_get(struct core *core, const char *name); /* NULL = "default" */
/* Somebody named it no more: it goes with the last. */
void pool_release(struct core *core, struct pool *pool);

/* All pools that there are, by the catalog. */
void pools_learn(struct core *core, const struct snapshot *from);

/* PATH of a step's process: of its pool, where the step does not say it itself; else NULL. */
const char *pool_path(struct core *core, const struct ir_step *def);

void pools_free(struct core *core);

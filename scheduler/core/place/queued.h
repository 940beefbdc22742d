/* scheduler/core/place/queued.h: how long a step may wait to be placed, its `queue_timeout`. What
 * is kept of it is kept only for steps that have one and were not placed in the batch that made
 * them ready; their row says since when they wait. */
#pragma once
#include "scheduler/core/state.h"

/* The batch ends and the step is in a lane still: its wait is armed, if it has an end. */
void queued_arm(struct core *core, struct step_ref at, const struct core_now *now);
/* For restore: it has waited since then, by its row. */
void queued_recall(struct core *core, struct step_ref at, int64_t since_us,
                   const struct core_now *now);
void queued_drop(struct core *core, struct step_ref at);
void queued_due(struct core *core, struct queued *q, const struct core_now *now, struct batch *out);

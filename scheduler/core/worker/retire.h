/* scheduler/core/worker/retire.h: a worker that is to get nothing new, and one that is to be
 * forgotten. Both are kept in the worker's row (info), so that they hold across silence and
 * takeovers. */
#pragma once
#include "scheduler/core/state.h"

/* Each: 0, or LEAT_EREFUSED with why. All may be said again. */

/* Gets nothing new; what it has goes on. */
int worker_drain(struct core *core, const char *id, const struct core_now *now, struct err *err);
int worker_resume(struct core *core, const char *id, struct err *err);
/* Only a worker that holds nothing, and that is drained, unreachable or gone: it is gone then, and
 * what this life of it still reports is not listened to. A new life that says hello is taken in. */
int worker_remove(struct core *core, const char *id, const struct core_now *now, struct err *err);

/* How far the orders of a worker may be deleted: what its present life said it has read (0: nothing
 * was said yet); CORE_NEVER when nobody reads them any more: it was removed, is not known, or is
 * gone and was last heard before `forgotten_us` (wall). */
int64_t worker_orders_read(struct core *core, const char *id, int64_t forgotten_us);

/* What the two flags are in info, and back. */
void retire_note(struct worker *w);
void retire_recall(struct worker *w);

/* scheduler/core/place/place.h: ready steps and the workers that can take them.
 * A pool has lanes, one for each shape of work (executor, slots, cpu, memory, gpu, limits), oldest
 * run first. Placing one step costs O(lanes that are not empty + workers of the pool). */
#pragma once
#include "scheduler/core/state.h"

/* The step waits in its lane: `ready`, or `waiting` when it wants named limits. */
void place_ready(struct core *core, struct step_ref at);
/* The same of one whose row says so already. */
void place_recall(struct core *core, struct step_ref at);
/* A step that waits in its lane ends without being placed. */
void place_withdraw(struct core *core, struct step_ref at);
/* Something in the pool may fit now. */
void place_pool_changed(struct core *core, struct pool *pool);

/* Something that this lane's head wants has become more. */
void place_lane_again(struct core *core, struct lane *l);
/* Is the head of `a` older? Both have one. */
bool place_is_before(const struct lane *a, const struct lane *b);

/* Places the next step that fits, or finds that nothing in the pools that changed does: false. */
bool place_one(struct core *core, const struct core_now *now, struct batch *out);

/* TIMER_BLOCKED: the lane's head has waited long; a worker is kept free for it. */
void place_lane_due(struct core *core, struct lane *lane, const struct core_now *now);
/* The worker takes nothing in any more: nothing can be kept on it. */
void place_release(struct core *core, struct worker *w, const struct core_now *now);

/* The version goes: lanes and pools that nobody else waits or works in go with it. */
void place_forget(struct core *core, struct version *v);
/* The worker is in no pool any more. */
void place_leave(struct core *core, struct worker *w);

bool capacity_fits(const struct worker *w, const struct capacity *wants);

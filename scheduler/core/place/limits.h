/* scheduler/core/place/limits.h: how much of something the steps of all runs may use at once: named
 * limits, and the slots of pools (pools.h). A step takes all that it wants in the batch that places
 * it, or nothing; what an attempt holds stands in its row of step_live and is given back with that
 * row. So how much is in use follows from the rows, and a takeover counts it again. What is in use
 * of a pool is counted also while it has any number of slots, so that a size that comes later
 * counts from there.
 *
 * Steps that want the same wait in one lane (place.c). Only its head is looked at, when something
 * that it wants has become more, so that waiting costs nothing. Who is older goes first: what the
 * head of an older lane wants is set aside from younger ones, as long as it can ever be placed. */
#pragma once
#include "scheduler/core/state.h"

/* Slots of that pool; LIMIT_OPEN until limit_resize. */
struct limit *limit_of_pool(struct core *core, const char *pool);
void limit_resize(struct core *core, struct limit *limit, int64_t n);
/* One of those who count in refs has gone; it goes with the last, unless it is in the catalog. */
void limit_unref(struct core *core, struct limit *limit);

/* All limits that there are, by the catalog. */
void limits_learn(struct core *core, const struct snapshot *from);

/* A lane's wants, by the first step that waits in it; l->pool is set. */
void limits_of_lane(struct core *core, struct lane *l, const struct ir_step *def);
void limits_leave_lane(struct core *core, struct lane *l);
bool limits_same(const struct lane *l, const struct ir_step *def);
/* The lane has something in it now, or nothing any more. */
void limits_lane_busy(struct lane *l);
void limits_lane_idle(struct core *core, struct lane *l);

/* May the head of the lane take what it wants now? */
bool limits_allow(const struct lane *l);
/* The lane was looked at and its head waits. `ever`: some worker could take it. */
void limits_blocked(struct core *core, struct lane *l, bool ever);
/* Its head has gone without taking anything. */
void limits_head_left(struct core *core, struct lane *l);
/* One that it wants is not there: its name; else NULL. */
const char *limits_missing(const struct lane *l);

/* A new attempt takes what its lane's steps want; a restored one what its row says. */
void limits_take(struct attempt *a, const struct lane *l);
void limits_recall(struct core *core, struct attempt *a, const struct snapshot_step *row);
void limits_give_back(struct core *core, struct attempt *a);

/* {NAME: n}, for a row: what an attempt holds, and what a waiting step wants, of named limits. NULL
 * = nothing. */
const char *limits_held_text(const struct attempt *a, struct batch *out);
/* The slots of its pool that an attempt holds: NULL = none. */
const struct limit_hold *limits_held_slots(const struct attempt *a);
const char *limit_pool_name(const struct limit *limit);
const char *limits_wanted_text(const struct ir_step *def, struct batch *out);

void limits_free(struct core *core);

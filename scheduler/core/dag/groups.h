/* scheduler/core/dag/groups.h: a step that is a DAG: plain, switch, for_each or loop.
 * Each try reserves the ids of its frames with one row (group_start) and begins them one after the
 * other, a bounded number a turn, as far as its parallelism goes. A frame without rows has not
 * begun; nothing is held for it. */
#pragma once
#include "scheduler/core/state.h"

/* A pending one whose needs are over: begins its first try, or ends at once. */
void group_begin(struct core *core, struct step_ref at, const struct core_now *now,
                 struct batch *out);
/* Takes the next frame that may begin; false when there is none. */
bool groups_begin_one(struct core *core, const struct core_now *now, struct batch *out);
/* All steps of one of its frames are over. */
void group_frame_over(struct core *core, struct frame *f, const struct core_now *now,
                      struct batch *out);
/* What is around it stops. */
void group_stop(struct core *core, struct group *g, const struct core_now *now, struct batch *out);
void group_timeout_due(struct core *core, struct group *g, const struct core_now *now,
                       struct batch *out);
void group_wait_due(struct core *core, struct group *g, const struct core_now *now,
                    struct batch *out);

/* What its frame of that ordinal gave, by name: borrowed; NULL = nothing (yet). */
json_t *group_gave(const struct group *g, int32_t ordinal);

/* For restore. */
struct group *group_new(struct core *core, struct step_ref at);
struct frame *group_frame_new(struct core *core, struct group *g, int32_t ordinal);
void group_arm_timeout(struct core *core, struct group *g, int64_t gone_us,
                       const struct core_now *now);
void group_frame_restored(struct core *core, struct frame *f); /* in order of their ids */
void group_go_on_later(struct core *core, struct group *g);
bool group_waits(const struct group *g); /* between tries */

/* Takes it off its step, with all its frames, and frees it. */
void group_drop(struct core *core, struct group *g);

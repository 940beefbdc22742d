/* scheduler/core/dag/frames.h: one instance of a DAG, from its first step to its last.
 * Its work goes first; when all of that is over, stopped or not, its finally steps; then it is over
 * and says so to its group, or ends its run. Counters, no scans. */
#pragma once
#include "scheduler/core/state.h"

/* For a frame of zeros: all of its steps are pending, none is counted as live yet. */
void frame_init(struct core *core, struct frame *f, struct run *run, const struct ir_dag *dag);
/* Its steps are live from now on; those that wait for nobody are to be settled. */
void frame_begin(struct core *core, struct frame *f);
/* The same for one that has taken over results. */
void frame_push_first(struct core *core, struct frame *f);
/* Does this step get on, or is what it is part of stopped? */
bool frame_stops(struct step_ref at);
/* May what waits for nobody be settled now? */
bool frame_lets_begin(struct step_ref at);

/* The memory's side of a result. */
void frame_count_end(struct core *core, struct step_ref at, int state, const char *reason);
/* A step ended, or all of a phase had: goes on to the next phase, or is over. */
void frame_advance(struct core *core, struct frame *f, const struct core_now *now,
                   struct batch *out);

/* Nothing more of its work begins and what runs is asked to end, a bounded number of steps a turn.
 * The first to ask decides. `reason` may be NULL. */
void frame_stop(struct core *core, struct frame *f, enum stop stop, const char *reason);
/* What it is given cannot be worked out: it has failed, and of it only what is `finally` runs.
 * Once.
 */
void frame_fail(struct core *core, struct frame *f, const char *reason);
void frame_sweep_again(struct core *core, struct frame *f);
/* Looks at the next steps of a stopped frame. */
void frame_sweep(struct core *core, struct frame *f, const struct core_now *now, struct batch *out);
void frame_finally_due(struct core *core, struct frame *f, const struct core_now *now,
                       struct batch *out);

/* For restore. Reports are heard before any time is looked at, so whether the time of its finally
 * steps is up is known from now on: by the row, else by the wall. */
void frame_finally_recall(struct frame *f, const struct snapshot_finally *row,
                          const struct core_now *now);
/* It has no step left of some phase, which the next turn finds. */
void frame_close_later(struct core *core, struct frame *f);
bool frames_close_one(struct core *core, const struct core_now *now, struct batch *out);
/* All of them at once, before something is heard that looks at what they gave. */
void frames_close_all(struct core *core, const struct core_now *now, struct batch *out);

/* The frame around or itself in which step `index` of the IR stands; NULL = none. */
struct frame *frame_of_step(struct frame *f, int32_t index);

/* Takes it off every queue and timer: nothing of it goes on. */
void frame_let_go(struct core *core, struct frame *f);
/* It is over, and is freed when no queue points to it any more. */
void frame_leave(struct core *core, struct frame *f);
void frames_free_over(struct core *core);
/* At the end of the core: those too that something in it still points to. */
void frames_free_all_over(struct core *core);
/* With all that it holds, without saying so to anybody. */
void frame_clear(struct core *core, struct frame *f);
void frame_drop(struct core *core, struct frame *f);

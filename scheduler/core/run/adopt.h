/* scheduler/core/run/adopt.h: a retry takes over the results of the run that it repeats.
 * Until all of its own DAG's are in the new run is `pending`: nothing of it is settled or placed.
 * Groups are taken over whole where they succeeded; of the others each frame, when it begins, takes
 * over what it repeats (repeat.h) before anything in it begins. A leader that takes over goes on
 * where the rows end, since (retry_of, retry_from), the rows of group_start and the results that
 * are there say what is left. One result costs one row; a turn takes as many as it has room for. */
#pragma once
#include "scheduler/core/state.h"

#define ADOPT_REASON                                                                               \
    "adopted from " /* and the run's id: begins the reason of what was taken over */

/* `from`: NULL when the finished run is no more; then nothing is taken over. */
void adopt_begin(struct core *core, struct run *run, struct learned *from);
/* A frame of a group that repeats one begins. */
void adopt_frame(struct core *core, struct frame *f);
/* Takes over one result, or lets the frame begin after the last; false: nobody adopts. */
bool adopt_one(struct core *core, const struct core_now *now, struct batch *out);
/* The frame is stopped, or it ends. */
void adopt_drop(struct core *core, struct frame *f);
/* The run ends. */
void adopt_forget(struct core *core, struct run *run);
/* For restore: holds what a run that goes on may still take over. Its steps are there when it
 * repeats another. `state`: by its row. */
void adopt_recall(struct core *core, struct run *run, int state);

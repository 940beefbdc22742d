/* scheduler/core/recall.h: which instance of a step a row of the database is, at a takeover.
 * Groups come back from their live rows and from group_start; a frame when the first row of it is
 * met. Rows of tries that were given up and of groups that are over belong to nobody any more. */
#pragma once
#include "scheduler/core/state.h"

struct recall {
    struct core *core;
    const struct snapshot_group **starts; /* by run and first */
    const struct snapshot_group **tries;  /* by run, step, iteration, attempt */
    size_t start_count;
    const struct snapshot_result **results; /* by iteration */
    struct known_frame *known;
    struct frame **frames; /* in order of discovery */
    size_t frame_count, frame_cap;
};

/* Runs are there, nothing of their steps: brings the groups back. */
void recall_open(struct recall *r, struct core *core, const struct snapshot *all,
                 const struct core_now *now);
/* False: nobody wants to know. Results must be asked for in the order of r->results: a group's own
 * comes before those inside of it. */
bool recall_step(struct recall *r, struct run *run, int32_t step, int32_t iteration,
                 struct step_ref *at);
/* Every row is in, every run has its state: the groups go on. */
void recall_resume(struct recall *r);
/* Since when the finally steps of frames that are there have been going on. */
void recall_finallys(struct recall *r, const struct snapshot *all, const struct core_now *now);
void recall_close(struct recall *r);

/* scheduler/core/run/repeat.h: what of a finished run a retry repeats, instance by instance.
 *
 * An instance of a DAG (frame) repeats one of the old run when it is the same: the same items, the
 * same branch, and nothing before it runs anew. In it a step is taken over when it succeeded and
 * nothing that it needs, directly or not, runs anew; a group that did not succeed begins anew, and
 * its frames repeat those of its last try. Rounds of a loop are repeated up to the first in which
 * something runs anew. Pure: marks, the old run's rows and what the group has found decide, so that
 * a leader that takes over comes to the same. */
#pragma once
#include "scheduler/core/state.h"

/* What retry_from says of each step of the version. */
enum {
    MARK_ANEW = 1,  /* runs anew, with all that is in it */
    MARK_INSIDE = 2 /* a group with such a step in it: not taken over whole */
};
/* The step, all that comes after it, and the same of each group around it. */
void repeat_mark(const struct ir *ir, int32_t from, uint8_t *marks);

/* Of each step of a frame that repeats one, by place. */
enum {
    REPEAT_NOT = 1,    /* is not taken over */
    REPEAT_CHANGED = 2 /* nor is anything in it: what it needs runs anew, or it is marked */
};
/* Fills `kept`, one a place, of zeros. O(steps, and what depends on them). */
void repeat_look(const struct frame *f, uint8_t *kept);
/* Everything in it succeeded or was skipped, and nothing is marked: its finally steps too are taken
 * over. */
bool repeat_is_whole(const struct run *run, const struct ir_dag *dag, int32_t old);
/* Marks the groups of a frame whose frames may repeat some (STEP_REPEATS). */
void repeat_flag_groups(struct frame *f);
/* A try that begins or is recalled, with its items, branch and count: sets g->old, g->old_count.
 * LEAT_EREFUSED, of a group of which a part runs: what is to be taken over is not to be had. */
int repeat_group(struct group *g, struct err *err);

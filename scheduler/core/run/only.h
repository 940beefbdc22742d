/* scheduler/core/run/only.h: a run of a few steps of a pipeline, with the results of a finished run
 * for all that they need. The steps stand in the run's own DAG; groups run whole. */
#pragma once
#include "scheduler/core/state.h"

enum {
    ONLY_LEFT_OUT = 1, /* is skipped */
    ONLY_NEEDED = 2    /* its result is taken over */
};
/* Of each step of the run's own DAG, into `marks` of zeros. `list`: names with commas between.
 * LEAT_EINPUT names what cannot be meant. O(steps and what they look at). */
int only_mark(const struct ir *ir, const char *list, uint8_t *marks, struct err *err);
/* Has the old run a result for each step that is needed, with all that it gives now? LEAT_EREFUSED
 * names the first that it lacks. */
int only_check(const struct ir *ir, const uint8_t *marks, const struct ir *old,
               const struct learned *from, struct err *err);
/* Is the step one that the run leaves out? */
bool only_leaves_out(struct step_ref at);

/* scheduler/core/run/only.h: a run of a few steps of a pipeline, with the results of a finished run
 * for all that they need. A step that is named runs with all that is in it. Of the groups around it
 * only a part does: in each of their instances the steps that are named run, what those need there
 * is taken over from the instance of the old run with the same place, and the rest is left out.
 * Rounds of a loop follow from one another: nothing inside one can be named. */
#pragma once
#include "scheduler/core/state.h"

/* What becomes of a step; 0 = it runs, with all that is in it. */
enum {
    ONLY_LEFT_OUT = 1, /* is skipped */
    ONLY_NEEDED = 2,   /* its result is taken over */
    ONLY_PART = 4,     /* a group of which a part runs */
    ONLY_TAKES = 8,    /* and in it something is taken over */
    ONLY_WELL = 16     /* needed by one that runs only when it went well */
};
#define ONLY_LEFT_OUT_REASON "not among the steps of this run"
#define ONLY_PASSED_REASON   "the branch that it takes has no step of this run"
#define ONLY_PART_REASON     "ran in part: " /* and which steps the run was asked for */
#define ONLY_LOST_REASON     "nothing to take over: "

/* Of each step of the version, into `marks`. `list`: paths with commas between. LEAT_EINPUT names
 * what cannot be meant, and what is looked at and left out; then only the marks of a list that
 * names what is not there say that nothing runs. O(steps, their depth, what they look at). */
int only_mark(const struct ir *ir, const char *list, uint8_t *marks, struct err *err);
/* Which step would have to run for that output of the step to be there; -1 = it is. */
int32_t only_missing(const struct ir *ir, const uint8_t *marks, int32_t step, const char *output);
/* Has the old run what is to be taken over, in all instances, with all that it gives now?
 * LEAT_EREFUSED names the first that it lacks. O(results of that run). */
int only_check(const struct ir *ir, const uint8_t *marks, const struct ir *old,
               const struct learned *from, struct err *err);

/* Can a step of that mark be taken over in that state? It succeeded, was skipped, or it may fail
 * and did, and what needs it runs all the same. */
bool only_takes_over(const struct ir_step *def, uint8_t mark, int state);
/* Is the step one that the run leaves out? */
bool only_leaves_out(struct step_ref at);
/* Is it a group of which a part runs? */
bool only_is_part(struct step_ref at);
/* Does the DAG have steps that run? Is something in it taken over? O(its steps). */
bool only_runs_in(const struct run *run, const struct ir_dag *dag);
bool only_takes_in(const struct run *run, const struct ir_dag *dag);

/* scheduler/core/run/concurrency.h: how many runs of a pipeline go on at once.
 * Runs of one pipeline whose key has the same text are in one group, from when it is their turn
 * until they end. The key is worked out once, at birth, and stored with the run; so which runs are
 * in a group follows from the rows. What becomes of a run that finds no room is said by the policy
 * of its own version; how much room there is by the pipeline's current version, so that a limit
 * that is raised or lowered counts for those that wait already. A start and an end cost O(1). */
#pragma once
#include "scheduler/core/state.h"

struct run_plan;

/* The text of the key; malloc'd. "" where the version has none. NULL: it cannot be worked out. */
char *concurrency_key(const struct run_plan *plan, struct err *err);

/* It is the run's turn: it may begin (true), or was queued, or has to be skipped, and then `why`
 * (malloc'd) says so. */
bool concurrency_arrive(struct core *core, struct run *run, const struct core_now *now, char **why);
/* A run of a takeover: its state is the committed one. */
void concurrency_recall(struct core *core, struct run *run, const struct core_now *now);
/* It goes on no more, but is not over: a newer one need not cancel it. */
void concurrency_stops(struct run *run);
void concurrency_leave(struct core *core, struct run *run);
void concurrency_free(struct core *core, struct pipeline *p); /* all groups; runs are gone */

/* The pipeline has another current version. O(its groups). */
void concurrency_changed(struct core *core, struct pipeline *p);
/* One thing that is due: a run that makes way, or one that begins. False: nothing was. */
bool concurrency_one(struct core *core, const struct core_now *now, struct batch *out);
void concurrency_wait_due(struct core *core, struct run *run, const struct core_now *now,
                          struct batch *out);
/* Nothing is due in it: none may begin, none is in the way. */
bool concurrency_rests(const struct concurrency *c);

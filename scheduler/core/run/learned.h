/* scheduler/core/run/learned.h: finished runs that were asked for: what a retry may take over.
 * They never change. A run that takes over holds a reference; the others go at the end of the turn
 * in which they were learned. Lookups cost a binary search. */
#pragma once
#include "scheduler/core/state.h"

struct learned *learned_find(struct core *core, const struct uuid *run);
/* The runs, results and group tries of a delta; those that are held already stay as they are. */
void learned_take(struct core *core, const struct snapshot *delta);
/* Frees those that nobody holds. */
void learned_forget(struct core *core);

/* NULL = the run has no such row. */
const struct learned_result *learned_result_of(const struct learned *l, int32_t step,
                                               int32_t iteration);
const struct learned_group *learned_group_of(const struct learned *l, int32_t step,
                                             int32_t iteration, int32_t attempt);
/* By a run of a few steps. */
bool learned_is_left_out(const struct learned_result *r);
/* By a retry, from the run that it repeats: of a group, what is in it is in that run. */
bool learned_is_adopted(const struct learned_result *r);
/* Succeeded as a whole or was skipped by itself; NULL is not. */
bool learned_went_well(const struct learned_result *r);
/* Index of the first result of that iteration, and behind its last. */
void learned_results_in(const struct learned *l, int32_t iteration, size_t *first, size_t *end);

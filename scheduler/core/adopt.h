/* scheduler/core/adopt.h: a retry takes over the results of the run that it repeats.
 * Until all are in the new run is `pending`: nothing of it is settled or placed, and a leader that
 * takes over goes on where the rows end, since (retry_of, retry_from) and the results that are
 * there say what is left. One result costs one row; a turn takes as many as it has room for. */
#pragma once
#include "scheduler/core/state.h"

/* `from`: NULL when the finished run is no more; then nothing is taken over. */
void adopt_begin(struct core *core, struct run *run, struct learned *from);
/* Takes over one result, or lets the run begin after the last; false: nobody adopts. */
bool adopt_one(struct core *core, const struct core_now *now, struct batch *out);
/* The run ends before it has begun. */
void adopt_forget(struct core *core, struct run *run);

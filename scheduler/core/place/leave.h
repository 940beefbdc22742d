/* scheduler/core/place/leave.h: at_most_once. Its worker asks before it starts the attempt; the
 * leave is a row (step_live.leave) before the worker hears of it. Before that row is in the attempt
 * has not run, whatever became of its worker; after it the attempt may have, and nothing tries
 * again. */
#pragma once
#include "scheduler/core/state.h"

/* Attempts of a step that may be lost or refused before any of them was let start. What the file
 * says of retries is of attempts that may have run, and so not of these. */
#define LEAVE_LOST_MOST 5

/* Its worker asks. Asked twice it is answered twice; what is asked to end is not answered: its
 * cancel is on its way. */
void leave_asked(struct core *core, struct attempt *a, struct batch *out);
/* Of an attempt that is lost: may its program have begun? False of every other step's. */
bool leave_may_have_run(const struct attempt *a);
/* Lost, refused or revoked for the `lost`th time: may there be another attempt? `unstarted`: the
 * worker itself says that it did not and will not start it. */
bool leave_again(const struct attempt *a, int32_t lost, bool unstarted);

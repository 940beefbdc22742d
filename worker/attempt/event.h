/* worker/attempt/event.h: the event of the run as a file of the workspace. */
#pragma once
#include "common/base/err.h"

struct attempt;

typedef void event_done(void *arg, const struct err *err); /* NULL: it is there */

/* Writes WORKSPACE/ATTEMPT/event.json. An event that was too large for the order comes from the
 * API. Calls done once, now or later. */
void event_put(struct attempt *a, event_done *done, void *arg);

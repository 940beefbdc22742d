/* scheduler/core/events.h: which triggers want an event, and the runs that they make. */
#pragma once
#include "scheduler/core/state.h"

/* The id of the run that this event and trigger make: the same each time they meet. */
struct uuid event_run_id(const struct event *event, const char *pipeline, const char *trigger);
/* False: it would make runs, and there is no room for them. */
bool event_take(struct core *core, const struct event *event, const char *envelope,
                const struct core_now *now, struct batch *out);

/* api/pins.h: are the objects that a run has pinned still in the store? */
#pragma once
#include "api/api.h"

#define PINS_LOOKS_MAX (10 * 1000) /* objects that are looked for; what is beyond is not */

/* `gone`: what is missing, for people, at most three by name; NULL when all is there. `err`:
 * Postgres or the store does not answer. Both are borrowed. */
typedef void pins_done(void *arg, const char *gone, const struct err *err);

/* Looks for the manifest of each of the run's `objects` steps, and for the objects that it names.
 * Calls back once, on the loop. */
void pins_look(struct api *api, const struct uuid *run, pins_done *done, void *arg);

/* api/pins.h: are the objects that a run has pinned still in the store? */
#pragma once
#include "api/api.h"

#define PINS_LOOKS_MAX (10 * 1000) /* manifests and objects that are looked for */
#define PINS_TEXT      (8 << 20)   /* bytes of a manifest; what a larger one names is not */

/* `gone`: what is missing, for people, at most three by name; NULL when nothing that was looked for
 * is. `unlooked`: what the limits above left out, for people; NULL = nothing. `err`: Postgres or
 * the store does not answer. All are borrowed. */
typedef void pins_done(void *arg, const char *gone, const char *unlooked, const struct err *err);

/* Looks for the manifest of each of the run's `objects` steps, and for the objects that it names:
 * first all manifests, then objects as their manifests come. Calls back once, on the loop. */
void pins_look(struct api *api, const struct uuid *run, pins_done *done, void *arg);

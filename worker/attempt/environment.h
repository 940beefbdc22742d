/* worker/attempt/environment.h: the environment of a process step: PATH, HOME and LANG, then the
 * step's own, then Leat's; nothing of the worker's. */
#pragma once
#include "common/base/err.h"

/* What a container sees of its attempt. */
#define CONTAINER_IN       "/leat/in"
#define CONTAINER_OUT      "/leat/out"
#define CONTAINER_EVENT    "/leat/event.json"
#define CONTAINER_SECRETS  "/leat/secrets"
#define CONTAINER_METRICS  ".metrics" /* in CONTAINER_OUT */
#define CONTAINER_PROGRESS "/leat/progress"

struct attempt;

/* NAME=value, ends with NULL; malloc'd with its strings: environment_free. LEAT_EINPUT for a name
 * of the step's that cannot be one. */
char **environment_make(const struct attempt *a, struct err *err);
void environment_free(char **env); /* takes NULL */

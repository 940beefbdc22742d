/* worker/attempt/environment.h: the environment of a process step: PATH, HOME and LANG, then the
 * step's own, then Leat's; nothing of the worker's. */
#pragma once
#include "common/base/err.h"

struct attempt;

/* NAME=value, ends with NULL; malloc'd with its strings: environment_free. LEAT_EINPUT for a name
 * of the step's that cannot be one. */
char **environment_make(const struct attempt *a, struct err *err);
void environment_free(char **env); /* takes NULL */

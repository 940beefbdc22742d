/* cli/params.h: parameters of a run as they are given. */
#pragma once
#include <jansson.h>
#include "cli/verb.h"

/* Puts the -p NAME=VALUE of `given` into `params`, as text. LEAT_EUSAGE, LEAT_EINPUT. */
int params_given(const struct given *given, json_t *params, struct err *err);

/* scheduler/core/run/paths.h: steps as people name them. */
#pragma once
#include "scheduler/core/state.h"

/* The step of that path; -1 and LEAT_EINPUT, which says what may have been meant. O(steps). */
int32_t path_find(const struct ir *ir, const char *path, struct err *err);

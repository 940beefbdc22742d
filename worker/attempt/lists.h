/* worker/attempt/lists.h: a list of artifacts as a folder of an attempt's workspace. */
#pragma once
#include "worker/attempt/inputs.h"

#define LISTS_BYTES (8 * 1024 * 1024) /* of a list, as JSON */

/* Makes the folder `path` with an entry for each element of the order's list (or of the one that
 * the API gives), called by its place; a null has none, a list is a folder of the same kind. Calls
 * done exactly once, now or later. `in` and `path` stay good until then. */
void lists_lay_out(struct attempt *a, const struct order_input *in, const char *path,
                   inputs_done *done, void *arg);

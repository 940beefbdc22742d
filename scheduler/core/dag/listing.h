/* scheduler/core/dag/listing.h: for_each over the names in a folder. Whoever writes the folder is
 * asked for its sorted names (the order's `listed`) and reports them with the output: so they are
 * part of a committed result, and of the row of the group that begins with them. */
#pragma once
#include "scheduler/core/state.h"

/* Which outputs of which programs are listed by some for_each of the version, through all groups
 * that pass them on. Once a version. */
void listing_look(struct version *v);
/* Of one step: *count of them. O(log all). */
const struct listed *listing_of(const struct version *v, int32_t step, size_t *count);
/* The names that the group goes over: borrowed. LEAT_EINPUT, LEAT_ELIMIT say what is wrong with
 * the output. */
json_t *listing_items(const struct group *g, struct err *err);
/* Is it a folder whose names nobody asked for? */
bool listing_unknown(const json_t *value);
/* The value as an element of a list, which nobody lists: without names. A new reference; takes
 * NULL. */
json_t *listing_leave_out(const struct ir_step *from, const char *output, json_t *value);

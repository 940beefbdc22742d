/* scheduler/core/dag/collect.h: what a group gives, out of what its frames gave. */
#pragma once
#include "scheduler/core/state.h"

/* Keeps the outputs of a frame that is over; one that has not succeeded gives none. LEAT_ELIMIT
 * when an output becomes too large. */
int collect_frame(struct group *g, const struct frame *f, struct err *err);
/* The outputs of the whole group, a new reference: of a for_each one list a name, in order. */
json_t *collect_all(const struct group *g);
/* Does the loop's condition hold after round `ordinal`? */
int collect_until(const struct group *g, int32_t ordinal, bool *holds, struct err *err);
/* What the DAG gives, by name: a new reference. */
json_t *collect_dag(const struct frame *f);

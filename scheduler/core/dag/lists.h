/* scheduler/core/dag/lists.h: a list of artifacts as an input. A short one rides in the order; of a
 * long one the order says where it stands (a committed result of the run), and the worker asks the
 * API for it. Either way it arrives as a folder with one entry for each item. */
#pragma once
#include "schema/gen/messages.h"
#include "scheduler/core/state.h"

#define LISTS_INLINE_MAX 1000 /* elements, of all depths, that ride in an order */

/* Does some input of it take a list of artifacts? */
bool lists_taken(const struct ir *ir, const struct ir_step *def);
/* Fills in the input. `f` is the frame that step `from` stands in; `value` is borrowed. */
void lists_put(const struct frame *f, const struct ir_step *from, const char *output, json_t *value,
               struct arena *arena, struct order_input *to);
/* All of them as places: the order would be too large. False when there are none. */
bool lists_only_say_where(struct order_start *start);

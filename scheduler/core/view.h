/* scheduler/core/view.h: what an expression of a step can see. */
#pragma once
#include "scheduler/core/state.h"

struct view {
    struct cel_var items[8];
    struct cel_vars vars; /* pass &view.vars */
    json_t *owned[3];
    size_t owned_count;
};

/* Only what `sees` names is made: params, vars and event are there anyway, `run` is made once a
 * run, `steps` holds the step's needs alone: O(needs). `attempt` (its worker's workspace gives the
 * paths of inputs and outputs) may be NULL for `when`. */
void view_open(struct view *v, struct run *run, int32_t step, uint8_t sees,
               const struct attempt *attempt);
void view_close(struct view *v);

/* The view of something that has no steps yet: a trigger or a run at birth. NULL = absent. */
void view_open_plain(struct view *v, json_t *event, json_t *vars, json_t *params, json_t *run);

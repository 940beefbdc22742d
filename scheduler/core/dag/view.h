/* scheduler/core/dag/view.h: what an expression of a step can see. */
#pragma once
#include "scheduler/core/state.h"

#define VIEW_VARS (12 + IR_DEPTH_MAX + 1)

struct view {
    struct cel_var items[VIEW_VARS];
    struct cel_vars vars; /* pass &view.vars */
    json_t *owned[8];
    size_t owned_count;
};

/* Only what `sees` names is made: params, vars and event are there anyway, `run` is made once a
 * run, `steps` holds what the IR says the step sees: O(that). Items, loops and outcomes are found
 * by walking outwards. `attempt` (its worker's workspace gives the paths of inputs and outputs) may
 * be NULL for `when`. */
void view_open(struct view *v, struct step_ref at, uint8_t sees, const struct attempt *attempt);
void view_close(struct view *v);

/* The same in parts: what is added first is what is seen. `value` is borrowed. `from`: where the
 * walk begins, the frame of the step or one inside of it. */
void view_begin(struct view *v);
void view_add(struct view *v, const char *name, json_t *value);
void view_fill(struct view *v, struct step_ref at, struct frame *from, uint8_t sees,
               const struct attempt *attempt);

/* What `loop` is in that round, {index, previous: {NAME: value or null}}: a new reference. */
json_t *view_loop(const struct group *g, int32_t ordinal);

/* Evaluates what the inside of a group with `scope` is given; nothing for the others. Once a frame,
 * when it begins or, after a takeover, when it is closed again: before anything looks at it. */
int view_params(struct frame *f, struct err *err);

/* common/ir/firing.h: what one trigger makes of one event that fits it (ir_trigger_fits): its
 * filter's word, then vars, parameters, name and experiment of the run. The scheduler and `leat
 * trigger test` decide by this one. Pure. */
#pragma once
#include "common/ir/ir.h"

/* The first four are set by the caller and borrowed; the rest zeroed, and let go of by clear. */
struct ir_firing {
    const struct ir *ir;
    const struct ir_trigger *trigger;
    const struct event *event;
    json_t *envelope; /* the event's JSON, whole */
    json_t *vars, *params;
    char *run_name, *experiment; /* NULL = the trigger says none */
};

/* 1: the filter holds, or there is none; 0: it does not; < 0: it cannot be evaluated. */
int ir_firing_passes(const struct ir_firing *f, struct err *err);

/* Works all of it out, in that order; `run_id` becomes BUILD_ID. < 0 with the first thing that
 * could not be; what came before it is there. */
int ir_firing_find(struct ir_firing *f, const char *run_id, struct err *err);
void ir_firing_clear(struct ir_firing *f);

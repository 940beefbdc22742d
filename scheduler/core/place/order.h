/* scheduler/core/place/order.h: orders to workers, and the expressions of a step. */
#pragma once
#include "scheduler/core/state.h"

#define ORDER_MAX (256 * 1024) /* bytes of an order on the bus */

/* What the templates of a step's order look at: a set of SEES_…. Once a version. */
uint8_t order_sees(const struct ir_step *def);
/* enum order_start_executor of a name; NONE when there is none such. */
int order_executor_parse(const char *name);
/* What runs the step on that worker; NONE when it has no such executor. */
int order_executor_for(const struct ir_step *def, const struct worker *w);

/* Is this condition, as the step sees it, true? LEAT_EINPUT, LEAT_ELIMIT when it cannot be said. */
int order_when(struct step_ref at, const struct cel *when, bool *holds, struct err *err);
/* What one text looks at. */
uint8_t order_sees_template(const struct template *t);
uint8_t order_sees_cel(const struct cel *cel);

/* What filling in a start has made beside its texts. */
struct order_made {
    json_t **values;
    size_t count;
};
/* All of a start that comes from the step's texts, inputs and outputs; what is about the attempt
 * and its worker stays as it is. Good until order_made_free, also after an error. */
int order_fill(struct core *core, struct step_ref at, const struct cel_vars *vars,
               struct order_start *start, struct order_made *made, struct err *err);
void order_made_free(struct core *core, struct order_made *made);

/* Evaluates everything and appends the start order; negative when an expression cannot be resolved
 * or the order is over ORDER_MAX. */
int order_start(struct core *core, const struct attempt *a, struct batch *out, struct err *err);
void order_cancel(struct core *core, const struct worker *w, const struct uuid *attempt,
                  int64_t nonce, int64_t grace_us, const char *reason, struct batch *out);
void order_grant(struct core *core, const struct worker *w, int64_t heartbeat, struct batch *out);
/* at_most_once: it may start. */
void order_leave(struct core *core, const struct attempt *a, struct batch *out);

/* scheduler/core/dag/steps.h: a step from pending to its one result.
 * Counters, not scans: a step that ends counts its dependents down; one that reaches zero goes to
 * the settle queue, where it is skipped, failed by its upstream, or made ready. */
#pragma once
#include "scheduler/core/state.h"

/* How a step ended. Borrowed for the call. */
struct step_end {
    int state;                /* a terminal one */
    int attempt;              /* attempts made */
    const struct attempt *by; /* whose result it is; NULL = nobody tried */
    struct uuid cached_from;  /* run whose result it takes; nil = none */
    struct uuid attempt_id;   /* without `by`: an adopted result's */
    bool exited;
    int32_t exit_code;
    const char *reason;          /* NULL = none */
    const char *image;           /* NULL = none */
    const json_t *metrics, *log; /* NULL = none */
    json_t *outputs;             /* NULL = none; referenced */
    int64_t started_us;          /* without `by`: wall; 0 = never */
    int64_t finished_us;         /* wall; 0 = now */
};

/* Writes the result, counts dependents down, and ends the frame with its last step, and what is
 * around it. */
void step_end(struct core *core, struct step_ref at, const struct step_end *end,
              const struct core_now *now, struct batch *out);
/* A row of step_live is due at the end of the batch; many changes in one batch make one row. */
void step_mark(struct core *core, struct step_ref at);
void steps_flush(struct core *core, const struct core_now *now, struct batch *out);

/* Takes the next step off the settle queue; false when it is empty. */
bool steps_settle_one(struct core *core, const struct core_now *now, struct batch *out);

/* For restore: puts a committed result into the counters, without rows. */
void step_recall(struct core *core, struct step_ref at, const struct snapshot_result *result);

#ifdef LEAT_PLANTS
void step_write_result_again(struct step_ref at, int state, const struct core_now *now,
                             struct batch *out);
#endif

/* scheduler/core/run/runs.h: a run from its birth to its end. */
#pragma once
#include "scheduler/core/state.h"

/* All that is known when a run is made. Borrowed for the call; JSON values are referenced. */
struct run_plan {
    struct uuid id;
    struct pipeline *pipeline;
    struct version *version;
    const char *name;       /* NULL or "" = PIPELINE-N */
    const char *experiment; /* NULL or "" = the version's own, else the pipeline's name */
    const char *trigger;    /* "" = by hand */
    json_t *params, *vars, *event;
    struct uuid event_id, retry_of;
    struct learned *adopts; /* NULL = nothing */
    const char *retry_from; /* with adopts: a step that runs anew with all after it; or NULL */
    uint8_t again;          /* with adopts: enum again */
    struct await *starter;  /* the step that waits for it; NULL = none */
    int32_t depth;          /* runs above it */
    const char *failure;    /* not NULL: it is born failed, with this reason */
    bool no_cache;          /* --no-cache */
    bool cancelled;         /* a cancel came before it: it is born cancelled */
};

const char *again_name(uint8_t again);
uint8_t again_parse(const char *name); /* AGAIN_RETRY when it is none of them */

int64_t runs_count(const struct core *core); /* live or queued */
/* May a step still make one, or an event that ends its wait? For these there is as much room again
 * as for all others, so that runs that wait for them do not wait for ever. */
bool runs_for_steps(const struct core *core);

struct run *run_find(struct core *core, const struct uuid *id);
/* The run, which may be over already: failed, skipped or cancelled at birth. Until the batch ends.
 */
const struct run *run_make(struct core *core, const struct run_plan *plan,
                           const struct core_now *now, struct batch *out);

/* A pending run begins, is queued or skipped. */
void run_take_turn(struct core *core, struct run *run, const struct core_now *now,
                   struct batch *out);

/* How a run ended that is not live: known since a command named it, or of this very batch. -1 =
 * that is not known. */
int run_over_state(const struct core *core, const struct uuid *id);

/* Asks for a live run's end. Pending or queued: at once. Running: its work is stopped, its finally
 * steps run. `doomed`: it ends failed, not cancelled. */
void run_cancel(struct core *core, struct run *run, const char *reason, bool doomed,
                const struct core_now *now, struct batch *out);

/* A queued run that is in its group's running ones now. */
void run_begin_queued(struct core *core, struct run *run, const struct core_now *now,
                      struct batch *out);
void run_end(struct core *core, struct run *run, int state, const char *reason,
             const struct core_now *now, struct batch *out);

/* Its root frame is over: ends the run. */
void run_root_over(struct core *core, struct run *run, const struct core_now *now,
                   struct batch *out);
void run_timeout_due(struct core *core, struct run *run, const struct core_now *now,
                     struct batch *out);
char *run_duration_text(int64_t us); /* for people; malloc'd */

/* For restore: the steps' array with the counters of a run in which nothing is done. */
void run_steps_new(struct core *core, struct run *run);
void run_arm_timeout(struct core *core, struct run *run, int64_t gone_us,
                     const struct core_now *now);

/* Frees the runs that ended in this batch and that no queue points to. */
void runs_free_over(struct core *core);
void runs_free_all(struct core *core);

#define RUN_TIMED_OUT "timed out after" /* begins the reason of a run that its timeout ended */

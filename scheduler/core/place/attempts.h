/* scheduler/core/place/attempts.h: attempts, what their reports come to, and the tries that follow.
 */
#pragma once
#include "scheduler/core/state.h"

/* A fresh attempt of a ready step on a worker: counted there, its deadline armed. */
struct attempt *attempt_new(struct core *core, struct step_ref at, struct worker *worker,
                            const struct core_now *now);
/* Takes it off its worker, its timer and its step, and frees it. Works on waits too. */
void attempt_drop(struct core *core, struct attempt *a);
/* For restore: hangs an attempt with all its fields onto its worker and the index. */
void attempt_link(struct core *core, struct attempt *a);
#ifdef LEAT_PLANTS
/* Its number in the index has to change with it. */
void attempt_rename(struct core *core, struct attempt *a, const struct uuid *id, int64_t nonce);
#endif

/* The live attempt that (id, nonce) name, or NULL. */
struct attempt *attempt_match(struct core *core, const struct uuid *id, int64_t nonce);

/* started, progress, finished of a report whose number is in order. */
void attempt_report(struct core *core, const struct report *report, const struct core_now *now,
                    struct batch *out);
/* `tell`: the worker may still come to run it, so it gets a cancel. */
void attempt_lost(struct core *core, struct attempt *a, const char *reason, bool tell,
                  const struct core_now *now, struct batch *out);
/* What it is part of is stopped: asks the worker to end it, and gives up when it is silent for too
 * long. */
void attempt_ask_cancel(struct core *core, struct attempt *a, const struct core_now *now,
                        struct batch *out);
/* TIMER_ATTEMPT and TIMER_BACKOFF. */
void attempt_timer_due(struct core *core, struct attempt *a, const struct core_now *now,
                       struct batch *out);

int64_t step_lost_after(const struct core *core, const struct ir_step *def);
int64_t step_grace(const struct core *core, const struct ir_step *def);
/* How long its worker must have been silent before an attempt is lost: the lease, then lost_after.
 * NULL = by the cluster's defaults. */
int64_t step_lost_silence(const struct core *core, const struct ir_step *def);

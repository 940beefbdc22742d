/* scheduler/core/worker/workers.h: who can work, who is silent, and what they are granted. */
#pragma once
#include "scheduler/core/state.h"

struct worker *worker_find(struct core *core, const char *id); /* NULL = unknown */
/* Its row is due at the end of the batch. */
void worker_mark(struct core *core, struct worker *w);
void worker_become(struct core *core, struct worker *w, int state); /* also when it is already */
/* Takes a report's number in; then its content goes to the attempts. */
void worker_report(struct core *core, const struct report *report, const struct core_now *now,
                   struct batch *out);

/* TIMER_SILENCE: past its lease it is unreachable; past lost_after of answered time its silence
 * gets a ticket, and a drain decides. */
void worker_silence_due(struct core *core, struct worker *w, const struct core_now *now,
                        struct batch *out);
/* It was removed or is gone: its id is forgotten when nothing was heard of it for long. A late
 * report of it is then one of a worker that nobody knows, and changes as little as before. */
void worker_forget_later(struct core *core, struct worker *w, int64_t gone_us,
                         const struct core_now *now);
/* TIMER_GRANT: a grant that was held back may leave. */
void worker_grant_due(struct core *core, struct worker *w);
/* The reports up to an end taken after these silences have been read. */
void workers_drained(struct core *core, int64_t ticket);
void workers_judge(struct core *core, const struct core_now *now, struct batch *out);

/* Rows and grants of the batch: at most one of each a worker. */
void workers_flush(struct core *core, const struct core_now *now, struct batch *out);

void worker_restore(struct core *core, const struct snapshot_worker *from,
                    const struct core_now *now);
/* One that an attempt names and no row: silent from the beginning. */
struct worker *worker_missing(struct core *core, const char *id, const struct core_now *now);
void workers_free(struct core *core);

/* scheduler/core/core.h: the scheduler's mind. Pure: (state, input, now) -> (state', batch).
 * No I/O, no clock, no globals; randomness comes from the seed. The shell feeds it committed
 * records and writes the batch it fills in one transaction. When a transaction is not provably in,
 * the shell throws the core away and restores a new one: nothing here is ever rolled back.
 *
 * A step costs O(its needs + its dependents): dependency counters, no rescans. Work that one input
 * sets off (a skip that spreads, a wide fan-out) is bounded a call: the rest stays in the core's
 * own queue and core_deadline() returns "now" until it is done; since it follows from committed
 * results, a takeover in between loses nothing. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/hash.h"
#include "schema/gen/messages.h"
#include "scheduler/core/snapshot.h"
#include "scheduler/core/batch.h"

#define CORE_NEVER INT64_MAX

struct core_now {
    int64_t mono_us;     /* the leader's monotonic clock: every timer */
    int64_t wall_us;     /* for rows and people; no decision rests on it */
    int64_t answered_us; /* monotonic time during which leader, bus and database all answered:
                            the only time that counts towards "lost" */
};

struct core_config {
    int64_t epoch;
    uint64_t seed;
    int64_t lease_us;        /* 10 s */
    int64_t lost_after_us;   /* 90 s; a step may set its own */
    int64_t cancel_grace_us; /* TERM to KILL; 10 s */
    size_t batch_rows;       /* about so many rows a call; 2000 */
    int64_t most_runs;       /* live and queued: then events that make runs and commands for runs
                                wait or are refused; at twice that steps start none either */
    int64_t most_pipelines;  /* names; beyond it deleted ones without runs are forgotten */
    int64_t most_workers;    /* ids; beyond it an unknown one is not listened to */
    int64_t worker_age_us; /* an id that was removed or is gone is forgotten so long after its last
                              word */
    bool resend_placed;    /* the bus is no part of the transaction (Kafka): orders may be missing
                              after a takeover, so attempts still `placed` get theirs again, with
                              the same attempt id, once the reports are read (core_wants_drain) */
};

struct core;
struct core *core_new(const struct core_config *config);
void core_free(struct core *core);

/* Takes committed state in. At takeover: everything, before the first input, the finished runs that
 * a pending retry still adopts from among it (with results, metrics and logs); the timeouts of runs
 * and the waits before a retry are re-armed with the wall time gone by, held to [0, length];
 * deadlines of attempts and cancels begin whole, so that a wall clock that jumped cannot call a
 * running process over (docs/decisions/004). Later (`delta`): catalog
 * entries, versions that a run command names, finished runs wanted by a retry (with results and
 * version) or a cancel (alone: it is refused with their state); what no run uses is forgotten at
 * the end of the next core_turn. A version whose IR cannot be read makes its live runs fail with
 * that reason. The snapshot may be freed afterwards. */
void core_restore(struct core *core, const struct snapshot *all, const struct core_now *now);
void core_learn(struct core *core, const struct snapshot *delta, const struct core_now *now);
int64_t core_catalog_gen(const struct core *core);

/* Inputs. Each is committed on the queue already, so bad content is an outcome (a verdict, a
 * refusal, a counter), never an error. The shell has removed what the inbox had seen.
 * `tombstoned`: a cancel came before this run.
 * core_event false: the event would make runs, there are too many, and nothing was changed: it is
 * to come again when core_room says that there is room. One that ends a step's wait is taken in as
 * long as there are fewer than twice most_runs, or runs that wait for one another by events could
 * keep it out. An event is taken in whole, whatever number of runs it makes. */
bool core_event(struct core *core, const struct event *event, const char *envelope,
                const struct core_now *now, struct batch *out);
/* Runs that there may be more; 0 = none. */
int64_t core_room(const struct core *core);
void core_command(struct core *core, const struct command *command, bool tombstoned,
                  const struct core_now *now, struct batch *out);
void core_report(struct core *core, const struct report *report, const struct core_now *now,
                 struct batch *out);
/* Timers that are due, the queue of bounded work, and placement of ready steps; the shell calls it
 * once at the end of each batch. Appends the change record and orders to out->messages. */
void core_turn(struct core *core, const struct core_now *now, struct batch *out);

/* Monotonic instant at which core_turn has something to do: 0 (gone by) while work is left,
 * CORE_NEVER when nothing is pending. */
int64_t core_deadline(const struct core *core);

/* Lost workers are judged only after the reports have been read up to an end taken after the
 * silence was noticed. While core_wants_drain() gives a ticket (> 0) the shell keeps the ticket,
 * takes the end offsets of leat.reports, reads up to them, feeds what it read, and then calls
 * core_drained with the ticket that it kept: silences noticed after the ends were taken carry a
 * higher one and stay. The next core_turn judges. 0 = nothing wanted. */
int64_t core_wants_drain(const struct core *core);
void core_drained(struct core *core, int64_t ticket, const struct core_now *now);

/* Earlier results that steps wait for (cache), at most `most` of them: the shell asks the database,
 * in this order, and tells what it found with core_cached before the next core_turn: rows in
 * this order, none for a key without a result (the same key may be asked for with two ages); NULL
 * when there are none at all. A fetch that fails is never told: the core is thrown away. */
struct core_cached_wanted {
    char key[SHA256_HEX];
    int64_t since_us; /* wall; older ones do not count */
};
size_t core_wants_cached(struct core *core, struct core_cached_wanted *wanted, size_t most);
void core_cached(struct core *core, const struct snapshot *delta);

/* Highest epoch that any worker has told of; the shell raises its own above it. */
int64_t core_highest_epoch(const struct core *core);

/* How far the orders of a worker may be deleted (scheduler/core/worker/retire.h). */
int64_t core_orders_read(struct core *core, const char *worker, int64_t forgotten_us);

/* Would a hello of this worker be listened to, when so many other new ones come before it? */
bool core_takes_worker(const struct core *core, const char *worker, int64_t others);

/* Counters for metrics and tests. */
struct core_stats {
    int64_t live_runs, live_steps, placed, ready, waiting, queued_runs, workers;
    int64_t reports_stale, reports_repeated, reports_gap, events_matched, events_unmatched;
    int64_t runs_refused; /* commands, and starts of steps */
    int64_t workers_refused, pipelines;
    int64_t bytes; /* memory held for live state */
};
void core_stats(const struct core *core, struct core_stats *out);

/* Asserts every invariant of the state (counters against a recount, no orphan timers, slots within
 * limits). O(state): tests and the simulator call it after every event. Aborts on a defect. */
void core_check(const struct core *core);

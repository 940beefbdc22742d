/* tests/sim/sim.h: one seed's world: a random generator, a clock, what happens when, what happened,
 * and the processes that can be killed, stopped and continued. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/uuid.h"
#include "tests/sim/keep.h"
#include "tests/support/bus_memory.h"

#define MS             1000LL
#define SEC            1000000LL
#define WALL_START     1790000000000000LL /* µs since 1970 at the start of each seed */
#define SIM_WORKER_AGE (100 * SEC)
#define HISTORY        400 /* lines that are kept */
#define SCHEDULERS     2
#define WORKERS_MAX    4
#define SIM_STEPS_TEXT 128 /* paths of steps, with commas between */

struct database;
struct plan;
struct outside;
struct scheduler;
struct worker;
struct ledger;
struct sim;

typedef void sim_fn(void *arg);

/* ---- chance ---------------------------------------------------------------------------------- */
struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *rng);
int64_t rng_in(struct rng *rng, int64_t least, int64_t most); /* both included */
bool rng_chance(struct rng *rng, double p);
struct uuid rng_uuid(struct rng *rng);

/* What a stream of chance is for: of its own, so that what happens elsewhere does not change it. */
enum sim_stream { STREAM_PLAN, STREAM_SENDINGS, STREAM_FAULTS, STREAM_ATTEMPTS };
struct rng sim_stream(const struct sim *sim, enum sim_stream stream, int64_t n);

/* ---- processes ------------------------------------------------------------------------------- */
/* Something that is killed or stopped as a whole. Events of a stopped process wait until it goes
 * on; events of a dead one are dropped, those marked `always` (they free what they carry) are run.
 */
struct proc {
    struct sim *sim;
    bool stopped, dead;
    struct sim_event *held, *held_last;
    struct proc *next; /* all of the seed; freed with it */
};
struct proc *proc_new(struct sim *sim);
void proc_kill(struct proc *proc);
void proc_stop(struct proc *proc);
void proc_go_on(struct proc *proc);

struct sim_event {
    int64_t at;
    uint64_t order;
    sim_fn *fn;
    void *arg;
    struct proc *proc; /* NULL = the world's own */
    bool always;
    struct sim_event *next; /* while held */
};

/* ---- faults ---------------------------------------------------------------------------------- */
/*     identifier          name */
#define SIM_FAULTS(F)                                                                              \
    F(SCHEDULER_KILL, "scheduler-kill")                                                            \
    F(SCHEDULER_STOP, "scheduler-stop")                                                            \
    F(SCHEDULER_KILL_ALL, "scheduler-kill-all")                                                    \
    F(WALL_JUMP, "wall-jump")                                                                      \
    F(DB_DOWN, "db-down")                                                                          \
    F(DB_CUT, "db-cut")                                                                            \
    F(DB_SLOW, "db-slow")                                                                          \
    F(COMMIT_UNKNOWN_IN, "commit-unknown-in")                                                      \
    F(COMMIT_UNKNOWN_OUT, "commit-unknown-out")                                                    \
    F(COMMIT_NOT_IN, "commit-not-in")                                                              \
    F(COMMIT_LATE, "commit-late")                                                                  \
    F(BUS_DOWN, "bus-down")                                                                        \
    F(BUS_CUT, "bus-cut")                                                                          \
    F(BUS_SLOW, "bus-slow")                                                                        \
    F(BUS_CRASH, "bus-crash")                                                                      \
    F(PUBLISH_UNKNOWN, "publish-unknown")                                                          \
    F(BAD_RECORDS, "bad-records")                                                                  \
    F(WORKER_KILL, "worker-kill")                                                                  \
    F(WORKER_STOP, "worker-stop")                                                                  \
    F(WORKER_CUT, "worker-cut")                                                                    \
    F(WORKER_BOOT, "worker-boot")                                                                  \
    F(WORKER_GONE, "worker-gone")                                                                  \
    F(KEEPER_KILL, "keeper-kill")                                                                  \
    F(WORKER_LIE, "worker-lie")

enum sim_fault {
#define F(id, name) FAULT_##id,
    SIM_FAULTS(F)
#undef F
        FAULT_COUNT
};

/* What was going on when a fault struck. */
#define SIM_ACTIONS(A)                                                                             \
    A(EVENT, "event")     /* published, not in the inbox */                                        \
    A(COMMAND, "command") /* published, not answered */                                            \
    A(COMMIT, "commit")   /* a transaction is on its way */                                        \
    A(PLACED, "placed")   /* an attempt whose process has not begun */                             \
    A(RUNNING, "running") /* a process runs */                                                     \
    A(REPORT, "report")   /* an end that is not acknowledged */                                    \
    A(WAITING, "waiting") /* a step waits for its next try */                                      \
    A(CANCELLING, "cancelling")                                                                    \
    A(QUEUED, "queued")         /* a run waits for its concurrency group */                        \
    A(LEADERLESS, "leaderless") /* nobody leads */

enum sim_action {
#define A(id, name) ACTION_##id,
    SIM_ACTIONS(A)
#undef A
        ACTION_COUNT
};

struct sim_counts {
    int64_t wall_jumps;
    int64_t seeds, changes, commits, faults, runs, events, commands, attempts, duplicates;
    int64_t takeovers, unknown_commits, silences; /* attempts lost by a worker's silence */
    int64_t late_commits, housekeepings, trims, pauses, waits_ended, answers, starts;
    int64_t deletes;                 /* of pipelines */
    int64_t passed_on;               /* outputs of runs that steps started */
    int64_t leaves;                  /* at_most_once: processes that were let start */
    int64_t lost_too_often;          /* steps that failed since */
    int64_t not_meant;               /* and since no such end is tried again */
    int64_t finally_late;            /* finally steps that their deadline ended */
    int64_t questions;               /* rows of approvals with a message */
    int64_t turns;                   /* placed while another of its shape had a later turn */
    int64_t left_out;                /* outputs, by programs that succeeded */
    int64_t not_declared;            /* attempts that failed by their outputs */
    int64_t defaults;                /* arguments that are one */
    int64_t unsure;                  /* and steps that failed since they may have run */
    int64_t adopted, adopted_inside; /* results that retries took over; in groups */
    int64_t pinned, pinned_inside;   /* pins that reruns took over; of items and parts */
    int64_t only_inside, only_lost;  /* runs of some steps: the same; groups that had nothing to */
    int64_t cached;                  /* steps that took an earlier result */
    int64_t busy;                    /* commands refused: too many runs */
    int64_t held;                    /* events that waited until there were fewer */
    int64_t forgotten;               /* ids of workers */
    int64_t drains, removes;         /* of workers, accepted */
    int64_t folders;                 /* new ones of workers */
    int64_t grafted;                 /* pipelines that are a part, that succeeded */
    int64_t no_room;                 /* pipelines that were not applied */
    int64_t refused;                 /* workers that began again, since nobody knew them */
    int64_t kept_anyway;             /* results of runs that take none */
    int64_t direct;                  /* groups of one entry with their program that succeeded */
    int64_t given;           /* parts that other steps or items gave their size, that succeeded */
    int64_t given_by_rounds; /* … that a round before gave theirs */
    int64_t unfit;           /* instances of parts that could not be given theirs */
    int64_t filters[6];      /* waits that an event ended, by what their filter looks at */
    int64_t unfiltered;      /* verdicts of filters that failed on an event */
    int64_t handed_in, handed_pins; /* orders with what their component is given; what that pins */
    int64_t judged_anew;      /* triggers that changed between an event's sending and its taking */
    int64_t by_others;        /* runs by a trigger that is not their pipeline's first */
    int64_t conditions[6][2]; /* by enum plan_looks: that did not hold, that held */
    int64_t pairs[FAULT_COUNT][ACTION_COUNT];
};

/* ---- the world ------------------------------------------------------------------------------- */
struct sim {
    uint64_t seed;
    struct rng rng;
    int64_t now; /* µs since the start */
    struct sim_event **heap;
    size_t heap_count, heap_cap;
    uint64_t order;
    struct proc *procs;
    struct keep keep;           /* minimising */
    struct keep_counts planned; /* so far */
    bool quiet;                 /* at the end: nobody says anything new */
    int gone;                   /* machines that were lost for good */
    bool sides;                 /* one worker is of a pool of its own, and so are some steps */
    int64_t most_runs;          /* live and queued */
    int64_t most_pipelines;     /* that are not deleted */
    int64_t most_workers;       /* ids */
    bool calm;                  /* few faults: slow things come to their end */
    bool healed, ending;
    bool skewed; /* some wall clock has jumped */
    int64_t healed_us;
    int64_t work_us; /* bound of the work that may still be done after the last fault */

    bool in_transaction; /* the outbox is: as the embedded bus */
    int64_t lease_us, lost_after_us, grace_us;
    struct memory_log *log;
    struct database *db;
    struct plan *plan;
    struct outside *outside;
    struct ledger *ledger;
    struct scheduler *schedulers[SCHEDULERS];
    struct worker *workers[WORKERS_MAX];
    int worker_count;
    int64_t bus_slow_until, db_slow_until;
    int publish_unknown; /* so many publishes are answered "unknown" */

    struct sim_counts counts;
    char *history[HISTORY];
    size_t history_count; /* lines, those that are no longer kept too */
    bool keep_history;
};

struct sim *sim_new(uint64_t seed, const struct keep *keep, bool keep_history);
void sim_free(struct sim *sim);
/* Runs the seed to its end. A broken invariant ends the process by sim_fail. */
void sim_run(struct sim *sim);

void sim_at(struct sim *sim, struct proc *proc, int64_t after_us, sim_fn *fn, void *arg);
void sim_always(struct sim *sim, struct proc *proc, int64_t after_us, sim_fn *fn, void *arg);
struct memory_clock sim_clock(struct proc *proc);     /* of a process */
struct memory_clock sim_clock_world(struct sim *sim); /* nobody's: the log's */

/* A state-changing event (heartbeats and ticks are none). */
void sim_changed(struct sim *sim);
void sim_note(struct sim *sim, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The invariant (1 = I1 …; 0 = the harness itself) does not hold: tells all and ends the process.
 */
_Noreturn void sim_fail(struct sim *sim, int invariant, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

const char *fault_name(enum sim_fault fault);
int fault_parse(const char *name); /* -1 = unknown */
const char *action_name(enum sim_action action);
char *uuid_short(const struct uuid *id, char out[UUID_TEXT]); /* the last 8 digits */

bool sim_step(struct sim *sim);  /* false: nothing is left to happen */
void sim_drain(struct sim *sim); /* at the end: frees what is on its way */

/* How one request to bus or database goes. */
void sim_bus_fate(void *proc_of_client, enum memory_op op, const char *topic,
                  struct memory_fate *fate);

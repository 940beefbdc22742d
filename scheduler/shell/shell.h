/* scheduler/shell/shell.h: the scheduler around its core: leads or stands by, reads the queue,
 * feeds the core, commits one transaction after the other, sends the orders.
 * Everything outside comes in through vtables (world, db, bus), so the daemon and the simulator
 * run the same object code. One shell lives once: when it must not go on (it was fenced, an offset
 * is out of range) it says so through `ended` and does nothing more; the supervisor starts the
 * process anew. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/bus/bus.h"
#include "scheduler/core/core.h"
#include "scheduler/shell/db.h"
#include "scheduler/shell/world.h"

struct shell;

struct shell_config {
    const char *holder; /* node and pid, for people */
    uint64_t seed;      /* of attempt ids and nonces: fresh in every process */
    int64_t lease_us;
    int64_t lost_after_us;
    int64_t cancel_grace_us;
    size_t batch_rows; /* about so many rows a transaction */
    int64_t most_runs; /* live and queued (core.h), as the next three */
    int64_t most_pipelines;
    int64_t most_workers;
    int64_t worker_age_us;
    int32_t partitions;     /* of events and reports, where the bus lets one choose */
    int64_t event_age_us;   /* records of events that are committed are deleted after it */
    int64_t message_age_us; /* the same for commands, reports, changes and orders */
    struct db_ages ages;    /* of rows */
};

/* The defaults that DESIGN.md states; holder and seed are the caller's. */
void shell_defaults(struct shell_config *config);

/* Called once, from the loop; the shell does nothing more afterwards and may be freed after the
 * callback has returned. err: LEAT_EFENCED when somebody else leads. */
typedef void shell_ended(void *arg, const struct err *why);

/* Copies the config. world, db and bus outlive the shell. */
struct shell *shell_new(const struct shell_config *config, struct world *world, struct db *db,
                        struct bus *bus, shell_ended *ended, void *arg);
/* Begins to look for leadership. */
void shell_start(struct shell *shell);
/* No callback of db or bus may come afterwards: close them first (their last callbacks find an
 * ended shell), or never run the loop again. Takes NULL. */
void shell_free(struct shell *shell);

/*     identifier  name          what it waits for */
#define SHELL_STATES(S, TO)                                                                        \
    S(STANDBY, "standby", TO(TAKING) | TO(ENDED)) /* looks at the leader's beat */                 \
    S(TAKING, "taking", TO(STANDBY) | TO(MIGRATING) | TO(LOADING) | TO(ENDED)) /* take_over */     \
    S(MIGRATING, "migrating", TO(LOADING) | TO(WAITING) | TO(ENDED))                               \
    S(LOADING, "loading", TO(PREPARING) | TO(WAITING) | TO(ENDED))                                 \
    S(PREPARING, "preparing", TO(LEADING) | TO(WAITING) | TO(ENDED)) /* topics */                  \
    S(LEADING, "leading", TO(PROBING) | TO(WAITING) | TO(TAKING) | TO(ENDED))                      \
    S(PROBING, "probing", TO(LEADING) | TO(WAITING) | TO(ENDED)) /* is the batch in? */            \
    S(WAITING, "waiting",                                                                          \
      TO(MIGRATING) | TO(LOADING) | TO(ENDED)) /* a pause before trying again */                   \
    S(ENDED, "ended", NOWHERE)

#define NO_TO(x)        0
#define S(id, name, to) SHELL_##id,
enum shell_state { SHELL_STATES(S, NO_TO) SHELL_STATE_COUNT };
#undef S
#undef NO_TO

/* What metrics, /healthz and tests want to know. */
struct shell_stats {
    const char *state;
    int64_t epoch, tx_seq;
    int64_t batches, records, records_bad, records_repeated, rebuilds, unknown_commits;
    int64_t queued;     /* records taken in and not yet in a batch */
    int64_t held;       /* of these: events that wait until there are fewer runs */
    int64_t unsent;     /* messages of committed batches that are not delivered yet */
    int64_t held_total; /* events that had to wait so */
    int64_t most_runs, most_pipelines, most_workers; /* as configured */
    int64_t answered_us;                             /* as core.h says */
    int64_t rows_last;                               /* of the last batch */
};
void shell_stats(const struct shell *shell, struct shell_stats *out);
enum shell_state shell_state(const struct shell *shell);

/* The core while this shell leads and no batch is open, else NULL. For metrics and the
 * simulator's core_check. */
const struct core *shell_core(const struct shell *shell);

/* Calls fn after each committed batch with what it cost: metrics. */
struct shell_batch_cost {
    size_t records, rows, messages;
    int64_t build_us, commit_us;
};
typedef void shell_batch_seen(void *arg, const struct shell_batch_cost *cost);
void shell_watch(struct shell *shell, shell_batch_seen *fn, void *arg);

/* scheduler/shell/internal.h: the shell's parts among themselves.
 *   shell.c    life and state          leader.c  standing by, taking over, beating
 *   rebuild.c  memory from Postgres    turn.c    one batch after the other
 *   drain.c    reading to an end       outbox.c  messages after the commit
 *   topics.c   orders topics           keep.c    housekeeping, trimming */
#pragma once
#include "common/base/states.h"
#include "scheduler/shell/idset.h"
#include "scheduler/shell/input.h"
#include "scheduler/shell/outbox.h"
#include "scheduler/shell/shell.h"
#include "scheduler/shell/topics.h"

#define TICK_US 1000000 /* looks of a standby, beats of a leader */
#define LOOK_AGAIN_US                                                                              \
    100000               /* after a look that failed: at start the connection is not there yet */
#define STILL_US 3000000 /* a beat that stands still so long has nobody behind it */
#define GONE_US                                                                                    \
    1200000 /* the same when the leader's backend is gone: more than a tick, in                    \
               which one that only lost its connection beats again */
#define BACKOFF_MIN_US 50000
#define BACKOFF_MAX_US 2000000
#define BATCH_RECORDS  1000
#define BATCH_BYTES    (8 * 1024 * 1024)
#define BATCH_LOOKS    500 /* keys of earlier results */

enum batch_phase { BATCH_IDLE, BATCH_TOPICS, BATCH_FETCH, BATCH_COMMIT };

struct reader { /* one of the topics that the leader reads */
    struct shell *shell;
    enum intake_kind kind;
    struct bus_reader *bus;
    bool paused;
    bool stale; /* was reset while a commit was open: assigned anew when that is answered */
};

struct standby {
    bool seen; /* a first look succeeded, and none has failed since */
    int64_t epoch, beat;
    int64_t since_us; /* when this beat was first seen */
    int64_t last_us;  /* last successful look */
    int64_t asked_us; /* when the open look began */
    bool told;        /* that it cannot be read */
};

struct answered { /* time that counts towards "lost" */
    int64_t total_us;
    int64_t last_us; /* last tick */
    int64_t db_us;   /* when a beat, fetch or commit was last answered */
    int64_t bus_us;  /* when the bus last answered */
    bool bus_asked;  /* a look at the bus is open */
};

struct drain {
    bool asking;    /* for the ends */
    int64_t ticket; /* the core's, from before they were taken */
    int64_t life;
    struct bus_position *ends; /* NULL = none taken yet */
    size_t count;
};

struct turn { /* the open batch */
    enum batch_phase phase;
    bool poked;   /* a turn is deferred */
    bool spoiled; /* the reader was reset while the batch waited: drop it */
    struct inputs inputs;
    struct batch *batch;
    struct uuid *ids;  /* asked of the inbox */
    struct uuid *runs; /* asked for with their results */
    struct db_wanted_version *versions;
    struct core_cached_wanted cached[BATCH_LOOKS]; /* earlier results that steps wait for */
    size_t cached_count;
    struct intake_record **held; /* events that it could not take in */
    size_t held_count, held_cap;
    size_t id_count, id_cap, run_count, run_cap, version_count, version_cap;
    struct idset done; /* ids that this batch itself has taken in or made */
    int64_t began_us, sent_us;
    size_t rows;
    bool idle_last; /* the turn before wrote nothing */
#ifdef LEAT_PLANTS
    struct batch *apart; /* planted.c */
    db_committed *committed;
#endif
};

struct keep;

struct shell {
    struct shell_config config;
    char *holder;
    struct world *world;
    struct db *db;
    struct bus *bus;
    shell_ended *ended;
    void *ended_arg;
    shell_batch_seen *watch;
    void *watch_arg;

    uint8_t state; /* enum shell_state */
    struct world_timer *tick;
    struct world_timer *retry;
    struct world_timer *deadline;
    struct world_timer *minute;
    int64_t backoff_us;
    int64_t life; /* counts memories: answers to questions of an earlier one are dropped */

    struct standby standby;
    struct answered answered;
    int64_t epoch, tx_seq;
    int64_t at_least;    /* lowest epoch that a takeover may give */
    int64_t beat_epoch;  /* of the open beat */
    int64_t catalog_gen; /* newest that a beat told of */
    bool beating;        /* a beat or look is open */
    bool leads_since_start;
    int64_t refused_told_us; /* when it was last said that a worker's hello is refused; 0 = never */

    struct snapshot *loaded; /* while PREPARING */
    struct core *core;
    struct intake intake;
    struct reader readers[INTAKE_KINDS];
    struct turn turn;
    struct drain drain;
    struct outbox outbox;
    struct topics topics;
    struct keep *keep;
    struct shell_stats stats;
};

/* ---- shell.c */
void shell_move(struct shell *shell, enum shell_state to);
void shell_end(struct shell *shell, const struct err *why); /* once; nothing happens afterwards */
void shell_end_because(struct shell *shell, int code, const char *why);
bool shell_is_over(const struct shell *shell);
bool shell_holds_epoch(const struct shell *shell); /* beats are due */
int64_t shell_mono(const struct shell *shell);
struct core_now shell_now(const struct shell *shell);
/* Waits a growing time, then goes to LOADING (a new memory). */
void shell_again(struct shell *shell);
void shell_probe_again(struct shell *shell); /* the same, for an unanswered probe */

/* ---- leader.c */
void leader_start(struct shell *shell);
void leader_raise(struct shell *shell, int64_t at_least);
void leader_db_answered(struct shell *shell);
void leader_bus_answered(struct shell *shell);

/* ---- rebuild.c */
void rebuild_load(struct shell *shell);
void rebuild_migrate(struct shell *shell);
/* Throws core and intake away. */
void rebuild_forget(struct shell *shell);
void readers_open(struct shell *shell);
void readers_close(struct shell *shell);
void readers_assign(struct shell *shell, enum intake_kind kind);
void readers_refresh(struct shell *shell); /* those that are stale */
void readers_resume(struct shell *shell);  /* those whose queue has room again */

/* ---- turn.c */
void turn_poke(struct shell *shell);
void turn_drop(struct shell *shell); /* the open batch is no more */
void turn_probe(struct shell *shell);

/* ---- planted.c: planted bugs of the batch (common/base/plant.h) */
#ifdef LEAT_PLANTS
bool planted_commit(struct shell *shell, db_committed *committed); /* true: it commits */
bool planted_unfenced(const struct batch *batch);
void planted_free(struct shell *shell);
#else
static inline bool planted_commit(struct shell *shell, db_committed *committed)
{
    (void)shell;
    (void)committed;
    return false;
}
static inline bool planted_unfenced(const struct batch *batch)
{
    (void)batch;
    return false;
}
static inline void planted_free(struct shell *shell)
{
    (void)shell;
}
#endif

/* ---- gather.c: what one batch takes in */
void gather_records(struct shell *shell);
/* Orders topics that a hello in the batch needs and nobody has made: NULL-terminated ids. */
const char **gather_new_workers(struct shell *shell, size_t *count);
/* False: nothing has to be asked of the database. */
bool gather_wanted(struct shell *shell, struct db_wanted *wanted);
void gather_found(struct shell *shell, const struct db_found *found);
/* Feeds the core and adds inbox rows and offsets. */
void gather_apply(struct shell *shell, const struct core_now *now);

/* ---- drain.c */
void drain_look(struct shell *shell);
void drain_forget(struct shell *shell);

/* ---- keep.c */
struct keep *keep_new(void);
void keep_free(struct keep *keep);
void keep_house(void *shell); /* each minute while leading */

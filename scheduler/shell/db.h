/* scheduler/shell/db.h: Postgres as the scheduler sees it; the simulator has a fake.
 * Asynchronous on the loop, one call of each kind open at a time; callbacks come later from the
 * loop, exactly once, also when the connection breaks. */
#pragma once
#include "scheduler/core/batch.h"
#include "scheduler/core/core.h"
#include "scheduler/core/snapshot.h"

struct db;

enum db_outcome {
    DB_COMMITTED, /* durable */
    DB_NOT_IN,    /* provably rolled back; err says why */
    DB_FENCED,    /* the leader row has another epoch or tx_seq: we do not lead any more */
    DB_UNKNOWN,   /* COMMIT was sent and the connection broke: probe */
};

struct db_leadership {
    int64_t epoch;
    int64_t tx_seq;
    int64_t beat;
    int64_t catalog_gen; /* of a beat */
    bool held_by_us;
    bool gone; /* of a look: the recorded backend has ended, and the leader's process most likely */
};

typedef void db_committed(void *arg, enum db_outcome outcome, const struct err *err);
typedef void db_led(void *arg, const struct err *err, const struct db_leadership *now);
typedef void db_loaded(void *arg, const struct err *err,
                       struct snapshot *snapshot /* ownership passes */);

/* What the core must know before it can take these inputs in. */
struct db_wanted_version {
    const char *pipeline;
    const char *hash;
};
struct db_wanted {
    const struct uuid *ids; /* of events, commands and runs: which of them are in the inbox? */
    size_t id_count;
    const struct uuid *runs; /* runs that a retry adopts from or a cancel means: the finished ones
                                come back with results and version */
    size_t run_count;
    const struct db_wanted_version *versions; /* that a run command names */
    size_t version_count;
    const struct core_cached_wanted *cached; /* earlier results, by key: they come back in this
                                                order, if they are there */
    size_t cached_count;
    int64_t catalog_gen; /* what the core has; newer entries come back */
};
struct db_found {
    const bool *seen;       /* one per id */
    const bool *tombstoned; /* one per id */
    struct snapshot *delta; /* catalog entries newer than catalog_gen, and the wanted runs with
                               their results; ownership passes; NULL when nothing */
};
typedef void db_fetched(void *arg, const struct err *err, const struct db_found *found);

/* For how long rows stay. */
struct db_ages {
    int64_t history_us; /* finished runs, their results and attempts, events */
    int64_t keys_us;    /* what removes repeats: inbox, tombstones, idempotency keys, verdicts */
};

struct db_ops {
    /* Reads the leader and beat rows. */
    void (*look)(struct db *db, db_led *done, void *arg);
    /* Takes over when the epoch is still `epoch` and, unless that leader is gone or never was, its
     * recorded backend (pid and backend_start must both match) has been terminated first. Answers
     * with the new epoch (raised by one, or to `at_least` if that is more), or LEAT_EFENCED when
     * somebody else was quicker. */
    void (*take_over)(struct db *db, int64_t epoch, int64_t at_least, const char *holder,
                      db_led *done, void *arg);
    /* The leader's beat, on a connection of its own; LEAT_EFENCED when the epoch has moved on. */
    void (*beat)(struct db *db, int64_t epoch, db_led *done, void *arg);
    /* Applies missing migrations (leader only). */
    void (*migrate)(struct db *db, bus_done *done, void *arg);

    void (*load)(struct db *db, const struct uuid *bus_id, db_loaded *done, void *arg);
    void (*fetch)(struct db *db, const struct db_wanted *wanted, db_fetched *done, void *arg);
    /* The one transaction. The batch stays untouched by the caller until the callback. */
    void (*commit)(struct db *db, const struct uuid *bus_id, const struct batch *batch,
                   db_committed *done, void *arg);
    /* After DB_UNKNOWN: new connection, SELECT tx_seq … FOR UPDATE (waits for the old backend).
     * held_by_us says whether the epoch is still `epoch`. */
    void (*probe)(struct db *db, int64_t epoch, db_led *done, void *arg);
    /* Makes coming partitions, drops and deletes what is over age and not needed by anything live;
     * bounded work a call, one short statement after the other, none of which waits long for a
     * lock. An error says what could not be done; the rest was. */
    void (*housekeep)(struct db *db, int64_t wall_us, const struct db_ages *ages, bus_done *done,
                      void *arg);
    void (*close)(struct db *db);
};

struct db {
    const struct db_ops *ops;
};

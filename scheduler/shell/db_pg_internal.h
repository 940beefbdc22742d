/* scheduler/shell/db_pg_internal.h: shared by db_pg.c (leadership), db_pg_commit.c, db_pg_load.c,
 * db_pg_fetch.c and db_pg_keep.c. */
#pragma once
#include "common/base/loop.h"
#include "common/bus/outlets.h"
#include "common/pg/pg.h"
#include "scheduler/shell/db_pg.h"

struct committing {            /* the one that is open */
    const struct batch *batch; /* NULL: none */
    struct uuid bus;
    size_t asked; /* outlets not yet known */
    struct err err;
    db_committed *done;
    void *arg;
};

struct db_pg {
    struct db base;
    struct pg *batch; /* commits; the backend that the leader row names */
    struct pg *side;  /* looks, beats, keeps house */
    int64_t epoch;    /* that we lead or led; 0 = none */
    struct outlets outlets;
    bool outbox_elsewhere;
    int64_t most_runs, most_pipelines, most_workers;
    struct committing committing;
    bool closed;
};

static inline struct db_pg *db_pg_of(struct db *db)
{
    return (struct db_pg *)db;
}

/* ---- db_pg_commit.c ---- */
void db_pg_commit(struct db *db, const struct uuid *bus_id, const struct batch *batch,
                  db_committed *done, void *arg);

/* ---- db_pg_batch.c: one statement for each array that is not empty ---- */
void db_pg_put_batch(struct pg *pg, const struct uuid *bus_id, const struct batch *batch);

/* ---- db_pg_load.c ---- */
void db_pg_load(struct db *db, const struct uuid *bus_id, db_loaded *done, void *arg);

/* ---- db_pg_rows.c: rows of an answer into a snapshot ---- */
struct snapshot;
typedef void db_pg_take(struct snapshot *s, const struct pg_rows *rows, size_t row);
void db_pg_take_rows(struct snapshot *s, const struct pg_rows *rows, db_pg_take *take);
db_pg_take db_pg_take_version, db_pg_take_pipeline, db_pg_take_run, db_pg_take_step,
    db_pg_take_result, db_pg_take_group, db_pg_take_start, db_pg_take_finally, db_pg_take_limit,
    db_pg_take_pool, db_pg_take_cached, db_pg_take_worker, db_pg_take_offset;

/* ---- db_pg_fetch.c ---- */
void db_pg_fetch(struct db *db, const struct db_wanted *wanted, db_fetched *done, void *arg);

/* ---- db_pg_keep.c ---- */
void db_pg_housekeep(struct db *db, int64_t wall_us, const struct db_ages *ages, bus_done *done,
                     void *arg);

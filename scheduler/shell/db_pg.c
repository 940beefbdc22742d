#include "scheduler/shell/db_pg.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/pg/migrate.h"
#include "common/bus/embedded.h"
#include "scheduler/shell/db_pg_internal.h"

#define NO_TABLE "42P01" /* before the first migration */

/* ---- looking and beating -------------------------------------------------------------------- */

struct leading { /* one open call */
    struct db_pg *db;
    db_led *done;
    void *arg;
    int64_t epoch;
    int64_t at_least;
    char *holder;
};

static struct leading *leading_new(struct db *db, db_led *done, void *arg)
{
    struct leading *l = mem_alloc(sizeof *l);
    *l = (struct leading){.db = db_pg_of(db), .done = done, .arg = arg};
    return l;
}

static void leading_end(struct leading *l, const struct err *err, const struct db_leadership *now)
{
    l->done(l->arg, err, err ? NULL : now);
    free(l->holder);
    free(l);
}

static void looked(void *arg, const struct pg_answer *answer)
{
    struct leading *l = arg;
    struct db_leadership now = {0};
    const bool empty = strcmp(answer->sqlstate, NO_TABLE) == 0; /* nobody has ever led */
    if (!answer->err) {
        now.epoch = pg_int(answer->rows, 0, 0);
        now.tx_seq = pg_int(answer->rows, 0, 1);
        now.beat = pg_int(answer->rows, 0, 2);
        now.held_by_us = l->db->epoch == now.epoch && pg_is_up(l->db->batch) &&
                         pg_int(answer->rows, 0, 3) == pg_backend_pid(l->db->batch);
        now.gone = pg_bool(answer->rows, 0, 4);
    }
    leading_end(l, empty ? NULL : answer->err, &now);
}

static void look(struct db *db, db_led *done, void *arg)
{
    pg_call(db_pg_of(db)->side, QUERY_LEADER_LOOK, NULL, looked, leading_new(db, done, arg));
}

static void beaten(void *arg, const struct pg_answer *answer)
{
    struct leading *l = arg;
    struct db_leadership now = {.epoch = l->epoch, .held_by_us = true};
    struct err fenced = {0};
    if (!answer->err && pg_row_count(answer->rows) == 0) {
        err_set(&fenced, LEAT_EFENCED, "another leader has taken over");
    } else if (!answer->err) {
        now.beat = pg_int(answer->rows, 0, 0);
        now.catalog_gen = pg_int(answer->rows, 0, 1);
    }
    leading_end(l, fenced.code ? &fenced : answer->err, &now);
}

static void beat(struct db *db, int64_t epoch, db_led *done, void *arg)
{
    struct leading *l = leading_new(db, done, arg);
    l->epoch = epoch;
    cleanup_pg_params struct pg_params p = {0};
    pg_add_int8(&p, epoch);
    pg_call(l->db->side, QUERY_LEADER_BEAT, &p, beaten, l);
}

/* ---- taking over ---------------------------------------------------------------------------- */

static void terminate_leader(struct leading *l);

static void taken(void *arg, const struct pg_answer *answer)
{
    struct leading *l = arg;
    struct db_leadership now = {.held_by_us = true};
    struct err fenced = {0};
    if (!answer->err && pg_row_count(answer->rows) == 0) {
        err_set(&fenced, LEAT_EFENCED, "somebody else was quicker to take over");
    } else if (!answer->err) {
        now.epoch = pg_int(answer->rows, 0, 0);
        now.tx_seq = pg_int(answer->rows, 0, 1);
        now.beat = pg_int(answer->rows, 0, 2);
        l->db->epoch = now.epoch;
    }
    leading_end(l, fenced.code ? &fenced : answer->err, &now);
}

static void take(struct leading *l)
{
    cleanup_pg_params struct pg_params p = {0};
    pg_add_int8(&p, l->epoch);
    pg_add_int8(&p, l->at_least);
    pg_add_text(&p, l->holder);
    pg_call(l->db->batch, QUERY_LEADER_TAKE, &p, taken, l);
}

static void tables_made(void *arg, const struct err *err, int applied)
{
    struct leading *l = arg;
    (void)applied;
    if (err)
        leading_end(l, err, NULL);
    else
        terminate_leader(l);
}

/* The recorded backend has ended, or there was none: the row's lock is free. */
static void terminated(void *arg, const struct pg_answer *answer)
{
    struct leading *l = arg;
    if (strcmp(answer->sqlstate, NO_TABLE) == 0 && l->epoch == 0)
        pg_migrate(l->db->batch, tables_made, l); /* an empty database: the first leader of all */
    else if (answer->err)
        leading_end(l, answer->err, NULL);
    else
        take(l);
}

static void terminate_leader(struct leading *l)
{
    cleanup_pg_params struct pg_params p = {0};
    pg_add_int8(&p, l->epoch);
    pg_call(l->db->batch, QUERY_LEADER_TERMINATE, &p, terminated, l);
}

static void take_over(struct db *db, int64_t epoch, int64_t at_least, const char *holder,
                      db_led *done, void *arg)
{
    struct leading *l = leading_new(db, done, arg);
    l->epoch = epoch;
    l->at_least = at_least;
    l->holder = mem_string(holder ? holder : "");
    terminate_leader(l);
}

/* ---- was it in? ----------------------------------------------------------------------------- */

static void probed(void *arg, const struct pg_answer *answer)
{
    struct leading *l = arg;
    struct db_leadership now = {0};
    if (!answer->err) {
        now.epoch = pg_int(answer->rows, 0, 0);
        now.tx_seq = pg_int(answer->rows, 0, 1);
        now.held_by_us = now.epoch == l->epoch;
    }
    leading_end(l, answer->err, &now);
}

/* An outcome is unknown only when the connection broke, so this one is new. The row is locked
 * until the old backend has ended: the lock is waited for, however long. */
static void probe(struct db *db, int64_t epoch, db_led *done, void *arg)
{
    struct leading *l = leading_new(db, done, arg);
    l->epoch = epoch;
    pg_exec(l->db->batch, QUERY_LOCK_TIMEOUT_NONE, NULL, NULL, NULL);
    pg_call(l->db->batch, QUERY_LEADER_PROBE, NULL, probed, l);
}

/* ---- migrations ----------------------------------------------------------------------------- */

struct migrating {
    bus_done *done;
    void *arg;
};

static void migrated(void *arg, const struct err *err, int applied)
{
    cleanup_free struct migrating *m = arg;
    (void)applied;
    m->done(m->arg, err);
}

static void migrate(struct db *db, bus_done *done, void *arg)
{
    struct migrating *m = mem_alloc(sizeof *m);
    *m = (struct migrating){.done = done, .arg = arg};
    pg_migrate(db_pg_of(db)->batch, migrated, m);
}

/* ---- the object ----------------------------------------------------------------------------- */

/* While we lead, the leader row must name the backend that can commit: it is what a standby ends.
 * It waits for the old backend, as a probe does. */
static void batch_up(void *arg)
{
    struct db_pg *db = arg;
    if (!db->epoch)
        return;
    cleanup_pg_params struct pg_params p = {0};
    pg_add_int8(&p, db->epoch);
    pg_exec(db->batch, QUERY_LOCK_TIMEOUT_NONE, NULL, NULL, NULL);
    pg_call(db->batch, QUERY_LEADER_BACKEND, &p, NULL, NULL);
}

static void batch_down(void *arg, const struct err *err)
{
    struct db_pg *db = arg;
    (void)err;
    outlets_forget(&db->outlets);
}

static void close_db(struct db *base)
{
    struct db_pg *db = db_pg_of(base);
    db->closed = true;
    pg_close(db->batch);
    pg_close(db->side);
    outlets_free(&db->outlets);
    free(db);
}

static const struct db_ops db_pg_ops = {
    .look = look,
    .take_over = take_over,
    .beat = beat,
    .migrate = migrate,
    .load = db_pg_load,
    .fetch = db_pg_fetch,
    .commit = db_pg_commit,
    .probe = probe,
    .housekeep = db_pg_housekeep,
    .close = close_db,
};

struct db *db_pg_open(struct loop *loop, const struct db_pg_options *options)
{
    struct db_pg *db = mem_alloc(sizeof *db);
    db->base.ops = &db_pg_ops;
    db->outlets.producer = EMBEDDED_LEADER;
    db->outbox_elsewhere = options->outbox_elsewhere;
    db->most_runs = options->most_runs;
    db->most_pipelines = options->most_pipelines;
    db->most_workers = options->most_workers;
    const struct pg_options batch = {.conninfo = options->conninfo,
                                     .name = options->name,
                                     .answer_timeout_us = 20 * US_PER_S,
                                     .idle_in_transaction_us = 5 * US_PER_S,
                                     .lock_timeout_us = 10 * US_PER_S,
                                     .generic_plans = true};
    const struct pg_options side = {.conninfo = options->conninfo,
                                    .name = options->name,
                                    .answer_timeout_us = 5 * US_PER_S,
                                    .idle_in_transaction_us = 5 * US_PER_S,
                                    .lock_timeout_us = 2 * US_PER_S,
                                    .generic_plans = true,
                                    .sync_commit_off = true};
    const struct pg_events events = {.up = batch_up, .down = batch_down};
    db->batch = pg_open(loop, &batch, &events, db);
    db->side = pg_open(loop, &side, NULL, NULL);
    return &db->base;
}

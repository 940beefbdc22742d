/* db.h over the fake database: every call travels there and back, and on both ways something may
 * happen to it. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "common/base/mem.h"
#include "tests/sim/database/database.h"

enum call {
    CALL_LOOK,
    CALL_TAKE_OVER,
    CALL_BEAT,
    CALL_MIGRATE,
    CALL_LOAD,
    CALL_FETCH,
    CALL_COMMIT,
    CALL_PROBE,
    CALL_HOUSEKEEP
};

struct database_client {
    struct db base;
    struct database *db;
    struct proc *proc;
    bool cut;
    int64_t gen;      /* of the catalog that its process knows */
    int64_t asked_at; /* when it asked for the commit that is open, or was last */
    bool terminated;  /* a takeover killed the connection that commits: the next commit sees it */
    struct db_request *open;
    struct database_client *prev, *next;
};

struct db_request {
    struct database_client *client; /* NULL: its process is dead */
    struct database *db;
    struct proc *proc;
    enum call call;
    int64_t epoch, at_least;
    const struct batch *batch;
    struct db_wanted wanted;
    enum db_outcome outcome;
    bool arrived;
    struct err err;
    struct db_leadership leadership;
    struct snapshot *snapshot;
    bool *seen, *tombstoned;
    db_led *led;
    db_loaded *loaded;
    db_fetched *fetched;
    db_committed *committed;
    bus_done *done;
    void *arg;
    struct db_request *prev, *next;
};

static bool unreachable(const struct db_request *r)
{
    return r->db->down || (r->client && r->client->cut);
}

static void request_free(struct db_request *r)
{
    free(r->seen);
    free(r->tombstoned);
    free(r);
}

static void tell(struct db_request *r)
{
    const struct err *err = r->err.code ? &r->err : NULL;
    struct db_found found = {r->seen, r->tombstoned, r->snapshot};
    if (r->led)
        r->led(r->arg, err, &r->leadership);
    else if (r->loaded)
        r->loaded(r->arg, err, r->snapshot);
    else if (r->fetched)
        r->fetched(r->arg, err, err ? NULL : &found);
    else if (r->committed)
        r->committed(r->arg, r->outcome, err);
    else
        r->done(r->arg, err);
}

static void answer(void *arg)
{
    struct db_request *r = arg;
    if (r->call == CALL_COMMIT)
        r->db->in_flight--;
    if (r->client) {
        DL_DELETE(r->client->open, r);
        tell(r);
    } else {
        snapshot_free(r->snapshot);
    }
    request_free(r);
}

static void answer_later(struct db_request *r)
{
    struct sim *sim = r->db->sim;
    int64_t most = sim->now < sim->db_slow_until ? 2 * SEC : 1 * MS;
    sim_always(sim, r->proc, rng_in(&sim->rng, 50, most), answer, r);
}

/* ---- what each call does there --------------------------------------------------------------- */

static void lead_now(struct db_request *r)
{
    r->leadership = (struct db_leadership){.epoch = r->db->epoch,
                                           .tx_seq = r->db->tx_seq,
                                           .beat = r->db->beat,
                                           .held_by_us = r->epoch == r->db->epoch};
}

/* The recorded backend goes; what it had not committed is rolled back. */
static void terminate_backend(struct database *db, const struct proc *by)
{
    struct database_client *client;
    struct db_request *r;
    DL_FOREACH (db->clients, client) {
        if (client->proc != db->backend || client->proc == by)
            continue;
        client->terminated = true;
        DL_FOREACH (client->open, r)
            if (r->call == CALL_COMMIT && !r->arrived)
                r->batch = NULL;
    }
}

/* The leader row may name a connection that was made again since: then nobody is ended, and the
 * fence alone stands between the old leader and the rows. */
static bool backend_is_stale(struct database *db)
{
    return rng_chance(&db->sim->rng, 0.3);
}

/* The server has seen the connection of a dead process end; of one that is cut off it may have. */
static bool backend_is_gone(struct database *db)
{
    const struct database_client *client;
    DL_FOREACH (db->clients, client)
        if (client->proc == db->backend)
            return client->terminated || (client->cut && rng_chance(&db->sim->rng, 0.5));
    return true;
}

static void do_take_over(struct db_request *r)
{
    struct database *db = r->db;
    if (db->epoch != r->epoch) {
        err_set(&r->err, LEAT_EFENCED, "somebody else was quicker");
        return;
    }
    if (!backend_is_stale(db))
        terminate_backend(db, r->proc);
    db->epoch = db->epoch + 1 > r->at_least ? db->epoch + 1 : r->at_least;
    db->backend = r->proc;
    r->client->terminated = false; /* it took over on a connection of its own */
    r->epoch = db->epoch;
    lead_now(r);
    db->sim->counts.takeovers++;
    sim_note(db->sim, "database: epoch %lld taken", (long long)db->epoch);
    sim_changed(db->sim);
}

static void do_beat(struct db_request *r)
{
    if (r->db->epoch != r->epoch) {
        err_set(&r->err, LEAT_EFENCED, "the epoch has moved on");
        return;
    }
    r->db->beat++;
    lead_now(r);
    r->leadership.catalog_gen = r->db->catalog_gen;
}

static void do_fetch(struct db_request *r)
{
    r->client->gen = r->db->catalog_gen;
    r->seen = mem_array(r->wanted.id_count + 1, sizeof *r->seen);
    r->tombstoned = mem_array(r->wanted.id_count + 1, sizeof *r->tombstoned);
    for (size_t i = 0; i < r->wanted.id_count; i++) {
        r->seen[i] = database_has_id(r->db->inbox, &r->wanted.ids[i]);
        r->tombstoned[i] = database_has_id(r->db->tombstones, &r->wanted.ids[i]);
    }
    r->snapshot = database_delta(r->db, &r->wanted);
}

static void commit_fails(struct db_request *r, enum db_outcome outcome)
{
    r->outcome = outcome;
    err_set(&r->err, LEAT_EUNKNOWN,
            outcome == DB_UNKNOWN ? "the connection was lost at COMMIT"
                                  : "the transaction was rolled back");
    if (outcome == DB_UNKNOWN)
        r->db->sim->counts.unknown_commits++;
}

/* The statements are still in the network when the connection breaks: they come after the probe.
 * The rows are taken out of the batch; its messages stay too, for the shell sends them when a probe
 * that was asked again finds that the commit is in after all. */
static void hold_back(struct db_request *r)
{
    struct database *db = r->db;
    struct batch *taken = batch_new(), *from = (struct batch *)(uintptr_t)r->batch, was = *from;
    *from = *taken;
    *taken = was;
    from->epoch = was.epoch;
    from->tx_seq = was.tx_seq;
    for (size_t i = 0; i < taken->messages_count; i++) {
        const struct batch_message *m = &taken->messages[i];
        *batch_add_messages(from) =
            (struct batch_message){batch_text(from, m->topic), batch_text(from, m->key),
                                   batch_bytes(from, m->value, m->len), m->len};
    }
    batch_free(db->late);
    db->late = taken;
    db->late_gen = r->client->gen;
    db->late_asked_at = r->client->asked_at;
    commit_fails(r, DB_UNKNOWN);
    sim_at(db->sim, NULL, 30 * SEC, database_late_arrives, db); /* nobody asked */
}

void database_late_arrives(void *arg)
{
    struct database *db = arg;
    struct batch *late = TAKE(db->late);
    if (late && !db->down && !db->sim->ending) {
        db->known_gen = db->late_gen;
        db->asked_at = db->late_asked_at;
        bool in = database_commit(db, late);
        sim_note(db->sim, "database: a late commit comes and is %s", in ? "in" : "refused");
        db->sim->counts.late_commits++;
    }
    batch_free(late);
}

static void do_commit(struct db_request *r)
{
    struct database *db = r->db;
    int what = db->next_commit;
    if (!r->batch || r->client->terminated) {
        r->client->terminated = false;
        commit_fails(r, rng_chance(&db->sim->rng, 0.5) ? DB_UNKNOWN : DB_NOT_IN);
        return;
    }
    db->next_commit = COMMIT_FINE;
    if (what == COMMIT_LATE) {
        hold_back(r);
        return;
    }
    if (what == COMMIT_NOT_IN || what == COMMIT_UNKNOWN_OUT) {
        commit_fails(r, what == COMMIT_NOT_IN ? DB_NOT_IN : DB_UNKNOWN);
        return;
    }
    db->known_gen = r->client->gen;
    db->asked_at = r->client->asked_at;
    r->outcome = database_commit(db, r->batch) ? DB_COMMITTED : DB_FENCED;
    if (r->outcome == DB_COMMITTED && what == COMMIT_UNKNOWN_IN)
        commit_fails(r, DB_UNKNOWN);
}

static void act(struct db_request *r)
{
    switch (r->call) {
    case CALL_PROBE:
        if (r->db->late)
            sim_at(r->db->sim, NULL, rng_in(&r->db->sim->rng, 1, 20 * MS), database_late_arrives,
                   r->db);
        lead_now(r);
        return;
    case CALL_LOOK:
        lead_now(r);
        r->leadership.gone = backend_is_gone(r->db);
        return;
    case CALL_TAKE_OVER:
        do_take_over(r);
        return;
    case CALL_BEAT:
        do_beat(r);
        return;
    case CALL_LOAD:
        r->client->gen = r->db->catalog_gen;
        r->snapshot = database_snapshot(r->db);
        return;
    case CALL_FETCH:
        do_fetch(r);
        return;
    case CALL_COMMIT:
        do_commit(r);
        return;
    case CALL_HOUSEKEEP:
        r->db->sim->counts.housekeepings++;
        return;
    case CALL_MIGRATE:
        return;
    }
}

static void arrive(void *arg)
{
    struct db_request *r = arg;
    r->arrived = true;
    if (!r->client) {
        answer(r);
        return;
    }
    if (unreachable(r)) {
        err_set(&r->err, LEAT_EUNREACHABLE, "the database does not answer");
        r->outcome = DB_NOT_IN;
    } else {
        act(r);
    }
    answer_later(r);
}

static struct db_request *call(struct db *base, enum call call, void *arg)
{
    struct database_client *client = (struct database_client *)base;
    struct sim *sim = client->db->sim;
    struct db_request *r = mem_alloc(sizeof *r);
    r->client = client;
    r->db = client->db;
    r->proc = client->proc;
    r->call = call;
    r->arg = arg;
    DL_APPEND(client->open, r);
    int64_t most = sim->now < sim->db_slow_until ? 2 * SEC : 1 * MS;
    sim_always(sim, NULL, rng_in(&sim->rng, 50, most), arrive, r);
    return r;
}

/* ---- the vtable ------------------------------------------------------------------------------ */

static void look(struct db *base, db_led *done, void *arg)
{
    call(base, CALL_LOOK, arg)->led = done;
}

static void take_over(struct db *base, int64_t epoch, int64_t at_least, const char *holder,
                      db_led *done, void *arg)
{
    (void)holder;
    struct db_request *r = call(base, CALL_TAKE_OVER, arg);
    r->led = done;
    r->epoch = epoch;
    r->at_least = at_least;
}

static void beat(struct db *base, int64_t epoch, db_led *done, void *arg)
{
    struct db_request *r = call(base, CALL_BEAT, arg);
    r->led = done;
    r->epoch = epoch;
}

static void migrate(struct db *base, bus_done *done, void *arg)
{
    call(base, CALL_MIGRATE, arg)->done = done;
}

static void load(struct db *base, const struct uuid *bus_id, db_loaded *done, void *arg)
{
    (void)bus_id;
    call(base, CALL_LOAD, arg)->loaded = done;
}

static void fetch(struct db *base, const struct db_wanted *wanted, db_fetched *done, void *arg)
{
    struct db_request *r = call(base, CALL_FETCH, arg);
    r->wanted = *wanted; /* the arrays stay the caller's until the answer */
    r->fetched = done;
}

static void commit(struct db *base, const struct uuid *bus_id, const struct batch *batch,
                   db_committed *done, void *arg)
{
    (void)bus_id;
    struct db_request *r = call(base, CALL_COMMIT, arg);
    r->batch = batch;
    r->committed = done;
    r->client->asked_at = r->db->sim->now;
    r->db->in_flight++;
}

static void probe(struct db *base, int64_t epoch, db_led *done, void *arg)
{
    struct db_request *r = call(base, CALL_PROBE, arg);
    r->led = done;
    r->epoch = epoch;
}

static void housekeep(struct db *base, int64_t wall_us, const struct db_ages *ages, bus_done *done,
                      void *arg)
{
    (void)wall_us;
    (void)ages;
    call(base, CALL_HOUSEKEEP, arg)->done = done;
}

static void close_client(struct db *base)
{
    database_kill(base);
}

static const struct db_ops ops = {
    .look = look,
    .take_over = take_over,
    .beat = beat,
    .migrate = migrate,
    .load = load,
    .fetch = fetch,
    .commit = commit,
    .probe = probe,
    .housekeep = housekeep,
    .close = close_client,
};

struct db *database_open(struct database *db, struct proc *proc)
{
    struct database_client *client = mem_alloc(sizeof *client);
    client->base.ops = &ops;
    client->db = db;
    client->proc = proc;
    DL_APPEND(db->clients, client);
    return &client->base;
}

void database_kill(struct db *base)
{
    struct database_client *client = (struct database_client *)base;
    struct db_request *r, *next;
    DL_FOREACH_SAFE(client->open, r, next)
    {
        bool reaches = r->call == CALL_COMMIT && !r->arrived && r->batch && !client->terminated &&
                       !unreachable(r) && rng_chance(&client->db->sim->rng, 0.5);
        client->db->known_gen = client->gen;
        client->db->asked_at = client->asked_at;
        if (reaches) /* it was in the socket when the process died */
            database_commit(client->db, r->batch);
        DL_DELETE(client->open, r);
        r->client = NULL;
    }
    DL_DELETE(client->db->clients, client);
    free(client);
}

void database_set_cut(struct db *base, bool cut)
{
    ((struct database_client *)base)->cut = cut;
}

bool database_client_commits(const struct db *base)
{
    const struct db_request *r;
    DL_FOREACH (((const struct database_client *)base)->open, r)
        if (r->call == CALL_COMMIT)
            return true;
    return false;
}

/* A crash of the server: every connection is lost. A transaction whose commit is on disk may have
 * lost its answer, one that was not there yet never comes, and whoever wants to commit on a
 * connection that is no more is told so before a new one is used. */
void database_crash(struct database *db)
{
    struct database_client *client;
    struct db_request *r;
    batch_free(TAKE(db->late)); /* what was on its way to it on a connection from before */
    DL_FOREACH (db->clients, client) {
        client->terminated = true;
        DL_FOREACH (client->open, r) {
            if (r->call != CALL_COMMIT)
                continue;
            if (!r->arrived)
                r->batch = NULL;
            else if (r->outcome == DB_COMMITTED)
                commit_fails(r, DB_UNKNOWN);
        }
    }
}

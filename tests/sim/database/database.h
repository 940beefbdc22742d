/* tests/sim/database/database.h: the fake Postgres. Tables are what schema/migrations has,
 * transactions are whole or not at all, and the fence is checked as the real one checks it. What
 * comes in is held against the invariants while it is written (check/check.h), by what the rows
 * were before. */
#pragma once
#include <jansson.h>
#include <uthash.h>
#include "scheduler/shell/db.h"
#include "tests/sim/sim.h"

struct row_key {
    struct uuid run;
    int32_t step, iteration;
};

struct row_id {
    struct uuid id;
    UT_hash_handle hh;
};

struct row_event {
    struct uuid id;
    char *envelope, *verdicts;
    int64_t taken_at; /* of the simulation */
    int64_t gen;      /* of the catalog that its leader had read */
    UT_hash_handle hh;
};

struct row_run { /* run_live and run_done */
    struct uuid id;
    char *pipeline, *version, *name, *experiment, *reason, *trigger, *params, *vars, *retry_from,
        *key, *again;
    int64_t number;
    uint8_t state;
    struct uuid event, retry_of;
    int64_t created_us, started_us, cancelled_us, finished_us;
    int64_t born_at, began_at; /* of the simulation */
    bool done, no_cache;
    int64_t queued_in, began_in, done_in; /* which commit */
    UT_hash_handle hh;
};

struct row_step {
    struct row_key key;
    uint8_t state;
    int32_t attempt;
    struct uuid attempt_id;
    int64_t nonce;
    char *worker;
    struct uuid incarnation;
    int64_t since_us, started_us, due_us;
    int32_t lost;
    char *reason, *limits, *pool;
    int32_t slots;
    int64_t moved_at;  /* of the simulation: when its leader moved it into this state or try */
    int64_t placed_in; /* the commit that placed its attempt */
    bool leave;
    UT_hash_handle hh;
};

struct row_result {
    struct row_key key;
    uint8_t state;
    int32_t attempt;
    struct uuid attempt_id;
    char *worker, *reason, *outputs, *metrics, *log;
    struct uuid cached_from;
    UT_hash_handle hh;
};

struct row_cached { /* cached_result */
    char key[65];
    struct row_key of;
    int64_t finished_us;
    UT_hash_handle hh;
};

struct row_attempt { /* attempt_done */
    struct uuid id;
    struct row_key key;
    uint8_t state;
    UT_hash_handle hh;
};

struct row_group { /* group_start */
    struct group_key {
        struct row_key at;
        int32_t attempt;
    } key;
    int32_t first, count, branch;
    char *items;
    UT_hash_handle hh;
};

struct row_finally {   /* finally_start */
    struct row_key at; /* step 0 */
    int64_t started_us;
    int64_t began_at; /* of the simulation */
    int64_t up;       /* number of the batch that said so; 0 = none has */
    UT_hash_handle hh;
};

struct row_start { /* run_start */
    struct uuid child;
    struct uuid parent;
    int32_t step, iteration, attempt, depth;
    UT_hash_handle hh;
};

struct row_worker {
    char id[65];
    struct uuid incarnation;
    char *boot, *info;
    uint8_t state;
    int64_t report_n, heard_us;
    int64_t heard_at;      /* of the simulation: when a commit last said so */
    bool drained, removed; /* by commands that were accepted (check/workers.c) */
    UT_hash_handle hh;
};

struct row_command {
    struct uuid id;
    bool accepted, busy;
    char *kind, *detail;
    int64_t taken_at; /* of the simulation */
    UT_hash_handle hh;
};

struct row_offset {
    char topic[BUS_TOPIC_MAX];
    int32_t partition;
    int64_t next;
};

struct row_number {
    char pipeline[65];
    int64_t next;
    UT_hash_handle hh;
};

struct database {
    struct sim *sim;
    bool down;
    int64_t epoch, tx_seq, beat, beat_epoch;
    struct proc *backend; /* whose connection is in the leader row */
    int64_t catalog_gen;
    int64_t asked_at;  /* when its leader had made up its mind */
    int64_t known_gen; /* of the catalog, by whoever makes the commit that is written */
    struct row_id *inbox, *tombstones;
    struct row_event *events;
    struct row_run *runs;
    struct row_step *steps;
    struct row_result *results;
    struct row_attempt *attempts;
    struct row_group *groups;
    struct row_finally *finallys;
    struct row_cached *cached;
    struct row_start *starts;
    struct row_worker *workers;
    struct row_command *commands;
    struct row_number *numbers;
    struct row_offset *offsets;
    size_t offset_count, offset_cap;
    const struct batch *writing; /* rows of it may be in or still to come */
    struct database_client *clients;
    int64_t in_flight; /* commits that were asked for and not answered */
    /* What becomes of the next commit that arrives. */
    enum {
        COMMIT_FINE,
        COMMIT_UNKNOWN_IN,
        COMMIT_UNKNOWN_OUT,
        COMMIT_NOT_IN,
        COMMIT_LATE
    } next_commit;
    int64_t late_gen, late_asked_at;
    struct batch *late; /* on its way on a connection that is no more */
};

struct database *database_new(struct sim *sim);
void database_free(struct database *db);

struct row_run *database_run(const struct database *db, const struct uuid *id);
struct row_step *database_step(const struct database *db, const struct row_key *key);
struct row_result *database_result(const struct database *db, const struct row_key *key);
struct row_attempt *database_attempt(const struct database *db, const struct uuid *id);
struct row_group *database_group(const struct database *db, const struct row_key *at,
                                 int32_t attempt);
/* Have the finally steps of that instance of a DAG begun? */
struct row_finally *database_finally(const struct database *db, const struct uuid *run,
                                     int32_t iteration);
bool database_in_finally(const struct database *db, const struct uuid *run, int32_t iteration);
struct row_worker *database_worker(const struct database *db, const char *id);
bool database_has_id(const struct row_id *table, const struct uuid *id);
int64_t database_offset(const struct database *db, const char *topic, int32_t partition);

/* The one transaction: true = it is in, false = the fence refused it. */
bool database_commit(struct database *db, const struct batch *batch);
/* database/load.c: what load and fetch answer. */
struct snapshot *database_snapshot(const struct database *db);
struct snapshot *database_delta(const struct database *db, const struct db_wanted *wanted);

/* database/client.c: db.h for one scheduler process. */
struct db *database_open(struct database *db, struct proc *proc);
/* The process died: what is on its way to the database may arrive or not. */
void database_kill(struct db *client);
void database_set_cut(struct db *client, bool cut);
bool database_client_commits(const struct db *client);
/* What was on its way on a broken connection reaches the server after all, or never. */
void database_late_arrives(void *db);
/* A crash of the server: every open transaction fails, some of them after their commit. */
void database_crash(struct database *db);

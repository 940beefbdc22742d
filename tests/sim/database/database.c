#include "tests/sim/database/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/base/mem.h"
#include "tests/sim/check/check.h"

#define FIND(table, id, row) HASH_FIND(hh, table, id, sizeof *(id), row)

struct database *database_new(struct sim *sim)
{
    struct database *db = mem_alloc(sizeof *db);
    db->sim = sim;
    return db;
}

/* ---- looking --------------------------------------------------------------------------------- */

struct row_run *database_run(const struct database *db, const struct uuid *id)
{
    struct row_run *row = NULL;
    FIND(db->runs, id, row);
    return row;
}

struct row_step *database_step(const struct database *db, const struct row_key *key)
{
    struct row_step *row = NULL;
    FIND(db->steps, key, row);
    return row;
}

struct row_result *database_result(const struct database *db, const struct row_key *key)
{
    struct row_result *row = NULL;
    FIND(db->results, key, row);
    return row;
}

struct row_attempt *database_attempt(const struct database *db, const struct uuid *id)
{
    struct row_attempt *row = NULL;
    FIND(db->attempts, id, row);
    return row;
}

struct row_group *database_group(const struct database *db, const struct row_key *at,
                                 int32_t attempt)
{
    const struct group_key key = {*at, attempt};
    struct row_group *row = NULL;
    FIND(db->groups, &key, row);
    return row;
}

struct row_worker *database_worker(const struct database *db, const char *id)
{
    struct row_worker *row = NULL;
    HASH_FIND_STR(db->workers, id, row);
    return row;
}

bool database_has_id(const struct row_id *table, const struct uuid *id)
{
    struct row_id *row = NULL;
    FIND(table, id, row);
    return row != NULL;
}

int64_t database_offset(const struct database *db, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < db->offset_count; i++)
        if (db->offsets[i].partition == partition && strcmp(db->offsets[i].topic, topic) == 0)
            return db->offsets[i].next;
    return 0;
}

/* ---- writing, in the order in which the statements go ---------------------------------------- */

static void put_text(char **at, const char *text)
{
    if (!text)
        return;
    free(*at);
    *at = mem_string(text);
}

static void add_id(struct row_id **table, const struct uuid *id)
{
    struct row_id *row = mem_alloc(sizeof *row);
    row->id = *id;
    HASH_ADD(hh, *table, id, sizeof row->id, row);
}

static void write_inbox(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->inbox_count; i++) {
        if (database_has_id(db->inbox, &b->inbox[i].id))
            sim_fail(db->sim, 1, "an id enters the inbox twice");
        add_id(&db->inbox, &b->inbox[i].id);
    }
    for (size_t i = 0; i < b->tombstones_count; i++)
        if (!database_has_id(db->tombstones, &b->tombstones[i].run))
            add_id(&db->tombstones, &b->tombstones[i].run);
}

static void write_events(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->events_count; i++) {
        struct row_event *row = NULL;
        FIND(db->events, &b->events[i].id, row);
        if (row)
            sim_fail(db->sim, 1, "an event is written twice");
        row = mem_alloc(sizeof *row);
        row->id = b->events[i].id;
        row->envelope = mem_string(b->events[i].envelope);
        row->verdicts = mem_string(b->events[i].verdicts);
        row->taken_at = db->sim->now;
        row->gen = db->known_gen;
        HASH_ADD(hh, db->events, id, sizeof row->id, row);
        sim_changed(db->sim);
    }
}

static void write_runs(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->runs_count; i++) {
        const struct batch_run *from = &b->runs[i];
        check_run_new(db->sim, from);
        struct row_run *row = mem_alloc(sizeof *row);
        row->id = from->id;
        put_text(&row->pipeline, from->pipeline);
        put_text(&row->version, from->version);
        put_text(&row->name, from->name);
        put_text(&row->experiment, from->experiment);
        put_text(&row->reason, from->reason ? from->reason : "");
        put_text(&row->trigger, from->trigger ? from->trigger : "");
        put_text(&row->params, from->params);
        put_text(&row->vars, from->vars);
        put_text(&row->retry_from, from->retry_from);
        put_text(&row->key, from->concurrency_key);
        put_text(&row->again, from->again);
        row->number = from->number;
        row->state = from->state;
        row->event = from->event;
        row->retry_of = from->retry_of;
        row->no_cache = from->no_cache;
        row->created_us = from->created_us;
        row->started_us = from->started_us;
        row->born_at = db->sim->now;
        row->began_at = db->asked_at;
        row->queued_in = row->began_in = db->sim->counts.commits;
        HASH_ADD(hh, db->runs, id, sizeof row->id, row);
        sim_changed(db->sim);
        db->sim->counts.runs++;
    }
}

static void write_results(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->results_count; i++) {
        const struct batch_result *from = &b->results[i];
        struct row_key key = {from->run, from->step, from->iteration};
        check_result_new(db->sim, from);
        struct row_result *row = mem_alloc(sizeof *row);
        row->key = key;
        row->state = from->state;
        row->attempt = from->attempt;
        row->attempt_id = from->attempt_id;
        row->cached_from = from->cached_from;
        put_text(&row->worker, from->worker);
        put_text(&row->reason, from->reason ? from->reason : "");
        put_text(&row->outputs, from->outputs);
        put_text(&row->metrics, from->metrics);
        put_text(&row->log, from->log);
        HASH_ADD(hh, db->results, key, sizeof row->key, row);
        sim_changed(db->sim);
    }
}

static void write_attempts(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->attempts_count; i++) {
        const struct batch_attempt *from = &b->attempts[i];
        check_attempt_done(db->sim, from);
        struct row_attempt *row = mem_alloc(sizeof *row);
        row->id = from->attempt_id;
        row->key = (struct row_key){from->run, from->step, from->iteration};
        row->state = from->state;
        HASH_ADD(hh, db->attempts, id, sizeof row->id, row);
        sim_changed(db->sim);
    }
}

static void write_groups(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->groups_count; i++) {
        const struct batch_group *from = &b->groups[i];
        const struct row_key at = {from->run, from->step, from->iteration};
        if (database_group(db, &at, from->attempt))
            sim_fail(db->sim, 3, "a try of a group begins twice");
        check_group_new(db->sim, from);
        struct row_group *row = mem_alloc(sizeof *row);
        row->key = (struct group_key){at, from->attempt};
        row->first = from->first;
        row->count = from->count;
        row->branch = from->branch;
        put_text(&row->items, from->items);
        HASH_ADD(hh, db->groups, key, sizeof row->key, row);
        sim_changed(db->sim);
    }
}

struct row_finally *database_finally(const struct database *db, const struct uuid *run,
                                     int32_t iteration)
{
    const struct row_key at = {*run, 0, iteration};
    struct row_finally *row = NULL;
    FIND(db->finallys, &at, row);
    return row;
}

bool database_in_finally(const struct database *db, const struct uuid *run, int32_t iteration)
{
    return database_finally(db, run, iteration) != NULL;
}

static void write_finallys(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->finallys_count; i++) {
        const struct batch_finally *from = &b->finallys[i];
        struct row_finally *row = database_finally(db, &from->run, from->iteration);
        if (row ? row->up || !from->up : from->up)
            sim_fail(db->sim, 3, "the finally steps of an iteration %s",
                     from->up ? "are late twice, or before they begin" : "begin twice");
        sim_changed(db->sim);
        if (row) {
            row->up = db->tx_seq;
            continue;
        }
        row = mem_alloc(sizeof *row);
        row->at = (struct row_key){from->run, 0, from->iteration};
        row->started_us = from->started_us;
        row->began_at = db->asked_at;
        HASH_ADD(hh, db->finallys, at, sizeof row->at, row);
    }
}

static void write_cached(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->cached_count; i++) {
        const struct batch_cached *from = &b->cached[i];
        struct row_cached *row = NULL;
        HASH_FIND_STR(db->cached, from->key, row);
        if (!row) {
            row = mem_alloc(sizeof *row);
            snprintf(row->key, sizeof row->key, "%s", from->key);
            HASH_ADD_STR(db->cached, key, row);
        }
        row->of = (struct row_key){from->run, from->step, from->iteration};
        row->finished_us = from->finished_us;
    }
}

static void write_starts(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->starts_count; i++) {
        const struct batch_start *from = &b->starts[i];
        struct row_start *row = NULL;
        FIND(db->starts, &from->child, row);
        if (row)
            sim_fail(db->sim, 3, "a step starts its run twice");
        row = mem_alloc(sizeof *row);
        *row = (struct row_start){.child = from->child,
                                  .parent = from->parent,
                                  .step = from->step,
                                  .iteration = from->iteration,
                                  .attempt = from->attempt,
                                  .depth = from->depth};
        HASH_ADD(hh, db->starts, child, sizeof row->child, row);
        sim_changed(db->sim);
    }
}

static void step_drop(struct database *db, struct row_step *row)
{
    HASH_DEL(db->steps, row);
    free(row->worker);
    free(row->reason);
    free(row->limits);
    free(row->pool);
    free(row);
}

static void write_steps(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->steps_count; i++) {
        const struct batch_step *from = &b->steps[i];
        struct row_key key = {from->run, from->step, from->iteration};
        struct row_step *row = database_step(db, &key);
        check_step(db->sim, from, row);
        if (!row) {
            row = mem_alloc(sizeof *row);
            row->key = key;
            HASH_ADD(hh, db->steps, key, sizeof row->key, row);
        }
        if (row->state != from->state || row->attempt != from->attempt || !row->moved_at)
            row->moved_at = db->asked_at;
        row->state = from->state;
        row->attempt = from->attempt;
        if (uuid_compare(&row->attempt_id, &from->attempt_id) != 0)
            row->placed_in = db->sim->counts.commits;
        row->attempt_id = from->attempt_id;
        row->nonce = from->nonce;
        free(TAKE(row->worker));
        put_text(&row->worker, from->worker);
        row->incarnation = from->incarnation;
        row->since_us = from->since_us;
        row->started_us = from->started_us;
        row->due_us = from->due_us;
        row->lost = from->lost;
        row->leave = from->leave;
        put_text(&row->reason, from->reason ? from->reason : "");
        free(TAKE(row->limits));
        put_text(&row->limits, from->limits);
        free(TAKE(row->pool));
        put_text(&row->pool, from->pool);
        row->slots = from->slots;
        sim_changed(db->sim);
    }
    for (size_t i = 0; i < b->results_count; i++) {
        struct row_key key = {b->results[i].run, b->results[i].step, b->results[i].iteration};
        struct row_step *row = database_step(db, &key);
        if (row)
            step_drop(db, row);
    }
}

static void write_moves(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->run_moves_count; i++) {
        const struct batch_run_move *from = &b->run_moves[i];
        struct row_run *row = database_run(db, &from->id);
        check_run_move(db->sim, from, row);
        if (from->state == RUN_QUEUED && row->state != RUN_QUEUED)
            row->queued_in = db->sim->counts.commits;
        if (from->state == RUN_RUNNING && row->state != RUN_RUNNING) {
            row->began_at = db->asked_at;
            row->began_in = db->sim->counts.commits;
        }
        row->state = from->state;
        put_text(&row->reason, from->reason);
        if (from->started_us)
            row->started_us = from->started_us;
        if (from->cancelled_us)
            row->cancelled_us = from->cancelled_us;
        if (from->finished_us)
            row->finished_us = from->finished_us;
        row->done = machine_is_terminal(&MACHINE_RUN, row->state);
        row->done_in = db->sim->counts.commits;
        sim_changed(db->sim);
    }
}

static void write_workers(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->workers_count; i++) {
        const struct batch_worker *from = &b->workers[i];
        struct row_worker *row = database_worker(db, from->id);
        check_worker(db->sim, from, row);
        if (!row) {
            row = mem_alloc(sizeof *row);
            snprintf(row->id, sizeof row->id, "%s", from->id);
            HASH_ADD_STR(db->workers, id, row);
        }
        check_life(db->sim, from, row);
        row->incarnation = from->incarnation;
        put_text(&row->boot, from->boot);
        put_text(&row->info, from->info);
        row->state = from->state;
        row->report_n = from->report_n;
        if (row->heard_us != from->heard_us)
            row->heard_at = db->sim->now;
        row->heard_us = from->heard_us;
    }
}

static void write_forgets(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->forgets_count; i++) {
        struct row_worker *row = database_worker(db, b->forgets[i].id);
        check_forget(db->sim, b->forgets[i].id, row);
        HASH_DEL(db->workers, row);
        free(row->boot);
        free(row->info);
        free(row);
        sim_changed(db->sim);
    }
}

static void write_commands(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->commands_count; i++) {
        struct row_command *row = NULL;
        FIND(db->commands, &b->commands[i].id, row);
        if (row)
            sim_fail(db->sim, 1, "a command is answered twice");
        row = mem_alloc(sizeof *row);
        row->id = b->commands[i].id;
        row->accepted = b->commands[i].accepted;
        row->busy = b->commands[i].busy;
        row->kind = mem_string(b->commands[i].kind);
        row->detail = mem_string(b->commands[i].detail);
        row->taken_at = db->sim->now;
        HASH_ADD(hh, db->commands, id, sizeof row->id, row);
        sim_changed(db->sim);
    }
}

static void write_numbers(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->numbers_count; i++) {
        struct row_number *row = NULL;
        HASH_FIND_STR(db->numbers, b->numbers[i].pipeline, row);
        if (!row) {
            row = mem_alloc(sizeof *row);
            snprintf(row->pipeline, sizeof row->pipeline, "%s", b->numbers[i].pipeline);
            HASH_ADD_STR(db->numbers, pipeline, row);
        }
        row->next = b->numbers[i].next;
    }
}

static struct row_offset *offset_row(struct database *db, const struct bus_position *at)
{
    for (size_t i = 0; i < db->offset_count; i++)
        if (db->offsets[i].partition == at->partition &&
            strcmp(db->offsets[i].topic, at->topic) == 0)
            return &db->offsets[i];
    MEM_ROOM(db->offsets, db->offset_count, db->offset_cap);
    struct row_offset *row = &db->offsets[db->offset_count++];
    *row = (struct row_offset){.partition = at->partition};
    snprintf(row->topic, sizeof row->topic, "%s", at->topic);
    return row;
}

static void write_offsets(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->offsets_count; i++) {
        struct row_offset *row = offset_row(db, &b->offsets[i]);
        check_offset(db->sim, &b->offsets[i], row->next);
        row->next = b->offsets[i].offset;
    }
}

static void write_messages(struct database *db, const struct batch *b)
{
    for (size_t i = 0; i < b->messages_count; i++) {
        const struct batch_message *m = &b->messages[i];
        check_message(db->sim, m);
        if (db->sim->in_transaction)
            memory_log_append(db->sim->log, m->topic, "leader", m->key, m->value, m->len);
    }
}

bool database_commit(struct database *db, const struct batch *b)
{
#ifdef LEAT_PLANTS
    bool fenced = !b->unfenced;
#else
    const bool fenced = true;
#endif
    if (fenced && (b->epoch != db->epoch || b->tx_seq != db->tx_seq))
        return false;
    db->tx_seq += fenced;
    db->sim->counts.commits++;
    db->writing = b;
    check_waits_before(db->sim, b);
    check_turns_before(db->sim, b);
    check_retire_before(db->sim, b);
    write_inbox(db, b);
    write_events(db, b);
    write_runs(db, b);
    write_groups(db, b);
    write_finallys(db, b);
    write_starts(db, b);
    write_results(db, b);
    write_cached(db, b);
    write_attempts(db, b);
    write_workers(db, b);
    write_steps(db, b);
    write_moves(db, b);
    write_forgets(db, b);
    write_commands(db, b);
    write_numbers(db, b);
    write_offsets(db, b);
    write_messages(db, b);
    check_after_commit(db->sim, b);
    db->writing = NULL;
    return true;
}

/* ---- the end --------------------------------------------------------------------------------- */

#define FREE_TABLE(table, type, ...)                                                               \
    do {                                                                                           \
        type *row, *next;                                                                          \
        HASH_ITER (hh, table, row, next) {                                                         \
            HASH_DEL(table, row);                                                                  \
            char *texts[] = {__VA_ARGS__};                                                         \
            for (size_t i = 0; i < ARRAY_LEN(texts); i++)                                          \
                free(texts[i]);                                                                    \
            free(row);                                                                             \
        }                                                                                          \
    } while (0)

void database_free(struct database *db)
{
    if (!db)
        return;
    batch_free(db->late);
    FREE_TABLE(db->inbox, struct row_id, NULL);
    FREE_TABLE(db->tombstones, struct row_id, NULL);
    FREE_TABLE(db->events, struct row_event, row->envelope, row->verdicts);
    FREE_TABLE(db->runs, struct row_run, row->pipeline, row->version, row->name, row->experiment,
               row->reason, row->trigger, row->params, row->vars, row->retry_from, row->key,
               row->again);
    FREE_TABLE(db->steps, struct row_step, row->worker, row->reason, row->limits, row->pool);
    FREE_TABLE(db->results, struct row_result, row->worker, row->reason, row->outputs, row->metrics,
               row->log);
    FREE_TABLE(db->attempts, struct row_attempt, NULL);
    FREE_TABLE(db->groups, struct row_group, row->items);
    FREE_TABLE(db->finallys, struct row_finally, NULL);
    FREE_TABLE(db->cached, struct row_cached, NULL);
    FREE_TABLE(db->starts, struct row_start, NULL);
    FREE_TABLE(db->workers, struct row_worker, row->boot, row->info);
    FREE_TABLE(db->commands, struct row_command, row->kind, row->detail);
    FREE_TABLE(db->numbers, struct row_number, NULL);
    free(db->offsets);
    free(db);
}

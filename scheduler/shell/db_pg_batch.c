/* The arrays of a batch as parameters: a column of each becomes one array. */
#include "common/base/mem.h"
#include "scheduler/shell/db_pg_internal.h"

/* One array parameter of `type`: `add` of each element e of `field`. */
#define COLUMN(type, field, add)                                                                   \
    do {                                                                                           \
        pg_array_begin(p, PG_##type);                                                              \
        for (size_t i_ = 0; i_ < b->field##_count; i_++) {                                         \
            const __typeof__(b->field[0]) *e = &b->field[i_];                                      \
            add;                                                                                   \
        }                                                                                          \
        pg_array_end(p);                                                                           \
    } while (0)

#define UUIDS(field, member)         COLUMN(UUID, field, pg_add_uuid(p, &e->member))
#define UUIDS_OR_NULL(field, member) COLUMN(UUID, field, pg_add_uuid_or_null(p, &e->member))
#define INTS(field, member)          COLUMN(INT4, field, pg_add_int4(p, e->member))
#define BIGINTS(field, member)       COLUMN(INT8, field, pg_add_int8(p, e->member))
#define BOOLS(field, member)         COLUMN(BOOL, field, pg_add_bool(p, e->member))
#define TEXTS(field, member)         COLUMN(TEXT, field, pg_add_text(p, e->member ? e->member : ""))
#define TEXTS_OR_NULL(field, member) COLUMN(TEXT, field, pg_add_text(p, e->member))
#define TIMES(field, member)         COLUMN(TIMESTAMPTZ, field, pg_add_time(p, e->member))
#define TIMES_OR_NULL(field, member) COLUMN(TIMESTAMPTZ, field, pg_add_time_or_null(p, e->member))
#define JSON_OR_EMPTY(field, member)                                                               \
    COLUMN(TEXT, field, pg_add_text(p, e->member ? e->member : "{}"))
#define STATES(field, machine)                                                                     \
    COLUMN(TEXT, field, pg_add_text(p, machine_state_name(&MACHINE_##machine, e->state)))
#define EXITS(field)                                                                               \
    COLUMN(INT4, field,                                                                            \
           e->exit_code == INT32_MIN ? pg_add_null(p, PG_INT4) : pg_add_int4(p, e->exit_code))

static void put_inbox(const struct batch *b, struct pg_params *p)
{
    UUIDS(inbox, id);
    TIMES(inbox, received_us);
}

static void put_events(const struct batch *b, struct pg_params *p)
{
    UUIDS(events, id);
    TIMES(events, received_us);
    TEXTS(events, source);
    TEXTS(events, type);
    JSON_OR_EMPTY(events, envelope);
    COLUMN(TEXT, events, pg_add_text(p, e->verdicts ? e->verdicts : "[]"));
}

/* A run that ends at its birth goes through run_live like any other. */
static const char *live_state(uint8_t state)
{
    return machine_state_name(&MACHINE_RUN,
                              machine_is_terminal(&MACHINE_RUN, state) ? RUN_PENDING : state);
}

static void put_runs(const struct batch *b, struct pg_params *p)
{
    UUIDS(runs, id);
    TEXTS(runs, pipeline);
    TEXTS(runs, version);
    TEXTS(runs, name);
    BIGINTS(runs, number);
    TEXTS(runs, experiment);
    COLUMN(TEXT, runs, pg_add_text(p, live_state(e->state)));
    TEXTS(runs, reason);
    TEXTS(runs, trigger);
    UUIDS_OR_NULL(runs, event);
    JSON_OR_EMPTY(runs, params);
    JSON_OR_EMPTY(runs, vars);
    UUIDS_OR_NULL(runs, retry_of);
    TEXTS(runs, retry_from);
    TEXTS(runs, again);
    TIMES(runs, created_us);
    TIMES_OR_NULL(runs, started_us);
    TEXTS(runs, concurrency_key);
    BOOLS(runs, no_cache);
}

static void put_steps(const struct batch *b, struct pg_params *p)
{
    UUIDS(steps, run);
    INTS(steps, step);
    INTS(steps, iteration);
    STATES(steps, STEP);
    INTS(steps, attempt);
    UUIDS_OR_NULL(steps, attempt_id);
    BIGINTS(steps, nonce);
    TEXTS_OR_NULL(steps, worker);
    UUIDS_OR_NULL(steps, incarnation);
    TIMES(steps, since_us);
    TIMES_OR_NULL(steps, started_us);
    BIGINTS(steps, due_us);
    INTS(steps, lost);
    TEXTS(steps, reason);
    BOOLS(steps, leave);
    TEXTS_OR_NULL(steps, limits);
    TEXTS_OR_NULL(steps, pool);
    INTS(steps, slots);
}

static void put_results(const struct batch *b, struct pg_params *p)
{
    UUIDS(results, run);
    INTS(results, step);
    INTS(results, iteration);
    STATES(results, STEP);
    INTS(results, attempt);
    UUIDS_OR_NULL(results, attempt_id);
    TEXTS_OR_NULL(results, worker);
    EXITS(results);
    TEXTS(results, reason);
    TEXTS_OR_NULL(results, outputs);
    TEXTS_OR_NULL(results, metrics);
    TEXTS_OR_NULL(results, log);
    TIMES_OR_NULL(results, started_us);
    TIMES(results, finished_us);
    TEXTS_OR_NULL(results, image);
    UUIDS_OR_NULL(results, cached_from);
}

static void put_attempts(const struct batch *b, struct pg_params *p)
{
    UUIDS(attempts, run);
    INTS(attempts, step);
    INTS(attempts, iteration);
    INTS(attempts, attempt);
    UUIDS(attempts, attempt_id);
    STATES(attempts, ATTEMPT);
    TEXTS_OR_NULL(attempts, worker);
    EXITS(attempts);
    TEXTS(attempts, reason);
    TEXTS_OR_NULL(attempts, log);
    TIMES_OR_NULL(attempts, started_us);
    TIMES(attempts, finished_us);
    TEXTS_OR_NULL(attempts, image);
}

static void put_finallys(const struct batch *b, struct pg_params *p)
{
    UUIDS(finallys, run);
    INTS(finallys, iteration);
    TIMES(finallys, started_us);
    BOOLS(finallys, up);
}

static void put_groups(const struct batch *b, struct pg_params *p)
{
    UUIDS(groups, run);
    INTS(groups, step);
    INTS(groups, iteration);
    INTS(groups, attempt);
    INTS(groups, first);
    INTS(groups, count);
    INTS(groups, branch);
    TEXTS_OR_NULL(groups, items);
}

static void put_cached(const struct batch *b, struct pg_params *p)
{
    TEXTS(cached, key);
    UUIDS(cached, run);
    INTS(cached, step);
    INTS(cached, iteration);
    TIMES(cached, finished_us);
}

static void put_starts(const struct batch *b, struct pg_params *p)
{
    UUIDS(starts, child);
    UUIDS(starts, parent);
    INTS(starts, step);
    INTS(starts, iteration);
    INTS(starts, attempt);
    INTS(starts, depth);
    TIMES(starts, at_us);
}

static void put_workers(const struct batch *b, struct pg_params *p)
{
    TEXTS(workers, id);
    UUIDS(workers, incarnation);
    TEXTS(workers, boot);
    STATES(workers, WORKER);
    BIGINTS(workers, report_n);
    TEXTS_OR_NULL(workers, info);
    TIMES(workers, heard_us);
}

static void put_forgets(const struct batch *b, struct pg_params *p)
{
    TEXTS(forgets, id);
}

static void put_commands(const struct batch *b, struct pg_params *p)
{
    UUIDS(commands, id);
    TEXTS(commands, kind);
    BOOLS(commands, accepted);
    BOOLS(commands, busy);
    TEXTS(commands, detail);
    TIMES(commands, at_us);
}

static void put_numbers(const struct batch *b, struct pg_params *p)
{
    TEXTS(numbers, pipeline);
    BIGINTS(numbers, next);
}

static void put_tombstones(const struct batch *b, struct pg_params *p)
{
    UUIDS(tombstones, run);
    TIMES(tombstones, at_us);
}

/* ---- run moves: some stay live, some end ----------------------------------------------------- */

#define MOVES(type, add)                                                                           \
    do {                                                                                           \
        pg_array_begin(p, PG_##type);                                                              \
        for (size_t i_ = 0; i_ < n; i_++) {                                                        \
            const struct batch_run_move *e = &moves[i_];                                           \
            add;                                                                                   \
        }                                                                                          \
        pg_array_end(p);                                                                           \
    } while (0)

static void put_moves(struct pg *pg, const struct batch_run_move *moves, size_t n, bool ends)
{
    cleanup_pg_params struct pg_params params = {0};
    struct pg_params *p = &params;
    if (n == 0)
        return;
    MOVES(UUID, pg_add_uuid(p, &e->id));
    MOVES(TEXT, pg_add_text(p, machine_state_name(&MACHINE_RUN, e->state)));
    MOVES(TEXT, pg_add_text(p, e->reason ? e->reason : ""));
    MOVES(TIMESTAMPTZ, pg_add_time_or_null(p, e->started_us));
    MOVES(TIMESTAMPTZ, pg_add_time_or_null(p, e->cancelled_us));
    if (ends)
        MOVES(TIMESTAMPTZ, pg_add_time(p, e->finished_us));
    pg_exec(pg, ends ? QUERY_BATCH_RUN_ENDS : QUERY_BATCH_RUN_MOVES, p, NULL, NULL);
}

static bool has_move(const struct batch *b, const struct uuid *run)
{
    for (size_t i = 0; i < b->run_moves_count; i++)
        if (uuid_compare(&b->run_moves[i].id, run) == 0)
            return true;
    return false;
}

static void put_run_moves(struct pg *pg, const struct batch *b)
{
    const size_t most = b->run_moves_count + b->runs_count;
    cleanup_free struct batch_run_move *live = mem_array(most, sizeof *live);
    cleanup_free struct batch_run_move *ended = mem_array(most, sizeof *ended);
    size_t live_count = 0, ended_count = 0;
    for (size_t i = 0; i < b->run_moves_count; i++) {
        if (machine_is_terminal(&MACHINE_RUN, b->run_moves[i].state))
            ended[ended_count++] = b->run_moves[i];
        else
            live[live_count++] = b->run_moves[i];
    }
    for (size_t i = 0; i < b->runs_count; i++) { /* rare: refused or cancelled at birth */
        const struct batch_run *r = &b->runs[i];
        if (machine_is_terminal(&MACHINE_RUN, r->state) && !has_move(b, &r->id))
            ended[ended_count++] = (struct batch_run_move){.id = r->id,
                                                           .state = r->state,
                                                           .reason = r->reason,
                                                           .started_us = r->started_us,
                                                           .finished_us = r->created_us};
    }
    put_moves(pg, live, live_count, false);
    put_moves(pg, ended, ended_count, true);
}

static void put_offsets(struct pg *pg, const struct uuid *bus_id, const struct batch *b)
{
    cleanup_pg_params struct pg_params params = {0};
    struct pg_params *p = &params;
    if (b->offsets_count == 0)
        return;
    pg_add_uuid(p, bus_id);
    COLUMN(TEXT, offsets, pg_add_text(p, e->topic));
    INTS(offsets, partition);
    BIGINTS(offsets, offset);
    pg_exec(pg, QUERY_BATCH_OFFSETS, p, NULL, NULL);
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* In the order in which rows need each other: a run before its moves, a step before its result. */
#define STATEMENTS(S)                                                                              \
    S(inbox, QUERY_BATCH_INBOX)                                                                    \
    S(events, QUERY_BATCH_EVENTS)                                                                  \
    S(runs, QUERY_BATCH_RUNS)                                                                      \
    S(steps, QUERY_BATCH_STEPS)                                                                    \
    S(results, QUERY_BATCH_RESULTS)                                                                \
    S(attempts, QUERY_BATCH_ATTEMPTS)                                                              \
    S(starts, QUERY_BATCH_STARTS)                                                                  \
    S(groups, QUERY_BATCH_GROUPS)                                                                  \
    S(finallys, QUERY_BATCH_FINALLYS)                                                              \
    S(cached, QUERY_BATCH_CACHED)                                                                  \
    S(workers, QUERY_BATCH_WORKERS)                                                                \
    S(forgets, QUERY_BATCH_FORGETS)                                                                \
    S(commands, QUERY_BATCH_COMMANDS)                                                              \
    S(numbers, QUERY_BATCH_NUMBERS)                                                                \
    S(tombstones, QUERY_BATCH_TOMBSTONES)

void db_pg_put_batch(struct pg *pg, const struct uuid *bus_id, const struct batch *b)
{
    cleanup_pg_params struct pg_params p = {0};
#define S(field, query)                                                                            \
    if (b->field##_count) {                                                                        \
        put_##field(b, &p);                                                                        \
        pg_exec(pg, query, &p, NULL, NULL);                                                        \
    }
    STATEMENTS(S)
#undef S
    put_run_moves(pg, b);
    put_offsets(pg, bus_id, b);
}

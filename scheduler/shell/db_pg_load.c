/* Everything that a leader begins with. By then no older leader can commit any more (taking over
 * has raised the epoch), so the statements need no common view; the catalog's generation is read
 * first, so that what changes meanwhile comes again with the next fetch. */
#include "common/base/mem.h"
#include "scheduler/shell/db_pg_internal.h"

struct loading {
    struct snapshot *snapshot;
    db_loaded *done;
    void *arg;
};

static void leader_read(void *arg, const struct pg_answer *answer)
{
    struct snapshot *s = ((struct loading *)arg)->snapshot;
    if (pg_row_count(answer->rows) == 0)
        return;
    s->epoch = pg_int(answer->rows, 0, 0);
    s->tx_seq = pg_int(answer->rows, 0, 1);
    s->catalog_gen = pg_int(answer->rows, 0, 2);
    s->wall_us = pg_time(answer->rows, 0, 3);
}

#define READ(what, take)                                                                           \
    static void what##_read(void *arg, const struct pg_answer *answer)                             \
    {                                                                                              \
        db_pg_take_rows(((struct loading *)arg)->snapshot, answer->rows, take);                    \
    }
READ(versions, db_pg_take_version)
READ(pipelines, db_pg_take_pipeline)
READ(runs, db_pg_take_run)
READ(steps, db_pg_take_step)
READ(results, db_pg_take_result)
READ(groups, db_pg_take_group)
READ(finallys, db_pg_take_finally)
READ(starts, db_pg_take_start)
READ(workers, db_pg_take_worker)
READ(limits, db_pg_take_limit)
READ(pools, db_pg_take_pool)
#undef READ

/* The last of the group. */
static void offsets_read(void *arg, const struct pg_answer *answer)
{
    cleanup_free struct loading *l = arg;
    if (answer->err) {
        snapshot_free(l->snapshot);
        l->done(l->arg, answer->err, NULL);
        return;
    }
    db_pg_take_rows(l->snapshot, answer->rows, db_pg_take_offset);
    l->done(l->arg, NULL, TAKE(l->snapshot));
}

void db_pg_load(struct db *base, const struct uuid *bus_id, db_loaded *done, void *arg)
{
    struct pg *pg = db_pg_of(base)->batch;
    struct loading *l = mem_alloc(sizeof *l);
    *l = (struct loading){.snapshot = snapshot_new(), .done = done, .arg = arg};
    cleanup_pg_params struct pg_params p = {0};
    pg_add_int8(&p, db_pg_of(base)->most_runs);
    pg_add_int8(&p, db_pg_of(base)->most_pipelines);
    pg_add_int8(&p, db_pg_of(base)->most_workers);
    pg_exec(pg, QUERY_LEADER_BOUNDS, &p, NULL, NULL);
    pg_exec(pg, QUERY_LOAD_LEADER, NULL, leader_read, l);
    pg_add_int8(&p, -1);
    pg_exec(pg, QUERY_LOAD_PIPELINES, &p, pipelines_read, l);
    pg_exec(pg, QUERY_LOAD_VERSIONS, NULL, versions_read, l);
    pg_exec(pg, QUERY_LOAD_RUNS, NULL, runs_read, l);
    pg_exec(pg, QUERY_LOAD_STEPS, NULL, steps_read, l);
    pg_exec(pg, QUERY_LOAD_RESULTS, NULL, results_read, l);
    pg_exec(pg, QUERY_LOAD_GROUPS, NULL, groups_read, l);
    pg_exec(pg, QUERY_LOAD_FINALLYS, NULL, finallys_read, l);
    pg_exec(pg, QUERY_LOAD_STARTS, NULL, starts_read, l);
    pg_exec(pg, QUERY_LOAD_ADOPTED_RUNS, NULL, runs_read, l);
    pg_exec(pg, QUERY_LOAD_ADOPTED_RESULTS, NULL, results_read, l);
    pg_exec(pg, QUERY_LOAD_ADOPTED_GROUPS, NULL, groups_read, l);
    l->snapshot->has_limits = true;
    pg_exec(pg, QUERY_LOAD_LIMITS, NULL, limits_read, l);
    pg_exec(pg, QUERY_LOAD_POOLS, NULL, pools_read, l);
    pg_exec(pg, QUERY_LOAD_WORKERS, NULL, workers_read, l);
    pg_add_uuid(&p, bus_id);
    pg_call(pg, QUERY_LOAD_OFFSETS, &p, offsets_read, l);
}

/* What a batch needs to know before the core may take it in. Most batches need one statement's
 * answer; the catalog and finished runs are asked for only when there is something to bring. */
#include "common/base/mem.h"
#include "scheduler/shell/db_pg_internal.h"

struct fetching {
    struct db_pg *db;
    db_fetched *done;
    void *arg;
    struct db_wanted wanted; /* copies */
    struct db_wanted_version *versions;
    struct uuid *runs;
    struct core_cached_wanted *cached;
    bool *seen, *tombstoned;
    size_t id_count;
    int64_t gen; /* of the catalog, now */
    struct snapshot *delta;
};

static void finish(struct fetching *f, const struct err *err)
{
    const struct db_found found = {
        .seen = f->seen, .tombstoned = f->tombstoned, .delta = err ? NULL : f->delta};
    if (err)
        snapshot_free(f->delta);
    f->done(f->arg, err, err ? NULL : &found);
    for (size_t i = 0; i < f->wanted.version_count; i++) {
        free((char *)(uintptr_t)f->versions[i].pipeline);
        free((char *)(uintptr_t)f->versions[i].hash);
    }
    free(f->cached);
    free(f->versions);
    free(f->runs);
    free(f->seen);
    free(f->tombstoned);
    free(f);
}

/* ---- the delta ------------------------------------------------------------------------------ */

static void delta_gen(void *arg, const struct pg_answer *answer)
{
    struct fetching *f = arg;
    if (pg_row_count(answer->rows) > 0)
        f->delta->catalog_gen = pg_int(answer->rows, 0, 0);
}

#define READ(what, take)                                                                           \
    static void delta_##what(void *arg, const struct pg_answer *answer)                            \
    {                                                                                              \
        db_pg_take_rows(((struct fetching *)arg)->delta, answer->rows, take);                      \
    }
READ(pipelines, db_pg_take_pipeline)
READ(versions, db_pg_take_version)
READ(runs, db_pg_take_run)
READ(groups, db_pg_take_group)
READ(limits, db_pg_take_limit)
READ(pools, db_pg_take_pool)
READ(cached, db_pg_take_cached)
#undef READ

/* The last of the group. */
static void delta_results(void *arg, const struct pg_answer *answer)
{
    struct fetching *f = arg;
    db_pg_take_rows(f->delta, answer->rows, db_pg_take_result);
    finish(f, answer->err);
}

static void put_runs(const struct fetching *f, struct pg_params *p)
{
    pg_array_begin(p, PG_UUID);
    for (size_t i = 0; i < f->wanted.run_count; i++)
        pg_add_uuid(p, &f->runs[i]);
    pg_array_end(p);
}

static void put_versions(const struct fetching *f, struct pg_params *p)
{
    pg_array_begin(p, PG_TEXT);
    for (size_t i = 0; i < f->wanted.version_count; i++)
        pg_add_text(p, f->versions[i].pipeline);
    pg_array_end(p);
    pg_array_begin(p, PG_TEXT);
    for (size_t i = 0; i < f->wanted.version_count; i++)
        pg_add_text(p, f->versions[i].hash);
    pg_array_end(p);
}

static void put_cached(const struct fetching *f, struct pg_params *p)
{
    pg_array_begin(p, PG_TEXT);
    for (size_t i = 0; i < f->wanted.cached_count; i++)
        pg_add_text(p, f->cached[i].key);
    pg_array_end(p);
    pg_array_begin(p, PG_TIMESTAMPTZ);
    for (size_t i = 0; i < f->wanted.cached_count; i++)
        pg_add_time(p, f->cached[i].since_us);
    pg_array_end(p);
}

static void fetch_delta(struct fetching *f)
{
    struct pg *pg = f->db->batch;
    cleanup_pg_params struct pg_params p = {0};
    f->delta = snapshot_new();
    pg_exec(pg, QUERY_FETCH_CATALOG_GEN, NULL, delta_gen, f); /* first: it may move meanwhile */
    pg_add_int8(&p, f->wanted.catalog_gen);
    pg_exec(pg, QUERY_LOAD_PIPELINES, &p, delta_pipelines, f);
    f->delta->has_limits = true;
    pg_exec(pg, QUERY_LOAD_LIMITS, NULL, delta_limits, f);
    pg_exec(pg, QUERY_LOAD_POOLS, NULL, delta_pools, f);
    pg_add_int8(&p, f->wanted.catalog_gen);
    put_runs(f, &p);
    put_versions(f, &p);
    pg_exec(pg, QUERY_FETCH_VERSIONS, &p, delta_versions, f);
    put_runs(f, &p);
    pg_exec(pg, QUERY_FETCH_RUNS, &p, delta_runs, f);
    if (f->wanted.cached_count) {
        put_cached(f, &p);
        pg_exec(pg, QUERY_FETCH_CACHED, &p, delta_cached, f);
    }
    put_runs(f, &p);
    pg_exec(pg, QUERY_FETCH_GROUPS, &p, delta_groups, f);
    put_runs(f, &p);
    pg_call(pg, QUERY_FETCH_RESULTS, &p, delta_results, f);
}

/* ---- the inbox ------------------------------------------------------------------------------ */

static void gen_read(void *arg, const struct pg_answer *answer)
{
    struct fetching *f = arg;
    if (pg_row_count(answer->rows) > 0)
        f->gen = pg_int(answer->rows, 0, 0);
}

static void seen_read(void *arg, const struct pg_answer *answer)
{
    struct fetching *f = arg;
    if (answer->err) {
        finish(f, answer->err);
        return;
    }
    for (size_t i = 0; i < f->id_count && i < pg_row_count(answer->rows); i++) {
        f->seen[i] = pg_bool(answer->rows, i, 0);
        f->tombstoned[i] = pg_bool(answer->rows, i, 1);
    }
    if (f->gen > f->wanted.catalog_gen || f->wanted.run_count || f->wanted.version_count ||
        f->wanted.cached_count)
        fetch_delta(f);
    else
        finish(f, NULL);
}

static struct fetching *copy_wanted(const struct db_wanted *wanted)
{
    struct fetching *f = mem_alloc(sizeof *f);
    f->wanted = *wanted;
    f->id_count = wanted->id_count;
    f->seen = mem_array(wanted->id_count, sizeof *f->seen);
    f->tombstoned = mem_array(wanted->id_count, sizeof *f->tombstoned);
    f->runs = mem_array(wanted->run_count, sizeof *f->runs);
    for (size_t i = 0; i < wanted->run_count; i++)
        f->runs[i] = wanted->runs[i];
    f->versions = mem_array(wanted->version_count, sizeof *f->versions);
    for (size_t i = 0; i < wanted->version_count; i++)
        f->versions[i] = (struct db_wanted_version){mem_string(wanted->versions[i].pipeline),
                                                    mem_string(wanted->versions[i].hash)};
    f->cached = mem_array(wanted->cached_count, sizeof *f->cached);
    for (size_t i = 0; i < wanted->cached_count; i++)
        f->cached[i] = wanted->cached[i];
    return f;
}

void db_pg_fetch(struct db *base, const struct db_wanted *wanted, db_fetched *done, void *arg)
{
    struct fetching *f = copy_wanted(wanted);
    f->db = db_pg_of(base);
    f->done = done;
    f->arg = arg;
    cleanup_pg_params struct pg_params p = {0};
    pg_exec(f->db->batch, QUERY_FETCH_CATALOG_GEN, NULL, gen_read, f);
    pg_array_begin(&p, PG_UUID);
    for (size_t i = 0; i < wanted->id_count; i++)
        pg_add_uuid(&p, &wanted->ids[i]);
    pg_array_end(&p);
    pg_call(f->db->batch, QUERY_FETCH_SEEN, &p, seen_read, f);
}

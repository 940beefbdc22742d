/* Rows of the load_… and fetch_… statements into a snapshot; the columns are in their order. */
#include <string.h>

#include "common/base/log.h"
#include "scheduler/shell/db_pg_internal.h"

void db_pg_take_rows(struct snapshot *s, const struct pg_rows *rows, db_pg_take *take)
{
    const size_t n = pg_row_count(rows);
    for (size_t row = 0; row < n; row++)
        take(s, rows, row);
}

static const char *text(struct snapshot *s, const struct pg_rows *rows, size_t row, int column)
{
    return snapshot_text(s, pg_text_or_null(rows, row, column));
}

/* jsonb only lets well-formed text in. */
static json_t *json(const struct pg_rows *rows, size_t row, int column)
{
    const char *value = pg_text_or_null(rows, row, column);
    return value ? json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
}

/* The CHECKs of the tables keep other states out. */
static uint8_t state(const struct machine *machine, const struct pg_rows *rows, size_t row,
                     int column)
{
    const int parsed = machine_parse(machine, pg_text(rows, row, column));
    if (parsed < 0)
        log_error("a row has a state that this build does not know",
                  LOG_S("state", pg_text(rows, row, column)));
    return parsed < 0 ? 0 : (uint8_t)parsed;
}

void db_pg_take_version(struct snapshot *s, const struct pg_rows *rows, size_t row)
{
    struct snapshot_version *v = snapshot_add_versions(s);
    v->pipeline = text(s, rows, row, 0);
    v->hash = text(s, rows, row, 1);
    v->ir = json(rows, row, 2);
}

void db_pg_take_pipeline(struct snapshot *s, const struct pg_rows *rows, size_t row)
{
    struct snapshot_pipeline *p = snapshot_add_pipelines(s);
    p->name = text(s, rows, row, 0);
    p->version = text(s, rows, row, 1);
    p->paused = pg_bool(rows, row, 2);
    p->deleted = pg_bool(rows, row, 3);
    p->next_number = pg_int(rows, row, 4);
    p->gen = pg_int(rows, row, 5);
    p->paused_triggers = json(rows, row, 6);
}

void db_pg_take_run(struct snapshot *s, const struct pg_rows *rows, size_t row)
{
    struct snapshot_run *r = snapshot_add_runs(s);
    r->id = pg_uuid(rows, row, 0);
    r->pipeline = text(s, rows, row, 1);
    r->version = text(s, rows, row, 2);
    r->name = text(s, rows, row, 3);
    r->number = pg_int(rows, row, 4);
    r->experiment = text(s, rows, row, 5);
    r->state = state(&MACHINE_RUN, rows, row, 6);
    r->reason = text(s, rows, row, 7);
    r->trigger = text(s, rows, row, 8);
    r->event = pg_uuid(rows, row, 9);
    r->params = json(rows, row, 10);
    r->vars = json(rows, row, 11);
    r->retry_of = pg_uuid(rows, row, 12);
    r->created_us = pg_time(rows, row, 13);
    r->started_us = pg_time(rows, row, 14);
    r->cancelled_us = pg_time(rows, row, 15);
    r->envelope = json(rows, row, 16);
    r->retry_from = text(s, rows, row, 17);
    r->again = text(s, rows, row, 18);
    r->concurrency_key = text(s, rows, row, 19);
    r->no_cache = pg_bool(rows, row, 20);
}

void db_pg_take_step(struct snapshot *s, const struct pg_rows *rows, size_t row)
{
    struct snapshot_step *t = snapshot_add_steps(s);
    t->run = pg_uuid(rows, row, 0);
    t->step = (int32_t)pg_int(rows, row, 1);
    t->iteration = (int32_t)pg_int(rows, row, 2);
    t->state = state(&MACHINE_STEP, rows, row, 3);
    t->attempt = (int32_t)pg_int(rows, row, 4);
    t->attempt_id = pg_uuid(rows, row, 5);
    t->nonce = pg_int(rows, row, 6);
    t->worker = text(s, rows, row, 7);
    t->incarnation = pg_uuid(rows, row, 8);
    t->since_us = pg_time(rows, row, 9);
    t->started_us = pg_time(rows, row, 10);
    t->due_us = pg_int(rows, row, 11);
    t->lost = (int32_t)pg_int(rows, row, 12);
    t->reason = text(s, rows, row, 13);
    t->leave = pg_bool(rows, row, 14);
    t->limits = json(rows, row, 15);
    t->pool = text(s, rows, row, 16);
    t->slots = (int32_t)pg_int(rows, row, 17);
}

void db_pg_take_result(struct snapshot *s, const struct pg_rows *rows, size_t row)
{
    struct snapshot_result *r = snapshot_add_results(s);
    r->run = pg_uuid(rows, row, 0);
    r->step = (int32_t)pg_int(rows, row, 1);
    r->iteration = (int32_t)pg_int(rows, row, 2);
    r->state = state(&MACHINE_STEP, rows, row, 3);
    r->attempt = (int32_t)pg_int(rows, row, 4);
    r->attempt_id = pg_uuid(rows, row, 5);
    r->outputs = json(rows, row, 6);
    r->metrics = json(rows, row, 7);
    r->log = json(rows, row, 8);
    r->reason = text(s, rows, row, 9);
    r->image = text(s, rows, row, 10);
    r->cached_from = pg_uuid(rows, row, 11);
}

void db_pg_take_cached(struct snapshot *s, const struct pg_rows *rows, size_t row)
{
    struct snapshot_cached *c = snapshot_add_cached(s);
    c->place = (size_t)pg_int(rows, row, 0);
    c->run = pg_uuid(rows, row, 1);
    c->outputs = json(rows, row, 2);
    c->metrics = json(rows, row, 3);
    c->image = text(s, rows, row, 4);
}

void db_pg_take_group(struct snapshot *s, const struct pg_rows *rows, size_t row)
{
    struct snapshot_group *g = snapshot_add_groups(s);
    g->run = pg_uuid(rows, row, 0);
    g->step = (int32_t)pg_int(rows, row, 1);
    g->iteration = (int32_t)pg_int(rows, row, 2);
    g->attempt = (int32_t)pg_int(rows, row, 3);
    g->first = (int32_t)pg_int(rows, row, 4);
    g->count = (int32_t)pg_int(rows, row, 5);
    g->branch = (int32_t)pg_int(rows, row, 6);
    g->items = json(rows, row, 7);
}

void db_pg_take_finally(struct snapshot *s, const struct pg_rows *rows, size_t row)
{
    struct snapshot_finally *f = snapshot_add_finallys(s);
    f->run = pg_uuid(rows, row, 0);
    f->iteration = (int32_t)pg_int(rows, row, 1);
    f->started_us = pg_time(rows, row, 2);
    f->up = pg_bool(rows, row, 3);
}

void db_pg_take_limit(struct snapshot *s, const struct pg_rows *rows, size_t row)
{
    struct snapshot_limit *l = snapshot_add_limits(s);
    l->name = text(s, rows, row, 0);
    l->n = pg_int(rows, row, 1);
}

void db_pg_take_pool(struct snapshot *s, const struct pg_rows *rows, size_t row)
{
    struct snapshot_pool *p = snapshot_add_pools(s);
    p->name = text(s, rows, row, 0);
    p->slots = pg_int(rows, row, 1);
    p->path = text(s, rows, row, 2);
}

void db_pg_take_start(struct snapshot *s, const struct pg_rows *rows, size_t row)
{
    struct snapshot_start *t = snapshot_add_starts(s);
    t->child = pg_uuid(rows, row, 0);
    t->parent = pg_uuid(rows, row, 1);
    t->step = (int32_t)pg_int(rows, row, 2);
    t->iteration = (int32_t)pg_int(rows, row, 3);
    t->attempt = (int32_t)pg_int(rows, row, 4);
    t->depth = (int32_t)pg_int(rows, row, 5);
}

void db_pg_take_worker(struct snapshot *s, const struct pg_rows *rows, size_t row)
{
    struct snapshot_worker *w = snapshot_add_workers(s);
    w->id = text(s, rows, row, 0);
    w->incarnation = pg_uuid(rows, row, 1);
    w->boot = text(s, rows, row, 2);
    w->state = state(&MACHINE_WORKER, rows, row, 3);
    w->report_n = pg_int(rows, row, 4);
    w->info = json(rows, row, 5);
    w->heard_us = pg_time(rows, row, 6);
}

void db_pg_take_offset(struct snapshot *s, const struct pg_rows *rows, size_t row)
{
    struct bus_position *p = snapshot_add_offsets(s);
    const char *topic = pg_text(rows, row, 0);
    memcpy(p->topic, topic, strnlen(topic, sizeof p->topic - 1));
    p->partition = (int32_t)pg_int(rows, row, 1);
    p->offset = pg_int(rows, row, 2);
}

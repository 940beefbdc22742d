/* What load and fetch answer: rows as the core takes them in. */
#include <stdlib.h>
#include <string.h>
#include "common/base/mem.h"
#include "tests/sim/database/database.h"
#include "tests/sim/plan/plan.h"

static json_t *parsed(const char *text)
{
    return text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
}

static void add_version(struct snapshot *s, const struct plan_pipeline *p,
                        const struct plan_version *v)
{
    for (size_t i = 0; i < s->versions_count; i++)
        if (strcmp(s->versions[i].hash, v->hash) == 0 &&
            strcmp(s->versions[i].pipeline, p->name) == 0)
            return;
    struct snapshot_version *row = snapshot_add_versions(s);
    row->pipeline = snapshot_text(s, p->name);
    row->hash = snapshot_text(s, v->hash);
    row->ir = json_incref(v->ir);
}

static void add_named_version(const struct database *db, struct snapshot *s, const char *pipeline,
                              const char *hash)
{
    struct plan_pipeline *p = plan_find(db->sim->plan, pipeline);
    struct plan_version *v = p ? plan_version_find(p, hash) : NULL;
    if (v)
        add_version(s, p, v);
}

/* One of any size has a file that says nothing of slots, or none. */
static void add_pool(struct snapshot *s, const struct plan_limit *slots, int i)
{
    const int n = slots->sizes[slots->count - 1].n;
    if (n == PLAN_ANY && slots->count % 2)
        return;
    struct snapshot_pool *row = snapshot_add_pools(s);
    row->name = snapshot_text(s, plan_pool_name(i));
    row->slots = n == PLAN_ANY ? -1 : n;
    row->path = snapshot_text(s, "/opt/bin:/bin");
}

/* NULL = none, as the query gives it. */
static json_t *paused_triggers(const struct plan_change *now)
{
    json_t *names = NULL;
    for (int t = 0; t < PLAN_TRIGGERS; t++) {
        if (!now->trigger_paused[t])
            continue;
        names = names ? names : json_array();
        json_array_append_new(names, json_string(plan_trigger_name(t)));
    }
    return names;
}

static void add_catalog(const struct database *db, struct snapshot *s, int64_t newer_than)
{
    const struct plan *plan = db->sim->plan;
    s->catalog_gen = db->catalog_gen;
    s->has_limits = true;
    for (int i = 0; i < PLAN_LIMITS; i++) {
        struct snapshot_limit *row = snapshot_add_limits(s);
        row->name = snapshot_text(s, plan_limit_name(i));
        row->n = plan->limits[i].sizes[plan->limits[i].count - 1].n;
    }
    for (int i = 0; i < PLAN_POOLS; i++)
        add_pool(s, &plan->limits[PLAN_LIMITS + i], i);
    for (int i = 0; i < plan->pipeline_count; i++) {
        const struct plan_pipeline *p = &plan->pipelines[i];
        const struct plan_change *now = plan_now(p);
        if (now->gen <= newer_than || p->dropped)
            continue;
        struct row_number *number = NULL;
        HASH_FIND_STR(db->numbers, p->name, number);
        struct snapshot_pipeline *row = snapshot_add_pipelines(s);
        row->name = snapshot_text(s, p->name);
        row->version = snapshot_text(s, p->versions[now->version].hash);
        row->paused = now->paused;
        row->deleted = now->deleted;
        row->paused_triggers = paused_triggers(now);
        row->next_number = number ? number->next : 1;
        row->gen = now->gen;
        add_version(s, p, &p->versions[now->version]);
    }
}

static void add_run(const struct database *db, struct snapshot *s, const struct row_run *from)
{
    struct row_event *event = NULL;
    HASH_FIND(hh, db->events, &from->event, sizeof from->event, event);
    struct snapshot_run *row = snapshot_add_runs(s);
    row->id = from->id;
    row->pipeline = snapshot_text(s, from->pipeline);
    row->version = snapshot_text(s, from->version);
    row->name = snapshot_text(s, from->name);
    row->number = from->number;
    row->experiment = snapshot_text(s, from->experiment);
    row->state = from->state;
    row->reason = snapshot_text(s, from->reason);
    row->trigger = snapshot_text(s, from->trigger);
    row->event = from->event;
    row->envelope = event ? parsed(event->envelope) : NULL;
    row->params = parsed(from->params);
    row->vars = parsed(from->vars);
    row->retry_of = from->retry_of;
    row->no_cache = from->no_cache;
    row->retry_from = snapshot_text(s, from->retry_from);
    row->concurrency_key = snapshot_text(s, from->key);
    row->again = snapshot_text(s, from->again);
    row->created_us = from->created_us;
    row->started_us = from->started_us;
    row->cancelled_us = from->cancelled_us;
    add_named_version(db, s, from->pipeline, from->version);
}

static void add_result(struct snapshot *s, const struct row_result *from, bool finished_run)
{
    struct snapshot_result *row = snapshot_add_results(s);
    row->run = from->key.run;
    row->step = from->key.step;
    row->iteration = from->key.iteration;
    row->state = from->state;
    row->attempt = from->attempt;
    row->attempt_id = from->attempt_id;
    row->cached_from = from->cached_from;
    row->outputs = parsed(from->outputs);
    row->metrics = finished_run ? parsed(from->metrics) : NULL;
    row->log = finished_run ? parsed(from->log) : NULL;
    row->reason = snapshot_text(s, from->reason);
}

static void add_step(struct snapshot *s, const struct row_step *from)
{
    struct snapshot_step *row = snapshot_add_steps(s);
    row->run = from->key.run;
    row->step = from->key.step;
    row->iteration = from->key.iteration;
    row->state = from->state;
    row->attempt = from->attempt;
    row->attempt_id = from->attempt_id;
    row->nonce = from->nonce;
    row->worker = snapshot_text(s, from->worker);
    row->incarnation = from->incarnation;
    row->since_us = from->since_us;
    row->started_us = from->started_us;
    row->due_us = from->due_us;
    row->lost = from->lost;
    row->leave = from->leave;
    row->reason = snapshot_text(s, from->reason);
    row->limits = parsed(from->limits);
    row->pool = snapshot_text(s, from->pool);
    row->slots = from->slots;
}

static void add_group(struct snapshot *s, const struct row_group *from)
{
    struct snapshot_group *row = snapshot_add_groups(s);
    row->run = from->key.at.run;
    row->step = from->key.at.step;
    row->iteration = from->key.at.iteration;
    row->attempt = from->key.attempt;
    row->first = from->first;
    row->count = from->count;
    row->branch = from->branch;
    row->items = parsed(from->items);
}

/* With all its results and groups. */
static void add_finished(const struct database *db, struct snapshot *s, const struct row_run *run)
{
    for (size_t i = 0; i < s->runs_count; i++)
        if (uuid_compare(&s->runs[i].id, &run->id) == 0)
            return;
    add_run(db, s, run);
    for (const struct row_result *result = db->results; result; result = result->hh.next)
        if (uuid_compare(&result->key.run, &run->id) == 0)
            add_result(s, result, true);
    for (const struct row_group *group = db->groups; group; group = group->hh.next)
        if (uuid_compare(&group->key.at.run, &run->id) == 0)
            add_group(s, group);
}

static bool has_groups(const struct database *db, const struct uuid *run)
{
    for (const struct row_group *group = db->groups; group; group = group->hh.next)
        if (uuid_compare(&group->key.at.run, run) == 0)
            return true;
    return false;
}

static void add_adopted(const struct database *db, struct snapshot *s)
{
    for (const struct row_run *run = db->runs; run; run = run->hh.next) {
        const bool adopts = !run->done && !uuid_is_nil(&run->retry_of) &&
                            (run->state == RUN_PENDING || strcmp(run->again, "rerun") == 0 ||
                             has_groups(db, &run->retry_of));
        const struct row_run *of = adopts ? database_run(db, &run->retry_of) : NULL;
        if (of)
            add_finished(db, s, of);
    }
}

static void add_workers(const struct database *db, struct snapshot *s)
{
    for (const struct row_worker *from = db->workers; from; from = from->hh.next) {
        struct snapshot_worker *row = snapshot_add_workers(s);
        row->id = snapshot_text(s, from->id);
        row->incarnation = from->incarnation;
        row->boot = snapshot_text(s, from->boot);
        row->state = from->state;
        row->report_n = from->report_n;
        row->info = parsed(from->info);
        row->heard_us = from->heard_us;
    }
}

static void add_groups(const struct database *db, struct snapshot *s)
{
    for (const struct row_group *from = db->groups; from; from = from->hh.next) {
        if (!database_run(db, &from->key.at.run)->done)
            add_group(s, from);
    }
}

static void add_finallys(const struct database *db, struct snapshot *s)
{
    for (const struct row_finally *from = db->finallys; from; from = from->hh.next)
        if (!database_run(db, &from->at.run)->done)
            *snapshot_add_finallys(s) = (struct snapshot_finally){from->at.run, from->at.iteration,
                                                                  from->started_us, from->up > 0};
}

static void add_starts(const struct database *db, struct snapshot *s)
{
    for (const struct row_start *from = db->starts; from; from = from->hh.next)
        if (!database_run(db, &from->child)->done)
            *snapshot_add_starts(s) = (struct snapshot_start){
                from->child, from->parent, from->step, from->iteration, from->attempt, from->depth};
}

struct snapshot *database_snapshot(const struct database *db)
{
    struct snapshot *s = snapshot_new();
    s->epoch = db->epoch;
    s->tx_seq = db->tx_seq;
    s->wall_us = WALL_START + db->sim->now;
    add_catalog(db, s, -1);
    for (const struct row_run *run = db->runs; run; run = run->hh.next)
        if (!run->done)
            add_run(db, s, run);
    for (const struct row_step *step = db->steps; step; step = step->hh.next)
        add_step(s, step);
    for (const struct row_result *result = db->results; result; result = result->hh.next)
        if (!database_run(db, &result->key.run)->done)
            add_result(s, result, false);
    add_groups(db, s);
    add_finallys(db, s);
    add_starts(db, s);
    add_adopted(db, s);
    add_workers(db, s);
    for (size_t i = 0; i < db->offset_count; i++) {
        struct bus_position *row = snapshot_add_offsets(s);
        memcpy(row->topic, db->offsets[i].topic, sizeof row->topic);
        row->partition = db->offsets[i].partition;
        row->offset = db->offsets[i].next;
    }
    return s;
}

static void add_cached(const struct database *db, struct snapshot *s,
                       const struct core_cached_wanted *wanted, size_t place)
{
    struct row_cached *found = NULL;
    HASH_FIND_STR(db->cached, wanted->key, found);
    const struct row_result *result = found ? database_result(db, &found->of) : NULL;
    if (!result || result->state != STEP_SUCCEEDED || found->finished_us < wanted->since_us)
        return;
    struct snapshot_cached *row = snapshot_add_cached(s);
    row->place = place;
    row->run = found->of.run;
    row->outputs = parsed(result->outputs);
    row->metrics = parsed(result->metrics);
}

struct snapshot *database_delta(const struct database *db, const struct db_wanted *wanted)
{
    bool moved = db->catalog_gen > wanted->catalog_gen;
    if (!moved && !wanted->run_count && !wanted->version_count && !wanted->cached_count)
        return NULL;
    struct snapshot *s = snapshot_new();
    add_catalog(db, s, wanted->catalog_gen);
    for (size_t i = 0; i < wanted->version_count; i++)
        add_named_version(db, s, wanted->versions[i].pipeline, wanted->versions[i].hash);
    for (size_t i = 0; i < wanted->cached_count; i++)
        add_cached(db, s, &wanted->cached[i], i);
    for (size_t i = 0; i < wanted->run_count; i++) {
        const struct row_run *run = database_run(db, &wanted->runs[i]);
        if (run && run->done)
            add_finished(db, s, run);
    }
    return s;
}

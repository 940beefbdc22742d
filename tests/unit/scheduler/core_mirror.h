/* tests/unit/scheduler/core_mirror.h: the rows that batches of a core under test would leave in
 * Postgres. For core_harness.h. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/abilities.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/ir/ir.h"
#include "common/text/json.h"
#include "scheduler/core/core.h"

struct harness {
    struct core_config config;
    struct core *core;
    struct core_now now;
    struct batch *out;
    struct snapshot *rows; /* what the database holds; results of finished runs stay */
    struct order *orders;  /* decoded, grants too */
    char **order_workers;
    size_t order_count, order_cap;
    struct uuid lives[8]; /* incarnation of each worker */
    int lives_made;
    int64_t numbers[8]; /* report numbers by worker w0, w1, … */
    size_t attempts_done, turns, step_rows, changes, partial;
    size_t most_rows; /* of one batch */
    bool mirror;
    const char *pools[8]; /* of workers; NULL = default */
    bool older[8];        /* workers of a version that knows no abilities */
    char detail[600];     /* of the last command's verdict */
    bool accepted, busy;
    struct harness_cached { /* cached_result */
        char key[SHA256_HEX];
        struct uuid run;
        int32_t step, iteration;
        int64_t finished_us;
    } cached[64];
    size_t cached_count, looked_up;
    char verdicts[256 * 1024]; /* of the last event */
};

static inline struct uuid id_of(int byte)
{
    struct uuid id = {{0x01, 0x9a, 0, 0, 0, 0, 0x70, 0, 0x80}};
    id.b[15] = (uint8_t)byte;
    return id;
}

static inline bool same_id(const struct uuid *a, const struct uuid *b)
{
    return uuid_compare(a, b) == 0;
}

/* ---- the mirror ---------------------------------------------------------------------------- */

static __attribute__((noinline, unused)) struct snapshot_run *row_of_run(struct harness *h,
                                                                         struct uuid id)
{
    for (size_t i = 0; i < h->rows->runs_count; i++)
        if (same_id(&h->rows->runs[i].id, &id))
            return &h->rows->runs[i];
    return NULL;
}

static __attribute__((noinline, unused)) struct snapshot_step *row_of_instance(struct harness *h,
                                                                               struct uuid run,
                                                                               int step,
                                                                               int iteration)
{
    for (size_t i = 0; i < h->rows->steps_count; i++)
        if (same_id(&h->rows->steps[i].run, &run) && h->rows->steps[i].step == step &&
            h->rows->steps[i].iteration == iteration)
            return &h->rows->steps[i];
    return NULL;
}

static __attribute__((noinline, unused)) struct snapshot_result *result_of_instance(
    struct harness *h, struct uuid run, int step, int iteration)
{
    for (size_t i = 0; i < h->rows->results_count; i++)
        if (same_id(&h->rows->results[i].run, &run) && h->rows->results[i].step == step &&
            h->rows->results[i].iteration == iteration)
            return &h->rows->results[i];
    return NULL;
}

/* Of the run's own DAG. */
static __attribute__((noinline, unused)) struct snapshot_step *row_of_step(struct harness *h,
                                                                           struct uuid run,
                                                                           int step)
{
    return row_of_instance(h, run, step, 0);
}

static __attribute__((noinline, unused)) struct snapshot_result *row_of_result(struct harness *h,
                                                                               struct uuid run,
                                                                               int step)
{
    return result_of_instance(h, run, step, 0);
}

static inline json_t *json_of(const char *text)
{
    return text ? json_read(text, strlen(text), NULL, NULL) : NULL;
}

static inline void mirror_runs(struct harness *h)
{
    struct batch *b = h->out;
    for (size_t i = 0; i < b->runs_count; i++) {
        const struct batch_run *r = &b->runs[i];
        assert_null(row_of_run(h, r->id));
        *snapshot_add_runs(h->rows) = (struct snapshot_run){
            .id = r->id,
            .pipeline = snapshot_text(h->rows, r->pipeline),
            .version = snapshot_text(h->rows, r->version),
            .name = snapshot_text(h->rows, r->name),
            .number = r->number,
            .experiment = snapshot_text(h->rows, r->experiment),
            .state = r->state,
            .reason = "",
            .trigger = snapshot_text(h->rows, r->trigger),
            .event = r->event,
            .params = json_of(r->params),
            .vars = json_of(r->vars),
            .retry_of = r->retry_of,
            .retry_from = snapshot_text(h->rows, r->retry_from),
            .concurrency_key = snapshot_text(h->rows, r->concurrency_key),
            .no_cache = r->no_cache,
            .again = snapshot_text(h->rows, r->again),
            .created_us = r->created_us,
            .started_us = r->started_us,
        };
    }
    for (size_t i = 0; i < b->run_moves_count; i++) {
        const struct batch_run_move *m = &b->run_moves[i];
        struct snapshot_run *r = row_of_run(h, m->id);
        if (!r) {
            fail_msg("a move of a run without a row");
            return;
        }
        assert_false(machine_is_terminal(&MACHINE_RUN, r->state));
        r->state = m->state;
        r->reason = snapshot_text(h->rows, m->reason);
        r->started_us = m->started_us ? m->started_us : r->started_us;
        r->cancelled_us = m->cancelled_us ? m->cancelled_us : r->cancelled_us;
    }
}

static inline void mirror_steps(struct harness *h)
{
    struct batch *b = h->out;
    for (size_t i = 0; i < b->steps_count; i++) {
        const struct batch_step *s = &b->steps[i];
        assert_null(result_of_instance(h, s->run, s->step, s->iteration));
        struct snapshot_step *to = row_of_instance(h, s->run, s->step, s->iteration);
        if (!to)
            to = snapshot_add_steps(h->rows);
        json_decref(to->limits);
        *to = (struct snapshot_step){
            .run = s->run,
            .step = s->step,
            .iteration = s->iteration,
            .state = s->state,
            .attempt = s->attempt,
            .attempt_id = s->attempt_id,
            .nonce = s->nonce,
            .worker = snapshot_text(h->rows, s->worker),
            .incarnation = s->incarnation,
            .since_us = s->since_us,
            .started_us = s->started_us,
            .due_us = s->due_us,
            .lost = s->lost,
            .reason = snapshot_text(h->rows, s->reason),
            .leave = s->leave,
            .limits = json_of(s->limits),
            .pool = snapshot_text(h->rows, s->pool),
            .slots = s->slots,
        };
    }
}

static inline void mirror_results(struct harness *h)
{
    struct batch *b = h->out;
    for (size_t i = 0; i < b->results_count; i++) {
        const struct batch_result *r = &b->results[i];
        assert_null(result_of_instance(h, r->run, r->step, r->iteration)); /* at most one result */
        *snapshot_add_results(h->rows) = (struct snapshot_result){
            .run = r->run,
            .step = r->step,
            .iteration = r->iteration,
            .state = r->state,
            .attempt = r->attempt,
            .attempt_id = r->attempt_id,
            .outputs = json_of(r->outputs),
            .cached_from = r->cached_from,
            .reason = snapshot_text(h->rows, r->reason),
        };
        struct snapshot_step *live = row_of_instance(h, r->run, r->step, r->iteration);
        if (live) {
            json_decref(live->limits);
            *live = h->rows->steps[--h->rows->steps_count];
        }
    }
}

static inline void mirror_cached(struct harness *h)
{
    for (size_t i = 0; i < h->out->cached_count; i++) {
        const struct batch_cached *c = &h->out->cached[i];
        struct harness_cached *to = NULL;
        for (size_t k = 0; k < h->cached_count; k++)
            if (strcmp(h->cached[k].key, c->key) == 0)
                to = &h->cached[k];
        assert_true(to || h->cached_count < ARRAY_LEN(h->cached));
        if (!to)
            to = &h->cached[h->cached_count++];
        snprintf(to->key, sizeof to->key, "%s", c->key);
        to->run = c->run;
        to->step = c->step;
        to->iteration = c->iteration;
        to->finished_us = c->finished_us;
    }
}

/* What the shell does before a batch: asks for the earlier results that steps wait for. */
static inline void harness_look_up(struct harness *h)
{
    struct core_cached_wanted wanted[8];
    const size_t n = core_wants_cached(h->core, wanted, ARRAY_LEN(wanted));
    struct snapshot *delta = snapshot_new();
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < h->cached_count; k++) {
            const struct harness_cached *c = &h->cached[k];
            const struct snapshot_result *r = result_of_instance(h, c->run, c->step, c->iteration);
            if (!r || strcmp(c->key, wanted[i].key) != 0 || c->finished_us < wanted[i].since_us)
                continue;
            *snapshot_add_cached(delta) = (struct snapshot_cached){
                .place = i, .run = c->run, .outputs = json_incref(r->outputs)};
        }
    h->looked_up += n;
    if (n)
        core_cached(h->core, delta->cached_count ? delta : NULL);
    snapshot_free(delta);
}

static inline void mirror_groups(struct harness *h)
{
    for (size_t i = 0; i < h->out->groups_count; i++) {
        const struct batch_group *g = &h->out->groups[i];
        *snapshot_add_groups(h->rows) =
            (struct snapshot_group){g->run,   g->step,  g->iteration, g->attempt,
                                    g->first, g->count, g->branch,    json_of(g->items)};
    }
}

static inline void mirror_finallys(struct harness *h)
{
    for (size_t i = 0; i < h->out->finallys_count; i++) {
        const struct batch_finally *f = &h->out->finallys[i];
        struct snapshot_finally *row = NULL;
        for (size_t k = 0; k < h->rows->finallys_count; k++)
            if (same_id(&h->rows->finallys[k].run, &f->run) &&
                h->rows->finallys[k].iteration == f->iteration)
                row = &h->rows->finallys[k];
        assert_true(row ? f->up && !row->up && f->started_us == row->started_us : !f->up);
        if (!row)
            row = snapshot_add_finallys(h->rows);
        *row = (struct snapshot_finally){f->run, f->iteration, f->started_us, f->up};
    }
}

static inline void mirror_starts(struct harness *h)
{
    for (size_t i = 0; i < h->out->starts_count; i++) {
        const struct batch_start *b = &h->out->starts[i];
        *snapshot_add_starts(h->rows) = (struct snapshot_start){b->child,     b->parent,  b->step,
                                                                b->iteration, b->attempt, b->depth};
    }
}

static inline void mirror_workers(struct harness *h)
{
    for (size_t i = 0; i < h->out->forgets_count; i++)
        for (size_t k = 0; k < h->rows->workers_count; k++)
            if (strcmp(h->rows->workers[k].id, h->out->forgets[i].id) == 0) {
                json_decref(h->rows->workers[k].info);
                h->rows->workers[k] = h->rows->workers[--h->rows->workers_count];
            }
    for (size_t i = 0; i < h->out->workers_count; i++) {
        const struct batch_worker *w = &h->out->workers[i];
        struct snapshot_worker *to = NULL;
        for (size_t k = 0; k < h->rows->workers_count; k++)
            if (strcmp(h->rows->workers[k].id, w->id) == 0)
                to = &h->rows->workers[k];
        if (!to) {
            to = snapshot_add_workers(h->rows);
            to->id = snapshot_text(h->rows, w->id);
            assert_non_null(w->info); /* its column is NOT NULL */
        }
        to->incarnation = w->incarnation;
        to->boot = snapshot_text(h->rows, w->boot);
        to->state = w->state;
        to->report_n = w->report_n;
        to->heard_us = w->heard_us;
        if (w->info) {
            json_decref(to->info);
            to->info = json_of(w->info);
        }
    }
}

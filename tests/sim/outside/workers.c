/* What people do to workers: drain, resume, remove, and start one again that was removed. */
#include <stdio.h>
#include <string.h>
#include "tests/sim/database/database.h"
#include "tests/sim/outside/internal.h"
#include "tests/sim/worker/worker.h"

static struct sending *say(struct sim *sim, enum command_kind kind, const char *worker)
{
    struct sending *s = sending_new(sim);
    if (!s)
        return NULL;
    s->run = rng_uuid(&sim->rng); /* only the key */
    snprintf(s->worker, sizeof s->worker, "%s", worker);
    sending_command(s, &(struct command){.kind = kind, .worker = s->worker});
    return s;
}

static struct worker *worker_called(const struct sim *sim, const char *id)
{
    for (int i = 0; i < sim->worker_count; i++)
        if (strcmp(sim->workers[i]->id, id) == 0)
            return sim->workers[i];
    return NULL;
}

static const char *some_worker(struct sim *sim)
{
    if (rng_chance(&sim->rng, 0.04))
        return "nobody";
    return sim->workers[rng_in(&sim->rng, 0, sim->worker_count - 1)]->id;
}

/* ---- removed --------------------------------------------------------------------------------- */

/* By who removed it, when the answer is there: its process is ended, and begins again in the same
 * folder or in a new one. */
static void removal_answered(void *arg)
{
    struct sending *s = arg;
    struct sim *sim = s->sim;
    struct row_command *row = NULL;
    struct worker *w = worker_called(sim, s->worker);
    HASH_FIND(hh, sim->db->commands, &s->id, sizeof s->id, row);
    if (!row)
        sim_at(sim, NULL, 1 * SEC, removal_answered, s);
    if (!row || !row->accepted || !w || w->gone)
        return;
    worker_kill(w);
    w->was_removed = rng_chance(&sim->rng, 0.5);
    if (!w->was_removed)
        worker_new_folder(w);
    sim_at(sim, NULL, rng_in(&sim->rng, 10 * MS, 8 * SEC), worker_start, w);
}

void outside_remove(void *arg)
{
    struct sim *sim = arg;
    struct sending *s = say(sim, COMMAND_KIND_REMOVE, some_worker(sim));
    if (s)
        sim_at(sim, NULL, 1 * SEC, removal_answered, s);
}

/* ---- drained --------------------------------------------------------------------------------- */

static void after_drain(void *arg)
{
    const struct sending *drain = arg;
    struct sim *sim = drain->sim;
    const int64_t dice = rng_in(&sim->rng, 0, 9);
    if (dice < 5) {
        say(sim, COMMAND_KIND_RESUME, drain->worker);
    } else if (dice < 8) {
        struct sending *s = say(sim, COMMAND_KIND_REMOVE, drain->worker);
        if (s)
            sim_at(sim, NULL, 1 * SEC, removal_answered, s);
    }
}

void outside_drain(void *arg)
{
    struct sim *sim = arg;
    struct sending *s = say(sim, COMMAND_KIND_DRAIN, some_worker(sim));
    if (s)
        sim_at(sim, NULL, rng_in(&sim->rng, 10 * MS, 20 * SEC), after_drain, s);
}

static bool is_being_resumed(const struct sim *sim, const char *worker)
{
    const struct outside *o = sim->outside;
    for (int i = 0; i < o->count; i++)
        if (o->items[i].is_command && o->items[i].kind == COMMAND_KIND_RESUME &&
            strcmp(o->items[i].worker, worker) == 0 &&
            !database_has_id(sim->db->inbox, &o->items[i].id))
            return true;
    return false;
}

/* Nobody has answered its hello: there were too many ids. Some go in time. */
static void begin_refused(struct sim *sim)
{
    for (int i = 0; i < sim->worker_count; i++) {
        struct worker *w = sim->workers[i];
        if (!w->up || w->gone || w->proc->stopped || w->cut || sim->now < w->began_at + 10 * SEC ||
            database_worker(sim->db, w->id))
            continue;
        worker_kill(w);
        sim_at(sim, NULL, rng_in(&sim->rng, 10 * MS, 1 * SEC), worker_start, w);
        sim->counts.refused++;
    }
}

/* In the end somebody sees to it that all work: it may be the only one of its pool. */
void outside_resume_all(void *arg)
{
    struct sim *sim = arg;
    if (sim->quiet)
        return;
    for (const struct row_worker *row = sim->db->workers; row; row = row->hh.next)
        if (row->drained && row->state != WORKER_GONE && !is_being_resumed(sim, row->id))
            say(sim, COMMAND_KIND_RESUME, row->id);
    begin_refused(sim);
    sim_at(sim, NULL, 4 * SEC, outside_resume_all, sim);
}

bool outside_retire(const struct sim *sim, const struct uuid *command, struct retire *out)
{
    const struct outside *o = sim->outside;
    for (int i = 0; i < o->count; i++) {
        const struct sending *s = &o->items[i];
        if (s->is_command && *s->worker && uuid_compare(&s->id, command) == 0) {
            *out = (struct retire){s->worker, (int)s->kind};
            return true;
        }
    }
    return false;
}

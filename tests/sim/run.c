/* One seed from its beginning to its end. */
#include <stdlib.h>
#include "common/base/mem.h"
#include "tests/sim/check/check.h"
#include "tests/sim/faults.h"
#include "tests/sim/outside/outside.h"
#include "tests/sim/plan/plan.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/worker/worker.h"

#define PEACE_US (120 * SEC)

struct sim *sim_new(uint64_t seed, const struct keep *keep, bool keep_history)
{
    struct sim *sim = mem_alloc(sizeof *sim);
    sim->seed = seed;
    sim->rng.state = seed * 0x2545f4914f6cdd1du + 1;
    sim->keep = *keep;
    sim->keep_history = keep_history;
    sim->in_transaction = rng_chance(&sim->rng, 0.5);
    sim->calm = rng_chance(&sim->rng, 0.25);
    sim->lease_us = 10 * SEC;
    sim->lost_after_us = 25 * SEC;
    sim->grace_us = 6 * SEC;
    struct uuid id = rng_uuid(&sim->rng);
    sim->log = memory_log_new(sim_clock_world(sim), &id);
    sim->ledger = ledger_new();
    sim->db = database_new(sim);
    sim->plan = plan_new(sim);
    sim->db->catalog_gen = sim->plan->pipeline_count;
    for (int i = 0; i < SCHEDULERS; i++) {
        sim->schedulers[i] = scheduler_new(sim, i);
        sim_at(sim, NULL, rng_in(&sim->rng, 0, 2 * SEC), scheduler_start, sim->schedulers[i]);
    }
    sim->worker_count = (int)rng_in(&sim->rng, 2, 3);
    if (sim->most_workers < sim->worker_count)
        sim->most_workers = sim->worker_count + rng_in(&sim->rng, 0, 1);
    for (int i = 0; i < sim->worker_count; i++) {
        sim->workers[i] = worker_new(sim, i);
        if (rng_chance(&sim->rng, 0.05)) /* the database is older than what it has seen */
            sim->workers[i]->epoch = rng_in(&sim->rng, 2, 9);
        sim_at(sim, NULL, rng_in(&sim->rng, 0, 5 * SEC), worker_start, sim->workers[i]);
    }
    outside_new(sim);
    faults_plan(sim);
    return sim;
}

/* All tries of all steps one after the other: no schedule is longer. */
static int64_t work_left(const struct sim *sim)
{
    int64_t work = 0;
    for (const struct row_run *run = sim->db->runs; run; run = run->hh.next) {
        struct plan_pipeline *p = plan_find(sim->plan, run->pipeline);
        const struct plan_version *v = p ? plan_version_find(p, run->version) : NULL;
        for (int i = 0; v && i < v->step_count; i++)
            work += v->steps[i].times * v->steps[i].attempts *
                    (v->steps[i].takes_us * 2 + v->steps[i].queue_us + 5 * SEC);
    }
    return work;
}

static void step_until(struct sim *sim, int64_t until)
{
    int64_t commits = sim->counts.commits;
    while (sim->heap_count && sim->heap[0]->at <= until) {
        sim_step(sim);
        if (sim->counts.commits == commits)
            continue;
        commits = sim->counts.commits;
        for (int i = 0; i < SCHEDULERS; i++)
            scheduler_check(sim->schedulers[i]);
    }
    sim->now = until;
}

/* For the reader of a failure. */
static void note_live(struct sim *sim)
{
    char run[UUID_TEXT], id[UUID_TEXT];
    for (const struct row_step *step = sim->db->steps; step; step = step->hh.next)
        sim_note(sim, "live: run %s step %d is %s, attempt %d (%s) on %s: %s",
                 uuid_short(&step->key.run, run), step->key.step,
                 machine_state_name(&MACHINE_STEP, step->state), step->attempt,
                 uuid_short(&step->attempt_id, id), step->worker ? step->worker : "-",
                 step->reason);
    for (int i = 0; i < sim->worker_count; i++) {
        const struct worker *w = sim->workers[i];
        const struct row_worker *row = database_worker(sim->db, w->id);
        sim_note(sim,
                 "%s: %d to begin, %d run, %d exited, %d to acknowledge; next report %lld, "
                 "committed %lld, unacknowledged from %lld, %s",
                 w->id, worker_count(w, LOCAL_JOURNALLED), worker_count(w, LOCAL_RUNNING),
                 worker_count(w, LOCAL_EXITED), worker_count(w, LOCAL_FINISHED),
                 (long long)w->n + 1, row ? (long long)row->report_n : -1,
                 w->unacked ? (long long)w->unacked->n : 0,
                 row ? machine_state_name(&MACHINE_WORKER, row->state) : "unknown");
    }
}

static void check_ends(struct sim *sim)
{
    check_overdue(sim);
    if (sim->now < sim->healed_us + PEACE_US + work_left(sim))
        return;
    char id[UUID_TEXT];
    note_live(sim);
    for (const struct row_run *run = sim->db->runs; run; run = run->hh.next)
        if (!run->done)
            sim_fail(sim, 6, "run %s of %s is still %s", uuid_short(&run->id, id), run->pipeline,
                     machine_state_name(&MACHINE_RUN, run->state));
    for (int i = 0; i < sim->worker_count; i++)
        if (!worker_is_idle(sim->workers[i]))
            sim_fail(sim, 13,
                     "w%d is never idle: %d to begin, %d run, %d exited, %d to acknowledge", i,
                     worker_count(sim->workers[i], LOCAL_JOURNALLED),
                     worker_count(sim->workers[i], LOCAL_RUNNING),
                     worker_count(sim->workers[i], LOCAL_EXITED),
                     worker_count(sim->workers[i], LOCAL_FINISHED));
    outside_check_taken(sim);
    sim_fail(sim, 13, "events or commands are never done with");
}

void sim_run(struct sim *sim)
{
    while (!sim->healed || !check_is_done(sim)) {
        step_until(sim, sim->now + 500 * MS);
        if (sim->healed)
            check_ends(sim);
    }
    sim->quiet = true;
    for (int i = 0; i < sim->worker_count; i++)
        sim->workers[i]->silent = true;
    step_until(sim, sim->now + 8 * SEC);
    check_at_rest(sim);
}

void sim_free(struct sim *sim)
{
    sim->ending = true;
    for (int i = 0; i < SCHEDULERS; i++)
        scheduler_kill(sim->schedulers[i], -1);
    for (int i = 0; i < sim->worker_count; i++)
        if (sim->workers[i]->up)
            worker_kill(sim->workers[i]);
    outside_free(sim->outside);
    sim_drain(sim);
    for (int i = 0; i < SCHEDULERS; i++)
        scheduler_free(sim->schedulers[i]);
    for (int i = 0; i < sim->worker_count; i++)
        worker_free(sim->workers[i]);
    database_free(sim->db);
    ledger_free(sim->ledger);
    plan_free(sim->plan);
    memory_log_free(sim->log);
    while (sim->procs) {
        struct proc *next = sim->procs->next;
        free(sim->procs);
        sim->procs = next;
    }
    for (size_t i = 0; i < HISTORY; i++)
        free(sim->history[i]);
    free(sim);
}

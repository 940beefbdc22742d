#include "tests/sim/faults.h"

#include "tests/sim/database/database.h"
#include "tests/sim/outside/outside.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/worker/worker.h"

#define FAULTS_UNTIL (70 * SEC)

/* ---- what is going on ------------------------------------------------------------------------ */

static bool any_local(const struct sim *sim, enum local_state state)
{
    for (int i = 0; i < sim->worker_count; i++)
        if (worker_count(sim->workers[i], state))
            return true;
    return false;
}

static bool any_step(const struct sim *sim, int state)
{
    for (const struct row_step *step = sim->db->steps; step; step = step->hh.next)
        if (step->state == state)
            return true;
    return false;
}

static bool any_run(const struct sim *sim, int state)
{
    for (const struct row_run *run = sim->db->runs; run; run = run->hh.next)
        if (run->state == state)
            return true;
    return false;
}

static bool going_on(const struct sim *sim, enum sim_action action)
{
    switch (action) {
    case ACTION_EVENT:
        return outside_has_open(sim, false);
    case ACTION_COMMAND:
        return outside_has_open(sim, true);
    case ACTION_COMMIT:
        return sim->db->in_flight > 0;
    case ACTION_PLACED:
        return any_step(sim, STEP_PLACED);
    case ACTION_RUNNING:
        return any_local(sim, LOCAL_RUNNING);
    case ACTION_REPORT:
        return any_local(sim, LOCAL_FINISHED);
    case ACTION_WAITING:
        return any_step(sim, STEP_WAITING);
    case ACTION_CANCELLING:
        return any_run(sim, RUN_CANCELLING);
    case ACTION_QUEUED:
        return any_run(sim, RUN_QUEUED);
    case ACTION_LEADERLESS:
        return !scheduler_leads(sim->schedulers[0]) && !scheduler_leads(sim->schedulers[1]);
    case ACTION_COUNT:
        break;
    }
    return false;
}

/* ---- healing --------------------------------------------------------------------------------- */

static void db_up(void *arg)
{
    struct sim *sim = arg;
    sim->db->down = false;
}

static void bus_up(void *arg)
{
    struct sim *sim = arg;
    memory_log_set_down(sim->log, false);
}

static void scheduler_continue(void *arg)
{
    struct scheduler *s = arg;
    if (!s->proc || !s->proc->stopped)
        return;
    proc_go_on(s->proc);
    memory_bus_reset(s->bus); /* its connection may have been lost meanwhile */
}

static void scheduler_join(void *arg)
{
    scheduler_cut(arg, false, false);
}

static void worker_continue(void *arg)
{
    struct worker *w = arg;
    if (!w->up || !w->proc->stopped)
        return;
    proc_go_on(w->proc);
    memory_bus_reset(w->bus);
}

static void worker_join(void *arg)
{
    struct worker *w = arg;
    if (w->cut)
        worker_set_cut(w, false);
}

void faults_heal(void *arg)
{
    struct sim *sim = arg;
    sim_note(sim, "---- peace ----");
    sim->healed = true;
    sim->healed_us = sim->now;
    db_up(sim);
    bus_up(sim);
    sim->bus_slow_until = sim->db_slow_until = 0;
    sim->publish_unknown = 0;
    sim->db->next_commit = COMMIT_FINE;
    for (int i = 0; i < SCHEDULERS; i++) {
        scheduler_continue(sim->schedulers[i]);
        scheduler_join(sim->schedulers[i]);
        scheduler_start(sim->schedulers[i]);
    }
    for (int i = 0; i < sim->worker_count; i++) {
        worker_continue(sim->workers[i]);
        worker_join(sim->workers[i]);
        worker_start(sim->workers[i]);
    }
}

/* ---- striking -------------------------------------------------------------------------------- */

/* How long: near nothing, a lease, or what loses an attempt. */
static int64_t some_time(struct sim *sim)
{
    if (sim->calm && rng_chance(&sim->rng, 0.4))
        return sim->lost_after_us + sim->lease_us + rng_in(&sim->rng, 0, 5 * SEC);
    switch (rng_in(&sim->rng, 0, 4)) {
    case 0:
        return rng_in(&sim->rng, 10 * MS, 1 * SEC);
    case 1:
        return sim->lease_us + rng_in(&sim->rng, -1 * SEC, 5 * SEC);
    case 2:
        return sim->lost_after_us + rng_in(&sim->rng, -3 * SEC, 3 * SEC);
    case 3:
        return sim->lost_after_us + sim->lease_us + rng_in(&sim->rng, -5 * SEC, 5 * SEC);
    default:
        return rng_in(&sim->rng, 1 * SEC, 8 * SEC);
    }
}

static struct scheduler *some_scheduler(struct sim *sim)
{
    int first = (int)rng_in(&sim->rng, 0, 1);
    struct scheduler *s = sim->schedulers[first];
    return scheduler_leads(s) || rng_chance(&sim->rng, 0.3) ? s : sim->schedulers[!first];
}

static void crash_log(struct sim *sim)
{
    for (int i = 0; i < SCHEDULERS; i++)
        if (sim->schedulers[i]->proc && !sim->schedulers[i]->proc->stopped)
            memory_bus_reset(sim->schedulers[i]->bus);
    for (int i = 0; i < sim->worker_count; i++)
        if (sim->workers[i]->up && !sim->workers[i]->proc->stopped)
            memory_bus_reset(sim->workers[i]->bus);
    database_crash(sim->db);
}

/* Reports were acknowledged without a flush: those that no commit has read may be gone. */
static void lose_reports(struct sim *sim)
{
    if (!sim->in_transaction)
        return;
    for (int32_t p = 0; p < memory_log_partitions(sim->log, TOPIC_REPORTS); p++) {
        int64_t end = memory_log_end(sim->log, TOPIC_REPORTS, p);
        int64_t read = database_offset(sim->db, TOPIC_REPORTS, p);
        if (read < end)
            memory_log_cut(sim->log, TOPIC_REPORTS, p, rng_in(&sim->rng, read, end));
    }
}

static void strike_scheduler(struct sim *sim, enum sim_fault fault)
{
    struct scheduler *s = some_scheduler(sim);
    int64_t time = some_time(sim);
    switch (fault) {
    case FAULT_SCHEDULER_KILL:
        scheduler_kill(s, rng_in(&sim->rng, 50 * MS, 5 * SEC));
        return;
    case FAULT_SCHEDULER_KILL_ALL:
        scheduler_kill(sim->schedulers[0], rng_in(&sim->rng, 50 * MS, 5 * SEC));
        scheduler_kill(sim->schedulers[1], rng_in(&sim->rng, 50 * MS, 5 * SEC));
        return;
    case FAULT_SCHEDULER_STOP:
        if (s->proc)
            proc_stop(s->proc);
        sim_at(sim, NULL, time, scheduler_continue, s);
        return;
    case FAULT_WALL_JUMP:
        sim->skewed = true;
        s->wall_skew = rng_in(&sim->rng, -7200, 7200) * SEC;
        sim->counts.wall_jumps++;
        return;
    case FAULT_DB_CUT:
        scheduler_cut(s, true, s->bus_cut);
        sim_at(sim, NULL, time, scheduler_join, s);
        return;
    default:
        scheduler_cut(s, s->db_cut, true);
        sim_at(sim, NULL, time, scheduler_join, s);
        return;
    }
}

/* Of its pool: who can do its work. */
static bool has_others(const struct worker *w)
{
    const struct sim *sim = w->sim;
    for (int i = 0; i < sim->worker_count; i++)
        if (sim->workers[i] != w && sim->workers[i]->pool == w->pool)
            return true;
    return false;
}

static void strike_worker(struct sim *sim, enum sim_fault fault)
{
    struct worker *w = sim->workers[rng_in(&sim->rng, 0, sim->worker_count - 1)];
    int64_t time = some_time(sim);
    switch (fault) {
    case FAULT_WORKER_KILL:
        worker_kill(w);
        sim_at(sim, NULL, rng_chance(&sim->rng, 0.7) ? time / 10 : time, worker_start, w);
        return;
    case FAULT_WORKER_STOP:
        if (w->up)
            proc_stop(w->proc);
        sim_at(sim, NULL, time, worker_continue, w);
        return;
    case FAULT_WORKER_CUT:
        worker_set_cut(w, true);
        sim_at(sim, NULL, time, worker_join, w);
        return;
    case FAULT_WORKER_BOOT:
        worker_boot(w);
        sim_at(sim, NULL, time, worker_start, w);
        return;
    case FAULT_WORKER_GONE:
        if (has_others(w) && sim->gone++ == 0 && sim->now < FAULTS_UNTIL - 10 * SEC)
            worker_lose(w); /* one at most: the others can still do the work */
        else
            worker_kill(w);
        sim_at(sim, NULL, time / 10, worker_start, w);
        return;
    case FAULT_KEEPER_KILL:
        worker_kill_keeper(w);
        return;
    default:
        worker_lie(w);
        return;
    }
}

static void strike_rest(struct sim *sim, enum sim_fault fault)
{
    switch (fault) {
    case FAULT_DB_DOWN:
        sim->db->down = true;
        database_crash(sim->db);
        sim_at(sim, NULL, some_time(sim), db_up, sim);
        return;
    case FAULT_DB_SLOW:
        sim->db_slow_until = sim->now + rng_in(&sim->rng, 1 * SEC, 8 * SEC);
        return;
    case FAULT_COMMIT_UNKNOWN_IN:
        sim->db->next_commit = COMMIT_UNKNOWN_IN;
        return;
    case FAULT_COMMIT_UNKNOWN_OUT:
        sim->db->next_commit = COMMIT_UNKNOWN_OUT;
        return;
    case FAULT_COMMIT_NOT_IN:
        sim->db->next_commit = COMMIT_NOT_IN;
        return;
    case FAULT_COMMIT_LATE:
        sim->db->next_commit = COMMIT_LATE;
        return;
    case FAULT_BUS_DOWN:
        memory_log_set_down(sim->log, true);
        sim_at(sim, NULL, some_time(sim), bus_up, sim);
        return;
    case FAULT_BUS_SLOW:
        sim->bus_slow_until = sim->now + rng_in(&sim->rng, 1 * SEC, 8 * SEC);
        return;
    case FAULT_BUS_CRASH:
        lose_reports(sim);
        crash_log(sim);
        return;
    case FAULT_PUBLISH_UNKNOWN:
        sim->publish_unknown = (int)rng_in(&sim->rng, 1, 6);
        return;
    default:
        outside_bad_records(sim);
        return;
    }
}

/* Calm seeds look at workers twice as often: theirs are the slow faults. */
static enum sim_fault some_fault(struct sim *sim)
{
    if (sim->calm && rng_chance(&sim->rng, 0.5))
        return (enum sim_fault)rng_in(&sim->rng, FAULT_WORKER_KILL, FAULT_WORKER_CUT);
    return (enum sim_fault)rng_in(&sim->rng, 0, FAULT_COUNT - 1);
}

/* In a calm seed one fault has the time to come to its end: a silence is judged, a fuse burns. */
static int64_t next_strike(struct sim *sim)
{
    return sim->calm ? rng_in(&sim->rng, 5 * SEC, 40 * SEC) : rng_in(&sim->rng, 200 * MS, 7 * SEC);
}

static void strike_with(struct sim *sim, int n, enum sim_fault fault)
{
    sim_note(sim, "fault %d: %s", n, fault_name(fault));
    for (int action = 0; action < ACTION_COUNT; action++)
        sim->counts.pairs[fault][action] += going_on(sim, (enum sim_action)action);
    sim->counts.faults++;
    sim_changed(sim);
    if (fault <= FAULT_WALL_JUMP || fault == FAULT_DB_CUT || fault == FAULT_BUS_CUT)
        strike_scheduler(sim, fault);
    else if (fault >= FAULT_WORKER_KILL)
        strike_worker(sim, fault);
    else
        strike_rest(sim, fault);
}

/* The n-th of a seed: when, which and how come out of its own stream of chance. */
static void strike(void *arg)
{
    struct sim *sim = arg;
    if (sim->healed)
        return;
    const struct rng world = sim->rng;
    const int n = sim->planned.faults++;
    sim->rng = sim_stream(sim, STREAM_FAULTS, n);
    enum sim_fault fault = some_fault(sim);
    sim_at(sim, NULL, next_strike(sim), strike, sim);
    if (keep_fault(&sim->keep, n) && !(sim->keep.without >> fault & 1u))
        strike_with(sim, n, fault);
    sim->rng = world;
}

void faults_plan(struct sim *sim)
{
    sim_at(sim, NULL, rng_in(&sim->rng, 1 * SEC, 6 * SEC), strike, sim);
    sim_at(sim, NULL, FAULTS_UNTIL, faults_heal, sim);
}

#include "tests/sim/scheduler.h"

#include <stdlib.h>
#include "common/base/mem.h"

struct world_timer {
    struct scheduler *s;
    world_fn *fn;
    void *arg;
    uint64_t armed; /* which arming is valid; 0 = none */
    uint64_t count;
    int refs; /* the owner and the events on their way */
};

struct fired {
    struct world_timer *timer;
    uint64_t armed;
};

struct sim_world {
    struct world base;
    struct scheduler *s;
};

static int64_t mono(struct world *world)
{
    const struct scheduler *s = ((struct sim_world *)world)->s;
    return s->sim->now + 1000 * SEC * (s->index + 1);
}

static int64_t wall(struct world *world)
{
    const struct scheduler *s = ((struct sim_world *)world)->s;
    return WALL_START + s->sim->now + s->wall_skew;
}

static void defer(struct world *world, world_fn *fn, void *arg)
{
    struct scheduler *s = ((struct sim_world *)world)->s;
    sim_at(s->sim, s->proc, 0, fn, arg);
}

static struct world_timer *timer_new(struct world *world, world_fn *fn, void *arg)
{
    struct world_timer *timer = mem_alloc(sizeof *timer);
    *timer =
        (struct world_timer){.s = ((struct sim_world *)world)->s, .fn = fn, .arg = arg, .refs = 1};
    return timer;
}

static void timer_unref(struct world_timer *timer)
{
    if (--timer->refs == 0)
        free(timer);
}

static void timer_fires(void *arg)
{
    struct fired fired = *(struct fired *)arg;
    free(arg);
    if (fired.timer->armed == fired.armed) {
        fired.timer->armed = 0;
        fired.timer->fn(fired.timer->arg);
    }
    timer_unref(fired.timer);
}

static void timer_set(struct world_timer *timer, int64_t after_us)
{
    struct fired *fired = mem_alloc(sizeof *fired);
    timer->armed = ++timer->count;
    timer->refs++;
    *fired = (struct fired){timer, timer->armed};
    sim_always(timer->s->sim, timer->s->proc, after_us, timer_fires, fired);
}

static void timer_stop(struct world_timer *timer)
{
    timer->armed = 0;
}

static void timer_free(struct world_timer *timer)
{
    if (!timer)
        return;
    timer->armed = 0;
    timer_unref(timer);
}

static const struct world_ops ops = {mono,      wall,       defer,     timer_new,
                                     timer_set, timer_stop, timer_free};

/* ---- life ------------------------------------------------------------------------------------ */

static void bus_fate(void *ctx, enum memory_op op, const char *topic, struct memory_fate *fate)
{
    struct scheduler *s = ctx;
    if (op == MEMORY_ENDS)
        s->ends_at = s->sim->now;
    if (op == MEMORY_TRIM)
        s->sim->counts.trims++;
    sim_bus_fate(s->proc, op, topic, fate);
}

static void buried(void *arg)
{
    struct scheduler *s = arg;
    scheduler_kill(s, rng_in(&s->sim->rng, 100 * MS, 1 * SEC));
}

static int64_t shell_holds(const struct scheduler *s)
{
    struct shell_stats stats;
    shell_stats(s->shell, &stats);
    return stats.epoch;
}

static int64_t sim_epoch(const struct scheduler *s)
{
    return s->sim->db->epoch;
}

static void ended(void *arg, const struct err *why)
{
    struct scheduler *s = arg;
    sim_note(s->sim, "scheduler %d: ends: %s", s->index, why->text);
    bool zombie = shell_holds(s) < sim_epoch(s); /* what it would read next may be trimmed */
    if (!(zombie && why->code == LEAT_ENOTFOUND) && why->code != LEAT_EFENCED &&
        why->code != LEAT_EUNREACHABLE && why->code != LEAT_EUNKNOWN)
        sim_fail(s->sim, 0, "a scheduler cannot go on: %s", why->text);
    sim_at(s->sim, s->proc, 0, buried, s);
}

void scheduler_start(void *arg)
{
    struct scheduler *s = arg;
    struct sim *sim = s->sim;
    s->restarting = false;
    if (s->proc)
        return;
    s->proc = proc_new(sim);
    struct memory_clock clock = sim_clock(s->proc);
    s->db = database_open(sim->db, s->proc);
    s->bus = memory_bus_open(
        sim->log, &(struct memory_bus_options){.producer = s->index ? "leader1" : "leader0",
                                               .outbox_in_transaction = sim->in_transaction,
                                               .clock = &clock,
                                               .fate = bus_fate,
                                               .fate_ctx = s});
    scheduler_cut(s, s->db_cut, s->bus_cut);
    struct shell_config config = {0};
    shell_defaults(&config);
    config.holder = "sim";
    config.seed = rng_next(&sim->rng);
    config.lease_us = sim->lease_us;
    config.lost_after_us = sim->lost_after_us;
    config.cancel_grace_us = sim->grace_us;
    config.batch_rows = (size_t)rng_in(&sim->rng, 5, 200);
    config.most_runs = sim->most_runs;
    config.most_pipelines = sim->most_pipelines;
    config.most_workers = sim->most_workers;
    config.worker_age_us = SIM_WORKER_AGE; /* only machines that never come back */
    config.partitions = 2;
    config.event_age_us = config.message_age_us = 45 * SEC; /* trimming is reached */
    s->shell = shell_new(&config, s->world, s->db, s->bus, ended, s);
    shell_start(s->shell);
}

static void count_held(const struct scheduler *s)
{
    struct shell_stats stats;
    shell_stats(s->shell, &stats);
    s->sim->counts.held += stats.held_total;
}

void scheduler_kill(struct scheduler *s, int64_t restart_after_us)
{
    if (!s->proc)
        return;
    count_held(s);
    sim_note(s->sim, "scheduler %d: gone", s->index);
    database_kill(TAKE(s->db));
    shell_free(TAKE(s->shell));
    memory_bus_kill(TAKE(s->bus));
    proc_kill(TAKE(s->proc));
    if (restart_after_us >= 0 && !s->restarting) {
        s->restarting = true;
        sim_at(s->sim, NULL, restart_after_us, scheduler_start, s);
    }
}

void scheduler_cut(struct scheduler *s, bool db, bool bus)
{
    bool back = s->bus_cut && !bus;
    s->db_cut = db;
    s->bus_cut = bus;
    if (!s->proc)
        return;
    database_set_cut(s->db, db);
    memory_bus_set_cut(s->bus, bus);
    if (back && !s->proc->stopped)
        memory_bus_reset(s->bus);
}

bool scheduler_leads(const struct scheduler *s)
{
    return s->proc && !s->proc->stopped && shell_state(s->shell) == SHELL_LEADING;
}

void scheduler_check(const struct scheduler *s)
{
    const struct core *core = s->proc && !s->proc->stopped ? shell_core(s->shell) : NULL;
    if (core)
        core_check(core);
}

struct scheduler *scheduler_new(struct sim *sim, int index)
{
    struct scheduler *s = mem_alloc(sizeof *s);
    struct sim_world *world = mem_alloc(sizeof *world);
    s->sim = sim;
    s->index = index;
    world->base.ops = &ops;
    world->s = s;
    s->world = &world->base;
    return s;
}

void scheduler_free(struct scheduler *s)
{
    if (!s)
        return;
    scheduler_kill(s, -1);
    free(s->world);
    free(s);
}

#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/base/mem.h"
#include "tests/sim/report.h"

/* ---- chance ---------------------------------------------------------------------------------- */

uint64_t rng_next(struct rng *rng) /* splitmix64, after Steele, Lea, Flood 2014 */
{
    uint64_t z = (rng->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t rng_in(struct rng *rng, int64_t least, int64_t most)
{
    return least + (int64_t)(rng_next(rng) % (uint64_t)(most - least + 1));
}

bool rng_chance(struct rng *rng, double p)
{
    return (double)(rng_next(rng) >> 11) * 0x1p-53 < p;
}

struct rng sim_stream(const struct sim *sim, enum sim_stream stream, int64_t n)
{
    struct rng rng = {sim->seed * 0x2545f4914f6cdd1du + 1};
    rng.state = rng_next(&rng) ^ ((uint64_t)stream + 1) * 0x9fb21c651e98df25u;
    rng.state = rng_next(&rng) ^ (uint64_t)n;
    rng.state = rng_next(&rng);
    return rng;
}

struct uuid rng_uuid(struct rng *rng)
{
    struct uuid id;
    uint64_t high = rng_next(rng), low = rng_next(rng);
    memcpy(id.b, &high, 8);
    memcpy(id.b + 8, &low, 8);
    return id;
}

/* ---- names ----------------------------------------------------------------------------------- */

static const char *const fault_names[] = {
#define F(id, name) name,
    SIM_FAULTS(F)
#undef F
};

static const char *const action_names[] = {
#define A(id, name) name,
    SIM_ACTIONS(A)
#undef A
};

const char *fault_name(enum sim_fault fault)
{
    return fault_names[fault];
}

int fault_parse(const char *name)
{
    for (int i = 0; i < FAULT_COUNT; i++)
        if (strcmp(fault_names[i], name) == 0)
            return i;
    return -1;
}

const char *action_name(enum sim_action action)
{
    return action_names[action];
}

char *uuid_short(const struct uuid *id, char out[UUID_TEXT])
{
    char text[UUID_TEXT];
    uuid_format(id, text);
    snprintf(out, UUID_TEXT, "%s", text + 28);
    return out;
}

/* ---- what happens when ----------------------------------------------------------------------- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void heap_push(struct sim *sim, struct sim_event *event)
{
    MEM_ROOM(sim->heap, sim->heap_count, sim->heap_cap);
    size_t i = sim->heap_count++;
    while (i && before(event, sim->heap[(i - 1) / 2])) {
        sim->heap[i] = sim->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    sim->heap[i] = event;
}

static struct sim_event *heap_pop(struct sim *sim)
{
    struct sim_event *top = sim->heap[0], *last = sim->heap[--sim->heap_count];
    size_t i = 0, n = sim->heap_count;
    for (size_t child = 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && before(sim->heap[child + 1], sim->heap[child]))
            child++;
        if (!before(sim->heap[child], last))
            break;
        sim->heap[i] = sim->heap[child];
        i = child;
    }
    if (n)
        sim->heap[i] = last;
    return top;
}

static void schedule(struct sim *sim, struct proc *proc, int64_t after_us, sim_fn *fn, void *arg,
                     bool always)
{
    struct sim_event *event = mem_alloc(sizeof *event);
    event->at = sim->now + (after_us > 0 ? after_us : 0);
    event->order = sim->order++;
    event->fn = fn;
    event->arg = arg;
    event->proc = proc;
    event->always = always;
    heap_push(sim, event);
}

void sim_at(struct sim *sim, struct proc *proc, int64_t after_us, sim_fn *fn, void *arg)
{
    schedule(sim, proc, after_us, fn, arg, false);
}

void sim_always(struct sim *sim, struct proc *proc, int64_t after_us, sim_fn *fn, void *arg)
{
    schedule(sim, proc, after_us, fn, arg, true);
}

static void hold(struct proc *proc, struct sim_event *event)
{
    event->next = NULL;
    if (proc->held_last)
        proc->held_last->next = event;
    else
        proc->held = event;
    proc->held_last = event;
}

static void fire(struct sim_event *event)
{
    struct proc *proc = event->proc;
    if (proc && proc->stopped && !proc->dead) {
        hold(proc, event);
        return;
    }
    if (!proc || !proc->dead || event->always)
        event->fn(event->arg);
    free(event);
}

void proc_stop(struct proc *proc)
{
    proc->stopped = true;
}

struct proc *proc_new(struct sim *sim)
{
    struct proc *proc = mem_alloc(sizeof *proc);
    proc->sim = sim;
    proc->next = sim->procs;
    sim->procs = proc;
    return proc;
}

void proc_kill(struct proc *proc)
{
    proc->dead = true;
    proc_go_on(proc); /* what was held is freed in its turn */
}

void proc_go_on(struct proc *proc)
{
    proc->stopped = false;
    struct sim_event *event = TAKE(proc->held);
    proc->held_last = NULL;
    while (event) {
        struct sim_event *next = event->next;
        event->at = proc->sim->now;
        event->order = proc->sim->order++;
        heap_push(proc->sim, event);
        event = next;
    }
}

bool sim_step(struct sim *sim)
{
    if (!sim->heap_count)
        return false;
    struct sim_event *event = heap_pop(sim);
    sim->now = event->at;
    fire(event);
    return true;
}

void sim_drain(struct sim *sim)
{
    while (sim->heap_count) {
        struct sim_event *event = heap_pop(sim);
        if (event->always)
            event->fn(event->arg);
        free(event);
    }
    free(sim->heap);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static int64_t proc_now(void *ctx)
{
    return ((struct proc *)ctx)->sim->now;
}

static void proc_later(void *ctx, int64_t after_us, memory_fn *fn, void *arg)
{
    struct proc *proc = ctx;
    sim_always(proc->sim, proc, after_us, fn, arg);
}

struct memory_clock sim_clock(struct proc *proc)
{
    return (struct memory_clock){.now = proc_now, .later = proc_later, .ctx = proc};
}

static int64_t world_now(void *ctx)
{
    return ((struct sim *)ctx)->now;
}

static void world_later(void *ctx, int64_t after_us, memory_fn *fn, void *arg)
{
    sim_always(ctx, NULL, after_us, fn, arg);
}

struct memory_clock sim_clock_world(struct sim *sim)
{
    return (struct memory_clock){.now = world_now, .later = world_later, .ctx = sim};
}

void sim_bus_fate(void *proc_of_client, enum memory_op op, const char *topic,
                  struct memory_fate *fate)
{
    (void)topic;
    struct sim *sim = ((struct proc *)proc_of_client)->sim;
    int64_t most = sim->now < sim->bus_slow_until ? 2 * SEC : 2 * MS;
    fate->there_us = rng_in(&sim->rng, 100, most);
    fate->back_us = rng_in(&sim->rng, 100, most);
    if (op == MEMORY_PUBLISH && sim->publish_unknown > 0) {
        sim->publish_unknown--;
        fate->error = LEAT_EUNKNOWN;
        fate->took_effect = rng_chance(&sim->rng, 0.5);
    }
}

/* ---- what happened --------------------------------------------------------------------------- */

void sim_changed(struct sim *sim)
{
    sim->counts.changes++;
}

void sim_note(struct sim *sim, const char *fmt, ...)
{
    sim->history_count++;
    if (!sim->keep_history)
        return;
    char line[512];
    int at = snprintf(line, sizeof line, "%10.6f  ", (double)sim->now / 1e6);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line + at, sizeof line - (size_t)at, fmt, ap);
    va_end(ap);
    char **slot = &sim->history[(sim->history_count - 1) % HISTORY];
    free(*slot);
    *slot = mem_string(line);
}

_Noreturn void sim_fail(struct sim *sim, int invariant, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    report_failure(sim, invariant, text);
}

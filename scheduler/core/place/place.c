#include "scheduler/core/place/place.h"

#include <assert.h>
#include <string.h>
#include <utlist.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/plant.h"
#include "scheduler/core/place/abilities.h"
#include "scheduler/core/place/attempts.h"
#include "scheduler/core/place/cache.h"
#include "scheduler/core/place/limits.h"
#include "scheduler/core/place/order.h"
#include "scheduler/core/place/pools.h"
#include "scheduler/core/place/queued.h"
#include "scheduler/core/dag/steps.h"

/* A step that wants much could wait for ever while small ones slip in before it; after this long
 * the pool's oldest gets a worker that takes nothing else. */
#define BLOCKED_US (10 * US_PER_S)

/* ---- lanes --------------------------------------------------------------------------------- */

static int executor_of(const struct ir_step *def)
{
    if (def->kind == IR_STEP_OBJECTS)
        return ORDER_START_EXECUTOR_OBJECTS;
    return def->executor ? order_executor_parse(def->executor) : ORDER_START_EXECUTOR_NONE;
}

static bool same_wants(const struct capacity *a, const struct capacity *b)
{
    return a->slots == b->slots && a->gpu == b->gpu && a->memory == b->memory &&
           !(a->cpu < b->cpu) && !(a->cpu > b->cpu);
}

static struct lane *lane_get(struct core *core, const struct version *v, int32_t step)
{
    const struct ir_step *def = &v->ir->steps[step];
    const uint32_t abilities = abilities_wanted(v, step);
    struct pool *pool = pool_get(core, def->pool);
    struct capacity wants = {def->slots, def->gpu, def->cpu, def->memory};
    int executor = executor_of(def);
    struct lane *l;
    DL_FOREACH (pool->lanes, l)
        if (l->executor == executor && l->abilities == abilities && same_wants(&l->wants, &wants) &&
            limits_same(l, def))
            return l;
    l = mem_alloc(sizeof *l);
    l->pool = pool;
    l->executor = executor;
    l->abilities = abilities;
    l->wants = wants;
    limits_of_lane(core, l, def);
    DL_APPEND(pool->lanes, l);
    return l;
}

static struct lane *lane_of(struct core *core, struct step_ref at)
{
    struct lane **known = &ref_run(at)->version->lanes[ref_index(at)];
    if (!*known) {
        *known = lane_get(core, ref_run(at)->version, ref_index(at));
        (*known)->refs++;
    }
    return *known;
}

static void lane_unref(struct core *core, struct lane *l)
{
    if (--l->refs > 0)
        return;
    assert(l->count == 0 && !l->keeper && !l->blocked.place); /* who waits in it has its version */
    struct pool *pool = l->pool;
    DL_DELETE(pool->lanes, l);
    limits_leave_lane(core, l);
    free(l->heap);
    free(l);
    pool_release(core, pool);
}

void place_forget(struct core *core, struct version *v)
{
    for (size_t i = 0; v->ir && i < v->ir->step_count; i++)
        if (v->lanes[i])
            lane_unref(core, v->lanes[i]);
}

void place_leave(struct core *core, struct worker *w)
{
    struct pool *pool = TAKE(w->pool);
    if (!pool)
        return;
    DL_DELETE(pool->workers, w);
    pool_release(core, pool);
}

/* ---- a lane's heap ------------------------------------------------------------------------- */

/* When it would have been its turn: its run's creation, a minute earlier for each step of priority.
 * So what has waited a minute longer weighs as much as one step, and nothing waits for ever. */
static int64_t turn_of(const struct step_ref *at)
{
    const struct run *run = at->frame->run;
    if (plant_on(PLANT_PRIORITY_IGNORED))
        return run->created_us;
    if (plant_on(PLANT_PRIORITY_WITHOUT_AGE))
        return -(run->version->ir->priority + ref_ir(*at)->priority);
    return run->created_us - 60 * US_PER_S * (run->version->ir->priority + ref_ir(*at)->priority);
}

static bool before(const struct step_ref *a, const struct step_ref *b)
{
    const struct run *ra = a->frame->run, *rb = b->frame->run;
    const int64_t ta = turn_of(a), tb = turn_of(b);
    if (ta != tb)
        return ta < tb;
    if (a->frame == b->frame)
        return a->place < b->place;
    return ra == rb ? a->frame->id < b->frame->id : uuid_compare(&ra->id, &rb->id) < 0;
}

bool place_is_before(const struct lane *a, const struct lane *b)
{
    return before(&a->heap[0], &b->heap[0]);
}

static void put(struct lane *l, size_t i, struct step_ref ref)
{
    l->heap[i] = ref;
    ref_step(ref)->heap_place = (uint32_t)i + 1;
}

static void rise(struct lane *l, size_t i)
{
    struct step_ref moving = l->heap[i];
    for (; i > 0 && before(&moving, &l->heap[(i - 1) / 2]); i = (i - 1) / 2)
        put(l, i, l->heap[(i - 1) / 2]);
    put(l, i, moving);
}

static void sink(struct lane *l, size_t i)
{
    struct step_ref moving = l->heap[i];
    for (size_t child; (child = 2 * i + 1) < l->count; i = child) {
        if (child + 1 < l->count && before(&l->heap[child + 1], &l->heap[child]))
            child++;
        if (!before(&l->heap[child], &moving))
            break;
        put(l, i, l->heap[child]);
    }
    put(l, i, moving);
}

static void lane_release(struct core *core, struct lane *l)
{
    timers_clear(&core->timers, &l->blocked);
    if (!l->keeper)
        return;
    l->keeper->kept_for = NULL;
    l->keeper = NULL;
    place_pool_changed(core, l->pool);
}

static void lane_add(struct lane *l, struct step_ref at)
{
    const bool was_idle = l->count == 0;
    MEM_ROOM(l->heap, l->count, l->cap);
    put(l, l->count, at);
    rise(l, l->count++);
    if (!was_idle)
        return;
    DL_APPEND2(l->pool->busy, l, busy_prev, busy_next);
    limits_lane_busy(l);
}

static void lane_remove(struct core *core, struct lane *l, size_t i)
{
    ref_step(l->heap[i])->heap_place = 0;
    struct step_ref last = l->heap[--l->count];
    if (i < l->count) {
        put(l, i, last);
        rise(l, i);
        sink(l, ref_step(last)->heap_place - 1);
    }
    if (i == 0)
        lane_release(core, l); /* it was kept for this head */
    if (l->count > 0)
        return;
    DL_DELETE2(l->pool->busy, l, busy_prev, busy_next);
    limits_lane_idle(core, l);
}

/* ---- ready --------------------------------------------------------------------------------- */

static void pool_dirty(struct core *core, struct pool *pool)
{
    if (pool->dirty)
        return;
    pool->dirty = true;
    DL_APPEND2(core->dirty_pools, pool, dirty_prev, dirty_next);
}

void place_pool_changed(struct core *core, struct pool *pool)
{
    if (!pool)
        return;
    pool->pass++; /* lanes found blocked are looked at again */
    pool_dirty(core, pool);
}

void place_lane_again(struct core *core, struct lane *l)
{
    l->blocked_pass = -1;
    pool_dirty(core, l->pool);
}

/* Of its lane, in memory. */
static void count_waiting(struct core *core, const struct lane *l, int64_t n)
{
    if (l->named)
        core->waiting += n;
    else
        core->ready += n;
}

void place_recall(struct core *core, struct step_ref at)
{
    struct step *s = ref_step(at);
    struct lane *l = lane_of(core, at);
    const int state = l->named ? STEP_WAITING : STEP_READY;
    if (s->state != state) /* it waits after its backoff too */
        machine_move(&MACHINE_STEP, &s->state, state);
    lane_add(l, at);
    count_waiting(core, l, 1);
    place_pool_changed(core, l->pool);
}

void place_ready(struct core *core, struct step_ref at)
{
    const struct ir_step *def = ref_ir(at);
    place_recall(core, at);
    /* What must survive a takeover: its counts, since when it waits; and people want to see why. */
    if (ref_step(at)->attempt > 0 || def->queue_timeout_us > 0 || def->limit_count > 0)
        step_mark(core, at);
}

static void leave_lane(struct core *core, struct step_ref at)
{
    struct lane *l = lane_of(core, at);
    queued_drop(core, at);
    lane_remove(core, l, ref_step(at)->heap_place - 1);
    count_waiting(core, l, -1);
}

void place_withdraw(struct core *core, struct step_ref at)
{
    struct lane *l = lane_of(core, at);
    const bool was_head = ref_step(at)->heap_place == 1;
    leave_lane(core, at);
    if (was_head && l->count > 0)
        limits_head_left(core, l);
}

/* ---- which worker -------------------------------------------------------------------------- */

static int32_t slots_used(const struct worker *w)
{
#ifdef LEAT_PLANTS
    if (plant_on(PLANT_SLOT_COUNTER_APART))
        return w->slots_apart;
#endif
    return w->used.slots;
}

/* Could it take this if nothing else ran there? */
static bool could_fit(const struct worker *w, const struct capacity *wants)
{
    return wants->slots <= w->has.slots && wants->gpu <= w->has.gpu &&
           (w->has.cpu <= 0 || wants->cpu <= w->has.cpu) &&
           (w->has.memory <= 0 || wants->memory <= w->has.memory);
}

bool capacity_fits(const struct worker *w, const struct capacity *wants)
{
    return slots_used(w) + wants->slots <= w->has.slots && w->used.gpu + wants->gpu <= w->has.gpu &&
           (w->has.cpu <= 0 || w->used.cpu + wants->cpu <= w->has.cpu + 1e-9) &&
           (w->has.memory <= 0 || w->used.memory + wants->memory <= w->has.memory);
}

static bool can_run(const struct worker *w, const struct lane *l)
{
    if ((w->abilities & l->abilities) != l->abilities)
        return false;
    if (l->executor == ORDER_START_EXECUTOR_NONE)
        return w->default_executor != ORDER_START_EXECUTOR_NONE;
    return w->executors & 1u << l->executor;
}

static int32_t slots_free(const struct worker *w)
{
    return w->has.slots - slots_used(w);
}

static bool takes_work(const struct worker *w)
{
    if (plant_on(PLANT_DRAINED_IS_GIVEN_WORK) && w->state == WORKER_DRAINING)
        return true;
    return w->state == WORKER_ACTIVE;
}

/* `ever`: an active one could take it if nothing else ran there. */
static struct worker *worker_for(const struct lane *l, bool *ever)
{
    struct worker *w, *best = NULL;
    *ever = false;
    DL_FOREACH (l->pool->workers, w) {
        if (!takes_work(w) || !can_run(w, l))
            continue;
        *ever |= could_fit(w, &l->wants);
        if ((w->kept_for && w->kept_for != l) || !capacity_fits(w, &l->wants))
            continue;
        if (!best || slots_free(w) > slots_free(best))
            best = w;
    }
    return best;
}

/* ---- placing ------------------------------------------------------------------------------- */

/* The busy lane with the oldest head among those not yet found blocked in this pass. */
static struct lane *oldest_lane(const struct pool *pool, int64_t pass)
{
    struct lane *l, *oldest = NULL;
    for (l = pool->busy; l; l = l->busy_next)
        if (l->blocked_pass != pass && (!oldest || before(&l->heap[0], &oldest->heap[0])))
            oldest = l;
    return oldest;
}

static void place_head(struct core *core, struct lane *l, struct worker *w,
                       const struct core_now *now, struct batch *out)
{
    struct step_ref at = l->heap[0];
    struct step *s = ref_step(at);
    leave_lane(core, at);
    struct attempt *a = attempt_new(core, at, w, now);
    limits_take(a, l);
    l->claims = true; /* of the next head, until it was looked at */
    struct err err = {0};
    if (order_start(core, a, out, &err) == 0) {
        cache_note(core, a);
        return;
    }
    /* It cannot be ordered, so it was not tried. */
    attempt_drop(core, a);
    s->attempt--;
    step_end(core, at,
             &(struct step_end){.state = STEP_FAILED, .attempt = s->attempt, .reason = err.text},
             now, out);
}

static void pool_settled(struct core *core, struct pool *pool)
{
    pool->dirty = false;
    DL_DELETE2(core->dirty_pools, pool, dirty_prev, dirty_next);
    pool_release(core, pool);
}

static void fail_head(struct core *core, struct lane *l, const char *missing,
                      const struct core_now *now, struct batch *out)
{
    struct step_ref at = l->heap[0];
    cleanup_free char *reason = mem_printf("there is no limit %s any more", missing);
    step_end(core, at,
             &(struct step_end){
                 .state = STEP_FAILED, .attempt = ref_step(at)->attempt, .reason = reason},
             now, out);
}

/* The lane's head goes to a worker, or the lane is blocked until something changes: false. A worker
 * is kept free only for who waits for nothing else. */
static bool place_from(struct core *core, struct lane *l, const struct core_now *now,
                       struct batch *out)
{
    bool ever;
    const char *missing = limits_missing(l);
    struct worker *w = worker_for(l, &ever);
    const bool allowed = limits_allow(l);
    if (missing) {
        fail_head(core, l, missing, now, out);
        return true;
    }
    if (w && allowed) {
        place_head(core, l, w, now, out);
        return true;
    }
    l->blocked_pass = l->pool->pass;
    limits_blocked(core, l, ever);
    if (!allowed)
        lane_release(core, l);
    else if (!l->keeper && !l->blocked.place)
        timers_set(&core->timers, &l->blocked, TIMER_BLOCKED, now->mono_us + BLOCKED_US);
    return false;
}

bool place_one(struct core *core, const struct core_now *now, struct batch *out)
{
    while (core->dirty_pools) {
        struct pool *pool = core->dirty_pools;
        struct lane *l = oldest_lane(pool, pool->pass);
        if (!l) {
            pool_settled(core, pool);
            continue;
        }
        if (place_from(core, l, now, out))
            return true;
    }
    return false;
}

/* ---- keeping a worker free ----------------------------------------------------------------- */

void place_lane_due(struct core *core, struct lane *lane, const struct core_now *now)
{
    struct worker *w, *best = NULL;
    assert(lane->count > 0); /* its timer goes with its head */
    if (limits_allow(lane) && oldest_lane(lane->pool, -2) == lane)
        DL_FOREACH (lane->pool->workers, w) {
            if (w->state == WORKER_ACTIVE && !w->kept_for && can_run(w, lane) &&
                could_fit(w, &lane->wants) && (!best || slots_free(w) > slots_free(best)))
                best = w;
        }
    if (!best) {
        timers_set(&core->timers, &lane->blocked, TIMER_BLOCKED, now->mono_us + BLOCKED_US);
        return;
    }
    best->kept_for = lane;
    lane->keeper = best;
    place_pool_changed(core, lane->pool);
}

void place_release(struct core *core, struct worker *w, const struct core_now *now)
{
    struct lane *l = w->kept_for;
    if (!l)
        return;
    lane_release(core, l);
    timers_set(&core->timers, &l->blocked, TIMER_BLOCKED, now->mono_us + BLOCKED_US);
}

#include "scheduler/core/restore.h"

#include <assert.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/base/text.h"
#include "scheduler/core/run/adopt.h"
#include "scheduler/core/place/attempts.h"
#include "scheduler/core/wait/awaits.h"
#include "scheduler/core/catalog.h"
#include "scheduler/core/run/concurrency.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/run/learned.h"
#include "scheduler/core/place/limits.h"
#include "scheduler/core/place/order.h"
#include "scheduler/core/place/place.h"
#include "scheduler/core/place/queued.h"
#include "scheduler/core/recall.h"
#include "scheduler/core/run/runs.h"
#include "scheduler/core/dag/steps.h"
#include "scheduler/core/worker/workers.h"

static int64_t gone_by(int64_t since_us, const struct core_now *now)
{
    return now->wall_us > since_us ? now->wall_us - since_us : 0;
}

/* The rest of a wait of `length` that began at `since`, held to [0, length]. */
static int64_t rest_of(int64_t length, int64_t since_us, const struct core_now *now)
{
    int64_t gone = gone_by(since_us, now);
    return gone > length ? 0 : length - gone;
}

/* Texts of rows are NOT NULL: an empty one says nothing. */
static char *said(const char *text)
{
    return *text ? mem_string(text) : NULL;
}

/* ---- runs ---------------------------------------------------------------------------------- */

/* Without its IR it fails, however its attempts end, and says why. */
static void run_is_broken(struct run *run)
{
    run->broken = run->doomed = true;
    run->root.failed = 1;
    free(run->reason);
    run->reason = mem_string(run->version->broken);
}

/* Its state stays `pending` until all of its steps are in: nothing is settled meanwhile. */
static struct run *run_recall(struct core *core, const struct snapshot_run *from)
{
    struct run *run = mem_alloc(sizeof *run);
    core->bytes += (int64_t)sizeof *run;
    run->id = from->id;
    run->pipeline = pipeline_get(core, from->pipeline);
    run->pipeline->runs++;
    run->version = version_get(core, from->pipeline, from->version);
    run->version->refs++;
    run->name = mem_string(from->name);
    run->experiment = mem_string(from->experiment);
    run->trigger = mem_string(from->trigger);
    run->reason = said(from->reason);
    run->params = json_incref(from->params);
    run->vars = plant_on(PLANT_VARS_FORGOTTEN_AT_TAKEOVER) ? NULL : json_incref(from->vars);
    run->event = plant_on(PLANT_EVENT_FORGOTTEN_AT_TAKEOVER) ? NULL : json_incref(from->envelope);
    run->event_id = from->event;
    run->retry_of = from->retry_of;
    run->again = again_parse(from->again);
    run->retry_from = said(from->retry_from);
    run->key = mem_string(
        plant_on(PLANT_CONCURRENCY_KEY_FORGOTTEN_AT_TAKEOVER) ? "" : from->concurrency_key);
    run->number = from->number;
    run->no_cache = from->no_cache && !plant_on(PLANT_NO_CACHE_FORGOTTEN_AT_TAKEOVER);
    run->created_us = from->created_us;
    run->started_us = from->started_us;
    run->cancelled_us = from->cancelled_us;
    run->move_turn = -1;
    run->root.run = run;
    run->next_frame = 1;
    if (!run->version->ir)
        run_is_broken(run);
    else if (from->state != RUN_QUEUED || !uuid_is_nil(&run->retry_of))
        run_steps_new(core, run);
    if (!run->broken)
        adopt_recall(core, run, from->state);
    HASH_ADD(hh, core->runs, id, sizeof run->id, run);
    return run;
}

/* Without its IR nobody knows what its steps are: those that have rows are all there is. */
static void broken_steps(struct core *core, const struct snapshot *all)
{
    for (size_t i = 0; i < all->steps_count; i++) {
        struct run *run = run_find(core, &all->steps[i].run);
        if (run && run->broken)
            run->root.count++;
    }
    struct run *run, *next;
    HASH_ITER (hh, core->runs, run, next) {
        if (!run->broken)
            continue;
        struct frame *f = &run->root;
        f->steps = mem_array((size_t)f->count, sizeof *f->steps);
        run->keys = mem_array((size_t)f->count, sizeof *run->keys);
        core->bytes += (int64_t)((size_t)f->count * sizeof *f->steps);
    }
}

static struct step_ref broken_step(struct run *run, const struct snapshot_step *from)
{
    struct step_ref at = {&run->root, run->root.left++};
    run->root.work_left++;
    run->live++;
    run->keys[at.place] = (struct bare_key){from->step, from->iteration};
    return at;
}

/* The first turn ends one that nobody had stopped. */
static void broken_resume(struct core *core, struct run *run)
{
    if (run->state == RUN_CANCELLING)
        frame_stop(core, &run->root, STOP_FAILED, NULL);
}

static void run_resume(struct core *core, struct run *run, const struct snapshot_run *from,
                       const struct core_now *now)
{
    run->state = from->state;
    if (run->state != RUN_PENDING)
        concurrency_recall(core, run, now);
    if (run->state == RUN_QUEUED)
        return;
    if (run->state == RUN_PENDING) {
        if (!run->broken)
            adopt_begin(core, run, learned_find(core, &run->retry_of));
        return;
    }
    frame_begin(core, &run->root);
    if (run->broken) {
        broken_resume(core, run);
        return;
    }
    if (run->root.work_left == 0)
        frame_close_later(core, &run->root);
    if (run->state == RUN_RUNNING) {
        if (!plant_on(PLANT_RUN_FOR_EVER_AFTER_TAKEOVER))
            run_arm_timeout(core, run, gone_by(run->started_us, now), now);
        return;
    }
    run->doomed = run->reason && text_starts_with(run->reason, RUN_TIMED_OUT);
    frame_stop(core, &run->root, run->doomed ? STOP_FAILED : STOP_CANCELLED, NULL);
}

/* ---- steps --------------------------------------------------------------------------------- */

static void result_recall(struct recall *r, const struct snapshot_result *from)
{
    struct run *run = run_find(r->core, &from->run);
    struct step_ref at;
    if (!run || run->broken)
        return;
    if (!run->root.steps || !recall_step(r, run, from->step, from->iteration, &at))
        return;
    if (plant_on(PLANT_FINALLY_AGAIN_AFTER_TAKEOVER) && ref_ir(at)->finally)
        return;
    step_recall(r->core, at, from);
}

static struct attempt *attempt_recall(struct core *core, struct step_ref at,
                                      const struct snapshot_step *from)
{
    struct attempt *a = mem_alloc(sizeof *a);
    core->bytes += (int64_t)sizeof *a;
    a->at = at;
    a->number = from->attempt;
    a->since_us = from->since_us;
    a->started_us = from->started_us;
    a->due_us = from->due_us;
    a->reason = said(from->reason);
    ref_step(at)->live = a;
    return a;
}

static void wait_recall(struct core *core, struct step_ref at, const struct snapshot_step *from,
                        const struct core_now *now)
{
    struct attempt *a = attempt_recall(core, at, from);
    core->waiting++;
    timers_set(&core->timers, &a->timer, TIMER_BACKOFF,
               now->mono_us + rest_of(a->due_us, a->since_us, now));
}

static void try_recall(struct core *core, struct step_ref at, const struct snapshot_step *from,
                       const struct core_now *now)
{
    struct attempt *a = attempt_recall(core, at, from);
    a->id = from->attempt_id;
    a->nonce = from->nonce;
    a->leave = from->leave;
    a->worker = worker_find(core, from->worker);
    if (!a->worker)
        a->worker = worker_missing(core, from->worker, now);
    const struct ir_step *def = ref_ir_known(at);
    a->takes = def ? (struct capacity){def->slots, def->gpu, def->cpu, def->memory}
                   : (struct capacity){.slots = from->slots}; /* all that a row says */
    limits_recall(core, a, from);
    attempt_link(core, a);
    if (a->worker->used.slots > a->worker->has.slots)
        a->worker->overfull = true; /* it said hello with fewer while these ran */
    int64_t length = a->due_us;     /* whole, as the cancel's: docs/decisions/004 */
    if (plant_on(PLANT_TAKEOVER_DEADLINE_BY_WALL))
        length = rest_of(length, a->since_us, now);
    if (a->due_us > 0)
        timers_set(&core->timers, &a->timer, TIMER_ATTEMPT, now->mono_us + length);
}

/* To be placed; `waiting` when it wants limits: a backoff wants none. */
static bool waits_in_lane(const struct snapshot_step *from)
{
    return from->state == STEP_READY || (from->state == STEP_WAITING && from->limits);
}

static void lane_recall(struct core *core, struct step_ref at, const struct snapshot_step *from,
                        const struct core_now *now)
{
    if (ref_run(at)->broken)
        return;
    place_recall(core, at);
    queued_recall(core, at, from->since_us, now);
}

static void live_recall(struct recall *r, const struct snapshot_step *from,
                        const struct core_now *now)
{
    struct core *core = r->core;
    struct run *run = run_find(core, &from->run);
    struct step_ref at;
    if (!run || !run->root.steps)
        return;
    if (run->broken)
        at = broken_step(run, from);
    else if (!recall_step(r, run, from->step, from->iteration, &at) || ref_is_group(at))
        return;
    struct step *s = ref_step(at);
    if (step_is_over(s))
        return; /* its result was committed: that is the last word */
    if (ref_is_await(at)) {
        await_recall(core, at, from, now);
        return;
    }
    s->attempt = (uint16_t)from->attempt;
    s->lost = plant_on(PLANT_LOST_FORGOTTEN_AT_TAKEOVER) ? 0 : (uint16_t)from->lost;
    if (waits_in_lane(from)) {
        lane_recall(core, at, from, now);
        return;
    }
    s->state = from->state;
    if (from->state == STEP_WAITING)
        wait_recall(core, at, from, now);
    else if (from->worker)
        try_recall(core, at, from, now);
}

/* ---- runs that a step waits for ------------------------------------------------------------ */

/* Of a run whose IR cannot be read only rows say whether it waits. */
static bool bare_waits(const struct snapshot *all, const struct snapshot_start *from)
{
    for (size_t i = 0; i < all->steps_count; i++) {
        const struct snapshot_step *s = &all->steps[i];
        if (s->step == from->step && s->iteration == from->iteration &&
            s->attempt == from->attempt && uuid_compare(&s->run, &from->parent) == 0)
            return s->state == STEP_RUNNING;
    }
    return false;
}

static void link_recall(struct recall *r, const struct snapshot *all,
                        const struct snapshot_start *from)
{
    struct run *child = run_find(r->core, &from->child);
    struct run *parent = run_find(r->core, &from->parent);
    struct step_ref at;
    if (!child)
        return;
    child->depth = from->depth;
    if (!parent)
        return;
    if (parent->broken)
        child->orphan = bare_waits(all, from);
    else if (parent->root.steps && recall_step(r, parent, from->step, from->iteration, &at) &&
             ref_is_await(at) && ref_step(at)->await && ref_step(at)->await->told &&
             ref_step(at)->attempt == from->attempt)
        start_relink(r->core, child, ref_step(at)->await);
}

/* ---- orders that may be missing ------------------------------------------------------------ */

static void note_resend(struct core *core)
{
    core->resend_ticket = ++core->ticket;
    struct attempt *a, *next;
    HASH_ITER (hh, core->attempts, a, next) {
        int state = ref_step(a->at)->state;
        if (state != STEP_PLACED && state != STEP_CANCELLING)
            continue;
        MEM_ROOM(core->resend, core->resend_count, core->resend_cap);
        core->resend[core->resend_count++] = a->id;
    }
}

static void resend(struct core *core, struct attempt *a, struct batch *out)
{
    const struct run *run = ref_run(a->at);
    const char *reason = a->at.frame->reason ? a->at.frame->reason : run->reason;
    int state = ref_step(a->at)->state;
    if (state == STEP_CANCELLING)
        order_cancel(core, a->worker, &a->id, a->nonce, step_grace(core, ref_ir_known(a->at)),
                     reason ? reason : "cancelled", out);
    if (state != STEP_PLACED)
        return;
    assert(!run->broken); /* the first turn has asked its steps to end */
#ifdef LEAT_PLANTS
    if (plant_on(PLANT_NEW_ATTEMPT_ID_ON_REPUBLISH)) {
        struct uuid fresh = core_uuid(core, run->created_us);
        attempt_rename(core, a, &fresh, (int64_t)(core_random(core) >> 1));
        step_mark(core, a->at);
    }
#endif
    if (a->leave) /* it has the start: it asked */
        order_leave(core, a, out);
    else
        order_start(core, a, out, &(struct err){0}); /* it could be made before: the same text */
}

bool restore_resend_one(struct core *core, struct batch *out)
{
    if (core->resend_count == 0 || core->drained < core->resend_ticket)
        return false;
    struct uuid id = core->resend[--core->resend_count];
    struct attempt *a = NULL;
    HASH_FIND(hh, core->attempts, &id, sizeof id, a);
    if (a) /* else a report was quicker */
        resend(core, a, out);
    return true;
}

/* ---- all of it ----------------------------------------------------------------------------- */

/* The others are finished runs that a retry still adopts from; the catalog has learned them. */
static bool is_live(const struct snapshot_run *run)
{
    return !machine_is_terminal(&MACHINE_RUN, run->state);
}

void restore_all(struct core *core, const struct snapshot *all, const struct core_now *now)
{
    catalog_learn(core, all);
    for (size_t i = 0; i < all->workers_count; i++)
        worker_restore(core, &all->workers[i], now);
    for (size_t i = 0; i < all->runs_count; i++)
        if (is_live(&all->runs[i]))
            run_recall(core, &all->runs[i]);
    broken_steps(core, all);
    struct recall r;
    recall_open(&r, core, all, now);
    for (size_t i = 0; i < all->results_count; i++)
        result_recall(&r, r.results[i]);
    for (size_t i = 0; i < all->steps_count; i++)
        live_recall(&r, &all->steps[i], now);
    recall_finallys(&r, all, now);
    for (size_t i = 0; i < all->runs_count; i++)
        if (is_live(&all->runs[i]))
            run_resume(core, run_find(core, &all->runs[i].id), &all->runs[i], now);
    for (size_t i = 0; i < all->starts_count; i++)
        link_recall(&r, all, &all->starts[i]);
    recall_resume(&r);
    recall_close(&r);
    if (core->config.resend_placed)
        note_resend(core);
    core->restored = true;
}

void restore_first_turn(struct core *core, const struct core_now *now, struct batch *out)
{
    if (!core->restored)
        return;
    core->restored = false;
    while (starts_hear_one(core, now, out)) /* a run that is not there has no time to be up */
        ;
    struct run *run, *next;
    HASH_ITER (hh, core->runs, run, next) {
        if (run->broken)
            run_cancel(core, run, run->reason, true, now, out);
        else if (run->orphan)
            run_cancel(core, run, "the run that started it cannot be read", false, now, out);
    }
}

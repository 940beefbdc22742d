#include "scheduler/core/wait/awaits.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/run/runs.h"
#include "scheduler/core/dag/steps.h"

/* ---- memory -------------------------------------------------------------------------------- */

static struct await *await_new(struct core *core, struct step_ref at)
{
    struct await *a = mem_alloc(sizeof *a);
    core->bytes += (int64_t)sizeof *a;
    a->at = at;
    a->def = ref_ir(at);
    ref_step(at)->await = a;
    return a;
}

void await_drop(struct core *core, struct await *a)
{
    timers_clear(&core->timers, &a->timer);
    if (a->def->kind == IR_STEP_WAIT)
        await_unlist(core, a);
    else if (a->def->kind == IR_STEP_APPROVAL)
        approval_unlist(a);
    else
        start_forget(core, a);
    if (ref_step(a->at)->state == STEP_WAITING)
        core->waiting--;
    ref_step(a->at)->await = NULL;
    core->bytes -= (int64_t)sizeof *a;
    free(a->reason);
    free(a);
}

void await_set_reason(struct core *core, struct await *a, char *reason)
{
    free(a->reason);
    a->reason = reason;
    step_mark(core, a->at);
}

/* ---- its end ------------------------------------------------------------------------------- */

void await_end(struct core *core, struct await *a, int state, json_t *outputs, const char *reason,
               const struct core_now *now, struct batch *out)
{
    struct step_ref at = a->at;
    cleanup_free char *kept = reason ? mem_string(reason) : NULL; /* it may be its own */
    const struct step_end end = {.state = state,
                                 .attempt = ref_step(at)->attempt,
                                 .reason = kept,
                                 .outputs = outputs,
                                 .started_us = a->started_us};
    await_drop(core, a);
    step_end(core, at, &end, now, out);
}

void await_stop(struct core *core, struct await *a, const struct core_now *now, struct batch *out)
{
    if (a->def->kind == IR_STEP_START)
        start_stop(core, a, now, out);
    else
        await_end(core, a, STEP_CANCELLED, NULL, NULL, now, out);
}

void await_timer_due(struct core *core, struct await *a, const struct core_now *now,
                     struct batch *out)
{
    if (frame_stops(a->at)) { /* the timer was quicker than the sweep */
        await_stop(core, a, now, out);
        return;
    }
    if (a->def->kind != IR_STEP_WAIT) {
        (a->def->kind == IR_STEP_APPROVAL ? approval_timeout_due : start_timer_due)(core, a, now,
                                                                                    out);
        return;
    }
    cleanup_free char *length = run_duration_text(a->def->timeout_us);
    cleanup_free char *reason = mem_printf(RUN_TIMED_OUT " %s: no event of type %s came that fits",
                                           length, a->def->wait->type);
    await_end(core, a, STEP_FAILED, NULL, reason, now, out);
}

/* ---- its beginning ------------------------------------------------------------------------- */

static char *waits_for_event(const struct ir_wait *wait)
{
    return wait->source
               ? mem_printf("waits for an event of type %s from %s", wait->type, wait->source)
               : mem_printf("waits for an event of type %s", wait->type);
}

/* What it waits for, for people; NULL: that cannot be evaluated. */
static char *reason_of(const struct await *a, struct err *err)
{
    return a->def->kind == IR_STEP_WAIT ? waits_for_event(a->def->wait) : approval_question(a, err);
}

static void list(struct core *core, struct await *a)
{
    if (a->def->kind == IR_STEP_WAIT)
        await_list(core, a);
    else if (a->def->kind == IR_STEP_APPROVAL)
        approval_list(a);
    else if (ref_step(a->at)->state != STEP_WAITING)
        start_recall(core, a);
}

void await_begin(struct core *core, struct step_ref at, const struct core_now *now,
                 struct batch *out)
{
    struct await *a = await_new(core, at);
    struct step *s = ref_step(at);
    struct err err = {0};
    if (a->def->kind == IR_STEP_START) {
        start_begin(core, a, now, out);
        return;
    }
    char *reason = reason_of(a, &err);
    s->attempt++;
    a->since_us = a->started_us = now->wall_us;
    a->due_us = a->def->timeout_us;
    list(core, a);
    machine_move(&MACHINE_STEP, &s->state, STEP_WAITING);
    core->waiting++;
    if (!reason) {
        await_end(core, a, STEP_FAILED, NULL, err.text, now, out);
        return;
    }
    await_set_reason(core, a, reason);
    timers_set(&core->timers, &a->timer, TIMER_AWAIT, now->mono_us + a->due_us);
}

void await_recall(struct core *core, struct step_ref at, const struct snapshot_step *from,
                  const struct core_now *now)
{
    struct await *a = await_new(core, at);
    const int64_t gone = now->wall_us > from->since_us ? now->wall_us - from->since_us : 0;
    ref_step(at)->state = from->state;
    ref_step(at)->attempt = (uint16_t)from->attempt;
    a->since_us = from->since_us;
    a->started_us = from->started_us;
    a->due_us = from->due_us;
    a->reason = mem_string(from->reason);
    if (plant_on(PLANT_STARTED_AGAIN_AT_TAKEOVER) && a->def->kind == IR_STEP_START) {
        ref_step(at)->state = STEP_WAITING;
        a->due_us = 1;
    }
    core->waiting += ref_step(at)->state == STEP_WAITING;
    list(core, a);
#ifdef LEAT_PLANTS
    a->forgotten = plant_on(PLANT_WAIT_FORGOTTEN_AT_TAKEOVER);
#endif
    if (plant_on(PLANT_APPROVAL_FOR_EVER_AFTER_TAKEOVER) && a->def->kind == IR_STEP_APPROVAL)
        a->due_us *= 1000;
    if (a->due_us > 0 && from->state != STEP_CANCELLING)
        timers_set(&core->timers, &a->timer, TIMER_AWAIT,
                   now->mono_us + (gone > a->due_us ? 0 : a->due_us - gone));
}

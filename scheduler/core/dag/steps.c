#include "scheduler/core/dag/steps.h"

#include <assert.h>
#include <string.h>

#include "common/base/mem.h"
#include "scheduler/core/wait/awaits.h"
#include "scheduler/core/place/cache.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/dag/groups.h"
#include "scheduler/core/place/limits.h"
#include "scheduler/core/run/only.h"
#include "scheduler/core/place/order.h"
#include "scheduler/core/place/place.h"
#include "scheduler/core/place/queued.h"

bool step_is_over(const struct step *s)
{
    return machine_is_terminal(&MACHINE_STEP, s->state);
}

/* ---- rows ---------------------------------------------------------------------------------- */

void step_mark(struct core *core, struct step_ref at)
{
    struct step *s = ref_step(at);
    if (s->flags & STEP_DIRTY)
        return;
    s->flags |= STEP_DIRTY;
    queue_push(&core->dirty, at);
}

static void write_live_group(const struct group *g, struct batch_step *row, struct batch *out)
{
    row->since_us = g->since_us;
    row->started_us = g->started_us;
    row->due_us = g->due_us;
    row->reason = g->fatal || group_waits(g) ? batch_text(out, g->reason) : "";
}

static void write_live_await(const struct await *a, struct batch_step *row, struct batch *out)
{
    row->since_us = a->since_us;
    row->started_us = a->started_us;
    row->due_us = a->due_us;
    row->reason = batch_text(out, a->reason);
}

/* Why, in detail, says who looks: how much of it is in use changes without this row. */
static const char *why_it_waits(const struct ir_step *def, struct batch *out)
{
    const char *why = def->limit_count ? "waits for limit" : "";
    for (size_t i = 0; i < def->limit_count; i++)
        why = batch_printf(out, "%s%s %s", why, i ? "," : "", def->limits[i].name);
    return why;
}

static void write_live_queued(struct core *core, struct step_ref at, const struct core_now *now,
                              struct batch_step *row, struct batch *out)
{
    const struct ir_step *def = ref_ir(at);
    queued_arm(core, at, now);
    const struct queued *q = ref_step(at)->queued;
    row->limits = limits_wanted_text(def, out);
    row->reason = why_it_waits(def, out);
    row->since_us = q ? q->since_us : now->wall_us;
    row->due_us = q ? def->queue_timeout_us : 0;
}

static void write_held(const struct attempt *a, struct batch_step *row, struct batch *out)
{
    const struct limit_hold *slots = limits_held_slots(a);
    row->limits = limits_held_text(a, out);
    if (!slots)
        return;
    row->pool = batch_text(out, limit_pool_name(slots->limit));
    row->slots = (int32_t)slots->n;
}

static void write_live(struct core *core, struct step_ref at, const struct core_now *now,
                       struct batch *out)
{
    const struct step *s = ref_step(at);
    const struct attempt *a = ref_attempt(at);
    struct batch_step *row = batch_add_steps(out);
    *row = (struct batch_step){
        .run = ref_run(at)->id,
        .step = ref_index(at),
        .iteration = ref_iteration(at),
        .state = s->state,
        .attempt = s->attempt,
        .lost = s->lost,
        .since_us = a ? a->since_us : now->wall_us,
        .reason = a && a->reason ? batch_text(out, a->reason) : "",
    };
    if (ref_is_group(at))
        write_live_group(s->group, row, out);
    if (ref_is_await(at))
        write_live_await(s->await, row, out);
    if (s->heap_place)
        write_live_queued(core, at, now, row, out);
    if (!a)
        return;
    row->due_us = a->due_us;
    if (!a->worker)
        return;
    write_held(a, row, out);
    row->attempt_id = a->id;
    row->nonce = a->nonce;
    row->worker = batch_text(out, a->worker->id);
    row->incarnation = a->worker->incarnation;
    row->started_us = a->started_us;
    row->leave = a->leave;
}

void steps_flush(struct core *core, const struct core_now *now, struct batch *out)
{
    while (core->dirty.count) {
        struct step_ref ref = queue_pop(&core->dirty);
        struct step *s = ref_step(ref);
        s->flags &= (uint8_t)~STEP_DIRTY;
        if (!step_is_over(s)) /* else its result says it all */
            write_live(core, ref, now, out);
    }
}

static void write_result(struct step_ref at, const struct step_end *end, const struct core_now *now,
                         struct batch *out)
{
    const struct attempt *by = end->by;
    struct batch_result *row = batch_add_results(out);
    *row = (struct batch_result){
        .run = ref_run(at)->id,
        .step = ref_index(at),
        .iteration = ref_iteration(at),
        .state = (uint8_t)end->state,
        .attempt = end->attempt,
        .attempt_id = by ? by->id : end->attempt_id,
        .worker = by ? batch_text(out, by->worker->id) : NULL,
        .exit_code = end->exited ? end->exit_code : INT32_MIN,
        .reason = end->reason ? batch_text(out, end->reason) : "",
        .outputs = batch_json(out, end->outputs),
        .metrics = batch_json(out, end->metrics),
        .log = batch_json(out, end->log),
        .started_us = by ? by->started_us : end->started_us,
        .finished_us = end->finished_us ? end->finished_us : now->wall_us,
        .image = end->image ? batch_text(out, end->image) : NULL,
        .cached_from = end->cached_from,
    };
}

#ifdef LEAT_PLANTS
void step_write_result_again(struct step_ref at, int state, const struct core_now *now,
                             struct batch *out)
{
    ref_step(at)->state = (uint8_t)state;
    write_result(at, &(struct step_end){.state = state, .attempt = ref_step(at)->attempt}, now,
                 out);
}
#endif

/* ---- the end of a step --------------------------------------------------------------------- */

/* The memory's side of a result, the same for a fresh one and a restored one. */
static void take_result(struct core *core, struct step_ref at, int state, json_t *outputs,
                        const char *reason)
{
    if (ref_ir_known(at) && outputs && ref_run(at)->version->looked_at[ref_index(at)])
        ref_step(at)->outputs = json_incref(outputs);
    frame_count_end(core, at, state, reason);
}

void step_end(struct core *core, struct step_ref at, const struct step_end *end,
              const struct core_now *now, struct batch *out)
{
    const struct run *run = ref_run(at);
    struct step *s = ref_step(at);
    if (s->heap_place)
        place_withdraw(core, at);
    machine_move(&MACHINE_STEP, &s->state, end->state);
    write_result(at, end, now, out);
    if (run->state != RUN_PENDING) /* else it is taken over */
        core->live_steps--;
    take_result(core, at, end->state, end->outputs, end->reason);
    frame_advance(core, at.frame, now, out);
}

void step_recall(struct core *core, struct step_ref at, const struct snapshot_result *result)
{
    struct step *s = ref_step(at);
    machine_move(&MACHINE_STEP, &s->state, result->state);
    s->attempt = (uint16_t)result->attempt;
    take_result(core, at, result->state, result->outputs, result->reason);
}

/* ---- all needs are terminal ---------------------------------------------------------------- */

/* How the needs of a step ended. */
struct needs {
    struct ir_ends ends;
    int32_t first_skipped, first_failed; /* indices; -1 = none */
};

static struct needs needs_of(struct step_ref at)
{
    const struct ir *ir = ref_run(at)->version->ir;
    const struct ir_step *def = ref_ir(at);
    struct needs n = {.first_skipped = -1, .first_failed = -1};
    for (size_t i = 0; i < def->need_count; i++) {
        const int32_t index = def->needs[i];
        const int state = at.frame->steps[ir->steps[index].place].state;
        if (state == STEP_SUCCEEDED)
            n.ends.succeeded++;
        else if (state == STEP_SKIPPED)
            n.first_skipped = n.ends.skipped++ ? n.first_skipped : index;
        else
            n.first_failed = n.ends.failed++ ? n.first_failed : index;
    }
    return n;
}

/* What the step comes to by its rule: -1 = it begins. `because`: the need that decides, -1 = no one
 * of them. O(needs). */
static int judge_needs(struct step_ref at, int32_t *because)
{
    const struct needs n = needs_of(at);
    const enum ir_rule rule = ref_ir(at)->rule;
    switch (ir_rule_judge(rule, &n.ends)) {
    case IR_VERDICT_UPSTREAM_FAILED:
        *because = n.first_failed;
        return STEP_UPSTREAM_FAILED;
    case IR_VERDICT_SKIP:
        *because = rule == IR_ANY_FAILED ? -1 : n.first_skipped;
        return STEP_SKIPPED;
    default:
        return -1;
    }
}

static void end_without_try(struct core *core, struct step_ref at, int state, const char *reason,
                            const struct core_now *now, struct batch *out)
{
    step_end(core, at, &(struct step_end){.state = state, .reason = reason}, now, out);
}

static void end_by_needs(struct core *core, struct step_ref at, int state, int32_t because,
                         const struct core_now *now, struct batch *out)
{
    const struct ir *ir = ref_run(at)->version->ir;
    if (because < 0) {
        end_without_try(core, at, state, "none of what it needs has failed", now, out);
        return;
    }
    const int why = at.frame->steps[ir->steps[because].place].state;
    cleanup_free char *reason = mem_printf("step %s is %s", ir->steps[because].name,
                                           machine_state_name(&MACHINE_STEP, why));
    end_without_try(core, at, state, reason, now, out);
}

/* False: the step has ended. */
static bool condition_holds(struct core *core, struct step_ref at, const struct core_now *now,
                            struct batch *out)
{
    bool holds = true;
    struct err err = {0};
    const struct cel *when = ref_ir(at)->when;
    if (when && order_when(at, when, &holds, &err) < 0) {
        cleanup_free char *reason = mem_printf("when: %s", err.text);
        end_without_try(core, at, STEP_FAILED, reason, now, out);
        return false;
    }
    if (!holds)
        end_without_try(core, at, STEP_SKIPPED, "its condition is false", now, out);
    return holds;
}

static void settle(struct core *core, struct step_ref at, const struct core_now *now,
                   struct batch *out)
{
    int32_t because;
    if (only_leaves_out(at)) {
        end_without_try(core, at, STEP_SKIPPED, ONLY_LEFT_OUT_REASON, now, out);
        return;
    }
    const int state = judge_needs(at, &because);
    if (state >= 0)
        end_by_needs(core, at, state, because, now, out);
    else if (!condition_holds(core, at, now, out))
        return;
    else if (ref_is_group(at))
        group_begin(core, at, now, out);
    else if (ref_is_await(at))
        await_begin(core, at, now, out);
    else if (!cache_look(core, at, now))
        place_ready(core, at);
}

bool steps_settle_one(struct core *core, const struct core_now *now, struct batch *out)
{
    if (core->settle.count == 0)
        return false;
    struct step_ref at = queue_pop(&core->settle);
    if (at.frame->over || ref_step(at)->state != STEP_PENDING)
        return true;
    assert(frame_lets_begin(at)); /* sweeps come first */
    settle(core, at, now, out);
    return true;
}

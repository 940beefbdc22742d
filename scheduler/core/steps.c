#include "scheduler/core/steps.h"

#include <string.h>

#include "common/base/mem.h"
#include "scheduler/core/order.h"
#include "scheduler/core/place.h"
#include "scheduler/core/runs.h"

bool step_is_over(const struct step *s)
{
    return machine_is_terminal(&MACHINE_STEP, s->state);
}

/* ---- rows ---------------------------------------------------------------------------------- */

void step_mark(struct core *core, struct run *run, int32_t i)
{
    struct step *s = &run->steps[i];
    if (s->flags & STEP_DIRTY)
        return;
    s->flags |= STEP_DIRTY;
    queue_push(&core->dirty, run, i);
}

static void write_live(const struct run *run, int32_t i, const struct core_now *now,
                       struct batch *out)
{
    const struct step *s = &run->steps[i];
    const struct attempt *a = s->live;
    struct batch_step *row = batch_add_steps(out);
    *row = (struct batch_step){
        .run = run->id,
        .step = i,
        .state = s->state,
        .attempt = s->attempt,
        .lost = s->lost,
        .since_us = a ? a->since_us : now->wall_us,
        .reason = a && a->reason ? batch_text(out, a->reason) : "",
    };
    if (!a)
        return;
    row->due_us = a->due_us;
    if (!a->worker)
        return;
    row->attempt_id = a->id;
    row->nonce = a->nonce;
    row->worker = batch_text(out, a->worker->id);
    row->incarnation = a->worker->incarnation;
    row->started_us = a->started_us;
}

void steps_flush(struct core *core, const struct core_now *now, struct batch *out)
{
    while (core->dirty.count) {
        struct step_ref ref = queue_pop(&core->dirty);
        struct step *s = &ref.run->steps[ref.step];
        s->flags &= (uint8_t)~STEP_DIRTY;
        if (!step_is_over(s)) /* else its result says it all */
            write_live(ref.run, ref.step, now, out);
    }
}

static void write_result(const struct run *run, int32_t i, const struct step_end *end,
                         const struct core_now *now, struct batch *out)
{
    const struct attempt *by = end->by;
    struct batch_result *row = batch_add_results(out);
    *row = (struct batch_result){
        .run = run->id,
        .step = i,
        .state = (uint8_t)end->state,
        .attempt = end->attempt,
        .attempt_id = by ? by->id : end->attempt_id,
        .worker = by && by->worker ? batch_text(out, by->worker->id) : NULL,
        .exit_code = end->exited ? end->exit_code : INT32_MIN,
        .reason = end->reason ? batch_text(out, end->reason) : "",
        .outputs = batch_json(out, end->outputs),
        .metrics = batch_json(out, end->metrics),
        .log = batch_json(out, end->log),
        .started_us = by ? by->started_us : 0,
        .finished_us = end->finished_us ? end->finished_us : now->wall_us,
        .image = end->image ? batch_text(out, end->image) : NULL,
    };
}

#ifdef LEAT_PLANTS
void step_write_result_again(struct run *run, int32_t i, int state, const struct core_now *now,
                             struct batch *out)
{
    run->steps[i].state = (uint8_t)state;
    write_result(run, i, &(struct step_end){.state = state, .attempt = run->steps[i].attempt}, now,
                 out);
}
#endif

/* ---- the end of a step --------------------------------------------------------------------- */

static bool is_failure(int state)
{
    return state == STEP_FAILED || state == STEP_UPSTREAM_FAILED;
}

/* The first step that fails names the run's reason. */
static void note_failure(struct run *run, int32_t i, int state, const char *reason)
{
    if (!is_failure(state))
        return;
    run->failed++;
    if (run->reason || state != STEP_FAILED || !run->version->ir)
        return;
    run->reason = mem_printf("step %s failed%s%.600s", step_ir(run, i)->name,
                             reason && *reason ? ": " : "", reason ? reason : "");
}

static void count_down(struct core *core, struct run *run, int32_t i)
{
    const struct ir_step *def = step_ir(run, i);
    for (size_t d = 0; d < def->dependent_count; d++) {
        struct step *next = &run->steps[def->dependents[d]];
        if (--next->needs_left == 0 && run->state == RUN_RUNNING && next->state == STEP_PENDING)
            queue_push(&core->settle, run, def->dependents[d]);
    }
}

/* The memory's side of a result, the same for a fresh one and a restored one. */
static void take_result(struct core *core, struct run *run, int32_t i, int state, json_t *outputs,
                        const char *reason)
{
    struct step *s = &run->steps[i];
    run->left--;
    note_failure(run, i, state, reason);
    if (!run->version->ir)
        return;
    if (state == STEP_SUCCEEDED && outputs && step_ir(run, i)->dependent_count)
        s->outputs = json_incref(outputs);
    count_down(core, run, i);
}

void step_end(struct core *core, struct run *run, int32_t i, const struct step_end *end,
              const struct core_now *now, struct batch *out)
{
    struct step *s = &run->steps[i];
    if (s->state == STEP_READY)
        place_withdraw(core, run, i);
    machine_move(&MACHINE_STEP, &s->state, end->state);
    write_result(run, i, end, now, out);
    if (run->state != RUN_PENDING && run->state != RUN_QUEUED)
        core->live_steps--;
    take_result(core, run, i, end->state, end->outputs, end->reason);
    run_step_over(core, run, now, out);
}

void step_recall(struct core *core, struct run *run, const struct snapshot_result *result)
{
    struct step *s = &run->steps[result->step];
    if (step_is_over(s))
        return;
    machine_move(&MACHINE_STEP, &s->state, result->state);
    s->attempt = (uint16_t)result->attempt;
    take_result(core, run, result->step, result->state, result->outputs, result->reason);
}

/* ---- all needs are terminal ---------------------------------------------------------------- */

/* The need that decides: one that did not succeed and was not skipped before one that was skipped;
 * -1 when all succeeded. O(needs). */
static int32_t deciding_need(const struct run *run, int32_t i)
{
    const struct ir_step *def = step_ir(run, i);
    int32_t skipped = -1;
    for (size_t n = 0; n < def->need_count; n++) {
        int state = run->steps[def->needs[n]].state;
        if (state == STEP_SKIPPED && skipped < 0)
            skipped = def->needs[n];
        else if (state != STEP_SUCCEEDED && state != STEP_SKIPPED)
            return def->needs[n];
    }
    return skipped;
}

static void end_without_try(struct core *core, struct run *run, int32_t i, int state,
                            const char *reason, const struct core_now *now, struct batch *out)
{
    step_end(core, run, i, &(struct step_end){.state = state, .reason = reason}, now, out);
}

static void settle(struct core *core, struct run *run, int32_t i, const struct core_now *now,
                   struct batch *out)
{
    int32_t need = deciding_need(run, i);
    if (need >= 0) {
        int why = run->steps[need].state;
        cleanup_free char *reason = mem_printf("step %s is %s", step_ir(run, need)->name,
                                               machine_state_name(&MACHINE_STEP, why));
        end_without_try(core, run, i, why == STEP_SKIPPED ? STEP_SKIPPED : STEP_UPSTREAM_FAILED,
                        reason, now, out);
        return;
    }
    if (step_ir(run, i)->when) {
        bool holds = false;
        struct err err = {0};
        if (order_when(run, i, &holds, &err) < 0) {
            cleanup_free char *reason = mem_printf("when: %s", err.text);
            end_without_try(core, run, i, STEP_FAILED, reason, now, out);
            return;
        }
        if (!holds) {
            end_without_try(core, run, i, STEP_SKIPPED, "its condition is false", now, out);
            return;
        }
    }
    place_ready(core, run, i);
}

bool steps_settle_one(struct core *core, const struct core_now *now, struct batch *out)
{
    if (core->settle.count == 0)
        return false;
    struct step_ref ref = queue_pop(&core->settle);
    if (!ref.run->over && ref.run->state == RUN_RUNNING &&
        ref.run->steps[ref.step].state == STEP_PENDING)
        settle(core, ref.run, ref.step, now, out);
    return true;
}

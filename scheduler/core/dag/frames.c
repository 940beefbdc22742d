#include "scheduler/core/dag/frames.h"

#include <assert.h>
#include <utlist.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "scheduler/core/run/adopt.h"
#include "scheduler/core/place/attempts.h"
#include "scheduler/core/wait/awaits.h"
#include "scheduler/core/dag/groups.h"
#include "scheduler/core/place/place.h"
#include "scheduler/core/place/queued.h"
#include "scheduler/core/run/runs.h"
#include "scheduler/core/dag/steps.h"

#define SWEEP_STEPS 4096 /* looked at in one go; each costs at most one row */

static int32_t work_count(const struct frame *f)
{
    return f->dag ? (int32_t)f->dag->work : f->count;
}

static bool is_finally(struct step_ref at)
{
    return at.place >= work_count(at.frame);
}

/* ---- the beginning ------------------------------------------------------------------------- */

void frame_init(struct core *core, struct frame *f, struct run *run, const struct ir_dag *dag)
{
    f->run = run;
    f->dag = dag;
    f->count = f->left = (int32_t)dag->count;
    f->old = -1;
    f->work_left = (int32_t)dag->work;
    f->steps = mem_array(dag->count, sizeof *f->steps);
    core->bytes += (int64_t)(dag->count * sizeof *f->steps);
    run->live += f->left;
    for (int32_t i = 0; i < f->count; i++)
        f->steps[i].needs_left = (int32_t)run->version->ir->steps[dag->steps[i]].need_count;
}

bool frame_stops(struct step_ref at)
{
    return is_finally(at) && !(plant_on(PLANT_CANCEL_INTO_FINALLY_GROUPS) && ref_is_group(at))
               ? at.frame->stop_finally
               : at.frame->stop != GOES_ON;
}

bool frame_lets_begin(struct step_ref at)
{
    const struct run *run = at.frame->run;
    return (run->state == RUN_RUNNING || run->state == RUN_CANCELLING) && !frame_stops(at) &&
           !at.frame->adoption && is_finally(at) == at.frame->in_finally;
}

static void push_first(struct core *core, struct frame *f, int32_t from, int32_t to)
{
    for (struct step_ref at = {f, from}; at.place < to; at.place++)
        if (f->steps[at.place].state == STEP_PENDING && f->steps[at.place].needs_left == 0 &&
            frame_lets_begin(at))
            queue_push(&core->settle, at);
}

void frame_push_first(struct core *core, struct frame *f)
{
    assert(!f->in_finally);
    push_first(core, f, 0, work_count(f));
}

void frame_begin(struct core *core, struct frame *f)
{
    core->live_steps += f->left;
    frame_push_first(core, f);
}

/* ---- steps that end ------------------------------------------------------------------------ */

/* The first step that fails names the reason. */
static void note_failure(struct frame *f, const struct ir_step *def, const char *reason)
{
    char **to = f->group ? &f->reason : &f->run->reason;
    f->failed++;
    if (*to)
        return;
    *to = mem_printf("step %s failed%s%.600s", def->name, *reason ? ": " : "", reason);
}

/* How many needs are open when a step is looked at. */
static int32_t needs_awaited(const struct ir_step *def)
{
    return plant_on(PLANT_RULE_BEFORE_LAST_NEED) && def->need_count > 1 ? 1 : 0;
}

static void count_down(struct core *core, struct step_ref at)
{
    const struct ir *ir = ref_run(at)->version->ir;
    const struct ir_step *def = ref_ir(at);
    for (size_t d = 0; d < def->dependent_count; d++) {
        struct step_ref next = {at.frame, ir->steps[def->dependents[d]].place};
        struct step *s = ref_step(next);
        if (--s->needs_left == needs_awaited(ref_ir(next)) && s->state == STEP_PENDING &&
            frame_lets_begin(next))
            queue_push(&core->settle, next);
    }
}

void frame_count_end(struct core *core, struct step_ref at, int state, const char *reason)
{
    struct frame *f = at.frame;
    const struct ir_step *def = ref_ir_known(at);
    f->left--;
    f->work_left -= !is_finally(at);
    f->run->live--;
    if (!def)
        return;
    if (state == STEP_FAILED && !def->allow_failure) {
        note_failure(f, def, reason);
        f->work_failed += !is_finally(at);
    } else if (state == STEP_CANCELLED && !is_finally(at))
        f->cancelled++;
    else if (state == STEP_CANCELLED && !def->allow_failure &&
             !plant_on(PLANT_FINALLY_LATE_IS_NO_FAILURE))
        note_failure(f, def, "its time was up");
    count_down(core, at);
}

static void write_finally(const struct frame *f, struct batch *out)
{
    *batch_add_finallys(out) =
        (struct batch_finally){f->run->id, f->id, f->finally_started_us, f->finally_up};
}

/* Their time goes by the wall across a takeover: the row says since when. */
static void arm_finally(struct core *core, struct frame *f, const struct core_now *now,
                        struct batch *out)
{
    const int64_t length = f->dag->finally_us;
    if (f->finally_started_us == 0) {
        f->finally_started_us = now->wall_us;
        write_finally(f, out);
    }
    const int64_t since = now->wall_us - f->finally_started_us;
    const int64_t gone = f->stop_finally ? length : since < 0 ? 0 : since;
    timers_set(&core->timers, &f->finally, TIMER_FINALLY, now->mono_us + length - gone);
}

static void begin_finally(struct core *core, struct frame *f, const struct core_now *now,
                          struct batch *out)
{
    f->in_finally = true;
    if (plant_on(PLANT_FINALLY_NOT_ON_CANCEL) && f->stop == STOP_CANCELLED) {
        f->stop_finally = true;
        frame_sweep_again(core, f);
        return;
    }
    arm_finally(core, f, now, out);
    push_first(core, f, work_count(f), f->count);
}

/* After a takeover frames are closed in the order of their ids, so that a round is not judged
 * before the one before it: one that is still to be closed waits, also when a report completes it.
 */
void frame_advance(struct core *core, struct frame *f, const struct core_now *now,
                   struct batch *out)
{
    struct run *run = f->run;
    if (f->closing || f->adoption || f->work_left > 0)
        return;
    assert(!f->over && !run->over && run->state != RUN_PENDING);
    if (run->state == RUN_QUEUED) /* all of it was taken over: when its turn comes */
        return;
    if (f->left > 0) {
        if (!f->in_finally)
            begin_finally(core, f, now, out);
        return;
    }
    timers_clear(&core->timers, &f->finally);
    if (f->group)
        group_frame_over(core, f, now, out);
    else
        run_root_over(core, run, now, out);
}

/* ---- stopping ------------------------------------------------------------------------------ */

void frame_sweep_again(struct core *core, struct frame *f)
{
    f->sweep = 0;
    if (!f->sweeping)
        DL_APPEND2(core->sweeping, f, sweep_prev, sweep_next);
    f->sweeping = true;
}

void frame_stop(struct core *core, struct frame *f, enum stop stop, const char *reason)
{
    assert(!f->stop && !f->over);
    f->stop = (uint8_t)stop;
    adopt_drop(core, f);
    if (f->group && !f->reason && reason)
        f->reason = mem_string(reason);
    frame_sweep_again(core, f);
}

/* It was the first to go wrong there, whatever a takeover has read of what came after. */
void frame_fail(struct core *core, struct frame *f, const char *reason)
{
    free(f->reason);
    f->reason = mem_string(reason);
    f->unfit = true;
    f->failed++;
    f->work_failed++;
    if (!f->stop)
        frame_stop(core, f, STOP_FAILED, NULL);
}

void frame_finally_due(struct core *core, struct frame *f, const struct core_now *now,
                       struct batch *out)
{
    (void)now;
    if (plant_on(PLANT_FINALLY_FOR_EVER))
        return;
    f->stop_finally = true;
    if (!f->finally_up) { /* before anything is asked to end */
        f->finally_up = true;
        write_finally(f, out);
    }
    frame_sweep_again(core, f);
}

/* What one step of a stopped frame comes to. */
static void sweep_step(struct core *core, struct step_ref at, const struct core_now *now,
                       struct batch *out)
{
    struct step *s = ref_step(at);
#ifdef LEAT_PLANTS
    if (plant_on(PLANT_TERMINAL_NOT_ABSORBING) && s->state == STEP_SUCCEEDED) {
        step_write_result_again(at, STEP_CANCELLED, now, out);
        return;
    }
#endif
    if (step_is_over(s) || !frame_stops(at))
        return;
    if (ref_is_group(at) && s->group) {
        group_stop(core, s->group, now, out);
        return;
    }
    if (ref_is_await(at) && s->await) {
        await_stop(core, s->await, now, out);
        return;
    }
    struct attempt *a = ref_attempt(at);
    if (a && a->worker) {
        if (s->state != STEP_CANCELLING)
            attempt_ask_cancel(core, a, now, out);
        return;
    }
    if (a)
        attempt_drop(core, a);
    step_end(core, at, &(struct step_end){.state = STEP_CANCELLED, .attempt = s->attempt}, now,
             out);
}

void frame_sweep(struct core *core, struct frame *f, const struct core_now *now, struct batch *out)
{
    int32_t stop = f->count - f->sweep > SWEEP_STEPS ? f->sweep + SWEEP_STEPS : f->count;
    size_t rows = core->config.batch_rows / 4 + 1, before = batch_row_count(out);
    while (!f->over && f->sweep < stop && batch_row_count(out) - before < rows)
        sweep_step(core, (struct step_ref){f, f->sweep++}, now, out);
    if (f->over || f->sweep < f->count)
        return;
    DL_DELETE2(core->sweeping, f, sweep_prev, sweep_next);
    f->sweeping = false;
    frame_advance(core, f, now, out); /* nothing was left to begin with */
}

/* ---- after a takeover ---------------------------------------------------------------------- */

void frame_finally_recall(struct frame *f, const struct snapshot_finally *row,
                          const struct core_now *now)
{
    f->finally_started_us = row->started_us;
    f->finally_up = row->up;
    f->stop_finally = (row->up || now->wall_us - row->started_us >= f->dag->finally_us) &&
                      !plant_on(PLANT_FINALLY_DEADLINE_FORGOTTEN_AT_TAKEOVER);
}

void frame_close_later(struct core *core, struct frame *f)
{
    DL_APPEND2(core->closing, f, close_prev, close_next);
    f->closing = true;
}

static void unlink_closing(struct core *core, struct frame *f)
{
    if (f->closing)
        DL_DELETE2(core->closing, f, close_prev, close_next);
    f->closing = false;
}

bool frames_close_one(struct core *core, const struct core_now *now, struct batch *out)
{
    struct frame *f = core->closing;
    if (!f)
        return false;
    unlink_closing(core, f);
    if (f->group)
        group_frame_restored(core, f);
    core->restoring = true; /* what ends now had ended before the takeover */
    frame_advance(core, f, now, out);
    core->restoring = false;
    return true;
}

void frames_close_all(struct core *core, const struct core_now *now, struct batch *out)
{
    while (frames_close_one(core, now, out))
        ;
}

/* ---- around -------------------------------------------------------------------------------- */

struct frame *frame_of_step(struct frame *f, int32_t index)
{
    const struct ir_dag *dag = ir_dag_of(f->run->version->ir, index);
    while (f->dag != dag)
        f = f->group->at.frame;
    return f;
}

/* ---- memory -------------------------------------------------------------------------------- */

void frame_let_go(struct core *core, struct frame *f)
{
    timers_clear(&core->timers, &f->finally);
    adopt_drop(core, f);
    if (f->sweeping)
        DL_DELETE2(core->sweeping, f, sweep_prev, sweep_next);
    f->sweeping = false;
    unlink_closing(core, f);
    f->over = true;
}

void frame_clear(struct core *core, struct frame *f)
{
    frame_let_go(core, f);
    for (struct step_ref at = {f, 0}; f->steps && at.place < f->count; at.place++) {
        struct step *s = ref_step(at);
        if (ref_is_group(at)) {
            if (s->group)
                group_drop(core, s->group);
        } else if (ref_is_await(at)) {
            if (s->await)
                await_drop(core, s->await);
        } else if (s->heap_place) {
            queued_drop(core, at);
        } else if (s->live) {
            attempt_drop(core, s->live);
        }
        json_decref(s->outputs);
    }
    if (f->steps)
        core->bytes -= (int64_t)((size_t)f->count * sizeof *f->steps);
    free(TAKE(f->steps));
    free(TAKE(f->reason));
    json_decref(f->params);
    f->params = NULL;
}

void frame_drop(struct core *core, struct frame *f)
{
    frame_clear(core, f);
    f->run->frames--;
    core->bytes -= (int64_t)sizeof *f;
    free(f);
}

void frame_leave(struct core *core, struct frame *f)
{
    frame_let_go(core, f);
    DL_DELETE(f->group->frames, f);
    DL_APPEND(core->over_frames, f);
}

void frames_free_over(struct core *core)
{
    struct frame *f, *next;
    DL_FOREACH_SAFE(core->over_frames, f, next)
    if (f->pins == 0) {
        DL_DELETE(core->over_frames, f);
        frame_drop(core, f);
    }
}

void frames_free_all_over(struct core *core)
{
    struct frame *f, *next;
    DL_FOREACH_SAFE(core->over_frames, f, next)
    {
        DL_DELETE(core->over_frames, f);
        frame_drop(core, f);
    }
}

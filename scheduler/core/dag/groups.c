#include "scheduler/core/dag/groups.h"

#include <assert.h>
#include <string.h>
#include <utlist.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "scheduler/core/run/adopt.h"
#include "scheduler/core/place/attempts.h"
#include "scheduler/core/place/backoff.h"
#include "scheduler/core/dag/collect.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/dag/items.h"
#include "scheduler/core/run/only.h"
#include "scheduler/core/run/repeat.h"
#include "scheduler/core/run/runs.h"
#include "scheduler/core/dag/steps.h"
#include "scheduler/core/dag/view.h"

static const struct ir_dag *dag_of(const struct group *g, int32_t ordinal)
{
    const struct ir_group *def = g->def->group;
    if (plant_on(PLANT_SWITCH_RUNS_TWO_BRANCHES) && def->mode == IR_GROUP_SWITCH)
        return &def->branches[((size_t)g->branch + (size_t)ordinal) % def->branch_count].dag;
    return &def->branches[g->branch].dag;
}

static bool is_loop(const struct group *g)
{
    return g->def->group->mode == IR_GROUP_LOOP;
}

static bool is_for_each(const struct group *g)
{
    return g->def->group->mode == IR_GROUP_FOR_EACH;
}

/* An item that fails ends no other. */
static bool outlives_failures(const struct group *g)
{
    return is_for_each(g) && !g->def->group->fail_fast;
}

bool group_waits(const struct group *g)
{
    return ref_step(g->at)->state == STEP_WAITING;
}

/* ---- memory -------------------------------------------------------------------------------- */

struct group *group_new(struct core *core, struct step_ref at)
{
    struct group *g = mem_alloc(sizeof *g);
    core->bytes += (int64_t)sizeof *g;
    g->at = at;
    g->def = ref_ir(at);
    g->sizes = mem_array(g->def->output_count + 1, sizeof *g->sizes);
    g->old = -1;
    ref_step(at)->group = g;
    return g;
}

static void unlink_starting(struct core *core, struct group *g)
{
    if (g->starting)
        DL_DELETE2(core->starting, g, start_prev, start_next);
    g->starting = false;
}

/* What one try has come to. Its frames are all over. */
static void forget_try(struct core *core, struct group *g)
{
    unlink_starting(core, g);
    timers_clear(&core->timers, &g->timeout);
    timers_clear(&core->timers, &g->wait);
    for (size_t i = 0; i < g->out_count; i++)
        json_decref(g->outs[i]);
    g->out_count = 0;
    memset(g->sizes, 0, g->def->output_count * sizeof *g->sizes);
    json_decref(g->items);
    g->items = NULL;
    free(TAKE(g->begun_before));
    free(TAKE(g->reason));
    if (!plant_on(PLANT_RETRY_KEEPS_FORMER_TRY))
        g->next = g->begun = g->open = g->done = 0;
    g->failed = g->cancelled = 0;
    g->stop = GOES_ON;
    g->ended = g->fatal = false;
}

void group_drop(struct core *core, struct group *g)
{
    struct frame *f, *next;
    DL_FOREACH_SAFE(g->frames, f, next)
    {
        DL_DELETE(g->frames, f);
        frame_drop(core, f);
    }
    if (group_waits(g))
        core->waiting--;
    forget_try(core, g);
    ref_step(g->at)->group = NULL;
    free(g->outs);
    free(g->sizes);
    core->bytes -= (int64_t)sizeof *g;
    free(g);
}

/* ---- its end ------------------------------------------------------------------------------- */

static void end(struct core *core, struct group *g, int state, json_t *outputs, const char *reason,
                const struct core_now *now, struct batch *out)
{
    struct step_ref at = g->at;
    struct step_end end = {.state = state,
                           .attempt = ref_step(at)->attempt,
                           .reason = reason,
                           .outputs = outputs,
                           .started_us = g->started_us};
    cleanup_free char *kept = reason ? mem_string(reason) : NULL; /* it may be the group's */
    end.reason = kept;
    group_drop(core, g);
    step_end(core, at, &end, now, out);
}

static void succeed(struct core *core, struct group *g, const struct core_now *now,
                    struct batch *out)
{
    json_t *outputs cleanup_json = collect_all(g);
    cleanup_free char *part =
        only_is_part(g->at) ? mem_printf(ONLY_PART_REASON "%.600s", ref_run(g->at)->retry_from)
                            : NULL;
    end(core, g, STEP_SUCCEEDED, outputs, part, now, out);
}

/* Until the next try, or -1. */
static int64_t wait_for_retry(struct core *core, const struct group *g)
{
    const struct ir_retry *retry = &g->def->retry;
    const bool late = g->fatal && text_starts_with(g->reason, RUN_TIMED_OUT);
    if (!(late ? retry->on_timed_out : retry->on_failed) &&
        !plant_on(PLANT_GROUP_TRIED_FOR_ANY_END))
        return -1;
    struct backoff policy = {(uint32_t)retry->max_attempts, retry->first_us, retry->cap_us,
                             retry->factor};
    if (plant_on(PLANT_GROUP_TRIED_ONCE_MORE))
        policy.max_attempts++;
    return backoff_wait_us(&policy, (uint32_t)ref_step(g->at)->attempt + 1, core_random01(core));
}

static void wait_for_next_try(struct core *core, struct group *g, int64_t wait_us,
                              const struct core_now *now)
{
    cleanup_free char *why =
        mem_printf("tried again after attempt %d: %.600s", ref_step(g->at)->attempt, g->reason);
    forget_try(core, g);
    g->reason = mem_string(why);
    g->since_us = now->wall_us;
    g->due_us = wait_us > 0 ? wait_us : 1;
    machine_move(&MACHINE_STEP, &ref_step(g->at)->state, STEP_WAITING);
    core->waiting++;
    timers_set(&core->timers, &g->wait, TIMER_GROUP_WAIT, now->mono_us + g->due_us);
    step_mark(core, g->at);
}

/* ---- going on ------------------------------------------------------------------------------ */

static bool can_begin(const struct group *g)
{
    assert(!group_waits(g)); /* between two tries it has no frame and starts none */
    if (g->stop || g->ended || g->done + g->open >= g->count)
        return false;
    if (is_for_each(g))
        return g->def->group->parallelism == 0 || g->open < g->def->group->parallelism;
    return g->open == 0 && !g->wait.place;
}

void group_go_on_later(struct core *core, struct group *g)
{
    if (!g->starting)
        DL_APPEND2(core->starting, g, start_prev, start_next);
    g->starting = true;
}

static void stop_frames(struct core *core, struct group *g, enum stop stop, const char *reason)
{
    struct frame *f;
    g->stop = (uint8_t)stop;
    unlink_starting(core, g);
    if (!group_waits(g))
        timers_clear(&core->timers, &g->wait);
    timers_clear(&core->timers, &g->timeout);
    if (g->open) {
        machine_move(&MACHINE_STEP, &ref_step(g->at)->state, STEP_CANCELLING);
        step_mark(core, g->at);
    }
    DL_FOREACH (g->frames, f)
        if (!f->stop) /* one without its parameters stops by itself */
            frame_stop(core, f, stop, reason);
}

/* Failed as a whole: the first reason counts. */
static void fail(struct core *core, struct group *g, const char *reason)
{
    if (!g->fatal) {
        char *copy = mem_string(reason);
        free(g->reason);
        g->reason = copy;
    }
    g->fatal = true;
    if (!g->stop)
        stop_frames(core, g, STOP_FAILED, g->reason);
}

/* Not tried again. Where all items were run and some have failed, the others count. */
static void give_up(struct core *core, struct group *g, bool whole, const struct core_now *now,
                    struct batch *out)
{
    const bool counts = whole && outlives_failures(g) && !g->fatal;
    json_t *outputs cleanup_json = counts ? collect_all(g) : NULL;
    end(core, g, STEP_FAILED, outputs, g->reason, now, out);
}

/* All its frames are over, and no other begins. */
static void over(struct core *core, struct group *g, const struct core_now *now, struct batch *out)
{
    const bool failed = g->fatal || g->failed;
    const bool whole = !group_waits(g) && (g->ended || g->done >= g->count);
    if (!failed && !g->cancelled && whole) {
        succeed(core, g, now, out);
        return;
    }
    if (g->outside || frame_stops(g->at)) {
        end(core, g, STEP_CANCELLED, NULL, NULL, now, out);
        return;
    }
    if (!failed) /* its rows do not belong together */
        fail(core, g, "it was being stopped, and nothing says why");
    const int64_t wait = wait_for_retry(core, g);
    if (wait < 0)
        give_up(core, g, whole, now, out);
    else
        wait_for_next_try(core, g, wait, now);
}

static void go_on(struct core *core, struct group *g, const struct core_now *now, struct batch *out)
{
    if (can_begin(g))
        group_go_on_later(core, g);
    else if (g->open == 0 && !g->wait.place)
        over(core, g, now, out);
}

void group_stop(struct core *core, struct group *g, const struct core_now *now, struct batch *out)
{
    g->outside = true;
    if (!g->stop)
        stop_frames(core, g, STOP_CANCELLED, NULL);
    timers_clear(&core->timers, &g->wait);
    if (g->open == 0)
        over(core, g, now, out);
}

void group_arm_timeout(struct core *core, struct group *g, int64_t gone_us,
                       const struct core_now *now)
{
    const int64_t length = g->def->timeout_us;
    if (length <= 0)
        return;
    const int64_t gone = gone_us < 0 ? 0 : gone_us > length ? length : gone_us;
    timers_set(&core->timers, &g->timeout, TIMER_GROUP, now->mono_us + length - gone);
}

void group_timeout_due(struct core *core, struct group *g, const struct core_now *now,
                       struct batch *out)
{
    cleanup_free char *length = run_duration_text(g->def->timeout_us);
    cleanup_free char *reason = mem_printf(RUN_TIMED_OUT " %s", length);
    fail(core, g, reason);
    go_on(core, g, now, out);
}

/* ---- frames -------------------------------------------------------------------------------- */

struct frame *group_frame_new(struct core *core, struct group *g, int32_t ordinal)
{
    struct frame *f = mem_alloc(sizeof *f);
    core->bytes += (int64_t)sizeof *f;
    frame_init(core, f, ref_run(g->at), dag_of(g, ordinal));
    f->id = g->first + ordinal;
    f->group = g;
    f->ordinal = ordinal;
    f->old = ordinal < g->old_count ? g->old + ordinal : -1;
    if (plant_on(PLANT_PART_OF_THE_FIRST_ITEM) && only_is_part(g->at))
        f->old = g->old;
    if (f->old >= 0)
        repeat_flag_groups(f);
    f->run->frames++;
    g->open++;
    g->begun++;
    DL_APPEND(g->frames, f);
    return f;
}

void group_frame_restored(struct core *core, struct frame *f)
{
    struct err err = {0};
    if (view_params(f, &err) < 0 && plant_on(PLANT_UNFIT_ITEM_STOPS_ALL))
        fail(core, f->group, err.text);
    else if (err.code)
        frame_fail(core, f, err.text);
}

static void begin_frame(struct core *core, struct group *g)
{
    struct run *run = ref_run(g->at);
    while (g->begun_before && g->begun_before[g->next])
        g->next++;
    if (run->live + (int64_t)dag_of(g, g->next)->count > IR_LIVE_STEPS_MAX) {
        cleanup_free char *reason =
            mem_printf("the run would have more than %d live steps%s", IR_LIVE_STEPS_MAX,
                       is_for_each(g) ? "; set a parallelism" : "");
        fail(core, g, reason);
        return;
    }
    struct frame *f = group_frame_new(core, g, g->next++);
    if (f->old >= 0)
        adopt_frame(core, f);
    frame_begin(core, f);
    group_frame_restored(core, f);
}

bool groups_begin_one(struct core *core, const struct core_now *now, struct batch *out)
{
    struct group *g = core->starting;
    if (!g)
        return false;
    if (can_begin(g))
        begin_frame(core, g);
    if (can_begin(g))
        return true;
    unlink_starting(core, g);
    go_on(core, g, now, out);
    return true;
}

json_t *group_gave(const struct group *g, int32_t ordinal)
{
    return ordinal >= 0 && (size_t)ordinal < g->out_count ? g->outs[ordinal] : NULL;
}

/* After a takeover what is left of it. */
static void wait_for_next_round(struct core *core, struct group *g, const struct core_now *now)
{
    const int64_t delay = g->def->group->delay_us;
    const bool goes_on = core->restoring; /* it began in the batch in which the round ended */
    const int64_t gone = goes_on && now->wall_us > g->since_us ? now->wall_us - g->since_us : 0;
    if (!goes_on) {
        g->since_us = now->wall_us;
        g->due_us = delay;
        step_mark(core, g->at);
    }
    timers_set(&core->timers, &g->wait, TIMER_GROUP_WAIT,
               now->mono_us + (gone > delay ? 0 : delay - gone));
}

/* Is the next round one that had begun after this one, when both are taken over? */
static bool repeats_next(const struct group *g, int32_t ordinal)
{
    return ref_run(g->at)->again == AGAIN_RETRY && ordinal + 1 < g->old_count;
}

/* A round has succeeded: was it the last? */
static void judge_round(struct core *core, struct group *g, int32_t ordinal,
                        const struct core_now *now)
{
    const struct ir_group *def = g->def->group;
    struct err err = {0};
    bool holds = false;
    if (collect_until(g, ordinal, &holds, &err) < 0) {
        cleanup_free char *reason = mem_printf("until: %s", err.text);
        fail(core, g, reason);
    } else if (holds && !(plant_on(PLANT_LOOP_A_ROUND_TOO_MANY) && ordinal == 0 && g->count > 1)) {
        g->ended = true;
    } else if (g->done >= g->count) {
        cleanup_free char *reason =
            mem_printf("its condition did not hold after %d rounds", g->count);
        fail(core, g, reason);
    } else if (def->delay_us > 0 && !g->stop && !repeats_next(g, ordinal) &&
               !(g->begun_before && g->begun_before[ordinal + 1])) {
        wait_for_next_round(core, g, now);
    }
}

static void note_failed(struct group *g, const struct frame *f)
{
    const char *why = f->reason; /* what counts as failed says why */
    g->failed++;
    if (g->reason)
        return;
    g->reason = is_for_each(g) ? mem_printf("item %d: %s", f->ordinal, why)
                : is_loop(g)   ? mem_printf("round %d: %s", f->ordinal, why)
                               : mem_string(why);
}

void group_frame_over(struct core *core, struct frame *f, const struct core_now *now,
                      struct batch *out)
{
    struct group *g = f->group;
    struct err err = {0};
    const bool good = !f->failed && !f->cancelled;
    g->open--;
    g->done++;
    if (plant_on(PLANT_ITEM_COUNTED_TWICE) && is_for_each(g) && good)
        g->done++;
    if ((good || outlives_failures(g)) && collect_frame(g, f, &err) < 0)
        fail(core, g, err.text);
    if (f->failed)
        note_failed(g, f);
    else if (f->cancelled)
        g->cancelled++;
    const int32_t ordinal = f->ordinal;
    frame_leave(core, f);
    if (g->failed && !g->stop && !outlives_failures(g))
        stop_frames(core, g, STOP_CANCELLED, NULL);
    if (good && is_loop(g) && !g->fatal)
        judge_round(core, g, ordinal, now);
    go_on(core, g, now, out);
}

/* ---- a try --------------------------------------------------------------------------------- */

static void write_start(const struct group *g, struct batch *out)
{
    struct batch_group *row = batch_add_groups(out);
    *row = (struct batch_group){
        .run = ref_run(g->at)->id,
        .step = ref_index(g->at),
        .iteration = ref_iteration(g->at),
        .attempt = ref_step(g->at)->attempt,
        .first = g->first,
        .count = g->count,
        .branch = g->branch,
        .items = g->def->group->items_kind == IR_ITEMS_LITERAL ? NULL : batch_json(out, g->items),
    };
}

/* Of a switch a part runs, in a branch that is not the one to take. */
static bool passes_by(const struct group *g)
{
    return only_is_part(g->at) && !only_runs_in(ref_run(g->at), dag_of(g, 0));
}

static void begin_try(struct core *core, struct group *g, const struct core_now *now,
                      struct batch *out)
{
    struct run *run = ref_run(g->at);
    struct step *s = ref_step(g->at);
    struct err err = {0};
    const int rc = items_find(g, &err);
    if (rc == ITEMS_SKIPPED) {
        end(core, g, STEP_SKIPPED, NULL, "the condition of every branch is false", now, out);
        return;
    }
    if (rc == 0 && passes_by(g)) {
        end(core, g, STEP_SKIPPED, NULL, ONLY_PASSED_REASON, now, out);
        return;
    }
    s->attempt++;
    if (rc == 0 && g->count > INT32_MAX - run->next_frame)
        err_set(&err, LEAT_ELIMIT, "the run has begun too many iterations");
    if (rc < 0 || err.code || repeat_group(g, &err) < 0) {
        end(core, g, STEP_FAILED, NULL, err.text, now, out);
        return;
    }
    g->started_us = g->since_us = now->wall_us;
    g->due_us = g->def->timeout_us;
    if (g->count == 0) {
        succeed(core, g, now, out);
        return;
    }
    g->first = run->next_frame;
    run->next_frame += g->count;
    if (s->state == STEP_WAITING)
        core->waiting--;
    machine_move(&MACHINE_STEP, &s->state, STEP_RUNNING);
    write_start(g, out);
    step_mark(core, g->at);
    group_arm_timeout(core, g, 0, now);
    group_go_on_later(core, g);
}

void group_begin(struct core *core, struct step_ref at, const struct core_now *now,
                 struct batch *out)
{
    begin_try(core, group_new(core, at), now, out);
}

void group_wait_due(struct core *core, struct group *g, const struct core_now *now,
                    struct batch *out)
{
    if (!group_waits(g)) { /* between two rounds */
        go_on(core, g, now, out);
        return;
    }
    free(TAKE(g->reason));
    begin_try(core, g, now, out);
}

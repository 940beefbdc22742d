#include "scheduler/core/place/attempts.h"

#include <assert.h>
#include <string.h>
#include <utlist.h>

#include "common/base/clock.h"
#include "common/base/lease.h"
#include "common/base/mem.h"
#include "common/base/plant.h"
#include "scheduler/core/place/backoff.h"
#include "scheduler/core/place/cache.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/place/leave.h"
#include "scheduler/core/place/limits.h"
#include "scheduler/core/place/order.h"
#include "scheduler/core/place/place.h"
#include "scheduler/core/dag/steps.h"

int64_t step_lost_after(const struct core *core, const struct ir_step *def)
{
    return def && def->lost_after_us > 0 ? def->lost_after_us : core->config.lost_after_us;
}

int64_t step_grace(const struct core *core, const struct ir_step *def)
{
    return def && def->grace_us > 0 ? def->grace_us : core->config.cancel_grace_us;
}

/* The fuse of a process burns LEASE_MARGIN before this, its grace included; one whose grace is
 * longer than lost_after allows has its fuse at the lease's end, and is over a grace later. */
int64_t step_lost_silence(const struct core *core, const struct ir_step *def)
{
    int64_t grace = step_grace(core, def) + LEASE_MARGIN, lost_after = step_lost_after(core, def);
    if (plant_on(PLANT_LOST_AFTER_FROM_LAST_WORD))
        return lost_after;
    return core->config.lease_us + (lost_after > grace ? lost_after : grace);
}

static const struct ir_step *attempt_ir(const struct attempt *a)
{
    return ref_ir_known(a->at);
}

static struct step *attempt_step(const struct attempt *a)
{
    return ref_step(a->at);
}

/* ---- on and off a worker: the only places where `used` changes ------------------------------ */

void attempt_link(struct core *core, struct attempt *a)
{
    struct worker *w = a->worker;
    DL_APPEND(w->attempts, a);
    w->used.slots += a->takes.slots;
    w->used.gpu += a->takes.gpu;
    w->used.cpu += a->takes.cpu;
    w->used.memory += a->takes.memory;
#ifdef LEAT_PLANTS
    w->slots_apart += a->takes.slots;
#endif
    HASH_ADD(hh, core->attempts, id, sizeof a->id, a);
}

static void attempt_unlink(struct core *core, struct attempt *a)
{
    struct worker *w = a->worker;
    HASH_DEL(core->attempts, a);
    DL_DELETE(w->attempts, a);
    limits_give_back(core, a);
    w->used.slots -= a->takes.slots;
    w->used.gpu -= a->takes.gpu;
    w->used.memory -= a->takes.memory;
    /* Sums of fractions do not come back to zero by themselves. */
    w->used.cpu = w->attempts ? w->used.cpu - a->takes.cpu : 0;
#ifdef LEAT_PLANTS
    if (!a->given_back)
        w->slots_apart -= a->takes.slots;
#endif
    if (w->used.slots <= w->has.slots && w->used.gpu <= w->has.gpu)
        w->overfull = false;
    a->worker = NULL;
    place_pool_changed(core, w->pool);
}

#ifdef LEAT_PLANTS
void attempt_rename(struct core *core, struct attempt *a, const struct uuid *id, int64_t nonce)
{
    HASH_DEL(core->attempts, a);
    a->id = *id;
    a->nonce = nonce;
    HASH_ADD(hh, core->attempts, id, sizeof a->id, a);
}
#endif

void attempt_drop(struct core *core, struct attempt *a)
{
    timers_clear(&core->timers, &a->timer);
    if (a->worker)
        attempt_unlink(core, a);
    else
        core->waiting--;
    attempt_step(a)->live = NULL;
    core->bytes -= (int64_t)sizeof *a;
    free(a->holds);
    free(a->reason);
    free(a->key);
    free(a);
}

/* What the leader allows before it calls a silent attempt lost; 0 = the lease alone decides: for a
 * step without a timeout, and for one that has not started, since fetching its inputs or its image
 * takes as long as it takes. A worker that is heard says when it starts, or why it does not. */
static int64_t attempt_allowance(const struct core *core, const struct attempt *a)
{
    const struct ir_step *def = attempt_ir(a);
    if (!def || def->timeout_us <= 0 || attempt_step(a)->state == STEP_PLACED)
        return 0;
    return def->timeout_us + step_grace(core, def) + step_lost_after(core, def);
}

static void attempt_arm(struct core *core, struct attempt *a, const struct core_now *now)
{
    a->due_us = attempt_allowance(core, a);
    if (a->due_us > 0)
        timers_set(&core->timers, &a->timer, TIMER_ATTEMPT, now->mono_us + a->due_us);
}

struct attempt *attempt_new(struct core *core, struct step_ref at, struct worker *worker,
                            const struct core_now *now)
{
    const struct ir_step *def = ref_ir(at);
    struct step *s = ref_step(at);
    struct attempt *a = mem_alloc(sizeof *a);
    core->bytes += (int64_t)sizeof *a;
    a->id = core_uuid(core, now->wall_us);
    a->nonce = (int64_t)(core_random(core) >> 1);
    a->at = at;
    a->number = s->attempt + 1;
    a->worker = worker;
    a->takes = (struct capacity){def->slots, def->gpu, def->cpu, def->memory};
    a->since_us = now->wall_us;
    s->attempt = (uint16_t)a->number;
    s->live = a;
    machine_move(&MACHINE_STEP, &s->state, STEP_PLACED);
    attempt_link(core, a);
    attempt_arm(core, a, now);
    step_mark(core, at);
    return a;
}

struct attempt *attempt_match(struct core *core, const struct uuid *id, int64_t nonce)
{
    struct attempt *a = NULL;
    HASH_FIND(hh, core->attempts, id, sizeof *id, a);
    return a && a->nonce == nonce ? a : NULL;
}

/* ---- how an attempt ends ------------------------------------------------------------------- */

struct ending {
    int outcome;                        /* enum report_result_outcome */
    const struct report_result *result; /* NULL = the leader's own judgement */
    const char *reason;
    int64_t at_us; /* wall; 0 = now */
};

static const uint8_t DONE_AS[] = {
    [REPORT_RESULT_OUTCOME_FAILED] = ATTEMPT_FAILED,
    [REPORT_RESULT_OUTCOME_TIMED_OUT] = ATTEMPT_TIMED_OUT,
    [REPORT_RESULT_OUTCOME_CANCELLED] = ATTEMPT_CANCELLED,
    [REPORT_RESULT_OUTCOME_REVOKED] = ATTEMPT_CANCELLED,
    [REPORT_RESULT_OUTCOME_REFUSED] = ATTEMPT_LOST,
    [REPORT_RESULT_OUTCOME_LOST] = ATTEMPT_LOST,
};

/* This attempt is not the result: its row in attempt_done. */
static void write_done(const struct attempt *a, const struct ending *end,
                       const struct core_now *now, struct batch *out)
{
    const struct report_result *result = end->result;
    struct batch_attempt *row = batch_add_attempts(out);
    *row = (struct batch_attempt){
        .run = ref_run(a->at)->id,
        .step = ref_index(a->at),
        .iteration = ref_iteration(a->at),
        .attempt = a->number,
        .attempt_id = a->id,
        .state = DONE_AS[end->outcome],
        .worker = batch_text(out, a->worker->id),
        .exit_code = result ? (int32_t)result->exit_code : INT32_MIN,
        .reason = batch_text(out, end->reason),
        .log = result ? batch_json(out, result->log) : NULL,
        .started_us = a->started_us,
        .finished_us = end->at_us ? end->at_us : now->wall_us,
        .image = result && result->image ? batch_text(out, result->image) : NULL,
    };
}

/* This attempt is the result. */
static void finish_step(struct core *core, struct attempt *a, int state, const struct ending *end,
                        const struct core_now *now, struct batch *out)
{
    const struct report_result *result = end->result;
    if (state == STEP_SUCCEEDED)
        cache_keep(core, a, now, out);
    struct step_end step = {.state = state,
                            .attempt = a->number,
                            .by = a,
                            .reason = end->reason,
                            .finished_us = end->at_us};
    if (result) {
        step.exited = true;
        step.exit_code = (int32_t)result->exit_code;
        step.outputs = state == STEP_SUCCEEDED ? result->outputs : NULL;
        step.metrics = result->metrics;
        step.log = result->log;
        step.image = result->image;
    }
    step_end(core, a->at, &step, now, out);
    attempt_drop(core, a);
}

/* The next try waits `wait_us`, 0 = it may be placed at once. */
static void try_again(struct core *core, struct attempt *a, const struct ending *end,
                      int64_t wait_us, const struct core_now *now, struct batch *out)
{
    struct step_ref at = a->at;
    write_done(a, end, now, out);
    if (wait_us == 0) {
        attempt_drop(core, a);
        place_ready(core, at);
        return;
    }
    timers_clear(&core->timers, &a->timer);
    attempt_unlink(core, a);
    machine_move(&MACHINE_STEP, &attempt_step(a)->state, STEP_WAITING);
    core->waiting++;
    a->id = (struct uuid){0};
    a->since_us = now->wall_us;
    a->started_us = 0;
    a->due_us = wait_us;
    free(a->reason);
    a->reason = mem_printf("tried again after attempt %d: %.600s", a->number, end->reason);
    timers_set(&core->timers, &a->timer, TIMER_BACKOFF, now->mono_us + wait_us);
    step_mark(core, at);
}

static void end_succeeded(struct core *core, struct attempt *a, const struct ending *end,
                          const struct core_now *now, struct batch *out)
{
    finish_step(core, a, STEP_SUCCEEDED, end, now, out);
}

static bool has_code(const int32_t *codes, size_t count, int64_t code)
{
    for (size_t i = 0; i < count; i++)
        if (codes[i] == code)
            return true;
    return false;
}

/* Does its policy mean this end of an attempt? */
static bool is_meant(const struct ir_retry *retry, const struct ending *end)
{
    if (end->outcome != REPORT_RESULT_OUTCOME_FAILED)
        return retry->on_timed_out && !plant_on(PLANT_TIMED_OUT_NOT_TRIED_AGAIN);
    if (!retry->on_failed)
        return false;
    const int64_t code = end->result->exit_code; /* only a worker says that one failed */
    if (plant_on(PLANT_EXIT_CODES_IGNORED))
        return true;
    if (retry->exit_codes && !has_code(retry->exit_codes, retry->exit_code_count, code))
        return false;
    return !has_code(retry->not_exit_codes, retry->not_exit_code_count, code);
}

static void end_failed(struct core *core, struct attempt *a, const struct ending *end,
                       const struct core_now *now, struct batch *out)
{
    const struct ir_retry *retry = &ref_ir(a->at)->retry;
    struct backoff policy = {(uint32_t)retry->max_attempts, retry->first_us, retry->cap_us,
                             retry->factor};
    uint32_t failures = (uint32_t)(a->number - attempt_step(a)->lost);
    if (plant_on(PLANT_AT_MOST_ONCE_TRIED_AGAIN) && ref_ir(a->at)->at_most_once)
        policy.max_attempts = 2;
    const bool again = is_meant(retry, end) &&
                       (!ref_ir(a->at)->at_most_once || plant_on(PLANT_AT_MOST_ONCE_TRIED_AGAIN));
    int64_t wait = again ? backoff_wait_us(&policy, failures + 1, core_random01(core)) : -1;
    if (wait < 0)
        finish_step(core, a, STEP_FAILED, end, now, out);
    else
        try_again(core, a, end, wait, now, out);
}

static bool lost_again(const struct attempt *a, const struct ending *end)
{
    const struct ir_step *def = ref_ir(a->at);
    const int32_t lost = attempt_step(a)->lost;
    if (def->at_most_once)
        return leave_again(a, lost, end->outcome != REPORT_RESULT_OUTCOME_LOST);
    if (plant_on(PLANT_LOST_WITHOUT_BOUND))
        return def->retry.on_lost;
    return def->retry.on_lost && lost <= def->retry.max_lost;
}

/* Lost, refused, revoked: one budget for all three, so that no worker can make a step go on for
 * ever. */
static void end_lost(struct core *core, struct attempt *a, const struct ending *end,
                     const struct core_now *now, struct batch *out)
{
    struct step *s = attempt_step(a);
    s->lost++;
    if (lost_again(a, end)) {
        try_again(core, a, end, 0, now, out);
        return;
    }
    cleanup_free char *reason =
        leave_may_have_run(a)
            ? mem_printf("%s; it may have run, and at_most_once tries nothing twice", end->reason)
        : s->lost > 1 ? mem_printf("%d attempts were lost; the last: %s", s->lost, end->reason)
                      : mem_string(end->reason);
    struct ending last = *end;
    last.reason = reason;
    finish_step(core, a, STEP_FAILED, &last, now, out);
}

static void end_unasked(struct core *core, struct attempt *a, const struct ending *end,
                        const struct core_now *now, struct batch *out)
{
    struct ending unasked = *end;
    unasked.reason = "ended on the worker as cancelled, and nobody had asked for it";
    finish_step(core, a, STEP_FAILED, &unasked, now, out);
}

typedef void end_fn(struct core *core, struct attempt *a, const struct ending *end,
                    const struct core_now *now, struct batch *out);
static end_fn *const WHILE_RUNNING[] = {
    [REPORT_RESULT_OUTCOME_SUCCEEDED] = end_succeeded,
    [REPORT_RESULT_OUTCOME_FAILED] = end_failed,
    [REPORT_RESULT_OUTCOME_TIMED_OUT] = end_failed,
    [REPORT_RESULT_OUTCOME_CANCELLED] = end_unasked,
    [REPORT_RESULT_OUTCOME_REVOKED] = end_lost,
    [REPORT_RESULT_OUTCOME_REFUSED] = end_lost,
    [REPORT_RESULT_OUTCOME_LOST] = end_lost,
};

/* The order of commits decides: a success read after a cancel lets the step succeed. */
static void attempt_over(struct core *core, struct attempt *a, const struct ending *end,
                         const struct core_now *now, struct batch *out)
{
    if (ref_run(a->at)->broken && end->outcome != REPORT_RESULT_OUTCOME_SUCCEEDED)
        finish_step(core, a, STEP_FAILED, end, now, out); /* no policy can be read */
    else if (!frame_stops(a->at))
        WHILE_RUNNING[end->outcome](core, a, end, now, out);
    else if (end->outcome == REPORT_RESULT_OUTCOME_SUCCEEDED)
        finish_step(core, a, STEP_SUCCEEDED, end, now, out);
    else
        finish_step(core, a, STEP_CANCELLED, end, now, out);
}

/* ---- reports ------------------------------------------------------------------------------- */

static int64_t report_at(const struct report *report, const struct core_now *now)
{
    int64_t at;
    return report->at && clock_parse(report->at, &at) == 0 ? at : now->wall_us;
}

static void on_started(struct core *core, struct attempt *a, const struct report *report,
                       const struct core_now *now)
{
    struct step *s = attempt_step(a);
    if (a->started_us)
        return;
    a->started_us = report_at(report, now);
    if (s->state != STEP_PLACED) /* cancelling: stays so */
        return;
    machine_move(&MACHINE_STEP, &s->state, STEP_RUNNING);
    a->since_us = now->wall_us;
    attempt_arm(core, a, now);
    step_mark(core, a->at);
}

/* What its worker does before it starts, for people: in the row, as why it is not running yet. */
static void on_progress(struct core *core, struct attempt *a, const struct report *report)
{
    if (!report->note || attempt_step(a)->state != STEP_PLACED)
        return;
    free(a->reason);
    a->reason = mem_string(report->note);
    step_mark(core, a->at);
}

static void on_finished(struct core *core, struct attempt *a, const struct report *report,
                        const struct core_now *now, struct batch *out)
{
    const struct report_result *result = report->result;
    if (!result || result->outcome == REPORT_RESULT_OUTCOME_NONE) {
        core->counted.reports_stale++; /* says nothing; its deadline stays */
        return;
    }
    cleanup_free char *reason = NULL;
    if (result->reason && *result->reason)
        reason = mem_string(result->reason);
    else if (result->outcome == REPORT_RESULT_OUTCOME_FAILED)
        reason = mem_printf("exit code %lld", (long long)result->exit_code);
    else if (result->outcome != REPORT_RESULT_OUTCOME_SUCCEEDED)
        reason = mem_string(report_result_outcome_name(result->outcome));
    /* `started` may be left out when `finished` follows at once. */
    if (!a->started_us && result->exit_code >= 0 &&
        (result->outcome <= REPORT_RESULT_OUTCOME_CANCELLED))
        a->started_us = a->since_us;
    struct ending end = {result->outcome, result, reason ? reason : "", report_at(report, now)};
    attempt_over(core, a, &end, now, out);
}

void attempt_report(struct core *core, const struct report *report, const struct core_now *now,
                    struct batch *out)
{
    /* After a takeover: the key under which a result is kept is of what the part is given, which
     * may be what the round before gave. */
    if (report->kind == REPORT_KIND_FINISHED && !plant_on(PLANT_PARAMS_LATE_AFTER_TAKEOVER))
        frames_close_all(core, now, out);
    struct attempt *a = attempt_match(core, &report->attempt, report->nonce);
    if (!a) {
        core->counted.reports_stale++;
        return;
    }
    if (report->kind == REPORT_KIND_STARTED)
        on_started(core, a, report, now);
    else if (report->kind == REPORT_KIND_PROGRESS)
        on_progress(core, a, report);
    else if (report->kind == REPORT_KIND_FINISHED)
        on_finished(core, a, report, now, out);
    else /* asks leave */
        leave_asked(core, a, out);
}

/* ---- the leader's own judgement ------------------------------------------------------------ */

void attempt_lost(struct core *core, struct attempt *a, const char *reason, bool tell,
                  const struct core_now *now, struct batch *out)
{
    if (tell)
        order_cancel(core, a->worker, &a->id, a->nonce, step_grace(core, attempt_ir(a)), reason,
                     out);
    struct ending end = {REPORT_RESULT_OUTCOME_LOST, NULL, reason, 0};
    attempt_over(core, a, &end, now, out);
}

void attempt_ask_cancel(struct core *core, struct attempt *a, const struct core_now *now,
                        struct batch *out)
{
    const struct frame *f = a->at.frame;
    const struct ir_step *def = attempt_ir(a);
    const char *reason = f->reason ? f->reason : f->run->reason;
    machine_move(&MACHINE_STEP, &attempt_step(a)->state, STEP_CANCELLING);
    a->since_us = now->wall_us;
    a->due_us = step_lost_silence(core, def);
    timers_set(&core->timers, &a->timer, TIMER_ATTEMPT, now->mono_us + a->due_us);
    order_cancel(core, a->worker, &a->id, a->nonce, step_grace(core, def),
                 reason ? reason : "cancelled", out);
    step_mark(core, a->at);
    if (plant_on(PLANT_LIMIT_GIVEN_BACK_AT_THE_CANCEL))
        limits_give_back(core, a);
#ifdef LEAT_PLANTS
    a->given_back = true; /* before the worker has let go */
    a->worker->slots_apart -= a->takes.slots;
    if (plant_on(PLANT_SLOT_COUNTER_APART))
        place_pool_changed(core, a->worker->pool);
#endif
}

static void worker_is_late(struct core *core, struct attempt *a, const struct core_now *now,
                           struct batch *out)
{
    if (attempt_step(a)->state != STEP_CANCELLING) {
        attempt_lost(core, a, "the worker said nothing after the step's timeout", true, now, out);
        return;
    }
    struct ending end = {REPORT_RESULT_OUTCOME_LOST, NULL, "the worker did not answer the cancel",
                         0};
    attempt_over(core, a, &end, now, out);
}

void attempt_timer_due(struct core *core, struct attempt *a, const struct core_now *now,
                       struct batch *out)
{
    if (a->worker) {
        worker_is_late(core, a, now, out);
        return;
    }
    struct step_ref at = a->at;
    attempt_drop(core, a);
    if (frame_stops(at)) /* the timer was quicker than the sweep */
        step_end(core, at,
                 &(struct step_end){.state = STEP_CANCELLED, .attempt = ref_step(at)->attempt}, now,
                 out);
    else
        place_ready(core, at);
}

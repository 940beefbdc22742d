#include "scheduler/core/worker/workers.h"

#include <assert.h>
#include <string.h>
#include <utlist.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/bus/bus.h"
#include "common/text/json.h"
#include "scheduler/core/place/attempts.h"
#include "scheduler/core/worker/hello.h"
#include "scheduler/core/place/order.h"
#include "scheduler/core/place/place.h"
#include "scheduler/core/worker/retire.h"
#include "scheduler/core/dag/steps.h"

#define GRANT_GAP_US (50 * US_PER_MS) /* between grants that only acknowledge */

/* ---- the set ------------------------------------------------------------------------------- */

struct worker *worker_find(struct core *core, const char *id)
{
    struct worker *w = NULL;
    HASH_FIND_STR(core->workers, id, w);
    return w;
}

static struct worker *worker_new(struct core *core, const char *id)
{
    struct worker *w = mem_alloc(sizeof *w);
    w->id = mem_string(id);
    w->topic = mem_printf(TOPIC_ORDERS_PREFIX "%s", id);
    w->boot = mem_string("");
    w->workspace = mem_string("");
    w->granted_us = -GRANT_GAP_US;
    HASH_ADD_KEYPTR(hh, core->workers, w->id, strlen(w->id), w);
    return w;
}

/* It is looked at when the batch ends: for a grant, with worker_mark for its row too. */
static void worker_touch(struct core *core, struct worker *w)
{
    if (w->touched)
        return;
    w->touched = true;
    DL_APPEND2(core->dirty_workers, w, dirty_prev, dirty_next);
}

void worker_mark(struct core *core, struct worker *w)
{
    w->dirty = true;
    worker_touch(core, w);
}

void worker_become(struct core *core, struct worker *w, int state)
{
    machine_move(&MACHINE_WORKER, &w->state, state);
    worker_mark(core, w);
}

static void worker_free(struct core *core, struct worker *w)
{
    HASH_DEL(core->workers, w);
    json_decref(w->info);
    free(w->id);
    free(w->topic);
    free(w->boot);
    free(w->workspace);
    free(w);
}

void workers_free(struct core *core)
{
    struct worker *w, *next;
    HASH_ITER (hh, core->workers, w, next)
        worker_free(core, w);
}

void worker_forget_later(struct core *core, struct worker *w, int64_t gone_us,
                         const struct core_now *now)
{
    const int64_t length =
        core->config.worker_age_us / (plant_on(PLANT_WORKER_FORGOTTEN_EARLY) ? 2 : 1);
    const int64_t gone = gone_us < 0 ? 0 : gone_us > length ? length : gone_us;
    timers_set(&core->timers, &w->silence, TIMER_SILENCE, now->mono_us + length - gone);
}

static void worker_forget(struct core *core, struct worker *w, struct batch *out)
{
    batch_add_forgets(out)->id = batch_text(out, w->id);
    timers_clear(&core->timers, &w->grant);
    if (w->touched)
        DL_DELETE2(core->dirty_workers, w, dirty_prev, dirty_next);
    place_leave(core, w);
    worker_free(core, w);
}

/* ---- silence ------------------------------------------------------------------------------- */

static void worker_heard(struct core *core, struct worker *w, const struct core_now *now)
{
    w->heard_us = now->mono_us;
    w->heard_answered_us = now->answered_us;
    w->heard_wall_us = now->wall_us;
    w->suspect = 0;
    w->judged = false;
    if (w->state == WORKER_UNREACHABLE || w->state == WORKER_GONE) {
        worker_become(core, w, WORKER_ACTIVE);
        if (w->draining)
            worker_become(core, w, WORKER_DRAINING);
        place_pool_changed(core, w->pool);
    }
    worker_mark(core, w);
    timers_set(&core->timers, &w->silence, TIMER_SILENCE, now->mono_us + core->config.lease_us);
}

static int64_t attempt_lost_silence(const struct core *core, const struct attempt *a)
{
    return step_lost_silence(core, ref_ir_known(a->at));
}

/* Answered silence after which the first of its attempts is lost; without any, it is gone. The
 * worker counts its lease from before we heard of it, so its end, and every fuse, comes before
 * ours. */
static int64_t patience(const struct core *core, const struct worker *w)
{
    int64_t least = w->attempts ? INT64_MAX : step_lost_silence(core, NULL);
    struct attempt *a;
    DL_FOREACH (w->attempts, a) {
        int64_t length = attempt_lost_silence(core, a);
        if (length < least)
            least = length;
    }
    return least;
}

/* Time without a word from it that counts towards lost. */
static int64_t silence_of(const struct worker *w, const struct core_now *now)
{
    if (plant_on(PLANT_WALL_CLOCK_IN_A_LEASE))
        return now->wall_us - w->heard_wall_us;
    return now->answered_us - w->heard_answered_us;
}

static void suspect_or_wait(struct core *core, struct worker *w, const struct core_now *now)
{
    int64_t left = patience(core, w) - silence_of(w, now);
    if (left > 0) {
        timers_set(&core->timers, &w->silence, TIMER_SILENCE, now->mono_us + left);
        return;
    }
    w->suspect = ++core->ticket;
    if (plant_on(PLANT_LOST_BEFORE_DRAIN))
        w->judged = core->judge = true;
}

void worker_silence_due(struct core *core, struct worker *w, const struct core_now *now,
                        struct batch *out)
{
    if (w->state == WORKER_GONE) {
        worker_forget(core, w, out);
        return;
    }
    assert(now->mono_us - w->heard_us >= core->config.lease_us); /* each word sets it anew */
    if (w->state == WORKER_ACTIVE || w->state == WORKER_DRAINING) {
        place_release(core, w, now);
        worker_become(core, w, WORKER_UNREACHABLE);
    }
    suspect_or_wait(core, w, now);
}

void workers_drained(struct core *core, int64_t ticket)
{
    struct worker *w, *next;
    HASH_ITER (hh, core->workers, w, next)
        if (w->suspect && w->suspect <= ticket)
            w->judged = core->judge = true;
}

static void judge(struct core *core, struct worker *w, const struct core_now *now,
                  struct batch *out)
{
    int64_t silent = silence_of(w, now);
    struct attempt *a, *next;
    DL_FOREACH_SAFE(w->attempts, a, next)
    if (silent >= attempt_lost_silence(core, a)) {
        cleanup_free char *reason =
            mem_printf("worker %s was silent for %lld s", w->id, (long long)(silent / US_PER_S));
        attempt_lost(core, a, reason, true, now, out);
    }
    w->judged = false;
    w->suspect = 0;
    if (w->attempts || silent < step_lost_silence(core, NULL))
        suspect_or_wait(core, w, now);
    else {
        worker_become(core, w, WORKER_GONE);
        worker_forget_later(core, w, 0, now);
    }
}

void workers_judge(struct core *core, const struct core_now *now, struct batch *out)
{
    if (!core->judge)
        return;
    core->judge = false;
    for (struct worker *w = core->workers; w; w = w->hh.next)
        if (w->judged)
            judge(core, w, now, out);
}

/* ---- hello --------------------------------------------------------------------------------- */

static bool holds(const struct report_hello *hello, const struct attempt *a)
{
    for (size_t i = 0; i < hello->held_count; i++)
        if (uuid_compare(&hello->held[i].attempt, &a->id) == 0 && hello->held[i].nonce == a->nonce)
            return true;
    return false;
}

/* What it holds and the leader has given up (or never knew) must not go on. */
static void stop_unknown(struct core *core, const struct worker *w,
                         const struct report_hello *hello, struct batch *out)
{
    for (size_t i = 0; i < hello->held_count; i++) {
        const struct held_attempt *held = &hello->held[i];
        if (!attempt_match(core, &held->attempt, held->nonce))
            order_cancel(core, w, &held->attempt, held->nonce, core->config.cancel_grace_us,
                         "this attempt is over", out);
    }
}

/* The first hello of an incarnation: what the one before had and this one does not hold is lost,
 * the rest is carried over. */
static void judge_by_hello(struct core *core, struct worker *w, const struct report *report,
                           const struct core_now *now, struct batch *out)
{
    const struct report_hello *hello = report->hello;
    bool rebooted = strcmp(w->boot, hello->boot) != 0;
    w->incarnation = report->incarnation;
    w->orders_read = 0; /* its heartbeats say */
    struct attempt *a, *next;
    DL_FOREACH_SAFE(w->attempts, a, next)
    if (holds(hello, a))
        step_mark(core, a->at); /* its row names the new incarnation */
    else
        attempt_lost(core, a,
                     rebooted ? "the worker's machine was restarted"
                              : "the worker was restarted and does not hold it",
                     false, now, out);
    stop_unknown(core, w, hello, out);
}

static void on_hello(struct core *core, struct worker *w, const struct report *report,
                     const struct core_now *now, struct batch *out)
{
    bool first = uuid_compare(&w->incarnation, &report->incarnation) != 0;
    place_release(core, w, now);
    if (first)
        judge_by_hello(core, w, report, now, out);
    hello_take(core, w, report->hello);
    worker_heard(core, w, now);
    if (plant_on(PLANT_NO_LEASE_UNTIL_FIRST_HEARTBEAT))
        timers_clear(&core->timers, &w->silence);
    place_pool_changed(core, w->pool);
}

/* ---- reports ------------------------------------------------------------------------------- */

/* Is this number the next one? A hello may jump ahead; a lower one is a repeat that is
 * acknowledged again; a higher one waits until the gap before it is sent again. */
static bool number_in_order(struct core *core, struct worker *w, const struct report *report)
{
    if (report->n <= w->report_n) {
        core->counted.reports_repeated++;
        w->ack_due = true;
        return false;
    }
    if (report->n > w->report_n + 1 && report->kind != REPORT_KIND_HELLO) {
        core->counted.reports_gap++;
        return false;
    }
    w->report_n = report->n;
    return true;
}

static void on_heartbeat(struct core *core, struct worker *w, const struct report *report,
                         const struct core_now *now)
{
    worker_heard(core, w, now);
    if (report->heartbeat > w->heartbeat)
        w->heartbeat = report->heartbeat;
    if (report->orders > w->orders_read)
        w->orders_read = report->orders;
    w->heartbeat_due = true;
}

static void take_content(struct core *core, struct worker *w, const struct report *report,
                         const struct core_now *now, struct batch *out)
{
    bool current = uuid_compare(&w->incarnation, &report->incarnation) == 0;
    switch (report->kind) {
    case REPORT_KIND_HELLO:
        w->ack_due = true;
        on_hello(core, w, report, now, out);
        return;
    case REPORT_KIND_HEARTBEAT:
        if (current)
            on_heartbeat(core, w, report, now);
        return;
    case REPORT_KIND_FINISHED:
        w->ack_due = true;
        break;
    default:
        break;
    }
    if (current)
        worker_heard(core, w, now);
    attempt_report(core, report, now, out);
}

void worker_report(struct core *core, const struct report *report, const struct core_now *now,
                   struct batch *out)
{
    struct worker *w = worker_find(core, report->worker);
    bool hello = report->kind == REPORT_KIND_HELLO;
    if ((!w && !hello) || (hello && !report->hello)) {
        core->counted.reports_stale++;
        return;
    }
    if (!w && !core_takes_worker(core, report->worker, 0)) {
        core->counted.workers_refused++;
        return;
    }
    if (!w)
        w = worker_new(core, report->worker);
    if (w->removed && !plant_on(PLANT_REMOVED_IS_HEARD) &&
        (!hello || uuid_compare(&w->incarnation, &report->incarnation) == 0)) {
        core->counted.reports_stale++;
        return;
    }
    worker_mark(core, w);
    if (number_in_order(core, w, report)) {
        take_content(core, w, report, now, out);
        return;
    }
    /* A heartbeat behind a gap is answered all the same: grants without progress are what makes
     * the worker send the missing reports again. */
    if (report->kind == REPORT_KIND_HEARTBEAT && report->n > w->report_n &&
        uuid_compare(&w->incarnation, &report->incarnation) == 0)
        on_heartbeat(core, w, report, now);
}

/* ---- the end of a batch -------------------------------------------------------------------- */

void worker_grant_due(struct core *core, struct worker *w)
{
    worker_touch(core, w);
}

static void flush_grant(struct core *core, struct worker *w, const struct core_now *now,
                        struct batch *out)
{
    if (!w->heartbeat_due && !w->ack_due)
        return;
    int64_t earliest = w->granted_us + GRANT_GAP_US;
    if (!w->heartbeat_due && now->mono_us < earliest) {
        timers_set(&core->timers, &w->grant, TIMER_GRANT, earliest);
        return;
    }
    order_grant(core, w, w->heartbeat_due ? w->heartbeat : 0, out);
    timers_clear(&core->timers, &w->grant);
    w->heartbeat_due = w->ack_due = false;
    w->granted_us = now->mono_us;
}

static void write_row(struct worker *w, struct batch *out)
{
    struct batch_worker *row = batch_add_workers(out);
    *row = (struct batch_worker){
        .id = batch_text(out, w->id),
        .incarnation = w->incarnation,
        .boot = batch_text(out, w->boot),
        .state = w->state,
        .report_n = w->report_n,
        .info = w->info_dirty ? batch_json(out, w->info) : NULL,
        .heard_us = w->heard_wall_us,
    };
    w->dirty = w->info_dirty = false;
}

void workers_flush(struct core *core, const struct core_now *now, struct batch *out)
{
    struct worker *w, *next;
    DL_FOREACH_SAFE2(core->dirty_workers, w, next, dirty_next)
    {
        DL_DELETE2(core->dirty_workers, w, dirty_prev, dirty_next);
        w->touched = false;
        if (w->dirty)
            write_row(w, out);
        flush_grant(core, w, now, out);
    }
}

/* ---- takeover ------------------------------------------------------------------------------ */

/* Only time in which this leader was answered counts towards lost, so that begins anew. */
static void silence_from(struct core *core, struct worker *w, const struct core_now *now)
{
    int64_t gone = now->wall_us - w->heard_wall_us;
    if (w->state == WORKER_GONE)
        worker_forget_later(core, w, gone, now);
    int64_t length = core->config.lease_us;
    gone = gone < 0 ? 0 : gone > length ? length : gone;
    w->heard_us = now->mono_us - gone;
    w->heard_answered_us = now->answered_us;
    if (w->state != WORKER_GONE)
        timers_set(&core->timers, &w->silence, TIMER_SILENCE, now->mono_us + length - gone);
}

void worker_restore(struct core *core, const struct snapshot_worker *from,
                    const struct core_now *now)
{
    struct worker *w = worker_new(core, from->id);
    free(w->boot);
    w->boot = mem_string(from->boot);
    w->incarnation = from->incarnation;
    w->state = from->state;
    w->report_n = from->report_n;
    w->heard_wall_us = from->heard_us;
    hello_recall(core, w, from->info);
    retire_recall(w);
    silence_from(core, w, now);
}

struct worker *worker_missing(struct core *core, const char *id, const struct core_now *now)
{
    struct worker *w = worker_new(core, id);
    w->state = WORKER_UNREACHABLE;
    w->info = json_object();
    w->info_dirty = true;
    silence_from(core, w, now);
    return w;
}

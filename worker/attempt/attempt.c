#include "worker/attempt/attempt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/attempt/reason.h"
#include "worker/attempt/collect.h"
#include "worker/attempt/files.h"
#include "worker/attempt/prepare.h"
#include "worker/attempt/secrets.h"
#include "worker/attempt/spool.h"
#include "worker/counters.h"
#include "worker/worker.h"

#define STARTED_AFTER_US (50 * US_PER_MS) /* shorter ones report their end only */
#define REASON_MOST      4096

/* ---- the table ----------------------------------------------------------------------------------
 */

struct attempt *attempt_find(struct worker *w, const struct uuid *id)
{
    struct attempt *a = NULL;
    HASH_FIND(hh, w->attempts, id->b, sizeof id->b, a);
    return a;
}

struct attempt *attempt_known(struct worker *w, const struct uuid *id)
{
    struct attempt *a = mem_alloc(sizeof *a);
    a->id = *id;
    a->worker = w;
    a->moved_us = clock_monotonic_us();
    uuid_format(id, a->id_text);
    HASH_ADD(hh, w->attempts, id.b, sizeof a->id.b, a);
    return a;
}

static bool follows_a_restart(const struct order *order)
{
    return order->start->executor == ORDER_START_EXECUTOR_PROCESS ||
           order->start->executor == ORDER_START_EXECUTOR_DOCKER;
}

struct attempt *attempt_new(struct worker *w, struct order *order, const char *order_text,
                            size_t len, int64_t offset)
{
    struct attempt *a = attempt_known(w, &order->attempt);
    a->nonce = order->nonce;
    a->offset = offset;
    a->grace_us = order->grace_us;
    a->executor = w->executors[order->start->executor];
    if (follows_a_restart(order)) { /* the others are not worth their bytes in the journal */
        a->text = mem_bytes(order_text, len);
        a->len = len;
    }
    a->order = *order;
    *order = (struct order){0};
    return a;
}

void attempt_free(struct attempt *a)
{
    HASH_DEL(a->worker->attempts, a);
    loop_timer_stop(&a->started);
    progress_stop(a);
    spool_free(a->spool);
    order_clear(&a->order);
    free(a->asked_reason);
    free(a->exit_reason);
    free(a->image);
    secrets_forget_login(a);
    free(a->text);
    free(a);
}

bool attempt_runs_program(const struct attempt *a)
{
    return follows_a_restart(&a->order);
}

bool attempt_in_container(const struct attempt *a)
{
    return a->order.start->executor == ORDER_START_EXECUTOR_DOCKER;
}

char *attempt_path(const struct attempt *a, const char *name)
{
    return name ? mem_printf("%s/%s/%s", a->worker->workspaces, a->id_text, name)
                : mem_printf("%s/%s", a->worker->workspaces, a->id_text);
}

char *attempt_log_path(const struct attempt *a)
{
    return mem_printf("%s/%s", a->worker->logs, a->id_text);
}

void attempt_put_order(struct attempt *a)
{
    journal_put(a->worker->journal, &(struct journal_record){.kind = JOURNAL_ORDER,
                                                             .id = a->id,
                                                             .number = a->nonce,
                                                             .offset = a->offset,
                                                             .text = a->text,
                                                             .len = a->len});
}

/* Leaves the state that it is in. */
static void count_state(struct attempt *a)
{
    const int64_t now = clock_monotonic_us();
    counters_left(a->state, now - a->moved_us);
    a->moved_us = now;
}

static void move(struct attempt *a, int state)
{
    count_state(a);
    machine_move(&MACHINE_WORK, &a->state, state);
}

/* ---- the end ------------------------------------------------------------------------------------
 */

/* The report is journalled, then published: both at the end of the loop's iteration, together with
 * all others of it. */
static void push_finished(struct attempt *a, struct report_result *result)
{
    char at[CLOCK_TEXT];
    clock_format(clock_wall_us(), at);
    struct report report = {.kind = REPORT_KIND_FINISHED,
                            .attempt = a->id,
                            .nonce = a->nonce,
                            .at = at,
                            .result = result};
    size_t len = 0;
    const char *text = reports_push(&a->worker->reports, &report, &len);
    free(a->text);
    a->text = mem_bytes(text, len);
    a->len = len;
    journal_put(
        a->worker->journal,
        &(struct journal_record){
            .kind = JOURNAL_FINISHED, .id = a->id, .number = a->nonce, .text = text, .len = len});
}

void attempt_finish(struct attempt *a, struct attempt_result *result)
{
    char reason[REASON_MOST];
    reason_clean(result->reason ? result->reason : "", reason, sizeof reason);
    struct report_result out = {
        .outcome = result->outcome,
        .exit_code = result->exit_code,
        .reason = reason[0] ? reason : NULL,
        .image = a->image,
        .outputs = result->outputs,
        .metrics = result->metrics,
        .log = result->log,
    };
    loop_timer_stop(&a->started);
    progress_stop(a);
    move(a, WORK_FINISHED);
    push_finished(a, &out);
    counters_finished(result->outcome);
    json_decref(result->outputs);
    json_decref(result->metrics);
    json_decref(result->log);
    secrets_remove(a);
    spool_free(TAKE(a->spool));
    order_clear(&a->order);
    a->order = (struct order){0};
}

void attempt_resend(struct attempt *a)
{
    struct report report;
    struct err err = {0};
    if (report_decode(a->text, a->len, &report, &err) != 0) {
        log_error("a journalled report cannot be read", LOG_S("attempt", a->id_text),
                  LOG_ERR(&err));
        return;
    }
    size_t len = 0;
    struct report again = report;
    const char *text = reports_push(&a->worker->reports, &again, &len);
    free(a->text);
    a->text = mem_bytes(text, len);
    a->len = len;
    report_clear(&report);
}

void attempt_over(struct attempt *a)
{
    struct worker *w = a->worker;
    count_state(a);
    journal_put(w->journal,
                &(struct journal_record){.kind = JOURNAL_OVER, .id = a->id, .offset = a->offset});
    tombstones_add(&w->over, &a->id, a->offset, false);
    if (a->executor)
        a->executor->ops->forget(a->executor, &a->id);
    secrets_remove(a);
    if (a->workspace) {
        cleanup_free char *log = attempt_log_path(a);
        cleanup_free char *folder = attempt_path(a, NULL);
        unlink(log);
        tree_remove(w->loop, folder);
    }
    attempt_free(a);
}

/* ---- the beginning ------------------------------------------------------------------------------
 */

static void finish_unstarted(struct attempt *a, int outcome, const char *reason)
{
    struct attempt_result result = {.outcome = outcome, .exit_code = -1, .reason = reason};
    attempt_finish(a, &result);
}

static void finish_asked(struct attempt *a)
{
    finish_unstarted(a,
                     a->asked == ASKED_CANCEL ? REPORT_RESULT_OUTCOME_CANCELLED
                                              : REPORT_RESULT_OUTCOME_REVOKED,
                     a->asked_reason);
}

static void launch(struct attempt *a)
{
    struct err err = {0};
    move(a, WORK_STARTING);
    failpoint_hit(FAILPOINT_SPAWN_BEFORE);
    const int rc = prepare_launch(a, &err);
    secrets_forget_login(a);
    failpoint_hit(FAILPOINT_SPAWN_AFTER);
    if (rc != 0)
        finish_unstarted(a, REPORT_RESULT_OUTCOME_FAILED, err.text);
}

/* The report is sent again until it is in; without an answer it waits, and does not run. */
static void ask_leave(struct attempt *a)
{
    struct report report = {.kind = REPORT_KIND_ASK, .attempt = a->id, .nonce = a->nonce};
    move(a, WORK_ASKING);
    reports_push(&a->worker->reports, &report, NULL);
}

static void launch_or_ask(struct attempt *a)
{
    if (a->order.start->at_most_once)
        ask_leave(a);
    else
        launch(a);
}

/* A leave is good once: dying between here and the start is the loss of an attempt that may have
 * run. One that comes after the lease may be of an attempt that the leader has given up. */
void attempt_let(struct attempt *a)
{
    if (a->state != WORK_ASKING)
        return;
    if (lease_live(&a->worker->lease, clock_boottime_us()))
        launch(a);
    else
        finish_unstarted(a, REPORT_RESULT_OUTCOME_REFUSED,
                         "leave to start came after the worker's lease");
}

void attempt_prepared(struct attempt *a, const struct err *err)
{
    if (a->asked)
        finish_asked(a);
    else if (err)
        finish_unstarted(a, REPORT_RESULT_OUTCOME_FAILED, err->text);
    else
        launch_or_ask(a);
}

void attempt_begin(struct attempt *a)
{
    if (a->asked) {
        finish_asked(a);
    } else if (!prepare_needed(a)) {
        launch_or_ask(a);
    } else {
        move(a, WORK_PREPARING);
        a->workspace = true;
        prepare_start(a);
    }
}

bool attempt_adopt(struct attempt *a)
{
    struct worker *w = a->worker;
    if (a->len == 0 || order_decode(a->text, a->len, &a->order, NULL) != 0 || !a->order.start)
        return false;
    a->executor = w->executors[a->order.start->executor];
    a->grace_us = a->order.grace_us;
    a->workspace = true;
    cleanup_free char *log = attempt_log_path(a);
    struct executor_spec spec = prepare_spec(a);
    spec.log_path = log;
    if (!a->executor || !a->executor->ops->adopt(a->executor, &spec))
        return false;
    move(a, WORK_RUNNING);
    spool_open(a);
    if (a->asked && a->asked != ASKED_REVOKE) /* it may not have been heard */
        a->executor->ops->stop(a->executor, &a->id, a->asked_grace_us);
    else
        progress_watch(a);
    return true;
}

/* ---- being asked to end
 * -------------------------------------------------------------------------- */

void attempt_put_asked(struct attempt *a, enum attempt_asked what, int64_t grace_us,
                       const char *reason)
{
    if (a->state >= WORK_COLLECTING)
        return;
    journal_put(a->worker->journal, &(struct journal_record){.kind = JOURNAL_ASKED,
                                                             .id = a->id,
                                                             .number = grace_us,
                                                             .offset = (int64_t)what,
                                                             .text = reason ? reason : "",
                                                             .len = reason ? strlen(reason) : 0});
}

static void remember_asked(struct attempt *a, enum attempt_asked what, int64_t grace_us,
                           char *reason)
{
    if (a->asked) {
        free(reason);
        return;
    }
    a->asked = (uint8_t)what;
    a->asked_grace_us = grace_us;
    a->asked_reason = reason;
}

void attempt_asked_before(struct attempt *a, const struct journal_record *r)
{
    remember_asked(a, (enum attempt_asked)r->offset, r->number, mem_bytes(r->text, r->len));
}

void attempt_ask(struct attempt *a, enum attempt_asked what, int64_t grace_us, const char *reason)
{
    const bool begun = a->state >= WORK_STARTING;
    if (a->state >= WORK_COLLECTING || (what == ASKED_REVOKE && begun))
        return; /* it is over, or revoked too late: its own end is reported */
    remember_asked(a, what, grace_us, mem_string(reason ? reason : ""));
    if (a->state == WORK_ASKING)
        finish_asked(a);
    else if (begun)
        a->executor->ops->stop(a->executor, &a->id, grace_us);
}

/* ---- what the executors say
 * ---------------------------------------------------------------------- */

static void on_ready(void *arg, struct executor *ex)
{
    struct worker *w = arg;
    log_info("an executor is ready", LOG_S("executor", ex->ops->name));
    if (--w->executors_waited > 0)
        return;
    replay_adopt(w);
    hello_say(w);
}

static void report_started(void *arg)
{
    struct attempt *a = arg;
    char at[CLOCK_TEXT];
    clock_format(a->exit.started_us, at);
    struct report report = {
        .kind = REPORT_KIND_STARTED, .attempt = a->id, .nonce = a->nonce, .at = at};
    reports_push(&a->worker->reports, &report, NULL);
}

/* Its log can be read meanwhile, and `leat show` has the note. */
static void say_note(struct attempt *a, const char *text)
{
    const struct report report = {
        .kind = REPORT_KIND_PROGRESS, .attempt = a->id, .nonce = a->nonce, .note = text};
    struct report out = report;
    a->noted = text[0] != '\0';
    reports_push(&a->worker->reports, &out, NULL);
}

static void on_noted(void *arg, const struct uuid *id, const char *text)
{
    struct worker *w = arg;
    struct attempt *a = attempt_find(w, id);
    if (!a || a->state != WORK_STARTING)
        return;
    spool_open(a);
    say_note(a, text);
}

static void on_started(void *arg, const struct uuid *id, int64_t wall_us)
{
    struct worker *w = arg;
    struct attempt *a = attempt_find(w, id);
    if (!a || a->state != WORK_STARTING)
        return;
    move(a, WORK_RUNNING);
    a->exit.started_us = wall_us;
    if (a->noted)
        say_note(a, "");
    if (attempt_runs_program(a))
        spool_open(a);
    progress_watch(a);
    loop_timer_start(w->loop, &a->started, STARTED_AFTER_US, 0, report_started, a);
}

static void ended(struct attempt *a)
{
    failpoint_hit(FAILPOINT_EXIT_SEEN_BEFORE);
    loop_timer_stop(&a->started);
    progress_stop(a);
    move(a, WORK_COLLECTING);
    failpoint_hit(FAILPOINT_EXIT_SEEN_AFTER);
    if (attempt_runs_program(a) && !a->spool)
        spool_open(a);
    collect_start(a);
}

static bool awaits_end(const struct attempt *a)
{
    return a && (a->state == WORK_STARTING || a->state == WORK_RUNNING);
}

static void on_exited(void *arg, const struct uuid *id, const struct executor_exit *exit)
{
    struct attempt *a = attempt_find(arg, id);
    if (!awaits_end(a))
        return;
    a->exit = *exit;
    a->image = exit->image && exit->image[0] ? mem_string(exit->image) : NULL;
    a->exit.image = a->image;
    a->exit_reason = mem_string(exit->reason);
    a->exit.reason = a->exit_reason;
    ended(a);
}

static void on_lost(void *arg, const struct uuid *id, const char *reason)
{
    struct attempt *a = attempt_find(arg, id);
    if (!awaits_end(a))
        return;
    a->lost = true;
    a->exit.exit_code = -1;
    a->exit_reason = mem_string(reason);
    a->exit.reason = a->exit_reason;
    ended(a);
}

/* An engine came after the hello: another hello says what the worker can run now. Only the first
 * of a life judges. */
static void on_changed(void *arg, struct executor *ex)
{
    struct worker *w = arg;
    log_info("an executor has changed", LOG_S("executor", ex->ops->name));
    if (w->settled)
        hello_again(w);
}

const struct executor_events ATTEMPT_EVENTS = {.ready = on_ready,
                                               .started = on_started,
                                               .noted = on_noted,
                                               .exited = on_exited,
                                               .changed = on_changed,
                                               .lost = on_lost};

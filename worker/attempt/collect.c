#include "worker/attempt/collect.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "worker/attempt/attempt.h"
#include "worker/attempt/outputs.h"
#include "worker/attempt/spool.h"
#include "worker/worker.h"

/* Kept while things go into the store. */
struct collect {
    struct attempt *attempt;
    struct attempt_result result;
    struct text reason;
};

static void finish(struct collect *c)
{
    struct attempt *a = c->attempt;
    c->result.reason = c->reason.data;
    a->collect = NULL;
    attempt_finish(a, &c->result);
    text_free(&c->reason);
    free(c);
}

/* ---- what the end means
 * -------------------------------------------------------------------------- */

static void explain_failure(const struct executor_exit *e, struct text *reason)
{
    if (e->reason[0])
        text_puts(reason, e->reason);
    else if (e->exit_code > 128 && e->exit_code <= 128 + SIGRTMAX)
        text_printf(reason, "killed by signal %d (%s)", e->exit_code - 128,
                    strsignal(e->exit_code - 128));
    else
        text_printf(reason, "exit code %d", e->exit_code);
}

static int judge(const struct attempt *a, struct text *reason)
{
    const struct executor_exit *e = &a->exit;
    if (a->lost) {
        text_puts(reason, e->reason);
        return REPORT_RESULT_OUTCOME_LOST;
    }
    if (e->fused) {
        text_puts(reason, "the worker's lease had lapsed; ended by its fuse");
        return REPORT_RESULT_OUTCOME_LOST;
    }
    if (e->timed_out) {
        text_printf(reason, "timed out after %.6g s",
                    (double)a->order.start->timeout_us / (double)US_PER_S);
        return REPORT_RESULT_OUTCOME_TIMED_OUT;
    }
    if (a->asked == ASKED_SILENT) { /* also when it then said that all is well */
        text_puts(reason, a->asked_reason);
        return REPORT_RESULT_OUTCOME_TIMED_OUT;
    }
    if (a->asked == ASKED_END && e->exit_code != 0) {
        text_puts(reason, a->asked_reason ? a->asked_reason : "");
        return REPORT_RESULT_OUTCOME_LOST;
    }
    if ((e->cancelled && a->asked != ASKED_END) ||
        (a->asked == ASKED_CANCEL && e->exit_code != 0)) {
        text_puts(reason, a->asked_reason ? a->asked_reason : "");
        return REPORT_RESULT_OUTCOME_CANCELLED;
    }
    if (e->exit_code == 0)
        return REPORT_RESULT_OUTCOME_SUCCEEDED;
    explain_failure(e, reason);
    return REPORT_RESULT_OUTCOME_FAILED;
}

/* ---- one thing after the other
 * ------------------------------------------------------------------- */

static void outputs_done(struct attempt *a, json_t *outputs, const struct err *err)
{
    struct collect *c = a->collect;
    c->result.outputs = outputs;
    if (err) {
        c->result.outcome = REPORT_RESULT_OUTCOME_FAILED;
        c->reason.len = 0;
        text_puts(&c->reason, err->text);
    }
    finish(c);
}

static void log_done(struct attempt *a, json_t *log)
{
    struct collect *c = a->collect;
    c->result.log = log;
    if (attempt_runs_program(a))
        c->result.metrics = outputs_metrics(a, &c->reason);
    if (c->result.outcome == REPORT_RESULT_OUTCOME_SUCCEEDED)
        outputs_collect(a, outputs_done);
    else
        finish(c);
}

void collect_start(struct attempt *a)
{
    struct collect *c = mem_alloc(sizeof *c);
    c->attempt = a;
    a->collect = c;
    c->result.outcome = judge(a, &c->reason);
    c->result.exit_code = a->exit.exit_code;
    if (a->spool)
        spool_finish(a, a->exit.truncated, log_done);
    else
        log_done(a, NULL);
}

/* The process executor: steps as processes under leat-keeper. What a job is follows from what the
 * keeper lists, so the death of either side needs no case of its own: a start that the keeper does
 * not list never reached it and is sent again; one that it lists as lost has been killed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/executor/executor.h"
#include "worker/executor/keeper_link.h"

enum job_state { JOB_SENT, JOB_RUNNING, JOB_EXITED };

struct job {
    struct uuid attempt;
    UT_hash_handle hh;
    enum job_state state;
    bool owned;    /* started or adopted by the worker: its events are told */
    bool told;     /* of its end */
    bool listed;   /* by the present keeper */
    bool stopping; /* stop was asked for, with grace_us */
    int64_t grace_us;
    char *frame; /* SENT: the START, until the keeper has answered it */
    size_t frame_len;
    struct keeper_exit exit;
};

struct process_executor {
    struct executor base;
    struct executor_owner owner;
    struct keeper_link *link;
    struct job *jobs;
    int64_t lease_end_us;
    bool listed;  /* the present keeper has told all it holds */
    bool ready;   /* and so did the first */
    bool settled; /* what the worker does not know is ended */
    bool telling; /* tell_ends is deferred */
    bool closed;
};

static struct job *job_find(struct process_executor *p, const struct uuid *attempt)
{
    struct job *job = NULL;
    HASH_FIND(hh, p->jobs, attempt->b, sizeof attempt->b, job);
    return job;
}

static struct job *job_add(struct process_executor *p, const struct uuid *attempt)
{
    struct job *job = mem_alloc(sizeof *job);
    job->attempt = *attempt;
    HASH_ADD(hh, p->jobs, attempt.b, sizeof job->attempt.b, job);
    return job;
}

static void job_drop(struct process_executor *p, struct job *job)
{
    HASH_DEL(p->jobs, job);
    free(job->frame);
    free(job);
}

static void say(struct process_executor *p, enum keeper_kind kind, const struct uuid *attempt,
                int64_t number)
{
    struct text *out = p->listed ? keeper_link_out(p->link) : NULL;
    if (out)
        keeper_put(out, kind, attempt, number, 0);
}

/* ---- telling the worker ------------------------------------------------------------------------
 */

static void tell_end(struct process_executor *p, struct job *job)
{
    const struct keeper_exit *e = &job->exit;
    job->told = true;
    if (e->flags & KEEPER_LOST) {
        p->owner.events->lost(p->owner.arg, &job->attempt, e->reason);
        return;
    }
    const struct executor_exit end = {
        .exit_code = e->exit_code,
        .timed_out = e->flags & KEEPER_TIMED_OUT,
        .fused = e->flags & KEEPER_FUSED,
        .cancelled = e->flags & KEEPER_STOPPED,
        .truncated = e->flags & KEEPER_TRUNCATED,
        .started_us = e->started_us,
        .finished_us = e->finished_us,
        .log_bytes = e->log_bytes,
        .reason = e->reason,
    };
    p->owner.events->exited(p->owner.arg, &job->attempt, &end);
}

/* Ends that were known before anybody asked. */
static void tell_ends(void *arg)
{
    struct process_executor *p = arg;
    p->telling = false;
    if (p->closed) {
        free(p);
        return;
    }
    struct job *job, *next;
    HASH_ITER (hh, p->jobs, job, next)
        if (job->owned && job->state == JOB_EXITED && !job->told)
            tell_end(p, job);
}

static void tell_ends_later(struct process_executor *p)
{
    if (!p->telling)
        loop_defer(p->owner.loop, tell_ends, p);
    p->telling = true;
}

/* Runs, or ran, and nobody of ours wants it: a start whose order the worker's journal has lost. */
static void end_stray(struct process_executor *p, struct job *job)
{
    if (job->state != JOB_EXITED) {
        say(p, KEEPER_STOP, &job->attempt, 0);
        return;
    }
    say(p, KEEPER_FORGET, &job->attempt, 0);
    job_drop(p, job);
}

/* ---- what the keeper says ----------------------------------------------------------------------
 */

static struct job *listed_job(struct process_executor *p, const struct uuid *attempt)
{
    struct job *job = job_find(p, attempt);
    if (!job)
        job = job_add(p, attempt);
    job->listed = true;
    free(TAKE(job->frame));
    return job;
}

static void on_welcome(struct process_executor *p, const struct keeper_frame *frame)
{
    if (frame->number != KEEPER_VERSION)
        log_warn("the keeper is of another version", LOG_I("version", frame->number));
    for (struct job *job = p->jobs; job; job = job->hh.next)
        job->listed = false;
}

static void on_started(struct process_executor *p, const struct keeper_frame *frame)
{
    struct job *job = listed_job(p, &frame->attempt);
    const bool news = job->state == JOB_SENT;
    job->state = JOB_RUNNING;
    if (job->owned && news)
        p->owner.events->started(p->owner.arg, &job->attempt, frame->number);
    else if (!job->owned && p->settled)
        end_stray(p, job);
}

static void on_exited(struct process_executor *p, const struct keeper_frame *frame)
{
    struct job *job = listed_job(p, &frame->attempt);
    if (job->state == JOB_EXITED)
        return;
    job->state = JOB_EXITED;
    job->exit = frame->exit;
    if (job->owned)
        tell_end(p, job);
    else if (p->settled)
        end_stray(p, job);
}

/* A job that this keeper does not list: it was sent to one that died before it read it, or the
 * keeper's table is gone. */
static void not_listed(struct process_executor *p, struct job *job)
{
    struct text *out = keeper_link_out(p->link);
    if (job->state == JOB_EXITED)
        return;
    if (job->state == JOB_SENT && !job->stopping && out) {
        text_append(out, job->frame, job->frame_len);
        return;
    }
    job->exit = (struct keeper_exit){
        .exit_code = -1,
        .flags = job->state == JOB_SENT ? KEEPER_STOPPED : KEEPER_LOST,
    };
    snprintf(job->exit.reason, sizeof job->exit.reason, "%s",
             job->state == JOB_SENT ? "" : "its keeper does not know it any more");
    job->state = JOB_EXITED;
    tell_ends_later(p);
}

static void on_listed(struct process_executor *p)
{
    p->listed = true;
    struct job *job, *next;
    HASH_ITER (hh, p->jobs, job, next) {
        if (!job->listed)
            not_listed(p, job);
        else if (job->stopping && job->state != JOB_EXITED)
            say(p, KEEPER_STOP, &job->attempt, job->grace_us);
    }
    if (p->jobs && p->lease_end_us)
        say(p, KEEPER_LEASE, NULL, p->lease_end_us);
    if (!p->ready) {
        p->ready = true;
        p->owner.events->ready(p->owner.arg, &p->base);
    }
}

static void on_frame(void *arg, const struct keeper_frame *frame)
{
    struct process_executor *p = arg;
    switch (frame->kind) {
    case KEEPER_WELCOME:
        on_welcome(p, frame);
        break;
    case KEEPER_STARTED:
        on_started(p, frame);
        break;
    case KEEPER_EXITED:
        on_exited(p, frame);
        break;
    case KEEPER_LISTED:
        on_listed(p);
        break;
    default:
        break;
    }
}

static void on_down(void *arg)
{
    struct process_executor *p = arg;
    p->listed = false;
}

/* ---- the executor's calls ----------------------------------------------------------------------
 */

static int encode(struct process_executor *p, const struct executor_spec *spec, struct text *out,
                  struct err *err)
{
    const struct keeper_start start = {
        .attempt = spec->attempt,
        .log_limit = spec->log_limit,
        .timeout_us = spec->timeout_us,
        .grace_us = spec->grace_us,
        .fuse_slack_us = spec->fuse_slack_us,
        .lease_end_us = p->lease_end_us ? p->lease_end_us : INT64_MAX,
        .workdir = spec->workdir,
        .log_path = spec->log_path,
        .argv = (const char **)spec->argv,
        .env = (const char **)spec->env,
    };
    if (!spec->argv[0])
        return err_set(err, LEAT_EINPUT, "the step has no command");
    return keeper_put_start(out, &start, err);
}

static int process_start(struct executor *ex, const struct executor_spec *spec, struct err *err)
{
    struct process_executor *p = (struct process_executor *)ex;
    struct job *job = job_find(p, &spec->attempt);
    if (job) {
        job->owned = true;
        tell_ends_later(p);
        return 0;
    }
    cleanup_text struct text frame = {0};
    const int rc = encode(p, spec, &frame, err);
    if (rc != 0)
        return rc;
    job = job_add(p, &spec->attempt);
    job->owned = true;
    job->listed = p->listed;
    struct text *out = p->listed ? keeper_link_out(p->link) : NULL;
    if (out)
        text_append(out, frame.data, frame.len);
    job->frame_len = frame.len;
    job->frame = text_take(&frame);
    return 0;
}

static void process_stop(struct executor *ex, const struct uuid *attempt, int64_t grace_us)
{
    struct process_executor *p = (struct process_executor *)ex;
    struct job *job = job_find(p, attempt);
    if (!job || job->state == JOB_EXITED)
        return;
    job->stopping = true;
    job->grace_us = grace_us;
    say(p, KEEPER_STOP, attempt, grace_us);
}

static void process_lease(struct executor *ex, int64_t end_us)
{
    struct process_executor *p = (struct process_executor *)ex;
    p->lease_end_us = end_us;
    if (p->jobs)
        say(p, KEEPER_LEASE, NULL, end_us);
}

static bool process_adopt(struct executor *ex, const struct executor_spec *spec)
{
    struct process_executor *p = (struct process_executor *)ex;
    struct job *job = job_find(p, &spec->attempt);
    if (!job)
        return false;
    job->owned = true;
    if (job->state == JOB_EXITED)
        tell_ends_later(p);
    return true;
}

static void process_settle(struct executor *ex)
{
    struct process_executor *p = (struct process_executor *)ex;
    struct job *job, *next;
    p->settled = true;
    HASH_ITER (hh, p->jobs, job, next)
        if (!job->owned)
            end_stray(p, job);
}

static void process_forget(struct executor *ex, const struct uuid *attempt)
{
    struct process_executor *p = (struct process_executor *)ex;
    struct job *job = job_find(p, attempt);
    if (!job || job->state != JOB_EXITED)
        return;
    say(p, KEEPER_FORGET, attempt, 0);
    job_drop(p, job);
}

void process_executor_quit(struct executor *ex)
{
    struct process_executor *p = (struct process_executor *)ex;
    if (!p->jobs)
        say(p, KEEPER_QUIT, NULL, 0);
    keeper_link_flush(p->link);
}

static void process_close(struct executor *ex)
{
    struct process_executor *p = (struct process_executor *)ex;
    struct job *job, *next;
    HASH_ITER (hh, p->jobs, job, next)
        job_drop(p, job);
    keeper_link_close(p->link);
    p->closed = true;
    if (!p->telling)
        free(p);
}

struct executor *process_executor_open(const struct executor_owner *owner, const char *dir,
                                       const char *program)
{
    static const struct executor_ops ops = {
        .name = "process",
        .start = process_start,
        .stop = process_stop,
        .lease = process_lease,
        .adopt = process_adopt,
        .settle = process_settle,
        .forget = process_forget,
        .close = process_close,
    };
    static const struct keeper_link_events events = {.frame = on_frame, .down = on_down};
    struct process_executor *p = mem_alloc(sizeof *p);
    p->base.ops = &ops;
    p->owner = *owner;
    p->link = keeper_link_open(owner->loop, dir, program, &events, p);
    return &p->base;
}

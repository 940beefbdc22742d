/* A container's ending by its worker: asked for, by its deadlines, and its removal. */
#include "worker/executor/docker/job.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define FUSE_LOOK_US (5 * US_PER_S) /* a suspended machine's clock is looked at so often */
#define STOP_TIME_US (15 * US_PER_S)

/* ---- ending it ------------------------------------------------------------------------------ */

/* Signals go beside the other calls: their answer changes nothing that job_look would not see. */
static void on_killed(void *arg, const struct engine_answer *answer, const struct err *err)
{
    (void)arg;
    if (err || answer->status >= 500)
        log_warn("a container could not be signalled; it is tried again",
                 LOG_S("error", err ? err->text : answer->message));
}

static void send_signal(struct job *job, const char *name)
{
    cleanup_free char *path = mem_printf("/containers/%s/kill?signal=%s", job->name, name);
    const struct engine_request request = {
        .method = "POST", .path = path, .timeout_us = STOP_TIME_US};
    engine_ask(job->docker->engine, &request, on_killed, NULL);
}

static void end_it(struct job *job)
{
    const int64_t now = clock_monotonic_us();
    if (!job->term_sent) {
        job->term_sent = true;
        send_signal(job, "TERM");
    } else if (now >= job->kill_due_us) {
        job->kill_sent = true;
        job->kill_due_us = now + US_PER_S; /* until it is gone */
        send_signal(job, "KILL");
        job_look(job);
    }
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void on_due(void *arg)
{
    struct job *job = arg;
    const struct docker_executor *d = job->docker;
    const bool times_out =
        job->timeout_us > 0 && clock_monotonic_us() >= job->started_mono_us + job->timeout_us;
    const bool burns = d->lease_end_us && job->fuse_slack_us >= 0 &&
                       clock_boottime_us() >= d->lease_end_us + job->fuse_slack_us;
    if (job->state != CONTAINER_RUNNING)
        return;
    if (!job->stop && (times_out || burns))
        job_stop(job, times_out ? STOP_TIMEOUT : STOP_FUSE, job->grace_us);
    else if (job->stop)
        end_it(job);
    job_arm(job);
}

void job_arm(struct job *job)
{
    const struct docker_executor *d = job->docker;
    const int64_t now = clock_monotonic_us();
    int64_t due = INT64_MAX;
    if (job->state != CONTAINER_RUNNING)
        return;
    if (job->stop) {
        due = job->term_sent ? job->kill_due_us - now : 0;
    } else {
        if (job->timeout_us > 0)
            due = job->started_mono_us + job->timeout_us - now;
        if (d->lease_end_us && job->fuse_slack_us >= 0)
            due = sooner(due, sooner(d->lease_end_us + job->fuse_slack_us - clock_boottime_us(),
                                     FUSE_LOOK_US));
    }
    if (due < INT64_MAX)
        loop_timer_start(d->owner.loop, &job->due, due, 0, on_due, job);
}

void job_stop(struct job *job, enum job_stop why, int64_t grace_us)
{
    if (job->state >= CONTAINER_DRAINING)
        return;
    if (job->stop && why != STOP_CANCEL)
        return;
    if (!job->stop)
        job->stop = why;
    const int64_t due = clock_monotonic_us() + (grace_us > 0 ? grace_us : 0);
    job->kill_due_us = job->kill_due_us ? sooner(due, job->kill_due_us) : due;
    if (job->pull_now) {
        pull_close(TAKE(job->pull_now));
        job_failed(job, "");
    } else if (job->state == CONTAINER_RUNNING) {
        if (!job->term_sent)
            end_it(job);
        job_arm(job);
    } else {
        job_look(job); /* created: not started. Not there: not created */
    }
}

/* ---- removing ------------------------------------------------------------------------------- */

static void on_removed(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct job *job = arg;
    job_came_back(job);
    const bool is_gone = !err && (answer->status == 204 || answer->status == 404);
    if (!is_gone) /* the sweep tries again, and so does the next life */
        log_warn("a container could not be removed now", LOG_S("container", job->name),
                 LOG_S("error", err ? err->text : answer->message));
    failpoint_hit(FAILPOINT_CONTAINER_REMOVED_AFTER);
    job_free(job);
}

void job_forget(struct job *job)
{
    job_quiet(job);
    job->removing = true;
    failpoint_hit(FAILPOINT_CONTAINER_REMOVED_BEFORE);
    cleanup_free char *path = mem_printf("/containers/%s?force=1&v=1", job->name);
    job_ask(job, "DELETE", path, NULL, on_removed);
}

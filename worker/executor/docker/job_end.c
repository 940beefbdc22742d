/* How a container ended, and the last of its log. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/http/url.h"
#include "common/text/json.h"
#include "worker/attempt/environment.h"
#include "worker/executor/docker/job.h"

#define BRING_AGAIN_US  (500 * US_PER_MS)
#define BRING_TRIES     20 /* that the engine answered */
#define FOLLOW_AGAIN_US (300 * US_PER_MS)
#define FOLLOW_END_US   (10 * US_PER_S) /* after its container */
#define FOLLOW_TRIES    40              /* of the end of a log; then it counts as truncated */
#define DIGEST_TIME_US  (5 * US_PER_S)
#define OOM_TIME_US     US_PER_S /* from the end to the engine's word for it */
#define KILLED          137

int64_t job_time(const json_t *state, const char *key)
{
    int64_t us = 0;
    const char *text = json_get_string(state, key, "");
    return clock_parse(text, &us) == 0 && us > 0 ? us : 0; /* "0001-01-01T00:00:00Z" is never */
}

/* ---- telling -------------------------------------------------------------------------------- */

/* `told`: by what the engine says of the container; its event alone counts for one with a limit. */
static void explain_memory(struct job *job, bool told)
{
    if (job->reason || job->lost || job->exit.exit_code == 0 ||
        !(told || (job->oom && job->memory > 0)))
        return;
    job->reason = mem_printf("out of memory: its limit was %lld bytes", (long long)job->memory);
}

static void tell(struct job *job)
{
    const struct executor_owner *owner = &job->docker->owner;
    explain_memory(job, false);
    machine_move(&MACHINE_CONTAINER, &job->state, CONTAINER_ENDED);
    loop_timer_stop(&job->due);
    loop_timer_stop(&job->retry);
    loop_timer_stop(&job->again);
    follow_close(TAKE(job->follow));
    job->told_end = true;
    job->exit.reason = job->reason ? job->reason : "";
    job->exit.image = job->digest ? job->digest : job->image_id ? job->image_id : "";
    if (job->lost)
        owner->events->lost(owner->arg, &job->attempt, job->exit.reason);
    else
        owner->events->exited(owner->arg, &job->attempt, &job->exit);
}

void job_lost(struct job *job, const char *reason)
{
    job->lost = true;
    free(job->reason);
    job->reason = mem_string(reason);
    tell(job);
}

void job_failed(struct job *job, const char *reason)
{
    job->exit.exit_code = -1;
    job->exit.cancelled = job->stop == STOP_CANCEL;
    job->exit.fused = job->stop == STOP_FUSE;
    free(job->reason);
    job->reason = mem_string(reason);
    tell(job);
}

/* ---- its outputs ----------------------------------------------------------------------------- */

static void bring(struct job *job);

static void bring_again(void *arg)
{
    bring(arg);
}

/* An engine that is away is waited for; one that refuses is asked again for a while. */
static void on_brought(void *arg, const struct err *given)
{
    struct job *job = arg;
    const struct err told = given ? *given : (struct err){0}, *err = given ? &told : NULL;
    bring_close(TAKE(job->bring)); /* and what was given */
    if (!err) {
        failpoint_hit(FAILPOINT_CONTAINER_COPIED_AFTER);
        tell(job);
        return;
    }
    const bool up = engine_is_up(job->docker->engine);
    job->bring_tries += up;
    if (err->code != LEAT_ENOTFOUND && err->code != LEAT_EINPUT && err->code != LEAT_ELIMIT &&
        job->bring_tries < BRING_TRIES) {
        loop_timer_start(job->docker->owner.loop, &job->again, up ? BRING_AGAIN_US : US_PER_S, 0,
                         bring_again, job);
    } else if (job->exit.exit_code != 0) { /* only its metrics are missing */
        log_warn("a container's outputs could not be copied", LOG_S("container", job->name),
                 LOG_ERR(err));
        tell(job);
    } else if (err->code == LEAT_EINPUT || err->code == LEAT_ELIMIT) {
        cleanup_free char *reason = mem_printf("its outputs cannot be taken: %s", err->text);
        job_failed(job, reason);
    } else {
        cleanup_free char *reason = mem_printf("its outputs could not be copied: %s", err->text);
        job_lost(job, reason);
    }
}

struct parts {
    struct bring_part *list;
    size_t count;
    char *out, *taken; /* folders */
};

/* A step that failed has left metrics at most. */
static struct parts parts_of(const struct job *job)
{
    char id[UUID_TEXT];
    uuid_format(&job->attempt, id);
    const char *work = job->docker->workspace;
    const bool failed = job->exit.exit_code != 0;
    struct parts p = {.list = mem_array(json_object_size(job->takes) + 1, sizeof *p.list),
                      .out = mem_printf("%s/%s/out", work, id),
                      .taken = mem_printf("%s/%s/" EXECUTOR_TAKEN, work, id)};
    if (job->outputs == OUTPUTS_COPIED && !failed)
        p.list[p.count++] = (struct bring_part){CONTAINER_OUT, p.out, NULL};
    else if (job->outputs != OUTPUTS_MOUNTED)
        p.list[p.count++] =
            (struct bring_part){CONTAINER_OUT "/" CONTAINER_METRICS, p.out, CONTAINER_METRICS};
    const char *name;
    json_t *path;
    if (!failed)
        json_object_foreach (job->takes, name, path)
            p.list[p.count++] = (struct bring_part){json_string_value(path), p.taken, name};
    return p;
}

static void bring(struct job *job)
{
    const struct docker_executor *d = job->docker;
    struct parts p = parts_of(job);
    const struct bring_site site = {.engine = d->engine,
                                    .loop = d->owner.loop,
                                    .name = job->name,
                                    .parts = p.list,
                                    .count = p.count,
                                    .most = d->copy_most};
    failpoint_hit(FAILPOINT_CONTAINER_COPIED_BEFORE);
    if (p.count > 0)
        job->bring = bring_open(&site, on_brought, job);
    else
        tell(job);
    free(p.list);
    free(p.out);
    free(p.taken);
}

/* All but how it ended is told when its outputs are in the attempt's folder. */
static void bring_or_tell(struct job *job)
{
    if (!job->lost)
        bring(job);
    else
        tell(job);
}

/* ---- which image ---------------------------------------------------------------------------- */

/* By content: REPOSITORY@sha256:… where it came from a registry, else the image's own id. */
void job_name_image(struct job *job, const char *id, const json_t *image)
{
    const char *first = json_string_value(json_array_get(json_get_array(image, "RepoDigests"), 0));
    free(job->image_id);
    free(job->digest);
    job->image_id = mem_string(id);
    job->digest = mem_string(first);
}

static void on_image(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct job *job = arg;
    job->call = NULL;
    cleanup_free char *id = mem_string(job->image_id);
    if (!err && answer->status == 200)
        job_name_image(job, id, answer->json);
    job->named = true;
    bring_or_tell(job);
}

static void name_image(struct job *job);

static void oom_awaited(void *arg)
{
    name_image(arg);
}

/* The engine hears of an end and of memory that ran out from two sides, in either order. */
static bool awaits_oom(struct job *job)
{
    const bool wanted = !job->oom_awaited && job->exit.exit_code == KILLED && job->memory > 0 &&
                        !job->oom && !job->reason && !job->stop && !job->lost;
    if (wanted)
        loop_timer_start(job->docker->owner.loop, &job->retry, OOM_TIME_US, 0, oom_awaited, job);
    job->oom_awaited = true;
    return wanted;
}

/* One that was adopted does not know yet. */
static void name_image(struct job *job)
{
    if (awaits_oom(job))
        return;
    /* Nobody read what it wrote while its engine was away (live-restore keeps the program, not its
     * words): nobody can say that the log is whole. */
    job->exit.truncated |= job->engine_left;
    if (job->named || job->image_id[0] == '\0') {
        bring_or_tell(job);
        return;
    }
    cleanup_text struct text path = {0};
    text_puts(&path, "/images/");
    url_escape(&path, job->image_id, strlen(job->image_id), ":");
    text_puts(&path, "/json");
    const struct engine_request request = {.path = path.data, .timeout_us = DIGEST_TIME_US};
    job->call = engine_ask(job->docker->engine, &request, on_image, job);
}

/* ---- the log -------------------------------------------------------------------------------- */

static void drain(struct job *job);

static void open_follow(struct job *job, bool wait);

static void later(struct job *job, int64_t after_us);

static void follow_again(void *arg)
{
    struct job *job = arg;
    if (!engine_is_up(job->docker->engine)) {
        later(job, FOLLOW_AGAIN_US); /* the tries are for one that answers */
    } else if (job->state == CONTAINER_RUNNING) {
        job_follow(job);
    } else if (job->state == CONTAINER_DRAINING) {
        follow_close(TAKE(job->follow)); /* one that does not end with its container */
        open_follow(job, false);
    }
}

static void later(struct job *job, int64_t after_us)
{
    loop_timer_start(job->docker->owner.loop, &job->again, after_us, 0, follow_again, job);
}

/* The log's stream has ended: with the container, or before it. */
static void on_followed(void *arg, const struct err *err)
{
    struct job *job = arg;
    job->exit.truncated |= follow_truncated(job->follow);
    /* A stream that follows may end before the last lines (seen with 20.10, driver local): what
     * counts is one that was begun when the container had ended. */
    job->follow_whole = !err && !job->follow_waits;
    if (err && engine_is_up(job->docker->engine))
        log_info("a log's stream broke; it is read on", LOG_S("container", job->name),
                 LOG_ERR(err));
    follow_close(TAKE(job->follow));
    if (job->state == CONTAINER_DRAINING)
        drain(job);
    else if (job->state == CONTAINER_RUNNING && !job->exit.truncated) {
        job_look(job); /* most likely it has ended */
        later(job, FOLLOW_AGAIN_US);
    }
}

static void open_follow(struct job *job, bool wait)
{
    const struct follow_site site = {.engine = job->docker->engine,
                                     .name = job->name,
                                     .log_path = job->log_path,
                                     .base = job->log_base,
                                     .limit = job->log_limit + job->log_base};
    job->follow_whole = false;
    job->follow_waits = wait;
    job->follow = follow_open(&site, wait, on_followed, job);
}

void job_follow(struct job *job)
{
    if (!job->follow && !job->exit.truncated)
        open_follow(job, true);
}

/* Everything that it wrote is in the file before its end is told. */
static void drain(struct job *job)
{
    if (job->follow) { /* ends by itself, now that the container has */
        later(job, FOLLOW_END_US);
        return;
    }
    loop_timer_stop(&job->again);
    if (!job->follow_whole && !job->exit.truncated && job->follow_tries++ < FOLLOW_TRIES) {
        if (job->follow_tries == 1)
            open_follow(job, false);
        else
            later(job, FOLLOW_AGAIN_US);
        return;
    }
    if (!job->follow_whole && !job->exit.truncated) {
        log_error("the end of a container's log could not be read", LOG_S("container", job->name));
        job->exit.truncated = true;
    }
    name_image(job);
}

/* ---- its end -------------------------------------------------------------------------------- */

static bool timed_out(const struct job *job)
{
    const int64_t ran = job->exit.finished_us - job->exit.started_us;
    return job->stop == STOP_TIMEOUT ||
           (!job->stop && job->killed_outside && job->timeout_us > 0 && ran >= job->timeout_us);
}

static void explain(struct job *job, const json_t *json)
{
    const json_t *state = json_get_object(json, "State");
    const char *error = json_get_string(state, "Error", "");
    job->memory = json_get_int(json_get_object(json, "HostConfig"), "Memory", 0);
    free(TAKE(job->reason));
    explain_memory(job, json_get_bool(state, "OOMKilled", false));
    if (!job->reason && error[0])
        job->reason = mem_string(error);
}

/* What was ended from outside, or with its engine, has no result of its own; but a success, which
 * took a moment when nobody looked, is one. */
static bool was_cut_short(const struct job *job, bool explained)
{
    return job->exit.exit_code != 0 && !job->stop && !explained &&
           (job->killed_outside || job->engine_left);
}

void job_exited(struct job *job, const json_t *json)
{
    const json_t *state = json_get_object(json, "State");
    job->exit.exit_code = (int)json_get_int(state, "ExitCode", -1);
    job->exit.started_us = job_time(state, "StartedAt");
    job->exit.finished_us = job_time(state, "FinishedAt");
    explain(job, json);
    job->exit.timed_out = timed_out(job);
    job->exit.fused = job->stop == STOP_FUSE;
    job->exit.cancelled = job->stop == STOP_CANCEL && job->exit.exit_code != 0;
    if (!job->exit.timed_out && was_cut_short(job, job->reason != NULL)) {
        job->lost = true;
        job->reason = mem_printf("%s (exit code %d)",
                                 job->killed_outside ? "its container was ended by somebody else"
                                                     : "its container ended with its engine",
                                 job->exit.exit_code);
    }
    loop_timer_stop(&job->due);
    loop_timer_stop(&job->retry);
    machine_move(&MACHINE_CONTAINER, &job->state, CONTAINER_DRAINING);
    drain(job);
}

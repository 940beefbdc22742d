#include "worker/executor/docker/job.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

#define RETRY_FIRST_US (200 * US_PER_MS)
#define RETRY_MOST_US  (5 * US_PER_S)

/* ---- the table ------------------------------------------------------------------------------ */

struct job *job_find(struct docker_executor *d, const struct uuid *attempt)
{
    struct job *job = NULL;
    HASH_FIND(hh, d->jobs, attempt->b, sizeof attempt->b, job);
    return job;
}

struct job *job_add(struct docker_executor *d, const struct executor_spec *spec)
{
    struct job *job = mem_alloc(sizeof *job);
    char id[UUID_TEXT];
    uuid_format(&spec->attempt, id);
    snprintf(job->name, sizeof job->name, BODY_NAME_PREFIX "%s", id);
    job->attempt = spec->attempt;
    job->docker = d;
    job->retry_us = RETRY_FIRST_US;
    job->image = mem_string(spec->image);
    job->log_path = mem_string(spec->log_path);
    job->log_limit = spec->log_limit;
    job->at_most_once = spec->at_most_once;
    job->timeout_us = spec->timeout_us;
    job->grace_us = spec->grace_us;
    job->fuse_slack_us = spec->fuse_slack_us;
    HASH_ADD(hh, d->jobs, attempt.b, sizeof job->attempt.b, job);
    return job;
}

void job_wipe_login(struct job *job)
{
    if (job->login)
        mem_wipe(job->login, strlen(job->login));
    free(TAKE(job->login));
}

void job_quiet(struct job *job)
{
    loop_timer_stop(&job->retry);
    loop_timer_stop(&job->again);
    loop_timer_stop(&job->due);
    engine_cancel(TAKE(job->call));
    pull_close(TAKE(job->pull_now));
    follow_close(TAKE(job->follow));
    bring_close(TAKE(job->bring));
}

void job_free(struct job *job)
{
    HASH_DEL(job->docker->jobs, job);
    job_quiet(job);
    job_wipe_login(job);
    json_decref(job->body);
    json_decref(job->takes);
    free(job->image);
    free(job->log_path);
    free(job->reason);
    free(job->digest);
    free(job->image_id);
    free(job->container_id);
    free(job);
}

/* ---- asking --------------------------------------------------------------------------------- */

static void retry(void *arg)
{
    job_look(arg);
}

void job_look_later(struct job *job)
{
    loop_timer_start(job->docker->owner.loop, &job->retry, job->retry_us, 0, retry, job);
    job->retry_us = job->retry_us * 2 > RETRY_MOST_US ? RETRY_MOST_US : job->retry_us * 2;
}

void job_ask(struct job *job, const char *method, const char *path, const json_t *body,
             engine_done_fn *done)
{
    const struct engine_request request = {.method = method, .path = path, .body = body};
    job->call = engine_ask(job->docker->engine, &request, done, job);
}

/* A call came back: whoever wanted to look in the meantime looks now. True when that is so. */
bool job_came_back(struct job *job)
{
    job->call = NULL;
    const bool again = job->look_again;
    job->look_again = false;
    return again;
}

void job_move(struct job *job, int state)
{
    if (job->state != state)
        machine_move(&MACHINE_CONTAINER, &job->state, state);
}

/* ---- looking -------------------------------------------------------------------------------- */

/* The clock of the engine's machine against ours; for a container that began before our time. */
static void runs(struct job *job, const json_t *state)
{
    const int64_t began = job_time(state, "StartedAt"), now = clock_wall_us();
    job_move(job, CONTAINER_RUNNING);
    job->engine_left = false; /* it has outlived what was away: its end is its own */
    job->exit.started_us = began;
    job->started_mono_us = clock_monotonic_us() - (began > 0 && began < now ? now - began : 0);
    if (!job->told_start) {
        job->told_start = true;
        job->docker->owner.events->started(job->docker->owner.arg, &job->attempt,
                                           began > 0 ? began : now);
    }
    job_follow(job);
    job_arm(job);
}

static bool is_ours(const struct job *job, const json_t *json)
{
    char id[UUID_TEXT];
    const json_t *labels = json_get_object(json_get_object(json, "Config"), "Labels");
    uuid_format(&job->attempt, id);
    const char *ours = job->docker->cluster, *its = json_get_string(labels, LABEL_CLUSTER, "");
    return strcmp(json_get_string(labels, LABEL_ATTEMPT, ""), id) == 0 &&
           (!ours || !its[0] || strcmp(its, ours) == 0) &&
           strcmp(json_get_string(labels, LABEL_WORKER, ""), job->docker->worker) == 0;
}

void job_outputs(struct job *job, const json_t *labels)
{
    const char *takes = json_get_string(labels, LABEL_TAKES, NULL);
    job->outputs = body_outputs_of(json_get_string(labels, LABEL_OUTPUTS, "mounted"));
    json_decref(job->takes);
    job->takes = takes ? json_read(takes, strlen(takes), NULL, NULL) : NULL;
}

static bool has_volume_to_open(const json_t *json)
{
    size_t i;
    const json_t *mount;
    json_array_foreach (json_get_array(json, "Mounts"), i, mount)
        if (strcmp(json_get_string(mount, "Type", ""), "volume") == 0 &&
            strcmp(json_get_string(mount, "Destination", ""), BODY_VOLUME) == 0)
            return true;
    return false;
}

static void learn(struct job *job, const json_t *json)
{
    const json_t *labels = json_get_object(json_get_object(json, "Config"), "Labels");
    long long base = 0;
    text_to_int(json_get_string(labels, LABEL_LOG, "0"), 0, INT64_MAX / 2, &base);
    job->log_base = base;
    job_outputs(job, labels);
    job->opens = has_volume_to_open(json);
    if (!job->image_id) {
        job->image_id = mem_string(json_get_string(json, "Image", ""));
        free(job->image);
        job->image = mem_string(json_get_string(labels, LABEL_IMAGE, ""));
    }
    if (!job->container_id)
        job->container_id = mem_string(json_get_string(json, "Id", ""));
}

/* An engine that died, or a machine that lost its power, may have started it and not have written
 * that down. */
static bool may_have_run(const struct job *job)
{
    return job->at_most_once && (job->start_asked || job->state == CONTAINER_UNKNOWN);
}

static void found(struct job *job, const json_t *json)
{
    const json_t *state = json_get_object(json, "State");
    const char *status = json_get_string(state, "Status", "");
    if (!is_ours(job, json)) {
        job_failed(job, "its container's name is taken by one that is not of this worker");
        return;
    }
    learn(job, json);
    if (strcmp(status, "created") == 0 && may_have_run(job)) {
        job_lost(job, "its container is there and its start was never answered");
    } else if (strcmp(status, "created") == 0) {
        job_move(job, CONTAINER_STARTING);
        job_launch(job);
    } else if (json_get_bool(state, "Running", false) || strcmp(status, "paused") == 0) {
        runs(job, state);
    } else {
        job_exited(job, json);
    }
}

static void gone(struct job *job)
{
    if (job->state == CONTAINER_CREATING || job->state == CONTAINER_PULLING) {
        job_move(job, CONTAINER_CREATING);
        job_begin(job);
    } else {
        job_lost(job, job->state == CONTAINER_UNKNOWN
                          ? "the engine has no container of it"
                          : "its container was removed by somebody else");
    }
}

static void on_looked(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct job *job = arg;
    const bool again = job_came_back(job);
    if (job->state >= CONTAINER_DRAINING)
        return;
    if (err || (answer->status != 200 && answer->status != 404)) {
        job_look_later(job);
        return;
    }
    job->retry_us = RETRY_FIRST_US;
    if (answer->status == 404)
        gone(job);
    else
        found(job, answer->json);
    if (again && !job->call && job->state < CONTAINER_DRAINING)
        job_look(job);
}

void job_look(struct job *job)
{
    if (job->state >= CONTAINER_DRAINING || job->pull_now)
        return;
    if (job->call) {
        job->look_again = true;
        return;
    }
    loop_timer_stop(&job->retry);
    cleanup_free char *path = mem_printf("/containers/%s/json", job->name);
    job_ask(job, "GET", path, NULL, on_looked);
}

/* ---- what the engine says ------------------------------------------------------------------- */

static bool is_deadly(const char *signal)
{
    static const char *const NAMES[] = {"9", "15", "2", "3", "KILL", "TERM", "INT", "QUIT"};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (strcmp(signal, NAMES[i]) == 0)
            return true;
    return false;
}

void job_event(struct job *job, const struct engine_event *event)
{
    if (job->removing || (job->container_id && strcmp(job->container_id, event->id) != 0))
        return;
    if (strcmp(event->action, "oom") == 0)
        job->oom = true; /* may come after the end */
    else if (job->state >= CONTAINER_DRAINING)
        return;
    else if (strcmp(event->action, "kill") == 0 && !job->stop &&
             is_deadly(json_get_string(event->details, "signal", "9")))
        job->killed_outside = true;
    else if (strcmp(event->action, "die") == 0 || strcmp(event->action, "destroy") == 0)
        job_look(job);
}

void job_engine_down(struct job *job)
{
    job->engine_left |= job->state == CONTAINER_RUNNING || job->state == CONTAINER_STARTING;
    job->follow_whole = false; /* its end may have been the engine's */
}

/* The docker executor: the calls of executor.h over the table of jobs. What the engine has is what
 * counts: after every silence of it each job is looked at. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/text/json.h"
#include "worker/attempt/lease.h"
#include "worker/executor/docker/job.h"

#define PATIENCE_US (3 * US_PER_S) /* for an engine that is not needed */
#define SWEEP_US    (15 * US_PER_S)

/* ---- left-overs ----------------------------------------------------------------------------- */

/* Containers of this worker that no job stands for: created by a call whose sender died before the
 * engine was done with it, or not removed when they should have been. Of this cluster and this
 * worker only: others' carry other labels. */
static bool is_left_over(struct docker_executor *d, const json_t *container)
{
    const json_t *labels = json_get_object(container, "Labels");
    struct uuid attempt;
    if (!d->cluster || strcmp(json_get_string(labels, LABEL_CLUSTER, ""), d->cluster) != 0 ||
        strcmp(json_get_string(labels, LABEL_WORKER, ""), d->worker) != 0)
        return false;
    return uuid_parse(json_get_string(labels, LABEL_ATTEMPT, ""), &attempt) &&
           !job_find(d, &attempt);
}

static void on_swept(void *arg, const struct engine_answer *answer, const struct err *err)
{
    (void)arg;
    if (err || answer->status >= 500)
        log_warn("a left-over container could not be removed",
                 LOG_S("error", err ? err->text : answer->message));
}

static void remove_left_over(struct docker_executor *d, const char *id)
{
    cleanup_free char *path = mem_printf("/containers/%s?force=1&v=1", id);
    const struct engine_request request = {.method = "DELETE", .path = path};
    log_info("a left-over container is removed", LOG_S("container", id));
    engine_ask(d->engine, &request, on_swept, NULL);
}

static void sweep_list(struct docker_executor *d, const json_t *containers)
{
    size_t i;
    json_t *container;
    if (!d->settled)
        return;
    json_array_foreach (containers, i, container)
        if (is_left_over(d, container))
            remove_left_over(d, json_get_string(container, "Id", "none"));
}

static void on_sweep_list(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct docker_executor *d = arg;
    d->sweep_call = NULL;
    if (!err && answer->status == 200)
        sweep_list(d, answer->json);
}

/* Also the net below the events: what one of them did not tell is seen here. */
static void sweep(void *arg)
{
    struct docker_executor *d = arg;
    struct job *job, *next;
    if (!engine_is_up(d->engine) || d->sweep_call)
        return;
    HASH_ITER (hh, d->jobs, job, next)
        if (job->state == CONTAINER_RUNNING)
            job_look(job);
    /* The filter is one of names; the label is compared again above. */
    cleanup_free char *path =
        mem_printf("/containers/json?all=1&filters=%%7B%%22label%%22%%3A%%5B%%22" LABEL_WORKER
                   "%%3D%s%%22%%5D%%7D",
                   d->worker);
    const struct engine_request request = {.path = path};
    d->sweep_call = engine_ask(d->engine, &request, on_sweep_list, d);
}

/* ---- the engine comes and goes -------------------------------------------------------------- */

static void become_ready(struct docker_executor *d)
{
    if (d->ready)
        return;
    d->ready = true;
    loop_timer_stop(&d->patience);
    d->owner.events->ready(d->owner.arg, &d->base);
}

/* Held attempts are known by these until the worker has asked for them. */
static void list_jobs(struct docker_executor *d, const json_t *containers)
{
    size_t i;
    json_t *container;
    json_array_foreach (containers, i, container) {
        struct executor_spec spec = {.image = "", .log_path = "", .fuse_slack_us = -1};
        const json_t *labels = json_get_object(container, "Labels");
        if (uuid_parse(json_get_string(labels, LABEL_ATTEMPT, ""), &spec.attempt) &&
            !job_find(d, &spec.attempt))
            job_add(d, &spec)->listed = true;
    }
}

static void on_up(void *arg, const json_t *containers)
{
    struct docker_executor *d = arg;
    struct job *job, *next;
    log_info("the docker engine answers", LOG_S("version", engine_version(d->engine)));
    const bool late = d->ready;
    d->known = true;
    free(TAKE(d->why));
    if (!d->settled)
        list_jobs(d, containers);
    else
        sweep_list(d, containers);
    HASH_ITER (hh, d->jobs, job, next)
        if (!job->listed && !job->removing)
            job_look(job);
    loop_timer_start(d->owner.loop, &d->sweep, SWEEP_US, SWEEP_US, sweep, d);
    if (late && d->owner.events->changed)
        d->owner.events->changed(d->owner.arg, &d->base);
    become_ready(d);
}

static void on_down(void *arg, const struct err *why)
{
    struct docker_executor *d = arg;
    free(d->why);
    d->why = mem_string(why->text);
    if (d->known)
        log_warn("the docker engine is away", LOG_ERR(why));
    else
        log_info("no docker engine yet", LOG_ERR(why));
    for (struct job *job = d->jobs; job; job = job->hh.next)
        job_engine_down(job);
    loop_timer_stop(&d->sweep);
    if (!d->needed)
        become_ready(d); /* without it, for now */
}

static void on_event(void *arg, const struct engine_event *event)
{
    struct docker_executor *d = arg;
    struct uuid attempt;
    const bool named = strncmp(event->name, BODY_NAME_PREFIX, strlen(BODY_NAME_PREFIX)) == 0;
    struct job *job = named && uuid_parse(event->name + strlen(BODY_NAME_PREFIX), &attempt)
                          ? job_find(d, &attempt)
                          : NULL;
    if (job && !job->listed)
        job_event(job, event);
}

static void out_of_patience(void *arg)
{
    struct docker_executor *d = arg;
    if (!d->needed)
        become_ready(d);
}

/* ---- the executor's calls ------------------------------------------------------------------- */

static int docker_start(struct executor *ex, const struct executor_spec *spec, struct err *err)
{
    struct docker_executor *d = (struct docker_executor *)ex;
    if (job_find(d, &spec->attempt))
        return 0; /* it is followed already */
    d->site.cluster = d->cluster ? d->cluster : "";
    if (body_check(spec, &d->site, err) != 0)
        return err->code;
    struct job *job = job_add(d, spec);
    job->state = CONTAINER_CREATING; /* where a new one begins; an adopted one is unknown */
    job->body = body_make(spec, &d->site, 0);
    job->pull = spec->container->pull;
    job_outputs(job, json_get_object(job->body, "Labels"));
    job->login = mem_string(spec->container->login);
    job_begin(job);
    return 0;
}

static void docker_stop(struct executor *ex, const struct uuid *attempt, int64_t grace_us)
{
    struct job *job = job_find((struct docker_executor *)ex, attempt);
    if (job)
        job_stop(job, STOP_CANCEL, grace_us);
}

static void docker_lease(struct executor *ex, int64_t end_us)
{
    struct docker_executor *d = (struct docker_executor *)ex;
    d->lease_end_us = end_us;
    for (struct job *job = d->jobs; job; job = job->hh.next)
        job_arm(job);
}

/* With the engine away nobody can say: it is held until the engine says otherwise. */
static bool docker_adopt(struct executor *ex, const struct executor_spec *spec)
{
    struct docker_executor *d = (struct docker_executor *)ex;
    struct job *listed = job_find(d, &spec->attempt);
    if (!listed && d->known)
        return false;
    if (listed)
        job_free(listed);
    struct job *job = job_add(d, spec);
    job->engine_left = !d->known; /* it may have ended with its engine while nobody looked */
    job_look(job);
    return true;
}

static void docker_settle(struct executor *ex)
{
    struct docker_executor *d = (struct docker_executor *)ex;
    struct job *job, *next;
    d->settled = true;
    if (d->lease_end_us == 0) /* the hello that follows counts as a heartbeat */
        d->lease_end_us = clock_boottime_us() + LEASE_US;
    HASH_ITER (hh, d->jobs, job, next)
        if (job->listed)
            job_free(job); /* the sweep ends what has our labels */
    sweep(d);
}

static void docker_forget(struct executor *ex, const struct uuid *attempt)
{
    struct job *job = job_find((struct docker_executor *)ex, attempt);
    if (job && !job->removing)
        job_forget(job);
}

static void docker_close(struct executor *ex)
{
    struct docker_executor *d = (struct docker_executor *)ex;
    struct job *job, *next;
    HASH_ITER (hh, d->jobs, job, next)
        job_free(job);
    loop_timer_stop(&d->patience);
    loop_timer_stop(&d->sweep);
    engine_close(d->engine);
    free(d->cluster);
    free(d->worker);
    free(d->network);
    free(d->networks);
    free(d->workspace);
    free(d->secrets);
    free(d->why);
    free(d);
}

/* ---- opening -------------------------------------------------------------------------------- */

void docker_executor_cluster(struct executor *ex, const struct uuid *cluster)
{
    struct docker_executor *d = (struct docker_executor *)ex;
    char text[UUID_TEXT];
    uuid_format(cluster, text);
    if (d->cluster && strcmp(d->cluster, text) == 0)
        return;
    free(d->cluster);
    d->cluster = mem_string(text);
    sweep(d);
}

bool docker_executor_idle(const struct executor *ex)
{
    return ((const struct docker_executor *)ex)->jobs == NULL;
}

const char *docker_executor_engine(const struct executor *ex, const char **why)
{
    const struct docker_executor *d = (const struct docker_executor *)ex;
    *why = d->why ? d->why : "";
    return engine_is_up(d->engine) ? engine_version(d->engine) : NULL;
}

struct executor *docker_executor_open(const struct executor_owner *owner,
                                      const struct docker_options *options, struct err *err)
{
    static const struct executor_ops ops = {
        .name = "docker",
        .start = docker_start,
        .stop = docker_stop,
        .lease = docker_lease,
        .adopt = docker_adopt,
        .settle = docker_settle,
        .forget = docker_forget,
        .close = docker_close,
    };
    static const struct engine_events events = {on_up, on_down, on_event};
    struct docker_executor *d = mem_alloc(sizeof *d);
    d->base.ops = &ops;
    d->owner = *owner;
    d->worker = mem_string(options->worker);
    d->network = mem_string(options->network);
    d->networks = mem_string(options->networks);
    d->workspace = mem_string(options->workspaces);
    d->secrets = mem_string(options->secrets);
    d->needed = options->needed;
    d->copy_most = options->copy_most;
    d->site = (struct body_site){.worker = d->worker,
                                 .network = d->network,
                                 .networks = d->networks,
                                 .workspace = d->workspace,
                                 .secrets = d->secrets,
                                 .copies = options->copies};
    cleanup_free char *label = mem_printf(LABEL_WORKER "=%s", d->worker);
    const struct engine_site site = {options->host, options->certs, label};
    if (engine_open(owner->loop, &site, &events, d, &d->engine, err) != 0) {
        docker_close(&d->base);
        return NULL;
    }
    loop_timer_start(owner->loop, &d->patience, PATIENCE_US, 0, out_of_patience, d);
    return &d->base;
}

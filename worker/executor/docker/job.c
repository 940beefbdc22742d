#include "worker/executor/docker/job.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/text/json.h"
#include "worker/attempt/environment.h"
#include "worker/executor/docker/unpack.h"

#define RETRY_FIRST_US (200 * US_PER_MS)
#define RETRY_MOST_US  (5 * US_PER_S)
#define FUSE_LOOK_US   (5 * US_PER_S) /* a suspended machine's clock is looked at so often */
#define STOP_TIME_US   (15 * US_PER_S)

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
    job->timeout_us = spec->timeout_us;
    job->grace_us = spec->grace_us;
    job->fuse_slack_us = spec->fuse_slack_us;
    HASH_ADD(hh, d->jobs, attempt.b, sizeof job->attempt.b, job);
    return job;
}

static void wipe_login(struct job *job)
{
    if (job->login)
        mem_wipe(job->login, strlen(job->login));
    free(TAKE(job->login));
}

static void quiet(struct job *job)
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
    quiet(job);
    wipe_login(job);
    json_decref(job->body);
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

static void look_later(struct job *job)
{
    loop_timer_start(job->docker->owner.loop, &job->retry, job->retry_us, 0, retry, job);
    job->retry_us = job->retry_us * 2 > RETRY_MOST_US ? RETRY_MOST_US : job->retry_us * 2;
}

static void ask(struct job *job, const char *method, const char *path, const json_t *body,
                engine_done_fn *done)
{
    const struct engine_request request = {.method = method, .path = path, .body = body};
    job->call = engine_ask(job->docker->engine, &request, done, job);
}

/* A call came back: whoever wanted to look in the meantime looks now. True when that is so. */
static bool came_back(struct job *job)
{
    job->call = NULL;
    const bool again = job->look_again;
    job->look_again = false;
    return again;
}

static void move(struct job *job, int state)
{
    if (job->state != state)
        machine_move(&MACHINE_CONTAINER, &job->state, state);
}

/* ---- its image ------------------------------------------------------------------------------ */

static void create(struct job *job);

/* Lines of our own come before the container's first byte; LABEL_LOG says how many bytes. */
static void on_said(void *arg, const char *line)
{
    struct job *job = arg;
    cleanup_close int fd =
        open(job->log_path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    cleanup_free char *text = mem_printf("%s\n", line);
    if (fd >= 0 && write(fd, text, strlen(text)) < 0)
        log_warn("progress of a pull cannot be written", LOG_S("container", job->name));
}

static void on_pulled(void *arg, const struct err *err)
{
    struct job *job = arg;
    pull_close(TAKE(job->pull_now));
    if (err && !engine_is_up(job->docker->engine)) {
        look_later(job); /* the engine went away: job_look goes on when it is back */
        return;
    }
    job->pulled = true;
    wipe_login(job);
    if (err) {
        cleanup_free char *reason =
            mem_printf("image %s could not be pulled: %s", job->image, err->text);
        job_failed(job, reason);
        return;
    }
    move(job, CONTAINER_CREATING);
    create(job);
}

static void pull(struct job *job)
{
    static const struct pull_events events = {.said = on_said, .done = on_pulled};
    move(job, CONTAINER_PULLING);
    cleanup_free char *line = mem_printf("leat: pulling image %s", job->image);
    on_said(job, line);
    job->pull_now = pull_open(job->docker->engine, job->image, job->login, &events, job);
}

/* ---- creating and starting ------------------------------------------------------------------ */

static void start(struct job *job);

static void no_image(struct job *job)
{
    if (job->pull == PULL_NEVER || job->pulled) {
        cleanup_free char *reason = mem_printf("the engine has no image %s%s", job->image,
                                               job->pulled ? "" : " and pull is never");
        job_failed(job, reason);
        return;
    }
    pull(job);
}

static void on_created(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct job *job = arg;
    came_back(job);
    if (err) {
        look_later(job); /* it may be there */
        return;
    }
    if (answer->status == 201) {
        failpoint_hit(FAILPOINT_CONTAINER_CREATE_AFTER);
        move(job, CONTAINER_STARTING);
        start(job);
    } else if (answer->status == 409) {
        job_look(job); /* asked before: by this or an earlier life */
    } else if (answer->status == 404) {
        no_image(job);
    } else {
        cleanup_free char *reason =
            mem_printf("the container could not be created: %s", answer->message);
        job_failed(job, reason);
    }
}

static void set_log_base(struct job *job)
{
    struct stat st;
    job->log_base = stat(job->log_path, &st) == 0 ? st.st_size : 0;
    cleanup_free char *text = mem_printf("%lld", (long long)job->log_base);
    json_object_set_new(json_get_object(job->body, "Labels"), LABEL_LOG, json_string(text));
}

static void create(struct job *job)
{
    if (job->stop) {
        job_failed(job, "");
        return;
    }
    set_log_base(job);
    failpoint_hit(FAILPOINT_CONTAINER_CREATE_BEFORE);
    cleanup_free char *path = mem_printf("/containers/create?name=%s", job->name);
    ask(job, "POST", path, job->body, on_created);
}

static void on_started(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct job *job = arg;
    came_back(job);
    if (err) {
        look_later(job);
    } else if (answer->status == 204) {
        failpoint_hit(FAILPOINT_CONTAINER_START_AFTER);
        job_look(job);
    } else if (answer->status == 304 || answer->status == 404 || answer->status == 409) {
        job_look(job);
    } else {
        cleanup_free char *reason =
            mem_printf("the container could not be started: %s", answer->message);
        job_failed(job, reason);
    }
}

static void on_opened(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct job *job = arg;
    came_back(job);
    if (err) {
        look_later(job);
    } else if (answer->status == 200) {
        job->opened = true;
        start(job);
    } else if (answer->status == 404 || answer->status == 409) {
        job_look(job);
    } else {
        cleanup_free char *reason =
            mem_printf("the folder of its outputs could not be made: %s", answer->message);
        job_failed(job, reason);
    }
}

/* A new volume is root's. Done again after a death it changes nothing: the container has not run.
 */
static void open_outputs(struct job *job)
{
    size_t len = 0;
    cleanup_free char *tar = unpack_open_folder(&CONTAINER_OUT[sizeof BODY_VOLUME], &len);
    cleanup_free char *path = mem_printf("/containers/%s/archive?path=" BODY_VOLUME, job->name);
    const struct engine_request request = {
        .method = "PUT", .path = path, .tar = tar, .tar_len = len};
    job->call = engine_ask(job->docker->engine, &request, on_opened, job);
}

static void start(struct job *job)
{
    if (job->stop) { /* it has not run, and it does not have to */
        job_failed(job, "");
        return;
    }
    if (job->copies && !job->opened) {
        open_outputs(job);
        return;
    }
    failpoint_hit(FAILPOINT_CONTAINER_START_BEFORE);
    cleanup_free char *path = mem_printf("/containers/%s/start", job->name);
    ask(job, "POST", path, NULL, on_started);
}

void job_begin(struct job *job)
{
    move(job, CONTAINER_CREATING);
    if (!engine_is_up(job->docker->engine))
        look_later(job);
    else if (job->pull == PULL_ALWAYS && !job->pulled)
        pull(job);
    else
        create(job);
}

/* ---- looking -------------------------------------------------------------------------------- */

/* The clock of the engine's machine against ours; for a container that began before our time. */
static void runs(struct job *job, const json_t *state)
{
    const int64_t began = job_time(state, "StartedAt"), now = clock_wall_us();
    move(job, CONTAINER_RUNNING);
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

static void learn(struct job *job, const json_t *json)
{
    const json_t *labels = json_get_object(json_get_object(json, "Config"), "Labels");
    long long base = 0;
    text_to_int(json_get_string(labels, LABEL_LOG, "0"), 0, INT64_MAX / 2, &base);
    job->log_base = base;
    job->copies = strcmp(json_get_string(labels, LABEL_OUTPUTS, ""), "copied") == 0;
    if (!job->image_id) {
        job->image_id = mem_string(json_get_string(json, "Image", ""));
        job->container_id = mem_string(json_get_string(json, "Id", ""));
        free(job->image);
        job->image = mem_string(json_get_string(json_get_object(json, "Config"), "Image", ""));
    }
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
    if (strcmp(status, "created") == 0) {
        move(job, CONTAINER_STARTING);
        start(job);
    } else if (json_get_bool(state, "Running", false) || strcmp(status, "paused") == 0) {
        runs(job, state);
    } else {
        job_exited(job, json);
    }
}

static void gone(struct job *job)
{
    if (job->state == CONTAINER_CREATING || job->state == CONTAINER_PULLING) {
        move(job, CONTAINER_CREATING);
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
    const bool again = came_back(job);
    if (job->state >= CONTAINER_DRAINING)
        return;
    if (err || (answer->status != 200 && answer->status != 404)) {
        look_later(job);
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
    ask(job, "GET", path, NULL, on_looked);
}

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
    came_back(job);
    const bool is_gone = !err && (answer->status == 204 || answer->status == 404);
    if (!is_gone) /* the sweep tries again, and so does the next life */
        log_warn("a container could not be removed now", LOG_S("container", job->name),
                 LOG_S("error", err ? err->text : answer->message));
    failpoint_hit(FAILPOINT_CONTAINER_REMOVED_AFTER);
    job_free(job);
}

void job_forget(struct job *job)
{
    quiet(job);
    job->removing = true;
    failpoint_hit(FAILPOINT_CONTAINER_REMOVED_BEFORE);
    cleanup_free char *path = mem_printf("/containers/%s?force=1&v=1", job->name);
    ask(job, "DELETE", path, NULL, on_removed);
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
    if (job->removing || job->state >= CONTAINER_DRAINING ||
        (job->container_id && strcmp(job->container_id, event->id) != 0))
        return;
    if (strcmp(event->action, "oom") == 0)
        job->oom = true;
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

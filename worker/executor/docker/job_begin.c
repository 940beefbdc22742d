/* A container from its image to its start. */
#include "worker/executor/docker/job.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/url.h"
#include "common/text/json.h"
#include "worker/attempt/environment.h"
#include "worker/executor/docker/unpack.h"

/* ---- its image ------------------------------------------------------------------------------ */

static void resolve(struct job *job);

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

static void on_progress(void *arg, const char *line)
{
    struct job *job = arg;
    const struct executor_owner *owner = &job->docker->owner;
    on_said(job, line);
    if (owner->events->noted)
        owner->events->noted(owner->arg, &job->attempt,
                             text_starts_with(line, "leat: ") ? line + strlen("leat: ") : line);
}

static void on_pulled(void *arg, const struct err *err)
{
    struct job *job = arg;
    pull_close(TAKE(job->pull_now));
    if (err && !engine_is_up(job->docker->engine)) {
        job_look_later(job); /* the engine went away: job_look goes on when it is back */
        return;
    }
    job->pulled = true;
    job_wipe_login(job);
    if (err) {
        cleanup_free char *reason =
            mem_printf("image %s could not be pulled: %s", job->image, err->text);
        job_failed(job, reason);
        return;
    }
    job_move(job, CONTAINER_CREATING);
    resolve(job);
}

static void pull(struct job *job)
{
    static const struct pull_events events = {.said = on_progress, .done = on_pulled};
    job_move(job, CONTAINER_PULLING);
    cleanup_free char *line = mem_printf("leat: pulling image %s", job->image);
    on_said(job, line);
    job->pull_now = pull_open(job->docker->engine, job->image, job->login, &events, job);
}

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

static void create(struct job *job);

/* The container is made of what the name stands for now, whatever the name stands for later. */
static void on_resolved(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct job *job = arg;
    job_came_back(job);
    if (err) {
        job_look_later(job);
        return;
    }
    if (answer->status == 404) {
        no_image(job);
        return;
    }
    const char *id = json_get_string(answer->json, "Id", "");
    if (answer->status != 200 || id[0] == '\0') {
        cleanup_free char *reason =
            mem_printf("image %s could not be looked at: %s", job->image, answer->message);
        job_failed(job, reason);
        return;
    }
    job_name_image(job, id, answer->json);
    job->named = true;
    const char *user = json_get_string(json_get_object(answer->json, "Config"), "User", NULL);
    job->opens = job->outputs != OUTPUTS_MOUNTED && !body_is_root(user);
    body_resolve(job->body, id, !job->opens);
    create(job);
}

static void resolve(struct job *job)
{
    cleanup_text struct text path = {0};
    text_puts(&path, "/images/");
    url_escape(&path, job->image, strlen(job->image), ":/@");
    text_puts(&path, "/json");
    job_ask(job, "GET", path.data, NULL, on_resolved);
}

/* ---- creating and starting ------------------------------------------------------------------ */

static void on_created(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct job *job = arg;
    job_came_back(job);
    if (err) {
        job_look_later(job); /* it may be there */
        return;
    }
    if (answer->status == 201) {
        failpoint_hit(FAILPOINT_CONTAINER_CREATE_AFTER);
        job_move(job, CONTAINER_STARTING);
        job_launch(job);
    } else if (answer->status == 409) {
        job_look(job); /* asked before: by this or an earlier life */
    } else if (answer->status == 404) {
        no_image(job); /* removed a moment ago */
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
    job_ask(job, "POST", path, job->body, on_created);
}

static void on_started(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct job *job = arg;
    job_came_back(job);
    if (err) {
        job_look_later(job);
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
    job_came_back(job);
    if (err) {
        job_look_later(job);
    } else if (answer->status == 200) {
        job->opened = true;
        job_launch(job);
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

void job_launch(struct job *job)
{
    if (job->stop) { /* it has not run, and it does not have to */
        job_failed(job, "");
        return;
    }
    if (job->opens && !job->opened) {
        open_outputs(job);
        return;
    }
    failpoint_hit(FAILPOINT_CONTAINER_START_BEFORE);
    job->start_asked = true;
    cleanup_free char *path = mem_printf("/containers/%s/start", job->name);
    job_ask(job, "POST", path, NULL, on_started);
}

void job_begin(struct job *job)
{
    job_move(job, CONTAINER_CREATING);
    if (!engine_is_up(job->docker->engine))
        job_look_later(job);
    else if (job->pull == PULL_ALWAYS && !job->pulled)
        pull(job);
    else
        resolve(job);
}

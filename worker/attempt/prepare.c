#include "worker/attempt/prepare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/text/json.h"
#include "worker/attempt/attempt.h"
#include "worker/attempt/environment.h"
#include "worker/attempt/event.h"
#include "worker/attempt/files.h"
#include "worker/attempt/inputs.h"
#include "worker/attempt/secrets.h"
#include "worker/worker.h"

#define LOG_DEFAULT (64LL << 20)

bool prepare_needed(const struct attempt *a)
{
    const struct order_start *start = a->order.start;
    return start->executor != ORDER_START_EXECUTOR_NOOP || start->inputs_count > 0 ||
           start->outputs_count > 0;
}

/* ---- one thing after the other
 * ------------------------------------------------------------------- */

struct prepare {
    struct attempt *attempt;
    size_t input; /* next to put */
    bool event_done, secrets_done, opened;
    char *inputs, *event; /* for the thread that opens them */
    struct err err;
};

static void go_on(struct prepare *p);

static void end(struct prepare *p, const struct err *err)
{
    struct attempt *a = p->attempt;
    struct err told;
    if (err) { /* it may be in p */
        told = *err;
        err = &told;
    }
    free(p->inputs);
    free(p->event);
    free(p);
    attempt_prepared(a, err);
}

static void part_done(void *arg, const struct err *err)
{
    struct prepare *p = arg;
    if (err || p->attempt->asked)
        end(p, err);
    else
        go_on(p);
}

/* A container's user may be any, whatever the worker's umask. On a thread: there may be many. */
static void open_up(void *arg)
{
    struct prepare *p = arg;
    if (tree_readable(p->inputs, &p->err) == 0)
        tree_readable(p->event, &p->err);
}

static void opened_up(void *arg)
{
    struct prepare *p = arg;
    part_done(p, p->err.code ? &p->err : NULL);
}

static void go_on(struct prepare *p)
{
    struct attempt *a = p->attempt;
    const struct order_start *start = a->order.start;
    if (p->input < start->inputs_count) {
        inputs_put(a, &start->inputs[p->input++], part_done, p);
    } else if (!p->event_done && start->event && attempt_runs_program(a)) {
        p->event_done = true;
        event_put(a, part_done, p);
    } else if (!p->secrets_done && secrets_needed(a)) {
        p->secrets_done = true;
        secrets_fetch(a, part_done, p);
    } else if (!p->opened && attempt_in_container(a) && (start->inputs_count > 0 || start->event)) {
        p->opened = true;
        p->inputs = attempt_path(a, "in");
        p->event = attempt_path(a, "event.json");
        loop_work(a->worker->loop, open_up, opened_up, p);
    } else {
        end(p, NULL);
    }
}

static int make_folder(const struct attempt *a, const char *name, struct err *err)
{
    cleanup_free char *path = attempt_path(a, name);
    return folder_make(path, 0755, err);
}

/* For whatever user the image has. On this machine nobody else gets there: the data folder is
 * private. */
static int make_open_folder(const struct attempt *a, const char *name, struct err *err)
{
    cleanup_free char *path = attempt_path(a, name);
    if (folder_make(path, 0777, err) != 0)
        return err->code;
    if (chmod(path, 0777) != 0)
        return err_errno(err, errno, "%s", path);
    return 0;
}

static int make_workspace(const struct attempt *a, struct err *err)
{
    const struct order_start *start = a->order.start;
    if (make_folder(a, NULL, err) != 0 ||
        (start->inputs_count > 0 && make_folder(a, "in", err) != 0))
        return err->code;
    if (progress_prepare(a, err) != 0)
        return err->code;
    if (attempt_in_container(a))
        return make_open_folder(a, "out", err);
    if (start->outputs_count > 0 || start->executor == ORDER_START_EXECUTOR_OBJECTS)
        return make_folder(a, "out", err);
    return 0;
}

void prepare_start(struct attempt *a)
{
    struct prepare *p = mem_alloc(sizeof *p);
    struct err err = {0};
    p->attempt = a;
    if (make_workspace(a, &err) != 0)
        end(p, &err);
    else
        go_on(p);
}

/* ---- the specification
 * --------------------------------------------------------------------------- */

/* As written; a relative one is below the workspace, which is also the default. */
static char *workdir_of(const struct attempt *a)
{
    const char *given = a->order.start->workdir;
    if (given && given[0] == '/')
        return mem_string(given);
    return attempt_path(a, given && given[0] ? given : NULL);
}

static int launch_program(struct attempt *a, struct executor_spec *spec, const char *workdir,
                          struct err *err)
{
    const struct order_start *start = a->order.start;
    cleanup_free const char **argv = mem_array(start->argv_count + 1, sizeof *argv);
    cleanup_free char *log = attempt_log_path(a);
    for (size_t i = 0; i < start->argv_count; i++)
        argv[i] = start->argv[i];
    char **env = environment_make(a, err);
    if (!env)
        return err->code;
    spec->argv = argv;
    spec->env = (const char *const *)env;
    spec->workdir = workdir;
    spec->log_path = log;
    const int rc = a->executor->ops->start(a->executor, spec, err);
    environment_free(env);
    return rc;
}

static int launch_process(struct attempt *a, struct executor_spec *spec, struct err *err)
{
    for (size_t i = 0; i < a->order.start->outputs_count; i++)
        if (a->order.start->outputs[i].path)
            return err_set(err, LEAT_EINPUT, "output %s: path is of containers",
                           a->order.start->outputs[i].name);
    cleanup_free char *workdir = workdir_of(a);
    return launch_program(a, spec, workdir, err);
}

static int launch_objects(struct attempt *a, struct executor_spec *spec, struct err *err)
{
    const struct order_start *start = a->order.start;
    cleanup_free char *manifest = attempt_path(a, "out/manifest");
    const struct executor_objects objects = {
        .bucket = start->bucket ? start->bucket : "",
        .prefix = start->prefix ? start->prefix : "",
        .suffix = start->suffix ? start->suffix : "",
        .key = start->key && start->key[0] ? start->key : NULL,
        .version = start->version && start->version[0] ? start->version : NULL,
        .manifest_path = manifest,
    };
    spec->objects = &objects;
    return a->executor->ops->start(a->executor, spec, err);
}

/* ---- a container
 * --------------------------------------------------------------------------------- */

enum { MOUNT_OUT, MOUNT_PROGRESS, MOUNT_IN, MOUNT_EVENT, MOUNT_SECRETS, MOUNTS };

static size_t list_mounts(const struct attempt *a, char *sources[MOUNTS],
                          struct executor_mount out[MOUNTS])
{
    const struct order_start *start = a->order.start;
    const struct {
        bool wanted;
        const char *name, *target;
    } rows[MOUNTS] = {
        [MOUNT_OUT] = {true, "out", CONTAINER_OUT},
        [MOUNT_PROGRESS] = {start->heartbeat_us > 0, PROGRESS_FILE, CONTAINER_PROGRESS},
        [MOUNT_IN] = {start->inputs_count > 0, "in", CONTAINER_IN},
        [MOUNT_EVENT] = {start->event != NULL, "event.json", CONTAINER_EVENT},
        [MOUNT_SECRETS] = {start->secrets_count > 0, NULL, CONTAINER_SECRETS},
    };
    size_t n = 0;
    for (int i = 0; i < MOUNTS; i++) {
        if (!rows[i].wanted)
            continue;
        sources[n] = rows[i].name ? attempt_path(a, rows[i].name) : secrets_folder(a);
        out[n] = (struct executor_mount){.source = sources[n],
                                         .target = rows[i].target,
                                         .writable = i == MOUNT_OUT || i == MOUNT_PROGRESS,
                                         .bound = i == MOUNT_PROGRESS};
        n++;
    }
    return n;
}

/* The outputs that are somewhere else in the container. */
static size_t list_takes(const struct order_start *start, struct executor_take *takes)
{
    size_t n = 0;
    for (size_t i = 0; i < start->outputs_count; i++)
        if (start->outputs[i].path)
            takes[n++] = (struct executor_take){start->outputs[i].name, start->outputs[i].path};
    return n;
}

static enum executor_pull pull_of(int pull)
{
    return pull == ORDER_CONTAINER_PULL_ALWAYS  ? PULL_ALWAYS
           : pull == ORDER_CONTAINER_PULL_NEVER ? PULL_NEVER
                                                : PULL_IF_MISSING;
}

static int launch_container(struct attempt *a, struct executor_spec *spec, struct err *err)
{
    static const struct order_container usual = {0};
    const struct order_start *start = a->order.start;
    const struct order_container *c = start->container ? start->container : &usual;
    char *sources[MOUNTS] = {0};
    struct executor_mount mounts[MOUNTS];
    char run[UUID_TEXT];
    uuid_format(&start->run, run);
    cleanup_free struct executor_take *takes = mem_array(start->outputs_count, sizeof *takes);
    const size_t take_count = list_takes(start, takes);
    const struct executor_container container = {
        .command = (size_t)(start->command > 0 ? start->command : 0),
        .pull = pull_of(c->pull),
        .network = c->network,
        .cpu = c->cpu,
        .memory = c->memory,
        .gpu = c->gpu,
        .shm = c->shm,
        .pids = c->pids,
        .read_only = c->read_only,
        .login = a->login,
        .run = run,
        .step = start->step,
        .outputs = start->outputs_count > take_count,
        .takes = takes,
        .take_count = take_count,
        .mounts = mounts,
        .mount_count = list_mounts(a, sources, mounts),
    };
    spec->container = &container;
    const int rc = launch_program(a, spec, start->workdir ? start->workdir : "", err);
    for (int i = 0; i < MOUNTS; i++)
        free(sources[i]);
    return rc;
}

struct executor_spec prepare_spec(const struct attempt *a)
{
    const struct order_start *start = a->order.start;
    const int64_t lost_after =
        start->lost_after_us > 0 ? start->lost_after_us : a->worker->config->lost_after_us;
    return (struct executor_spec){
        .attempt = a->id,
        .image = start->image,
        .log_limit = start->log_limit > 0 ? start->log_limit : LOG_DEFAULT,
        .timeout_us = start->timeout_us,
        .grace_us = a->grace_us,
        .fuse_slack_us = lease_fuse_slack(lost_after, a->grace_us),
        .at_most_once = start->at_most_once,
    };
}

int prepare_launch(struct attempt *a, struct err *err)
{
    struct executor_spec spec = prepare_spec(a);
    switch (a->order.start->executor) {
    case ORDER_START_EXECUTOR_PROCESS:
        return launch_process(a, &spec, err);
    case ORDER_START_EXECUTOR_DOCKER:
        return launch_container(a, &spec, err);
    case ORDER_START_EXECUTOR_OBJECTS:
        return launch_objects(a, &spec, err);
    default:
        return a->executor->ops->start(a->executor, &spec, err);
    }
}

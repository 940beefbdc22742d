#include "worker/executor/docker/body.h"

#include <math.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/container.h"
#include "common/text/json.h"
#include "worker/attempt/environment.h"
#include "worker/attempt/files.h"

#define ARGV_BYTES (256 * 1024) /* argv and environment, as for processes */
/* The engine's log is read as it grows and kept until the result is acknowledged. Rotation must not
 * take what has not been read: a line of one byte costs up to 40 in the engine's file, and five
 * files of eight times the limit hold the limit's worth of such lines. */
#define LOG_FILES       "5"
#define LOG_FILE_FACTOR 8
#define LOG_FILE_MIN    (8LL << 20)

/* ---- what is refused ------------------------------------------------------------------------ */

static bool list_has(const char *list, const char *word)
{
    const size_t len = strlen(word);
    for (const char *at = list; at && *at;) {
        const size_t n = strcspn(at, ",");
        if (n == len && memcmp(at, word, len) == 0)
            return true;
        at += n + (at[n] == ',');
    }
    return false;
}

static int check_network(const struct executor_container *c, const struct body_site *site,
                         struct err *err)
{
    if (!c->network)
        return 0;
    if (container_network_check(c->network, err) != 0)
        return LEAT_EINPUT;
    if (!list_has(site->networks, c->network))
        return err_set(err, LEAT_EINPUT,
                       "network %s is not allowed on this worker (its docker-networks: %s)",
                       c->network, site->networks);
    return 0;
}

static bool is_inside(const char *path, const char *top)
{
    const size_t len = strlen(top);
    return strncmp(path, top, len) == 0 && path[len] == '/' && !strstr(path, "/../");
}

/* The paths are the worker's own making: this is the belt to those braces. */
static int check_mounts(const struct executor_container *c, const struct body_site *site,
                        struct err *err)
{
    for (size_t i = 0; i < c->mount_count; i++) {
        const struct executor_mount *m = &c->mounts[i];
        const bool inside = is_inside(m->source, site->workspace) ||
                            (site->secrets && is_inside(m->source, site->secrets) && !m->writable);
        if (!inside || !text_starts_with(m->target, "/leat/"))
            return err_set(err, LEAT_EINPUT, "%.200s is outside of the workspace", m->source);
    }
    return 0;
}

static int check_takes(const struct executor_container *c, struct err *err)
{
    for (size_t i = 0; i < c->take_count; i++)
        if (!file_name_ok(c->takes[i].name) ||
            container_output_path_check(c->takes[i].path, err) != 0)
            return err_set(err, LEAT_EINPUT, "output %.100s: %.4200s is no path of one",
                           c->takes[i].name, c->takes[i].path);
    return 0;
}

static int check_sizes(const struct executor_spec *spec, struct err *err)
{
    size_t bytes = 0;
    for (const char *const *p = spec->argv; *p; p++)
        bytes += strlen(*p) + 1;
    for (const char *const *p = spec->env; *p; p++)
        bytes += strlen(*p) + 1;
    if (bytes > ARGV_BYTES)
        return err_set(err, LEAT_ELIMIT, "argv and environment have %zu bytes together, at most %d",
                       bytes, ARGV_BYTES);
    return 0;
}

static int check_limits(const struct executor_container *c, struct err *err)
{
    if (c->memory != 0 && c->memory < CONTAINER_MEMORY_MIN)
        return err_set(err, LEAT_EINPUT, "memory: a container has at least %lld bytes",
                       (long long)CONTAINER_MEMORY_MIN);
    if (c->shm != 0 && c->shm < CONTAINER_SHM_MIN)
        return err_set(err, LEAT_EINPUT, "shm: must be at least %d bytes", CONTAINER_SHM_MIN);
    if (c->pids < 0 || c->gpu < 0 || !(c->cpu >= 0) || !isfinite(c->cpu))
        return err_set(err, LEAT_EINPUT, "resources: must not be negative");
    return 0;
}

int body_check(const struct executor_spec *spec, const struct body_site *site, struct err *err)
{
    const struct executor_container *c = spec->container;
    struct container_image image;
    if (!spec->image || !spec->image[0])
        return err_set(err, LEAT_EINPUT,
                       "the step has no image, and it was given to the docker executor");
    if (container_image_read(spec->image, &image, err) != 0 || check_limits(c, err) != 0 ||
        check_network(c, site, err) != 0 || check_mounts(c, site, err) != 0)
        return LEAT_EINPUT;
    if (spec->workdir[0] && container_workdir_check(spec->workdir, err) != 0)
        return LEAT_EINPUT;
    if (check_takes(c, err) != 0)
        return LEAT_EINPUT;
    if (c->command > 0 && (!spec->argv[0] || !spec->argv[0][0]))
        return err_set(err, LEAT_EINPUT, "command: the program's name is empty");
    return check_sizes(spec, err);
}

/* ---- the body ------------------------------------------------------------------------------- */

/* Bytes as they are: JSON text is UTF-8, and so are orders, from which all of this comes. */
static json_t *texts(const char *const *from, size_t count)
{
    json_t *out = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(out, json_string(from[i]));
    return out;
}

static size_t count_of(const char *const *list)
{
    size_t n = 0;
    while (list[n])
        n++;
    return n;
}

static const char *const OUTPUTS[] = {"mounted", "copied", "metrics"};

enum body_outputs body_outputs_of(const char *label)
{
    for (size_t i = 0; i < ARRAY_LEN(OUTPUTS); i++)
        if (strcmp(label, OUTPUTS[i]) == 0)
            return (enum body_outputs)i;
    return OUTPUTS_COPIED;
}

static json_t *mounts(const struct executor_container *c, bool copies)
{
    json_t *out = json_array();
    if (copies)
        json_array_append_new(out, json_pack("{s:s, s:s, s:{s:b}}", "Type", "volume", "Target",
                                             CONTAINER_OUT, "VolumeOptions", "NoCopy", 1));
    for (size_t i = 0; i < c->mount_count; i++) {
        if (copies && c->mounts[i].writable && !c->mounts[i].bound)
            continue;
        json_array_append_new(
            out, json_pack("{s:s, s:s, s:s, s:b, s:{s:s}}", "Type", "bind", "Source",
                           c->mounts[i].source, "Target", c->mounts[i].target, "ReadOnly",
                           !c->mounts[i].writable, "BindOptions", "Propagation", "rprivate"));
    }
    return out;
}

static json_t *log_config(const struct executor_spec *spec)
{
    const int64_t size = spec->log_limit < INT64_MAX / (2 * LOG_FILE_FACTOR)
                             ? spec->log_limit * LOG_FILE_FACTOR
                             : INT64_MAX / 2;
    cleanup_free char *max =
        mem_printf("%lld", (long long)(size < LOG_FILE_MIN ? LOG_FILE_MIN : size));
    return json_pack("{s:s, s:{s:s, s:s, s:s}}", "Type", "local", "Config", "max-size", max,
                     "max-file", LOG_FILES, "compress", "false");
}

static json_t *host_config(const struct executor_spec *spec, const struct body_site *site)
{
    const struct executor_container *c = spec->container;
    json_t *host = json_pack(
        "{s:s, s:b, s:b, s:b, s:b, s:[s], s:[s], s:s, s:s, s:I, s:I, s:{s:s}}", "NetworkMode",
        c->network ? c->network : site->network, "Init", 1, "Privileged", 0, "AutoRemove", 0,
        "ReadonlyRootfs", (int)c->read_only, "CapDrop", "ALL", "SecurityOpt", "no-new-privileges",
        "IpcMode", "private", "PidMode", "", "PidsLimit",
        (json_int_t)(c->pids ? c->pids : CONTAINER_PIDS_USUAL), "ShmSize",
        (json_int_t)(c->shm ? c->shm : CONTAINER_SHM_USUAL), "RestartPolicy", "Name", "no");
    json_object_set_new(host, "Mounts", mounts(c, site->copies));
    json_object_set_new(host, "LogConfig", log_config(spec));
    if (c->memory > 0) {
        json_object_set_new(host, "Memory", json_integer(c->memory));
        json_object_set_new(host, "MemorySwap", json_integer(c->memory)); /* no swap beside it */
    }
    if (c->cpu > 0)
        json_object_set_new(host, "NanoCpus", json_integer((json_int_t)llround(c->cpu * 1e9)));
    if (c->gpu > 0)
        json_object_set_new(
            host, "DeviceRequests",
            json_pack("[{s:I, s:[[s]]}]", "Count", (json_int_t)c->gpu, "Capabilities", "gpu"));
    if (c->read_only)
        json_object_set_new(host, "Tmpfs", json_pack("{s:s}", "/tmp", "mode=1777"));
    return host;
}

/* NULL = none. */
static char *takes_text(const struct executor_container *c)
{
    cleanup_json json_t *takes = json_object();
    for (size_t i = 0; i < c->take_count; i++)
        json_object_set_new(takes, c->takes[i].name, json_string(c->takes[i].path));
    return c->take_count > 0 ? json_write(takes) : NULL;
}

static json_t *labels(const struct executor_spec *spec, const struct body_site *site,
                      int64_t log_base)
{
    char id[UUID_TEXT];
    uuid_format(&spec->attempt, id);
    cleanup_free char *base = mem_printf("%lld", (long long)log_base);
    cleanup_free char *takes = takes_text(spec->container);
    const enum body_outputs outputs = !site->copies              ? OUTPUTS_MOUNTED
                                      : spec->container->outputs ? OUTPUTS_COPIED
                                                                 : OUTPUTS_METRICS;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s*}", LABEL_CLUSTER, site->cluster,
                     LABEL_WORKER, site->worker, LABEL_RUN,
                     spec->container->run ? spec->container->run : "", LABEL_STEP,
                     spec->container->step ? spec->container->step : "", LABEL_ATTEMPT, id,
                     LABEL_LOG, base, LABEL_IMAGE, spec->image, LABEL_OUTPUTS, OUTPUTS[outputs],
                     LABEL_TAKES, takes);
}

json_t *body_make(const struct executor_spec *spec, const struct body_site *site, int64_t log_base)
{
    const struct executor_container *c = spec->container;
    const size_t argc = count_of(spec->argv), command = c->command < argc ? c->command : argc;
    json_t *body = json_pack("{s:s, s:o, s:b, s:b, s:b, s:b, s:b}", "Image", spec->image, "Env",
                             texts(spec->env, count_of(spec->env)), "Tty", 0, "OpenStdin", 0,
                             "AttachStdin", 0, "AttachStdout", 0, "AttachStderr", 0);
    /* Without an entry point of its own the image's stays; args replace the image's alone. */
    if (command > 0)
        json_object_set_new(body, "Entrypoint", texts(spec->argv, command));
    if (argc > command || command > 0)
        json_object_set_new(body, "Cmd", texts(spec->argv + command, argc - command));
    if (spec->workdir[0])
        json_object_set_new(body, "WorkingDir", json_string(spec->workdir));
    json_object_set_new(body, "Labels", labels(spec, site, log_base));
    json_object_set_new(body, "HostConfig", host_config(spec, site));
    return body;
}

const char *body_label(const json_t *body, const char *name)
{
    return json_get_string(json_get_object(body, "Labels"), name, "");
}

bool body_is_root(const char *user)
{
    const size_t n = user ? strcspn(user, ":") : 0;
    return user &&
           (n == 0 || (n == 1 && user[0] == '0') || (n == 4 && memcmp(user, "root", n) == 0));
}

void body_resolve(json_t *body, const char *image_id, bool root)
{
    json_object_set_new(body, "Image", json_string(image_id));
    json_t *first =
        json_array_get(json_get_array(json_get_object(body, "HostConfig"), "Mounts"), 0);
    if (strcmp(json_get_string(first, "Type", ""), "volume") == 0)
        json_object_set_new(first, "Target", json_string(root ? CONTAINER_OUT : BODY_VOLUME));
}

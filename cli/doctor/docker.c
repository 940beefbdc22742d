/* The Docker engine over its socket, as the worker's user meets it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/client.h"
#include "common/text/json.h"

#define API_MAJOR 1
#define API_MINOR 41 /* Docker 20.10 */

static const char *socket_path(void)
{
    const char *host = getenv("DOCKER_HOST");
    return host && text_starts_with(host, "unix://") ? host + strlen("unix://")
                                                     : "/var/run/docker.sock";
}

/* What is missing is wrong only where containers were asked for. */
static enum doctor_level level_of(const struct doctor *d)
{
    return strcmp(d->settings->executor, "docker") == 0 ? DOCTOR_WRONG : DOCTOR_WARNING;
}

static json_t *ask(const char *path, struct err *err)
{
    cleanup_free char *url = mem_printf("http://localhost%s", path);
    const struct http_outgoing out = {
        .url = url, .unix_socket = socket_path(), .timeout_us = US_PER_S};
    struct http_incoming in = {0};
    if (http_call(&out, NULL, NULL, &in, err) < 0)
        return NULL;
    json_t *answer = in.status == 200 ? json_read(in.body, in.len, NULL, err) : NULL;
    if (in.status != 200)
        err_set(err, LEAT_EUNREACHABLE, "%s answers %d", path, in.status);
    http_incoming_free(&in);
    return answer;
}

static bool is_recent(const char *api)
{
    long long major = 0, minor = 0;
    const char *dot = strchr(api, '.');
    cleanup_free char *first = mem_bytes(api, dot ? (size_t)(dot - api) : 0);
    if (!dot || !text_to_int(first, 0, 1000, &major) || !text_to_int(dot + 1, 0, 100000, &minor))
        return false;
    return major > API_MAJOR || (major == API_MAJOR && minor >= API_MINOR);
}

static void judge(const struct doctor *d, const json_t *version, const json_t *info,
                  struct finding *f)
{
    const char *api = json_get_string(version, "ApiVersion", "");
    const char *name = json_get_string(version, "Version", "?");
    const char *system = json_get_string(info, "OSType", "?");
    if (!is_recent(api))
        found(f, level_of(d), "install Docker 20.10 or newer",
              "API %s of Docker %s is older than %d.%d", api, name, API_MAJOR, API_MINOR);
    else if (strcmp(system, "linux") != 0)
        found(f, level_of(d), "use an engine that runs Linux containers",
              "Docker %s runs containers of %s", name, system);
    else if (!json_get_bool(info, "MemoryLimit", true))
        found(f, DOCTOR_WARNING, "enable the memory controller of cgroups",
              "Docker %s cannot limit memory", name);
    else
        found(f, DOCTOR_OK, NULL, "Docker %s, API %s, %s", name, api,
              json_get_string(info, "Driver", "?"));
}

void doctor_docker(const struct doctor *d, struct finding *f)
{
    struct err err = {0};
    const char *path = socket_path();
    if (access(path, F_OK) != 0) {
        found(f, level_of(d),
              "apt-get install docker.io, and start it; not needed for process steps",
              "%s: %s: steps cannot run in containers", path, strerror(errno));
        return;
    }
    if (access(path, R_OK | W_OK) != 0) {
        cleanup_free char *todo =
            mem_printf("usermod -aG docker %s, then start Leat anew", d->settings->user);
        found(f, level_of(d), todo, "%s: %s", path, strerror(errno));
        return;
    }
    cleanup_json json_t *version = ask("/version", &err);
    cleanup_json json_t *info = version ? ask("/info", &err) : NULL;
    if (info)
        judge(d, version, info, f);
    else
        found(f, level_of(d), "systemctl status docker; read its log", "does not answer: %s",
              err.text);
}

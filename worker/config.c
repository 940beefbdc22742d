#include "worker/config.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/ir/container.h"

#define NAME_MAX_BYTES 64
#define PATH_DEFAULT   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *const executor_words[] = {"auto", "process", "docker", NULL};

static const char *const outputs_words[] = {"auto", "mount", "copy", NULL};

#define KEY(field, name, kind) CONFIG_KEY(struct worker_config, field, name, kind)
static const struct config_key keys[] = {
    DAEMON_KEYS(struct worker_config, false), /* no database on a queue of its own */
    BUS_KEYS(struct worker_config),
    {KEY(name, "name", CONFIG_STRING),
     .help = "id of this worker, kept with its data folder (default: the host's name)"},
    {KEY(data, "data", CONFIG_PATH), .fallback = "/var/lib/leat/worker",
     .help = "folder of its journal, keeper, logs and workspaces"},
    STORE_KEYS(struct worker_config, "artifacts and logs"),
    {KEY(buckets, "buckets", CONFIG_PATH), .help = "folder whose folders are the buckets"},
    {KEY(slots, "slots", CONFIG_INT), .fallback = "0", .least = 0, .most = 10000,
     .help = "steps at once; 0 = one a processor"},
    {KEY(pool, "pool", CONFIG_STRING), .fallback = "default", .help = "pool that it works for"},
    {KEY(executor, "executor", CONFIG_ENUM), .words = executor_words, .fallback = "auto",
     .help = "what steps run in: docker (all in containers), process (none), or auto: those with "
             "an image in containers while a docker engine answers"},
    {KEY(docker_host, "docker-host", CONFIG_STRING),
     .help = "the engine: unix:///PATH or tcp://HOST:PORT (default: DOCKER_HOST, else "
             "unix:///var/run/docker.sock)"},
    {KEY(docker_certs, "docker-certs", CONFIG_PATH),
     .help = "folder of ca.pem, cert.pem and key.pem for an engine over TLS (default: "
             "DOCKER_CERT_PATH where DOCKER_TLS_VERIFY is set)"},
    {KEY(docker_outputs, "docker-outputs", CONFIG_ENUM), .words = outputs_words, .fallback = "auto",
     .help =
         "outputs of containers: mount (a folder of the worker's), copy (a volume, out of which "
         "they are copied), or auto: mount where the worker is root"},
    {KEY(docker_copy_limit, "docker-copy-limit", CONFIG_SIZE), .fallback = "64GiB", .least = 1,
     .most = INT64_MAX,
     .help = "bytes that are copied out of one container: outputs by path, and all of them where "
             "docker-outputs is copy; more fails the step"},
    {KEY(docker_network, "docker-network", CONFIG_STRING), .fallback = "default",
     .help = "network of containers whose step names none: none, default (the engine's), host, or "
             "a network's name"},
    {KEY(docker_networks, "docker-networks", CONFIG_STRING), .fallback = "none,default",
     .help = "networks that a step may name, between commas; host is there only if you write it"},
    {KEY(path, "path", CONFIG_STRING), .fallback = PATH_DEFAULT, .help = "PATH of process steps"},
    {KEY(home, "home", CONFIG_PATH),
     .help = "HOME of process steps (default: the workspace of each)"},
    {KEY(api, "api", CONFIG_STRING), .fallback = "http://127.0.0.1:8080",
     .help = "URL of leat-api: secrets, large events, LEAT_URL of steps"},
    {KEY(token_file, "token-file", CONFIG_PATH),
     .help = "file with the token that this worker shows to the API"},
    {KEY(keeper, "keeper", CONFIG_PATH),
     .help = "the leat-keeper program (default: beside leat-worker)"},
    {KEY(secrets, "secrets", CONFIG_PATH),
     .help = "folder in memory for secrets of running steps (default: XDG_RUNTIME_DIR or "
             "/dev/shm)"},
    {KEY(lost_after_us, "lost-after", CONFIG_DURATION), .fallback = "90s", .least = 10000000,
     .most = 86400000000,
     .help = "fuse of steps whose order names none: ended when the leader is silent this long"},
    {KEY(listen, "listen", CONFIG_ADDRESS), .help = "serves /healthz and /metrics there"},
    {0},
};

const struct config_program WORKER_PROGRAM = {
    .name = "leat-worker",
    .summary = "Runs the steps that the scheduler orders and reports what became of them",
    .keys = keys,
};

/* As part of a topic's name: the host names that exist, and what text_is_name takes. */
static bool name_ok(const char *name)
{
    const size_t len = strlen(name);
    if (len == 0 || len > NAME_MAX_BYTES || !isalnum((unsigned char)name[0]))
        return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
            return false;
    return true;
}

static int default_name(struct worker_config *config, struct err *err)
{
    char host[HOST_NAME_MAX + 1];
    if (config->name)
        return 0;
    if (gethostname(host, sizeof host) != 0)
        return err_errno(err, errno, "gethostname");
    host[HOST_NAME_MAX] = '\0';
    config->name = mem_string(host);
    return 0;
}

/* The folder is made when it is not there; steps get paths below it, so it has to be absolute. */
static int make_absolute(char **path, mode_t mode, struct err *err)
{
    if (!*path)
        return 0;
    if (mkdir(*path, mode) != 0 && errno != EEXIST)
        return err_errno(err, errno, "%s", *path);
    char *full = realpath(*path, NULL);
    if (!full)
        return err_errno(err, errno, "%s", *path);
    free(*path);
    *path = full;
    return 0;
}

static int beside(const char *program, char **out, struct err *err)
{
    char self[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return err_errno(err, errno, "/proc/self/exe");
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    *out = mem_printf("%.*s/%s", (int)(slash - self), self, program);
    return 0;
}

static void default_secrets(struct worker_config *config)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (!config->secrets)
        config->secrets = mem_string(runtime && runtime[0] == '/' ? runtime : "/dev/shm");
}

/* As the docker command takes them. */
static void default_docker(struct worker_config *config)
{
    const char *host = getenv("DOCKER_HOST"), *certs = getenv("DOCKER_CERT_PATH");
    const char *verify = getenv("DOCKER_TLS_VERIFY");
    const bool given = config->docker_host != NULL;
    if (!given)
        config->docker_host = mem_string(host && *host ? host : "unix:///var/run/docker.sock");
    if (!given && !config->docker_certs && certs && *certs && verify && *verify)
        config->docker_certs = mem_string(certs);
}

int worker_config_complete(struct worker_config *config, struct err *err)
{
    if (default_name(config, err) != 0)
        return LEAT_EIO;
    if (!name_ok(config->name))
        return err_set(err, LEAT_EINPUT,
                       "name: '%s' is not 1 to %d letters, digits, '-', '_' or '.'", config->name,
                       NAME_MAX_BYTES);
    if (make_absolute(&config->data, 0700, err) != 0 ||
        make_absolute(&config->buckets, 0755, err) != 0)
        return LEAT_EIO;
    if (!config->keeper && beside("leat-keeper", &config->keeper, err) != 0)
        return LEAT_EIO;
    if (config->slots == 0)
        config->slots = sysconf(_SC_NPROCESSORS_ONLN);
    default_secrets(config);
    default_docker(config);
    return container_network_check(config->docker_network, err);
}

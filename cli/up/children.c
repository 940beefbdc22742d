#include "cli/up/children.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/up/postgres.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/bus/open.h"

#define ARGS_MAX 64

struct args {
    char *list[ARGS_MAX];
    size_t count;
};

static void add(struct args *a, const char *key, const char *value)
{
    if (!value || a->count + 3 > ARGS_MAX)
        return;
    a->list[a->count++] = mem_printf("--%s", key);
    a->list[a->count++] = mem_string(value);
}

/* As one word: right for a key that is a flag too, whose value is not the next word. */
static void add_joined(struct args *a, const char *key, const char *value)
{
    if (value && a->count + 2 <= ARGS_MAX)
        a->list[a->count++] = mem_printf("--%s=%s", key, value);
}

static void add_in(struct args *a, const char *key, const char *folder, const char *name)
{
    cleanup_free char *path = mem_printf("%s/%s", folder, name);
    add(a, key, path);
}

static const char *store_of(const struct up_settings *s)
{
    return s->store_at ? s->store_at : s->store;
}

static void add_common(struct args *a, const struct up_settings *s)
{
    add(a, "bus", s->bus);
    add(a, "doorbells", s->doorbells);
}

static void add_kafka(struct args *a, const struct up_settings *s, bool scheduler)
{
    add(a, "bus", s->bus);
    for (size_t i = 0; i < (scheduler ? UP_BUS_COUNT : UP_BUS_REPLICAS); i++)
        add_joined(a, UP_BUS_KEYS[i], s->bus_more[i]);
}

static void add_store(struct args *a, const struct up_settings *s)
{
    add(a, "store", store_of(s));
    add(a, "store-endpoint", s->store_endpoint);
    add(a, "store-region", s->store_region);
    add(a, "store-style", s->store_style);
    add(a, "store-credentials", s->store_credentials);
}

static void scheduler_args(struct args *a, const struct up_settings *s)
{
    add(a, "node", "local");
    add(a, "listen", s->scheduler_listen);
    add(a, "most-runs", s->most_runs);
    add(a, "most-pipelines", s->most_pipelines);
    add(a, "most-workers", s->most_workers);
}

static void triggers_args(struct args *a, const struct up_settings *s)
{
    add(a, "hooks", s->hooks);
    add(a, "buckets", s->buckets);
    add_store(a, s);
    add_in(a, "key-file", s->data, "secret.key");
    add_in(a, "token-file", s->data, "token");
}

static void api_args(struct args *a, const struct up_settings *s)
{
    add(a, "listen", s->listen);
    add_store(a, s);
    add_in(a, "key-file", s->data, "secret.key");
    add_in(a, "token-file", s->data, "token");
}

static void worker_args(struct args *a, const struct up_settings *s)
{
    cleanup_free char *api = mem_printf("http://%s", s->listen);
    add(a, "name", "local");
    add(a, "data", s->worker);
    add_store(a, s);
    add(a, "buckets", s->buckets);
    add(a, "api", api);
    add_in(a, "token-file", s->data, "token");
    add(a, "executor", s->executor);
    add(a, "listen", s->worker_listen);
    add(a, "docker-network", s->docker_network);
    add(a, "docker-networks", s->docker_networks);
    add(a, "slots", s->slots);
    add(a, "path", s->path);
}

static const struct {
    const char *name;
    void (*args)(struct args *a, const struct up_settings *s);
    bool may_listen; /* takes --insecure */
    int stop_signal;
} daemons[] = {
    {"scheduler", scheduler_args, false, SIGTERM},
    {"triggers", triggers_args, true, SIGTERM},
    {"api", api_args, true, SIGTERM},
    {"worker", worker_args, false, SIGQUIT},
};

static struct up_child make_daemon(const struct up_settings *s, size_t which)
{
    struct args a = {.count = 1};
    a.list[0] = mem_printf("%s/leat-%s", s->bin, daemons[which].name);
    const bool kafka = bus_is_kafka(s->bus);
    if (kafka)
        add_kafka(&a, s, daemons[which].args == scheduler_args);
    else
        add_common(&a, s);
    daemons[which].args(&a, s);
    cleanup_free char *log = mem_printf("%s.log", daemons[which].name);
    add_in(&a, "log-file", s->log, log);
    if (s->insecure && daemons[which].may_listen)
        add_joined(&a, "insecure", "true");
    /* With `down` the worker ends what it runs. When leat up has died by accident its steps go on,
     * and the next one follows them. */
    struct up_child c = {.name = daemons[which].name,
                         .stop_signal = daemons[which].stop_signal,
                         .orphan_signal = SIGTERM};
    c.argv = mem_array(a.count + 1, sizeof *c.argv);
    memcpy(c.argv, a.list, a.count * sizeof *c.argv);
    c.log = mem_printf("%s/%s.log", s->log, c.name);
    /* On Kafka a worker holds no login of Postgres. */
    c.database = kafka && daemons[which].args == worker_args ? NULL : s->conninfo;
    return c;
}

int up_children_make(const struct up_settings *settings, struct up_child **out, size_t *count,
                     struct err *err)
{
    struct up_child *children = mem_array(ARRAY_LEN(daemons) + 1, sizeof *children);
    size_t n = 0;
    if (!settings->database) {
        cleanup_free char *programs = up_postgres_programs(err);
        if (!programs || up_postgres_init(settings, programs, err) < 0) {
            free(children);
            return err ? err->code : LEAT_EIO;
        }
        children[n++] = (struct up_child){
            .name = "postgres",
            .argv = up_postgres_argv(settings, programs),
            .log = mem_printf("%s/postgres.log", settings->log),
            .stop_signal = SIGINT, /* fast shutdown */
            .orphan_signal = SIGINT,
        };
    }
    for (size_t i = 0; i < ARRAY_LEN(daemons); i++)
        children[n++] = make_daemon(settings, i);
    *out = children;
    *count = n;
    return 0;
}

void up_children_free(struct up_child *children, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        up_argv_free(children[i].argv);
        free(children[i].log);
    }
    free(children);
}

static pid_t written_pid(const struct up_settings *s)
{
    cleanup_free char *path = mem_printf("%s/keeper.pid", s->worker);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[32] = "";
    long long pid = 0;
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        return 0;
    text[strcspn(text, "\n ")] = '\0';
    return text_to_int(text, 2, 1 << 30, &pid) ? (pid_t)pid : 0;
}

/* The pid may be old: only a process that is a keeper is ended. */
static bool is_keeper(pid_t pid)
{
    cleanup_free char *path = mem_printf("/proc/%d/comm", pid);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    char name[32] = "";
    return fd >= 0 && read(fd, name, sizeof name - 1) > 0 && text_starts_with(name, "leat-keeper");
}

pid_t up_keeper_pid(const struct up_settings *settings)
{
    const pid_t pid = written_pid(settings);
    return pid && is_keeper(pid) ? pid : 0;
}

void up_keeper_stop(const struct up_settings *settings)
{
    const pid_t pid = up_keeper_pid(settings);
    if (pid == 0)
        return;
    kill(pid, SIGTERM);
    const int64_t until = clock_monotonic_us() + 5 * US_PER_S;
    while (is_keeper(pid) && clock_monotonic_us() < until)
        usleep(10000);
    if (is_keeper(pid))
        kill(pid, SIGKILL);
}

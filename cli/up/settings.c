#include "cli/up/settings.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/up/database.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/bus/open.h"
#include "common/ir/container.h"

/* A socket's path must stay below 108 bytes: DATA/run/doorbells/<32 hex digits>.sock. */
#define DATA_MAX 50

static char *default_data(void)
{
    if (geteuid() == 0)
        return mem_string("/var/lib/leat");
    const char *share = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    return share && *share ? mem_printf("%s/leat", share)
                           : mem_printf("%s/.local/share/leat", home ? home : "");
}

char *up_data_folder(const struct given *given, struct err *err)
{
    const char *text = given_value(given, "data", NULL);
    char cwd[PATH_MAX];
    cleanup_free char *data = NULL;
    if (!text)
        data = default_data();
    else if (text[0] == '/')
        data = mem_string(text);
    else if (getcwd(cwd, sizeof cwd))
        data = mem_printf("%s/%s", cwd, text);
    if (!data || strlen(data) > DATA_MAX) {
        err_set(err, LEAT_EINPUT,
                "--data: the folder's absolute path may have %d characters (sockets lie in it)",
                DATA_MAX);
        return NULL;
    }
    return TAKE(data);
}

const char *const UP_BUS_KEYS[UP_BUS_COUNT] = {
#define B(id, name, value, help) name,
    UP_BUS(B)
#undef B
};

struct bus_keys { /* the daemons' own table says what is a value */
    BUS_FIELDS;
};
static const struct config_key bus_keys[] = {
    BUS_KEYS(struct bus_keys),
    {CONFIG_KEY(struct bus_keys, kafka.replicas, "bus-replicas", CONFIG_INT), .most = 7},
    {CONFIG_KEY(struct bus_keys, kafka.min_insync, "bus-min-insync", CONFIG_INT), .most = 7},
    {0},
};

static int read_key(struct bus_keys *out, const char *name, const char *text, struct err *err)
{
    for (const struct config_key *key = bus_keys; text && key->name; key++) {
        if (strcmp(key->name, name) != 0)
            continue;
        if (key->type == CONFIG_PATH && *text != '/')
            return err_set(err, LEAT_EUSAGE, "--%s %s: give an absolute path", name, text);
        if (config_set(key, text, out, err) < 0)
            return err_wrap(err, "--%s", name);
    }
    return 0;
}

static const struct config_program bus_program = {"leat up", "", bus_keys};

static int read_keys(const struct up_settings *s, struct bus_keys *keys, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < UP_BUS_COUNT; i++)
        rc = read_key(keys, UP_BUS_KEYS[i], s->bus_more[i], err);
    return rc;
}

static struct bus_wanted wanted(const struct up_settings *s, const struct bus_keys *keys)
{
    return (struct bus_wanted){
        .bus = s->bus, .kafka = &keys->kafka, .database = s->conninfo, .name = "leat"};
}

/* As the daemons will, so that what is wrong is said here and not in a log. */
static int check_bus(const struct up_settings *s, struct err *err)
{
    struct bus_keys keys = {0};
    const struct bus_wanted w = wanted(s, &keys);
    int rc = read_keys(s, &keys, err);
    if (rc == 0)
        rc = bus_check(&w, err);
    config_free(&bus_program, &keys);
    return rc;
}

int up_bus_probe(const struct up_settings *s, int limit_ms, struct kafka_probe *out,
                 struct err *err)
{
    struct bus_keys keys = {0};
    const struct bus_wanted w = wanted(s, &keys);
    int rc = read_keys(s, &keys, err);
    if (rc == 0)
        rc = bus_probe(&w, limit_ms, out, err);
    config_free(&bus_program, &keys);
    return rc;
}

static int check_choices(const struct up_settings *s, struct err *err)
{
    if (check_bus(s, err) < 0)
        return err ? err->code : LEAT_EUSAGE;
    if (strcmp(s->executor, "auto") != 0 && strcmp(s->executor, "process") != 0 &&
        strcmp(s->executor, "docker") != 0)
        return err_set(err, LEAT_EUSAGE, "--executor %s: it is auto, process or docker",
                       s->executor);
    if (s->docker_network && container_network_check(s->docker_network, err) < 0)
        return err_wrap(err, "--docker-network %s", s->docker_network);
    if (s->store_at && s->store_at[0] != '/' && !text_starts_with(s->store_at, "s3://"))
        return err_set(err, LEAT_EUSAGE,
                       "--store %s: it is an absolute folder or s3://BUCKET[/PREFIX]", s->store_at);
    const char *credentials = s->store_credentials;
    if (credentials && credentials[0] != '/')
        return err_set(err, LEAT_EUSAGE, "--store-credentials %s: give an absolute path",
                       credentials);
    return 0;
}

static const char *value(const struct given *first, const struct given *then, const char *name,
                         const char *fallback)
{
    const char *later = then ? given_value(then, name, fallback) : fallback;
    return given_value(first, name, later);
}

int up_settings_fill(const struct given *given, const struct given *then, const char *then_database,
                     struct up_settings *out, struct err *err)
{
    *out = (struct up_settings){
        .user = value(given, then, "user", "leat"),
        .listen = value(given, then, "listen", "127.0.0.1:8080"),
        .hooks = value(given, then, "hooks", "127.0.0.1:8081"),
        .store_at = value(given, then, "store", NULL),
        .store_endpoint = value(given, then, "store-endpoint", NULL),
        .store_region = value(given, then, "store-region", NULL),
        .store_style = value(given, then, "store-style", NULL),
        .store_credentials = value(given, then, "store-credentials", NULL),
        .bus = value(given, then, "bus", "embedded"),
        .executor = value(given, then, "executor", "auto"),
        .scheduler_listen = value(given, then, "scheduler-listen", NULL),
        .most_runs = value(given, then, "most-runs", NULL),
        .most_pipelines = value(given, then, "most-pipelines", NULL),
        .most_workers = value(given, then, "most-workers", NULL),
        .worker_listen = value(given, then, "worker-listen", NULL),
        .docker_network = value(given, then, "docker-network", NULL),
        .docker_networks = value(given, then, "docker-networks", NULL),
        .slots = value(given, then, "slots", NULL),
        .path = value(given, then, "path", NULL),
        .detach = given_flag(given, "detach"),
        .insecure = given_flag(given, "insecure"),
    };
    for (size_t i = 0; i < UP_BUS_COUNT; i++) {
        const char *text = value(given, then, UP_BUS_KEYS[i], NULL);
        out->bus_more[i] = text && !*text ? "true" : text; /* a flag */
    }
    int rc = up_database_find(given, then, then_database, &out->database, err);
    if (rc < 0)
        return rc;
    out->data = up_data_folder(given, err);
    if (!out->data) {
        free(TAKE(out->database));
        return err ? err->code : LEAT_EINPUT;
    }
#define F(field, name) out->field = mem_printf("%s/%s", out->data, name);
    UP_FOLDERS(F)
#undef F
    out->conninfo = out->database ? mem_string(out->database)
                                  : mem_printf("host=%s port=5432 user=leat dbname=leat", out->run);
    return 0;
}

int up_settings_read(const struct given *given, struct up_settings *out, struct err *err)
{
    int rc = up_settings_fill(given, NULL, NULL, out, err);
    if (rc == 0)
        rc = check_choices(out, err);
    if (rc < 0)
        up_settings_free(out);
    return rc;
}

void up_settings_free(struct up_settings *settings)
{
    free(settings->data);
    free(settings->database);
    free(settings->conninfo);
#define F(field, name) free(settings->field);
    UP_FOLDERS(F)
#undef F
    *settings = (struct up_settings){0};
}

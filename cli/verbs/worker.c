/* worker join, worker drain, worker resume, worker remove. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/context.h"
#include "cli/files.h"
#include "cli/output.h"
#include "common/base/address.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

/* ---- drain, resume, remove ------------------------------------------------------------------ */

static const struct option plain_options[] = {OPTION_OUTPUT, OPTION_END};
static const struct column brief_columns[] = {
    {"id", "/id", ALWAYS}, {"state", "/state", ALWAYS}, {"used", "/used", ALWAYS}, COLUMN_END};

static int say(const struct given *given, const char *method, const char *format, struct err *err)
{
    cleanup_json json_t *answer = NULL;
    cleanup_free char *path = client_path(format, given_argument(given, 0));
    int rc = output_check(given, err);
    if (rc == 0)
        rc = client_call(method, path, NULL, &answer, err);
    if (rc < 0)
        return rc;
    output_object(given, answer, brief_columns);
    return 0;
}

#define WORKER_VERB(NAME, word, what, method, format)                                              \
    static int run_##NAME(const struct given *given, struct err *err)                              \
    {                                                                                              \
        return say(given, method, format, err);                                                    \
    }                                                                                              \
    const struct verb VERB_WORKER_##NAME = {.name = "worker " word,                                \
                                            .arguments = "WORKER",                                 \
                                            .summary = what,                                       \
                                            .least = 1,                                            \
                                            .most = 1,                                             \
                                            .options = plain_options,                              \
                                            .run = run_##NAME};

WORKER_VERB(DRAIN, "drain", "Gives a worker nothing new; what it has goes on", "POST",
            "/api/v1/workers/%s/drain")
WORKER_VERB(RESUME, "resume", "Gives a drained worker work again", "POST",
            "/api/v1/workers/%s/resume")
WORKER_VERB(REMOVE, "remove", "Forgets a worker that is drained or lost and holds nothing",
            "DELETE", "/api/v1/workers/%s")

/* ---- join ----------------------------------------------------------------------------------- */

static const struct option join_options[] = {
    {"api", 0, "URL", false, "leat-api of the Leat to join; needed"},
    {"name", 0, "NAME", false, "of this worker; default the host's name"},
    {"config", 0, "FILE", false,
     "where its configuration goes; default /etc/leat/worker.conf, of a user "
     "~/.config/leat/worker.conf"},
    {"data", 0, "DIR", false, "its data folder; default leat-worker's own"},
    {"bus-ca-file", 0, "FILE", false, "of this machine: certificates that vouch for the brokers"},
    {"bus-cert-file", 0, "FILE", false, "likewise: certificate that it shows to the brokers"},
    {"bus-key-file", 0, "FILE", false, "likewise: its key"},
    {"bus-password-file", 0, "FILE", false, "likewise: its first line is the brokers' password"},
    {"store-credentials", 0, "FILE", false, "likewise: KEY:SECRET of the store"},
    OPTION_END,
};
/* What is in them is sent by nobody: they are put on this machine by hand. */
static const char *const files[] = {"bus-ca-file", "bus-cert-file", "bus-key-file",
                                    "bus-password-file", "store-credentials"};
/* What the API tells; it must be on one line each. */
static const char *const told[] = {"bus",         "bus-tls", "bus-insecure",   "bus-sasl",
                                   "bus-user",    "store",   "store-endpoint", "store-region",
                                   "store-style", "pool"};

static char *config_path(const struct given *given)
{
    const char *home = getenv("HOME"), *path = given_value(given, "config", NULL);
    if (path)
        return mem_string(path);
    return geteuid() == 0 || !home ? mem_string("/etc/leat/worker.conf")
                                   : mem_printf("%s/.config/leat/worker.conf", home);
}

/* Both files are made before the token is spent, so that it is not spent in vain. */
static int make_file(const char *path, struct err *err)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST)
        return err_set(err, LEAT_EREFUSED,
                       "%s is there already: this machine has joined, or give another --config",
                       path);
    return fd < 0 ? err_errno(err, errno, "%s", path) : fd;
}

static int fill_file(int fd, const char *path, const char *text, struct err *err)
{
    const size_t len = strlen(text);
    if (write(fd, text, len) != (ssize_t)len || fsync(fd) != 0)
        return err_errno(err, errno, "%s", path);
    return 0;
}

/* `key = "value"`; a value with a line break never gets this far. */
static void put_key(struct text *out, const char *key, const char *value)
{
    if (!value || !*value)
        return;
    text_printf(out, "%s = \"", key);
    for (const char *p = value; *p; p++) {
        if (*p == '"' || *p == '\\')
            text_append(out, "\\", 1);
        text_append(out, p, 1);
    }
    text_puts(out, "\"\n");
}

static bool one_line(const json_t *config)
{
    for (size_t i = 0; i < ARRAY_LEN(told); i++)
        if (strpbrk(json_get_string(config, told[i], ""), "\r\n"))
            return false;
    return true;
}

/* The file of such an option by a path that is good from everywhere; NULL when not given. */
static char *absolute(const struct given *given, const char *option)
{
    const char *path = given_value(given, option, NULL);
    return path ? realpath(path, NULL) : NULL;
}

/* Before the token is spent. */
static int check_files(const struct given *given, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        const char *path = given_value(given, files[i], NULL);
        if (path && access(path, R_OK) != 0)
            return err_errno(err, errno, "--%s %s", files[i], path);
    }
    return 0;
}

static char *config_text(const struct given *given, const json_t *answer, const char *token_path)
{
    struct text out = {0};
    const json_t *config = json_get_object(answer, "config");
    text_puts(&out, "# Made by leat worker join: leat-worker --config THIS-FILE\n");
    put_key(&out, "name", json_get_string(answer, "worker", NULL));
    for (size_t i = 0; i < ARRAY_LEN(told); i++)
        put_key(&out, told[i], json_get_string(config, told[i], NULL));
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        cleanup_free char *path = absolute(given, files[i]);
        put_key(&out, files[i], path);
    }
    put_key(&out, "api", given_value(given, "api", NULL));
    put_key(&out, "token-file", token_path);
    put_key(&out, "data", given_value(given, "data", NULL));
    return text_take(&out);
}

static int exchange(const struct given *given, json_t **answer, struct err *err)
{
    char host[HOST_NAME_MAX + 1] = "";
    gethostname(host, sizeof host - 1);
    setenv("LEAT_TOKEN", given_argument(given, 0), 1);
    setenv("LEAT_URL", given_value(given, "api", ""), 1);
    cleanup_json json_t *body = json_pack("{s:s}", "name", given_value(given, "name", host));
    const int rc = client_call("POST", "/api/v1/workers/join", body, answer, err);
    if (rc >= 0 && !one_line(json_get_object(*answer, "config")))
        return err_set(err, LEAT_EINTERNAL, "the API answers what cannot be written to a file");
    return rc;
}

static bool has_loopback(const char *bus)
{
    cleanup_free char *list =
        mem_string(text_starts_with(bus, "kafka://") ? strstr(bus, "//") + 2 : "");
    char *rest = list, *broker;
    while ((broker = strsep(&rest, ",")))
        if (*broker && address_is_loopback(broker))
            return true;
    return false;
}

static bool is_text(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static void say_what_is_left(const struct given *given, const json_t *answer, const char *path)
{
    const json_t *config = json_get_object(answer, "config"),
                 *needs = json_object_get(answer, "needs");
    const char *store = json_get_string(config, "store", ""),
               *bus = json_get_string(config, "bus", "");
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        for (size_t n = 0; n < json_array_size(needs); n++)
            if (!given_value(given, files[i], NULL) && is_text(json_array_get(needs, n), files[i]))
                printf("it still needs a file that is not sent: put it on this machine and write "
                       "%s = FILE into %s\n",
                       files[i], path);
    if (store[0] == '/')
        printf("the store is a folder: %s must be the same one on this machine\n", store);
    if (has_loopback(bus))
        printf("the brokers are told as %s, which is the machine that asks: from another one start "
               "Leat with an address of theirs that both reach\n",
               bus);
}

static int join_into(const struct given *given, const char *path, const char *token_path, int fd,
                     int token_fd, struct err *err)
{
    cleanup_json json_t *answer = NULL;
    int rc = exchange(given, &answer, err);
    if (rc < 0)
        return rc;
    cleanup_free char *text = config_text(given, answer, token_path);
    cleanup_free char *token = mem_printf("%s\n", json_get_string(answer, "token", ""));
    rc = fill_file(token_fd, token_path, token, err);
    mem_wipe(token, strlen(token));
    if (rc == 0)
        rc = fill_file(fd, path, text, err);
    if (rc < 0)
        return rc;
    printf("joined as worker %s; its configuration is in %s\n",
           json_get_string(answer, "worker", ""), path);
    say_what_is_left(given, answer, path);
    printf("start it: leat-worker --config %s\n", path);
    return 0;
}

static int run_join(const struct given *given, struct err *err)
{
    const char *api = given_value(given, "api", NULL);
    if (!api)
        return err_set(err, LEAT_EUSAGE, "leat worker join: --api URL says which Leat to join");
    int rc = context_check_url(api, err);
    if (rc == 0)
        rc = check_files(given, err);
    cleanup_free char *path = config_path(given);
    cleanup_free char *token_path = mem_printf("%s.token", path);
    if (rc == 0)
        rc = file_make_parents(path, 0755, err);
    const int fd = rc == 0 ? make_file(path, err) : rc;
    if (fd < 0)
        return fd;
    const int token_fd = make_file(token_path, err);
    rc = token_fd < 0 ? token_fd : join_into(given, path, token_path, fd, token_fd, err);
    close(fd);
    if (token_fd >= 0)
        close(token_fd);
    if (rc < 0)
        unlink(path);
    if (rc < 0 && token_fd >= 0)
        unlink(token_path);
    return rc;
}
const struct verb VERB_WORKER_JOIN = {
    .name = "worker join",
    .arguments = "TOKEN",
    .summary = "Makes this machine a worker: exchanges a join token for its configuration",
    .details =
        "TOKEN is from `leat token create --worker` and good once. Writes the configuration "
        "and, beside it as FILE.token, the worker's credential, both readable by their owner "
        "alone.",
    .least = 1,
    .most = 1,
    .options = join_options,
    .offline = true, /* --api says whom it calls */
    .run = run_join};

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
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

/* ---- drain, resume, remove ------------------------------------------------------------------ */

static const struct option plain_options[] = {OPTION_OUTPUT, OPTION_END};
static const struct column brief_columns[] = {
    {"id", "/id", false}, {"state", "/state", false}, {"used", "/used", false}, COLUMN_END};

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
    OPTION_END,
};

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
    const char *const keys[] = {"bus", "store", "pool"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (strpbrk(json_get_string(config, keys[i], ""), "\r\n"))
            return false;
    return true;
}

static char *config_text(const struct given *given, const json_t *answer, const char *token_path)
{
    struct text out = {0};
    const json_t *config = json_get_object(answer, "config");
    text_puts(&out, "# Made by leat worker join: leat-worker --config THIS-FILE\n");
    put_key(&out, "name", json_get_string(answer, "worker", NULL));
    put_key(&out, "bus", json_get_string(config, "bus", NULL));
    put_key(&out, "store", json_get_string(config, "store", NULL));
    put_key(&out, "pool", json_get_string(config, "pool", NULL));
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
    const char *store = json_get_string(json_get_object(answer, "config"), "store", "");
    printf("joined as worker %s; its configuration is in %s\n",
           json_get_string(answer, "worker", ""), path);
    if (store[0] == '/')
        printf("the store is a folder: %s must be the same one on this machine\n", store);
    printf("start it: leat-worker --config %s\n", path);
    return 0;
}

static int run_join(const struct given *given, struct err *err)
{
    const char *api = given_value(given, "api", NULL);
    if (!api)
        return err_set(err, LEAT_EUSAGE, "leat worker join: --api URL says which Leat to join");
    int rc = context_check_url(api, err);
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

/* leat up, leat down: everything on one machine. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/up/prepare.h"
#include "cli/up/settings.h"
#include "cli/up/supervise.h"
#include "common/base/address.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/log_file.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/s3/s3.h"
#include "common/store/store.h"

#define PORT_WAIT_US (2 * US_PER_S)

static const struct option up_options[] = {
    {"data", 'd', "DIR", false,
     "where everything lies; default /var/lib/leat or ~/.local/share/leat"},
    {"detach", 0, NULL, false, "return once everything is up"},
    {"bus", 0, "embedded|kafka://HOST:PORT,…", false, "the queue; default: in Postgres"},
    {"database", 0, "URL", false,
     "a Postgres of yours instead of a private one; without a password, see --database-file"},
    {"database-file", 0, "FILE", false,
     "its first line is that URL, for you alone to read; or LEAT_DATABASE"},
    {"executor", 0, "auto|process|docker", false,
     "what runs the steps; auto: those with an image in containers while a Docker engine answers"},
    {"most-runs", 0, "N", false, "runs that may be live or queued (100,000)"},
    {"most-pipelines", 0, "N", false, "pipelines; limits, pools and sources the same (10,000)"},
    {"most-workers", 0, "N", false, "ids of workers (10,000)"},
    {"scheduler-listen", 0, "ADDR:PORT", false, "where the scheduler serves /metrics (nowhere)"},
    {"worker-listen", 0, "ADDR:PORT", false, "where the worker serves /metrics (nowhere)"},
    {"docker-network", 0, "NAME", false,
     "of containers whose step names none: none, default, host or a network's name"},
    {"docker-networks", 0, "NAME,…", false,
     "networks that a step may name; default none,default; host only when it stands here"},
    {"store", 0, "DIR|s3://BUCKET[/PREFIX]", false,
     "where artifacts and logs lie; default DATA/store"},
    {"store-endpoint", 0, "URL", false, "of the S3 service; default: AWS's"},
    {"store-region", 0, "REGION", false, "of the bucket; default us-east-1"},
    {"store-style", 0, "auto|path|host", false, "where the bucket's name goes in a request"},
    {"store-credentials", 0, "FILE", false,
     "KEY:SECRET or the form of ~/.aws/credentials; default: AWS_… variables, then that file"},
    {"listen", 0, "ADDR:PORT", false, "of the API; default 127.0.0.1:8080"},
    {"hooks", 0, "ADDR:PORT", false, "of hooks and buckets; default 127.0.0.1:8081"},
    {"slots", 0, "N", false, "how many steps run at once; default: one a core"},
    {"path", 0, "PATH", false,
     "where steps find their programs; default /usr/local/bin:/usr/bin:/bin"},
    {"user", 0, "NAME", false, "as root: who runs everything; default leat, made when absent"},
    {"insecure", 0, NULL, false, "listen beyond loopback without TLS"},
#define B(id, name, value, help) {name, 0, value, false, help},
    UP_BUS(B)
#undef B
        OPTION_END,
};

static int check_addresses(const struct up_settings *s, struct err *err)
{
    const char *const all[] = {s->listen, s->hooks};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (!address_is_loopback(all[i]) && !s->insecure)
            return err_set(
                err, LEAT_EREFUSED,
                "%s can be reached from other machines: put a proxy with TLS before a "
                "loopback address, or say --insecure (calls then need the token in %s/token)",
                all[i], s->data);
    return 0;
}

/* Daemons whose `leat up` was killed are given the time that they take to end. */
static int wait_free(const char *address, struct err *err)
{
    const int64_t until = clock_monotonic_us() + PORT_WAIT_US;
    uint16_t port;
    for (;;) {
        cleanup_close int fd = -1;
        const int rc = address_listen(address, 1, &fd, &port, err);
        if (rc != LEAT_EIO || clock_monotonic_us() > until)
            return rc;
        usleep(50000);
    }
}

/* Who listens there would be taken for ours: the API of another Leat answers too. */
static int check_ports(const struct up_settings *s, struct err *err)
{
    const struct {
        const char *option, *address;
    } all[] = {{"--listen", s->listen},
               {"--hooks", s->hooks},
               {"--scheduler-listen", s->scheduler_listen},
               {"--worker-listen", s->worker_listen}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct err own = {0};
        const int rc = all[i].address ? wait_free(all[i].address, &own) : 0;
        if (rc == LEAT_EIO)
            return err_set(err, LEAT_EREFUSED,
                           "%s: give %s another address, or end who listens there (ss -ltnp)",
                           own.text, all[i].option);
        if (rc < 0) /* it is none */
            return err_set(err, LEAT_EUSAGE, "%s: %s", all[i].option, own.text);
    }
    return 0;
}

/* The cluster's key and its token are made once; both 0600. */
static int make_keys(const struct up_settings *s, struct err *err)
{
    uint8_t key[32];
    cleanup_free char *key_path = mem_printf("%s/secret.key", s->data);
    cleanup_free char *token_path = mem_printf("%s/token", s->data);
    int rc = secret_key_load(key_path, true, key, err);
    mem_wipe(key, sizeof key);
    if (rc < 0 || access(token_path, F_OK) == 0)
        return rc;
    uint8_t random[24];
    char token[2 * sizeof random + 1];
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, token);
    cleanup_close int fd = open(token_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || dprintf(fd, "%s\n", token) < 0)
        rc = err_errno(err, errno, "%s", token_path);
    mem_wipe(token, sizeof token);
    return rc;
}

/* A setting of the caller's environment (LEAT_LISTEN, …) would reach every daemon that has a key of
 * that name: what they are told stands in their arguments alone. */
static void drop_settings(void)
{
    for (char **e = environ; e && *e;) {
        cleanup_free char *name = mem_bytes(*e, strcspn(*e, "="));
        if (text_starts_with(name, "LEAT_") && !text_starts_with(name, "LEAT_FAILPOINT")) {
            unsetenv(name);
            e = environ;
        } else {
            e++;
        }
    }
}

/* What cannot be mended by waiting (no such bucket, wrong keys) is said here and not by three
 * daemons that start again and again. */
static int check_store(const struct up_settings *s, struct err *err)
{
    struct store *store = NULL;
    int style = S3_AUTO;
    if (!s->store_at || s->store_at[0] == '/')
        return 0;
    for (int i = 0; s->store_style && S3_STYLES[i]; i++)
        if (strcmp(S3_STYLES[i], s->store_style) == 0)
            style = i;
    const struct store_options options = {.endpoint = s->store_endpoint,
                                          .region = s->store_region,
                                          .credentials = s->store_credentials,
                                          .style = style};
    struct loop *loop = loop_new();
    const int rc = store_open(loop, s->store_at, &options, &store, err);
    store_close(store);
    loop_free(loop);
    return rc;
}

static int run_here(const struct up_settings *s, int ready_fd, struct err *err)
{
    umask(0077);
    drop_settings();
    int rc = up_become_user(s, err);
    if (rc == 0)
        rc = up_lock(s, err);
    if (rc == 0)
        rc = make_keys(s, err);
    if (rc == 0)
        rc = check_store(s, err);
    if (rc == 0)
        rc = up_supervise(s, ready_fd, err);
    return rc;
}

/* In the child of --detach: a session of its own, output to DATA/log/up.log. */
static void run_detached(const struct up_settings *s, int ready_fd)
{
    struct err err = {0};
    setsid();
    const int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    const int rc = run_here(s, ready_fd, &err);
    if (rc < 0)
        dprintf(ready_fd, "%s", err.text);
    _exit(err_exit_status(rc));
}

static int redirect_output(const struct up_settings *s, struct err *err)
{
    cleanup_free char *path = mem_printf("%s/up.log", s->log);
    return log_to_file(path, LOG_FILE_SIZE, LOG_FILE_KEEP, err);
}

/* What the supervisor says through the pipe: "+" once all is up, else why it is not. */
static int wait_for(int fd, const struct up_settings *s, struct err *err)
{
    char text[512];
    size_t len = 0;
    ssize_t n;
    while (len < sizeof text - 1 && (n = read(fd, text + len, sizeof text - 1 - len)) > 0) {
        len += (size_t)n;
        if (text[0] == '+')
            return 0;
    }
    text[len] = '\0';
    if (len == 0)
        return err_set(err, LEAT_EUNREACHABLE, "it ended at once; see %s/up.log", s->log);
    return err_set(err, LEAT_EUNREACHABLE, "%s", text);
}

static int detach(const struct up_settings *s, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, errno, "pipe");
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        if (redirect_output(s, NULL) < 0)
            _exit(1);
        run_detached(s, ends[1]);
    }
    close(ends[1]);
    const int rc = pid < 0 ? err_errno(err, errno, "fork") : wait_for(ends[0], s, err);
    close(ends[0]);
    if (rc == 0)
        printf("Leat is up: API http://%s, hooks http://%s, data in %s\n", s->listen, s->hooks,
               s->data);
    return rc;
}

static int run_up(const struct given *given, struct err *err)
{
    struct up_settings settings = {0};
    log_setup("up", LOG_INFO, LOG_LOGFMT);
    int rc = up_settings_read(given, &settings, err);
    if (rc == 0)
        rc = check_addresses(&settings, err);
    const pid_t running = rc == 0 ? up_running(settings.data) : 0;
    if (running)
        rc = err_set(err, LEAT_EREFUSED,
                     "Leat runs in %s already (process %d); `leat down --data %s` ends it",
                     settings.data, running, settings.data);
    if (rc == 0)
        rc = check_ports(&settings, err);
    if (rc == 0)
        rc = up_prepare(&settings, err);
    if (rc == 0)
        rc = settings.detach ? detach(&settings, err) : run_here(&settings, -1, err);
    up_settings_free(&settings);
    return rc;
}

const struct verb VERB_UP = {
    .name = "up",
    .arguments = "",
    .summary = "Runs everything on this machine until Ctrl-C or leat down",
    .options = up_options,
    .offline = true,
    .run = run_up,
};

static const struct option down_options[] = {
    {"data", 'd', "DIR", false, "the data folder of leat up"},
    OPTION_END,
};

static int run_down(const struct given *given, struct err *err)
{
    cleanup_free char *data = up_data_folder(given, err);
    if (!data)
        return err ? err->code : LEAT_EINPUT;
    const pid_t pid = up_running(data);
    if (pid == 0)
        return err_set(err, LEAT_ENOTFOUND, "nothing runs in %s", data);
    if (kill(pid, SIGTERM) != 0)
        return err_errno(err, errno, "ending process %d", pid);
    const int64_t until = clock_monotonic_us() + 60 * US_PER_S;
    while (up_running(data) == pid && clock_monotonic_us() < until)
        usleep(20000);
    if (up_running(data) == pid)
        return err_set(err, LEAT_EREFUSED, "process %d does not end; see %s/log/up.log", pid, data);
    printf("Leat in %s has stopped\n", data);
    return 0;
}

const struct verb VERB_DOWN = {
    .name = "down",
    .arguments = "",
    .summary = "Ends what leat up started, with the steps that run",
    .options = down_options,
    .offline = true,
    .run = run_down,
};

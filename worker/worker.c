#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/attempt/attempt.h"
#include "worker/attempt/files.h"
#include "worker/attempt/secrets.h"

#define LOCK_FILE  "lock"
#define TOKEN_MOST 4096

bool worker_journal(struct worker *w)
{
    struct err err = {0};
    if (journal_write(w->journal, &err) == 0)
        return true;
    log_error("the journal cannot be written: nothing is taken in or reported", LOG_ERR(&err));
    return false;
}

/* ---- what the reports ask
 * ------------------------------------------------------------------------ */

static bool may_publish(void *arg)
{
    struct worker *w = arg;
    return worker_journal(w);
}

static void numbers(void *arg, int64_t last)
{
    struct worker *w = arg;
    w->numbers = last;
    journal_put(w->journal, &(struct journal_record){.kind = JOURNAL_NUMBERS, .number = last});
}

static void acknowledged(void *arg, const struct uuid *id)
{
    struct attempt *a = attempt_find(arg, id);
    if (a && a->state == WORK_FINISHED)
        attempt_over(a);
}

static void hello_delivered(void *arg)
{
    orders_open(arg);
}

/* Numbers go on behind all that earlier lives may have used. Should the journal be lost, the wall
 * clock stands in for it: a hello with a low number would be taken for a repeat. */
static void open_reports(struct worker *w)
{
    const struct reports_owner owner = {.may_publish = may_publish,
                                        .numbers = numbers,
                                        .acknowledged = acknowledged,
                                        .hello_delivered = hello_delivered,
                                        .arg = w};
    const int64_t by_clock = clock_wall_us() / US_PER_MS;
    reports_open(&w->reports, w->loop, w->bus, w->id, &w->incarnation,
                 w->numbers > by_clock ? w->numbers : by_clock, &owner);
}

/* ---- opening
 * ------------------------------------------------------------------------------------- */

static int lock_data(struct worker *w, struct err *err)
{
    cleanup_free char *path = mem_printf("%s/%s", w->config->data, LOCK_FILE);
    w->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (w->lock_fd < 0)
        return err_errno(err, errno, "%s", path);
    if (flock(w->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return err_set(err, LEAT_EREFUSED, "another worker runs in %s", w->config->data);
    return 0;
}

static int make_folders(struct worker *w, struct err *err)
{
    w->workspaces = mem_printf("%s/%s", w->config->data, WORKER_WORKSPACES);
    w->logs = mem_printf("%s/%s", w->config->data, WORKER_LOGS);
    if (folder_make(w->workspaces, 0755, err) != 0 || folder_make(w->logs, 0700, err) != 0)
        return LEAT_EIO;
    return secrets_open(w, err);
}

static int read_token(struct worker *w, struct err *err)
{
    size_t len = 0;
    if (!w->config->token_file)
        return 0;
    const int rc = file_read(w->config->token_file, TOKEN_MOST, &w->token, &len, err);
    if (rc != 0)
        return err_wrap(err, "token-file");
    w->token[strcspn(w->token, "\r\n")] = '\0';
    return 0;
}

static int open_docker(struct worker *w, const struct executor_owner *owner, struct err *err)
{
    const struct worker_config *config = w->config;
    const struct docker_options options = {
        .host = config->docker_host,
        .certs = config->docker_certs,
        .worker = w->id,
        .network = config->docker_network,
        .networks = config->docker_networks,
        .workspaces = w->workspaces,
        .secrets = w->secrets,
        .copies = config->docker_outputs == WORKER_OUTPUTS_COPY ||
                  (config->docker_outputs == WORKER_OUTPUTS_AUTO && geteuid() != 0),
        .copy_most = config->docker_copy_limit,
        .needed = config->executor == WORKER_EXECUTOR_DOCKER,
    };
    struct executor *docker = docker_executor_open(owner, &options, err);
    w->executors[ORDER_START_EXECUTOR_DOCKER] = docker;
    w->executors_waited += docker != NULL;
    return docker ? 0 : err->code;
}

static int open_executors(struct worker *w, struct err *err)
{
    const struct executor_owner owner = {.loop = w->loop, .events = &ATTEMPT_EVENTS, .arg = w};
    w->executors[ORDER_START_EXECUTOR_PROCESS] =
        process_executor_open(&owner, w->config->data, w->config->keeper);
    w->executors[ORDER_START_EXECUTOR_NOOP] = noop_executor_open(&owner);
    const struct executor_api api = {w->http, w->config->api, w->token, w->id};
    w->executors[ORDER_START_EXECUTOR_OBJECTS] =
        objects_executor_open(&owner, w->config->buckets, w->store, &api);
    w->executors_waited = 3;
    return w->config->executor == WORKER_EXECUTOR_PROCESS ? 0 : open_docker(w, &owner, err);
}

int worker_open(struct worker *w, struct loop *loop, const struct worker_config *config,
                struct bus *bus, struct err *err)
{
    *w = (struct worker){.loop = loop, .config = config, .bus = bus, .lock_fd = -1};
    w->incarnation = uuid_v7_now(clock_wall_us() / US_PER_MS);
    boot_id(w->boot);
    int rc = lock_data(w, err);
    if (rc == 0)
        rc = make_folders(w, err);
    if (rc == 0)
        rc = read_token(w, err);
    if (rc == 0)
        rc = replay_journal(w, err);
    if (rc == 0)
        rc = store_open(loop, config->store, STORE_OPTIONS(config, STORE_RETRY_LONG_US), &w->store,
                        err);
    if (rc != 0)
        return rc;
    w->http = http_client_new(loop);
    open_reports(w);
    return open_executors(w, err);
}

void worker_close(struct worker *w)
{
    loop_timer_stop(&w->beat);
    loop_timer_stop(&w->reopen);
    loop_timer_stop(&w->log_tick);
    for (int i = 1; i < WORKER_EXECUTORS; i++)
        if (w->executors[i])
            w->executors[i]->ops->close(w->executors[i]);
    w->reports.bus = NULL;
    loop_step(w->loop, false); /* what is deferred */
    while (w->attempts)
        attempt_free(w->attempts);
    reports_close(&w->reports);
    tombstones_free(&w->over);
    http_client_free(w->http);
    store_close(w->store);
    journal_close(w->journal);
    if (w->lock_fd >= 0)
        close(w->lock_fd);
    free(w->workspaces);
    free(w->logs);
    free(w->secrets);
    if (w->token)
        mem_wipe(w->token, strlen(w->token));
    free(w->token);
    free(w->id);
}

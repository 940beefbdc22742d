/* leat-scheduler: leads, or stands by to lead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/config_daemon.h"
#include "common/base/hash.h"
#include "common/base/lease.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/notify.h"
#include "common/bus/open.h"
#include "scheduler/shell/db_pg.h"
#include "scheduler/shell/shell.h"
#include "scheduler/shell/status.h"

struct scheduler_config {
    DAEMON_FIELDS;
    BUS_FIELDS;
    char *listen, *node;
    int64_t lease_us, lost_after_us, cancel_grace_us, event_age_us, message_age_us;
    int64_t history_age_us, key_age_us;
    int64_t partitions, batch_rows;
    int64_t most_runs, most_pipelines, most_workers, worker_age_us;
};

#define KEY(field, name, kind) CONFIG_KEY(struct scheduler_config, field, name, kind)
static const struct config_key keys[] = {
    DAEMON_KEYS(struct scheduler_config, true),
    BUS_KEYS(struct scheduler_config),
    {KEY(kafka.replicas, "bus-replicas", CONFIG_INT), .fallback = "0", .least = 0, .most = 7,
     .help = "copies of each topic that it makes in Kafka; 0 = three, or one a broker"},
    {KEY(kafka.min_insync, "bus-min-insync", CONFIG_INT), .fallback = "0", .least = 0, .most = 7,
     .help = "copies that have a record before it counts; 0 = two of three, else one"},
    {KEY(listen, "listen", CONFIG_ADDRESS), .help = "serves /healthz and /metrics there"},
    {KEY(node, "node", CONFIG_STRING), .help = "name in `leat status` (default: the host's name)"},
    {KEY(lease_us, "lease", CONFIG_DURATION), .fallback = "10s", .least = LEASE_US,
     .most = 3600000000, .help = "a worker silent for longer gets nothing new"},
    {KEY(lost_after_us, "lost-after", CONFIG_DURATION), .fallback = "90s", .least = 10000000,
     .most = 86400000000, .help = "a worker silent for longer loses its attempts"},
    {KEY(cancel_grace_us, "grace", CONFIG_DURATION), .fallback = "10s", .least = 100000,
     .most = 3600000000, .help = "between TERM and KILL of a cancelled attempt"},
    {KEY(event_age_us, "event-age", CONFIG_DURATION), .fallback = "14d", .least = 60000000,
     .most = 31536000000000, .help = "events that were read stay on the queue so long"},
    {KEY(message_age_us, "message-age", CONFIG_DURATION), .fallback = "1h", .least = 60000000,
     .most = 31536000000000, .help = "the same for commands, reports, orders and changes"},
    {KEY(history_age_us, "history-age", CONFIG_DURATION), .fallback = "90d", .least = 604800000000,
     .most = 315360000000000,
     .help = "finished runs and events stay so long, then go by whole weeks"},
    {KEY(key_age_us, "key-age", CONFIG_DURATION), .fallback = "30d", .least = 86400000000,
     .most = 315360000000000,
     .help = "an event or command repeated within it is known as a repeat"},
    {KEY(partitions, "partitions", CONFIG_INT), .fallback = "4", .least = 1, .most = 1024,
     .help = "of events and reports, where the queue lets one choose"},
    {KEY(batch_rows, "batch-rows", CONFIG_INT), .fallback = "2000", .least = 10, .most = 100000,
     .help = "about so many rows a transaction"},
    {KEY(most_runs, "most-runs", CONFIG_INT), .fallback = "100000", .least = 1, .most = 10000000,
     .help = "runs that are live or queued; beyond it events that make runs wait on the queue, and "
             "commands for runs are refused, until some have ended; steps may start as many again"},
    {KEY(most_pipelines, "most-pipelines", CONFIG_INT), .fallback = "10000", .least = 1,
     .most = 1000000,
     .help = "pipelines that are not deleted; the same of limits, pools and sources: what would be "
             "one more is refused at apply"},
    {KEY(most_workers, "most-workers", CONFIG_INT), .fallback = "10000", .least = 1,
     .most = 1000000, .help = "ids of workers; beyond it the hello of a new one is refused"},
    {KEY(worker_age_us, "worker-age", CONFIG_DURATION), .fallback = "30d", .least = 86400000000,
     .most = 315360000000000,
     .help = "the id of a worker that was removed or is gone is forgotten so long after its last "
             "word"},
    {0},
};
static const struct config_program program = {
    "leat-scheduler", "Leads, or stands by: turns events into runs and places their steps", keys};

struct end {
    struct loop *loop;
    int status;
};

/* The supervisor starts the process anew: what it led, or thought it led, is in Postgres. */
static void shell_over(void *arg, const struct err *why)
{
    struct end *end = arg;
    bool fenced = why->code == LEAT_EFENCED;
    if (fenced)
        log_info("this scheduler leads no more and ends", LOG_ERR(why));
    else
        log_error("this scheduler cannot go on", LOG_ERR(why));
    end->status = fenced ? 0 : err_exit_status(why->code);
    loop_stop(end->loop);
}

static char *holder_name(const struct scheduler_config *config)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) < 0)
        host[0] = '\0';
    return mem_printf("%s/%d", config->node && *config->node ? config->node : host, (int)getpid());
}

static struct shell *open_shell(struct loop *loop, const struct scheduler_config *config,
                                struct end *end, struct err *err)
{
    struct bus *bus = bus_open(loop,
                               &(struct bus_wanted){.bus = config->bus,
                                                    .kafka = &config->kafka,
                                                    .database = config->database,
                                                    .doorbells = config->doorbells,
                                                    .name = "leat-scheduler bus",
                                                    .leads = true},
                               err);
    if (!bus)
        return NULL;
    struct shell_config settings = {0};
    cleanup_free char *holder = holder_name(config);
    shell_defaults(&settings);
    settings.holder = holder;
    random_bytes(&settings.seed, sizeof settings.seed);
    settings.lease_us = config->lease_us;
    settings.lost_after_us = config->lost_after_us;
    settings.cancel_grace_us = config->cancel_grace_us;
    settings.event_age_us = config->event_age_us;
    settings.message_age_us = config->message_age_us;
    settings.ages.history_us = config->history_age_us;
    settings.ages.keys_us = config->key_age_us;
    settings.partitions = (int32_t)config->partitions;
    settings.batch_rows = (size_t)config->batch_rows;
    settings.most_runs = config->most_runs;
    settings.most_pipelines = config->most_pipelines;
    settings.most_workers = config->most_workers;
    settings.worker_age_us = config->worker_age_us;
    struct db *db = db_pg_open(
        loop, &(struct db_pg_options){.conninfo = config->database,
                                      .name = "leat-scheduler",
                                      .outbox_elsewhere = !bus->ops->outbox_in_transaction,
                                      .most_runs = config->most_runs,
                                      .most_pipelines = config->most_pipelines,
                                      .most_workers = config->most_workers});
    return shell_new(&settings, world_loop_new(loop), db, bus, shell_over, end);
}

static int run(struct loop *loop, const struct scheduler_config *config, struct err *err)
{
    struct end end = {.loop = loop};
    struct shell *shell = open_shell(loop, config, &end, err);
    if (!shell || !status_open(loop, shell, config->listen, err))
        return err->code;
    cleanup_text struct text settings = {0};
    config_describe(&program, config, &settings);
    log_info("scheduler starts", LOG_S("version", LEAT_VERSION), LOG_S("settings", settings.data));
    shell_start(shell);
    notify_supervisor("READY=1");
    loop_run(loop);
    notify_supervisor("STOPPING=1");
    /* The same path as kill -9: the next leader takes over from what is committed. */
    log_info("scheduler ends");
    _exit(end.status);
}

int main(int argc, char **argv)
{
    static struct scheduler_config config;
    struct err err = {0};
    int told = config_load(&program, argc, argv, &config, &err);
    if (told == CONFIG_TOLD)
        return 0;
    log_setup("scheduler", told < 0 ? LOG_INFO : (enum log_level)config.log_level,
              (enum log_format)config.log_format);
    struct loop *loop = loop_new();
    loop_stop_on_signals(loop);
    if (told >= 0 && log_to_file(config.log_file, config.log_size, config.log_keep, &err) == 0)
        run(loop, &config, &err);
    log_error("cannot start", LOG_ERR(&err));
    return err_exit_status(err.code);
}

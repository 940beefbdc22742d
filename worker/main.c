/* leat-worker: runs the steps that the scheduler orders. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/metrics.h"
#include "common/base/notify.h"
#include "common/http/server.h"
#include "worker/config.h"
#include "worker/counters.h"
#include "worker/worker.h"

static void show_health(struct http_request *req, void *arg)
{
    const struct worker *w = arg;
    if (w->settled)
        http_answer(req, 200, NULL, "ok\n", 3);
    else
        http_answer(req, 503, NULL, "starting\n", 9);
}

static void show_metrics(struct http_request *req, void *arg)
{
    struct text out = {0};
    counters_gauges(arg);
    metrics_write(&out);
    const size_t len = out.len;
    http_answer_take(req, 200, METRICS_CONTENT_TYPE, text_take(&out), len);
}

static int serve(struct worker *w, struct err *err)
{
    static const struct http_route routes[] = {
        {.method = "GET", .pattern = "/healthz", .handle = show_health},
        {.method = "GET", .pattern = "/metrics", .handle = show_metrics},
        {0},
    };
    struct http_server *server = NULL; /* as long as the process */
    if (!w->config->listen || !w->config->listen[0])
        return 0;
    const int port = http_server_start(w->loop, w->config->listen, routes, w, NULL, &server, err);
    return port < 0 ? port : 0;
}

static struct bus *open_bus(struct loop *loop, const struct worker_config *config, struct err *err)
{
    cleanup_free char *producer = mem_printf("worker:%s", config->name);
    cleanup_free char *name = mem_printf("leat-worker %s", config->name);
    if (bus_is_kafka(config->bus) && config->database && *config->database)
        log_warn("database: a worker on Kafka has no use for it; do not give it a login");
    return bus_open(loop,
                    &(struct bus_wanted){.bus = config->bus,
                                         .kafka = &config->kafka,
                                         .database = config->database,
                                         .doorbells = config->doorbells,
                                         .name = name,
                                         .producer = producer,
                                         .sync_commit_off = true},
                    err);
}

static int start(struct worker *w, struct loop *loop, struct worker_config *config, struct err *err)
{
    log_setup("worker", (enum log_level)config->log_level, (enum log_format)config->log_format);
    if (log_to_file(config->log_file, config->log_size, config->log_keep, err) != 0)
        return err->code;
    if (worker_config_complete(config, err) != 0)
        return err->code;
    struct bus *bus = open_bus(loop, config, err);
    if (!bus || worker_open(w, loop, config, bus, err) != 0)
        return err->code;
    counters_register();
    return serve(w, err);
}

static void end_all(void *arg)
{
    struct worker *w = arg;
    if (w->loop) /* it has been opened */
        ending_begin(w);
}

int main(int argc, char **argv)
{
    static struct worker worker;
    static struct worker_config config;
    struct err err = {0};
    const int told = config_load(&WORKER_PROGRAM, argc, argv, &config, &err);
    if (told == CONFIG_TOLD)
        return 0;
    struct loop *loop = loop_new();
    loop_stop_on_signals(loop);
    loop_on_signal(loop, SIGQUIT, end_all, &worker);
    if (told < 0 || start(&worker, loop, &config, &err) != 0) {
        log_error("cannot start", LOG_ERR(&err));
        return err_exit_status(err.code);
    }
    notify_supervisor("READY=1");
    loop_run(loop);
    notify_supervisor("STOPPING=1");
    process_executor_quit(worker.executors[ORDER_START_EXECUTOR_PROCESS]);
    rmdir(worker.secrets); /* when it is empty */
    /* The same path as kill -9: the journal and the keeper hold what matters. */
    log_info(worker.ending ? "the worker ends, and what it ran has been ended"
                           : "the worker ends; running steps go on under leat-keeper or their "
                             "engine, and the next worker of this data folder follows them");
    _exit(EXIT_SUCCESS);
}

/* leat-triggers: hooks, directory buckets and the cron clock; events out on the queue. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/config_daemon.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/notify.h"
#include "common/http/server.h"
#include "common/http/token.h"
#include "triggers/answer.h"
#include "triggers/buckets/bucket.h"
#include "triggers/buckets/put.h"
#include "triggers/catalog.h"
#include "triggers/cron/clock.h"
#include "triggers/hooks/hooks.h"
#include "triggers/s3/look.h"
#include "triggers/topics/topic.h"

#define KEY(field, name, kind) CONFIG_KEY(struct triggers_config, field, name, kind)
static const struct config_key keys[] = {
    DAEMON_KEYS(struct triggers_config, true),
    BUS_KEYS(struct triggers_config),
    {KEY(hooks, "hooks", CONFIG_ADDRESS), .fallback = "127.0.0.1:8081",
     .help = "where hooks and uploads are taken"},
    {KEY(buckets, "buckets", CONFIG_PATH), .required = true,
     .help = "folder of the directory buckets"},
    STORE_KEYS(struct triggers_config, "bodies over 256 KiB"),
    {KEY(key_file, "key-file", CONFIG_PATH), .required = true,
     .help = "the cluster's key, which opens secrets"},
    {KEY(token_file, "token-file", CONFIG_PATH), .help = "token that uploads need off loopback"},
    {KEY(producer, "producer", CONFIG_STRING), .fallback = "triggers",
     .help = "stable name on the queue; one process a name"},
    {KEY(insecure, "insecure", CONFIG_BOOL), .help = "listen beyond loopback without TLS"},
    {0},
};
static const struct config_program program = {
    "leat-triggers", "Turns hooks, uploads and cron ticks into events on the queue", keys};

static const struct http_route routes[] = {
    {"POST", "/hooks/:source", hooks_receive, NULL, HOOK_BODY_MAX},
    {"PUT", "/buckets/:bucket/*key", NULL, &BUCKET_PUT, BUCKET_OBJECT_MAX},
    {"GET", "/healthz", answer_health, NULL, 0},
    {"GET", "/metrics", answer_metrics, NULL, 0},
    {0},
};

static void connected(void *arg)
{
    struct triggers *t = arg;
    pg_call(t->pg, QUERY_CATALOG_LISTEN, NULL, NULL, NULL);
    catalog_read(t->catalog, NULL, NULL);
}

static void notified(void *arg, const char *channel, const char *payload)
{
    struct triggers *t = arg;
    (void)channel, (void)payload;
    catalog_read(t->catalog, NULL, NULL);
}

static void catalog_changed(void *arg)
{
    struct triggers *t = arg;
    buckets_follow(t->buckets);
    clock_follow(t->cron);
    looks_follow(t->looks);
    topics_follow(t->topics);
}

static void topics_made(void *arg, const struct err *err)
{
    (void)arg;
    if (err)
        log_warn("the topic of events is not there yet: the leader makes it", LOG_ERR(err));
}

static int open_bus(struct triggers *t, struct err *err)
{
    t->bus = bus_open(t->loop,
                      &(struct bus_wanted){.bus = t->config.bus,
                                           .kafka = &t->config.kafka,
                                           .database = t->config.database,
                                           .doorbells = t->config.doorbells,
                                           .name = "leat-triggers",
                                           .producer = t->config.producer},
                      err);
    return t->bus ? 0 : LEAT_EINPUT;
}

static int open_all(struct triggers *t, struct http_server **server, struct err *err)
{
    static const struct pg_events events = {.up = connected, .notified = notified};
    int rc = token_read("hooks", t->config.hooks, t->config.insecure, t->config.token_file,
                        &t->token, err);
    if (rc == 0)
        rc = store_open(t->loop, t->config.store, STORE_OPTIONS(&t->config, STORE_RETRY_SOON_US),
                        &t->store, err);
    if (rc == 0)
        rc = catalog_open(t, catalog_changed, t, &t->catalog, err);
    if (rc == 0)
        rc = buckets_open(t, &t->buckets, err);
    if (rc == 0)
        rc = open_bus(t, err);
    if (rc < 0)
        return rc;
    t->cron = clock_open(t);
    t->looks = looks_open(t);
    t->topics = topics_open(t);
    if (t->bus->ops->outbox_in_transaction) /* elsewhere its settings are the scheduler's matter */
        t->bus->ops->topics_make(t->bus, &(struct bus_topic){TOPIC_EVENTS, 1}, 1, topics_made, t);
    t->pg = pg_open(t->loop,
                    &(struct pg_options){.conninfo = t->config.database,
                                         .name = "leat-triggers",
                                         .answer_timeout_us = 10 * 1000000LL},
                    &events, t);
    return http_server_start(t->loop, t->config.hooks, routes, t, NULL, server, err);
}

int main(int argc, char **argv)
{
    struct triggers t = {0};
    struct http_server *server = NULL;
    struct err err = {0};
    int rc = config_load(&program, argc, argv, &t.config, &err);
    if (rc == CONFIG_TOLD)
        return 0;
    if (rc == CONFIG_GO) {
        log_setup("triggers", (enum log_level)t.config.log_level,
                  (enum log_format)t.config.log_format);
        rc = log_to_file(t.config.log_file, t.config.log_size, t.config.log_keep, &err);
        metrics_register(TRIGGER_METRIC, TRIGGER_METRIC_COUNT);
        t.loop = loop_new();
        loop_stop_on_signals(t.loop);
        if (rc == 0)
            rc = open_all(&t, &server, &err);
    }
    if (rc >= 0) {
        log_info("taking events", LOG_S("hooks", t.config.hooks));
        notify_supervisor("READY=1");
        loop_run(t.loop);
        return 0; /* crash-only: what is open ends with the process */
    }
    fprintf(stderr, "leat-triggers: %s\n", err.text);
    return err_exit_status(rc);
}

/* triggers/triggers.h: what the parts of leat-triggers share: settings, connections, counters. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "common/base/config_daemon.h"
#include "common/base/loop.h"
#include "common/base/metrics.h"
#include "common/bus/open.h"
#include "common/pg/pg.h"
#include "common/store/config.h"
#include "common/store/store.h"

struct triggers_config {
    DAEMON_FIELDS;
    BUS_FIELDS;
    char *hooks;
    char *buckets;
    STORE_FIELDS;
    char *key_file;
    char *token_file;
    char *producer;
    bool insecure;
};

struct catalog;
struct buckets;
struct clock_cron;
struct looks;
struct topics;

struct triggers {
    struct triggers_config config;
    struct loop *loop;
    struct pg *pg; /* the catalog, cron slots, announced objects; events go over the bus */
    struct bus *bus;
    struct store *store;
    struct catalog *catalog;
    struct buckets *buckets;
    struct clock_cron *cron;
    struct looks *looks;
    struct topics *topics;
    char *token; /* needed off loopback; NULL on it */
};

/*   identifier           name                              labels                what */
#define TRIGGER_METRICS(M)                                                                         \
    M(HOOKS, COUNTER, "leat_hook_requests_total", "source", "status",                              \
      "Hook requests by source and HTTP status")                                                   \
    M(PUBLISHED, COUNTER, "leat_events_published_total", "source", NULL,                           \
      "Events that the queue has taken")                                                           \
    M(PUBLISH, HISTOGRAM, "leat_event_publish_seconds", NULL, NULL,                                \
      "From publish to delivery report")                                                           \
    M(OVERFLOW, COUNTER, "leat_bucket_rescans_total", NULL, NULL,                                  \
      "Bucket scans after an overflow or a failed publish")                                        \
    M(MISSED, COUNTER, "leat_bucket_missed_total", NULL, NULL,                                     \
      "Changes of S3 buckets that a look found and nobody had told")                               \
    M(REFUSED, COUNTER, "leat_topic_refused_total", NULL, NULL,                                    \
      "Records of topics that are no events")

enum trigger_metric {
#define M(id, kind, name, a, b, help) TRIGGER_METRIC_##id,
    TRIGGER_METRICS(M)
#undef M
        TRIGGER_METRIC_COUNT
};
extern struct metric TRIGGER_METRIC[TRIGGER_METRIC_COUNT];

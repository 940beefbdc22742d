/* triggers/topics/internal.h: what the files of this folder share. */
#pragma once
#include "common/bus/kafka_internal.h"
#include "triggers/catalog.h"
#include "triggers/publish.h"
#include "triggers/topics/topic.h"

#define TOPIC_PARTITIONS 1024 /* of one topic, at most */
#define TOPIC_CLUSTER    128

struct topic {
    struct topics *all;
    struct topic *next;
    char *source, *name, *brokers;
    struct kafka_client *client;
    rd_kafka_topic_t *handle;
    rd_kafka_queue_t *records;
    struct loop_timer later; /* the next try, or the next survey */
    char cluster[TOPIC_CLUSTER];
    int partitions; /* that the cluster has, as of the last survey; filled on a thread */
    int started;    /* of these are read */
    struct err err; /* of the survey */
    bool away, refused, closed;
    int open; /* callbacks to come */

    /* Records whose events are on their way; offsets are kept when all of them are. */
    rd_kafka_message_t *batch[TOPIC_AT_ONCE];
    size_t batch_count, batch_open;
    bool batch_failed;
    struct loop_timer again;
};

struct topics {
    struct triggers *triggers;
    struct topic *first;
};

void topic_hold(struct topic *topic);
void topic_release(struct topic *topic);

/* The events of one record, published; calls topic_published once for each, later. */
void record_publish(struct topic *topic, const struct source *source,
                    const rd_kafka_message_t *record);
published_fn topic_published; /* arg: the topic */

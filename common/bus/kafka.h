/* common/bus/kafka.h: the Kafka backend of bus.h, over librdkafka (2.0 or newer).
 *
 * What it relies on, and refuses to go on without:
 *   - Offsets of a partition have no gaps. That holds on Kafka while nobody writes transactions
 *     into the topic (their markers take offsets) and nothing compacts it; Leat does neither. A
 *     reader that finds a gap has `failed`.
 *   - One record of the topic `leat.bus` names the bus. Its id is made of that record and of the
 *     cluster's id, so a broker that was formatted anew is another bus, also under the same
 *     cluster id. Nobody publishes or reads before the id is known.
 *   - A topic that is missing is never made by a broker of itself: only topics_make makes topics.
 *
 * Publishing is idempotent (acks=all): a retry after a lost answer leaves one record, and records
 * of one partition keep their order. What was handed to a broker and not answered in time is
 * LEAT_EUNKNOWN; what never left is LEAT_EUNREACHABLE. The offset of a delivery is -1 where the
 * broker only said that it had the record already.
 *
 * librdkafka's threads are its own; its events are taken from its queues on the loop. Questions
 * that it can only answer by blocking (metadata, ends of partitions) run by loop_work, two at a
 * time. */
#pragma once
#include "common/base/loop.h"
#include "common/bus/bus.h"

#define KAFKA_BUS_TOPIC         "leat.bus" /* one record: which bus this is */
#define KAFKA_WAITING_MAX       100000 /* publishes that are not answered; more are LEAT_EFULL */
#define KAFKA_WAITING_BYTES_MAX (64 * 1024 * 1024) /* of keys and values together */
#define KAFKA_READ_BYTES_MAX                                                                       \
    (8 * 1024 * 1024) /* read ahead of one reader; a fetch may pass it                             \
                        by KAFKA_FETCH_BYTES */
#define KAFKA_FETCH_BYTES (4 * 1024 * 1024)

enum kafka_sasl { KAFKA_SASL_NONE, KAFKA_SASL_PLAIN, KAFKA_SASL_SCRAM256, KAFKA_SASL_SCRAM512 };

struct kafka_options {
    const char *brokers; /* HOST:PORT,… */
    const char *name;    /* client.id: what the broker's logs show */
    bool make;           /* makes leat.bus where it is missing: the scheduler */
    int replicas;   /* of the topics that it makes; 0 = three, or as many as there are brokers */
    int min_insync; /* 0 = two of three, else one */
    bool tls;
    bool insecure;         /* may speak in plain text beyond loopback */
    const char *ca_file;   /* NULL = the system's */
    const char *cert_file; /* ours, NULL = none */
    const char *key_file;
    enum kafka_sasl sasl;
    const char *user;
    const char *password_file; /* its first line */
};

/* LEAT_EINPUT, or LEAT_EREFUSED for plain text beyond loopback. */
int kafka_options_check(const struct kafka_options *options, struct err *err);

/* Never blocks for a broker; connects by itself and again. Copies the options. NULL on options
 * that cannot work: LEAT_EINPUT, LEAT_EREFUSED (plain text beyond loopback), LEAT_EIO (a file). */
struct bus *kafka_open(struct loop *loop, const struct kafka_options *options, struct err *err);

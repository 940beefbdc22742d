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
 * LEAT_EUNKNOWN; what never left is LEAT_EUNREACHABLE. When a record has become unknown, librdkafka
 * begins to count anew, and those that were on the way with it may then be there twice, the
 * second time in order again, though each is answered once: readers bear repeats (the inbox, the
 * numbers of reports, the attempts of orders). The offset of a delivery is -1 where the broker
 * only said that it had the record already.
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

/* ---- a look from outside, for `leat doctor` and `leat status` ----------------------------------
 */
#define KAFKA_PROBE_TEXT 200

struct kafka_probe {
    int brokers;
    char cluster[64];
    int topics;                                   /* of Leat's that are there */
    char missing[KAFKA_PROBE_TEXT];               /* of the fixed ones, "a, b"; "" = none */
    int partitions, under_replicated, leaderless; /* of Leat's topics */
    char worst[KAFKA_PROBE_TEXT];                 /* the first of those, "topic/partition" */
    int replicas;                                 /* least of the fixed topics; 0 = none is there */
    int min_insync;                               /* of leat.events; 0 = not told */
    bool power_loss; /* survives it: three copies, two of which must have a record (README) */
    bool unlimited;  /* retention of leat.events; false also when not told */
    char denied[KAFKA_PROBE_TEXT]; /* what this user may not do; "" = nothing that was found */
    const char *library;           /* version of librdkafka */
};

/* Asks a broker; blocks for `limit_ms` at most, in all. Opens and closes a handle of its own, makes
 * and changes nothing. LEAT_EUNREACHABLE, LEAT_EAUTH, and what kafka_open refuses. A broker tells
 * neither its version nor its clock to librdkafka: both are not looked at. */
int kafka_probe(const struct kafka_options *options, int limit_ms, struct kafka_probe *out,
                struct err *err);

/* What the bus survives, as last seen: looked up once a minute while somebody asks, never blocking.
 * NULL = not known yet: also before the scheduler has made the topics. */
const struct kafka_probe *kafka_seen(struct bus *bus);

/* common/bus/bus.h: the queue, one interface with several backends (embedded: an append-only log
 * in Postgres; Kafka; the simulator's fake).
 * Everything is asynchronous on the owner's loop and single-threaded: a call returns at once, the
 * callback comes later from the loop (never from inside the call), exactly once, also when the bus
 * is closed (LEAT_EUNREACHABLE). Callbacks may call the bus again.
 * Offsets begin at 0 in each (topic, partition), grow by one without gaps, and a record is visible
 * only when all before it are. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/uuid.h"

#define BUS_TOPIC_MAX  128           /* characters of a topic's name */
#define BUS_RECORD_MAX (1024 * 1024) /* bytes of a value; publish refuses more with LEAT_ELIMIT */
#define BUS_EARLIEST   (-2)          /* as a position: from the first record that is kept */
#define BUS_END        (-1)          /* as a position: only what comes after the assignment */

#define TOPIC_COMMANDS      "leat.commands"
#define TOPIC_EVENTS        "leat.events"
#define TOPIC_REPORTS       "leat.reports"
#define TOPIC_CHANGES       "leat.changes"
#define TOPIC_ORDERS_PREFIX "leat.orders." /* + worker id */

struct bus;
struct bus_reader;

/* Borrowed: valid during the callback only. */
struct bus_record {
    const char *topic;
    int32_t partition;
    int64_t offset;
    const void *key;
    size_t key_len;
    const void *value;
    size_t len;
};

struct bus_position {
    char topic[BUS_TOPIC_MAX];
    int32_t partition;
    int64_t offset; /* next to read, or BUS_EARLIEST, BUS_END */
};

struct bus_topic {
    const char *name;
    int32_t partitions; /* as a wish: the embedded bus makes one a producer */
};

typedef void bus_done(void *arg, const struct err *err /* NULL = done */);

/* The delivery report. err NULL: the record is durable at (partition, offset).
 * LEAT_EUNKNOWN: it may or may not be there; the caller may publish it again with the same id.
 * Any other error: it is not there. */
typedef void bus_delivered(void *arg, const struct err *err, int32_t partition, int64_t offset);

/* End offsets (the next to be written) of every partition of the topics asked for. */
typedef void bus_ends(void *arg, const struct err *err, const struct bus_position *ends, size_t n);

struct bus_reader_events {
    /* In order within a partition; n >= 1. */
    void (*records)(void *arg, const struct bus_record *records, size_t n);
    /* The connection was lost and records past the last durable point may have been read that no
     * longer exist. Forget all that is read and not committed, then call assign again. */
    void (*reset)(void *arg);
    /* The reader has stopped for good (an offset out of range, a topic that is gone): err says
     * what to do. Nothing is skipped. */
    void (*failed)(void *arg, const struct err *err);
};

struct bus_ops {
    const char *backend; /* "embedded", "kafka", "sim" */

    /* True when the leader's Postgres transaction itself appends the messages of a batch (the
     * outbox row is the message): the shell then only rings. Else it publishes after the commit. */
    bool outbox_in_transaction;

    /* Which bus this is: part of the key of stored offsets. NULL until the first connection. */
    const struct uuid *(*id)(struct bus *bus);

    void (*topics_make)(struct bus *bus, const struct bus_topic *topics, size_t n, bus_done *done,
                        void *arg); /* idempotent */

    /* Copies key and value. Records of one bus object to one partition keep their order. Publishes
     * of one loop iteration travel together. LEAT_EUNREACHABLE, LEAT_EFULL, LEAT_ENOTFOUND (no
     * such topic yet: back off), LEAT_EUNKNOWN come through the callback; deadline_us (0 = 7 s)
     * after the call it is answered in any case. */
    void (*publish)(struct bus *bus, const char *topic, const void *key, size_t key_len,
                    const void *value, size_t len, int64_t deadline_us, bus_delivered *delivered,
                    void *arg);

    void (*ends)(struct bus *bus, const char *const *topics, size_t n, bus_ends *done, void *arg);

    /* Tells readers of the topic that there is something new: a hint. */
    void (*ring)(struct bus *bus, const char *topic);

    /* Deletes records below `offset`: only what is committed and over age. */
    void (*trim)(struct bus *bus, const char *topic, int32_t partition, int64_t offset,
                 bus_done *done, void *arg);

    struct bus_reader *(*reader_open)(struct bus *bus, const struct bus_reader_events *events,
                                      void *arg);
    /* Reads all partitions of `topics`, each from its position, the others (also those that appear
     * later) from `otherwise` (BUS_EARLIEST or BUS_END). Replaces the assignment before it. */
    void (*assign)(struct bus_reader *reader, const char *const *topics, size_t topic_count,
                   const struct bus_position *positions, size_t position_count, int64_t otherwise);
    /* Back-pressure: after pause(true) returns no records come until pause(false). */
    void (*pause)(struct bus_reader *reader, bool paused);
    void (*reader_close)(struct bus_reader *reader); /* no callback after it; takes NULL */

    void (*close)(struct bus *bus); /* answers what is open, then frees; takes NULL */
};

/* Every backend's struct begins with this. */
struct bus {
    const struct bus_ops *ops;
};
struct bus_reader_head { /* every backend's reader begins with this */
    struct bus *bus;
};

/* ---- thin calls, so that callers read well ---- */
static inline void bus_publish(struct bus *bus, const char *topic, const void *key, size_t key_len,
                               const void *value, size_t len, int64_t deadline_us,
                               bus_delivered *delivered, void *arg)
{
    bus->ops->publish(bus, topic, key, key_len, value, len, deadline_us, delivered, arg);
}

/* tests/support/bus_memory_internal.h: the log as its clients see it. */
#pragma once
#include <uthash.h>
#include "tests/support/bus_memory.h"

struct memory_record {
    size_t key_len, len;
    char *key, *value;
    int64_t visible_at; /* a planted bug: its offset was taken before its transaction is in */
};

struct memory_partition {
    char *producer; /* NULL: made by count */
    struct memory_record *records;
    size_t count, cap; /* of offsets `base` … */
    int64_t first;     /* records below it are trimmed */
};

struct memory_topic {
    char name[BUS_TOPIC_MAX];
    struct memory_partition *partitions;
    int32_t partition_count;
    UT_hash_handle hh;
};

struct memory_log {
    struct memory_clock clock;
    struct uuid id;
    bool down;
    struct memory_topic *topics;
    struct memory_client *clients;
};

struct memory_topic *memory_topic_find(const struct memory_log *log, const char *name);
/* Partition of a key or producer; -1 = no such topic. */
int32_t memory_partition_pick(struct memory_log *log, struct memory_topic *topic,
                              const char *producer, const void *key, size_t key_len);
int64_t memory_partition_append(struct memory_partition *p, const void *key, size_t key_len,
                                const void *value, size_t len);
/* Wakes the readers of a topic: soon after a ring, within a second without. */
void memory_wake(struct memory_log *log, const char *topic, bool rung);

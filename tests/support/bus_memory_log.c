#include "tests/support/bus_memory_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/base/clock.h"
#include "common/base/loop.h"
#include "common/base/mem.h"

/* ---- a clock on a real loop ----------------------------------------------------------------- */

struct later {
    struct loop_timer timer;
    memory_fn *fn;
    void *arg;
};

static int64_t loop_now(void *ctx)
{
    (void)ctx;
    return clock_monotonic_us();
}

static void loop_fire(void *arg)
{
    struct later *later = arg;
    memory_fn *fn = later->fn;
    void *fn_arg = later->arg;
    free(later);
    fn(fn_arg);
}

static void loop_later(void *ctx, int64_t after_us, memory_fn *fn, void *arg)
{
    struct later *later = mem_alloc(sizeof *later);
    later->fn = fn;
    later->arg = arg;
    if (after_us <= 0)
        loop_defer(ctx, loop_fire, later);
    else
        loop_timer_start(ctx, &later->timer, after_us, 0, loop_fire, later);
}

struct memory_clock memory_clock_of_loop(struct loop *loop)
{
    return (struct memory_clock){.now = loop_now, .later = loop_later, .ctx = loop};
}

/* ---- topics and partitions ------------------------------------------------------------------ */

struct memory_topic *memory_topic_find(const struct memory_log *log, const char *name)
{
    struct memory_topic *topic = NULL;
    HASH_FIND_STR(log->topics, name, topic);
    return topic;
}

static int32_t partition_add(struct memory_topic *topic, const char *producer)
{
    int32_t n = topic->partition_count++;
    topic->partitions = mem_grow(topic->partitions, (size_t)n + 1, sizeof *topic->partitions);
    topic->partitions[n] = (struct memory_partition){.producer = mem_string(producer)};
    return n;
}

void memory_log_make_topic(struct memory_log *log, const char *name, int32_t partitions)
{
    struct memory_topic *topic = memory_topic_find(log, name);
    if (!topic) {
        topic = mem_alloc(sizeof *topic);
        snprintf(topic->name, sizeof topic->name, "%s", name);
        HASH_ADD_STR(log->topics, name, topic);
    }
    while (topic->partition_count < partitions)
        partition_add(topic, NULL);
}

int32_t memory_partition_pick(struct memory_log *log, struct memory_topic *topic,
                              const char *producer, const void *key, size_t key_len)
{
    (void)log;
    if (!producer) {
        uint32_t hash = 2166136261u;
        for (size_t i = 0; i < key_len; i++)
            hash = (hash ^ ((const uint8_t *)key)[i]) * 16777619u;
        if (!topic->partition_count)
            partition_add(topic, NULL);
        return (int32_t)(hash % (uint32_t)topic->partition_count);
    }
    for (int32_t i = 0; i < topic->partition_count; i++)
        if (topic->partitions[i].producer && strcmp(topic->partitions[i].producer, producer) == 0)
            return i;
    return partition_add(topic, producer);
}

int64_t memory_partition_append(struct memory_partition *p, const void *key, size_t key_len,
                                const void *value, size_t len)
{
    MEM_ROOM(p->records, p->count, p->cap);
    p->records[p->count] = (struct memory_record){.key = key ? mem_bytes(key, key_len) : NULL,
                                                  .key_len = key_len,
                                                  .value = mem_bytes(value, len),
                                                  .len = len};
    return (int64_t)p->count++;
}

struct memory_log *memory_log_new(struct memory_clock clock, const struct uuid *id)
{
    struct memory_log *log = mem_alloc(sizeof *log);
    log->clock = clock;
    if (id)
        log->id = *id;
    else
        random_bytes(&log->id, sizeof log->id);
    return log;
}

static void records_free(struct memory_partition *p, size_t from)
{
    for (size_t i = from; i < p->count; i++) {
        free(p->records[i].key);
        free(p->records[i].value);
    }
    p->count = from;
}

void memory_log_free(struct memory_log *log)
{
    struct memory_topic *topic, *next;
    if (!log)
        return;
    HASH_ITER (hh, log->topics, topic, next) {
        HASH_DEL(log->topics, topic);
        for (int32_t i = 0; i < topic->partition_count; i++) {
            records_free(&topic->partitions[i], 0);
            free(topic->partitions[i].records);
            free(topic->partitions[i].producer);
        }
        free(topic->partitions);
        free(topic);
    }
    free(log);
}

void memory_log_set_down(struct memory_log *log, bool down)
{
    log->down = down;
}

bool memory_log_has_topic(const struct memory_log *log, const char *topic)
{
    return memory_topic_find(log, topic) != NULL;
}

int64_t memory_log_append(struct memory_log *log, const char *name, const char *producer,
                          const char *key, const void *value, size_t len)
{
    struct memory_topic *topic = memory_topic_find(log, name);
    if (!topic)
        return -1;
    size_t key_len = key ? strlen(key) : 0;
    int32_t at = memory_partition_pick(log, topic, producer, key, key_len);
    int64_t offset = memory_partition_append(&topic->partitions[at], key, key_len, value, len);
    memory_wake(log, name, false);
    return offset;
}

/* ---- looking ----------------------------------------------------------------------------------
 */

int32_t memory_log_partitions(const struct memory_log *log, const char *name)
{
    const struct memory_topic *topic = memory_topic_find(log, name);
    return topic ? topic->partition_count : 0;
}

static struct memory_partition *partition_at(const struct memory_log *log, const char *name,
                                             int32_t partition)
{
    struct memory_topic *topic = memory_topic_find(log, name);
    return topic && partition < topic->partition_count ? &topic->partitions[partition] : NULL;
}

int64_t memory_log_end(const struct memory_log *log, const char *topic, int32_t partition)
{
    const struct memory_partition *p = partition_at(log, topic, partition);
    return p ? (int64_t)p->count : 0;
}

int64_t memory_log_first(const struct memory_log *log, const char *topic, int32_t partition)
{
    const struct memory_partition *p = partition_at(log, topic, partition);
    return p ? p->first : 0;
}

const void *memory_log_value(const struct memory_log *log, const char *topic, int32_t partition,
                             int64_t offset, size_t *len)
{
    const struct memory_partition *p = partition_at(log, topic, partition);
    if (!p || offset < p->first || offset >= (int64_t)p->count)
        return NULL;
    *len = p->records[offset].len;
    return p->records[offset].value;
}

void memory_log_cut(struct memory_log *log, const char *topic, int32_t partition, int64_t end)
{
    struct memory_partition *p = partition_at(log, topic, partition);
    if (p && end >= p->first && end < (int64_t)p->count)
        records_free(p, (size_t)end);
}

#include "tests/support/bus_memory_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/plant.h"

#define DELIVER_MAX 256

struct memory_client {
    struct bus bus;
    struct memory_log *log;
    struct memory_clock clock;
    char *producer;
    void (*fate)(void *ctx, enum memory_op op, const char *topic, struct memory_fate *fate);
    void *fate_ctx;
    struct bus_reader *readers;
    struct request *open;
    int64_t publish_at; /* publishes reach the log in the order of the calls */
    bool cut, dead;
    int refs; /* the client itself, its open requests and its wakes on their way */
    struct memory_client *prev, *next;
};

struct place {
    struct memory_topic *topic;
    int32_t partition;
    int64_t next;
};

struct bus_reader {
    struct bus_reader_head head;
    struct memory_client *client;
    const struct bus_reader_events *events;
    void *arg;
    char (*topics)[BUS_TOPIC_MAX];
    size_t topic_count;
    struct place *places;
    size_t place_count, place_cap;
    struct bus_position *given;
    size_t given_count;
    int64_t otherwise;
    bool assigned, paused, closed;
    int64_t wake_at; /* of the wake that is on its way; INT64_MAX = none */
    int refs;
    struct bus_reader *prev, *next;
};

struct request {
    struct memory_client *client;
    enum memory_op op;
    struct memory_fate fate;
    char topic[BUS_TOPIC_MAX];
    struct bus_topic *topics;     /* TOPICS */
    char (*names)[BUS_TOPIC_MAX]; /* TOPICS, ENDS */
    size_t count;
    char *key, *value; /* PUBLISH */
    size_t key_len, len;
    int32_t partition; /* PUBLISH (answer), TRIM */
    int64_t offset;
    struct bus_position *ends; /* ENDS */
    size_t end_count;
    struct err err;
    bus_done *done;
    bus_delivered *delivered;
    bus_ends *got_ends;
    void *arg;
    struct request *prev, *next;
};

static void client_unref(struct memory_client *c)
{
    if (--c->refs)
        return;
    free(c->producer);
    free(c);
}

static void later(struct memory_clock *clock, int64_t after_us, memory_fn *fn, void *arg)
{
    clock->later(clock->ctx, after_us, fn, arg);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void request_free(struct request *r)
{
    client_unref(r->client);
    free(r->topics);
    free(r->names);
    free(r->key);
    free(r->value);
    free(r->ends);
    free(r);
}

static void request_tell(struct request *r)
{
    const struct err *err = r->err.code ? &r->err : NULL;
    if (r->delivered)
        r->delivered(r->arg, err, r->partition, r->offset);
    else if (r->got_ends)
        r->got_ends(r->arg, err, err ? NULL : r->ends, err ? 0 : r->end_count);
    else if (r->done)
        r->done(r->arg, err);
}

static void request_answer(void *arg)
{
    struct request *r = arg;
    if (!r->client->dead) {
        DL_DELETE(r->client->open, r);
        request_tell(r);
    }
    request_free(r);
}

static void do_publish(struct request *r)
{
    struct memory_client *c = r->client;
    struct memory_topic *topic = memory_topic_find(c->log, r->topic);
    if (!topic) {
        err_set(&r->err, LEAT_ENOTFOUND, "there is no topic %s", r->topic);
        return;
    }
    const char *producer = c->bus.ops->outbox_in_transaction ? c->producer : NULL;
    r->partition = memory_partition_pick(c->log, topic, producer, r->key, r->key_len);
    r->offset = memory_partition_append(&topic->partitions[r->partition], r->key, r->key_len,
                                        r->value, r->len);
    if (producer && plant_on(PLANT_OFFSETS_FROM_A_SEQUENCE) && strcmp(r->topic, TOPIC_EVENTS) == 0)
        topic->partitions[r->partition].records[r->offset].visible_at =
            c->log->clock.now(c->log->clock.ctx) + r->fate.back_us;
    memory_wake(c->log, r->topic, true);
}

static void do_ends(struct request *r)
{
    size_t cap = 0;
    for (size_t i = 0; i < r->count; i++) {
        int32_t partitions = memory_log_partitions(r->client->log, r->names[i]);
        for (int32_t p = 0; p < partitions; p++) {
            MEM_ROOM(r->ends, r->end_count, cap);
            struct bus_position *end = &r->ends[r->end_count++];
            memcpy(end->topic, r->names[i], sizeof end->topic);
            end->partition = p;
            end->offset = memory_log_end(r->client->log, r->names[i], p);
        }
    }
}

static void do_trim(struct request *r)
{
    struct memory_topic *topic = memory_topic_find(r->client->log, r->topic);
    if (!topic || r->partition >= topic->partition_count)
        return;
    struct memory_partition *p = &topic->partitions[r->partition];
    if (r->offset > p->first)
        p->first = r->offset < (int64_t)p->count ? r->offset : (int64_t)p->count;
}

static void do_it(struct request *r)
{
    switch (r->op) {
    case MEMORY_TOPICS:
        for (size_t i = 0; i < r->count; i++)
            memory_log_make_topic(
                r->client->log, r->topics[i].name,
                r->client->bus.ops->outbox_in_transaction ? 0 : r->topics[i].partitions);
        return;
    case MEMORY_PUBLISH:
        do_publish(r);
        return;
    case MEMORY_ENDS:
        do_ends(r);
        return;
    case MEMORY_TRIM:
        do_trim(r);
        return;
    case MEMORY_DELIVER:
        return;
    }
}

static void request_arrive(void *arg)
{
    struct request *r = arg;
    if (r->client->log->down || r->client->cut)
        err_set(&r->err, LEAT_EUNREACHABLE, "the bus does not answer");
    else if (r->fate.error && !r->fate.took_effect)
        err_set(&r->err, r->fate.error, "injected");
    else
        do_it(r);
    if (r->fate.error && !r->err.code)
        err_set(&r->err, r->fate.error, "injected, took effect");
    later(&r->client->clock, r->fate.back_us, request_answer, r);
}

static struct request *request_new(struct bus *bus, enum memory_op op, const char *topic, void *arg)
{
    struct request *r = mem_alloc(sizeof *r);
    r->client = (struct memory_client *)bus;
    r->client->refs++;
    r->op = op;
    r->arg = arg;
    snprintf(r->topic, sizeof r->topic, "%s", topic ? topic : "");
    if (r->client->fate)
        r->client->fate(r->client->fate_ctx, op, r->topic, &r->fate);
    DL_APPEND(r->client->open, r);
    return r;
}

static void request_send(struct request *r)
{
    later(&r->client->log->clock, r->fate.there_us, request_arrive, r);
}

static void copy_names(struct request *r, const char *const *names, size_t n)
{
    r->names = mem_array(n + 1, sizeof *r->names);
    r->count = n;
    for (size_t i = 0; i < n; i++)
        snprintf(r->names[i], sizeof r->names[i], "%s", names[i]);
}

static void topics_make(struct bus *bus, const struct bus_topic *topics, size_t n, bus_done *done,
                        void *arg)
{
    struct request *r = request_new(bus, MEMORY_TOPICS, NULL, arg);
    r->done = done;
    r->topics = mem_array(n + 1, sizeof *r->topics);
    r->names = mem_array(n + 1, sizeof *r->names);
    r->count = n;
    for (size_t i = 0; i < n; i++) {
        snprintf(r->names[i], sizeof r->names[i], "%s", topics[i].name);
        r->topics[i] = (struct bus_topic){r->names[i], topics[i].partitions};
    }
    request_send(r);
}

static void publish(struct bus *bus, const char *topic, const void *key, size_t key_len,
                    const void *value, size_t len, int64_t deadline_us, bus_delivered *delivered,
                    void *arg)
{
    (void)deadline_us;
    struct memory_client *c = (struct memory_client *)bus;
    struct request *r = request_new(bus, MEMORY_PUBLISH, topic, arg);
    r->delivered = delivered;
    r->key = mem_bytes(key, key_len);
    r->key_len = key_len;
    r->value = mem_bytes(value, len);
    r->len = len;
    int64_t now = c->log->clock.now(c->log->clock.ctx);
    if (now + r->fate.there_us < c->publish_at)
        r->fate.there_us = c->publish_at - now;
    c->publish_at = now + r->fate.there_us;
    if (len > BUS_RECORD_MAX)
        r->fate = (struct memory_fate){.error = LEAT_ELIMIT};
    request_send(r);
}

static void ends(struct bus *bus, const char *const *topics, size_t n, bus_ends *done, void *arg)
{
    struct request *r = request_new(bus, MEMORY_ENDS, NULL, arg);
    r->got_ends = done;
    copy_names(r, topics, n);
    request_send(r);
}

static void trim(struct bus *bus, const char *topic, int32_t partition, int64_t offset,
                 bus_done *done, void *arg)
{
    struct request *r = request_new(bus, MEMORY_TRIM, topic, arg);
    r->done = done;
    r->partition = partition;
    r->offset = offset;
    request_send(r);
}

static const struct uuid *bus_id(struct bus *bus)
{
    return &((struct memory_client *)bus)->log->id;
}

/* ---- readers ----------------------------------------------------------------------------------
 */

static void reader_unref(struct bus_reader *reader)
{
    if (--reader->refs)
        return;
    free(reader->topics);
    free(reader->places);
    free(reader->given);
    client_unref(reader->client);
    free(reader);
}

static void reader_wake(void *arg);

static void reader_wake_in(struct bus_reader *reader, int64_t after_us)
{
    struct memory_clock *clock = &reader->client->clock;
    int64_t at = clock->now(clock->ctx) + after_us;
    if (!reader->assigned || reader->paused || reader->closed || at >= reader->wake_at)
        return;
    reader->wake_at = at;
    reader->refs++;
    later(clock, after_us, reader_wake, reader);
}

static struct place *place_of(struct bus_reader *reader, struct memory_topic *topic, int32_t p)
{
    for (size_t i = 0; i < reader->place_count; i++)
        if (reader->places[i].topic == topic && reader->places[i].partition == p)
            return &reader->places[i];
    MEM_ROOM(reader->places, reader->place_count, reader->place_cap);
    struct place *place = &reader->places[reader->place_count++];
    const struct memory_partition *partition = &topic->partitions[p];
    int64_t at = reader->otherwise;
    for (size_t i = 0; i < reader->given_count; i++)
        if (reader->given[i].partition == p && strcmp(reader->given[i].topic, topic->name) == 0)
            at = reader->given[i].offset;
    if (at == BUS_EARLIEST)
        at = partition->first;
    else if (at == BUS_END)
        at = (int64_t)partition->count;
    *place = (struct place){topic, p, at};
    return place;
}

/* Fills `out` from one partition; false when the place is out of range. */
static bool collect(struct place *place, int64_t now, struct bus_record *out, size_t *n)
{
    const struct memory_partition *p = &place->topic->partitions[place->partition];
    if (place->next < p->first || place->next > (int64_t)p->count)
        return false;
    while (*n < DELIVER_MAX && place->next < (int64_t)p->count) {
        const struct memory_record *record = &p->records[place->next];
        if (record->visible_at > now) {
            place->next++; /* a later one is there: it looks like a gap */
            continue;
        }
        out[(*n)++] = (struct bus_record){.topic = place->topic->name,
                                          .partition = place->partition,
                                          .offset = place->next++,
                                          .key = record->key,
                                          .key_len = record->key_len,
                                          .value = record->value,
                                          .len = record->len};
    }
    return true;
}

static bool reader_collect(struct bus_reader *reader, struct bus_record *records, size_t *n)
{
    struct memory_clock *clock = &reader->client->log->clock;
    const int64_t now = clock->now(clock->ctx);
    for (size_t t = 0; t < reader->topic_count; t++) {
        struct memory_topic *topic = memory_topic_find(reader->client->log, reader->topics[t]);
        for (int32_t p = 0; topic && p < topic->partition_count; p++)
            if (!collect(place_of(reader, topic, p), now, records, n))
                return false;
    }
    return true;
}

static void reader_deliver(struct bus_reader *reader)
{
    struct bus_record records[DELIVER_MAX];
    size_t n = 0;
    if (reader->client->log->down || reader->client->cut) {
        reader_wake_in(reader, US_PER_S);
        return;
    }
    if (!reader_collect(reader, records, &n)) {
        struct err err = {0};
        err_set(&err, LEAT_ENOTFOUND, "offset out of range: records were deleted or lost");
        reader->assigned = false;
        reader->events->failed(reader->arg, &err);
        return;
    }
    if (n == DELIVER_MAX)
        reader_wake_in(reader, 0);
    if (n)
        reader->events->records(reader->arg, records, n);
}

static void reader_wake(void *arg)
{
    struct bus_reader *reader = arg;
    reader->wake_at = INT64_MAX;
    if (!reader->closed && reader->assigned && !reader->paused && !reader->client->dead)
        reader_deliver(reader);
    reader_unref(reader);
}

static bool reads(const struct bus_reader *reader, const char *topic)
{
    for (size_t i = 0; i < reader->topic_count; i++)
        if (strcmp(reader->topics[i], topic) == 0)
            return true;
    return false;
}

void memory_wake(struct memory_log *log, const char *topic, bool rung)
{
    struct memory_client *client;
    struct bus_reader *reader;
    DL_FOREACH (log->clients, client)
        DL_FOREACH (client->readers, reader) {
            struct memory_fate fate = {0};
            if (!reads(reader, topic))
                continue;
            if (rung && client->fate)
                client->fate(client->fate_ctx, MEMORY_DELIVER, topic, &fate);
            reader_wake_in(reader, rung && !fate.error ? fate.back_us : US_PER_S);
        }
}

static void ring(struct bus *bus, const char *topic)
{
    memory_wake(((struct memory_client *)bus)->log, topic, true);
}

static struct bus_reader *reader_open(struct bus *bus, const struct bus_reader_events *events,
                                      void *arg)
{
    struct bus_reader *reader = mem_alloc(sizeof *reader);
    reader->head.bus = bus;
    reader->client = (struct memory_client *)bus;
    reader->client->refs++;
    reader->events = events;
    reader->arg = arg;
    reader->wake_at = INT64_MAX;
    reader->refs = 1;
    DL_APPEND(reader->client->readers, reader);
    return reader;
}

static void assign(struct bus_reader *reader, const char *const *topics, size_t topic_count,
                   const struct bus_position *positions, size_t position_count, int64_t otherwise)
{
    free(reader->topics);
    free(reader->given);
    reader->topics = mem_array(topic_count + 1, sizeof *reader->topics);
    for (size_t i = 0; i < topic_count; i++)
        snprintf(reader->topics[i], sizeof reader->topics[i], "%s", topics[i]);
    reader->topic_count = topic_count;
    reader->given = mem_array(position_count + 1, sizeof *positions);
    if (position_count)
        memcpy(reader->given, positions, position_count * sizeof *positions);
    reader->given_count = position_count;
    reader->otherwise = otherwise;
    reader->place_count = 0;
    reader->assigned = true;
    for (size_t t = 0; t < topic_count && otherwise == BUS_END; t++) {
        struct memory_topic *topic = memory_topic_find(reader->client->log, topics[t]);
        for (int32_t p = 0; topic && p < topic->partition_count; p++)
            place_of(reader, topic, p); /* "the end" is that of now */
    }
    reader_wake_in(reader, 0);
}

static void pause_reader(struct bus_reader *reader, bool paused)
{
    reader->paused = paused;
    if (!paused)
        reader_wake_in(reader, 0);
}

static void reader_close(struct bus_reader *reader)
{
    if (!reader || reader->closed)
        return;
    reader->closed = true;
    DL_DELETE(reader->client->readers, reader);
    reader_unref(reader);
}

/* ---- the client -------------------------------------------------------------------------------
 */

static void client_leave(struct memory_client *c)
{
    while (c->readers)
        reader_close(c->readers);
    DL_DELETE(c->log->clients, c);
    c->dead = true;
}

static void close_bus(struct bus *bus)
{
    struct memory_client *c = (struct memory_client *)bus;
    if (!c)
        return;
    client_leave(c);
    struct request *open = c->open, *r;
    c->open = NULL;
    DL_FOREACH (open, r) {
        err_set(&r->err, LEAT_EUNREACHABLE, "the bus is closed");
        request_tell(r); /* it is freed when its turn on the clock comes */
    }
    client_unref(c);
}

void memory_bus_kill(struct bus *bus)
{
    struct memory_client *c = (struct memory_client *)bus;
    if (!c)
        return;
    client_leave(c);
    client_unref(c);
}

#define OPS(name, in_transaction)                                                                  \
    static const struct bus_ops name = {                                                           \
        .backend = "sim",                                                                          \
        .outbox_in_transaction = in_transaction,                                                   \
        .id = bus_id,                                                                              \
        .topics_make = topics_make,                                                                \
        .publish = publish,                                                                        \
        .ends = ends,                                                                              \
        .ring = ring,                                                                              \
        .trim = trim,                                                                              \
        .reader_open = reader_open,                                                                \
        .assign = assign,                                                                          \
        .pause = pause_reader,                                                                     \
        .reader_close = reader_close,                                                              \
        .close = close_bus,                                                                        \
    }
OPS(ops_embedded, true);
OPS(ops_kafka, false);

struct bus *memory_bus_open(struct memory_log *log, const struct memory_bus_options *options)
{
    struct memory_client *c = mem_alloc(sizeof *c);
    c->bus.ops = options->outbox_in_transaction ? &ops_embedded : &ops_kafka;
    c->log = log;
    c->clock = options->clock ? *options->clock : log->clock;
    c->producer = mem_string(options->producer ? options->producer : "");
    c->fate = options->fate;
    c->fate_ctx = options->fate_ctx;
    c->refs = 1;
    DL_APPEND(log->clients, c);
    return &c->bus;
}

void memory_bus_reset(struct bus *bus)
{
    struct memory_client *c = (struct memory_client *)bus;
    struct bus_reader *reader, *next;
    if (!c->bus.ops->outbox_in_transaction)
        return;
    DL_FOREACH_SAFE(c->readers, reader, next)
    {
        if (!reader->assigned)
            continue;
        reader->assigned = false;
        reader->events->reset(reader->arg);
    }
}

void memory_bus_set_cut(struct bus *bus, bool cut)
{
    ((struct memory_client *)bus)->cut = cut;
}

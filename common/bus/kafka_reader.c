/* A reader: one consumer handle without a group, each partition from an offset that is ours. A
 * look asks the broker where the partitions begin and end before any of them is started, so that
 * an offset that is not there is seen and said with figures; librdkafka reads on from there, and
 * each record must bear the offset that is due.
 * What is read ahead is bounded by queued.max.messages.kbytes; a paused reader just takes nothing
 * out of its queue. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/bus/kafka_internal.h"

#define BATCH_RECORDS 500               /* in one callback */
#define BATCHES       8                 /* in one turn of the loop */
#define LOOK_US       (10 * US_PER_S)   /* for partitions that are new, topics that are gone */
#define LOOK_SOON_US  (200 * US_PER_MS) /* while one is missing */
#define GONE_US       (10 * US_PER_S)   /* a topic that was there and is missing so long is gone */

struct mark { /* where it stands in one partition */
    int slot; /* of its topic in the assignment */
    int32_t partition;
    int64_t offset; /* next to read, BUS_EARLIEST or BUS_END */
    bool started;
};

struct bus_reader {
    struct bus_reader_head head;
    struct bus_reader *prev, *next;
    struct kafka *k;
    struct bus_reader_events events;
    void *arg;
    struct kafka_client *client;
    rd_kafka_queue_t *records; /* of this assignment */
    rd_kafka_topic_t **rkts;
    char (*topics)[BUS_TOPIC_MAX];
    size_t topic_count;
    bool *seen; /* of each topic: it was there */
    struct mark *marks;
    size_t mark_count, mark_cap;
    int64_t otherwise;
    struct uuid bus;     /* on which it was assigned; nil = not known then */
    int64_t gone_us;     /* since when a topic that was there is missing; 0 = none is */
    unsigned generation; /* raised by assign: older answers are void */
    int refs;            /* the owner, surveys, a running callback, a deferred take */
    bool closed, assigned, looked, looking, paused, taking;
    struct loop_timer look;
};

static void look(void *arg);
static void take_later(struct bus_reader *r);

static void hold(struct bus_reader *r)
{
    r->refs++;
}

static void release(struct bus_reader *r)
{
    if (--r->refs > 0)
        return;
    struct kafka *k = r->k;
    free(r->topics);
    free(r->seen);
    free(r->marks);
    free(r->rkts);
    free(r);
    kafka_release(k);
}

/* ---- stopping ---------------------------------------------------------------------------------
 */

static void stop_all(struct bus_reader *r)
{
    for (size_t i = 0; i < r->mark_count; i++)
        if (r->marks[i].started)
            rd_kafka_consume_stop(r->rkts[r->marks[i].slot], r->marks[i].partition);
    for (size_t i = 0; i < r->topic_count; i++)
        if (r->rkts[i])
            rd_kafka_topic_destroy(TAKE(r->rkts[i]));
    if (r->records)
        rd_kafka_queue_destroy(TAKE(r->records));
    r->mark_count = 0;
    r->assigned = false;
    r->generation++;
    loop_timer_stop(&r->look);
}

static void fail(struct bus_reader *r, const struct err *err)
{
    const struct err copy = *err;
    stop_all(r);
    if (r->events.failed)
        r->events.failed(r->arg, &copy);
}

static void fail_range(struct bus_reader *r, const struct mark *mark, int64_t first, int64_t end)
{
    struct err err = {0};
    const char *topic = r->topics[mark->slot];
    if (mark->offset < first)
        err_set(&err, LEAT_EREFUSED,
                "%s/%d is to be read from offset %" PRId64 ", but records below %" PRId64
                " have been deleted: what they said is lost. Nothing is skipped by itself; to go "
                "on without them, set the stored offset to %" PRId64,
                topic, mark->partition, mark->offset, first, first);
    else
        err_set(&err, LEAT_EREFUSED,
                "%s/%d is to be read from offset %" PRId64 ", but it ends at %" PRId64
                ": Kafka has lost records, or the offsets are those of another topic of that name; "
                "restore both from one backup",
                topic, mark->partition, mark->offset, end);
    fail(r, &err);
}

static void fail_gap(struct bus_reader *r, const struct mark *mark, int64_t found)
{
    struct err err = {0};
    err_set(&err, LEAT_EREFUSED,
            "%s/%d: offsets %" PRId64 " to %" PRId64
            " are missing: a record is damaged, the topic is compacted, or somebody writes "
            "transactions into it; Leat's topics are for Leat alone",
            r->topics[mark->slot], mark->partition, mark->offset, found - 1);
    fail(r, &err);
}

static void fail_gone(struct bus_reader *r, const char *topic)
{
    struct err err = {0};
    struct kafka *k = r->k;
    err_set(&err, LEAT_EREFUSED,
            "the topic %s is gone: it was deleted, or Kafka was replaced. What it held is lost; "
            "start Leat again to go on with a new one",
            topic);
    kafka_hold(k);
    fail(r, &err);
    kafka_seek_again(k);
    kafka_release(k);
}

/* ---- looking ----------------------------------------------------------------------------------
 */

static struct mark *mark_of(struct bus_reader *r, int slot, int32_t partition)
{
    for (size_t i = 0; i < r->mark_count; i++)
        if (r->marks[i].slot == slot && r->marks[i].partition == partition)
            return &r->marks[i];
    return NULL;
}

static struct mark *mark_add(struct bus_reader *r, int slot, int32_t partition, int64_t offset)
{
    MEM_ROOM(r->marks, r->mark_count, r->mark_cap);
    struct mark *mark = &r->marks[r->mark_count++];
    *mark = (struct mark){.slot = slot, .partition = partition, .offset = offset};
    return mark;
}

/* False when the reader has failed over it. */
static bool start(struct bus_reader *r, struct mark *mark, const struct kafka_range *range)
{
    struct err err = {0};
    if (mark->offset == BUS_EARLIEST)
        mark->offset = range->first;
    else if (mark->offset == BUS_END)
        mark->offset = range->end;
    if (mark->offset < range->first || mark->offset > range->end) {
        fail_range(r, mark, range->first, range->end);
        return false;
    }
    if (rd_kafka_consume_start_queue(r->rkts[mark->slot], mark->partition, mark->offset,
                                     r->records) == 0) {
        mark->started = true;
        return true;
    }
    const rd_kafka_resp_err_t code = rd_kafka_last_error();
    err_set(&err, kafka_code(code), "%s/%d cannot be read: %s", r->topics[mark->slot],
            mark->partition, rd_kafka_err2str(code));
    fail(r, &err);
    return false;
}

static bool take_range(struct bus_reader *r, const struct kafka_range *range)
{
    struct mark *mark = mark_of(r, range->slot, range->partition);
    if (!mark) /* one that came after the assignment has nothing that came before it */
        mark = mark_add(r, range->slot, range->partition, r->looked ? BUS_EARLIEST : r->otherwise);
    return mark->started || start(r, mark, range);
}

/* Is a topic missing? The name of one that was there before, "" for one that never was. */
static const char *missing(struct bus_reader *r, const struct kafka_survey *survey)
{
    const char *found = NULL;
    for (size_t i = 0; i < r->topic_count; i++) {
        if (survey->partitions[i] > 0)
            r->seen[i] = true;
        else if (r->seen[i])
            return r->topics[i];
        else
            found = "";
    }
    return found;
}

static void look_in(struct bus_reader *r, int64_t us)
{
    if (!loop_timer_armed(&r->look) || r->look.due_us > clock_monotonic_us() + us)
        loop_timer_start(r->k->loop, &r->look, us, 0, look, r);
}

static void take_survey(struct bus_reader *r, const struct kafka_survey *survey)
{
    if (survey->err.code) {
        log_debug("reader", LOG_ERR(&survey->err));
        look_in(r, LOOK_SOON_US);
        return;
    }
    const char *lacks = missing(r, survey);
    if (!lacks || !*lacks)
        r->gone_us = 0;
    else if (!r->gone_us)
        r->gone_us = clock_monotonic_us();
    else if (clock_monotonic_us() - r->gone_us > GONE_US) {
        fail_gone(r, lacks);
        return;
    }
    for (size_t i = 0; i < survey->found_count; i++)
        if (!take_range(r, &survey->found[i]))
            return;
    r->looked = true;
    look_in(r, lacks ? LOOK_SOON_US : LOOK_US);
}

struct looking {
    struct bus_reader *reader;
    unsigned generation;
};

static void surveyed(void *arg, const struct kafka_survey *survey)
{
    struct looking *looking = arg;
    struct bus_reader *r = looking->reader;
    const bool current = looking->generation == r->generation && !r->closed && r->assigned;
    free(looking);
    r->looking = false;
    if (current)
        take_survey(r, survey);
    else if (!r->closed && r->assigned)
        look(r); /* of the assignment that replaced it */
    release(r);
}

/* An offset counts on the bus that it was read from only. */
static bool is_another_bus(const struct bus_reader *r)
{
    return !uuid_is_nil(&r->bus) && uuid_compare(&r->bus, &r->k->id) != 0;
}

static void look(void *arg)
{
    struct bus_reader *r = arg;
    const bool ready = r->k->state == KAFKA_READY || r == r->k->namer;
    if (!r->assigned || r->looking || r->topic_count == 0 || !ready)
        return; /* when the bus is ready it is called again */
    if (r != r->k->namer && is_another_bus(r)) {
        struct err err = {0};
        err_set(&err, LEAT_EREFUSED,
                "the bus is another one than the offsets are of: Kafka was replaced");
        fail(r, &err);
        return;
    }
    struct looking *looking = mem_alloc(sizeof *looking);
    *looking = (struct looking){r, r->generation};
    cleanup_free const char **names = mem_array(r->topic_count, sizeof *names);
    for (size_t i = 0; i < r->topic_count; i++)
        names[i] = r->topics[i];
    r->looking = true;
    hold(r);
    kafka_survey(r->k, r->client, names, r->topic_count, true, surveyed, looking);
}

void kafka_readers_look(struct kafka *k)
{
    struct bus_reader *r;
    DL_FOREACH (k->readers, r) /* from timers: a look may call back */
        if (r->assigned && !r->closed)
            look_in(r, 0);
}

/* ---- records ----------------------------------------------------------------------------------
 */

static int slot_of(const struct bus_reader *r, const rd_kafka_message_t *m)
{
    const char *topic = m->rkt ? rd_kafka_topic_name(m->rkt) : "";
    for (size_t i = 0; i < r->topic_count; i++)
        if (strcmp(topic, r->topics[i]) == 0)
            return (int)i;
    return -1;
}

/* Reading goes on from where it stands, after the next look has found that offset. */
static void restart(struct bus_reader *r, struct mark *mark)
{
    if (mark && mark->started) {
        rd_kafka_consume_stop(r->rkts[mark->slot], mark->partition);
        mark->started = false;
    }
    look_in(r, LOOK_SOON_US);
}

static void take_error(struct bus_reader *r, struct mark *mark, const rd_kafka_message_t *m)
{
    struct err err = {0};
    const char *topic = mark ? r->topics[mark->slot] : "";
    if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || kafka_is_missing(m->err)) {
        restart(r, mark); /* the look says with figures what is wrong, if it still is */
        return;
    }
    switch (m->err) {
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
        err_set(&err, LEAT_EIO, "%s/%d: the records at offset %" PRId64 " are damaged: %s", topic,
                m->partition, mark ? mark->offset : -1, rd_kafka_message_errstr(m));
        fail(r, &err);
        return;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        err_set(&err, LEAT_EAUTH, "%s may not be read with this user: %s", topic,
                rd_kafka_message_errstr(m));
        fail(r, &err);
        return;
    default: { /* it goes on by itself */
        int64_t left_out = 0;
        if (kafka_told_now(r->client, rd_kafka_err2name(m->err), &left_out))
            log_warn("reading from Kafka is interrupted", LOG_S("topic", topic),
                     LOG_S("error", rd_kafka_message_errstr(m)), LOG_I("left_out", left_out));
        return;
    }
    }
}

static void take_record(struct bus_record *out, const struct bus_reader *r, const struct mark *mark,
                        const rd_kafka_message_t *m)
{
    *out = (struct bus_record){.topic = r->topics[mark->slot],
                               .partition = m->partition,
                               .offset = m->offset,
                               .key = m->key,
                               .key_len = m->key_len,
                               .value = m->payload ? m->payload : "",
                               .len = m->len};
}

static void deliver(struct bus_reader *r, const struct bus_record *records, size_t n)
{
    if (n == 0)
        return;
    metric_add(&KAFKA_METRIC[KAFKA_METRIC_READ], (int64_t)n);
    r->events.records(r->arg, records, n);
}

/* Records up to the first that is none are given on in one call. */
static void take_batch(struct bus_reader *r, rd_kafka_message_t *const *messages, size_t n)
{
    struct bus_record records[BATCH_RECORDS];
    size_t count = 0;
    const unsigned generation = r->generation;
    for (size_t i = 0; i < n && generation == r->generation; i++) {
        const rd_kafka_message_t *m = messages[i];
        const int slot = slot_of(r, m);
        struct mark *mark = slot < 0 ? NULL : mark_of(r, slot, m->partition);
        if (!m->err && mark && m->offset == mark->offset) {
            take_record(&records[count++], r, mark, m);
            mark->offset++;
            continue;
        }
        if (!m->err && (!mark || m->offset < mark->offset))
            continue; /* was read before it was started again */
        deliver(r, records, count);
        count = 0;
        if (generation != r->generation || r->closed)
            return;
        if (m->err)
            take_error(r, mark, m);
        else
            fail_gap(r, mark, m->offset);
    }
    if (generation == r->generation && !r->closed)
        deliver(r, records, count);
}

static size_t take_some(struct bus_reader *r)
{
    rd_kafka_message_t *messages[BATCH_RECORDS];
    const ssize_t n = rd_kafka_consume_batch_queue(r->records, 0, messages, BATCH_RECORDS);
    if (n <= 0)
        return 0;
    take_batch(r, messages, (size_t)n);
    for (ssize_t i = 0; i < n; i++)
        rd_kafka_message_destroy(messages[i]);
    return (size_t)n;
}

static void take(struct bus_reader *r)
{
    hold(r);
    for (int i = 0; i < BATCHES && !r->closed && r->assigned && !r->paused; i++)
        if (take_some(r) == 0) {
            release(r);
            return;
        }
    take_later(r); /* others have their turn */
    release(r);
}

static void take_deferred(void *arg)
{
    struct bus_reader *r = arg;
    r->taking = false;
    if (!r->closed && r->assigned && !r->paused)
        take(r);
    release(r);
}

static void take_later(struct bus_reader *r)
{
    if (r->taking || r->closed || !r->assigned || r->paused)
        return;
    r->taking = true;
    hold(r);
    loop_defer(r->k->loop, take_deferred, r);
}

static void woken(void *arg)
{
    struct bus_reader *r = arg;
    if (!r->closed && r->assigned && !r->paused && !r->taking)
        take(r);
}

static void client_event(void *arg, rd_kafka_event_t *event)
{
    (void)arg, (void)event; /* none of ours */
}

/* ---- the object -------------------------------------------------------------------------------
 */

struct bus_reader *kafka_reader_open(struct bus *bus, const struct bus_reader_events *events,
                                     void *arg)
{
    struct kafka *k = (struct kafka *)bus;
    struct bus_reader *r = mem_alloc(sizeof *r);
    struct err err = {0};
    r->head.bus = bus;
    r->k = k;
    r->events = *events;
    r->arg = arg;
    r->refs = 1;
    r->client =
        kafka_client_open(k->loop, &k->options, RD_KAFKA_CONSUMER, client_event, woken, r, &err);
    if (!r->client) { /* the same settings made the producer: no threads are to be had */
        log_error("no reader can be opened; this process ends", LOG_ERR(&err));
        abort();
    }
    kafka_hold(k);
    DL_APPEND(k->readers, r);
    return r;
}

void kafka_reader_assign(struct bus_reader *r, const char *const *topics, size_t topic_count,
                         const struct bus_position *positions, size_t position_count,
                         int64_t otherwise)
{
    stop_all(r);
    free(r->topics);
    free(r->seen);
    free(r->rkts);
    r->topics = mem_array(topic_count + 1, sizeof *r->topics);
    r->seen = mem_array(topic_count + 1, sizeof *r->seen);
    r->rkts = mem_array(topic_count + 1, sizeof(rd_kafka_topic_t *));
    r->topic_count = topic_count;
    for (size_t i = 0; i < topic_count; i++) {
        snprintf(r->topics[i], BUS_TOPIC_MAX, "%s", topics[i]);
        r->rkts[i] = rd_kafka_topic_new(r->client->rk, r->topics[i], NULL);
    }
    for (size_t i = 0; i < position_count; i++)
        for (size_t slot = 0; slot < topic_count; slot++)
            if (strcmp(positions[i].topic, topics[slot]) == 0)
                mark_add(r, (int)slot, positions[i].partition, positions[i].offset);
    r->records = rd_kafka_queue_new(r->client->rk);
    kafka_client_wake(r->client, r->records);
    r->otherwise = otherwise;
    r->bus = r->k->id_known ? r->k->id : (struct uuid){0};
    r->gone_us = 0;
    r->assigned = true;
    r->looked = false;
    look_in(r, 0);
}

void kafka_reader_pause(struct bus_reader *r, bool paused)
{
    r->paused = paused;
    take_later(r);
}

void kafka_reader_close(struct bus_reader *r)
{
    if (!r || r->closed)
        return;
    stop_all(r);
    r->closed = true;
    DL_DELETE(r->k->readers, r);
    kafka_client_close(r->client);
    release(r);
}

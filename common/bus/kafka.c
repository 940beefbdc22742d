/* The object: which bus it is, and what happens when that changes. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/bus/kafka_internal.h"

#define SEEK_FIRST_US (50 * US_PER_MS)
#define SEEK_MOST_US  US_PER_S
#define SAY_AGAIN_US  (30 * US_PER_S)

static void seek(void *arg);

void kafka_hold(struct kafka *k)
{
    k->refs++;
}

void kafka_release(struct kafka *k)
{
    if (--k->refs > 0)
        return;
    kafka_options_free(&k->options);
    free(k);
}

/* ---- which bus it is --------------------------------------------------------------------------
 */

static void seek_later(struct kafka *k)
{
    k->state = KAFKA_SEEKING;
    loop_timer_start(k->loop, &k->seek, k->seek_us, 0, seek, k);
    k->seek_us = k->seek_us * 2 < SEEK_MOST_US ? k->seek_us * 2 : SEEK_MOST_US;
}

static void say(struct kafka *k, const char *what, const char *detail)
{
    const int64_t now = clock_monotonic_us();
    if (k->told_us && now - k->told_us < SAY_AGAIN_US)
        return;
    k->told_us = now;
    log_warn(what, LOG_S("brokers", k->options.brokers), LOG_S("detail", detail));
}

static void named(struct kafka *k, const void *value, size_t len)
{
    struct uuid name = {0};
    if (len == sizeof name.b)
        memcpy(name.b, value, len);
    else
        log_warn("the record that names this bus is not ours", LOG_I("bytes", len));
    const struct uuid id = uuid_v5(&name, k->cluster, strlen(k->cluster));
    if (k->id_known && uuid_compare(&id, &k->id) != 0)
        log_error("the bus is another one than before: Kafka was replaced or formatted anew");
    k->id = id;
    k->id_known = true;
    k->state = KAFKA_READY;
    k->seek_us = SEEK_FIRST_US;
    k->told_us = 0;
    log_info("the bus answers", LOG_S("brokers", k->options.brokers), LOG_S("cluster", k->cluster),
             LOG_I("count", k->brokers));
    kafka_producer_pump(k);
    if (!k->closed)
        kafka_asks_pump(k);
    if (!k->closed)
        kafka_readers_look(k);
}

static void name_read(void *arg, const struct bus_record *records, size_t n)
{
    struct kafka *k = arg;
    (void)n;
    kafka_hold(k);
    kafka_reader_close(TAKE(k->namer));
    named(k, records[0].value, records[0].len);
    kafka_release(k);
}

static void name_failed(void *arg, const struct err *err)
{
    struct kafka *k = arg;
    say(k, "the record that names this bus cannot be read", err->text);
    kafka_reader_close(TAKE(k->namer));
    seek_later(k);
}

static void read_name(struct kafka *k)
{
    static const struct bus_reader_events events = {.records = name_read, .failed = name_failed};
    const char *topic = KAFKA_BUS_TOPIC;
    k->state = KAFKA_NAMING;
    k->namer = kafka_reader_open(&k->base, &events, k);
    kafka_reader_assign(k->namer, &topic, 1, NULL, 0, BUS_EARLIEST);
}

/* Two that write a name at once: the first record counts, for both. */
static void name_written(void *arg, const struct err *err, int32_t partition, int64_t offset)
{
    struct kafka *k = arg;
    (void)partition, (void)offset;
    if (k->closed)
        return;
    if (err)
        say(k, "the record that names this bus was not written", err->text);
    seek_later(k);
}

static void write_name(struct kafka *k)
{
    struct uuid name;
    random_bytes(name.b, sizeof name.b);
    k->state = KAFKA_MARKING;
    kafka_publish_name(k, &name, name_written);
}

static void name_topic_made(void *arg, const struct err *err)
{
    struct kafka *k = arg;
    if (k->closed)
        return;
    if (err)
        say(k, "the topic leat.bus was not made", err->text);
    seek_later(k);
}

static void make_name_topic(struct kafka *k)
{
    k->state = KAFKA_MARKING;
    kafka_make_now(k, KAFKA_BUS_TOPIC, name_topic_made);
}

static bool may_be_used(struct kafka *k, const struct kafka_survey *survey)
{
    if (survey->err.code) {
        say(k, "Kafka does not answer", survey->err.text);
        return false;
    }
    if (*survey->far && !k->options.tls && !k->options.insecure) {
        say(k,
            "Kafka names a broker on another machine and would be spoken to in plain text: "
            "set bus-tls, or bus-insecure where the network is trusted",
            survey->far);
        return false;
    }
    return true;
}

static void sought(void *arg, const struct kafka_survey *survey)
{
    struct kafka *k = arg;
    if (k->closed)
        return;
    if (!may_be_used(k, survey)) {
        seek_later(k);
        return;
    }
    k->brokers = survey->brokers;
    memcpy(k->cluster, survey->cluster, sizeof k->cluster);
    const bool there = survey->partitions[0] > 0, written = there && survey->found[0].end > 0;
    if (written) {
        read_name(k);
    } else if (k->options.make) {
        if (there)
            write_name(k);
        else
            make_name_topic(k);
    } else {
        say(k, "this Kafka has no Leat yet: a leat-scheduler makes it", KAFKA_BUS_TOPIC);
        seek_later(k);
    }
}

static void seek(void *arg)
{
    struct kafka *k = arg;
    const char *topic = KAFKA_BUS_TOPIC;
    kafka_survey(k, k->client, &topic, 1, true, sought, k);
}

void kafka_seek_again(struct kafka *k)
{
    if (k->state == KAFKA_READY && !k->closed)
        seek_later(k);
}

static const struct uuid *bus_id(struct bus *bus)
{
    struct kafka *k = (struct kafka *)bus;
    return k->id_known ? &k->id : NULL;
}

/* ---- the client -------------------------------------------------------------------------------
 */

static void client_event(void *arg, rd_kafka_event_t *event)
{
    struct kafka *k = arg;
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_DR:
        kafka_producer_delivered(k, event);
        return;
    case RD_KAFKA_EVENT_CREATETOPICS_RESULT:
    case RD_KAFKA_EVENT_DELETERECORDS_RESULT:
        kafka_asks_result(k, event);
        return;
    case RD_KAFKA_EVENT_ERROR: /* fatal: this producer sends nothing any more */
        kafka_client_failed(k);
        return;
    default:
        return;
    }
}

static int open_client(struct kafka *k, struct err *err)
{
    k->client =
        kafka_client_open(k->loop, &k->options, RD_KAFKA_PRODUCER, client_event, NULL, k, err);
    return k->client ? 0 : LEAT_EINPUT;
}

/* An idempotent producer that lost count (the broker forgot it, or was formatted anew) may not go
 * on; what it has not delivered is unknown, and a new one counts from the start. */
void kafka_client_failed(struct kafka *k)
{
    struct err err = {0};
    struct kafka_client *old = k->client;
    if (open_client(k, &err) < 0) {
        k->client = old;
        say(k, "the producer cannot be made anew", err.text);
        return;
    }
    log_warn("the producer is made anew: the old one may not send any more");
    kafka_hold(k);
    kafka_client_close(old);
    kafka_producer_forget(k);
    if (!k->closed)
        kafka_asks_forget(k);
    if (!k->closed && k->state == KAFKA_READY)
        kafka_producer_pump(k);
    kafka_release(k);
}

/* ---- the object -------------------------------------------------------------------------------
 */

static void ring(struct bus *bus, const char *topic)
{
    (void)bus, (void)topic; /* the broker itself wakes who reads */
}

static void close_bus(struct bus *bus)
{
    struct kafka *k = (struct kafka *)bus;
    if (!k)
        return;
    k->closed = true;
    loop_timer_stop(&k->seek);
    kafka_reader_close(TAKE(k->namer));
    kafka_producer_close(k);
    kafka_asks_close(k);
    kafka_surveys_close(k);
    kafka_client_close(TAKE(k->client));
    kafka_release(k);
}

static const struct bus_ops kafka_ops = {
    .backend = "kafka",
    .outbox_in_transaction = false,
    .id = bus_id,
    .topics_make = kafka_topics_make,
    .publish = kafka_publish,
    .ends = kafka_ends,
    .ring = ring,
    .trim = kafka_trim,
    .reader_open = kafka_reader_open,
    .assign = kafka_reader_assign,
    .pause = kafka_reader_pause,
    .reader_close = kafka_reader_close,
    .close = close_bus,
};

struct bus *kafka_open(struct loop *loop, const struct kafka_options *options, struct err *err)
{
    if (kafka_options_check(options, err) < 0)
        return NULL;
    kafka_metrics_register();
    struct kafka *k = mem_alloc(sizeof *k);
    k->base.ops = &kafka_ops;
    k->loop = loop;
    k->refs = 1;
    k->seek_us = SEEK_FIRST_US;
    kafka_options_copy(&k->options, options);
    if (open_client(k, err) < 0) {
        kafka_release(k);
        return NULL;
    }
    loop_timer_start(loop, &k->seek, 0, 0, seek, k);
    return &k->base;
}

/* The producer. A record waits here until the bus has its id and the topic is known to be there,
 * then flies: it is librdkafka's, whose delivery report answers it. One bound for both. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/bus/kafka_internal.h"

#define DEADLINE_US (7 * US_PER_S)
#define TICK_US     (50 * US_PER_MS)
#define AGAIN_US    (100 * US_PER_MS)
#define ASK_TOPICS  256 /* in one question */

static void keep_deadlines(void *arg);

/* ---- answering --------------------------------------------------------------------------------
 */

static void count_answer(struct kafka *k, struct kafka_message *m, const struct err *err)
{
    k->producer.count--;
    k->producer.bytes -= m->key_len + m->len;
    metric_set(&KAFKA_METRIC[KAFKA_METRIC_WAITING], (int64_t)k->producer.count);
    if (err)
        series_add(metric_with(&KAFKA_METRIC[KAFKA_METRIC_FAILED], err_name(err->code), NULL), 1);
    else
        metric_observe(&KAFKA_METRIC[KAFKA_METRIC_PUBLISH], clock_monotonic_us() - m->began_us);
}

/* Once; a message that flies stays until librdkafka gives it back. */
static void answer(struct kafka *k, struct kafka_message *m, const struct err *err,
                   int32_t partition, int64_t offset)
{
    bus_delivered *delivered = TAKE(m->delivered);
    if (!delivered)
        return;
    if (!m->refusal)
        count_answer(k, m, err);
    delivered(m->arg, err, partition, offset);
}

static void message_free(struct kafka_message *m)
{
    free(m->topic);
    free(m->key);
    free(m->value);
    free(m->refusal);
    free(m);
}

static void drop(struct kafka *k, struct kafka_message **list, struct kafka_message *m,
                 const struct err *err)
{
    DL_DELETE(*list, m);
    answer(k, m, err, -1, -1);
    message_free(m);
}

/* ---- taking in --------------------------------------------------------------------------------
 */

static void pump_deferred(void *arg)
{
    struct kafka *k = arg;
    k->producer.pumping = false;
    kafka_producer_pump(k);
    kafka_release(k);
}

/* Publishes of one iteration of the loop travel together. */
static void pump_later(struct kafka *k)
{
    if (k->producer.pumping)
        return;
    k->producer.pumping = true;
    kafka_hold(k);
    loop_defer(k->loop, pump_deferred, k);
}

static int check(const struct kafka *k, const char *topic, size_t key_len, size_t len,
                 struct err *err)
{
    const struct kafka_producer *p = &k->producer;
    if (k->closed)
        return err_set(err, LEAT_EUNREACHABLE, "the bus is closed");
    if (strlen(topic) >= BUS_TOPIC_MAX)
        return err_set(err, LEAT_EINPUT, "the name of a topic has at most %d characters",
                       BUS_TOPIC_MAX - 1);
    if (len > BUS_RECORD_MAX || key_len > BUS_RECORD_MAX / 2)
        return err_set(err, LEAT_ELIMIT,
                       "a record has at most %d bytes and a key half of that, not %zu and %zu",
                       BUS_RECORD_MAX, len, key_len);
    if (p->count >= KAFKA_WAITING_MAX || p->bytes + key_len + len > KAFKA_WAITING_BYTES_MAX)
        return err_set(err, LEAT_EFULL, "%zu records wait for Kafka already", p->count);
    return 0;
}

static void take_in(struct kafka *k, struct kafka_message *m, const char *topic, const void *key,
                    size_t key_len, const void *value, size_t len)
{
    struct kafka_producer *p = &k->producer;
    m->topic = mem_string(topic);
    m->key = key ? mem_bytes(key, key_len) : NULL;
    m->key_len = key ? key_len : 0;
    m->value = len ? mem_bytes(value, len) : NULL;
    m->len = len;
    DL_APPEND(p->waiting, m);
    p->count++;
    p->bytes += m->key_len + len;
    metric_set(&KAFKA_METRIC[KAFKA_METRIC_WAITING], (int64_t)p->count);
    if (!loop_timer_armed(&p->deadlines) || p->deadlines.due_us > m->deadline_us)
        loop_timer_start(k->loop, &p->deadlines, m->deadline_us - m->began_us, 0, keep_deadlines,
                         k);
}

void kafka_publish(struct bus *bus, const char *topic, const void *key, size_t key_len,
                   const void *value, size_t len, int64_t deadline_us, bus_delivered *delivered,
                   void *arg)
{
    struct kafka *k = (struct kafka *)bus;
    struct err err = {0};
    struct kafka_message *m = mem_alloc(sizeof *m);
    m->delivered = delivered;
    m->arg = arg;
    m->began_us = clock_monotonic_us();
    m->deadline_us = m->began_us + (deadline_us ? deadline_us : DEADLINE_US);
    pump_later(k);
    if (check(k, topic, key_len, len, &err) == 0) {
        take_in(k, m, topic, key, key_len, value, len);
        return;
    }
    m->refusal = mem_alloc(sizeof err);
    *m->refusal = err;
    DL_APPEND(k->producer.refused, m);
}

/* ---- deadlines --------------------------------------------------------------------------------
 */

static void expire(struct kafka *k, struct kafka_message *m, bool flies)
{
    struct err err = {0};
    if (flies) {
        err_set(&err, LEAT_EUNKNOWN, "no delivery report of %s in time", m->topic);
        answer(k, m, &err, -1, -1);
        return;
    }
    err_set(&err, LEAT_EUNREACHABLE, "Kafka at %s was not reached in time", k->options.brokers);
    drop(k, &k->producer.waiting, m, &err);
}

static int64_t expire_list(struct kafka *k, struct kafka_message **list, bool flies, int64_t now)
{
    int64_t next = INT64_MAX;
    struct kafka_message *m = *list, *after;
    for (; m && !k->closed; m = after) { /* a callback that closes frees the lists */
        after = m->next;
        if (m->delivered && m->deadline_us <= now)
            expire(k, m, flies);
        else if (m->delivered && m->deadline_us < next)
            next = m->deadline_us;
    }
    return next;
}

static void keep_deadlines(void *arg)
{
    struct kafka *k = arg;
    const int64_t now = clock_monotonic_us();
    kafka_hold(k);
    /* Callbacks append to `waiting` at most, behind what we walk. */
    const int64_t a = expire_list(k, &k->producer.waiting, false, now);
    const int64_t b = expire_list(k, &k->producer.flying, true, now);
    const int64_t next = a < b ? a : b;
    if (next != INT64_MAX && !k->closed)
        loop_timer_start(k->loop, &k->producer.deadlines,
                         next - now > TICK_US ? next - now : TICK_US, 0, keep_deadlines, k);
    kafka_release(k);
}

/* ---- topics -----------------------------------------------------------------------------------
 */

static struct kafka_outlet *outlet_of(struct kafka *k, const char *topic)
{
    struct kafka_outlet *o = NULL;
    HASH_FIND_STR(k->producer.outlets, topic, o);
    if (o)
        return o;
    o = mem_alloc(sizeof *o);
    snprintf(o->name, sizeof o->name, "%s", topic);
    HASH_ADD_STR(k->producer.outlets, name, o);
    return o;
}

static void outlet_forget(struct kafka_outlet *o)
{
    if (o->rkt)
        rd_kafka_topic_destroy(TAKE(o->rkt));
    o->missing = false;
}

static void outlets_forget(struct kafka *k)
{
    for (struct kafka_outlet *o = k->producer.outlets; o; o = o->hh.next)
        outlet_forget(o);
}

static void ask_again(void *arg)
{
    struct kafka *k = arg;
    k->producer.asking = false;
    kafka_producer_pump(k);
}

static void topics_told(void *arg, const struct kafka_survey *survey)
{
    struct kafka *k = arg;
    if (k->closed)
        return;
    for (size_t i = 0; i < survey->topic_count; i++) {
        struct kafka_outlet *o = outlet_of(k, survey->topics[i]);
        o->asking = false;
        if (survey->err.code || survey->client != k->client)
            continue;
        o->missing = survey->partitions[i] == 0;
        if (!o->missing && !o->rkt)
            o->rkt = rd_kafka_topic_new(k->client->rk, o->name, NULL);
    }
    if (survey->err.code) {
        loop_timer_start(k->loop, &k->producer.again, AGAIN_US, 0, ask_again, k);
        return;
    }
    k->producer.asking = false;
    kafka_producer_pump(k);
    for (size_t i = 0; i < survey->topic_count && !k->closed; i++)
        outlet_of(k, survey->topics[i])->missing = false; /* the next publish asks again */
}

/* Of the topics that messages wait for; when nobody answers, it asks again until their deadline. */
static void ask_topics(struct kafka *k)
{
    const char *names[ASK_TOPICS];
    size_t n = 0;
    struct kafka_message *m;
    if (k->producer.asking)
        return;
    DL_FOREACH (k->producer.waiting, m) {
        struct kafka_outlet *o = outlet_of(k, m->topic);
        if (o->rkt || o->asking || n == ASK_TOPICS)
            continue;
        o->asking = true;
        names[n++] = o->name;
    }
    if (n == 0)
        return;
    k->producer.asking = true;
    kafka_survey(k, k->client, names, n, false, topics_told, k);
}

/* ---- sending ----------------------------------------------------------------------------------
 */

static void fly(struct kafka *k, struct kafka_message *m, rd_kafka_topic_t *rkt)
{
    struct err err = {0};
    DL_DELETE(k->producer.waiting, m);
    DL_APPEND(k->producer.flying, m);
    if (rd_kafka_produce(rkt, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_FREE, m->value, m->len, m->key,
                         m->key_len, m) == 0) {
        m->value = NULL; /* librdkafka frees it */
        free(TAKE(m->key));
        return;
    }
    const rd_kafka_resp_err_t code = rd_kafka_last_error();
    err_set(&err, kafka_code(code), "%s: %s", m->topic, rd_kafka_err2str(code));
    if (kafka_is_missing(code))
        outlet_forget(outlet_of(k, m->topic));
    drop(k, &k->producer.flying, m, &err);
}

static void send_waiting(struct kafka *k)
{
    struct kafka_message *m = k->producer.waiting, *next;
    const struct kafka_message *last = m ? m->prev : NULL; /* callbacks may append more */
    struct err err = {0};
    bool more = m != NULL;
    for (; more && !k->closed; m = next) {
        next = m->next;
        more = m != last && next;
        struct kafka_outlet *o = outlet_of(k, m->topic);
        if (o->missing) {
            err_set(&err, LEAT_ENOTFOUND, "there is no topic %s yet: the leader makes it",
                    m->topic);
            drop(k, &k->producer.waiting, m, &err);
        } else if (o->rkt) {
            fly(k, m, o->rkt);
        }
    }
}

static void answer_refused(struct kafka *k)
{
    struct kafka_message *refused = TAKE(k->producer.refused);
    while (refused) {
        struct kafka_message *m = refused;
        DL_DELETE(refused, m);
        answer(k, m, m->refusal, -1, -1);
        message_free(m);
    }
}

void kafka_producer_pump(struct kafka *k)
{
    kafka_hold(k);
    answer_refused(k);
    if (!k->closed && k->state == KAFKA_READY) {
        send_waiting(k);
        if (!k->closed)
            ask_topics(k);
    }
    kafka_release(k);
}

void kafka_publish_name(struct kafka *k, const struct uuid *name, bus_delivered *delivered)
{
    struct kafka_message *m = mem_alloc(sizeof *m);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(k->client->rk, KAFKA_BUS_TOPIC, NULL);
    m->delivered = delivered;
    m->arg = k;
    m->began_us = clock_monotonic_us();
    m->deadline_us = m->began_us + DEADLINE_US;
    take_in(k, m, KAFKA_BUS_TOPIC, NULL, 0, name->b, sizeof name->b);
    fly(k, m, rkt);
    rd_kafka_topic_destroy(rkt);
}

/* ---- delivery reports -------------------------------------------------------------------------
 */

static void report_error(struct kafka *k, struct kafka_message *m, const rd_kafka_message_t *report)
{
    struct err err = {0};
    const bool never = rd_kafka_message_status(report) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
    err_set(&err, never ? kafka_code(report->err) : LEAT_EUNKNOWN, "%s: %s%s", m->topic,
            rd_kafka_err2str(report->err), never ? "" : " (it may be there all the same)");
    if (kafka_is_missing(report->err))
        outlet_forget(outlet_of(k, m->topic));
    answer(k, m, &err, -1, -1);
}

void kafka_producer_delivered(struct kafka *k, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *report;
    kafka_hold(k);
    while (!k->closed && (report = rd_kafka_event_message_next(event))) {
        struct kafka_message *m = report->_private;
        if (report->err)
            report_error(k, m, report);
        else
            answer(k, m, NULL, report->partition, report->offset);
        if (!k->closed) { /* closing freed it */
            DL_DELETE(k->producer.flying, m);
            message_free(m);
        }
    }
    kafka_release(k);
}

/* ---- the end ----------------------------------------------------------------------------------
 */

static void answer_flying(struct kafka *k, const char *why)
{
    struct err err = {0};
    err_set(&err, LEAT_EUNKNOWN, "%s", why);
    while (k->producer.flying)
        drop(k, &k->producer.flying, k->producer.flying, &err);
}

void kafka_producer_forget(struct kafka *k)
{
    outlets_forget(k);
    answer_flying(k, "the producer was made anew: nobody can say whether the record is there");
}

void kafka_producer_close(struct kafka *k)
{
    struct kafka_outlet *o, *next;
    struct err err = {0};
    loop_timer_stop(&k->producer.deadlines);
    loop_timer_stop(&k->producer.again);
    err_set(&err, LEAT_EUNREACHABLE, "the bus is closed");
    answer_refused(k);
    while (k->producer.waiting)
        drop(k, &k->producer.waiting, k->producer.waiting, &err);
    answer_flying(k, "the bus was closed: nobody can say whether the record is there");
    HASH_ITER (hh, k->producer.outlets, o, next) {
        outlet_forget(o);
        HASH_DEL(k->producer.outlets, o);
        free(o);
    }
}

#include "triggers/topics/topic.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/text/json.h"
#include "triggers/topics/internal.h"

#define AGAIN_US    (5 * US_PER_S)  /* a cluster that does not answer */
#define SURVEY_US   (60 * US_PER_S) /* for partitions that are new */
#define PUBLISH_US  (1 * US_PER_S)  /* a queue that does not take events */
#define QUESTION_MS 10000

/* ---- life ------------------------------------------------------------------------------------ */

void topic_hold(struct topic *t)
{
    t->open++;
}

static void drop_batch(struct topic *t)
{
    for (size_t i = 0; i < t->batch_count; i++)
        rd_kafka_message_destroy(t->batch[i]);
    t->batch_count = 0;
}

void topic_release(struct topic *t)
{
    if (--t->open > 0 || !t->closed)
        return;
    drop_batch(t);
    free(t->source);
    free(t->name);
    free(t->brokers);
    free(t);
}

static void stop_reading(struct topic *t)
{
    for (int i = 0; i < t->started; i++)
        rd_kafka_consume_stop(t->handle, i);
    t->started = 0;
    if (t->handle)
        rd_kafka_topic_destroy(TAKE(t->handle));
    if (t->records)
        rd_kafka_queue_destroy(TAKE(t->records));
}

/* A survey on a thread may still hold the client. */
static void close_topic(struct topic *t)
{
    loop_timer_stop(&t->later);
    loop_timer_stop(&t->again);
    drop_batch(t);
    stop_reading(t);
    kafka_client_close(TAKE(t->client));
    t->closed = true;
    topic_hold(t);
    topic_release(t);
}

/* ---- records --------------------------------------------------------------------------------- */

static void take(void *arg);

/* The offset after the last record of each partition of the batch. */
static void keep_offsets(struct topic *t)
{
    for (size_t i = 0; i < t->batch_count; i++) {
        const rd_kafka_message_t *m = t->batch[i];
        bool last = true;
        for (size_t j = i + 1; j < t->batch_count; j++)
            last = last && t->batch[j]->partition != m->partition;
        if (!last)
            continue;
        struct pg_params params = {0};
        pg_add_text(&params, t->source);
        pg_add_text(&params, t->cluster);
        pg_add_text(&params, t->name);
        pg_add_int4(&params, m->partition);
        pg_add_int8(&params, m->offset + 1);
        /* Not kept = read again after a restart, under the same ids. */
        pg_call(t->all->triggers->pg, QUERY_TRIGGERS_TOPIC_KEEP, &params, NULL, NULL);
        pg_params_free(&params);
    }
}

static void publish_batch(void *arg);

static void batch_over(struct topic *t)
{
    if (t->closed)
        return;
    if (t->batch_failed) {
        loop_timer_start(t->all->triggers->loop, &t->again, PUBLISH_US, 0, publish_batch, t);
        return;
    }
    keep_offsets(t);
    drop_batch(t);
    take(t);
}

void topic_published(void *arg, const struct uuid *id, const struct err *err)
{
    struct topic *t = arg;
    (void)id;
    if (err && !t->batch_failed)
        log_warn("events of a topic are not taken; they are published again",
                 LOG_S("source", t->source), LOG_ERR(err));
    t->batch_failed |= err != NULL;
    if (--t->batch_open == 0)
        batch_over(t);
    topic_release(t);
}

static void publish_batch(void *arg)
{
    struct topic *t = arg;
    const struct source *source = catalog_find(t->all->triggers->catalog, t->source);
    if (!source)
        return; /* the catalog's change closes it */
    t->batch_failed = false;
    t->batch_open = 1; /* until all are begun */
    for (size_t i = 0; i < t->batch_count; i++)
        record_publish(t, source, t->batch[i]);
    if (--t->batch_open == 0)
        batch_over(t);
}

/* Nothing is skipped by itself. */
static void record_failed(struct topic *t, const rd_kafka_message_t *m)
{
    const char *why = rd_kafka_err2str(m->err);
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return;
    if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        t->refused = true;
        log_error("a topic is not read on: the offset that is due is not there (deleted by its "
                  "retention, or another topic of that name). To go on without what is lost: "
                  "DELETE FROM topic_offset of this source and topic, apply the source again",
                  LOG_S("source", t->source), LOG_S("topic", t->name),
                  LOG_I("partition", m->partition), LOG_S("error", why));
        return;
    }
    log_warn("a topic cannot be read for now", LOG_S("source", t->source), LOG_S("topic", t->name),
             LOG_S("error", why));
}

static void take(void *arg)
{
    struct topic *t = arg;
    rd_kafka_message_t *got[TOPIC_AT_ONCE];
    if (t->closed || t->batch_count > 0 || t->started == 0)
        return;
    const ssize_t n = rd_kafka_consume_batch_queue(t->records, 0, got, TOPIC_AT_ONCE);
    for (ssize_t i = 0; i < n; i++) {
        if (got[i]->err) {
            record_failed(t, got[i]);
            rd_kafka_message_destroy(got[i]);
        } else {
            t->batch[t->batch_count++] = got[i];
        }
    }
    if (t->batch_count > 0)
        loop_timer_start(t->all->triggers->loop, &t->again, 0, 0, publish_batch, t);
}

/* ---- what the cluster has -------------------------------------------------------------------- */

static void survey(void *arg);

static void survey_later(struct topic *t, int64_t us)
{
    if (!t->closed)
        loop_timer_start(t->all->triggers->loop, &t->later, us, 0, survey, t);
}

static void start_one(struct topic *t, const struct pg_rows *rows, int partition)
{
    int64_t offset = RD_KAFKA_OFFSET_BEGINNING;
    for (size_t i = 0; i < pg_row_count(rows); i++)
        if (pg_int(rows, i, 0) == partition)
            offset = pg_int(rows, i, 1);
    if (rd_kafka_consume_start_queue(t->handle, partition, offset, t->records) != 0)
        log_error("a partition cannot be read", LOG_S("source", t->source), LOG_S("topic", t->name),
                  LOG_I("partition", partition),
                  LOG_S("error", rd_kafka_err2str(rd_kafka_last_error())));
}

static void offsets_known(void *arg, const struct pg_answer *answer)
{
    struct topic *t = arg;
    if (!t->closed && answer->err) {
        survey_later(t, AGAIN_US);
    } else if (!t->closed) {
        if (!t->handle) {
            t->handle = rd_kafka_topic_new(t->client->rk, t->name, NULL);
            t->records = rd_kafka_queue_new(t->client->rk);
            kafka_client_wake(t->client, t->records);
        }
        for (; t->started < t->partitions; t->started++)
            start_one(t, answer->rows, t->started);
        survey_later(t, SURVEY_US);
        take(t);
    }
    topic_release(t);
}

static void ask_offsets(struct topic *t)
{
    struct pg_params params = {0};
    pg_add_text(&params, t->source);
    pg_add_text(&params, t->cluster);
    pg_add_text(&params, t->name);
    topic_hold(t);
    pg_call(t->all->triggers->pg, QUERY_TRIGGERS_TOPIC_OFFSETS, &params, offsets_known, t);
    pg_params_free(&params);
}

struct question {
    struct topic *topic;
    struct kafka_client *client;
    char cluster[TOPIC_CLUSTER];
    int partitions;
    struct err err;
};

static int count_partitions(struct question *q, const struct rd_kafka_metadata *metadata)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];
        if (strcmp(topic->topic, q->topic->name) != 0)
            continue;
        if (topic->err)
            return err_set(&q->err, LEAT_ENOTFOUND, "topic %s: %s", topic->topic,
                           rd_kafka_err2str(topic->err));
        q->partitions = topic->partition_cnt;
    }
    if (q->partitions > TOPIC_PARTITIONS)
        return err_set(&q->err, LEAT_ELIMIT, "it has over %d partitions", TOPIC_PARTITIONS);
    return q->partitions > 0 ? 0 : err_set(&q->err, LEAT_ENOTFOUND, "there is no such topic");
}

/* On a thread: librdkafka answers these two by blocking only. */
static void ask_cluster(void *arg)
{
    struct question *q = arg;
    rd_kafka_t *rk = q->client->rk;
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, q->topic->name, NULL);
    const rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, topic, &metadata, QUESTION_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        err_set(&q->err, LEAT_EUNREACHABLE, "%s", rd_kafka_err2str(code));
    } else {
        (void)count_partitions(q, metadata);
        rd_kafka_metadata_destroy(metadata);
        char *id = rd_kafka_clusterid(rk, QUESTION_MS);
        if (id)
            snprintf(q->cluster, sizeof q->cluster, "%s", id);
        else
            err_set(&q->err, LEAT_EUNREACHABLE, "the cluster does not say its id");
        if (id)
            rd_kafka_mem_free(rk, id);
    }
    rd_kafka_topic_destroy(topic);
}

static void tell(struct topic *t, const struct err *err)
{
    if (err->code && !t->away)
        log_warn("a topic cannot be read for now", LOG_S("source", t->source),
                 LOG_S("topic", t->name), LOG_ERR(err));
    if (!err->code && t->away)
        log_info("a topic is read again", LOG_S("source", t->source), LOG_S("topic", t->name));
    t->away = err->code != 0;
}

static void cluster_answered(void *arg)
{
    struct question *q = arg;
    struct topic *t = q->topic;
    kafka_client_release(q->client);
    if (!t->closed) {
        tell(t, &q->err);
        if (q->err.code) {
            survey_later(t, AGAIN_US);
        } else {
            memcpy(t->cluster, q->cluster, sizeof t->cluster);
            t->partitions = q->partitions > t->started ? q->partitions : t->started;
            ask_offsets(t);
        }
    }
    free(q);
    topic_release(t);
}

static void survey(void *arg)
{
    struct topic *t = arg;
    struct question *q = mem_alloc(sizeof *q);
    q->topic = t;
    q->client = t->client;
    kafka_client_hold(t->client);
    topic_hold(t);
    loop_work(t->all->triggers->loop, ask_cluster, cluster_answered, q);
}

/* ---- following the catalog ------------------------------------------------------------------- */

static void said(void *arg, rd_kafka_event_t *event)
{
    struct topic *t = arg;
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR && !t->away)
        log_info("Kafka", LOG_S("source", t->source),
                 LOG_S("error", rd_kafka_event_error_string(event)));
}

static const char *topic_of(const struct source *s)
{
    return json_get_string(s->config, "topic", NULL);
}

static bool is_open(const struct topics *all, const struct source *s)
{
    for (const struct topic *t = all->first; t; t = t->next)
        if (strcmp(t->source, s->name) == 0)
            return true;
    return false;
}

static bool is_wanted(const struct topics *all, const struct topic *t)
{
    const struct source *s = catalog_find(all->triggers->catalog, t->source);
    const char *name = s ? topic_of(s) : NULL;
    return name && strcmp(name, t->name) == 0 && !t->refused &&
           strcmp(json_get_string(s->config, "brokers", ""), t->brokers) == 0;
}

/* The other cluster is spoken to as the bus-… settings say. */
static int open_client(struct topic *t, struct err *err)
{
    const struct bus_settings *k = &t->all->triggers->config.kafka;
    const struct kafka_options options = {.brokers = t->brokers,
                                          .name = "leat-triggers",
                                          .tls = k->tls,
                                          .insecure = k->insecure,
                                          .ca_file = k->ca_file,
                                          .cert_file = k->cert_file,
                                          .key_file = k->key_file,
                                          .sasl = (enum kafka_sasl)k->sasl,
                                          .user = k->user,
                                          .password_file = k->password_file};
    const int rc = kafka_options_check(&options, err);
    if (rc < 0)
        return rc;
    t->client =
        kafka_client_open(t->all->triggers->loop, &options, RD_KAFKA_CONSUMER, said, take, t, err);
    return t->client ? 0 : LEAT_EINPUT;
}

static void open_topic(struct topics *all, const struct source *s)
{
    struct err err = {0};
    struct topic *t = mem_alloc(sizeof *t);
    t->all = all;
    t->source = mem_string(s->name);
    t->name = mem_string(topic_of(s));
    t->brokers = mem_string(json_get_string(s->config, "brokers", ""));
    t->next = all->first;
    all->first = t;
    if (open_client(t, &err) < 0)
        log_error("a topic cannot be read", LOG_S("source", t->source), LOG_S("topic", t->name),
                  LOG_ERR(&err));
    else
        survey(t);
}

void topics_follow(struct topics *all)
{
    const struct catalog *c = all->triggers->catalog;
    for (struct topic **at = &all->first; *at;) {
        struct topic *t = *at;
        if (is_wanted(all, t)) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        close_topic(t);
    }
    for (size_t i = 0; i < catalog_count(c); i++)
        if (topic_of(catalog_at(c, i)) && !is_open(all, catalog_at(c, i)))
            open_topic(all, catalog_at(c, i));
}

struct topics *topics_open(struct triggers *t)
{
    struct topics *all = mem_alloc(sizeof *all);
    all->triggers = t;
    return all;
}

void topics_close(struct topics *all)
{
    while (all && all->first) {
        struct topic *t = all->first;
        all->first = t->next;
        close_topic(t);
    }
    free(all);
}

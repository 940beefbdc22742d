/* A record of a topic becomes events. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/text/json.h"
#include "common/text/utf8.h"
#include "triggers/s3/announce.h"
#include "triggers/s3/notice.h"
#include "triggers/topics/internal.h"

#define SUBJECT_MAX 1024

static void refuse(const struct topic *t, const rd_kafka_message_t *m, const struct err *err)
{
    metric_add(&TRIGGER_METRIC[TRIGGER_METRIC_REFUSED], 1);
    log_warn("a record of a topic is no event and is passed over", LOG_S("source", t->source),
             LOG_S("topic", t->name), LOG_I("partition", m->partition), LOG_I("offset", m->offset),
             LOG_ERR(err));
}

static void publish_notice(struct topic *t, const struct source *source, const json_t *record,
                           const rd_kafka_message_t *m)
{
    cleanup_s3_notice struct s3_notice n = {0};
    struct err err = {0};
    const int rc = s3_notice_read(record, &n, &err);
    if (rc < 0)
        refuse(t, m, &err);
    if (rc != 0 || !s3_notice_wanted(source, &n))
        return;
    t->batch_open++;
    topic_hold(t);
    s3_announce(t->all->triggers, source, &n, false, NULL, topic_published, t);
}

static void publish_notices(struct topic *t, const struct source *source, const json_t *body,
                            const rd_kafka_message_t *m)
{
    cleanup_json json_t *records = NULL;
    struct err err = {0};
    size_t i;
    json_t *record;
    if (s3_records(body, &records, &err) < 0) {
        refuse(t, m, &err);
        return;
    }
    json_array_foreach (records, i, record)
        publish_notice(t, source, record, m);
}

/* The record's key where it is text. */
static char *subject_of(const rd_kafka_message_t *m)
{
    if (!m->key || m->key_len == 0 || m->key_len > SUBJECT_MAX || memchr(m->key, 0, m->key_len))
        return NULL;
    cleanup_free char *text = mem_bytes(m->key, m->key_len);
    for (const char *p = text; *p; p += text_utf8_length(p))
        if (text_utf8_length(p) == 0)
            return NULL;
    return TAKE(text);
}

static void publish_any(struct topic *t, const struct source *source, json_t *body,
                        const rd_kafka_message_t *m)
{
    cleanup_text struct text delivery = {0};
    cleanup_free char *subject = subject_of(m);
    cleanup_free char *origin = mem_printf("/topics/%s", t->name);
    const int64_t ms = rd_kafka_message_timestamp(m, NULL);
    text_printf(&delivery, "%s %s %" PRId32 " %" PRId64, t->cluster, t->name, m->partition,
                m->offset);
    const struct draft draft = {
        .source = source->name,
        .origin = origin,
        .type = json_get_string(source->config, "type", SOURCE_TYPE_USUAL),
        .subject = subject,
        .time_us = ms > 0 ? ms * US_PER_MS : 0,
        .delivery = delivery.data,
        .delivery_len = delivery.len,
        .data = body,
    };
    t->batch_open++;
    topic_hold(t);
    publish_event(t->all->triggers, &draft, topic_published, t);
}

void record_publish(struct topic *t, const struct source *source, const rd_kafka_message_t *m)
{
    struct err err = {0};
    if (m->len == 0) { /* a tombstone of a compacted topic */
        err_set(&err, LEAT_EINPUT, "it is empty");
        refuse(t, m, &err);
        return;
    }
    cleanup_json json_t *body = json_read(m->payload, m->len, NULL, &err);
    if (!body)
        refuse(t, m, &err);
    else if (source->provider == SOURCE_KAFKA)
        publish_any(t, source, body, m);
    else
        publish_notices(t, source, body, m);
}

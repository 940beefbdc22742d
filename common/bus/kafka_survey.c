/* What librdkafka answers by blocking only: which partitions a topic has, where they begin and
 * end. Asked on the pool, of the broker each time; at most two at once, so that a broker that is
 * away does not take the whole pool. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "common/base/address.h"
#include "common/base/mem.h"
#include "common/bus/kafka_internal.h"

#define RUNNING_MAX 2
#define ANSWER_MS   3000 /* for one question to a broker */

static int fail(struct kafka_survey *s, rd_kafka_resp_err_t code, const char *what)
{
    return err_set(&s->err, kafka_code(code), "Kafka at %s: %s: %s", s->k->options.brokers, what,
                   rd_kafka_err2str(code));
}

/* ---- on the pool ------------------------------------------------------------------------------
 */

/* Metadata is asked for topics that the handle knows. */
static rd_kafka_topic_t **know_topics(struct kafka_survey *s)
{
    rd_kafka_topic_t **known = mem_array(s->topic_count + 1, sizeof(rd_kafka_topic_t *));
    for (size_t i = 0; i < s->topic_count; i++)
        known[i] = rd_kafka_topic_new(s->client->rk, s->topics[i], NULL);
    return known;
}

static void forget_topics(struct kafka_survey *s, rd_kafka_topic_t **known)
{
    for (size_t i = 0; i < s->topic_count; i++)
        if (known[i])
            rd_kafka_topic_destroy(known[i]);
    free(known);
}

static int take_topic(struct kafka_survey *s, const struct rd_kafka_metadata_topic *topic)
{
    for (size_t i = 0; i < s->topic_count; i++)
        if (strcmp(topic->topic, s->topics[i]) == 0) {
            if (topic->err && !kafka_is_missing(topic->err))
                return fail(s, topic->err, topic->topic);
            s->partitions[i] = topic->err ? 0 : topic->partition_cnt;
        }
    return 0;
}

static void take_brokers(struct kafka_survey *s, const struct rd_kafka_metadata *md)
{
    s->brokers = md->broker_cnt;
    for (int i = 0; i < md->broker_cnt; i++)
        if (!address_is_loopback(md->brokers[i].host))
            snprintf(s->far, sizeof s->far, "%s:%d", md->brokers[i].host, md->brokers[i].port);
    char *cluster = rd_kafka_clusterid(s->client->rk, ANSWER_MS);
    if (cluster)
        snprintf(s->cluster, sizeof s->cluster, "%s", cluster);
    rd_kafka_mem_free(s->client->rk, cluster);
}

static int ask_partitions(struct kafka_survey *s, rd_kafka_topic_t *only)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(s->client->rk, 0, only, &md, ANSWER_MS);
    if (code)
        return fail(s, code, "no answer");
    int rc = 0;
    for (int i = 0; rc == 0 && i < md->topic_cnt; i++)
        rc = take_topic(s, &md->topics[i]);
    if (rc == 0)
        take_brokers(s, md);
    rd_kafka_metadata_destroy(md);
    return rc;
}

/* One request a broker, for all partitions: -2 and -1 ask for the first and the next offset. */
static int ask_offsets(struct kafka_survey *s, int64_t which)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)s->found_count);
    for (size_t i = 0; i < s->found_count; i++)
        rd_kafka_topic_partition_list_add(list, s->topics[s->found[i].slot], s->found[i].partition)
            ->offset = which;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(s->client->rk, list, ANSWER_MS);
    for (size_t i = 0; !code && i < s->found_count; i++) {
        const struct kafka_range *r = &s->found[i];
        const rd_kafka_topic_partition_t *p =
            rd_kafka_topic_partition_list_find(list, s->topics[r->slot], r->partition);
        code = p->err ? p->err : p->offset < 0 ? RD_KAFKA_RESP_ERR_UNKNOWN : 0;
        if (which == RD_KAFKA_OFFSET_BEGINNING)
            s->found[i].first = p->offset;
        else
            s->found[i].end = p->offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return code ? fail(s, code, "offsets not told") : 0;
}

static int ask_ranges(struct kafka_survey *s)
{
    for (size_t i = 0; i < s->topic_count; i++)
        s->found_count += (size_t)s->partitions[i];
    s->found = mem_array(s->found_count + 1, sizeof *s->found);
    size_t n = 0;
    for (size_t i = 0; i < s->topic_count; i++)
        for (int32_t p = 0; p < s->partitions[i]; p++)
            s->found[n++] = (struct kafka_range){.slot = (int)i, .partition = p};
    if (n == 0)
        return 0;
    const int rc = ask_offsets(s, RD_KAFKA_OFFSET_BEGINNING);
    return rc == 0 ? ask_offsets(s, RD_KAFKA_OFFSET_END) : rc;
}

static void ask(void *arg)
{
    struct kafka_survey *s = arg;
    rd_kafka_topic_t **known = know_topics(s);
    if (ask_partitions(s, s->topic_count == 1 ? known[0] : NULL) == 0 && s->ranges)
        ask_ranges(s);
    forget_topics(s, known);
}

/* ---- on the loop ------------------------------------------------------------------------------
 */

static void start_next(struct kafka *k);

static void finish(struct kafka_survey *s)
{
    struct kafka *k = s->k;
    s->done(s->arg, s);
    kafka_client_release(s->client);
    free(s->topics);
    free(s->partitions);
    free(s->found);
    free(s);
    kafka_release(k);
}

static void answered(void *arg)
{
    struct kafka_survey *s = arg;
    struct kafka *k = s->k;
    kafka_hold(k);
    k->surveys_running--;
    finish(s);
    start_next(k);
    kafka_release(k);
}

static void start_next(struct kafka *k)
{
    while (k->surveys && k->surveys_running < RUNNING_MAX) {
        struct kafka_survey *s = k->surveys;
        DL_DELETE(k->surveys, s);
        k->surveys_running++;
        loop_work(k->loop, ask, answered, s);
    }
}

void kafka_survey(struct kafka *k, struct kafka_client *client, const char *const *topics, size_t n,
                  bool ranges, kafka_surveyed *done, void *arg)
{
    struct kafka_survey *s = mem_alloc(sizeof *s);
    *s = (struct kafka_survey){
        .k = k, .client = client, .done = done, .arg = arg, .topic_count = n, .ranges = ranges};
    s->topics = mem_array(n + 1, sizeof *s->topics);
    s->partitions = mem_array(n + 1, sizeof *s->partitions);
    for (size_t i = 0; i < n; i++)
        snprintf(s->topics[i], BUS_TOPIC_MAX, "%s", topics[i]);
    kafka_client_hold(client);
    kafka_hold(k);
    DL_APPEND(k->surveys, s);
    start_next(k);
}

void kafka_surveys_close(struct kafka *k)
{
    while (k->surveys) {
        struct kafka_survey *s = k->surveys;
        DL_DELETE(k->surveys, s);
        err_set(&s->err, LEAT_EUNREACHABLE, "the bus is closed");
        finish(s);
    }
}

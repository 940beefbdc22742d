/* What can be seen of a Kafka from outside: reach, topics, copies, permissions. Blocking; for the
 * bus itself it runs on the pool. */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/bus/kafka_internal.h"

#define LEAT_TOPICS "leat."
#define SAFE_COPIES 3
#define SAFE_INSYNC 2
#define LOOK_MS     5000
#define LOOK_AGE_US (60 * US_PER_S)
#define LOOK_SOON_US                                                                               \
    (2 * US_PER_S) /* nothing was told: topics are still to be made, or it is away */

static const char *const fixed[] = {KAFKA_BUS_TOPIC, TOPIC_COMMANDS, TOPIC_EVENTS, TOPIC_REPORTS,
                                    TOPIC_CHANGES};

struct looking {
    rd_kafka_t *rk;
    int64_t until_us;
    struct kafka_probe *out;
};

static int left_ms(const struct looking *l)
{
    const int64_t left = (l->until_us - clock_monotonic_us()) / 1000;
    return left > 1 ? (int)left : 1;
}

static void add_name(char list[KAFKA_PROBE_TEXT], const char *name)
{
    const size_t len = strlen(list);
    snprintf(list + len, KAFKA_PROBE_TEXT - len, "%s%s", len ? ", " : "", name);
}

/* ---- topics ------------------------------------------------------------------------------------
 */

static void look_at_partition(struct looking *l, const char *topic,
                              const struct rd_kafka_metadata_partition *p)
{
    struct kafka_probe *out = l->out;
    const bool bad = p->leader < 0 || p->isr_cnt < p->replica_cnt;
    out->partitions++;
    out->leaderless += p->leader < 0;
    out->under_replicated += p->isr_cnt < p->replica_cnt;
    if (bad && !*out->worst)
        snprintf(out->worst, sizeof out->worst, "%s/%d", topic, p->id);
}

static bool is_fixed(const char *topic)
{
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        if (strcmp(topic, fixed[i]) == 0)
            return true;
    return false;
}

static void look_at_topic(struct looking *l, const struct rd_kafka_metadata_topic *topic)
{
    struct kafka_probe *out = l->out;
    if (!text_starts_with(topic->topic, LEAT_TOPICS))
        return;
    if (topic->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        add_name(out->denied, topic->topic);
    if (topic->err)
        return;
    out->topics++;
    for (int i = 0; i < topic->partition_cnt; i++)
        look_at_partition(l, topic->topic, &topic->partitions[i]);
    const int copies = topic->partition_cnt ? topic->partitions[0].replica_cnt : 0;
    if (is_fixed(topic->topic) && (!out->replicas || copies < out->replicas))
        out->replicas = copies;
}

static bool has_topic(const struct rd_kafka_metadata *md, const char *name)
{
    for (int i = 0; i < md->topic_cnt; i++)
        if (strcmp(md->topics[i].topic, name) == 0 && !md->topics[i].err)
            return true;
    return false;
}

static int look_at_metadata(struct looking *l, struct err *err)
{
    const struct rd_kafka_metadata *md = NULL;
    const rd_kafka_resp_err_t code = rd_kafka_metadata(l->rk, 1, NULL, &md, left_ms(l));
    if (code)
        return err_set(err, kafka_code(code), "Kafka: %s", rd_kafka_err2str(code));
    l->out->brokers = md->broker_cnt;
    for (int i = 0; i < md->topic_cnt; i++)
        look_at_topic(l, &md->topics[i]);
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        if (!has_topic(md, fixed[i]))
            add_name(l->out->missing, fixed[i]);
    rd_kafka_metadata_destroy(md);
    char *cluster = rd_kafka_clusterid(l->rk, left_ms(l));
    snprintf(l->out->cluster, sizeof l->out->cluster, "%s", cluster ? cluster : "");
    rd_kafka_mem_free(l->rk, cluster);
    return 0;
}

/* ---- settings of a topic -----------------------------------------------------------------------
 */

static rd_kafka_event_t *wait_for(struct looking *l, rd_kafka_queue_t *queue,
                                  rd_kafka_event_type_t type)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, left_ms(l));
    if (!event || rd_kafka_event_type(event) == type)
        return event;
    rd_kafka_event_destroy(event);
    return NULL;
}

static void take_settings(struct kafka_probe *out, const rd_kafka_ConfigResource_t *resource)
{
    size_t n = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &n);
    if (rd_kafka_ConfigResource_error(resource) == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        add_name(out->denied, "reading the settings of " TOPIC_EVENTS);
    for (size_t i = 0; i < n; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entries[i]);
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        long long number = 0;
        if (!value || !text_to_int(value, -1, INT64_MAX, &number))
            continue;
        if (strcmp(name, "min.insync.replicas") == 0)
            out->min_insync = (int)number;
        else if (strcmp(name, "retention.ms") == 0)
            out->unlimited = number == -1;
    }
}

static void look_at_settings(struct looking *l)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(l->rk);
    rd_kafka_ConfigResource_t *of =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, TOPIC_EVENTS);
    rd_kafka_DescribeConfigs(l->rk, &of, 1, NULL, queue);
    rd_kafka_event_t *event = wait_for(l, queue, RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT);
    if (event && !rd_kafka_event_error(event)) {
        size_t n = 0;
        const rd_kafka_ConfigResource_t **found = rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(event), &n);
        if (n > 0)
            take_settings(l->out, found[0]);
    }
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(of);
    rd_kafka_queue_destroy(queue);
}

/* ---- may we make topics? The broker only says; nothing is made ----------------------------------
 */

static void look_at_making(struct looking *l)
{
    char why[128];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(l->rk);
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(TOPIC_ORDERS_PREFIX "doctor", 1, 1, why, sizeof why);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(l->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_validate_only(options, 1, why, sizeof why);
    rd_kafka_CreateTopics(l->rk, &topic, 1, options, queue);
    rd_kafka_event_t *event = wait_for(l, queue, RD_KAFKA_EVENT_CREATETOPICS_RESULT);
    size_t n = 0;
    const rd_kafka_topic_result_t **results =
        event ? rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n)
              : NULL;
    if (n > 0 && kafka_code(rd_kafka_topic_result_error(results[0])) == LEAT_EAUTH)
        add_name(l->out->denied, "making topics (the scheduler must)");
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_queue_destroy(queue);
}

/* ---- together ----------------------------------------------------------------------------------
 */

static int probe_with(rd_kafka_t *rk, int limit_ms, bool making, struct kafka_probe *out,
                      struct err *err)
{
    *out = (struct kafka_probe){.library = rd_kafka_version_str()};
    struct looking l = {rk, clock_monotonic_us() + limit_ms * US_PER_MS, out};
    const int rc = look_at_metadata(&l, err);
    if (rc < 0)
        return rc;
    if (out->replicas)
        look_at_settings(&l);
    if (making)
        look_at_making(&l);
    out->power_loss = out->replicas >= SAFE_COPIES && out->min_insync >= SAFE_INSYNC;
    return 0;
}

int kafka_probe(const struct kafka_options *options, int limit_ms, struct kafka_probe *out,
                struct err *err)
{
    char why[256] = "";
    if (kafka_options_check(options, err) < 0)
        return err ? err->code : LEAT_EINPUT;
    rd_kafka_conf_t *conf = kafka_conf(options, RD_KAFKA_PRODUCER, err);
    if (!conf)
        return err ? err->code : LEAT_EINPUT;
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        return err_set(err, LEAT_EINPUT, "Kafka: %s", why);
    }
    const int rc = probe_with(rk, limit_ms, true, out, err);
    rd_kafka_destroy(rk);
    return rc;
}

/* ---- of a bus that is open ---------------------------------------------------------------------
 */

struct look {
    struct kafka *k;
    struct kafka_client *client;
    struct kafka_probe found;
    struct err err;
};

static void look_now(void *arg)
{
    struct look *look = arg;
    probe_with(look->client->rk, LOOK_MS, false, &look->found, &look->err);
}

static void looked(void *arg)
{
    struct look *look = arg;
    struct kafka *k = look->k;
    const bool told = !look->err.code && look->found.replicas > 0 && look->found.min_insync > 0;
    k->seen.looking = false;
    k->seen.again_us = clock_monotonic_us() + (told ? LOOK_AGE_US : LOOK_SOON_US);
    if (told) {
        k->seen.probe = look->found;
        k->seen.known = true;
    }
    kafka_client_release(look->client);
    free(look);
    kafka_release(k);
}

const struct kafka_probe *kafka_seen(struct bus *bus)
{
    struct kafka *k = (struct kafka *)bus;
    const bool old = clock_monotonic_us() >= k->seen.again_us;
    if (old && !k->seen.looking && k->state == KAFKA_READY) {
        struct look *look = mem_alloc(sizeof *look);
        *look = (struct look){.k = k, .client = k->client};
        k->seen.looking = true;
        kafka_hold(k);
        kafka_client_hold(k->client);
        loop_work(k->loop, look_now, looked, look);
    }
    return k->seen.known ? &k->seen.probe : NULL;
}

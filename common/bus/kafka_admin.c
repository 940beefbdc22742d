/* What callers ask besides publishing and reading: topics are made, ends are told, records are
 * deleted. Each is answered once, at the latest when its deadline has passed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/bus/kafka_internal.h"

#define DEADLINE_US (15 * US_PER_S)
#define REQUEST_MS  10000
#define TICK_US     (200 * US_PER_MS)
#define REPLICAS    3

static void begin(struct kafka_ask *ask);

/* ---- answering --------------------------------------------------------------------------------
 */

static void ask_free(struct kafka_ask *ask)
{
    DL_DELETE(ask->k->asks, ask);
    free(ask->topics);
    free(ask->partitions);
    free(ask);
}

/* It goes when nobody holds it any more: a survey that is out, or a result to come. */
static void answer(struct kafka_ask *ask, const struct err *err, const struct bus_position *ends,
                   size_t n)
{
    bus_done *done = TAKE(ask->done);
    bus_ends *ends_done = TAKE(ask->ends_done);
    if (done)
        done(ask->arg, err);
    if (ends_done)
        ends_done(ask->arg, err, ends, n);
}

static bool is_open(const struct kafka_ask *ask)
{
    return ask->done || ask->ends_done;
}

static void end(struct kafka_ask *ask, const struct err *err, const struct bus_position *ends,
                size_t n)
{
    struct kafka *k = ask->k;
    kafka_hold(k);
    answer(ask, err, ends, n);
    if (!k->closed)
        ask_free(ask);
    kafka_release(k);
}

static void keep_deadlines(void *arg)
{
    struct kafka *k = arg;
    struct err err = {0};
    struct kafka_ask *ask, *next;
    const int64_t now = clock_monotonic_us();
    err_set(&err, LEAT_EUNREACHABLE, "Kafka at %s does not answer", k->options.brokers);
    kafka_hold(k);
    for (ask = k->asks; ask && !k->closed; ask = next) {
        next = ask->next;
        if (!is_open(ask) || ask->deadline_us > now)
            continue;
        if (ask->begun)
            answer(ask, &err, NULL, 0); /* what is out comes back to it */
        else
            end(ask, &err, NULL, 0);
    }
    if (!k->closed)
        kafka_asks_pump(k); /* those to be begun again */
    if (k->asks && !k->closed)
        loop_timer_start(k->loop, &k->ask_deadlines, TICK_US, 0, keep_deadlines, k);
    kafka_release(k);
}

/* ---- asking -----------------------------------------------------------------------------------
 */

static void pump_deferred(void *arg)
{
    kafka_asks_pump(arg);
    kafka_release(arg);
}

static struct kafka_ask *ask_new(struct kafka *k, enum kafka_ask_kind kind, size_t topics)
{
    struct kafka_ask *ask = mem_alloc(sizeof *ask);
    *ask = (struct kafka_ask){.k = k,
                              .kind = kind,
                              .topic_count = topics,
                              .deadline_us = clock_monotonic_us() + DEADLINE_US};
    ask->topics = mem_array(topics + 1, sizeof *ask->topics);
    ask->partitions = mem_array(topics + 1, sizeof *ask->partitions);
    DL_APPEND(k->asks, ask);
    kafka_hold(k);
    loop_defer(k->loop, pump_deferred, k);
    if (!loop_timer_armed(&k->ask_deadlines))
        loop_timer_start(k->loop, &k->ask_deadlines, TICK_US, 0, keep_deadlines, k);
    return ask;
}

static bool is_wished(const struct kafka_ask *ask, size_t n, const char *topic)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(ask->topics[i], topic) == 0)
            return true;
    return false;
}

void kafka_topics_make(struct bus *bus, const struct bus_topic *topics, size_t n, bus_done *done,
                       void *arg)
{
    struct kafka_ask *ask = ask_new((struct kafka *)bus, KAFKA_ASK_MAKE, n);
    size_t kept = 0;
    ask->done = done;
    ask->arg = arg;
    for (size_t i = 0; i < n; i++) {
        if (is_wished(ask, kept, topics[i].name))
            continue; /* a broker refuses a name that comes twice */
        snprintf(ask->topics[kept], BUS_TOPIC_MAX, "%s", topics[i].name);
        ask->partitions[kept++] = topics[i].partitions > 0 ? topics[i].partitions : 1;
    }
    ask->topic_count = kept;
}

void kafka_ends(struct bus *bus, const char *const *topics, size_t n, bus_ends *done, void *arg)
{
    struct kafka_ask *ask = ask_new((struct kafka *)bus, KAFKA_ASK_ENDS, n);
    ask->ends_done = done;
    ask->arg = arg;
    for (size_t i = 0; i < n; i++)
        snprintf(ask->topics[i], BUS_TOPIC_MAX, "%s", topics[i]);
}

void kafka_trim(struct bus *bus, const char *topic, int32_t partition, int64_t offset,
                bus_done *done, void *arg)
{
    struct kafka_ask *ask = ask_new((struct kafka *)bus, KAFKA_ASK_TRIM, 1);
    snprintf(ask->topics[0], BUS_TOPIC_MAX, "%s", topic);
    ask->partition = partition;
    ask->offset = offset;
    ask->done = done;
    ask->arg = arg;
}

void kafka_make_now(struct kafka *k, const char *topic, bus_done *done)
{
    struct kafka_ask *ask = ask_new(k, KAFKA_ASK_MAKE, 1);
    snprintf(ask->topics[0], BUS_TOPIC_MAX, "%s", topic);
    ask->partitions[0] = 1;
    ask->done = done;
    ask->arg = k;
    ask->naming = true;
    begin(ask);
}

/* ---- topics -----------------------------------------------------------------------------------
 */

static int replicas(const struct kafka *k)
{
    if (k->options.replicas)
        return k->options.replicas;
    return k->brokers >= REPLICAS ? REPLICAS : k->brokers > 1 ? k->brokers : 1;
}

/* Retention is unlimited by time and size: the leader deletes what is committed and over age. */
static rd_kafka_NewTopic_t *new_topic(const struct kafka *k, const char *name, int32_t partitions)
{
    char why[128], insync[16];
    const int copies = replicas(k);
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, copies, why, sizeof why);
    if (!topic)
        return NULL;
    snprintf(insync, sizeof insync, "%d",
             k->options.min_insync ? k->options.min_insync
             : copies >= REPLICAS  ? 2
                                   : 1);
    const char *const settings[][2] = {
        {"cleanup.policy", "delete"},     {"retention.ms", "-1"},
        {"retention.bytes", "-1"},        {"max.message.bytes", "2097152"},
        {"segment.bytes", "67108864"},    {"min.insync.replicas", insync},
        {"compression.type", "producer"}, {"unclean.leader.election.enable", "false"},
    };
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        rd_kafka_NewTopic_set_config(topic, settings[i][0], settings[i][1]);
    return topic;
}

static rd_kafka_AdminOptions_t *admin_options(struct kafka_ask *ask, rd_kafka_admin_op_t op)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(ask->k->client->rk, op);
    rd_kafka_AdminOptions_set_request_timeout(options, REQUEST_MS, NULL, 0);
    rd_kafka_AdminOptions_set_operation_timeout(options, REQUEST_MS / 2, NULL, 0);
    rd_kafka_AdminOptions_set_opaque(options, ask);
    return options;
}

static void begin_make(struct kafka_ask *ask)
{
    struct err err = {0};
    rd_kafka_NewTopic_t **topics = mem_array(ask->topic_count + 1, sizeof(rd_kafka_NewTopic_t *));
    size_t n = 0;
    while (n < ask->topic_count &&
           (topics[n] = new_topic(ask->k, ask->topics[n], ask->partitions[n])))
        n++;
    if (n == ask->topic_count && n > 0) {
        rd_kafka_AdminOptions_t *options = admin_options(ask, RD_KAFKA_ADMIN_OP_CREATETOPICS);
        rd_kafka_CreateTopics(ask->k->client->rk, topics, n, options, ask->k->client->queue);
        rd_kafka_AdminOptions_destroy(options);
    }
    rd_kafka_NewTopic_destroy_array(topics, n);
    free(topics);
    if (n == ask->topic_count && n > 0)
        return;
    if (n < ask->topic_count)
        err_set(&err, LEAT_EINPUT, "'%s' is no name of a topic", ask->topics[n]);
    end(ask, n < ask->topic_count ? &err : NULL, NULL, 0);
}

/* The brokers know of a new topic a moment after the answer: only then is it made. */
static void made_seen(void *arg, const struct kafka_survey *survey)
{
    struct kafka_ask *ask = arg;
    struct kafka *k = survey->k;
    ask->surveying = false;
    if (k->closed || !is_open(ask)) {
        ask_free(ask);
        return;
    }
    bool all = !survey->err.code;
    for (size_t i = 0; i < survey->topic_count; i++)
        all = all && survey->partitions[i] > 0;
    if (!all) {
        ask->begun = false; /* again, from the timer, until the deadline */
        return;
    }
    end(ask, NULL, NULL, 0);
    if (!k->closed)
        kafka_readers_look(k);
}

static void survey_ask(struct kafka_ask *ask, bool ranges, kafka_surveyed *done)
{
    cleanup_free const char **names = mem_array(ask->topic_count + 1, sizeof *names);
    for (size_t i = 0; i < ask->topic_count; i++)
        names[i] = ask->topics[i];
    ask->surveying = true;
    kafka_survey(ask->k, ask->k->client, names, ask->topic_count, ranges, done, ask);
}

static void topics_result(struct kafka_ask *ask, rd_kafka_event_t *event)
{
    struct err err = {0};
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    size_t n = 0;
    const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(result, &n);
    if (rd_kafka_event_error(event))
        err_set(&err, kafka_code(rd_kafka_event_error(event)), "topics not made: %s",
                rd_kafka_event_error_string(event));
    for (size_t i = 0; i < n && !err.code; i++) {
        const rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[i]);
        const char *why = rd_kafka_topic_result_error_string(topics[i]);
        if (code && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            err_set(&err, kafka_code(code), "topic %s not made: %s",
                    rd_kafka_topic_result_name(topics[i]), why ? why : rd_kafka_err2str(code));
    }
    if (err.code)
        end(ask, &err, NULL, 0);
    else
        survey_ask(ask, true, made_seen); /* with leaders that answer */
}

/* ---- ends -------------------------------------------------------------------------------------
 */

static void ends_told(void *arg, const struct kafka_survey *survey)
{
    struct kafka_ask *ask = arg;
    ask->surveying = false;
    if (survey->k->closed || !is_open(ask)) {
        ask_free(ask);
        return;
    }
    cleanup_free struct bus_position *ends = mem_array(survey->found_count + 1, sizeof *ends);
    for (size_t i = 0; i < survey->found_count; i++) {
        const struct kafka_range *r = &survey->found[i];
        snprintf(ends[i].topic, BUS_TOPIC_MAX, "%s", survey->topics[r->slot]);
        ends[i].partition = r->partition;
        ends[i].offset = r->end;
    }
    if (survey->err.code)
        end(ask, &survey->err, NULL, 0);
    else
        end(ask, NULL, ends, survey->found_count);
}

/* ---- trim -------------------------------------------------------------------------------------
 */

static void begin_trim(struct kafka_ask *ask)
{
    rd_kafka_topic_partition_list_t *below = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(below, ask->topics[0], ask->partition)->offset = ask->offset;
    rd_kafka_DeleteRecords_t *records = rd_kafka_DeleteRecords_new(below);
    rd_kafka_AdminOptions_t *options = admin_options(ask, RD_KAFKA_ADMIN_OP_DELETERECORDS);
    rd_kafka_DeleteRecords(ask->k->client->rk, &records, 1, options, ask->k->client->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteRecords_destroy(records);
    rd_kafka_topic_partition_list_destroy(below);
}

static void trim_result(struct kafka_ask *ask, rd_kafka_event_t *event)
{
    struct err err = {0};
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const rd_kafka_topic_partition_list_t *done =
        code ? NULL
             : rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    if (done && done->cnt > 0)
        code = done->elems[0].err;
    if (code)
        err_set(&err, kafka_code(code), "%s/%d: records below %" PRId64 " not deleted: %s",
                ask->topics[0], ask->partition, ask->offset, rd_kafka_err2str(code));
    end(ask, code ? &err : NULL, NULL, 0);
}

/* ---- their life -------------------------------------------------------------------------------
 */

static void begin(struct kafka_ask *ask)
{
    ask->begun = true;
    switch (ask->kind) {
    case KAFKA_ASK_MAKE:
        begin_make(ask);
        return;
    case KAFKA_ASK_ENDS:
        survey_ask(ask, true, ends_told);
        return;
    case KAFKA_ASK_TRIM:
        begin_trim(ask);
        return;
    }
}

/* Those that wait, in order; callbacks may add more. */
void kafka_asks_pump(struct kafka *k)
{
    struct kafka_ask *ask, *next;
    for (ask = k->asks; ask && !k->closed; ask = next) {
        next = ask->next;
        if (!ask->begun && (k->state == KAFKA_READY || ask->naming))
            begin(ask);
    }
}

void kafka_asks_result(struct kafka *k, rd_kafka_event_t *event)
{
    struct kafka_ask *ask = rd_kafka_event_opaque(event);
    (void)k;
    if (!is_open(ask)) {
        ask_free(ask);
        return;
    }
    if (ask->kind == KAFKA_ASK_MAKE)
        topics_result(ask, event);
    else
        trim_result(ask, event);
}

/* Answers all with `why`; what a survey holds goes with it. */
static void answer_all(struct kafka *k, const char *why, bool begun_only)
{
    struct err err = {0};
    struct kafka_ask *ask, *next;
    err_set(&err, LEAT_EUNREACHABLE, "%s", why);
    for (ask = k->asks; ask; ask = next) {
        next = ask->next;
        if (begun_only && (!ask->begun || ask->surveying))
            continue;
        answer(ask, &err, NULL, 0);
        if (!ask->surveying)
            ask_free(ask);
    }
}

void kafka_asks_forget(struct kafka *k)
{
    answer_all(k, "the connection to Kafka was made anew", true);
}

void kafka_asks_close(struct kafka *k)
{
    loop_timer_stop(&k->ask_deadlines);
    answer_all(k, "the bus is closed", false);
}

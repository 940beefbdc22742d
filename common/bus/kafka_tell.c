/* What librdkafka says: log lines, errors and figures; none of them may flood. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/bus/kafka_internal.h"

#define QUIET_US   (30 * US_PER_S)
#define TOLD_KINDS 8

struct kafka_told { /* what was written lately, by facility */
    struct {
        char facility[24];
        int64_t at_us, left_out;
    } lines[TOLD_KINDS];
};

struct metric KAFKA_METRIC[] = {
#define M(id, kind_, name_, help_, label)                                                          \
    {.kind = METRIC_##kind_, .name = name_, .help = help_, .labels = {label}},
    KAFKA_METRICS(M)
#undef M
};

void kafka_metrics_register(void)
{
    static bool done;
    if (!done)
        metrics_register(KAFKA_METRIC, ARRAY_LEN(KAFKA_METRIC));
    done = true;
}

/* ---- lines ------------------------------------------------------------------------------------
 */

bool kafka_told_now(struct kafka_client *c, const char *facility, int64_t *left_out)
{
    const int64_t now = clock_monotonic_us();
    if (!c->told)
        c->told = mem_alloc(sizeof *c->told);
    size_t at = 0;
    for (size_t i = 0; i < TOLD_KINDS; i++) { /* its own line, else the oldest */
        if (strncmp(c->told->lines[i].facility, facility, 23) == 0) {
            at = i;
            break;
        }
        if (c->told->lines[i].at_us < c->told->lines[at].at_us)
            at = i;
    }
    const bool same = strncmp(c->told->lines[at].facility, facility, 23) == 0;
    if (same && now - c->told->lines[at].at_us < QUIET_US) {
        c->told->lines[at].left_out++;
        return false;
    }
    *left_out = same ? c->told->lines[at].left_out : 0;
    snprintf(c->told->lines[at].facility, sizeof c->told->lines[at].facility, "%s", facility);
    c->told->lines[at].at_us = now;
    c->told->lines[at].left_out = 0;
    return true;
}

void kafka_told_free(struct kafka_client *c)
{
    free(TAKE(c->told));
}

void kafka_tell_log(struct kafka_client *c, rd_kafka_event_t *event)
{
    const char *facility = NULL, *text = NULL;
    int level = 0;
    int64_t left_out = 0;
    if (rd_kafka_event_log(event, &facility, &text, &level) != 0 ||
        !kafka_told_now(c, facility, &left_out))
        return;
    const struct log_pair pairs[] = {LOG_S("facility", facility), LOG_S("text", text),
                                     LOG_I("left_out", left_out), LOG_END_};
    log_write(level <= 3   ? LOG_WARN /* what it calls an error, it tries again */
              : level <= 5 ? LOG_INFO
                           : LOG_DEBUG,
              NULL, "librdkafka", pairs);
}

/* librdkafka before 2.6.1 repeats its nonce in SCRAM's last message, which brokers since
 * Kafka 3.8.1 refuse as a wrong password (librdkafka's pull request 4895). */
static void explain_scram(const struct kafka_client *c)
{
    if (c->scram && rd_kafka_version() < 0x020601ff)
        log_warn("SCRAM of this machine's librdkafka is refused by brokers since Kafka 3.8.1, also "
                 "with the right password: take librdkafka 2.6.1, or bus-sasl = plain with TLS",
                 LOG_S("librdkafka", rd_kafka_version_str()));
}

void kafka_tell_error(struct kafka_client *c, rd_kafka_event_t *event)
{
    const rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    int64_t left_out = 0;
    if (kafka_told_now(c, rd_kafka_err2name(code), &left_out))
        log_warn("Kafka", LOG_S("code", rd_kafka_err2name(code)),
                 LOG_S("error", rd_kafka_event_error_string(event)), LOG_I("left_out", left_out));
    else
        return;
    if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION)
        explain_scram(c);
}

/* ---- figures ----------------------------------------------------------------------------------
 */

static int64_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

void kafka_tell_statistics(struct kafka_client *c, const char *json)
{
    json_t *all = json_loads(json, 0, NULL);
    json_t *brokers = json_object_get(all, "brokers"), *broker;
    const char *name;
    int64_t up = 0, retries = 0;
    json_object_foreach (brokers, name, broker) {
        const char *state = json_string_value(json_object_get(broker, "state"));
        up += number(broker, "nodeid") >= 0 && state && strcmp(state, "UP") == 0;
        retries += number(broker, "txretries");
    }
    if (rd_kafka_type(c->rk) == RD_KAFKA_PRODUCER)
        metric_set(&KAFKA_METRIC[KAFKA_METRIC_BROKERS], up);
    if (retries > c->retries)
        metric_add(&KAFKA_METRIC[KAFKA_METRIC_RETRIES], retries - c->retries);
    c->retries = retries;
    json_decref(all);
}

/* ---- codes ------------------------------------------------------------------------------------
 */

bool kafka_is_missing(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

int kafka_code(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return LEAT_ELIMIT;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
        return LEAT_EFULL;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        return LEAT_EAUTH;
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
        return LEAT_EINPUT;
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return LEAT_EREFUSED;
    default:
        return kafka_is_missing(code) ? LEAT_ENOTFOUND : LEAT_EUNREACHABLE;
    }
}

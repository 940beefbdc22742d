/* librdkafka's settings: its defaults are made for throughput and for consumer groups. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/address.h"
#include "common/base/mem.h"
#include "common/bus/kafka_internal.h"

#define PASSWORD_MAX 1024

struct setting {
    const char *name, *value;
};

static const struct setting of_both[] = {
    {"log.queue", "true"},
    {"log.thread.name", "false"},
    {"log.connection.close", "false"}, /* errors say it, once */
    {"socket.nagle.disable", "true"},
    {"socket.keepalive.enable", "true"},
    {"socket.timeout.ms", "10000"},
    {"socket.connection.setup.timeout.ms", "5000"},
    {"reconnect.backoff.ms", "50"},
    {"reconnect.backoff.max.ms", "1000"}, /* a broker that is back is used within a second */
    {"topic.metadata.refresh.interval.ms", "60000"},
    {"topic.metadata.refresh.fast.interval.ms", "100"},
    {"topic.metadata.propagation.max.ms", "0"}, /* we ask whether a topic is there */
    {"allow.auto.create.topics", "false"},
    {"statistics.interval.ms", "30000"},
};

static const struct setting of_producer[] = {
    {"enable.idempotence", "true"}, /* with acks=all, five in flight, retries without end */
    {"acks", "all"},
    {"linger.ms", "0"},
    {"message.timeout.ms", "6000"}, /* looked at once a second: answered within bus.h's 7 s */
    {"request.timeout.ms", "5000"},
    {"retry.backoff.ms", "50"},
    {"message.max.bytes", "2097152"},      /* BUS_RECORD_MAX, its key and what frames them */
    {"partitioner", "murmur2_random"},     /* that of the Java clients */
    {"queue.buffering.max.messages", "0"}, /* ours is the bound: KAFKA_WAITING_MAX */
    {"queue.buffering.max.kbytes", "262144"},
};

static const struct setting of_consumer[] = {
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},
    {"check.crcs", "true"},
    {"isolation.level", "read_uncommitted"}, /* a transaction's marker shows as a gap */
    {"fetch.wait.max.ms", "500"},
    {"fetch.min.bytes", "1"},
    {"fetch.error.backoff.ms", "50"}, /* also waited when the reader is behind */
    {"queued.min.messages", "100000"},
};

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
    char why[256] = "";
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
        return 0;
    return err_set(err, LEAT_EINPUT, "Kafka: %s", why);
}

static int set_number(rd_kafka_conf_t *conf, const char *name, long value, struct err *err)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", value);
    return set(conf, name, text, err);
}

static int set_all(rd_kafka_conf_t *conf, const struct setting *settings, size_t n, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = set(conf, settings[i].name, settings[i].value, err);
    return rc;
}

static int set_reading(rd_kafka_conf_t *conf, struct err *err)
{
    int rc = set_all(conf, of_consumer, ARRAY_LEN(of_consumer), err);
    if (rc == 0)
        rc = set_number(conf, "queued.max.messages.kbytes", KAFKA_READ_BYTES_MAX / 1024, err);
    if (rc == 0)
        rc = set_number(conf, "fetch.message.max.bytes", KAFKA_FETCH_BYTES / 2, err);
    if (rc == 0)
        rc = set_number(conf, "fetch.max.bytes", KAFKA_FETCH_BYTES, err);
    return rc;
}

/* ---- who we are, and what nobody may hear -----------------------------------------------------
 */

static int read_password(const char *path, char out[PASSWORD_MAX], struct err *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, out, PASSWORD_MAX);
    if (n < 0)
        return err_errno(err, errno, "bus-password-file: %s", path);
    if (n == PASSWORD_MAX)
        return err_set(err, LEAT_ELIMIT, "bus-password-file: %s has more than %d bytes", path,
                       PASSWORD_MAX - 1);
    out[n] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    if (!*out)
        return err_set(err, LEAT_EINPUT, "bus-password-file: %s has no first line", path);
    return 0;
}

static int set_password(rd_kafka_conf_t *conf, const char *path, struct err *err)
{
    char password[PASSWORD_MAX];
    int rc = read_password(path, password, err);
    if (rc == 0)
        rc = set(conf, "sasl.password", password, err);
    mem_wipe(password, sizeof password);
    return rc;
}

static int set_security(rd_kafka_conf_t *conf, const struct kafka_options *o, struct err *err)
{
    static const char *const protocols[2][2] = {{"plaintext", "ssl"},
                                                {"sasl_plaintext", "sasl_ssl"}};
    static const char *const mechanisms[] = {"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    const struct setting given[] = {
        {"ssl.ca.location", o->tls ? o->ca_file : NULL},
        {"ssl.certificate.location", o->tls ? o->cert_file : NULL},
        {"ssl.key.location", o->tls ? o->key_file : NULL},
        {"sasl.mechanism", o->sasl ? mechanisms[o->sasl] : NULL},
        {"sasl.username", o->sasl ? o->user : NULL},
    };
    int rc = set(conf, "security.protocol", protocols[o->sasl != KAFKA_SASL_NONE][o->tls], err);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(given); i++)
        if (given[i].value)
            rc = set(conf, given[i].name, given[i].value, err);
    return rc == 0 && o->sasl ? set_password(conf, o->password_file, err) : rc;
}

rd_kafka_conf_t *kafka_conf(const struct kafka_options *o, rd_kafka_type_t type, struct err *err)
{
    const bool producer = type == RD_KAFKA_PRODUCER;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int rc = set(conf, "bootstrap.servers", o->brokers, err);
    if (rc == 0)
        rc = set(conf, "client.id", o->name, err);
    if (rc == 0)
        rc = set_all(conf, of_both, ARRAY_LEN(of_both), err);
    if (rc == 0)
        rc = producer ? set_all(conf, of_producer, ARRAY_LEN(of_producer), err)
                      : set_reading(conf, err);
    if (rc == 0)
        rc = set_security(conf, o, err);
    if (rc < 0) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_ERROR |
                                       RD_KAFKA_EVENT_STATS | (producer ? RD_KAFKA_EVENT_DR : 0));
    return conf;
}

/* ---- options ----------------------------------------------------------------------------------
 */

static int check_broker(const struct kafka_options *o, const char *broker, struct err *err)
{
    struct address at;
    if (address_parse(broker, &at, NULL) < 0 || !*at.host || at.port == 0)
        return err_set(err, LEAT_EINPUT, "bus: kafka://%s: '%s' is not HOST:PORT", o->brokers,
                       broker);
    if (o->tls || o->insecure || address_is_loopback(broker))
        return 0;
    return err_set(
        err, LEAT_EREFUSED,
        "bus: %s is not on this machine and events, parameters%s would reach it in plain "
        "text: set bus-tls (and bus-ca-file), or bus-insecure where the network is "
        "trusted",
        broker, o->sasl ? ", the password" : "");
}

int kafka_options_check(const struct kafka_options *o, struct err *err)
{
    cleanup_free char *list = mem_string(o->brokers ? o->brokers : "");
    char *rest = list, *broker;
    if (!*list)
        return err_set(err, LEAT_EINPUT, "bus: kafka:// is followed by HOST:PORT,…");
    while ((broker = strsep(&rest, ",")))
        if (check_broker(o, broker, err) < 0)
            return err ? err->code : LEAT_EINPUT;
    if (o->sasl && (!o->user || !o->password_file))
        return err_set(err, LEAT_EINPUT, "bus-sasl needs bus-user and bus-password-file");
    if (!o->sasl && (o->user || o->password_file))
        return err_set(err, LEAT_EINPUT, "bus-user and bus-password-file need bus-sasl");
    if (!o->tls && (o->ca_file || o->cert_file || o->key_file))
        return err_set(err, LEAT_EINPUT,
                       "bus-ca-file, bus-cert-file and bus-key-file need bus-tls");
    if (!o->cert_file != !o->key_file)
        return err_set(err, LEAT_EINPUT, "bus-cert-file and bus-key-file go together");
    return 0;
}

#define STRINGS(S) S(brokers) S(name) S(ca_file) S(cert_file) S(key_file) S(user) S(password_file)

void kafka_options_copy(struct kafka_options *to, const struct kafka_options *from)
{
    *to = *from;
#define S(field) to->field = mem_string(from->field);
    STRINGS(S)
#undef S
}

void kafka_options_free(struct kafka_options *options)
{
#define S(field) free((char *)(uintptr_t)options->field);
    STRINGS(S)
#undef S
}

#include "common/bus/open.h"

#include <string.h>

#include "common/base/text.h"
#include "common/bus/embedded.h"
#include "common/bus/kafka.h"

#define SCHEME "kafka://"

const char *const BUS_SASL_WORDS[] = {"none", "plain", "scram-sha-256", "scram-sha-512", NULL};

bool bus_is_kafka(const char *bus)
{
    return text_starts_with(bus, SCHEME);
}

static struct kafka_options kafka_options(const struct bus_wanted *w)
{
    const struct bus_settings *s = w->kafka;
    return (struct kafka_options){.brokers = w->bus + strlen(SCHEME),
                                  .name = w->name,
                                  .make = w->leads,
                                  .replicas = (int)s->replicas,
                                  .min_insync = (int)s->min_insync,
                                  .tls = s->tls,
                                  .insecure = s->insecure,
                                  .ca_file = s->ca_file,
                                  .cert_file = s->cert_file,
                                  .key_file = s->key_file,
                                  .sasl = (enum kafka_sasl)s->sasl,
                                  .user = s->user,
                                  .password_file = s->password_file};
}

int bus_check(const struct bus_wanted *wanted, struct err *err)
{
    if (bus_is_kafka(wanted->bus)) {
        const struct kafka_options options = kafka_options(wanted);
        return kafka_options_check(&options, err);
    }
    if (strcmp(wanted->bus, "embedded") != 0)
        return err_set(err, LEAT_EUSAGE, "bus: '%s' is neither embedded nor kafka://HOST:PORT,…",
                       wanted->bus);
    if (!wanted->database || !*wanted->database)
        return err_set(err, LEAT_EUSAGE, "database: the embedded queue needs it");
    return 0;
}

struct bus *bus_open(struct loop *loop, const struct bus_wanted *wanted, struct err *err)
{
    if (bus_check(wanted, err) < 0)
        return NULL;
    if (bus_is_kafka(wanted->bus)) {
        const struct kafka_options options = kafka_options(wanted);
        return kafka_open(loop, &options, err);
    }
    return embedded_open(loop,
                         &(struct embedded_options){.conninfo = wanted->database,
                                                    .name = wanted->name,
                                                    .producer = wanted->producer,
                                                    .doorbells = wanted->doorbells,
                                                    .sync_commit_off = wanted->sync_commit_off});
}

int bus_probe(const struct bus_wanted *wanted, int limit_ms, struct kafka_probe *out,
              struct err *err)
{
    const struct kafka_options options = kafka_options(wanted);
    return kafka_probe(&options, limit_ms, out, err);
}

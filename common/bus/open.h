/* common/bus/open.h: the queue of a daemon, opened as its configuration says: `bus` is "embedded"
 * or kafka://HOST:PORT,… The keys that only Kafka has are declared once, here. */
#pragma once
#include "common/base/config.h"
#include "common/base/loop.h"
#include "common/bus/bus.h"

struct bus_settings { /* strings NULL = not given */
    char *ca_file, *cert_file, *key_file, *user, *password_file;
    int sasl; /* enum kafka_sasl */
    bool tls, insecure;
    int64_t replicas, min_insync; /* of the scheduler alone; 0 = by the number of brokers */
};

/* In the configuration struct of every daemon. */
#define BUS_FIELDS struct bus_settings kafka

extern const char *const BUS_SASL_WORDS[];

#define BUS_KEYS(type)                                                                             \
    {CONFIG_KEY(type, kafka.tls, "bus-tls", CONFIG_BOOL), .help = "Kafka is spoken to by TLS"},    \
        {CONFIG_KEY(type, kafka.ca_file, "bus-ca-file", CONFIG_PATH),                              \
         .help = "certificates that vouch for the brokers (default: the system's)"},               \
        {CONFIG_KEY(type, kafka.cert_file, "bus-cert-file", CONFIG_PATH),                          \
         .help = "certificate that we show to the brokers"},                                       \
        {CONFIG_KEY(type, kafka.key_file, "bus-key-file", CONFIG_PATH), .help = "its key"},        \
        {CONFIG_KEY(type, kafka.sasl, "bus-sasl", CONFIG_ENUM), .fallback = "none",                \
         .words = BUS_SASL_WORDS, .help = "how we show the brokers who we are"},                   \
        {CONFIG_KEY(type, kafka.user, "bus-user", CONFIG_STRING), .help = "as whom"},              \
        {CONFIG_KEY(type, kafka.password_file, "bus-password-file", CONFIG_PATH),                  \
         .help = "file whose first line is the password"},                                         \
    {                                                                                              \
        CONFIG_KEY(type, kafka.insecure, "bus-insecure", CONFIG_BOOL),                             \
            .help = "brokers beyond loopback may be spoken to without TLS"                         \
    }

struct bus_wanted {
    const char *bus;                  /* the key's value */
    const struct bus_settings *kafka; /* used on Kafka only */
    const char *database, *doorbells; /* used on the embedded queue only */
    const char *name;                 /* shown in Postgres and in the broker's logs */
    const char *producer;             /* embedded.h; NULL = nothing is published there */
    bool leads;                       /* the scheduler: makes the queue where there is none */
    bool sync_commit_off;             /* embedded.h */
};

/* Refuses what cannot work: LEAT_EUSAGE (no such kind of queue), LEAT_EINPUT, LEAT_EREFUSED (plain
 * text beyond loopback). Says nothing about whether it is there. */
int bus_check(const struct bus_wanted *wanted, struct err *err);

/* Never blocks for the queue: it is reached later, and again. NULL and err as bus_check, and
 * LEAT_EIO for a file that cannot be read. */
struct bus *bus_open(struct loop *loop, const struct bus_wanted *wanted, struct err *err);

bool bus_is_kafka(const char *bus); /* of the key's value */

/* On Kafka: kafka_probe. Blocks for `limit_ms` at most. */
struct kafka_probe;
int bus_probe(const struct bus_wanted *wanted, int limit_ms, struct kafka_probe *out,
              struct err *err);

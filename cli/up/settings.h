/* cli/up/settings.h: what one `leat up` runs, and where. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "cli/verb.h"
#include "common/base/err.h"

/* Folders below the data folder; their names are part of docs/operate.md. */
#define UP_FOLDERS(F)                                                                              \
    F(bin, "bin")                                                                                  \
    F(postgres, "postgres")                                                                        \
    F(run, "run")                                                                                  \
    F(doorbells, "run/doorbells")                                                                  \
    F(store, "store")                                                                              \
    F(buckets, "buckets")                                                                          \
    F(worker, "worker")                                                                            \
    F(log, "log")

/* What is passed on to every daemon on Kafka, and to the scheduler alone (those that begin with
 * BUS_REPLICAS). */
#define UP_BUS(B)                                                                                  \
    B(TLS, "bus-tls", NULL, "Kafka is spoken to by TLS")                                           \
    B(CA_FILE, "bus-ca-file", "FILE", "certificates that vouch for the brokers")                   \
    B(CERT_FILE, "bus-cert-file", "FILE", "certificate that Leat shows to the brokers")            \
    B(KEY_FILE, "bus-key-file", "FILE", "its key")                                                 \
    B(SASL, "bus-sasl", "plain|scram-sha-256|scram-sha-512", "how the brokers know who Leat is")   \
    B(USER, "bus-user", "NAME", "as whom")                                                         \
    B(PASSWORD_FILE, "bus-password-file", "FILE", "its first line is the password")                \
    B(INSECURE, "bus-insecure", NULL, "brokers beyond loopback may be spoken to without TLS")      \
    B(REPLICAS, "bus-replicas", "N", "copies of each topic; default: three, or one a broker")      \
    B(MIN_INSYNC, "bus-min-insync", "N",                                                           \
      "copies that have a record before it counts; default: two of three, else one")

enum up_bus {
#define B(id, name, value, help) UP_BUS_##id,
    UP_BUS(B)
#undef B
        UP_BUS_COUNT
};
extern const char *const UP_BUS_KEYS[UP_BUS_COUNT];

struct up_settings {
    char *data; /* absolute */
#define F(field, name) char *field;
    UP_FOLDERS(F)
#undef F
    const char *user;     /* who runs everything when we are root */
    const char *listen;   /* of the API */
    const char *hooks;    /* of the triggers */
    char *database;       /* NULL = a private cluster in the data folder */
    const char *store_at; /* NULL = the folder */
    /* Of s3://…; NULL = the usual. The credentials are a file's absolute path. */
    const char *store_endpoint, *store_region, *store_style, *store_credentials;
    const char *bus;
    const char *bus_more[UP_BUS_COUNT]; /* as for the daemons; NULL = not given */
    const char *executor;
    const char *scheduler_listen, *worker_listen;          /* of their /metrics; NULL = nowhere */
    const char *most_runs, *most_pipelines, *most_workers; /* NULL = the scheduler's default */
    const char *docker_network, *docker_networks;          /* NULL = the worker's defaults */
    const char *slots;                                     /* NULL = the worker's default */
    const char *path; /* of process steps; NULL = the worker's default */
    char *conninfo;   /* what the daemons get */
    bool detach;
    bool insecure;
};

/* Reads the options; relative folders become absolute. LEAT_EUSAGE for what this build cannot. */
int up_settings_read(const struct given *given, struct up_settings *out, struct err *err);
/* The same unchecked; `then` says what `given` does not (NULL = nothing), `then_database` is what
 * LEAT_DATABASE is there. */
int up_settings_fill(const struct given *given, const struct given *then, const char *then_database,
                     struct up_settings *out, struct err *err);
/* The settings that a doctor looks at: the options of `given`, then those of the `leat up` that
 * runs in the data folder (its command line and environment; *told holds it, to be freed last),
 * then the defaults. What this build cannot is not refused. */
struct up_told;
int up_settings_find(const struct given *given, struct up_told **told, struct up_settings *out,
                     struct err *err);
void up_told_free(struct up_told *told); /* takes NULL */
/* What the Kafka of these settings shows (common/bus/kafka.h); blocks for `limit_ms` at most. */
struct kafka_probe;
int up_bus_probe(const struct up_settings *settings, int limit_ms, struct kafka_probe *out,
                 struct err *err);
void up_settings_free(struct up_settings *settings);
/* DATA of --data, or the default: /var/lib/leat as root, else $XDG_DATA_HOME/leat. malloc'd. */
char *up_data_folder(const struct given *given, struct err *err);

/* common/bus/kafka_internal.h: shared by
 *   kafka.c         the object, which bus it is     kafka_publish.c  the producer
 *   kafka_client.c  one librdkafka handle           kafka_reader.c   readers
 *   kafka_config.c  its settings                    kafka_admin.c    topics, ends, trim
 *   kafka_survey.c  blocking questions              kafka_tell.c     logs, errors, figures
 *   kafka_probe.c   a look from outside */
#pragma once
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <uthash.h>

#include "common/base/loop.h"
#include "common/base/metrics.h"
#include "common/bus/kafka.h"

/* ---- one handle ------------------------------------------------------------------------------ */
struct kafka_client;
/* Events that the client does not handle itself; the event is the client's. */
typedef void kafka_event_fn(void *arg, rd_kafka_event_t *event);

struct kafka_client {
    struct loop *loop;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue; /* its main queue */
    int fd;                  /* librdkafka writes here when a queue was empty and is not */
    struct loop_fd watch;
    kafka_event_fn *event;
    loop_fn *woken; /* NULL, or called at each wake-up: another queue rings the same fd */
    void *arg;
    int refs;    /* the owner, surveys, the wake-up that runs */
    bool closed; /* no events any more */
    bool scram;
    struct kafka_told *told;
    int64_t retries; /* as of the last statistics */
};

/* NULL and err when librdkafka refuses the settings. */
struct kafka_client *kafka_client_open(struct loop *loop, const struct kafka_options *options,
                                       rd_kafka_type_t type, kafka_event_fn *event, loop_fn *woken,
                                       void *arg, struct err *err);
void kafka_client_wake(struct kafka_client *c, rd_kafka_queue_t *queue); /* ring for it, too */
void kafka_client_hold(struct kafka_client *c);
void kafka_client_release(struct kafka_client *c); /* the last one destroys it on the pool */
void kafka_client_close(struct kafka_client *c);   /* no events after it; takes NULL */

/* ---- settings -------------------------------------------------------------------------------- */
rd_kafka_conf_t *kafka_conf(const struct kafka_options *options, rd_kafka_type_t type,
                            struct err *err);
void kafka_options_copy(struct kafka_options *to, const struct kafka_options *from);
void kafka_options_free(struct kafka_options *options);

/* ---- what it says ---------------------------------------------------------------------------- */
#define KAFKA_METRICS(M)                                                                           \
    M(WAITING, GAUGE, "leat_bus_waiting", "Publishes that are not answered yet.", NULL)            \
    M(PUBLISH, HISTOGRAM, "leat_bus_publish_seconds", "From a publish to its delivery.", NULL)     \
    M(FAILED, COUNTER, "leat_bus_publishes_failed_total", "Publishes answered with an error.",     \
      "error")                                                                                     \
    M(READ, COUNTER, "leat_bus_records_read_total", "Records read.", NULL)                         \
    M(BROKERS, GAUGE, "leat_bus_brokers_up", "Brokers that we are connected to.", NULL)            \
    M(RETRIES, COUNTER, "leat_bus_retries_total", "Requests sent again to a broker.", NULL)

enum kafka_metric {
#define M(id, kind, name, help, label) KAFKA_METRIC_##id,
    KAFKA_METRICS(M)
#undef M
};
extern struct metric KAFKA_METRIC[];
void kafka_metrics_register(void); /* once a process */

void kafka_tell_log(struct kafka_client *c, rd_kafka_event_t *event);
void kafka_tell_error(struct kafka_client *c, rd_kafka_event_t *event);
void kafka_tell_statistics(struct kafka_client *c, const char *json);
void kafka_told_free(struct kafka_client *c);
/* The same text is written at most once in 30 s; counts those left out. True: write it. */
bool kafka_told_now(struct kafka_client *c, const char *facility, int64_t *left_out);
/* Our code for librdkafka's, of a request that took no effect. */
int kafka_code(rd_kafka_resp_err_t code);
bool kafka_is_missing(rd_kafka_resp_err_t code); /* no such topic or partition */

/* ---- blocking questions ---------------------------------------------------------------------- */
struct kafka_range {
    int slot; /* of its topic in the survey */
    int32_t partition;
    int64_t first, end;
};

struct kafka_survey;
typedef void kafka_surveyed(void *arg, const struct kafka_survey *survey);

struct kafka_survey {
    struct kafka_survey *prev, *next;
    struct kafka *k;
    struct kafka_client *client;
    kafka_surveyed *done;
    void *arg;
    char (*topics)[BUS_TOPIC_MAX];
    size_t topic_count;
    bool ranges;
    /* The answer: */
    struct err err;      /* code 0: all below is true */
    int32_t *partitions; /* of each topic; 0 = there is no such topic */
    struct kafka_range *found;
    size_t found_count;
    int brokers;
    char cluster[64];
    char far[128]; /* a broker beyond loopback, "" = none */
};

/* Asks for the topics' partitions and, with `ranges`, where each begins and ends now. `done` comes
 * from the loop, always; what it is given lives until it returns. */
void kafka_survey(struct kafka *k, struct kafka_client *client, const char *const *topics, size_t n,
                  bool ranges, kafka_surveyed *done, void *arg);
void kafka_surveys_close(struct kafka *k); /* those that wait are answered */

/* ---- the producer ---------------------------------------------------------------------------- */
struct kafka_message {
    struct kafka_message *prev, *next;
    char *topic;
    char *key;   /* NULL = none */
    char *value; /* librdkafka's once it flies */
    size_t key_len, len;
    bus_delivered *delivered; /* NULL once answered */
    void *arg;
    int64_t began_us, deadline_us;
    struct err *refusal; /* answered with it from the loop */
};

struct kafka_outlet { /* a topic that we publish to */
    char name[BUS_TOPIC_MAX];
    rd_kafka_topic_t *rkt; /* NULL: not known to be there */
    bool asking, missing;
    UT_hash_handle hh;
};

struct kafka_producer {
    struct kafka_message *refused, *waiting, *flying;
    size_t count, bytes; /* not answered */
    struct kafka_outlet *outlets;
    struct loop_timer deadlines, again;
    bool pumping, asking;
};

/* ---- questions of callers -------------------------------------------------------------------- */
enum kafka_ask_kind { KAFKA_ASK_MAKE, KAFKA_ASK_ENDS, KAFKA_ASK_TRIM };

struct kafka_ask {
    struct kafka_ask *prev, *next;
    struct kafka *k;
    enum kafka_ask_kind kind;
    char (*topics)[BUS_TOPIC_MAX];
    int32_t *partitions; /* MAKE: wished */
    size_t topic_count;
    int32_t partition; /* TRIM */
    int64_t offset;
    bus_done *done; /* NULL once answered */
    bus_ends *ends_done;
    void *arg;
    int64_t deadline_us;
    bool begun, surveying;
    bool naming; /* makes leat.bus: goes on before the bus is ready */
};

/* ---- the bus --------------------------------------------------------------------------------- */
enum kafka_state {
    KAFKA_SEEKING, /* which bus is it? */
    KAFKA_MARKING, /* its name is being written */
    KAFKA_NAMING,  /* its name is being read */
    KAFKA_READY,
};

struct kafka {
    struct bus base;
    struct loop *loop;
    struct kafka_options options;
    struct kafka_client *client;
    enum kafka_state state;
    struct uuid id;
    bool id_known;
    char cluster[64];
    int brokers;
    struct bus_reader *namer; /* reads leat.bus */
    struct loop_timer seek;
    int64_t seek_us; /* wait before the next look */
    int64_t told_us; /* when it was last said that nobody answers */
    struct kafka_producer producer;
    struct kafka_ask *asks;
    struct loop_timer ask_deadlines;
    struct bus_reader *readers;
    struct kafka_survey *surveys; /* that wait */
    int surveys_running;
    struct { /* kafka_seen */
        struct kafka_probe probe;
        int64_t again_us; /* not before */
        bool known, looking;
    } seen;
    int refs; /* the owner, readers, surveys, deferred calls */
    bool closed;
};

void kafka_hold(struct kafka *k);
void kafka_release(struct kafka *k);       /* may free it */
void kafka_seek_again(struct kafka *k);    /* a topic is gone: it may be another bus */
void kafka_client_failed(struct kafka *k); /* a fatal error: the producer is made anew */

/* ---- kafka_publish.c ---- */
void kafka_publish(struct bus *bus, const char *topic, const void *key, size_t key_len,
                   const void *value, size_t len, int64_t deadline_us, bus_delivered *delivered,
                   void *arg);
void kafka_producer_pump(struct kafka *k);
void kafka_producer_delivered(struct kafka *k, rd_kafka_event_t *event);
void kafka_producer_forget(struct kafka *k); /* the client is gone: what flies is unknown */
void kafka_producer_close(struct kafka *k);
/* Straight to the client, before the bus is ready. */
void kafka_publish_name(struct kafka *k, const struct uuid *name, bus_delivered *delivered);

/* ---- kafka_admin.c ---- */
void kafka_topics_make(struct bus *bus, const struct bus_topic *topics, size_t n, bus_done *done,
                       void *arg);
void kafka_ends(struct bus *bus, const char *const *topics, size_t n, bus_ends *done, void *arg);
void kafka_trim(struct bus *bus, const char *topic, int32_t partition, int64_t offset,
                bus_done *done, void *arg);
void kafka_make_now(struct kafka *k, const char *topic, bus_done *done); /* before it is ready */
void kafka_asks_pump(struct kafka *k);
void kafka_asks_result(struct kafka *k, rd_kafka_event_t *event);
void kafka_asks_forget(struct kafka *k);
void kafka_asks_close(struct kafka *k);

/* ---- kafka_reader.c ---- */
struct bus_reader *kafka_reader_open(struct bus *bus, const struct bus_reader_events *events,
                                     void *arg);
void kafka_reader_assign(struct bus_reader *reader, const char *const *topics, size_t topic_count,
                         const struct bus_position *positions, size_t position_count,
                         int64_t otherwise);
void kafka_reader_pause(struct bus_reader *reader, bool paused);
void kafka_reader_close(struct bus_reader *reader);
void kafka_readers_look(struct kafka *k); /* topics may have come, or the bus is ready */

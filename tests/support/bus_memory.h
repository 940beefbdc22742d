/* tests/support/bus_memory.h: a bus in memory for tests and the simulator, with all the semantics
 * of bus.h: offsets without gaps, delivery reports, unknown outcomes, resets, outages,
 * back-pressure.
 *
 * A unit test needs three lines:
 *     struct memory_log *log = memory_log_new(memory_clock_of_loop(loop), NULL);
 *     struct bus *bus = memory_bus_open(log, &(struct memory_bus_options){.producer = "w1"});
 *     … bus->ops->close(bus); memory_log_free(log);
 *
 * Two sides have clocks of their own: what happens in the log (an append, an end read) happens on
 * the log's, every callback into a client on the client's, which a simulator can stop. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/bus/bus.h"

struct loop;
struct memory_log;

typedef void memory_fn(void *arg);
struct memory_clock {
    int64_t (*now)(void *ctx);
    /* fn(arg) after that many µs, never from inside the call; equal instants in order of calls. */
    void (*later)(void *ctx, int64_t after_us, memory_fn *fn, void *arg);
    void *ctx;
};
/* On a real loop. One at a time may be in use; the loop outlives it. */
struct memory_clock memory_clock_of_loop(struct loop *loop);

enum memory_op {
    MEMORY_TOPICS,
    MEMORY_PUBLISH,
    MEMORY_ENDS,
    MEMORY_TRIM,
    MEMORY_DELIVER, /* records to a reader, after a ring */
};

/* What becomes of one request. Zero = at once and well. */
struct memory_fate {
    int64_t there_us; /* until it reaches the log */
    int64_t back_us;  /* until its answer is here */
    int error;        /* 0, or what is answered instead (LEAT_EUNREACHABLE, LEAT_EUNKNOWN, …) */
    bool took_effect; /* with an error: the log did it all the same */
};

struct memory_bus_options {
    const char *producer;       /* stable name */
    bool outbox_in_transaction; /* as the embedded bus: one partition a producer, rings, resets */
    struct memory_clock *clock; /* of callbacks; NULL = the log's; copied */
    void (*fate)(void *ctx, enum memory_op op, const char *topic, struct memory_fate *fate);
    void *fate_ctx;
};

/* ---- the log -------------------------------------------------------------------------------- */
struct memory_log *memory_log_new(struct memory_clock clock, const struct uuid *id);
void memory_log_free(struct memory_log *log); /* after every client */
/* While it is down requests are answered LEAT_EUNREACHABLE and nothing is delivered. */
void memory_log_set_down(struct memory_log *log, bool down);
bool memory_log_has_topic(const struct memory_log *log, const char *topic);
void memory_log_make_topic(struct memory_log *log, const char *topic, int32_t partitions);
/* Appends as a transaction does, without a ring: readers look after a second, or when rung. The
 * topic must exist. `producer` names the partition (made when new). Returns the offset. */
int64_t memory_log_append(struct memory_log *log, const char *topic, const char *producer,
                          const char *key, const void *value, size_t len);
/* Partitions of a topic and their ends; 0 for a topic that is not there. */
int32_t memory_log_partitions(const struct memory_log *log, const char *topic);
int64_t memory_log_end(const struct memory_log *log, const char *topic, int32_t partition);
int64_t memory_log_first(const struct memory_log *log, const char *topic, int32_t partition);
/* A record, or NULL below `first` and from the end on. */
const void *memory_log_value(const struct memory_log *log, const char *topic, int32_t partition,
                             int64_t offset, size_t *len);
/* A crash that loses what was not yet on disk: records from `end` on are gone. */
void memory_log_cut(struct memory_log *log, const char *topic, int32_t partition, int64_t end);

/* ---- clients -------------------------------------------------------------------------------- */
struct bus *memory_bus_open(struct memory_log *log, const struct memory_bus_options *options);
/* The connection was lost: every reader gets its reset (embedded kind only; others read on). */
void memory_bus_reset(struct bus *bus);
/* Unreachable for this client alone. */
void memory_bus_set_cut(struct bus *bus, bool cut);
/* The process died: requests on their way still arrive, no callback comes, the bus is freed. */
void memory_bus_kill(struct bus *bus);

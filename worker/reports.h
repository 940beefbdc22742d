/* worker/reports.h: what a worker reports, numbered 1, 2, … without gaps over all its lives, kept
 * until the leader's grant says that it is committed, and published again when it may not have
 * arrived: after a failed delivery, after three grants without progress, after a long silence. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/loop.h"
#include "common/base/uuid.h"
#include "common/bus/bus.h"
#include "schema/gen/messages.h"

#define REPORTS_AHEAD 10000 /* numbers are set aside in the journal so many at a time */

struct reports_entry;

struct reports_owner {
    /* Before anything new is published: false = not now (the journal could not be written); asked
     * again later. */
    bool (*may_publish)(void *arg);
    /* Numbers up to `last` may be used from now on: to be journalled. */
    void (*numbers)(void *arg, int64_t last);
    /* A finished report is committed. */
    void (*acknowledged)(void *arg, const struct uuid *attempt);
    /* The first report (the hello) is durable on the bus. */
    void (*hello_delivered)(void *arg);
    void *arg;
};

struct reports {
    struct loop *loop;
    struct bus *bus;
    const char *worker;
    struct uuid incarnation;
    struct reports_owner owner;
    struct reports_entry *
        *entries; /* unacknowledged, in order: [first, count) of a sliding array */
    size_t first, count, cap;
    size_t cursor; /* next to publish, in [first, count] */
    size_t in_flight, heartbeats;
    int64_t next_n, numbers_to;
    int idle_grants;      /* in a row that answered and acknowledged nothing */
    int64_t resend_at_us; /* when nobody answers; CLOCK_MONOTONIC */
    int64_t resend_wait_us;
    int64_t retry_wait_us; /* after a failed delivery */
    bool flushing, hello_told;
    struct loop_timer retry;
};

/* `last_used`: no lower number was used by an earlier life. */
void reports_open(struct reports *r, struct loop *loop, struct bus *bus, const char *worker,
                  const struct uuid *incarnation, int64_t last_used,
                  const struct reports_owner *owner);
void reports_close(struct reports *r); /* after the bus */

/* Numbers and encodes it; it leaves at the end of the loop's iteration. Fills in v, worker,
 * incarnation and n. The text is good until it is acknowledged. */
const char *reports_push(struct reports *r, struct report *report, size_t *len);

/* A grant: reports up to `committed` are in; `heartbeat` (its report number, 0 = none) is what it
 * answers. */
void reports_granted(struct reports *r, int64_t committed, int64_t heartbeat);
/* To be called now and then: publishes again when nobody has answered for long. */
void reports_look(struct reports *r, int64_t now_us);

int64_t reports_unacknowledged(const struct reports *r);
size_t reports_heartbeats(const struct reports *r); /* unacknowledged ones */

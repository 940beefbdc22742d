/* worker/attempt/lease.h: until when a worker may take in work. Pure; all times are microseconds
 * on CLOCK_BOOTTIME. A grant that names heartbeat k counts from the moment k was sent, so that a
 * slow answer shortens the lease and never lengthens it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/lease.h"

#define LEASE_BEAT 2000000LL /* between heartbeats */
#define LEASE_SENT 64        /* heartbeats remembered */

struct lease {
    int64_t end_us; /* 0 = never had one */
    struct lease_beat {
        int64_t number, sent_us;
    } sent[LEASE_SENT]; /* a ring; number 0 = empty */
    size_t next;
};

/* The worker says hello: the leader hears of it no earlier than now. */
void lease_begin(struct lease *lease, int64_t now_us);
void lease_sent(struct lease *lease, int64_t number, int64_t now_us);
/* The answer to heartbeat `number`; true when the lease now ends later. */
bool lease_granted(struct lease *lease, int64_t number);
bool lease_live(const struct lease *lease, int64_t now_us);

/* How long after the lease's end an attempt is ended, so that with its grace it is over before the
 * leader may judge it lost; < 0 does not come out of it. */
int64_t lease_fuse_slack(int64_t lost_after_us, int64_t grace_us);

/* common/base/lease.h: what worker and leader must agree on about a lease, in µs (docs/walk.md,
 * section 6). The worker ends what runs, grace included, LEASE_MARGIN before the leader may call it
 * lost; both count from the end of the lease. */
#pragma once

#define LEASE_US     10000000LL /* a worker's lease after a heartbeat; the leader's may be longer */
#define LEASE_MARGIN 5000000LL

/* worker/attempt/tombstones.h: attempts that are over, so that an order that comes again does not
 * run them again. Kept until the worker has read so many orders past theirs that none of them can
 * be sent again. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/uuid.h"

#define TOMBSTONES_ORDERS 4096 /* orders that the leader could send again */

struct tombstone {
    struct uuid attempt;
    int64_t offset; /* of the order that made it */
    bool refuse;    /* cancelled or revoked before it came: its start is to be answered */
};

struct tombstones {
    struct tombstone_node *by_id; /* a hash; oldest first */
};

/* Adds it, or changes `refuse` of the one that is there. */
void tombstones_add(struct tombstones *t, const struct uuid *attempt, int64_t offset, bool refuse);
const struct tombstone *tombstones_find(const struct tombstones *t, const struct uuid *attempt);
/* Drops those that `next`, the order offset to be read next, has left behind. */
void tombstones_prune(struct tombstones *t, int64_t next);
void tombstones_each(const struct tombstones *t,
                     void (*fn)(void *arg, const struct tombstone *stone), void *arg);
size_t tombstones_count(const struct tombstones *t);
void tombstones_free(struct tombstones *t);

/* scheduler/shell/outbox.h: messages of committed batches on a bus that is not part of the
 * transaction. Each is published until it is delivered; the queue is bounded, and while it is full
 * no new batch begins. What is lost with the process is sent again by the next leader's core. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "common/bus/bus.h"
#include "scheduler/core/batch.h"
#include "scheduler/shell/world.h"

#define OUTBOX_MAX 10000

struct outbox_message;

struct outbox {
    struct bus *bus;
    struct world *world;
    struct world_timer *retry;
    struct outbox_message *waiting; /* for the next try, oldest first */
    struct outbox_message *flying;
    size_t count;
    int64_t backoff_us;
    world_fn *drained; /* there is room again */
    void *arg;
};

void outbox_init(struct outbox *o, struct bus *bus, struct world *world, world_fn *drained,
                 void *arg);
void outbox_free(struct outbox *o); /* no delivery may be open any more */
void outbox_publish(struct outbox *o, const struct batch_message *messages, size_t n);
bool outbox_is_full(const struct outbox *o);

/* For a bus whose outbox is in the transaction: rings each topic once. */
void outbox_ring(struct bus *bus, const struct batch_message *messages, size_t n);

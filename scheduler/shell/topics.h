/* scheduler/shell/topics.h: the orders topics that are known to exist. A worker's topic is made at
 * its hello, before an order can be committed to it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>
#include "common/bus/bus.h"

struct topic {
    char name[BUS_TOPIC_MAX]; /* leat.orders.WORKER */
    UT_hash_handle hh;
};

struct topics {
    struct topic *known;
};

void topics_orders_name(const char *worker, char out[BUS_TOPIC_MAX]);
bool topics_has(const struct topics *t, const char *worker);
void topics_add(struct topics *t, const char *worker);
/* Its worker is forgotten; the topic stays on the bus, and is made again should the worker come. */
void topics_forget(struct topics *t, const char *worker);
/* LEAT's fixed topics first, then the orders topics of `workers`: an array to free, whose names
 * live in *names (to free too). */
struct bus_topic *topics_list(int32_t partitions, bool fixed, const char *const *workers, size_t n,
                              char **names, size_t *count);
void topics_free(struct topics *t);

#include "scheduler/shell/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/base/mem.h"

#define FIXED_TOPICS 4

void topics_orders_name(const char *worker, char out[BUS_TOPIC_MAX])
{
    snprintf(out, BUS_TOPIC_MAX, "%s%s", TOPIC_ORDERS_PREFIX, worker);
}

static struct topic *find(const struct topics *t, const char *worker)
{
    char name[BUS_TOPIC_MAX];
    struct topic *topic = NULL;
    topics_orders_name(worker, name);
    HASH_FIND_STR(t->known, name, topic);
    return topic;
}

bool topics_has(const struct topics *t, const char *worker)
{
    return find(t, worker) != NULL;
}

void topics_add(struct topics *t, const char *worker)
{
    if (topics_has(t, worker))
        return;
    struct topic *topic = mem_alloc(sizeof *topic);
    topics_orders_name(worker, topic->name);
    HASH_ADD_STR(t->known, name, topic);
}

void topics_forget(struct topics *t, const char *worker)
{
    struct topic *topic = find(t, worker);
    if (!topic)
        return;
    HASH_DEL(t->known, topic);
    free(topic);
}

struct bus_topic *topics_list(int32_t partitions, bool fixed, const char *const *workers, size_t n,
                              char **names, size_t *count)
{
    struct bus_topic *list = mem_array(n + FIXED_TOPICS, sizeof *list);
    *names = mem_array(n + 1, BUS_TOPIC_MAX);
    size_t used = 0;
    if (fixed) {
        list[used++] = (struct bus_topic){TOPIC_COMMANDS, 1};
        list[used++] = (struct bus_topic){TOPIC_EVENTS, partitions};
        list[used++] = (struct bus_topic){TOPIC_REPORTS, partitions};
        list[used++] = (struct bus_topic){TOPIC_CHANGES, 1};
    }
    for (size_t i = 0; i < n; i++) {
        char *name = *names + i * BUS_TOPIC_MAX;
        topics_orders_name(workers[i], name);
        list[used++] = (struct bus_topic){name, 1};
    }
    *count = used;
    return list;
}

void topics_free(struct topics *t)
{
    struct topic *topic, *next;
    HASH_ITER (hh, t->known, topic, next) {
        HASH_DEL(t->known, topic);
        free(topic);
    }
}

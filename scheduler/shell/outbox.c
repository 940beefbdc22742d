#include "scheduler/shell/outbox.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "common/base/log.h"
#include "common/base/mem.h"

#define RETRY_MIN_US 100000
#define RETRY_MAX_US 2000000

struct outbox_message {
    struct outbox *outbox;
    struct outbox_message *prev, *next;
    char *topic, *key, *value;
    size_t len;
};

static void message_free(struct outbox_message *m)
{
    free(m->topic);
    free(m->key);
    free(m->value);
    free(m);
}

static void delivered(void *arg, const struct err *err, int32_t partition, int64_t offset)
{
    (void)partition;
    (void)offset;
    struct outbox_message *m = arg;
    struct outbox *o = m->outbox;
    DL_DELETE(o->flying, m);
    if (err) {
        log_warn("message not delivered, trying again", LOG_S("topic", m->topic), LOG_ERR(err));
        DL_APPEND(o->waiting, m);
        o->world->ops->timer_set(o->retry, o->backoff_us);
        return;
    }
    bool was_full = outbox_is_full(o);
    o->count--;
    o->backoff_us = RETRY_MIN_US;
    message_free(m);
    if (was_full && !outbox_is_full(o))
        o->drained(o->arg);
}

static void send(struct outbox *o, struct outbox_message *m)
{
    DL_APPEND(o->flying, m);
    bus_publish(o->bus, m->topic, m->key, m->key ? strlen(m->key) : 0, m->value, m->len, 0,
                delivered, m);
}

static void try_again(void *arg)
{
    struct outbox *o = arg;
    struct outbox_message *waiting = TAKE(o->waiting);
    o->backoff_us = o->backoff_us * 2 < RETRY_MAX_US ? o->backoff_us * 2 : RETRY_MAX_US;
    while (waiting) {
        struct outbox_message *m = waiting;
        DL_DELETE(waiting, m);
        send(o, m);
    }
}

void outbox_init(struct outbox *o, struct bus *bus, struct world *world, world_fn *drained,
                 void *arg)
{
    *o = (struct outbox){
        .bus = bus, .world = world, .drained = drained, .arg = arg, .backoff_us = RETRY_MIN_US};
    o->retry = world->ops->timer_new(world, try_again, o);
}

static void drop_all(struct outbox_message **list)
{
    while (*list) {
        struct outbox_message *m = *list;
        DL_DELETE(*list, m);
        message_free(m);
    }
}

void outbox_free(struct outbox *o)
{
    o->world->ops->timer_free(o->retry);
    drop_all(&o->waiting);
    drop_all(&o->flying);
}

void outbox_publish(struct outbox *o, const struct batch_message *messages, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct outbox_message *m = mem_alloc(sizeof *m);
        m->outbox = o;
        m->topic = mem_string(messages[i].topic);
        m->key = mem_string(messages[i].key);
        m->value = mem_bytes(messages[i].value, messages[i].len);
        m->len = messages[i].len;
        o->count++;
        if (o->waiting) /* behind what is tried again: a grant must not overtake a cancel */
            DL_APPEND(o->waiting, m);
        else
            send(o, m);
    }
}

bool outbox_is_full(const struct outbox *o)
{
    return o->count >= OUTBOX_MAX;
}

static bool rung_before(const struct batch_message *messages, size_t i)
{
    for (size_t j = i > 16 ? i - 16 : 0; j < i; j++) /* a repeated ring is only a waste */
        if (strcmp(messages[j].topic, messages[i].topic) == 0)
            return true;
    return false;
}

void outbox_ring(struct bus *bus, const struct batch_message *messages, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!rung_before(messages, i))
            bus->ops->ring(bus, messages[i].topic);
}

#include "api/changes.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define LISTENERS_MAX 4
#define LOOK_US       (US_PER_S)

struct changes {
    struct loop *loop;
    struct bus *bus;
    struct bus_reader *reader;
    struct changes_seen seen;
    struct changes_listener listeners[LISTENERS_MAX];
    size_t listener_count;
    int64_t heard_us;
    struct loop_timer look, again;
};

enum changes_verdict changes_next(struct changes_seen *seen, int64_t epoch, int64_t tx_seq)
{
    const struct changes_seen last = *seen;
    if (last.tx_seq > 0 && (epoch < last.epoch || (epoch == last.epoch && tx_seq <= last.tx_seq)))
        return CHANGES_REPEAT;
    *seen = (struct changes_seen){epoch, tx_seq};
    return last.tx_seq == 0 || tx_seq == last.tx_seq + 1 ? CHANGES_FOLLOWS : CHANGES_GAP;
}

static void tell_missed(struct changes *c)
{
    for (size_t i = 0; i < c->listener_count; i++)
        c->listeners[i].missed(c->listeners[i].arg);
}

static void take(struct changes *c, const struct change *change)
{
    const enum changes_verdict verdict = changes_next(&c->seen, change->epoch, change->tx_seq);
    if (verdict == CHANGES_REPEAT)
        return;
    for (size_t i = 0; i < c->listener_count; i++)
        c->listeners[i].change(c->listeners[i].arg, change);
    if (verdict == CHANGES_GAP || change->partial)
        tell_missed(c);
}

static void records(void *arg, const struct bus_record *records, size_t n)
{
    struct changes *c = arg;
    c->heard_us = clock_monotonic_us();
    for (size_t i = 0; i < n; i++) {
        struct change change;
        struct err err = {0};
        if (change_decode(records[i].value, records[i].len, &change, &err) == 0) {
            take(c, &change);
            change_clear(&change);
        } else {
            log_warn("a change record cannot be read", LOG_ERR(&err));
            tell_missed(c);
        }
    }
}

static void assign(void *arg)
{
    static const char *const topics[] = {TOPIC_CHANGES};
    struct changes *c = arg;
    c->bus->ops->assign(c->reader, topics, 1, NULL, 0, BUS_END);
    tell_missed(c);
}

/* Records were trimmed under a reader that was away for long: it goes on at the end. */
static void failed(void *arg, const struct err *err)
{
    struct changes *c = arg;
    log_warn("the tail of the changes begins anew", LOG_ERR(err));
    loop_timer_start(c->loop, &c->again, LOOK_US, 0, assign, c);
}

static void look(void *arg)
{
    struct changes *c = arg;
    const int64_t now = clock_monotonic_us();
    if (now - c->heard_us < CHANGES_SILENCE_US)
        return;
    c->heard_us = now;
    tell_missed(c);
}

struct changes *changes_open(struct loop *loop, struct bus *bus)
{
    static const struct bus_reader_events events = {records, assign, failed};
    struct changes *c = mem_alloc(sizeof *c);
    *c = (struct changes){.loop = loop, .bus = bus, .heard_us = clock_monotonic_us()};
    c->reader = bus->ops->reader_open(bus, &events, c);
    assign(c);
    return c;
}

void changes_listen(struct changes *c, const struct changes_listener *listener)
{
    if (c->listener_count == LISTENERS_MAX)
        abort();
    c->listeners[c->listener_count++] = *listener;
    if (!loop_timer_armed(&c->look))
        loop_timer_start(c->loop, &c->look, LOOK_US, LOOK_US, look, c);
}

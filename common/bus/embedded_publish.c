/* The producer: takes records in, holds the lock of its name, keeps deadlines. */
#include <inttypes.h>
#include <string.h>
#include <utlist.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/bus/embedded_internal.h"

#define WAITING_MAX       100000
#define WAITING_BYTES_MAX (64 * 1024 * 1024)
#define DEADLINE_US       (7 * US_PER_S)
#define LOCK_AGAIN_US     (100 * US_PER_MS)

static void ask_lock(void *arg);
static void keep_deadlines(void *arg);

/* ---- taking in ------------------------------------------------------------------------------ */

void message_answer(struct message **list, struct message *m, const struct err *err)
{
    DL_DELETE(*list, m);
    if (m->delivered)
        m->delivered(m->arg, err, m->outlet ? m->outlet->partition : -1, err ? -1 : m->offset);
    free(m->refusal);
    free(m);
}

static void drop_waiting(struct embedded *e, struct message *m, const struct err *err)
{
    e->producer.waiting_count--;
    e->producer.bytes -= m->key_len + m->len;
    message_answer(&e->producer.waiting, m, err);
}

static void pump_deferred(void *arg)
{
    struct embedded *e = arg;
    e->producer.pumping = false;
    producer_pump(e);
    embedded_release(e);
}

static void pump_later(struct embedded *e)
{
    if (e->producer.pumping)
        return;
    e->producer.pumping = true;
    embedded_hold(e);
    loop_defer(e->loop, pump_deferred, e);
}

static int check(const struct embedded *e, const char *topic, size_t key_len, size_t len,
                 struct err *err)
{
    const struct producer *p = &e->producer;
    if (e->closed)
        return err_set(err, LEAT_EUNREACHABLE, "the bus is closed");
    if (!e->options.producer)
        return err_set(err, LEAT_EREFUSED, "this bus was opened for reading only");
    if (strlen(topic) >= BUS_TOPIC_MAX)
        return err_set(err, LEAT_EINPUT, "the name of a topic has at most %d characters",
                       BUS_TOPIC_MAX - 1);
    if (len > BUS_RECORD_MAX || key_len > BUS_RECORD_MAX)
        return err_set(err, LEAT_ELIMIT, "a record has at most %d bytes, not %zu", BUS_RECORD_MAX,
                       len > key_len ? len : key_len);
    if (p->waiting_count >= WAITING_MAX || p->bytes + key_len + len > WAITING_BYTES_MAX)
        return err_set(err, LEAT_EFULL, "%zu records wait for the database already",
                       p->waiting_count);
    return 0;
}

void producer_publish(struct bus *bus, const char *topic, const void *key, size_t key_len,
                      const void *value, size_t len, int64_t deadline_us, bus_delivered *delivered,
                      void *arg)
{
    struct embedded *e = (struct embedded *)bus;
    struct producer *p = &e->producer;
    struct err err = {0};
    const bool refused = check(e, topic, key_len, len, &err) < 0;
    struct message *m = mem_alloc(sizeof *m + (refused ? 0 : key_len + len));
    const int64_t limit = deadline_us ? deadline_us : DEADLINE_US;
    m->delivered = delivered;
    m->arg = arg;
    m->deadline_us = clock_monotonic_us() + limit;
    pump_later(e);
    if (refused) {
        m->refusal = mem_alloc(sizeof err);
        *m->refusal = err;
        DL_APPEND(p->refused, m);
        return;
    }
    m->outlet = outlets_add(&p->outlets, topic);
    m->has_key = key != NULL;
    m->key_len = key ? key_len : 0;
    m->len = len;
    if (m->key_len)
        memcpy(m->data, key, key_len);
    if (len)
        memcpy(m->data + m->key_len, value, len);
    DL_APPEND(p->waiting, m);
    p->waiting_count++;
    p->bytes += m->key_len + len;
    if (!loop_timer_armed(&p->deadlines) || p->deadlines.due_us > m->deadline_us)
        loop_timer_start(e->loop, &p->deadlines, limit, 0, keep_deadlines, e);
}

/* Those that are there now: a callback that publishes again waits for the next turn. */
static void answer_refused(struct producer *p)
{
    const struct message *last = p->refused ? p->refused->prev : NULL;
    bool more = last != NULL;
    while (more && p->refused) {
        more = p->refused != last;
        message_answer(&p->refused, p->refused, p->refused->refusal);
    }
}

void producer_pump(struct embedded *e)
{
    struct producer *p = &e->producer;
    embedded_hold(e);
    answer_refused(p);
    const bool work = p->waiting || p->append.cut;
    if (!e->closed && pg_is_up(e->writes) && p->state == PRODUCER_IDLE && work)
        ask_lock(e);
    else if (!e->closed && pg_is_up(e->writes) && p->state == PRODUCER_READY)
        append_start(e);
    embedded_release(e);
}

/* ---- the lock of the name ------------------------------------------------------------------- */

static void refuse_waiting(struct embedded *e)
{
    struct producer *p = &e->producer;
    const size_t n = p->waiting_count;
    embedded_hold(e);
    for (size_t i = 0; i < n && p->waiting && !e->closed; i++)
        drop_waiting(e, p->waiting, &p->refusal);
    embedded_release(e);
}

static void holder_read(void *arg, const struct pg_answer *answer)
{
    struct embedded *e = arg;
    struct producer *p = &e->producer;
    if (pg_row_count(answer->rows) == 0 || p->refused_since_us == 0)
        return; /* it has gone meanwhile, or so has the connection */
    err_set(&p->refusal, LEAT_EREFUSED,
            "another process publishes as '%s': %s, backend %" PRId64
            "; give each its own name or stop one",
            e->options.producer, pg_text(answer->rows, 0, 1), pg_int(answer->rows, 0, 0));
    if (p->waiting)
        log_warn("publishing is refused", LOG_ERR(&p->refusal));
    refuse_waiting(e);
}

static void lock_refused(struct embedded *e)
{
    struct producer *p = &e->producer;
    const int64_t now = clock_monotonic_us();
    if (!p->refused_since_us)
        p->refused_since_us = now;
    loop_timer_start(e->loop, &p->lock_timer, LOCK_AGAIN_US, 0, ask_lock, e);
    if (now - p->refused_since_us < e->options.lock_wait_us || !p->waiting)
        return;
    cleanup_pg_params struct pg_params params = {0};
    pg_add_text(&params, e->options.producer);
    pg_call(e->writes, QUERY_BUS_PRODUCER_HOLDER, &params, holder_read, e);
}

static void lock_answered(void *arg, const struct pg_answer *answer)
{
    struct embedded *e = arg;
    struct producer *p = &e->producer;
    if (answer->err) {
        p->state = PRODUCER_IDLE; /* the next connection asks again */
        return;
    }
    if (!pg_bool(answer->rows, 0, 0)) {
        lock_refused(e);
        return;
    }
    p->refused_since_us = 0;
    p->state = p->append.cut ? PRODUCER_SETTLING : PRODUCER_READY;
    if (p->append.cut)
        append_settle(e);
    else
        producer_pump(e);
}

static void ask_lock(void *arg)
{
    struct embedded *e = arg;
    cleanup_pg_params struct pg_params p = {0};
    e->producer.state = PRODUCER_LOCKING;
    pg_add_text(&p, e->options.producer);
    pg_call(e->writes, QUERY_BUS_PRODUCER_LOCK, &p, lock_answered, e);
}

/* ---- deadlines ------------------------------------------------------------------------------ */

/* Answers what is due in the list; the earliest deadline that is left goes to *next. */
static void expire(struct embedded *e, struct message *list, const struct err *err, bool sent,
                   int64_t *next)
{
    const int64_t now = clock_monotonic_us();
    struct message *m, *tmp;
    DL_FOREACH_SAFE(list, m, tmp)
    {
        if (!m->delivered)
            continue;
        if (m->deadline_us > now) {
            *next = m->deadline_us < *next ? m->deadline_us : *next;
            continue;
        }
        bus_delivered *delivered = TAKE(m->delivered);
        delivered(m->arg, err, -1, -1);
        if (e->closed)
            return;
        if (!sent)
            drop_waiting(e, m, NULL);
    }
}

static void keep_deadlines(void *arg)
{
    struct embedded *e = arg;
    struct producer *p = &e->producer;
    struct err late = {0}, unknown = {0};
    int64_t next = INT64_MAX;
    if (p->refused_since_us)
        err_set(&late, LEAT_EREFUSED, "another process publishes as '%s'", e->options.producer);
    else
        err_set(&late, LEAT_EUNREACHABLE, "not published in time: the database does not answer");
    err_set(&unknown, LEAT_EUNKNOWN, "published, but the database does not say so in time");
    embedded_hold(e);
    expire(e, p->waiting, &late, false, &next);
    if (!e->closed)
        expire(e, p->append.messages, &unknown, true, &next);
    if (!e->closed && next != INT64_MAX)
        loop_timer_start(e->loop, &p->deadlines, next - clock_monotonic_us(), 0, keep_deadlines, e);
    embedded_release(e);
}

/* ---- connection and end --------------------------------------------------------------------- */

void producer_up(struct embedded *e)
{
    producer_pump(e);
}

void producer_down(struct embedded *e)
{
    struct producer *p = &e->producer;
    p->state = PRODUCER_IDLE;
    p->refused_since_us = 0;
    loop_timer_stop(&p->lock_timer);
    outlets_forget(&p->outlets);
}

void producer_close(struct embedded *e)
{
    struct producer *p = &e->producer;
    struct err gone = {0}, unknown = {0};
    err_set(&gone, LEAT_EUNREACHABLE, "the bus is closed");
    err_set(&unknown, LEAT_EUNKNOWN, "the bus was closed before the database answered");
    loop_timer_stop(&p->lock_timer);
    loop_timer_stop(&p->deadlines);
    append_answer(e, &unknown);
    while (p->waiting)
        drop_waiting(e, p->waiting, &gone);
    answer_refused(p);
}

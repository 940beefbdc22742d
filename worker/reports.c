#include "worker/reports.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define IN_FLIGHT_MOST 4096
#define IDLE_GRANTS    3
#define RETRY_FIRST_US (100 * US_PER_MS)
#define RETRY_MOST_US  (2 * US_PER_S)
#define SILENCE_US     (15 * US_PER_S)
#define SILENCE_MOST   (160 * US_PER_S)

struct reports_entry {
    struct reports *owner;
    struct uuid attempt; /* FINISHED */
    int64_t n;
    int kind;      /* enum report_kind */
    int in_flight; /* publishes that are not answered; it is freed when there are none */
    bool acknowledged, delivered;
    char *text;
    size_t len;
};

void reports_open(struct reports *r, struct loop *loop, struct bus *bus, const char *worker,
                  const struct uuid *incarnation, int64_t last_used,
                  const struct reports_owner *owner)
{
    *r = (struct reports){
        .loop = loop,
        .bus = bus,
        .worker = worker,
        .incarnation = *incarnation,
        .owner = *owner,
        .next_n = last_used + 1,
        .numbers_to = last_used,
        .retry_wait_us = RETRY_FIRST_US,
        .resend_wait_us = SILENCE_US,
    };
}

static void entry_free(struct reports_entry *e)
{
    free(e->text);
    free(e);
}

void reports_close(struct reports *r)
{
    loop_timer_stop(&r->retry);
    for (size_t i = r->first; i < r->count; i++)
        entry_free(r->entries[i]);
    free(r->entries);
    *r = (struct reports){0};
}

/* ---- publishing ---------------------------------------------------------------------------------
 */

static void flush_later(struct reports *r);

static void rewind_to(struct reports *r, size_t index)
{
    if (index < r->cursor)
        r->cursor = index;
}

static size_t index_of(const struct reports *r, const struct reports_entry *e)
{
    return r->first + (size_t)(e->n - r->entries[r->first]->n);
}

static void retry(void *arg)
{
    flush_later(arg);
}

/* From the failed one on everything goes again: what overtook it was ignored as a gap. */
static void failed(struct reports *r, struct reports_entry *e, const struct err *err)
{
    if (!e->acknowledged)
        rewind_to(r, index_of(r, e));
    if (loop_timer_armed(&r->retry))
        return;
    if (err->code != LEAT_ENOTFOUND && err->code != LEAT_EUNREACHABLE)
        log_warn("a report could not be published", LOG_ERR(err));
    loop_timer_start(r->loop, &r->retry, r->retry_wait_us, 0, retry, r);
    if (r->retry_wait_us < RETRY_MOST_US)
        r->retry_wait_us *= 2;
}

static void delivered(void *arg, const struct err *err, int32_t partition, int64_t offset)
{
    (void)partition;
    (void)offset;
    struct reports_entry *e = arg;
    struct reports *r = e->owner;
    r->in_flight--;
    e->in_flight--;
    if (err) {
        failed(r, e, err);
    } else {
        e->delivered = true;
        r->retry_wait_us = RETRY_FIRST_US;
        if (!r->hello_told && e->kind == REPORT_KIND_HELLO) {
            r->hello_told = true;
            r->owner.hello_delivered(r->owner.arg);
        }
    }
    if (e->acknowledged && e->in_flight == 0)
        entry_free(e);
    if (r->cursor < r->count)
        flush_later(r);
}

static void publish(struct reports *r, struct reports_entry *e)
{
    e->in_flight++;
    r->in_flight++;
    if (e->kind == REPORT_KIND_FINISHED)
        failpoint_hit(FAILPOINT_REPORT_PUBLISH_BEFORE);
    bus_publish(r->bus, TOPIC_REPORTS, r->worker, strlen(r->worker), e->text, e->len, 0, delivered,
                e);
    if (e->kind == REPORT_KIND_FINISHED)
        failpoint_hit(FAILPOINT_REPORT_PUBLISH_AFTER);
}

static void flush(void *arg)
{
    struct reports *r = arg;
    r->flushing = false;
    if (!r->bus || loop_timer_armed(&r->retry) || r->cursor == r->count)
        return;
    if (!r->owner.may_publish(r->owner.arg)) {
        loop_timer_start(r->loop, &r->retry, RETRY_MOST_US / 2, 0, retry, r);
        return;
    }
    while (r->cursor < r->count && r->in_flight < IN_FLIGHT_MOST)
        publish(r, r->entries[r->cursor++]);
}

static void flush_later(struct reports *r)
{
    if (!r->flushing)
        loop_defer(r->loop, flush, r);
    r->flushing = true;
}

/* ---- adding -------------------------------------------------------------------------------------
 */

static int64_t take_number(struct reports *r)
{
    if (r->next_n > r->numbers_to) {
        r->numbers_to = r->next_n + REPORTS_AHEAD;
        r->owner.numbers(r->owner.arg, r->numbers_to);
    }
    return r->next_n++;
}

/* Room for one more at the end; what is over at the front is given back first. */
static void make_room(struct reports *r)
{
    if (r->count == r->cap && r->first > r->cap / 2) {
        memmove(r->entries, r->entries + r->first, (r->count - r->first) * sizeof *r->entries);
        r->cursor -= r->first;
        r->count -= r->first;
        r->first = 0;
    }
    MEM_ROOM(r->entries, r->count, r->cap);
}

const char *reports_push(struct reports *r, struct report *report, size_t *len)
{
    report->v = 1;
    report->worker = r->worker;
    report->incarnation = r->incarnation;
    report->n = take_number(r);
    struct reports_entry *e = mem_alloc(sizeof *e);
    *e = (struct reports_entry){.owner = r, .n = report->n, .kind = report->kind};
    if (report->kind == REPORT_KIND_FINISHED)
        e->attempt = report->attempt;
    e->text = report_encode(report, &e->len);
    r->heartbeats += report->kind == REPORT_KIND_HEARTBEAT;
    make_room(r);
    r->entries[r->count++] = e;
    if (r->count - r->first == 1)
        r->resend_at_us = clock_monotonic_us() + r->resend_wait_us;
    flush_later(r);
    if (len)
        *len = e->len;
    return e->text;
}

/* ---- acknowledgement
 * ----------------------------------------------------------------------------- */

static void acknowledge(struct reports *r, struct reports_entry *e)
{
    r->heartbeats -= e->kind == REPORT_KIND_HEARTBEAT;
    if (e->kind == REPORT_KIND_FINISHED)
        r->owner.acknowledged(r->owner.arg, &e->attempt);
    e->acknowledged = true;
    if (e->in_flight == 0)
        entry_free(e);
}

static bool progress(struct reports *r, int64_t committed)
{
    const size_t before = r->first;
    while (r->first < r->count && r->entries[r->first]->n <= committed)
        acknowledge(r, r->entries[r->first++]);
    if (r->cursor < r->first)
        r->cursor = r->first;
    if (r->first == r->count)
        r->first = r->count = r->cursor = 0;
    return r->first != before || r->count == 0;
}

static void send_again(struct reports *r)
{
    r->idle_grants = 0;
    rewind_to(r, r->first);
    flush_later(r);
}

void reports_granted(struct reports *r, int64_t committed, int64_t heartbeat)
{
    if (progress(r, committed)) {
        r->idle_grants = 0;
        r->resend_wait_us = SILENCE_US;
        r->resend_at_us = clock_monotonic_us() + SILENCE_US;
        return;
    }
    /* It answers a heartbeat that was published after the first of ours that it lacks. */
    if (heartbeat > r->entries[r->first]->n && ++r->idle_grants >= IDLE_GRANTS)
        send_again(r);
}

void reports_look(struct reports *r, int64_t now_us)
{
    if (r->first == r->count || now_us < r->resend_at_us)
        return;
    if (r->resend_wait_us < SILENCE_MOST)
        r->resend_wait_us *= 2;
    r->resend_at_us = now_us + r->resend_wait_us;
    send_again(r);
}

int64_t reports_unacknowledged(const struct reports *r)
{
    return (int64_t)(r->count - r->first);
}

size_t reports_heartbeats(const struct reports *r)
{
    return r->heartbeats;
}

/* Orders: read, judged, journalled in one write, then followed. The reader never waits for work. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/attempt/attempt.h"
#include "worker/counters.h"
#include "worker/worker.h"

#define REOPEN_US US_PER_S

/* One record of a batch. */
struct read_order {
    struct order order; /* kind NONE: to be left alone */
    const struct bus_record *record;
    struct attempt *begun; /* a start that is taken in */
    const char *refused;   /* a start that is answered so */
};

struct order_batch {
    struct read_order *orders;
    size_t count;
    size_t mark; /* of the journal, to take back */
};

/* ---- judging ------------------------------------------------------------------------------------
 */

static bool decode(struct worker *w, const struct bus_record *record, struct order *out)
{
    struct err err = {0};
    if (order_decode(record->value, record->len, out, &err) != 0) {
        log_error("an order cannot be read", LOG_I("offset", record->offset), LOG_ERR(&err));
        counters_dropped("unreadable");
        return false;
    }
    counters_order(out->kind);
    if (out->epoch >= w->epoch)
        return true;
    counters_dropped("old epoch");
    order_clear(out);
    *out = (struct order){0};
    return false;
}

static void raise_epoch(struct worker *w, int64_t epoch)
{
    if (epoch <= w->epoch)
        return;
    w->epoch = epoch;
    journal_put(w->journal, &(struct journal_record){.kind = JOURNAL_EPOCH, .number = epoch});
}

/* Moves the fuses of all that runs. */
static void tell_lease(struct worker *w)
{
    w->fused = true;
    for (int i = 1; i < WORKER_EXECUTORS; i++)
        if (w->executors[i])
            w->executors[i]->ops->lease(w->executors[i], w->lease.end_us);
}

static bool is_leave(const struct order *order)
{
    return order->kind == ORDER_KIND_GRANT && !uuid_is_nil(&order->attempt);
}

static void grant(struct worker *w, const struct order *order)
{
    if (lease_granted(&w->lease, order->heartbeat))
        tell_lease(w);
    reports_granted(&w->reports, order->committed, order->heartbeat);
    /* An answer to an old heartbeat: the leader is back, so it hears of us at once. */
    if (order->heartbeat && !lease_live(&w->lease, clock_boottime_us()) &&
        clock_monotonic_us() - w->beat_us > LEASE_BEAT / 2)
        hello_beat(w);
}

/* Why a start is not taken in; NULL = it is. */
static const char *refusal(struct worker *w, const struct order *order)
{
    const struct tombstone *stone = tombstones_find(&w->over, &order->attempt);
    if (stone && stone->refuse)
        return "it was cancelled before it came";
    if (uuid_compare(&order->incarnation, &w->incarnation) != 0)
        return "the order is for another life of this worker";
    if (w->ending)
        return "the worker ends";
    if (!lease_live(&w->lease, clock_boottime_us()))
        return "the worker's lease has lapsed";
    if (HASH_COUNT(w->attempts) >= WORKER_ATTEMPTS)
        return "the worker holds too many attempts";
    if (!order->start || order->start->executor == ORDER_START_EXECUTOR_NONE ||
        !w->executors[order->start->executor])
        return "the worker has no such executor";
    return NULL;
}

static void judge_start(struct worker *w, struct read_order *read)
{
    const struct tombstone *stone = tombstones_find(&w->over, &read->order.attempt);
    if (attempt_find(w, &read->order.attempt) || (stone && !stone->refuse)) {
        counters_dropped("repeated");
        return;
    }
    read->refused = refusal(w, &read->order);
    if (read->refused)
        return;
    if (!w->fused) /* no grant yet, but the start answers our hello: from it the lease counts, so
                      that nothing runs without a fuse */
        tell_lease(w);
    const struct bus_record *record = read->record;
    read->begun = attempt_new(w, &read->order, record->value, record->len, record->offset);
    attempt_put_order(read->begun);
    w->worked = true;
}

static enum attempt_asked asked_by(const struct order *order)
{
    return order->kind == ORDER_KIND_CANCEL ? ASKED_CANCEL : ASKED_REVOKE;
}

/* Of an attempt that has not been seen: its start, when it comes, is refused. */
static void judge_end(struct worker *w, const struct read_order *read)
{
    const struct order *order = &read->order;
    struct attempt *a = attempt_find(w, &order->attempt);
    if (a && a->nonce == order->nonce)
        attempt_put_asked(a, asked_by(order), order->grace_us, order->reason);
    if (a || tombstones_find(&w->over, &order->attempt))
        return;
    tombstones_add(&w->over, &order->attempt, read->record->offset, true);
    journal_put(w->journal, &(struct journal_record){.kind = JOURNAL_REFUSE,
                                                     .id = order->attempt,
                                                     .offset = read->record->offset});
}

static void judge(struct worker *w, struct order_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct read_order *read = &batch->orders[i];
        if (read->order.kind == ORDER_KIND_START)
            judge_start(w, read);
        else if (read->order.kind == ORDER_KIND_CANCEL || read->order.kind == ORDER_KIND_REVOKE)
            judge_end(w, read);
    }
}

/* ---- following ----------------------------------------------------------------------------------
 */

static void refuse(struct worker *w, const struct order *order, const char *why)
{
    struct report_result result = {
        .outcome = REPORT_RESULT_OUTCOME_REFUSED, .exit_code = -1, .reason = why};
    struct report report = {.kind = REPORT_KIND_FINISHED,
                            .attempt = order->attempt,
                            .nonce = order->nonce,
                            .result = &result};
    log_warn("a start is refused", LOG_S("reason", why));
    counters_finished(result.outcome);
    reports_push(&w->reports, &report, NULL);
}

static void end_attempt(struct worker *w, const struct order *order)
{
    struct attempt *a = attempt_find(w, &order->attempt);
    if (a && a->nonce == order->nonce)
        attempt_ask(a, asked_by(order), order->grace_us, order->reason);
}

static void let_start(struct worker *w, const struct order *order)
{
    struct attempt *a = attempt_find(w, &order->attempt);
    if (a && a->nonce == order->nonce)
        attempt_let(a);
}

static void follow(struct worker *w, struct order_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct read_order *read = &batch->orders[i];
        if (read->begun)
            attempt_begin(read->begun);
        else if (read->refused)
            refuse(w, &read->order, read->refused);
        else if (read->order.kind == ORDER_KIND_CANCEL || read->order.kind == ORDER_KIND_REVOKE)
            end_attempt(w, &read->order);
        else if (is_leave(&read->order))
            let_start(w, &read->order);
    }
}

/* ---- reading ------------------------------------------------------------------------------------
 */

static void assign(void *arg)
{
    struct worker *w = arg;
    cleanup_free char *topic = mem_printf("%s%s", TOPIC_ORDERS_PREFIX, w->id);
    struct bus_position position = {.partition = 0,
                                    .offset = w->orders_next ? w->orders_next : BUS_EARLIEST};
    snprintf(position.topic, sizeof position.topic, "%s", topic);
    const char *topics[] = {topic};
    w->bus->ops->assign(w->reader, topics, 1, &position, 1, BUS_EARLIEST);
}

/* Of a start that is to run at most once the record is on the disk before anybody is asked. */
static bool sync_batch(struct worker *w, const struct order_batch *batch)
{
    struct err err = {0};
    bool wanted = false;
    for (size_t i = 0; i < batch->count; i++) {
        const struct attempt *a = batch->orders[i].begun;
        wanted |= a && a->order.start->at_most_once;
    }
    if (!wanted || journal_sync(w->journal, &err) == 0)
        return true;
    log_error("the journal could not be synced", LOG_ERR(&err));
    return false;
}

static bool write_batch(struct worker *w, const struct order_batch *batch, int64_t next)
{
    journal_put(w->journal, &(struct journal_record){.kind = JOURNAL_OFFSET, .number = next});
    if (failpoint_hit(FAILPOINT_ORDER_JOURNALLED_BEFORE) || !worker_journal(w) ||
        !sync_batch(w, batch))
        return false;
    failpoint_hit(FAILPOINT_ORDER_JOURNALLED_AFTER);
    w->orders_next = next;
    return true;
}

/* What could not be journalled has not been taken in: it is read again. */
static void take_back(struct worker *w, struct order_batch *batch)
{
    journal_take_back(w->journal, batch->mark);
    for (size_t i = 0; i < batch->count; i++)
        if (batch->orders[i].begun)
            attempt_free(batch->orders[i].begun);
    loop_timer_start(w->loop, &w->reopen, REOPEN_US, 0, assign, w);
}

static void decode_all(struct worker *w, struct order_batch *batch,
                       const struct bus_record *records)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct read_order *read = &batch->orders[i];
        read->record = &records[i];
        if (decode(w, &records[i], &read->order))
            raise_epoch(w, read->order.epoch);
    }
    for (size_t i = 0; i < batch->count; i++) /* they may renew the lease that the starts need */
        if (batch->orders[i].order.kind == ORDER_KIND_GRANT)
            grant(w, &batch->orders[i].order);
}

/* Containers are labelled with the bus that their orders came by: it is the cluster's name. */
static void tell_cluster(const struct worker *w)
{
    const struct uuid *bus = w->bus->ops->id(w->bus);
    if (w->executors[ORDER_START_EXECUTOR_DOCKER] && bus)
        docker_executor_cluster(w->executors[ORDER_START_EXECUTOR_DOCKER], bus);
}

static void on_records(void *arg, const struct bus_record *records, size_t n)
{
    struct worker *w = arg;
    if (loop_timer_armed(&w->reopen))
        return; /* they are read again */
    struct order_batch batch = {.orders = mem_array(n, sizeof *batch.orders), .count = n};
    tell_cluster(w); /* it may not have been known when the reader was opened */
    decode_all(w, &batch, records);
    batch.mark = journal_pending(w->journal);
    judge(w, &batch);
    if (write_batch(w, &batch, records[n - 1].offset + 1))
        follow(w, &batch);
    else
        take_back(w, &batch);
    for (size_t i = 0; i < n; i++)
        order_clear(&batch.orders[i].order);
    free(batch.orders);
    tombstones_prune(&w->over, w->orders_next);
    replay_rewrite(w);
}

static void on_reset(void *arg)
{
    assign(arg);
}

static void reopen(void *arg)
{
    orders_open(arg);
}

static void on_failed(void *arg, const struct err *err)
{
    struct worker *w = arg;
    log_error("orders cannot be read", LOG_ERR(err),
              LOG_S("hint", "a worker that was removed, or away for longer than the scheduler's "
                            "key-age, goes on with a new data folder"));
    w->bus->ops->reader_close(TAKE(w->reader));
    loop_timer_start(w->loop, &w->reopen, 5 * REOPEN_US, 0, reopen, w);
}

/* An offset counts on the bus that it was read from only. */
static void adopt_bus(struct worker *w)
{
    const struct uuid *bus = w->bus->ops->id(w->bus);
    if (!bus || uuid_compare(bus, &w->orders_bus) == 0)
        return;
    if (!uuid_is_nil(&w->orders_bus))
        log_warn("the bus is another one: its orders are read from the first");
    w->orders_bus = *bus;
    w->orders_next = 0;
    journal_put(w->journal, &(struct journal_record){.kind = JOURNAL_BUS, .id = *bus});
    journal_put(w->journal, &(struct journal_record){.kind = JOURNAL_OFFSET, .number = 0});
    worker_journal(w);
}

void orders_open(struct worker *w)
{
    static const struct bus_reader_events events = {
        .records = on_records, .reset = on_reset, .failed = on_failed};
    adopt_bus(w);
    tell_cluster(w);
    w->reader = w->bus->ops->reader_open(w->bus, &events, w);
    assign(w);
}

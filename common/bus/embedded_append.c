/* One append at a time: all that waits leaves in one statement, one transaction, one flush. What
 * arrives meanwhile is the next one (group commit). */
#include <inttypes.h>
#include <string.h>
#include <utlist.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/bus/embedded_internal.h"

#define APPEND_RECORDS 4000
#define APPEND_BYTES   (4 * 1024 * 1024)

static void append_release(struct append *a)
{
    free(a->outlets);
    free(a->counts);
    free(a->bases);
    *a = (struct append){0};
}

void append_answer(struct embedded *e, const struct err *err)
{
    struct append *a = &e->producer.append;
    embedded_hold(e);
    while (a->messages)
        message_answer(&a->messages, a->messages, err);
    append_release(a);
    embedded_release(e);
}

/* ---- where to ------------------------------------------------------------------------------- */

static void fail_waiting(struct embedded *e, const struct outlet *outlet, const struct err *err)
{
    struct producer *p = &e->producer;
    struct message *failed = NULL, *m, *tmp;
    DL_FOREACH_SAFE(p->waiting, m, tmp)
    {
        if (m->outlet != outlet)
            continue;
        DL_DELETE(p->waiting, m);
        p->waiting_count--;
        p->bytes -= m->key_len + m->len;
        m->refusal = mem_alloc(sizeof *err);
        *m->refusal = *err;
        DL_APPEND(failed, m);
    }
    DL_CONCAT(p->refused, failed); /* the pump answers them */
}

static void outlet_asked(void *arg, struct outlet *outlet, const struct err *err, bool made)
{
    struct embedded *e = arg;
    if (e->closed)
        return;
    if (made)
        embedded_ring(e, outlet->name, DOORBELL_PARTITION);
    if (err && pg_is_up(e->writes)) /* otherwise the next connection asks again */
        fail_waiting(e, outlet, err);
    producer_pump(e);
}

static size_t slot_of(struct append *a, struct outlet *outlet, size_t *cap)
{
    for (size_t i = 0; i < a->outlet_count; i++)
        if (a->outlets[i] == outlet)
            return i;
    if (a->outlet_count == *cap) {
        *cap = *cap ? *cap * 2 : 8;
        a->outlets = mem_grow(a->outlets, *cap, sizeof *a->outlets);
        a->counts = mem_grow(a->counts, *cap, sizeof *a->counts);
        a->bases = mem_grow(a->bases, *cap, sizeof *a->bases);
    }
    a->outlets[a->outlet_count] = outlet;
    a->counts[a->outlet_count] = 0;
    a->bases[a->outlet_count] = outlet->next;
    return a->outlet_count++;
}

/* Moves what may go from the waiting to the append, in order. */
static void gather(struct embedded *e)
{
    struct producer *p = &e->producer;
    struct append *a = &p->append;
    size_t bytes = 0, cap = 0;
    struct message *m, *tmp;
    DL_FOREACH_SAFE(p->waiting, m, tmp)
    {
        if (!m->outlet->known) {
            if (!m->outlet->asked)
                outlets_ask(&p->outlets, e->writes, m->outlet, outlet_asked, e);
            continue;
        }
        if (a->count == APPEND_RECORDS || (bytes && bytes + m->len > APPEND_BYTES))
            break;
        const size_t slot = slot_of(a, m->outlet, &cap);
        m->number = a->counts[slot]++;
        bytes += m->key_len + m->len;
        DL_DELETE(p->waiting, m);
        p->waiting_count--;
        p->bytes -= m->key_len + m->len;
        DL_APPEND(a->messages, m);
        a->count++;
    }
}

/* ---- its fate ------------------------------------------------------------------------------- */

/* All of it stands at `bases` onwards. */
static void is_in(struct embedded *e)
{
    struct append *a = &e->producer.append;
    for (struct message *m = a->messages; m; m = m->next)
        for (size_t i = 0; i < a->outlet_count; i++)
            if (a->outlets[i] == m->outlet)
                m->offset = a->bases[i] + m->number;
    for (size_t i = 0; i < a->outlet_count; i++)
        embedded_ring(e, a->outlets[i]->name, DOORBELL_RECORDS);
    append_answer(e, NULL);
}

/* Certainly not there: goes first when it can go. Whose deadline has passed is answered already. */
static void is_not_in(struct embedded *e)
{
    struct producer *p = &e->producer;
    struct append *a = &p->append;
    struct message *m, *tmp;
    DL_FOREACH_SAFE(a->messages, m, tmp)
    {
        if (!m->delivered) {
            message_answer(&a->messages, m, NULL);
            continue;
        }
        p->waiting_count++;
        p->bytes += m->key_len + m->len;
    }
    DL_CONCAT(a->messages, p->waiting);
    p->waiting = TAKE(a->messages);
    append_release(a);
}

/* Takes the offsets that the database gave; false when a partition was not there. */
static bool take_bases(struct embedded *e, const struct pg_rows *rows)
{
    struct append *a = &e->producer.append;
    if (pg_row_count(rows) != a->outlet_count)
        return false;
    for (size_t row = 0; row < a->outlet_count; row++) {
        struct outlet *outlet = outlets_by_id(&e->producer.outlets, (int32_t)pg_int(rows, row, 0));
        for (size_t i = 0; i < a->outlet_count; i++) {
            if (a->outlets[i] != outlet)
                continue;
            a->bases[i] = pg_int(rows, row, 2);
            outlet->next = a->bases[i] + a->counts[i];
        }
    }
    return true;
}

static void appended(void *arg, const struct pg_answer *answer)
{
    struct embedded *e = arg;
    struct err err = {0};
    if (e->closed)
        return; /* producer_close answers */
    embedded_hold(e);
    if (answer->err && answer->err->code == LEAT_EUNKNOWN) {
        e->producer.append.cut = true;
    } else if (answer->err && !pg_is_up(e->writes)) {
        is_not_in(e);
    } else if (answer->err) {
        append_answer(e, answer->err);
    } else if (take_bases(e, answer->rows)) {
        is_in(e);
    } else {
        err_set(&err, LEAT_EUNKNOWN, "a partition of this producer has gone");
        append_answer(e, &err);
    }
    producer_pump(e);
    embedded_release(e);
}

void append_start(struct embedded *e)
{
    struct append *a = &e->producer.append;
    if (a->count)
        return;
    gather(e);
    if (!a->count)
        return;
    cleanup_free struct append_record *records = mem_array(a->count, sizeof *records);
    size_t n = 0;
    for (const struct message *m = a->messages; m; m = m->next)
        records[n++] = (struct append_record){.outlet = m->outlet,
                                              .number = m->number,
                                              .key = m->has_key ? m->data : NULL,
                                              .key_len = m->key_len,
                                              .value = m->data + m->key_len,
                                              .len = m->len};
    cleanup_pg_params struct pg_params p = {0};
    append_params(&p, a->outlets, a->counts, a->outlet_count, records, n);
    pg_call(e->writes, QUERY_BUS_APPEND, &p, appended, e);
}

/* ---- the one that was cut off --------------------------------------------------------------- */

/* With the lock in hand nobody else writes there, so the end of the partition tells; should another
 * have held the name meanwhile, the record itself does. */
static void settled(void *arg, const struct pg_answer *answer)
{
    struct embedded *e = arg;
    struct append *a = &e->producer.append;
    struct err err = {0};
    if (e->closed || (answer->err && !pg_is_up(e->writes)))
        return; /* still cut: the next connection looks again */
    embedded_hold(e);
    e->producer.state = PRODUCER_READY;
    const struct message *first = a->messages;
    size_t len = 0;
    const bool found = pg_row_count(answer->rows) > 0;
    const int64_t end = found ? pg_int(answer->rows, 0, 0) : -1;
    const void *value = found ? pg_bytea(answer->rows, 0, 1, &len) : NULL;
    if (found && end <= a->bases[0]) {
        is_not_in(e);
    } else if (value && len == first->len &&
               memcmp(value, first->data + first->key_len, len) == 0) {
        is_in(e);
    } else if (value) {
        is_not_in(e);
    } else {
        err_set(&err, LEAT_EUNKNOWN, "it cannot be found out whether it was published");
        append_answer(e, &err);
    }
    producer_pump(e);
    embedded_release(e);
}

void append_settle(struct embedded *e)
{
    const struct append *a = &e->producer.append;
    cleanup_pg_params struct pg_params p = {0};
    log_info("looking whether the last publish is in", LOG_S("topic", a->outlets[0]->name));
    pg_add_text(&p, a->outlets[0]->name);
    pg_add_text(&p, e->options.producer);
    pg_add_int8(&p, a->bases[0]);
    pg_call(e->writes, QUERY_BUS_RECORD_AT, &p, settled, e);
}

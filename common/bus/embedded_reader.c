/* The reader: knows where it stands in each partition, reads on from there when a doorbell rings,
 * and looks once a second for what no doorbell has told. All readers of a bus share a connection
 * of their own, so that reading does not wait for a flush. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/bus/embedded_internal.h"

#define READ_RECORDS 1000              /* of a partition at a time */
#define READ_BYTES   (4 * 1024 * 1024) /* about; one record at least */

#define ANSWER_TIMEOUT_US (20 * US_PER_S)

struct mark { /* where it stands in one partition */
    int slot; /* of its topic in the assignment */
    int32_t partition;
    int32_t topic;  /* id in the database; 0 = not looked up yet */
    int64_t offset; /* next to read, BUS_EARLIEST or BUS_END */
};

struct ear { /* one topic's doorbell */
    struct bus_reader *reader;
    struct loop_fd watch;
    int fd;
};

struct bus_reader {
    struct bus_reader_head head;
    struct bus_reader *prev, *next;
    struct embedded *e;
    struct bus_reader_events events;
    void *arg;
    int refs; /* the owner, the call under way, a running callback */
    bool closed;

    char (*topics)[BUS_TOPIC_MAX];
    size_t topic_count;
    struct ear *ears;
    struct mark *marks;
    size_t mark_count, mark_cap;
    int64_t otherwise;
    unsigned generation; /* raised by assign and by a lost connection: older answers are void */
    bool assigned, looked, paused;
    bool busy;      /* a call is under way */
    bool want_look; /* partitions may have come */
    bool want_read; /* records may have come */
    struct loop_timer look;
};

static void pump(struct bus_reader *r);

static void release(struct bus_reader *r)
{
    if (--r->refs > 0)
        return;
    embedded_release(r->e);
    free(r->topics);
    free(r->marks);
    free(r);
}

/* ---- stopping for good ---------------------------------------------------------------------- */

static void fail(struct bus_reader *r, const struct err *err)
{
    r->assigned = false;
    r->generation++;
    if (r->events.failed)
        r->events.failed(r->arg, err);
}

static void fail_range(struct bus_reader *r, const struct mark *mark, int64_t first, int64_t end)
{
    struct err err = {0};
    const char *topic = r->topics[mark->slot];
    if (mark->offset < first)
        err_set(&err, LEAT_EREFUSED,
                "%s/%d is to be read from offset %" PRId64 ", but records below %" PRId64
                " have been deleted: what they said is lost. Nothing is skipped by itself; to go "
                "on without them, set the stored offset to %" PRId64,
                topic, mark->partition, mark->offset, first, first);
    else
        err_set(&err, LEAT_EREFUSED,
                "%s/%d is to be read from offset %" PRId64 ", but it ends at %" PRId64
                ": the queue was restored from an older state than the offsets; restore both from "
                "one backup",
                topic, mark->partition, mark->offset, end);
    fail(r, &err);
}

/* ---- looking: which partitions are there, and how far do they go ----------------------------- */

static struct mark *mark_of(struct bus_reader *r, int slot, int32_t partition)
{
    for (size_t i = 0; i < r->mark_count; i++)
        if (r->marks[i].slot == slot && r->marks[i].partition == partition)
            return &r->marks[i];
    return NULL;
}

static struct mark *mark_add(struct bus_reader *r, int slot, int32_t partition, int64_t offset)
{
    MEM_ROOM(r->marks, r->mark_count, r->mark_cap);
    struct mark *mark = &r->marks[r->mark_count++];
    *mark = (struct mark){.slot = slot, .partition = partition, .offset = offset};
    return mark;
}

/* One partition as it is now. False when the reader has failed over it. */
static bool take_partition(struct bus_reader *r, const struct pg_rows *rows, size_t row)
{
    const int slot = (int)pg_int(rows, row, 0);
    const int32_t partition = (int32_t)pg_int(rows, row, 2);
    const int64_t end = pg_int(rows, row, 3), first = pg_int(rows, row, 4);
    struct mark *mark = mark_of(r, slot, partition);
    if (!mark) /* one that came after the assignment has nothing that came before it */
        mark = mark_add(r, slot, partition, r->looked ? BUS_EARLIEST : r->otherwise);
    mark->topic = (int32_t)pg_int(rows, row, 1);
    if (mark->offset == BUS_EARLIEST)
        mark->offset = first;
    else if (mark->offset == BUS_END)
        mark->offset = end;
    if (mark->offset < first || mark->offset > end) {
        fail_range(r, mark, first, end);
        return false;
    }
    r->want_read = r->want_read || mark->offset < end;
    return true;
}

struct asking {
    struct bus_reader *reader;
    unsigned generation;
};

/* Ends the call that is under way. False when its answer is void. */
static bool answered(struct asking *asking, const struct pg_answer *answer)
{
    struct bus_reader *r = asking->reader;
    const bool current = asking->generation == r->generation && !r->closed;
    if (current)
        r->busy = false;
    free(asking);
    if (current && answer->err && pg_is_up(r->e->reads))
        log_debug("reader", LOG_ERR(answer->err)); /* the next look tries again */
    return current && !answer->err;
}

static void looked(void *arg, const struct pg_answer *answer)
{
    struct bus_reader *r = ((struct asking *)arg)->reader;
    if (answered(arg, answer)) {
        const size_t n = pg_row_count(answer->rows);
        bool fine = true;
        for (size_t row = 0; row < n && fine; row++)
            fine = take_partition(r, answer->rows, row);
        r->looked = true;
        pump(r);
    }
    release(r);
}

static struct asking *ask(struct bus_reader *r)
{
    struct asking *asking = mem_alloc(sizeof *asking);
    *asking = (struct asking){.reader = r, .generation = r->generation};
    r->busy = true;
    r->refs++;
    return asking;
}

static void start_look(struct bus_reader *r)
{
    cleanup_pg_params struct pg_params p = {0};
    r->want_look = false;
    pg_array_begin(&p, PG_TEXT);
    for (size_t i = 0; i < r->topic_count; i++)
        pg_add_text(&p, r->topics[i]);
    pg_array_end(&p);
    pg_call(r->e->reads, QUERY_BUS_LOOK, &p, looked, ask(r));
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Records in order; false when one is missing, which a reader must never pass over. */
static bool take_records(struct bus_reader *r, const struct pg_rows *rows,
                         struct bus_record *records, size_t n)
{
    size_t count = 0, bytes = 0;
    for (size_t row = 0; row < n; row++) {
        struct mark *mark = &r->marks[pg_int(rows, row, 0)];
        struct bus_record *record = &records[row];
        record->offset = pg_int(rows, row, 1);
        if (record->offset != mark->offset) {
            fail_range(r, mark, record->offset, record->offset);
            return false;
        }
        mark->offset++;
        record->topic = r->topics[mark->slot];
        record->partition = mark->partition;
        record->key = pg_bytea(rows, row, 2, &record->key_len);
        record->value = pg_bytea(rows, row, 3, &record->len);
        const bool same =
            row && record[-1].partition == record->partition && record[-1].topic == record->topic;
        count = same ? count + 1 : 1;
        bytes = same ? bytes + record->len : record->len;
        if (count == READ_RECORDS || bytes >= READ_BYTES)
            r->want_read = true; /* there may be more behind it */
    }
    return true;
}

static void records_read(void *arg, const struct pg_answer *answer)
{
    struct bus_reader *r = ((struct asking *)arg)->reader;
    if (!answered(arg, answer)) {
        release(r);
        return;
    }
    const size_t n = pg_row_count(answer->rows);
    if (r->paused) { /* nothing was taken: read again */
        r->want_read = true;
    } else if (n > 0) {
        cleanup_free struct bus_record *records = mem_array(n, sizeof *records);
        if (take_records(r, answer->rows, records, n))
            r->events.records(r->arg, records, n);
    }
    pump(r);
    release(r);
}

static void start_read(struct bus_reader *r)
{
    cleanup_pg_params struct pg_params p = {0};
    r->want_read = false;
    pg_array_begin(&p, PG_INT4);
    for (size_t i = 0; i < r->mark_count; i++)
        pg_add_int4(&p, r->marks[i].topic);
    pg_array_end(&p);
    pg_array_begin(&p, PG_INT4);
    for (size_t i = 0; i < r->mark_count; i++)
        pg_add_int4(&p, r->marks[i].partition);
    pg_array_end(&p);
    pg_array_begin(&p, PG_INT8);
    for (size_t i = 0; i < r->mark_count; i++)
        pg_add_int8(&p, r->marks[i].offset);
    pg_array_end(&p);
    pg_add_int8(&p, READ_RECORDS);
    pg_add_int8(&p, READ_BYTES);
    pg_call(r->e->reads, QUERY_BUS_READ, &p, records_read, ask(r));
}

static void pump(struct bus_reader *r)
{
    if (r->closed || !r->assigned || r->busy || !r->e->reads || !pg_is_up(r->e->reads))
        return;
    if (r->want_look)
        start_look(r);
    else if (r->want_read && !r->paused)
        start_read(r);
}

/* ---- being woken ---------------------------------------------------------------------------- */

/* Has a partition of the topic been looked up? The ring of a first record may be the only one. */
static bool is_known(const struct bus_reader *r, int slot)
{
    for (size_t i = 0; i < r->mark_count; i++)
        if (r->marks[i].slot == slot && r->marks[i].topic)
            return true;
    return false;
}

static void rung(void *arg, int events)
{
    struct ear *ear = arg;
    struct bus_reader *r = ear->reader;
    const int what = doorbells_take(ear->fd);
    (void)events;
    r->want_read = true;
    if (what & DOORBELL_HAS_PARTITION || !is_known(r, (int)(ear - r->ears)))
        r->want_look = true;
    pump(r);
}

static void look_again(void *arg)
{
    struct bus_reader *r = arg;
    r->want_look = true;
    pump(r);
}

static void close_ears(struct bus_reader *r)
{
    for (size_t i = 0; r->ears && i < r->topic_count; i++) {
        loop_fd_stop(&r->ears[i].watch);
        if (r->ears[i].fd >= 0)
            doorbells_hang_up(r->ears[i].fd);
    }
    free(TAKE(r->ears));
}

/* Without a doorbell the reader still looks once a second. */
static void open_ears(struct bus_reader *r)
{
    if (!r->e->bells)
        return;
    r->ears = mem_array(r->topic_count, sizeof *r->ears);
    for (size_t i = 0; i < r->topic_count; i++) {
        struct ear *ear = &r->ears[i];
        struct err err = {0};
        ear->reader = r;
        ear->fd = doorbells_listen(r->e->bells, r->topics[i], &err);
        if (ear->fd >= 0)
            loop_fd_start(r->e->loop, &ear->watch, ear->fd, LOOP_READ, rung, ear, &err);
        if (err.code)
            log_warn("a reader has no doorbell", LOG_S("topic", r->topics[i]), LOG_ERR(&err));
    }
}

/* ---- the object ----------------------------------------------------------------------------- */

/* Every reader that is there now, each held: callbacks may close any of them. */
static size_t hold_readers(struct embedded *e, struct bus_reader ***out)
{
    struct bus_reader *r;
    size_t n = 0, i = 0;
    DL_COUNT(e->readers, r, n);
    *out = mem_array(n, sizeof(struct bus_reader *));
    DL_FOREACH (e->readers, r) {
        r->refs++;
        (*out)[i++] = r;
    }
    return n;
}

static void reads_up(void *arg)
{
    struct bus_reader **readers;
    const size_t n = hold_readers(arg, &readers);
    for (size_t i = 0; i < n; i++) {
        readers[i]->want_look = true;
        pump(readers[i]);
        release(readers[i]);
    }
    free(readers);
}

/* What was read may never have been durable (a commit that did not wait for the disk). */
static void reads_down(void *arg, const struct err *err)
{
    struct bus_reader **readers;
    const size_t n = hold_readers(arg, &readers);
    (void)err;
    for (size_t i = 0; i < n; i++) {
        struct bus_reader *r = readers[i];
        const bool tell = r->assigned && r->looked && !r->closed;
        r->busy = false;
        r->generation++;
        if (tell) {
            r->assigned = false;
            if (r->events.reset)
                r->events.reset(r->arg);
        }
        release(r);
    }
    free(readers);
}

struct bus_reader *reader_open(struct bus *bus, const struct bus_reader_events *events, void *arg)
{
    struct embedded *e = (struct embedded *)bus;
    struct bus_reader *r = mem_alloc(sizeof *r);
    r->head.bus = bus;
    r->e = e;
    r->events = *events;
    r->arg = arg;
    r->refs = 1;
    embedded_hold(e);
    DL_APPEND(e->readers, r);
    if (!e->reads) {
        const struct pg_options settings = {.conninfo = e->options.conninfo,
                                            .name = e->options.name,
                                            .answer_timeout_us = ANSWER_TIMEOUT_US,
                                            .generic_plans = true};
        const struct pg_events link = {.up = reads_up, .down = reads_down};
        e->reads = pg_open(e->loop, &settings, &link, e);
    }
    return r;
}

void reader_assign(struct bus_reader *r, const char *const *topics, size_t topic_count,
                   const struct bus_position *positions, size_t position_count, int64_t otherwise)
{
    close_ears(r);
    free(r->topics);
    r->topics = mem_array(topic_count, sizeof *r->topics);
    r->topic_count = topic_count;
    r->mark_count = 0;
    for (size_t i = 0; i < topic_count; i++)
        snprintf(r->topics[i], BUS_TOPIC_MAX, "%s", topics[i]);
    for (size_t i = 0; i < position_count; i++)
        for (size_t slot = 0; slot < topic_count; slot++)
            if (strcmp(positions[i].topic, topics[slot]) == 0)
                mark_add(r, (int)slot, positions[i].partition, positions[i].offset);
    r->otherwise = otherwise;
    r->generation++;
    r->assigned = true;
    r->looked = r->busy = r->want_read = false;
    r->want_look = true;
    open_ears(r); /* before the first look, so that nothing falls in between */
    loop_timer_start(r->e->loop, &r->look, r->e->options.look_us, r->e->options.look_us, look_again,
                     r);
    pump(r);
}

void reader_pause(struct bus_reader *r, bool paused)
{
    r->paused = paused;
    pump(r);
}

void reader_close(struct bus_reader *r)
{
    if (!r)
        return;
    r->closed = true;
    loop_timer_stop(&r->look);
    close_ears(r);
    DL_DELETE(r->e->readers, r);
    release(r);
}

#include "scheduler/shell/intake.h"

#include <string.h>
#include "common/base/mem.h"
#include "common/base/plant.h"

static const char *const topics[] = {
#define T(id, topic) topic,
    INTAKE_TOPICS(T)
#undef T
};

const char *intake_topic(enum intake_kind kind)
{
    return topics[kind];
}

int intake_kind_of(const char *topic)
{
    for (int kind = 0; kind < INTAKE_KINDS; kind++)
        if (strcmp(topics[kind], topic) == 0)
            return kind;
    return -1;
}

static struct intake_mark *mark_find(const struct intake_queue *q, int32_t partition)
{
    for (size_t i = 0; i < q->mark_count; i++)
        if (q->marks[i].partition == partition)
            return &q->marks[i];
    return NULL;
}

static struct intake_mark *mark_of(struct intake_queue *q, int32_t partition)
{
    struct intake_mark *mark = mark_find(q, partition);
    if (mark)
        return mark;
    MEM_ROOM(q->marks, q->mark_count, q->mark_cap);
    mark = &q->marks[q->mark_count++];
    *mark = (struct intake_mark){.partition = partition};
    return mark;
}

static void ring_grow(struct intake_ring *r)
{
    size_t cap = r->cap ? r->cap * 2 : 64;
    struct intake_record **records = mem_array(cap, sizeof *records);
    for (size_t i = 0; i < r->count; i++)
        records[i] = r->records[(r->head + i) & (r->cap - 1)];
    free(r->records);
    *r = (struct intake_ring){records, 0, r->count, cap};
}

static void ring_push(struct intake_ring *r, struct intake_record *record)
{
    if (r->count == r->cap)
        ring_grow(r);
    r->records[(r->head + r->count++) & (r->cap - 1)] = record;
}

static void ring_push_front(struct intake_ring *r, struct intake_record *record)
{
    if (r->count == r->cap)
        ring_grow(r);
    r->head = (r->head - 1) & (r->cap - 1);
    r->count++;
    r->records[r->head] = record;
}

static struct intake_record *ring_pop(struct intake_ring *r)
{
    if (!r->count)
        return NULL;
    struct intake_record *record = r->records[r->head];
    r->head = (r->head + 1) & (r->cap - 1);
    r->count--;
    return record;
}

static void ring_drop(struct intake_ring *r)
{
    struct intake_record *record;
    while ((record = ring_pop(r)))
        free(record);
}

static void queue_drop(struct intake_queue *q)
{
    ring_drop(&q->fresh);
    ring_drop(&q->held);
    q->bytes = 0;
    for (size_t i = 0; i < q->mark_count; i++)
        q->marks[i].held = 0;
}

void intake_clear(struct intake *in)
{
    for (int kind = 0; kind < INTAKE_KINDS; kind++) {
        struct intake_queue *q = &in->queues[kind];
        queue_drop(q);
        free(q->fresh.records);
        free(q->held.records);
        free(q->marks);
        *q = (struct intake_queue){0};
    }
}

bool intake_push(struct intake *in, enum intake_kind kind, const struct bus_record *record)
{
    struct intake_queue *q = &in->queues[kind];
    struct intake_mark *mark = mark_of(q, record->partition);
    if (record->offset < mark->read)
        return false;
    struct intake_record *copy = mem_alloc(sizeof *copy + record->len + 1);
    copy->kind = kind;
    copy->partition = record->partition;
    copy->offset = record->offset;
    copy->len = record->len;
    copy->again = false;
    if (record->len)
        memcpy(copy->value, record->value, record->len);
    mark->read = record->offset + 1;
    ring_push(&q->fresh, copy);
    q->bytes += copy->len;
    return true;
}

static struct intake_record *queue_take(struct intake_queue *q, bool room)
{
    struct intake_record *record = room ? ring_pop(&q->held) : NULL;
    if (record)
        mark_of(q, record->partition)->held--;
    else
        record = ring_pop(&q->fresh);
    if (!record)
        return NULL;
    struct intake_mark *mark = mark_of(q, record->partition);
    if (record->offset >= mark->taken)
        mark->taken = record->offset + 1;
    q->bytes -= record->len;
    return record;
}

struct intake_record *intake_take(struct intake *in, bool room)
{
    struct intake_record *record = NULL;
    for (int kind = 0; kind < INTAKE_KINDS && !record; kind++)
        record = queue_take(&in->queues[kind], room);
    return record;
}

static void hold(struct intake *in, struct intake_record *record, bool first)
{
    struct intake_queue *q = &in->queues[record->kind];
    mark_of(q, record->partition)->held++;
    q->bytes += record->len;
    record->again = true;
    if (first)
        ring_push_front(&q->held, record);
    else
        ring_push(&q->held, record);
}

/* Those that were held before came first, from before all that still are. */
void intake_hold(struct intake *in, struct intake_record **records, size_t count)
{
    size_t before = 0;
    while (before < count && records[before]->again)
        before++;
    for (size_t i = before; i < count; i++)
        hold(in, records[i], false);
    while (before > 0)
        hold(in, records[--before], true);
}

size_t intake_count(const struct intake *in, bool room)
{
    size_t count = 0;
    for (int kind = 0; kind < INTAKE_KINDS; kind++)
        count += in->queues[kind].fresh.count + (room ? in->queues[kind].held.count : 0);
    return count;
}

size_t intake_held(const struct intake *in)
{
    return intake_count(in, true) - intake_count(in, false);
}

static size_t queue_count(const struct intake_queue *q)
{
    return q->fresh.count + q->held.count;
}

bool intake_is_full(const struct intake *in, enum intake_kind kind)
{
    const struct intake_queue *q = &in->queues[kind];
    return queue_count(q) >= INTAKE_RECORDS_MAX || q->bytes >= INTAKE_BYTES_MAX;
}

bool intake_has_room(const struct intake *in, enum intake_kind kind)
{
    const struct intake_queue *q = &in->queues[kind];
    return queue_count(q) <= INTAKE_RECORDS_MAX / 2 && q->bytes <= INTAKE_BYTES_MAX / 2;
}

void intake_restore(struct intake *in, const struct bus_position *offsets, size_t n)
{
    for (int kind = 0; kind < INTAKE_KINDS; kind++) {
        queue_drop(&in->queues[kind]);
        in->queues[kind].mark_count = 0;
    }
    for (size_t i = 0; i < n; i++) {
        int kind = intake_kind_of(offsets[i].topic);
        if (kind < 0)
            continue;
        struct intake_mark *mark = mark_of(&in->queues[kind], offsets[i].partition);
        mark->read = mark->taken = mark->committed = mark->next = offsets[i].offset;
    }
}

/* Of each partition the first offset that is not in a batch. Partitions take turns in the queue, so
 * the first that are held are soon found. O(1) while none is. */
static void queue_settle(struct intake_queue *q)
{
    size_t open = 0;
    for (size_t i = 0; i < q->mark_count; i++) {
        const bool held = q->marks[i].held > 0 && !plant_on(PLANT_HELD_EVENT_COMMITTED);
        q->marks[i].next = held ? -1 : q->marks[i].taken;
        open += held;
    }
    for (size_t i = 0; open > 0; i++) {
        const struct intake_record *r = q->held.records[(q->held.head + i) & (q->held.cap - 1)];
        struct intake_mark *mark = mark_of(q, r->partition);
        open -= mark->next < 0;
        mark->next = mark->next < 0 ? r->offset : mark->next;
    }
}

void intake_settle(struct intake *in)
{
    for (int kind = 0; kind < INTAKE_KINDS; kind++)
        queue_settle(&in->queues[kind]);
}

void intake_forget(struct intake *in, enum intake_kind kind)
{
    struct intake_queue *q = &in->queues[kind];
    queue_settle(q);
    queue_drop(q);
    for (size_t i = 0; i < q->mark_count; i++)
        q->marks[i].read = q->marks[i].taken = q->marks[i].next;
}

void intake_rewind(struct intake *in)
{
    for (int kind = 0; kind < INTAKE_KINDS; kind++) {
        struct intake_queue *q = &in->queues[kind];
        queue_drop(q);
        for (size_t i = 0; i < q->mark_count; i++)
            q->marks[i].read = q->marks[i].taken = q->marks[i].committed;
    }
}

void intake_committed(struct intake *in)
{
    for (int kind = 0; kind < INTAKE_KINDS; kind++) {
        struct intake_queue *q = &in->queues[kind];
        for (size_t i = 0; i < q->mark_count; i++)
            q->marks[i].committed = q->marks[i].next;
    }
}

const struct intake_mark *intake_marks(const struct intake *in, enum intake_kind kind,
                                       size_t *count)
{
    *count = in->queues[kind].mark_count;
    return in->queues[kind].marks;
}

bool intake_has_committed(const struct intake *in, const struct bus_position *end)
{
    int kind = intake_kind_of(end->topic);
    const struct intake_mark *mark = kind < 0 ? NULL : mark_find(&in->queues[kind], end->partition);
    return (mark ? mark->committed : 0) >= end->offset;
}

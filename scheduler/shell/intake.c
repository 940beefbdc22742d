#include "scheduler/shell/intake.h"

#include <string.h>
#include "common/base/mem.h"

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

static struct intake_record *queue_pop(struct intake_queue *q)
{
    if (!q->count)
        return NULL;
    struct intake_record *record = q->ring[q->head];
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
    q->bytes -= record->len;
    return record;
}

static void queue_grow(struct intake_queue *q)
{
    size_t cap = q->cap ? q->cap * 2 : 64;
    struct intake_record **ring = mem_array(cap, sizeof *ring);
    for (size_t i = 0; i < q->count; i++)
        ring[i] = q->ring[(q->head + i) & (q->cap - 1)];
    free(q->ring);
    q->ring = ring;
    q->cap = cap;
    q->head = 0;
}

static void queue_drop(struct intake_queue *q)
{
    struct intake_record *record;
    while ((record = queue_pop(q)))
        free(record);
}

void intake_clear(struct intake *in)
{
    for (int kind = 0; kind < INTAKE_KINDS; kind++) {
        struct intake_queue *q = &in->queues[kind];
        queue_drop(q);
        free(q->ring);
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
    if (record->len)
        memcpy(copy->value, record->value, record->len);
    mark->read = record->offset + 1;
    if (q->count == q->cap)
        queue_grow(q);
    q->ring[(q->head + q->count++) & (q->cap - 1)] = copy;
    q->bytes += copy->len;
    return true;
}

struct intake_record *intake_take(struct intake *in)
{
    for (int kind = 0; kind < INTAKE_KINDS; kind++) {
        struct intake_record *record = queue_pop(&in->queues[kind]);
        if (!record)
            continue;
        mark_of(&in->queues[kind], record->partition)->taken = record->offset + 1;
        return record;
    }
    return NULL;
}

size_t intake_count(const struct intake *in)
{
    size_t count = 0;
    for (int kind = 0; kind < INTAKE_KINDS; kind++)
        count += in->queues[kind].count;
    return count;
}

bool intake_is_full(const struct intake *in, enum intake_kind kind)
{
    const struct intake_queue *q = &in->queues[kind];
    return q->count >= INTAKE_RECORDS_MAX || q->bytes >= INTAKE_BYTES_MAX;
}

bool intake_has_room(const struct intake *in, enum intake_kind kind)
{
    const struct intake_queue *q = &in->queues[kind];
    return q->count <= INTAKE_RECORDS_MAX / 2 && q->bytes <= INTAKE_BYTES_MAX / 2;
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
        mark->read = mark->taken = mark->committed = offsets[i].offset;
    }
}

void intake_forget(struct intake *in, enum intake_kind kind)
{
    struct intake_queue *q = &in->queues[kind];
    queue_drop(q);
    for (size_t i = 0; i < q->mark_count; i++)
        q->marks[i].read = q->marks[i].taken;
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
            q->marks[i].committed = q->marks[i].taken;
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

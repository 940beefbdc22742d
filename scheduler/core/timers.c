#include "scheduler/core/timers.h"

#include <assert.h>

#include "common/base/mem.h"

static void put(struct timers *t, size_t i, struct timer *timer)
{
    t->heap[i] = timer;
    timer->place = (uint32_t)i + 1;
}

static void rise(struct timers *t, size_t i)
{
    struct timer *moving = t->heap[i];
    for (; i > 0 && t->heap[(i - 1) / 2]->at > moving->at; i = (i - 1) / 2)
        put(t, i, t->heap[(i - 1) / 2]);
    put(t, i, moving);
}

static void sink(struct timers *t, size_t i)
{
    struct timer *moving = t->heap[i];
    for (size_t child; (child = 2 * i + 1) < t->count; i = child) {
        if (child + 1 < t->count && t->heap[child + 1]->at < t->heap[child]->at)
            child++;
        if (t->heap[child]->at >= moving->at)
            break;
        put(t, i, t->heap[child]);
    }
    put(t, i, moving);
}

void timers_set(struct timers *t, struct timer *timer, enum timer_kind kind, int64_t at)
{
    timer->kind = (uint8_t)kind;
    timer->at = at;
    if (!timer->place) {
        MEM_ROOM(t->heap, t->count, t->cap);
        put(t, t->count++, timer);
    }
    rise(t, timer->place - 1);
    sink(t, timer->place - 1);
}

void timers_clear(struct timers *t, struct timer *timer)
{
    if (!timer->place)
        return;
    size_t i = timer->place - 1;
    assert(i < t->count && t->heap[i] == timer);
    timer->place = 0;
    struct timer *last = t->heap[--t->count];
    if (last == timer)
        return;
    put(t, i, last);
    rise(t, i);
    sink(t, last->place - 1);
}

struct timer *timers_take(struct timers *t, int64_t now)
{
    if (t->count == 0 || t->heap[0]->at > now)
        return NULL;
    struct timer *first = t->heap[0];
    timers_clear(t, first);
    return first;
}

int64_t timers_next(const struct timers *t)
{
    return t->count ? t->heap[0]->at : INT64_MAX;
}

void timers_free(struct timers *t)
{
    free(t->heap);
    *t = (struct timers){0};
}

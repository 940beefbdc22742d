/* scheduler/core/timers.h: one heap of deadlines. A timer lives inside what it belongs to;
 * zero-initialised it is not armed. Setting, moving and clearing cost O(log armed). */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum timer_kind {
    TIMER_BACKOFF, /* in an attempt: a waiting step is ready again */
    TIMER_ATTEMPT, /* in an attempt: its timeout or its cancel, should the worker never answer */
    TIMER_RUN_TIMEOUT, /* in a run */
    TIMER_QUEUED,      /* the same one, while it is queued */
    TIMER_STEP_QUEUED, /* in a queued: a step waits in its lane */
    TIMER_FINALLY,     /* in a frame: how long its finally steps may take */
    TIMER_GROUP,       /* in a group: the timeout of this try */
    TIMER_GROUP_WAIT,  /* in a group: before the next try or round */
    TIMER_AWAIT,       /* in a wait for what comes from outside: its timeout */
    TIMER_SILENCE,     /* in a worker: its lease, then lost_after */
    TIMER_GRANT,       /* in a worker: a grant that was held back */
    TIMER_BLOCKED,     /* in a lane: it has waited long enough for a worker to be kept free */
};

struct timer {
    int64_t at;     /* on the core's monotonic clock */
    uint32_t place; /* index in the heap + 1; 0 = not armed */
    uint8_t kind;
};

struct timers {
    struct timer **heap;
    size_t count, cap;
};

void timers_set(struct timers *t, struct timer *timer, enum timer_kind kind, int64_t at);
void timers_clear(struct timers *t, struct timer *timer); /* one that is not armed: nothing */
/* Takes out the earliest timer that is due, or gives NULL. */
struct timer *timers_take(struct timers *t, int64_t now);
int64_t timers_next(const struct timers *t); /* INT64_MAX when none is armed */
void timers_free(struct timers *t);

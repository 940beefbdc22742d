/* Timers of the loop: a binary heap over one timerfd, because libuv's own count milliseconds.
 * The timerfd is set once an iteration at most, and only when an earlier timer came up: an idle
 * timeout that is pushed on with each request costs one wake-up a period and no system call. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/loop_internal.h"
#include "common/base/mem.h"

static void place(struct loop *loop, struct loop_timer *timer, size_t slot)
{
    loop->heap[slot] = timer;
    timer->slot = slot;
}

static void sift_up(struct loop *loop, struct loop_timer *timer, size_t slot)
{
    while (slot > 0) {
        struct loop_timer *parent = loop->heap[(slot - 1) / 2];
        if (parent->due_us <= timer->due_us)
            break;
        place(loop, parent, slot);
        slot = (slot - 1) / 2;
    }
    place(loop, timer, slot);
}

static void sift_down(struct loop *loop, struct loop_timer *timer, size_t slot)
{
    for (;;) {
        size_t child = 2 * slot + 1;
        if (child >= loop->timers)
            break;
        if (child + 1 < loop->timers && loop->heap[child + 1]->due_us < loop->heap[child]->due_us)
            child++;
        if (timer->due_us <= loop->heap[child]->due_us)
            break;
        place(loop, loop->heap[child], slot);
        slot = child;
    }
    place(loop, timer, slot);
}

static void insert(struct loop *loop, struct loop_timer *timer, int64_t due_us)
{
    MEM_ROOM(loop->heap, loop->timers, loop->timers_cap);
    timer->loop = loop;
    timer->due_us = due_us;
    sift_up(loop, timer, loop->timers++);
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer, int64_t after_us,
                      int64_t every_us, loop_fn *fn, void *arg)
{
    loop_timer_stop(timer);
    timer->fn = fn;
    timer->arg = arg;
    timer->every_us = every_us;
    const int64_t now = clock_monotonic_us();
    const int64_t wait = after_us < 0 ? 0 : after_us;
    insert(loop, timer, wait > INT64_MAX - now ? INT64_MAX : now + wait);
}

void loop_timer_stop(struct loop_timer *timer)
{
    struct loop *loop = timer->loop;
    if (!loop)
        return;
    timer->loop = NULL;
    struct loop_timer *last = loop->heap[--loop->timers];
    if (last == timer)
        return;
    const size_t slot = timer->slot;
    if (slot > 0 && last->due_us < loop->heap[(slot - 1) / 2]->due_us)
        sift_up(loop, last, slot);
    else
        sift_down(loop, last, slot);
}

bool loop_timer_armed(const struct loop_timer *timer)
{
    return timer->loop != NULL;
}

static void fire(struct loop *loop, struct loop_timer *timer, int64_t now)
{
    const int64_t every = timer->every_us;
    int64_t next = timer->due_us + every;
    loop_timer_stop(timer);
    if (every > 0) {
        if (next <= now)
            next += (now - next) / every * every + every;
        insert(loop, timer, next);
    }
    timer->fn(timer->arg); /* may free the timer */
}

/* Those armed by the callbacks with no wait fire in the next iteration: `now` is taken once. */
static void on_timer_fd(void *arg, int events)
{
    (void)events;
    struct loop *loop = arg;
    uint64_t expirations;
    if (read(loop->timer_fd, &expirations, sizeof expirations) > 0)
        loop->armed_us = INT64_MAX;
    const int64_t now = clock_monotonic_us();
    while (loop->timers > 0 && loop->heap[0]->due_us < now && !loop->stopping)
        fire(loop, loop->heap[0], now);
}

void loop_timers_arm(struct loop *loop)
{
    const int64_t due = loop->timers > 0 ? loop->heap[0]->due_us : INT64_MAX;
    if (due >= loop->armed_us)
        return;
    const int64_t at = due < INT64_MAX ? due + 1 : due; /* the clocks' fractions: never early */
    const struct itimerspec spec = {
        .it_value = {.tv_sec = at / US_PER_S, .tv_nsec = at % US_PER_S * 1000}};
    loop_must(timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL));
    loop->armed_us = due;
}

void loop_timers_open(struct loop *loop)
{
    loop->armed_us = INT64_MAX;
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->timer_fd < 0 || loop_fd_start(loop, &loop->timer_watch, loop->timer_fd, LOOP_READ,
                                            on_timer_fd, loop, NULL) != 0)
        abort();
}

void loop_timers_close(struct loop *loop)
{
    while (loop->timers > 0)
        loop_timer_stop(loop->heap[0]);
    loop_fd_stop(&loop->timer_watch);
    close(loop->timer_fd);
    free(loop->heap);
}

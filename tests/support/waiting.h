/* tests/support/waiting.h: runs a loop until something has happened. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "common/base/clock.h"
#include "common/base/loop.h"

static inline void wait_nothing(void *arg)
{
    (void)arg;
}

/* Runs the loop until *value >= least or `ms` have passed; says whether it came to that. */
static inline bool wait_for_count(struct loop *loop, const int *value, int least, int ms)
{
    struct loop_timer timer = {0};
    const int64_t end = clock_monotonic_us() + ms * US_PER_MS;
    loop_timer_start(loop, &timer, 0, 2 * US_PER_MS, wait_nothing, 0);
    while (*value < least && clock_monotonic_us() < end)
        loop_step(loop, true);
    loop_timer_stop(&timer);
    return *value >= least;
}

static inline void wait_ms(struct loop *loop, int ms)
{
    const int never = 0;
    wait_for_count(loop, &never, 1, ms);
}

/* Runs the loop until the expression holds, for longer than any machine is busy; its value. */
#define wait_until(loop, expression)                                                               \
    ({                                                                                             \
        const int64_t wait_until_end = clock_monotonic_us() + 120 * US_PER_S;                      \
        bool wait_until_holds;                                                                     \
        while (!(wait_until_holds = (expression)) && clock_monotonic_us() < wait_until_end)        \
            wait_ms(loop, 5);                                                                      \
        wait_until_holds;                                                                          \
    })

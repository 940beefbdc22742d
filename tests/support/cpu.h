/* tests/support/cpu.h: what this process has computed, which does not depend on who else does. */
#pragma once
#include <stdint.h>
#include <time.h>
#include "common/base/clock.h"

static inline int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

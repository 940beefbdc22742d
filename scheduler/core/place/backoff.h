/* scheduler/core/place/backoff.h: when a failed step may be tried again.
 * Pure: no clock, no allocation, no globals. All times are microseconds on the caller's clock. */
#pragma once
#include <stdint.h>

struct backoff {
    uint32_t max_attempts; /* >= 1, the first try included */
    int64_t first_us;      /* wait before the second try, >= 0 */
    int64_t cap_us;        /* longest wait, >= first_us */
    double factor;         /* >= 1.0; 1.0 = constant */
};

/* Wait before attempt `next` (2 = first retry), jittered by `random01` in [0, 1): full jitter,
 * after Brooker 2015, "Exponential Backoff And Jitter". Returns -1 when no attempt is left. */
int64_t backoff_wait_us(const struct backoff *policy, uint32_t next, double random01);

/* common/base/clock.h: the three clocks. Durations and deadlines are microseconds (int64). */
#pragma once
#include <stdint.h>

#define US_PER_MS 1000LL
#define US_PER_S  1000000LL

int64_t clock_monotonic_us(void); /* CLOCK_MONOTONIC: timers of this process */
int64_t clock_boottime_us(void);  /* CLOCK_BOOTTIME: leases; goes on during suspend */
int64_t clock_wall_us(void);      /* CLOCK_REALTIME: what people and cron see */

/* RFC 3339 in UTC with microseconds, "2026-11-23T08:56:59.123456Z". */
#define CLOCK_TEXT 32
void clock_format(int64_t wall_us, char out[CLOCK_TEXT]);
/* RFC 3339 with any offset; returns 0 or -1. */
int clock_parse(const char *text, int64_t *wall_us);

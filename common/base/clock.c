#include "common/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_boottime_us(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

int64_t clock_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

void clock_format(int64_t wall_us, char out[CLOCK_TEXT])
{
    time_t seconds = (time_t)(wall_us / US_PER_S);
    int64_t rest = wall_us % US_PER_S;
    if (rest < 0) {
        rest += US_PER_S;
        seconds--;
    }
    struct tm tm;
    gmtime_r(&seconds, &tm);
    const size_t n = strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, CLOCK_TEXT - n, ".%06uZ", (unsigned)rest);
}

/* Fraction after the seconds, in microseconds; digits past the sixth are dropped. */
static const char *parse_fraction(const char *p, int64_t *us)
{
    int64_t unit = 100000;
    for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
        *us += (*p - '0') * unit;
    return p;
}

int clock_parse(const char *text, int64_t *wall_us)
{
    struct tm tm = {0};
    const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!p)
        p = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
    if (!p)
        return -1;
    int64_t us = 0;
    if (*p == '.')
        p = parse_fraction(p, &us);
    int offset_s = 0;
    if (*p == '+' || *p == '-') {
        int h = 0, m = 0;
        if (sscanf(p + 1, "%2d:%2d", &h, &m) != 2 || strlen(p) != 6 || h > 23 || m > 59)
            return -1;
        offset_s = (*p == '-' ? -1 : 1) * (h * 3600 + m * 60);
    } else if (strcmp(p, "Z") != 0 && strcmp(p, "z") != 0) {
        return -1;
    }
    *wall_us = ((int64_t)timegm(&tm) - offset_s) * US_PER_S + us;
    return 0;
}

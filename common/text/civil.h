/* common/text/civil.h: the proleptic Gregorian calendar as arithmetic (after H. Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms"). Pure; days count from 1970-01-01. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define S_PER_DAY 86400LL

struct civil {
    int64_t year;
    int month; /* 1-12 */
    int day;   /* 1-31 */
};

int64_t civil_to_days(struct civil date);
struct civil civil_from_days(int64_t days);
int civil_weekday(int64_t days);                  /* 0 = Sunday */
int civil_month_days(int64_t year, int month);    /* 28-31 */
int64_t civil_floor_div(int64_t a, int64_t unit); /* towards minus infinity; unit > 0 */

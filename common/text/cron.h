/* common/text/cron.h: cron schedules on the wall clock of a time zone. Pure and re-entrant.
 *
 * Five fields: minute, hour, day of month, month (1-12, jan-dec), day of week (0-7, sun-sat, 0 and
 * 7 are Sunday); lists, ranges and steps of a range or a star ("8-18/2"). @hourly @daily
 * @midnight @weekly @monthly @yearly @annually. When both day fields are restricted (neither begins
 * with a star) one that matches is enough, as Vixie's cron has it; otherwise both must match.
 *
 * Days on which the clocks change. A slot is a local date and minute that the fields match.
 *  - Fixed schedules (neither minute nor hour field begins with a star) fire once for each slot. A
 *    slot that the clocks skip fires at the first instant after the gap (once, however many slots
 *    lie in the gap, and even when a slot of its own is there). A slot that comes twice fires at
 *    its first coming.
 *  - Wildcard schedules (minute or hour field begins with a star) fire whenever the local clock
 *    shows a slot: not at all for what is skipped, twice for what comes twice. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/text/zone.h"

struct cron {
    uint64_t minutes; /* bit n = minute n */
    uint32_t hours;   /* bits 0-23 */
    uint32_t days;    /* bits 1-31 */
    uint16_t months;  /* bits 1-12 */
    uint8_t weekdays; /* bits 0-6, 0 = Sunday */
    bool either_day;  /* days OR weekdays; otherwise AND */
    bool wildcard;    /* follows the ticks of the local clock, see above */
};

#define CRON_TEXT_MAX 256

/* LEAT_EINPUT "column N: what" for anything else than the above, and for a date that does not
 * exist in any year (30 February). */
int cron_parse(const char *text, struct cron *out, struct err *err);

/* First instant strictly after `after_wall_us` (microseconds since 1970 UTC) at which the schedule
 * fires, on a whole second; -1 when there is none within 28 years. */
int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after_wall_us);

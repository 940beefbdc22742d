#include "common/text/cron.h"

#include "common/base/clock.h"
#include "common/text/civil.h"

#define MINUTES_PER_DAY 1440
#define S_PER_MINUTE    60
#define LONGEST_S       (28 * 366 * S_PER_DAY)
/* A slot can fire this much later than its local time says: zones have jumped by a whole day. */
#define LONGEST_JUMP_S (26 * 3600)
#define NONE           INT64_MIN

static bool day_matches(const struct cron *c, int64_t days, struct civil date)
{
    const bool by_date = c->days >> date.day & 1;
    const bool by_weekday = c->weekdays >> civil_weekday(days) & 1;
    if (!(c->months >> date.month & 1))
        return false;
    return c->either_day ? by_date || by_weekday : by_date && by_weekday;
}

/* First matching minute of a day from `minute` on; -1 for none. */
static int minute_of_day(const struct cron *c, int minute)
{
    for (int hour = minute / 60, first = minute % 60; hour < 24; hour++, first = 0) {
        const uint64_t left = c->minutes >> first;
        if ((c->hours >> hour & 1) && left)
            return hour * 60 + first + __builtin_ctzll(left);
    }
    return -1;
}

/* First slot at or after `minute` (local minutes since 1970), not after `last`; NONE. */
static int64_t next_slot(const struct cron *c, int64_t minute, int64_t last)
{
    int64_t days = civil_floor_div(minute, MINUTES_PER_DAY);
    int from = (int)(minute - days * MINUTES_PER_DAY);
    for (; days * MINUTES_PER_DAY <= last; days++, from = 0) {
        if (!day_matches(c, days, civil_from_days(days)))
            continue;
        const int at = minute_of_day(c, from);
        if (at >= 0)
            return days * MINUTES_PER_DAY + at;
    }
    return NONE;
}

/* Each slot once, whatever the clocks do. Slots in order give instants in order, so the first that
 * lies after `after_s` is the one. */
static int64_t next_fixed(const struct cron *c, const struct zone *zone, int64_t after_s)
{
    const int64_t local_s = after_s + zone_offset(zone, after_s, NULL);
    const int64_t last = civil_floor_div(local_s + LONGEST_S, S_PER_MINUTE);
    int64_t minute = civil_floor_div(local_s - LONGEST_JUMP_S, S_PER_MINUTE);
    for (;;) {
        const int64_t slot = next_slot(c, minute, last);
        if (slot == NONE)
            return NONE;
        const int64_t at = zone_to_utc(zone, slot * S_PER_MINUTE);
        if (at > after_s)
            return at;
        minute = slot + 1;
    }
}

/* What the local clock shows, stretch by stretch of one offset. */
static int64_t next_shown(const struct cron *c, const struct zone *zone, int64_t after_s)
{
    int64_t until, offset;
    for (int64_t from = after_s + 1; from <= after_s + LONGEST_S; from = until) {
        offset = zone_offset(zone, from, &until);
        const int64_t minute = -civil_floor_div(-(from + offset), S_PER_MINUTE); /* rounded up */
        const int64_t last = civil_floor_div(after_s + offset + LONGEST_S, S_PER_MINUTE);
        const int64_t slot = next_slot(c, minute, last);
        if (slot != NONE && slot * S_PER_MINUTE - offset < until)
            return slot * S_PER_MINUTE - offset;
    }
    return NONE;
}

int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after_wall_us)
{
    const int64_t after_s = civil_floor_div(after_wall_us, US_PER_S);
    const int64_t at =
        cron->wildcard ? next_shown(cron, zone, after_s) : next_fixed(cron, zone, after_s);
    return at == NONE || at > after_s + LONGEST_S ? -1 : at * US_PER_S;
}

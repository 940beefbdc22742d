/* getFullYear() and its kin: parts of a timestamp in a zone, or of a duration. */
#include "common/text/cel_internal.h"

#include <ctype.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/civil.h"

#define ZONE_LOAD_STEPS 100 /* what reading a zone file costs of the budget */

struct parts {
    struct civil date;
    int64_t days;
    int second_of_day;
    int32_t ns;
};

static int64_t full_year(const struct parts *p)
{
    return p->date.year;
}
static int64_t month(const struct parts *p)
{
    return p->date.month - 1;
}
static int64_t date(const struct parts *p)
{
    return p->date.day;
}
static int64_t day_of_month(const struct parts *p)
{
    return p->date.day - 1;
}
static int64_t day_of_week(const struct parts *p)
{
    return civil_weekday(p->days);
}
static int64_t day_of_year(const struct parts *p)
{
    return p->days - civil_to_days((struct civil){p->date.year, 1, 1});
}
static int64_t hours(const struct parts *p)
{
    return p->second_of_day / 3600;
}
static int64_t minutes(const struct parts *p)
{
    return p->second_of_day / 60 % 60;
}
static int64_t seconds(const struct parts *p)
{
    return p->second_of_day % 60;
}
static int64_t milliseconds(const struct parts *p)
{
    return p->ns / 1000000;
}

static const struct {
    const char *name;
    int64_t (*of)(const struct parts *parts);
    int64_t unit_ns; /* of a duration: the whole of it in this unit; 0 = not for durations */
} rows[] = {
    {"getFullYear", full_year, 0},
    {"getMonth", month, 0},
    {"getDate", date, 0},
    {"getDayOfMonth", day_of_month, 0},
    {"getDayOfWeek", day_of_week, 0},
    {"getDayOfYear", day_of_year, 0},
    {"getHours", hours, INT64_C(3600000000000)},
    {"getMinutes", minutes, INT64_C(60000000000)},
    {"getSeconds", seconds, INT64_C(1000000000)},
    {"getMilliseconds", milliseconds, INT64_C(1000000)},
};

/* "+02:00", "-02:30", "02:00". */
static bool fixed_offset(struct cel_bytes text, int32_t *offset_s)
{
    const bool sign = text.len == 6 && (text.data[0] == '+' || text.data[0] == '-');
    const char *p = text.data + sign;
    if (text.len - sign != 5 || p[2] != ':')
        return false;
    for (int i = 0; i < 5; i++)
        if (i != 2 && !isdigit((unsigned char)p[i]))
            return false;
    const int h = (p[0] - '0') * 10 + p[1] - '0', m = (p[3] - '0') * 10 + p[4] - '0';
    *offset_s = (sign && text.data[0] == '-' ? -1 : 1) * (h * 3600 + m * 60);
    return h < 24 && m < 60;
}

/* The zone by name; the one used last is kept for the next element of a loop. */
static const struct zone *zone_by_name(struct cel_ctx *ctx, const struct cel_node *at,
                                       struct cel_bytes name)
{
    if (name.len == 0 || name.len > ZONE_NAME_MAX || memchr(name.data, '\0', name.len)) {
        cel_fail(ctx, at, "a time zone is named like Europe/Rome, UTC or +02:00");
        return NULL;
    }
    if (ctx->zone && strlen(ctx->zone_name) == name.len &&
        memcmp(ctx->zone_name, name.data, name.len) == 0)
        return ctx->zone;
    if (!cel_steps(ctx, at, ZONE_LOAD_STEPS))
        return NULL;
    zone_free(TAKE(ctx->zone));
    memcpy(ctx->zone_name, name.data, name.len);
    ctx->zone_name[name.len] = '\0';
    struct err err = {0};
    ctx->zone = zone_load(ctx->zone_name, &err);
    if (!ctx->zone)
        cel_fail(ctx, at, "%s", err.text);
    return ctx->zone;
}

static bool offset_of(struct cel_ctx *ctx, const struct cel_node *at, struct cel_bytes zone_text,
                      int64_t utc_s, int32_t *offset_s)
{
    if (fixed_offset(zone_text, offset_s))
        return true;
    const struct zone *zone = zone_by_name(ctx, at, zone_text);
    if (zone)
        *offset_s = zone_offset(zone, utc_s, NULL);
    return zone != NULL;
}

static bool of_duration(struct cel_ctx *ctx, const struct cel_node *at, size_t row,
                        const struct cel_value *args, size_t count, struct cel_value *out)
{
    if (count != 1 || rows[row].unit_ns == 0)
        return cel_no_overload(ctx, at, args, count);
    int64_t v = args[0].duration_ns;
    if (rows[row].of == milliseconds) /* CEL's oddity: only what is left over whole seconds */
        v %= INT64_C(1000000000);
    *out = cel_int(v / rows[row].unit_ns);
    return true;
}

CEL_CALL(cel_call_time_part)
{
    size_t row = 0;
    while (strcmp(rows[row].name, at->name) != 0)
        row++;
    if (args[0].type == CEL_DURATION)
        return of_duration(ctx, at, row, args, count, out);
    if (args[0].type != CEL_TIMESTAMP || (count == 2 && args[1].type != CEL_STRING))
        return cel_no_overload(ctx, at, args, count);
    int32_t offset_s = 0;
    if (count == 2 && !offset_of(ctx, at, args[1].text, args[0].time.s, &offset_s))
        return false;
    const int64_t local_s = args[0].time.s + offset_s;
    struct parts parts = {.days = civil_floor_div(local_s, S_PER_DAY), .ns = args[0].time.ns};
    parts.second_of_day = (int)(local_s - parts.days * S_PER_DAY);
    parts.date = civil_from_days(parts.days);
    *out = cel_int(rows[row].of(&parts));
    return true;
}

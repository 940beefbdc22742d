#include "common/text/zone_rule.h"

#include <ctype.h>
#include <string.h>

#include "common/text/civil.h"

static bool take_number(const char **p, int least, int most, int *out)
{
    int v = 0, digits = 0;
    for (; isdigit((unsigned char)**p) && digits < 4; (*p)++, digits++)
        v = v * 10 + (**p - '0');
    *out = v;
    return digits > 0 && v >= least && v <= most;
}

static bool take_name(const char **p)
{
    const char *begin = *p;
    if (**p == '<') {
        const char *end = strchr(*p, '>');
        if (!end)
            return false;
        *p = end + 1;
        return end - begin >= 4;
    }
    while (isalpha((unsigned char)**p))
        (*p)++;
    return *p - begin >= 3;
}

/* [+-]h[h][:mm[:ss]] */
static bool take_time(const char **p, int most_hours, int32_t *out)
{
    const int sign = **p == '-' ? -1 : 1;
    if (**p == '-' || **p == '+')
        (*p)++;
    int h, m = 0, s = 0;
    if (!take_number(p, 0, most_hours, &h))
        return false;
    if (**p == ':' && ((*p)++, !take_number(p, 0, 59, &m)))
        return false;
    if (**p == ':' && ((*p)++, !take_number(p, 0, 59, &s)))
        return false;
    *out = sign * (h * 3600 + m * 60 + s);
    return true;
}

static bool take_char(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

static bool take_date(const char **p, struct zone_rule_day *d)
{
    if (take_char(p, 'M')) {
        d->kind = RULE_WEEKDAY;
        return take_number(p, 1, 12, &d->month) && take_char(p, '.') &&
               take_number(p, 1, 5, &d->week) && take_char(p, '.') && take_number(p, 0, 6, &d->day);
    }
    if (take_char(p, 'J')) {
        d->kind = RULE_JULIAN;
        return take_number(p, 1, 365, &d->day);
    }
    d->kind = RULE_DAY;
    return take_number(p, 0, 365, &d->day);
}

static bool take_day(const char **p, struct zone_rule_day *d)
{
    d->time_s = 7200;
    return take_char(p, ',') && take_date(p, d) &&
           (!take_char(p, '/') || take_time(p, 167, &d->time_s));
}

bool zone_rule_parse(const char *text, struct zone_rule *out)
{
    *out = (struct zone_rule){0};
    int32_t west;
    if (!take_name(&text) || !take_time(&text, 24, &west))
        return false;
    out->standard_s = -west;
    if (*text == '\0')
        return true;
    out->has_dst = true;
    out->dst_s = out->standard_s + 3600;
    if (!take_name(&text))
        return false;
    if (*text != ',') {
        if (!take_time(&text, 24, &west))
            return false;
        out->dst_s = -west;
    }
    return take_day(&text, &out->dst_begins) && take_day(&text, &out->dst_ends) && *text == '\0';
}

/* Days since 1970 of a rule's date in `year`. */
static int64_t rule_days(const struct zone_rule_day *d, int64_t year)
{
    const int64_t new_year = civil_to_days((struct civil){year, 1, 1});
    if (d->kind == RULE_DAY)
        return new_year + d->day;
    if (d->kind == RULE_JULIAN)
        return new_year + d->day - 1 + (civil_month_days(year, 2) == 29 && d->day >= 60);
    const int64_t first = civil_to_days((struct civil){year, d->month, 1});
    const int to_weekday = (d->day - civil_weekday(first) + 7) % 7;
    int day = to_weekday + 7 * (d->week - 1);
    while (day >= civil_month_days(year, d->month)) /* week 5 is the last one */
        day -= 7;
    return first + day;
}

static int64_t change_at(const struct zone_rule_day *d, int64_t year, int32_t offset_before)
{
    return rule_days(d, year) * S_PER_DAY + d->time_s - offset_before;
}

int32_t zone_rule_offset(const struct zone_rule *rule, int64_t utc_s, int64_t *until_s)
{
    *until_s = INT64_MAX;
    if (!rule->has_dst)
        return rule->standard_s;
    int32_t offset = rule->standard_s;
    int64_t latest = INT64_MIN;
    const int64_t days = civil_floor_div(utc_s + rule->standard_s, S_PER_DAY);
    const int64_t year = civil_from_days(days).year;
    for (int64_t y = year - 1; y <= year + 1; y++) {
        const int64_t ends = change_at(&rule->dst_ends, y, rule->dst_s);
        const int64_t begins = change_at(&rule->dst_begins, y, rule->standard_s);
        if (ends <= utc_s && ends > latest) {
            latest = ends;
            offset = rule->standard_s;
        }
        /* At one and the same instant daylight saving goes on: that is how files say "always". */
        if (begins <= utc_s && begins >= latest) {
            latest = begins;
            offset = rule->dst_s;
        }
        if (ends > utc_s && ends < *until_s)
            *until_s = ends;
        if (begins > utc_s && begins < *until_s)
            *until_s = begins;
    }
    return offset;
}

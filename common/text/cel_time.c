/* Texts of timestamps (RFC 3339) and durations ("1h30m", "1.5s"), and their arithmetic. Durations
 * are 64 bits of nanoseconds, as in CEL's own implementations: about 292 years either way. */
#include "common/text/cel_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/civil.h"

#define NS_PER_S     INT64_C(1000000000)
#define LEAST_TIME_S (-62135596800LL) /* 0001-01-01T00:00:00Z */
#define MOST_TIME_S  253402300799LL   /* 9999-12-31T23:59:59Z */

bool cel_time_in_range(struct cel_time t)
{
    return t.s >= LEAST_TIME_S && t.s <= MOST_TIME_S;
}

static struct cel_time time_of(__int128 ns)
{
    __int128 s = ns / NS_PER_S;
    int32_t rest = (int32_t)(ns % NS_PER_S);
    if (rest < 0) {
        rest += (int32_t)NS_PER_S;
        s--;
    }
    return (struct cel_time){(int64_t)s, rest};
}

static __int128 ns_of(struct cel_time t)
{
    return (__int128)t.s * NS_PER_S + t.ns;
}

bool cel_time_add(struct cel_time a, int64_t ns, int sign, struct cel_time *out)
{
    *out = time_of(ns_of(a) + (__int128)ns * sign);
    return cel_time_in_range(*out);
}

bool cel_time_diff(struct cel_time a, struct cel_time b, int64_t *ns)
{
    const __int128 diff = ns_of(a) - ns_of(b);
    *ns = (int64_t)diff;
    return diff >= INT64_MIN && diff <= INT64_MAX;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* ".5" for 500,000,000 ns; nothing for 0. */
static void append_fraction(char *text, size_t size, int64_t ns)
{
    if (ns == 0)
        return;
    size_t n = strlen(text);
    snprintf(text + n, size - n, ".%09" PRId64, ns);
    for (n = strlen(text); text[n - 1] == '0'; n--)
        text[n - 1] = '\0';
}

void cel_duration_text(int64_t ns, char out[CEL_TIME_TEXT])
{
    const uint64_t size = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    snprintf(out, CEL_TIME_TEXT, "%s%" PRIu64, ns < 0 ? "-" : "", size / NS_PER_S);
    append_fraction(out, CEL_TIME_TEXT - 1, (int64_t)(size % NS_PER_S));
    const size_t n = strlen(out);
    memcpy(out + n, "s", 2);
}

void cel_timestamp_text(struct cel_time t, char out[CEL_TIME_TEXT])
{
    const int64_t days = civil_floor_div(t.s, S_PER_DAY);
    const int second = (int)(t.s - days * S_PER_DAY);
    const struct civil date = civil_from_days(days);
    snprintf(out, CEL_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d", (int)date.year % 10000,
             date.month, date.day, second / 3600, second / 60 % 60, second % 60);
    append_fraction(out, CEL_TIME_TEXT - 1, t.ns);
    const size_t n = strlen(out);
    memcpy(out + n, "Z", 2);
}

/* ---- reading -------------------------------------------------------------------------------- */

struct cursor {
    const char *p, *end;
};

static bool take(struct cursor *c, const char *text)
{
    const size_t n = strlen(text);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
        return false;
    c->p += n;
    return true;
}

static bool take_digits(struct cursor *c, int digits, int least, int most, int *out)
{
    *out = 0;
    for (int i = 0; i < digits; i++, c->p++) {
        if (c->p == c->end || !isdigit((unsigned char)*c->p))
            return false;
        *out = *out * 10 + (*c->p - '0');
    }
    return *out >= least && *out <= most;
}

/* Digits after a point as parts of `unit` ns; what is finer than a nanosecond is cut. */
static bool take_fraction(struct cursor *c, int64_t unit, int64_t *ns)
{
    const char *begin = c->p;
    *ns = 0;
    for (; c->p < c->end && isdigit((unsigned char)*c->p); c->p++) {
        unit /= 10;
        *ns += unit * (*c->p - '0');
    }
    return c->p > begin;
}

/* "Z" or "+hh:mm". */
static bool take_offset(struct cursor *c, int64_t *seconds)
{
    *seconds = 0;
    if (take(c, "Z") || take(c, "z"))
        return true;
    const int sign = take(c, "-") ? -1 : take(c, "+") ? 1 : 0;
    int h, m;
    if (!sign || !take_digits(c, 2, 0, 23, &h) || !take(c, ":") || !take_digits(c, 2, 0, 59, &m))
        return false;
    *seconds = sign * (h * 3600 + m * 60);
    return true;
}

bool cel_timestamp_parse(struct cel_bytes text, struct cel_time *out)
{
    struct cursor c = {text.data, text.data + text.len};
    int year, month, day, h, m, s;
    int64_t ns = 0, offset;
    if (!take_digits(&c, 4, 0, 9999, &year) || !take(&c, "-") ||
        !take_digits(&c, 2, 1, 12, &month) || !take(&c, "-") ||
        !take_digits(&c, 2, 1, civil_month_days(year, month), &day))
        return false;
    if ((!take(&c, "T") && !take(&c, "t")) || !take_digits(&c, 2, 0, 23, &h) || !take(&c, ":") ||
        !take_digits(&c, 2, 0, 59, &m) || !take(&c, ":") || !take_digits(&c, 2, 0, 59, &s))
        return false;
    if (take(&c, ".") && !take_fraction(&c, NS_PER_S, &ns))
        return false;
    if (!take_offset(&c, &offset) || c.p != c.end)
        return false;
    const int64_t days = civil_to_days((struct civil){year, month, day});
    *out = (struct cel_time){days * S_PER_DAY + h * 3600 + m * 60 + s - offset, (int32_t)ns};
    return cel_time_in_range(*out);
}

static bool take_unit(struct cursor *c, int64_t *ns)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {
        {"ns", 1},       {"us", 1000},    {"\xc2\xb5s", 1000},  {"\xce\xbcs", 1000},
        {"ms", 1000000}, {"s", NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S},
    };
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (take(c, units[i].name)) {
            *ns = units[i].ns;
            return true;
        }
    }
    return false;
}

/* "1.5h": the unit comes last, so the number is kept until it is known. */
static bool take_part(struct cursor *c, __int128 *total)
{
    struct cursor fraction = {NULL, NULL};
    __int128 whole = 0;
    const char *begin = c->p;
    for (; c->p < c->end && isdigit((unsigned char)*c->p); c->p++) {
        whole = whole * 10 + (*c->p - '0');
        if (whole > INT64_MAX)
            return false;
    }
    bool digits = c->p > begin;
    if (take(c, ".")) {
        fraction.p = c->p;
        while (c->p < c->end && isdigit((unsigned char)*c->p))
            c->p++;
        fraction.end = c->p;
        digits = digits || fraction.end > fraction.p;
    }
    int64_t unit, ns = 0;
    if (!digits || !take_unit(c, &unit))
        return false;
    if (fraction.p)
        take_fraction(&fraction, unit, &ns);
    *total += whole * unit + ns;
    return *total <= (__int128)INT64_MAX + 1;
}

bool cel_duration_parse(struct cel_bytes text, int64_t *ns)
{
    struct cursor c = {text.data, text.data + text.len};
    const int sign = take(&c, "-") ? -1 : 1;
    if (sign > 0)
        take(&c, "+");
    __int128 total = 0;
    if (c.end - c.p == 1 && *c.p == '0') {
        *ns = 0;
        return true;
    }
    if (c.p == c.end)
        return false;
    while (c.p < c.end)
        if (!take_part(&c, &total))
            return false;
    total *= sign;
    *ns = (int64_t)total;
    return total <= INT64_MAX && total >= INT64_MIN;
}

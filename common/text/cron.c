#include "common/text/cron.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/text/civil.h"

struct field {
    const char *name;
    int least, most;
    const char *const *words; /* of the values from `least` on; NULL: numbers only */
};

static const char *const month_words[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_words[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const struct field fields[FIELDS] = {
    [MINUTE] = {"minute", 0, 59, NULL},
    [HOUR] = {"hour", 0, 23, NULL},
    [DAY] = {"day of month", 1, 31, NULL},
    [MONTH] = {"month", 1, 12, month_words},
    [WEEKDAY] = {"day of week", 0, 7, weekday_words},
};

static const char *const nicknames[][2] = {
    {"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
};

struct cursor {
    const char *text, *p;
    struct err *err;
};

static int fail(const struct cursor *c, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(const struct cursor *c, const char *at, const char *fmt, ...)
{
    char what[320];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return err_set(c->err, LEAT_EINPUT, "column %d: %s", (int)(at - c->text) + 1, what);
}

static bool ends_item(char c)
{
    return c == '\0' || c == ' ' || c == '\t' || c == ',' || c == '/' || c == '-';
}

static int take_digits(struct cursor *c, int *out)
{
    const char *begin = c->p;
    int v = 0;
    for (; isdigit((unsigned char)*c->p); c->p++) {
        if (c->p - begin >= 4)
            return fail(c, begin, "the number is too large");
        v = v * 10 + (*c->p - '0');
    }
    *out = v;
    return 0;
}

static int take_word(struct cursor *c, const struct field *f, int *out)
{
    for (int i = 0; f->words && f->words[i]; i++) {
        if (strncasecmp(c->p, f->words[i], 3) == 0 && ends_item(c->p[3])) {
            c->p += 3;
            *out = f->least + i;
            return 0;
        }
    }
    if (*c->p && strchr("LW#?", *c->p))
        return fail(c, c->p, "L, W, # and ? are not known here; write days as numbers or ranges");
    if (ends_item(*c->p))
        return fail(c, c->p, "a value of the %s is missing", f->name);
    return fail(c, c->p, "no %s begins with \"%c\"; write %d-%d%s", f->name,
                isprint((unsigned char)*c->p) ? *c->p : '?', f->least, f->most,
                f->words ? " or the first three letters" : "");
}

static int take_value(struct cursor *c, const struct field *f, int *out)
{
    const char *begin = c->p;
    if (!isdigit((unsigned char)*c->p))
        return take_word(c, f, out);
    if (take_digits(c, out) < 0)
        return LEAT_EINPUT;
    if (*out < f->least || *out > f->most)
        return fail(c, begin, "the %s is %d to %d", f->name, f->least, f->most);
    return 0;
}

static int take_step(struct cursor *c, const struct field *f, bool after_range, int *step)
{
    *step = 1;
    if (*c->p != '/')
        return 0;
    if (!after_range)
        return fail(c, c->p, "a step needs a range or a star before it, like %d-%d/2", f->least,
                    f->most);
    const char *begin = ++c->p;
    if (!isdigit((unsigned char)*c->p))
        return fail(c, begin, "a step is a number");
    if (take_digits(c, step) < 0)
        return LEAT_EINPUT;
    if (*step < 1 || *step > f->most)
        return fail(c, begin, "a step of the %s is 1 to %d", f->name, f->most);
    return 0;
}

static int take_range(struct cursor *c, const struct field *f, int *low, int *high, bool *range)
{
    const char *begin = c->p;
    *range = true;
    if (*c->p == '*') {
        c->p++;
        *low = f->least;
        *high = f->most - (f == &fields[WEEKDAY]); /* 7 is 0 once more */
        return 0;
    }
    if (take_value(c, f, low) < 0)
        return LEAT_EINPUT;
    *high = *low;
    *range = *c->p == '-';
    if (!*range)
        return 0;
    c->p++;
    const char *end_at = c->p;
    if (take_value(c, f, high) < 0)
        return LEAT_EINPUT;
    if (f == &fields[WEEKDAY] && *high == 0 && isalpha((unsigned char)*end_at))
        *high = *low == 0 ? 0 : 7; /* fri-sun */
    if (*high < *low)
        return fail(c, begin, "the range ends before it begins; write it as two, with a comma");
    return 0;
}

static int take_field(struct cursor *c, const struct field *f, uint64_t *bits)
{
    *bits = 0;
    for (;;) {
        int low, high, step;
        bool range;
        if (take_range(c, f, &low, &high, &range) < 0 || take_step(c, f, range, &step) < 0)
            return LEAT_EINPUT;
        for (int v = low; v <= high; v += step)
            *bits |= 1ULL << v;
        if (*c->p != ',')
            break;
        c->p++;
    }
    if (*c->p && *c->p != ' ' && *c->p != '\t')
        return fail(c, c->p, "unexpected in the %s; a field is like 5, 1-5, 1-30/5 or 1,15",
                    f->name);
    return 0;
}

static void skip_blanks(struct cursor *c)
{
    c->p += strspn(c->p, " \t");
}

static int take_fields(struct cursor *c, uint64_t bits[FIELDS], bool star[FIELDS])
{
    for (int i = 0; i < FIELDS; i++) {
        skip_blanks(c);
        if (*c->p == '\0')
            return fail(c, c->p,
                        "the %s is missing; cron has five fields, minute hour day month "
                        "weekday",
                        fields[i].name);
        star[i] = *c->p == '*';
        if (take_field(c, &fields[i], &bits[i]) < 0)
            return LEAT_EINPUT;
    }
    skip_blanks(c);
    if (*c->p)
        return fail(c, c->p, "more than five fields; there are no seconds and no years");
    return 0;
}

static int nickname(const struct cursor *c, const char **fields_text)
{
    const size_t n = strcspn(c->p, " \t");
    for (size_t i = 0; i < ARRAY_LEN(nicknames); i++) {
        if (strlen(nicknames[i][0]) == n && strncasecmp(nicknames[i][0], c->p, n) == 0 &&
            c->p[n + strspn(c->p + n, " \t")] == '\0') {
            *fields_text = nicknames[i][1];
            return 0;
        }
    }
    return fail(c, c->p,
                "write @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually "
                "or five fields");
}

/* Whether some month of the schedule has one of its days (February counts 29). */
static bool has_date(const struct cron *cron)
{
    for (int month = 1; month <= 12; month++)
        for (int day = 1; day <= civil_month_days(2000, month); day++)
            if ((cron->months >> month & 1) && (cron->days >> day & 1))
                return true;
    return false;
}

int cron_parse(const char *text, struct cron *out, struct err *err)
{
    struct cursor c = {text, text, err};
    if (strlen(text) > CRON_TEXT_MAX)
        return err_set(err, LEAT_EINPUT, "column %d: a schedule has at most %d characters",
                       CRON_TEXT_MAX + 1, CRON_TEXT_MAX);
    skip_blanks(&c);
    if (*c.p == '@') {
        const char *fields_text = NULL;
        if (nickname(&c, &fields_text) < 0)
            return LEAT_EINPUT;
        c = (struct cursor){fields_text, fields_text, err};
    }
    uint64_t bits[FIELDS];
    bool star[FIELDS];
    if (take_fields(&c, bits, star) < 0)
        return LEAT_EINPUT;
    const struct cron cron = {
        .minutes = bits[MINUTE],
        .hours = (uint32_t)bits[HOUR],
        .days = (uint32_t)bits[DAY],
        .months = (uint16_t)bits[MONTH],
        .weekdays = (uint8_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7F),
        .either_day = !star[DAY] && !star[WEEKDAY],
        .wildcard = star[MINUTE] || star[HOUR],
    };
    if (!cron.either_day && !has_date(&cron))
        return err_set(err, LEAT_EINPUT, "column 1: no year has such a date");
    *out = cron;
    return 0;
}

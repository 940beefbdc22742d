#include "common/base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

static void make_room(struct text *t, size_t more)
{
    if (t->len + more + 1 <= t->cap)
        return;
    size_t cap = t->cap ? t->cap : 64;
    while (cap < t->len + more + 1)
        cap *= 2;
    t->data = mem_grow(t->data, cap, 1);
    t->cap = cap;
}

void text_append(struct text *t, const void *data, size_t len)
{
    make_room(t, len);
    if (len)
        memcpy(t->data + t->len, data, len);
    t->len += len;
    t->data[t->len] = '\0';
}

void text_puts(struct text *t, const char *s)
{
    text_append(t, s, strlen(s));
}

void text_printf(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    va_list again;
    va_copy(again, ap);
    const int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n > 0) {
        make_room(t, (size_t)n);
        vsnprintf(t->data + t->len, (size_t)n + 1, fmt, again);
        t->len += (size_t)n;
    }
    va_end(again);
}

void text_free(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}

char *text_take(struct text *t)
{
    char *s = t->data ? t->data : mem_string("");
    *t = (struct text){0};
    return s;
}

bool text_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool text_ends_with(const char *s, const char *suffix)
{
    const size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool text_is_name(const char *s, size_t max)
{
    const size_t n = strlen(s);
    if (n == 0 || n > max)
        return false;
    for (size_t i = 0; i < n; i++) {
        const char c = s[i];
        const bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!word && (i == 0 || (c != '-' && c != '_' && c != '.')))
            return false;
    }
    return true;
}

bool text_to_int(const char *s, long long least, long long most, long long *out)
{
    char *end = NULL;
    errno = 0;
    const long long v = strtoll(s, &end, 10);
    const bool number = (s[0] >= '0' && s[0] <= '9') || s[0] == '-';
    if (!number || errno || end == s || *end || v < least || v > most)
        return false;
    *out = v;
    return true;
}

struct unit {
    const char *name;
    double factor;
};

/* A decimal number directly followed by one of the units. The value is held in a double, exact
 * to 2^53: 285 years of microseconds, 8 PiB. */
static bool parse_amount(const char *s, const struct unit *units, int64_t *out)
{
    size_t digits = strspn(s, "0123456789");
    if (digits == 0 || digits > 15)
        return false;
    size_t n = digits;
    if (s[n] == '.') {
        const size_t fraction = strspn(s + n + 1, "0123456789");
        if (fraction == 0 || fraction > 9)
            return false;
        n += 1 + fraction;
    }
    for (; units->name; units++) {
        if (strcmp(s + n, units->name) != 0)
            continue;
        const double value = strtod(s, NULL) * units->factor;
        if (value > 9007199254740992.0)
            return false;
        *out = (int64_t)(value + 0.5);
        return true;
    }
    return false;
}

bool text_to_duration(const char *s, int64_t *us)
{
    static const struct unit units[] = {{"us", 1},    {"ms", 1e3},    {"s", 1e6}, {"m", 6e7},
                                        {"h", 3.6e9}, {"d", 8.64e10}, {NULL, 0}};
    if (strcmp(s, "0") == 0) {
        *us = 0;
        return true;
    }
    return parse_amount(s, units, us);
}

bool text_to_size(const char *s, int64_t *bytes)
{
    static const struct unit units[] = {{"", 1},
                                        {"B", 1},
                                        {"KiB", 1024.0},
                                        {"MiB", 1048576.0},
                                        {"GiB", 1073741824.0},
                                        {"TiB", 1099511627776.0},
                                        {"KB", 1e3},
                                        {"MB", 1e6},
                                        {"GB", 1e9},
                                        {"TB", 1e12},
                                        {NULL, 0}};
    return parse_amount(s, units, bytes);
}

#define NEAREST_MAX 64

/* Levenshtein's distance of two words of at most NEAREST_MAX characters. */
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t row[NEAREST_MAX + 1];
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            const size_t above = row[j];
            size_t best = corner + (a[i - 1] != b[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            corner = above;
            row[j] = best;
        }
    }
    return row[m];
}

const char *text_nearest(const char *word, const char *const *words)
{
    const char *nearest = NULL;
    const size_t n = strlen(word);
    size_t least = (n + 2) / 3 + 1; /* at most a third, but one edit of a short word */
    if (n == 0 || n > NEAREST_MAX)
        return NULL;
    for (; *words; words++) {
        const size_t m = strlen(*words);
        const size_t distance = m <= NEAREST_MAX ? edit_distance(word, n, *words, m) : least;
        if (distance < least) {
            least = distance;
            nearest = *words;
        }
    }
    return nearest;
}

/* Amounts and near words. */
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"

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
    size_t least = (n + 2) / 3 + 1; /* at most a third, but one edit of a short word; never all */
    if (n == 0 || n > NEAREST_MAX)
        return NULL;
    for (; *words; words++) {
        const size_t m = strlen(*words);
        const size_t distance = m <= NEAREST_MAX ? edit_distance(word, n, *words, m) : least;
        if (distance < least && distance < (n > m ? n : m)) {
            least = distance;
            nearest = *words;
        }
    }
    return nearest;
}

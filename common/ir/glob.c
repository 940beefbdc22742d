#include "common/ir/glob.h"

#include <stddef.h>

/* A star met before: where the pattern goes on after it, and how far it has reached. */
struct star {
    const char *after; /* NULL = none */
    const char *reach;
};

/* Lets the last star take one character more; false when it may not. */
static bool stretch(struct star *star, bool any, const char **pattern, const char **text)
{
    if (!star->after || !*star->reach || (!any && *star->reach == '/'))
        return false;
    *text = ++star->reach;
    *pattern = star->after;
    return true;
}

/* Only the last * and the last ** are ever tried again: a later star of the same sort makes what
 * earlier ones took irrelevant, so the time is bounded by the product of the lengths. */
bool glob_match(const char *pattern, const char *text)
{
    struct star one = {0}, any = {0};
    for (;;) {
        if (pattern[0] == '*' && pattern[1] == '*') {
            while (*pattern == '*')
                pattern++;
            any = (struct star){pattern, text};
            one = (struct star){0};
        } else if (*pattern == '*') {
            one = (struct star){++pattern, text};
        } else if (*pattern && *pattern == *text) {
            pattern++;
            text++;
        } else if (!*pattern && !*text) {
            return true;
        } else if (!stretch(&one, false, &pattern, &text)) {
            one = (struct star){0};
            if (!stretch(&any, true, &pattern, &text))
                return false;
        }
    }
}

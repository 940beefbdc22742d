#include "common/text/regex_internal.h"

#include <ctype.h>

#include "common/base/mem.h"
#include "common/text/utf8.h"

#define NO_CHAR UINT32_MAX /* before the first and after the last */

/* Instructions that wait for the next character; `at` tells in O(1) whether one is in. */
struct threads {
    int *list, *at;
    int count;
};

struct run {
    const struct regex *re;
    int *stack;
    uint32_t before, after; /* the characters around the present place */
};

static bool is_word(uint32_t cp)
{
    return cp < 0x80 && (isalnum((int)cp) || cp == '_');
}

static uint32_t other_case(uint32_t cp)
{
    return cp < 0x80 && isalpha((int)cp) ? cp ^ 0x20 : cp;
}

static bool in_ranges(const struct regex_class *cls, uint32_t cp)
{
    if (cp < 128)
        return cls->ascii[cp / 64] >> cp % 64 & 1;
    for (size_t i = 0; i < cls->count; i++)
        if (cp >= cls->ranges[i].low && cp <= cls->ranges[i].high)
            return true;
    return false;
}

bool regex_class_has(const struct regex_class *cls, uint32_t cp, bool fold)
{
    const bool in = in_ranges(cls, cp) || (fold && in_ranges(cls, other_case(cp)));
    return in != cls->negated;
}

static bool holds(const struct run *r, enum regex_assert assertion)
{
    switch (assertion) {
    case RE_TEXT_BEGIN:
        return r->before == NO_CHAR;
    case RE_TEXT_END:
        return r->after == NO_CHAR;
    case RE_LINE_BEGIN:
        return r->before == NO_CHAR || r->before == '\n';
    case RE_LINE_END:
        return r->after == NO_CHAR || r->after == '\n';
    case RE_WORD_EDGE:
        return is_word(r->before) != is_word(r->after);
    case RE_NO_WORD_EDGE:
        return is_word(r->before) == is_word(r->after);
    }
    return false;
}

static bool is_in(const struct threads *t, int pc)
{
    return t->at[pc] < t->count && t->list[t->at[pc]] == pc;
}

/* Adds `pc` and all that it reaches without a character. True when that is a match. */
static bool add(const struct run *r, struct threads *t, int pc)
{
    int depth = 0;
    r->stack[depth++] = pc;
    while (depth > 0) {
        pc = r->stack[--depth];
        if (is_in(t, pc))
            continue;
        t->at[pc] = t->count;
        t->list[t->count++] = pc;
        const struct regex_instr *in = &r->re->program[pc];
        if (in->op == RE_MATCH)
            return true;
        if (in->op == RE_JUMP || in->op == RE_SPLIT)
            r->stack[depth++] = in->x;
        if (in->op == RE_SPLIT)
            r->stack[depth++] = in->y;
        if (in->op == RE_ASSERT && holds(r, in->assertion))
            r->stack[depth++] = pc + 1;
    }
    return false;
}

static bool takes(const struct regex_instr *in, uint32_t cp)
{
    switch (in->op) {
    case RE_CHAR:
        return in->cp == cp || (in->fold && in->cp == other_case(cp));
    case RE_ANY:
        return cp != '\n';
    case RE_ANYNL:
        return true;
    case RE_CLASS:
        return regex_class_has(in->cls, cp, in->fold);
    default:
        return false;
    }
}

bool regex_search(const struct regex *re, const char *subject, size_t len)
{
    const size_t n = (size_t)re->count;
    /* Each instruction enters a set once and pushes at most two: 2n + 1 places are enough. */
    cleanup_free int *memory = mem_array(6 * n + 2, sizeof *memory);
    struct threads now = {memory, memory + n, 0}, next = {memory + 2 * n, memory + 3 * n, 0};
    struct run r = {.re = re, .stack = memory + 4 * n, .before = NO_CHAR, .after = NO_CHAR};
    const char *p = subject, *end = subject + len;
    bool more = p < end;
    if (more)
        r.after = utf8_next(&p, end);
    for (;;) {
        if (add(&r, &now, 0)) /* a match may begin anywhere */
            return true;
        if (!more)
            return false;
        const uint32_t cp = r.after;
        r.before = cp;
        more = p < end;
        r.after = more ? utf8_next(&p, end) : NO_CHAR;
        next.count = 0;
        for (int i = 0; i < now.count; i++)
            if (takes(&re->program[now.list[i]], cp) && add(&r, &next, now.list[i] + 1))
                return true;
        const struct threads swap = now;
        now = next;
        next = swap;
    }
}

size_t regex_weight(const struct regex *re)
{
    return re->weight;
}

#include "common/text/regex_internal.h"

#include <ctype.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/utf8.h"

#define REPEAT_MAX 1000

struct flags {
    bool fold, dot_newline, lines;
};

struct parser {
    struct arena *arena;
    const char *p, *end;
    struct flags flags;
    const char *why;
};

static struct regex_node *parse_either(struct parser *c);

static struct regex_node *fail(struct parser *c, const char *why)
{
    if (!c->why)
        c->why = why;
    return NULL;
}

static struct regex_node *new_node(struct parser *c, enum regex_kind kind, struct regex_node *a,
                                   struct regex_node *b)
{
    struct regex_node *n = arena_alloc(c->arena, sizeof *n);
    n->kind = kind;
    n->a = a;
    n->b = b;
    return n;
}

static struct regex_node *atom(struct parser *c, struct regex_instr instr)
{
    struct regex_node *n = new_node(c, RE_ATOM, NULL, NULL);
    instr.fold = c->flags.fold;
    n->atom = instr;
    return n;
}

static bool looking_at(const struct parser *c, const char *text)
{
    const size_t n = strlen(text);
    return (size_t)(c->end - c->p) >= n && memcmp(c->p, text, n) == 0;
}

static bool take(struct parser *c, const char *text)
{
    if (!looking_at(c, text))
        return false;
    c->p += strlen(text);
    return true;
}

/* ---- classes -------------------------------------------------------------------------------- */

struct set {
    struct regex_range ranges[4 * REGEX_PATTERN_MAX];
    size_t count;
};

static void set_add(struct set *s, uint32_t low, uint32_t high)
{
    if (s->count < ARRAY_LEN(s->ranges))
        s->ranges[s->count++] = (struct regex_range){low, high};
}

/* \d, \w, \s and the POSIX names, all of ASCII, as RE2 has them. */
static const struct named_class {
    const char *name;
    struct regex_range ranges[4];
} named_classes[] = {
    {"d", {{'0', '9'}}},
    {"w", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {"s", {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}},
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
    {"ascii", {{1, 0x7F}}},
    {"blank", {{'\t', '\t'}, {' ', ' '}}},
    {"cntrl", {{1, 0x1F}, {0x7F, 0x7F}}},
    {"digit", {{'0', '9'}}},
    {"graph", {{'!', '~'}}},
    {"lower", {{'a', 'z'}}},
    {"print", {{' ', '~'}}},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
    {"space", {{'\t', '\r'}, {' ', ' '}}},
    {"upper", {{'A', 'Z'}}},
    {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
};

/* The ranges of a named class are in order, so its complement is what lies between them. */
static void set_add_named(struct set *s, const struct named_class *named, bool negated)
{
    uint32_t from = 0;
    for (size_t i = 0; i < ARRAY_LEN(named->ranges) && named->ranges[i].high; i++) {
        const struct regex_range r = named->ranges[i];
        if (!negated)
            set_add(s, r.low, r.high);
        else if (r.low > from)
            set_add(s, from, r.low - 1);
        from = r.high + 1;
    }
    if (negated)
        set_add(s, from, 0x10FFFF);
}

static const struct named_class *named_class(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(named_classes); i++)
        if (strlen(named_classes[i].name) == len && memcmp(named_classes[i].name, name, len) == 0)
            return &named_classes[i];
    return NULL;
}

static struct regex_node *class_node(struct parser *c, const struct set *s, bool negated)
{
    struct regex_class *cls = arena_alloc(c->arena, sizeof *cls);
    struct regex_range *ranges = arena_alloc(c->arena, s->count * sizeof *ranges);
    memcpy(ranges, s->ranges, s->count * sizeof *ranges);
    *cls = (struct regex_class){.negated = negated, .ranges = ranges, .count = s->count};
    for (size_t i = 0; i < s->count; i++)
        for (uint32_t cp = ranges[i].low; cp <= ranges[i].high && cp < 128; cp++)
            cls->ascii[cp / 64] |= 1ULL << cp % 64;
    return atom(c, (struct regex_instr){.op = RE_CLASS, .cls = cls});
}

/* ---- escapes -------------------------------------------------------------------------------- */

static bool take_hex(struct parser *c, int most, uint32_t *cp)
{
    int digits = 0;
    for (*cp = 0; digits < most && c->p < c->end && isxdigit((unsigned char)*c->p); digits++) {
        const int ch = tolower((unsigned char)*c->p++);
        *cp = *cp * 16 + (uint32_t)(ch <= '9' ? ch - '0' : ch - 'a' + 10);
    }
    return digits > 0;
}

/* What follows a backslash and stands for one character. */
static bool take_escaped_char(struct parser *c, uint32_t *cp)
{
    static const char names[] = "ntrfva", values[] = "\n\t\r\f\v\a";
    const char ch = *c->p;
    const char *name = strchr(names, ch);
    if (ch && name) {
        c->p++;
        *cp = (unsigned char)values[name - names];
        return true;
    }
    if (ch == 'x') {
        c->p++;
        const bool braces = take(c, "{");
        const char *begin = c->p;
        const bool hex = take_hex(c, braces ? 6 : 2, cp);
        return hex && (braces ? take(c, "}") : c->p - begin == 2) && *cp > 0 && *cp <= 0x10FFFF;
    }
    if (!ispunct((unsigned char)ch))
        return false;
    c->p++;
    *cp = (unsigned char)ch;
    return true;
}

static const char bad_escape[] =
    "an escape that is not known here (no back-references, \\p, \\Q, \\C)";

static struct regex_node *parse_escape(struct parser *c)
{
    static const struct {
        char name;
        enum regex_assert assertion;
    } asserts[] = {
        {'A', RE_TEXT_BEGIN}, {'z', RE_TEXT_END}, {'b', RE_WORD_EDGE}, {'B', RE_NO_WORD_EDGE}};
    if (c->p == c->end)
        return fail(c, "a backslash at the end");
    for (size_t i = 0; i < ARRAY_LEN(asserts); i++) {
        if (*c->p == asserts[i].name) {
            c->p++;
            return atom(c,
                        (struct regex_instr){.op = RE_ASSERT, .assertion = asserts[i].assertion});
        }
    }
    if (strchr("dDwWsS", *c->p)) {
        const char lower = (char)tolower((unsigned char)*c->p);
        struct set s = {.count = 0};
        set_add_named(&s, named_class(&lower, 1), false);
        return class_node(c, &s, *c->p++ != lower);
    }
    uint32_t cp;
    if (!take_escaped_char(c, &cp))
        return fail(c, bad_escape);
    return atom(c, (struct regex_instr){.op = RE_CHAR, .cp = cp});
}

/* ---- bracket expressions -------------------------------------------------------------------- */

/* [:name:] or [:^name:] */
static bool take_posix(struct parser *c, struct set *s)
{
    c->p += 2;
    const bool negated = take(c, "^");
    const char *name = c->p;
    while (c->p < c->end && isalpha((unsigned char)*c->p))
        c->p++;
    const struct named_class *named = named_class(name, (size_t)(c->p - name));
    if (!named || c->p - name == 1 || !take(c, ":]")) {
        fail(c, "a class name that is not known, like [[:alpha:]]");
        return false;
    }
    set_add_named(s, named, negated);
    return true;
}

static bool take_class_char(struct parser *c, uint32_t *cp)
{
    if (c->p == c->end) {
        fail(c, "a [ without its ]");
        return false;
    }
    if (!take(c, "\\")) {
        *cp = utf8_next(&c->p, c->end);
        return true;
    }
    if (c->p < c->end && take_escaped_char(c, cp))
        return true;
    fail(c, bad_escape);
    return false;
}

static bool take_class_item(struct parser *c, struct set *s)
{
    if (looking_at(c, "[:"))
        return take_posix(c, s);
    if (c->end - c->p >= 2 && *c->p == '\\' && strchr("dDwWsS", c->p[1])) {
        const char lower = (char)tolower((unsigned char)c->p[1]);
        set_add_named(s, named_class(&lower, 1), c->p[1] != lower);
        c->p += 2;
        return true;
    }
    uint32_t low, high;
    if (!take_class_char(c, &low))
        return false;
    high = low;
    if (c->end - c->p >= 2 && *c->p == '-' && c->p[1] != ']') {
        c->p++;
        if (!take_class_char(c, &high))
            return false;
        if (high < low) {
            fail(c, "a range in brackets that ends before it begins");
            return false;
        }
    }
    set_add(s, low, high);
    return true;
}

static struct regex_node *parse_class(struct parser *c)
{
    struct set s = {.count = 0};
    const bool negated = take(c, "^");
    bool first = true; /* a ] there stands for itself */
    while (first || !take(c, "]")) {
        first = false;
        if (!take_class_item(c, &s))
            return NULL;
    }
    return class_node(c, &s, negated);
}

/* ---- groups, repetition, alternatives ------------------------------------------------------- */

/* After "(?": flags and then ")" (for the rest of the group) or ":". */
static bool take_flags(struct parser *c, bool *scoped)
{
    bool value = true;
    for (; c->p < c->end; c->p++) {
        switch (*c->p) {
        case 'i':
            c->flags.fold = value;
            break;
        case 's':
            c->flags.dot_newline = value;
            break;
        case 'm':
            c->flags.lines = value;
            break;
        case '-':
            value = false;
            break;
        case ':':
        case ')':
            *scoped = *c->p++ == ':';
            return true;
        default:
            return false;
        }
    }
    return false;
}

static struct regex_node *parse_group(struct parser *c)
{
    const struct flags outer = c->flags;
    bool scoped = true;
    if (take(c, "?") && !take_flags(c, &scoped))
        return fail(c, "a group that is not known here (no look-around, no names)");
    if (!scoped)
        return new_node(c, RE_EMPTY, NULL,
                        NULL); /* the flags hold until the group around it ends */
    struct regex_node *inner = parse_either(c);
    if (!inner)
        return NULL;
    if (!take(c, ")"))
        return fail(c, "a ( without its )");
    c->flags = outer;
    return inner;
}

static struct regex_node *parse_atom(struct parser *c)
{
    const char ch = *c->p;
    switch (ch) {
    case '(':
        c->p++;
        return parse_group(c);
    case '[':
        c->p++;
        return parse_class(c);
    case '\\':
        c->p++;
        return parse_escape(c);
    case '.':
        c->p++;
        return atom(c, (struct regex_instr){.op = c->flags.dot_newline ? RE_ANYNL : RE_ANY});
    case '^':
    case '$': {
        c->p++;
        const enum regex_assert text = ch == '^' ? RE_TEXT_BEGIN : RE_TEXT_END;
        const enum regex_assert line = ch == '^' ? RE_LINE_BEGIN : RE_LINE_END;
        return atom(
            c, (struct regex_instr){.op = RE_ASSERT, .assertion = c->flags.lines ? line : text});
    }
    case '*':
    case '+':
    case '?':
        return fail(c, "a repetition of nothing");
    default:
        return atom(c, (struct regex_instr){.op = RE_CHAR, .cp = utf8_next(&c->p, c->end)});
    }
}

static bool take_count(struct parser *c, int *out)
{
    const char *begin = c->p;
    for (*out = 0; c->p < c->end && isdigit((unsigned char)*c->p); c->p++)
        if (*out <= REPEAT_MAX)
            *out = *out * 10 + (*c->p - '0');
    return c->p > begin;
}

/* "{n}", "{n,}" or "{n,m}"; anything else that begins with a brace stands for itself. */
static bool take_braces(struct parser *c, int *least, int *most)
{
    const char *begin = c->p;
    if (take(c, "{") && take_count(c, least)) {
        *most = *least;
        if (take(c, ",") && !take_count(c, most))
            *most = RE_NO_LIMIT;
        if (take(c, "}"))
            return true;
    }
    c->p = begin;
    return false;
}

static bool take_repetition(struct parser *c, int *least, int *most)
{
    *least = 0;
    *most = RE_NO_LIMIT;
    if (take(c, "*"))
        return true;
    if (take(c, "+")) {
        *least = 1;
        return true;
    }
    if (take(c, "?")) {
        *most = 1;
        return true;
    }
    return take_braces(c, least, most);
}

static struct regex_node *parse_repeated(struct parser *c)
{
    struct regex_node *n = parse_atom(c);
    int least, most;
    while (n && take_repetition(c, &least, &most)) {
        if (least > REPEAT_MAX || most > REPEAT_MAX || (most != RE_NO_LIMIT && most < least))
            return fail(c, "a repetition count over 1000 or upside down");
        take(c, "?"); /* greedy or not is the same question for yes or no */
        n = new_node(c, RE_REPEAT, n, NULL);
        n->least = least;
        n->most = most;
    }
    return n;
}

static struct regex_node *parse_sequence(struct parser *c)
{
    struct regex_node *all = new_node(c, RE_EMPTY, NULL, NULL);
    while (c->p < c->end && *c->p != '|' && *c->p != ')') {
        struct regex_node *one = parse_repeated(c);
        if (!one)
            return NULL;
        all = all->kind == RE_EMPTY ? one : new_node(c, RE_SEQUENCE, all, one);
    }
    return all;
}

static struct regex_node *parse_either(struct parser *c)
{
    struct regex_node *all = parse_sequence(c);
    while (all && take(c, "|")) {
        struct regex_node *other = parse_sequence(c);
        if (!other)
            return NULL;
        all = new_node(c, RE_EITHER, all, other);
    }
    return all;
}

const struct regex_node *regex_parse(struct arena *arena, const char *pattern, size_t len,
                                     const char **why)
{
    struct parser c = {.arena = arena, .p = pattern, .end = pattern + len};
    const struct regex_node *root = parse_either(&c);
    if (root && c.p < c.end)
        root = fail(&c, "a ) without its (");
    *why = c.why;
    return root;
}

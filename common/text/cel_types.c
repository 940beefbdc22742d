/* What an expression can come to, told from its text and the types of what it looks at. A type is a
 * bit; what cannot be known has them all. */
#include "common/text/cel_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"

#define BIT(type) (1U << (type))
#define NUMBERS   (BIT(CEL_INT) | BIT(CEL_UINT) | BIT(CEL_DOUBLE))
#define KEYED     (BIT(CEL_LIST) | BIT(CEL_MAP))

struct typing {
    const struct cel *cel;
    cel_types_of *of;
    void *user;
    struct err *err;
};

/* Always 0, for `return wrong(…)`. The first that is found is told. */
static unsigned __attribute__((format(printf, 3, 4)))
wrong(struct typing *t, const struct cel_node *at, const char *fmt, ...)
{
    char what[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    err_set(t->err, LEAT_EINPUT, "%d:%d: %s", at->line, at->column, what);
    return 0;
}

void cel_types_text(unsigned types, struct text *out)
{
    for (enum cel_type type = 0; type <= CEL_TYPE; type++)
        if (types & BIT(type))
            text_printf(out, "%s%s", out->len ? " or " : "", cel_type_name(type));
}

static unsigned not_taken(struct typing *t, const struct cel_node *at, const char *taker,
                          unsigned types)
{
    cleanup_text struct text have = {0};
    cel_types_text(types, &have);
    return wrong(t, at, "%s does not take %s", taker, have.data);
}

static unsigned types_of(struct typing *t, const struct cel_node *n, const struct cel_bound *bound);

/* False when it fails, or can be nothing of what is wanted. */
static bool wants(struct typing *t, const struct cel_node *n, const struct cel_bound *bound,
                  const char *taker, unsigned wanted)
{
    const unsigned types = types_of(t, n, bound);
    return types & wanted || (types && not_taken(t, n, taker, types));
}

static bool all_of(struct typing *t, const struct cel_node *n, size_t from,
                   const struct cel_bound *bound)
{
    for (size_t i = from; i < n->count; i++)
        if (!types_of(t, n->args[i], bound))
            return false;
    return true;
}

/* ---- operators ------------------------------------------------------------------------------- */

#define ORDERS (BIT(B_LT) | BIT(B_LE) | BIT(B_GT) | BIT(B_GE))
#define SUMS   (BIT(B_ADD) | BIT(B_SUB))

/* What cel_arith.c does; == and != take everything. */
static const struct overload {
    unsigned ops, left, right, result;
} overloads[] = {
    {ORDERS, NUMBERS, NUMBERS, BIT(CEL_BOOL)},
    {ORDERS, BIT(CEL_BOOL), BIT(CEL_BOOL), BIT(CEL_BOOL)},
    {ORDERS, BIT(CEL_STRING), BIT(CEL_STRING), BIT(CEL_BOOL)},
    {ORDERS, BIT(CEL_BYTES), BIT(CEL_BYTES), BIT(CEL_BOOL)},
    {ORDERS, BIT(CEL_TIMESTAMP), BIT(CEL_TIMESTAMP), BIT(CEL_BOOL)},
    {ORDERS, BIT(CEL_DURATION), BIT(CEL_DURATION), BIT(CEL_BOOL)},
    {BIT(B_IN), CEL_ANY, KEYED, BIT(CEL_BOOL)},
    {SUMS | BIT(B_MUL) | BIT(B_DIV) | BIT(B_MOD), BIT(CEL_INT), BIT(CEL_INT), BIT(CEL_INT)},
    {SUMS | BIT(B_MUL) | BIT(B_DIV) | BIT(B_MOD), BIT(CEL_UINT), BIT(CEL_UINT), BIT(CEL_UINT)},
    {SUMS | BIT(B_MUL) | BIT(B_DIV), BIT(CEL_DOUBLE), BIT(CEL_DOUBLE), BIT(CEL_DOUBLE)},
    {BIT(B_ADD), BIT(CEL_STRING), BIT(CEL_STRING), BIT(CEL_STRING)},
    {BIT(B_ADD), BIT(CEL_BYTES), BIT(CEL_BYTES), BIT(CEL_BYTES)},
    {BIT(B_ADD), BIT(CEL_LIST), BIT(CEL_LIST), BIT(CEL_LIST)},
    {SUMS, BIT(CEL_DURATION), BIT(CEL_DURATION), BIT(CEL_DURATION)},
    {SUMS, BIT(CEL_TIMESTAMP), BIT(CEL_DURATION), BIT(CEL_TIMESTAMP)},
    {BIT(B_ADD), BIT(CEL_DURATION), BIT(CEL_TIMESTAMP), BIT(CEL_TIMESTAMP)},
    {BIT(B_SUB), BIT(CEL_TIMESTAMP), BIT(CEL_TIMESTAMP), BIT(CEL_DURATION)},
};

static unsigned no_overload(struct typing *t, const struct cel_node *n, unsigned a, unsigned b)
{
    cleanup_text struct text left = {0}, right = {0};
    cel_types_text(a, &left);
    cel_types_text(b, &right);
    return wrong(
        t, n, "'%s' does not take %s and %s%s", cel_symbol(n->binary), left.data, right.data,
        a & NUMBERS && b & NUMBERS && !(a & b) ? "; convert one side, like double(x)" : "");
}

static unsigned of_binary(struct typing *t, const struct cel_node *n, const struct cel_bound *bound)
{
    const unsigned a = types_of(t, n->args[0], bound);
    const unsigned b = a ? types_of(t, n->args[1], bound) : 0;
    unsigned result = n->binary == B_EQ || n->binary == B_NE ? BIT(CEL_BOOL) : 0;
    for (size_t i = 0; i < ARRAY_LEN(overloads); i++) {
        const struct overload *o = &overloads[i];
        if (o->ops & BIT(n->binary) && a & o->left && b & o->right)
            result |= o->result;
    }
    if (!a || !b)
        return 0;
    return result ? result : no_overload(t, n, a, b);
}

static unsigned of_logic(struct typing *t, const struct cel_node *n, const struct cel_bound *bound)
{
    const char *taker = n->kind == N_AND ? "'&&'" : "'||'";
    const bool good = wants(t, n->args[0], bound, taker, BIT(CEL_BOOL)) &&
                      wants(t, n->args[1], bound, taker, BIT(CEL_BOOL));
    return good ? BIT(CEL_BOOL) : 0;
}

static unsigned of_not(struct typing *t, const struct cel_node *n, const struct cel_bound *bound)
{
    return wants(t, n->args[0], bound, "'!'", BIT(CEL_BOOL)) ? BIT(CEL_BOOL) : 0;
}

static unsigned of_negate(struct typing *t, const struct cel_node *n, const struct cel_bound *bound)
{
    const unsigned types = types_of(t, n->args[0], bound);
    const unsigned kept = types & (BIT(CEL_INT) | BIT(CEL_DOUBLE));
    return kept || !types ? kept : not_taken(t, n, "'-'", types);
}

static unsigned of_choice(struct typing *t, const struct cel_node *n, const struct cel_bound *bound)
{
    if (!wants(t, n->args[0], bound, "'?'", BIT(CEL_BOOL)))
        return 0;
    const unsigned yes = types_of(t, n->args[1], bound);
    const unsigned no = yes ? types_of(t, n->args[2], bound) : 0;
    return no ? yes | no : 0;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static unsigned of_literal(struct typing *t, const struct cel_node *n,
                           const struct cel_bound *bound)
{
    (void)t;
    (void)bound;
    return BIT(n->value.type);
}

/* Bound by a macro, or the name of a type: variables are paths, seen before. */
static unsigned of_name(struct typing *t, const struct cel_node *n, const struct cel_bound *bound)
{
    (void)t;
    return cel_is_bound(bound, n->name) ? CEL_ANY : BIT(CEL_TYPE);
}

static unsigned of_select(struct typing *t, const struct cel_node *n, const struct cel_bound *bound)
{
    return wants(t, n->args[0], bound, "a key", BIT(CEL_MAP)) ? CEL_ANY : 0;
}

static unsigned of_has(struct typing *t, const struct cel_node *n, const struct cel_bound *bound)
{
    return wants(t, n->args[0], bound, "has()", BIT(CEL_MAP)) ? BIT(CEL_BOOL) : 0;
}

static unsigned of_index(struct typing *t, const struct cel_node *n, const struct cel_bound *bound)
{
    const bool good =
        wants(t, n->args[0], bound, "an index", KEYED) && types_of(t, n->args[1], bound);
    return good ? CEL_ANY : 0;
}

static unsigned of_list(struct typing *t, const struct cel_node *n, const struct cel_bound *bound)
{
    return all_of(t, n, 0, bound) ? BIT(CEL_LIST) : 0;
}

static unsigned of_map(struct typing *t, const struct cel_node *n, const struct cel_bound *bound)
{
    return all_of(t, n, 0, bound) ? BIT(CEL_MAP) : 0;
}

static unsigned of_call(struct typing *t, const struct cel_node *n, const struct cel_bound *bound)
{
    char taker[64];
    snprintf(taker, sizeof taker, "%s()", n->name);
    const bool good =
        wants(t, n->args[0], bound, taker, n->function->takes) && all_of(t, n, 1, bound);
    return good ? n->function->gives : 0;
}

/* all, exists and filter test each element; the three-part map tests before it maps. */
static unsigned of_macro(struct typing *t, const struct cel_node *n, const struct cel_bound *bound)
{
    const bool collects = n->macro == M_MAP || n->macro == M_FILTER;
    const bool tests = n->macro != M_MAP || n->count == 3;
    const struct cel_bound inner = {n->name, bound};
    const bool good = wants(t, n->args[0], bound, "a macro", KEYED) &&
                      (!tests || wants(t, n->args[1], &inner, "a test", BIT(CEL_BOOL))) &&
                      all_of(t, n, tests ? 2 : 1, &inner);
    return !good ? 0 : collects ? BIT(CEL_LIST) : BIT(CEL_BOOL);
}

/* What fails on its left side is what it is for, but a mistake of types always is one. */
static unsigned of_default(struct typing *t, const struct cel_node *n,
                           const struct cel_bound *bound)
{
    const unsigned first = types_of(t, n->args[0], bound);
    const unsigned second = first ? types_of(t, n->args[1], bound) : 0;
    return second ? (first & ~BIT(CEL_NULL)) | second : 0;
}

typedef unsigned types_fn(struct typing *t, const struct cel_node *n,
                          const struct cel_bound *bound);
static types_fn *const by_kind[] = {
    [N_LITERAL] = of_literal, [N_NAME] = of_name,     [N_SELECT] = of_select,
    [N_HAS] = of_has,         [N_INDEX] = of_index,   [N_CALL] = of_call,
    [N_LIST] = of_list,       [N_MAP] = of_map,       [N_NOT] = of_not,
    [N_NEGATE] = of_negate,   [N_AND] = of_logic,     [N_OR] = of_logic,
    [N_CHOICE] = of_choice,   [N_BINARY] = of_binary, [N_MACRO] = of_macro,
    [N_DEFAULT] = of_default,
};

/* The one that begins where this variable stands. */
static const struct cel_reference *reference_at(const struct cel *cel, const struct cel_node *root)
{
    const struct cel_reference *ref = cel->references;
    while (ref->line != root->line || ref->column != root->column)
        ref++;
    return ref;
}

static unsigned types_of(struct typing *t, const struct cel_node *n, const struct cel_bound *bound)
{
    size_t count;
    const struct cel_node *root = cel_path_root(n, bound, &count);
    if (!root)
        return by_kind[n->kind](t, n, bound);
    return n->kind == N_HAS ? BIT(CEL_BOOL) : t->of(t->user, reference_at(t->cel, root));
}

unsigned cel_types(const struct cel *cel, cel_types_of *of, void *user, struct err *err)
{
    struct typing t = {.cel = cel, .of = of, .user = user, .err = err};
    return types_of(&t, cel->root, NULL);
}

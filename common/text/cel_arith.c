#include "common/text/cel_internal.h"

#include <math.h>
#include <string.h>

static const char *const symbols[] = {
    [B_EQ] = "==", [B_NE] = "!=", [B_LT] = "<",  [B_LE] = "<=", [B_GT] = ">",  [B_GE] = ">=",
    [B_IN] = "in", [B_ADD] = "+", [B_SUB] = "-", [B_MUL] = "*", [B_DIV] = "/", [B_MOD] = "%",
};

const char *cel_symbol(enum cel_binary op)
{
    return symbols[op];
}

static bool is_number(const struct cel_value *v)
{
    return v->type == CEL_INT || v->type == CEL_UINT || v->type == CEL_DOUBLE;
}

static bool no_overload(struct cel_ctx *ctx, const struct cel_node *node, const struct cel_value *a,
                        const struct cel_value *b)
{
    const char *hint = is_number(a) && is_number(b) && a->type != b->type
                           ? "; convert one side, like double(x)"
                           : "";
    return cel_fail(ctx, node, "'%s' does not take %s and %s%s", symbols[node->binary],
                    cel_type_name(a->type), cel_type_name(b->type), hint);
}

static bool overflow(struct cel_ctx *ctx, const struct cel_node *node)
{
    return cel_fail(ctx, node, "integer overflow");
}

static bool int_op(struct cel_ctx *ctx, const struct cel_node *node, int64_t a, int64_t b,
                   int64_t *out)
{
    bool over = false;
    switch (node->binary) {
    case B_ADD:
        over = __builtin_add_overflow(a, b, out);
        break;
    case B_SUB:
        over = __builtin_sub_overflow(a, b, out);
        break;
    case B_MUL:
        over = __builtin_mul_overflow(a, b, out);
        break;
    default:
        if (b == 0)
            return cel_fail(ctx, node,
                            node->binary == B_DIV ? "division by zero" : "modulus by zero");
        over = a == INT64_MIN && b == -1;
        if (!over)
            *out = node->binary == B_DIV ? a / b : a % b;
    }
    return !over || overflow(ctx, node);
}

static bool uint_op(struct cel_ctx *ctx, const struct cel_node *node, uint64_t a, uint64_t b,
                    uint64_t *out)
{
    bool over = false;
    switch (node->binary) {
    case B_ADD:
        over = __builtin_add_overflow(a, b, out);
        break;
    case B_SUB:
        over = __builtin_sub_overflow(a, b, out);
        break;
    case B_MUL:
        over = __builtin_mul_overflow(a, b, out);
        break;
    default:
        if (b == 0)
            return cel_fail(ctx, node,
                            node->binary == B_DIV ? "division by zero" : "modulus by zero");
        *out = node->binary == B_DIV ? a / b : a % b;
    }
    return !over || overflow(ctx, node);
}

static bool double_op(enum cel_binary op, double a, double b, double *out)
{
    switch (op) {
    case B_ADD:
        *out = a + b;
        return true;
    case B_SUB:
        *out = a - b;
        return true;
    case B_MUL:
        *out = a * b;
        return true;
    case B_DIV:
        *out = b != 0 ? a / b : a == 0 || isnan(a) ? NAN : copysign(INFINITY, a) * copysign(1, b);
        return true;
    default:
        return false;
    }
}

static bool join_bytes(struct cel_ctx *ctx, const struct cel_node *node, const struct cel_value *a,
                       const struct cel_value *b, struct cel_value *out)
{
    const size_t len = a->text.len + b->text.len;
    char *data = cel_alloc(ctx, node, 1, len + 1);
    if (!data || !cel_steps(ctx, node, len / CEL_BYTES_PER_STEP))
        return false;
    if (a->text.len)
        memcpy(data, a->text.data, a->text.len);
    if (b->text.len)
        memcpy(data + a->text.len, b->text.data, b->text.len);
    *out = cel_text(a->type, data, len);
    return true;
}

static bool join_lists(struct cel_ctx *ctx, const struct cel_node *node, const struct cel_list *a,
                       const struct cel_list *b, struct cel_value *out)
{
    const size_t count = a->count + b->count;
    if (!cel_steps(ctx, node, count))
        return false;
    struct cel_value *items = cel_alloc(ctx, node, count, sizeof *items);
    if (!items)
        return false;
    for (size_t i = 0; i < count; i++)
        items[i] = i < a->count ? cel_list_at(a, i) : cel_list_at(b, i - a->count);
    *out = (struct cel_value){.type = CEL_LIST, .list = {.items = items, .count = count}};
    return true;
}

static bool time_range(struct cel_ctx *ctx, const struct cel_node *node, bool in_range)
{
    return in_range || cel_fail(ctx, node, "the time is out of range");
}

static bool duration_op(struct cel_ctx *ctx, const struct cel_node *node, int64_t a, int64_t b,
                        struct cel_value *out)
{
    out->type = CEL_DURATION;
    const bool over = node->binary == B_ADD ? __builtin_add_overflow(a, b, &out->duration_ns)
                                            : __builtin_sub_overflow(a, b, &out->duration_ns);
    return time_range(ctx, node, !over);
}

/* + and - with a timestamp or two durations. */
static bool time_op(struct cel_ctx *ctx, const struct cel_node *node, const struct cel_value *a,
                    const struct cel_value *b, struct cel_value *out)
{
    const bool add = node->binary == B_ADD;
    if (a->type == CEL_DURATION && b->type == CEL_DURATION)
        return duration_op(ctx, node, a->duration_ns, b->duration_ns, out);
    if (add && a->type == CEL_DURATION && b->type == CEL_TIMESTAMP)
        return time_op(ctx, node, b, a, out);
    if (a->type == CEL_TIMESTAMP && b->type == CEL_DURATION) {
        out->type = CEL_TIMESTAMP;
        return time_range(ctx, node,
                          cel_time_add(a->time, b->duration_ns, add ? 1 : -1, &out->time));
    }
    if (!add && a->type == CEL_TIMESTAMP && b->type == CEL_TIMESTAMP) {
        out->type = CEL_DURATION;
        return time_range(ctx, node, cel_time_diff(a->time, b->time, &out->duration_ns));
    }
    return no_overload(ctx, node, a, b);
}

static bool arithmetic(struct cel_ctx *ctx, const struct cel_node *node, const struct cel_value *a,
                       const struct cel_value *b, struct cel_value *out)
{
    const bool sum = node->binary == B_ADD || node->binary == B_SUB;
    *out = (struct cel_value){.type = a->type};
    if (sum && (a->type == CEL_TIMESTAMP || a->type == CEL_DURATION))
        return time_op(ctx, node, a, b, out);
    if (a->type == b->type && a->type == CEL_INT)
        return int_op(ctx, node, a->i, b->i, &out->i);
    if (a->type == b->type && a->type == CEL_UINT)
        return uint_op(ctx, node, a->u, b->u, &out->u);
    if (a->type == b->type && a->type == CEL_DOUBLE && double_op(node->binary, a->d, b->d, &out->d))
        return true;
    if (a->type == b->type && node->binary == B_ADD) {
        if (a->type == CEL_STRING || a->type == CEL_BYTES)
            return join_bytes(ctx, node, a, b, out);
        if (a->type == CEL_LIST)
            return join_lists(ctx, node, &a->list, &b->list, out);
    }
    return no_overload(ctx, node, a, b);
}

static bool relation(struct cel_ctx *ctx, const struct cel_node *node, const struct cel_value *a,
                     const struct cel_value *b, struct cel_value *out)
{
    if (a->type == CEL_STRING && !cel_steps(ctx, node, a->text.len / CEL_BYTES_PER_STEP))
        return false;
    const enum cel_order order = cel_compare(a, b);
    if (order == CEL_INCOMPARABLE)
        return no_overload(ctx, node, a, b);
    switch (node->binary) {
    case B_LT:
        *out = cel_bool(order == CEL_LESS);
        break;
    case B_LE:
        *out = cel_bool(order == CEL_LESS || order == CEL_SAME);
        break;
    case B_GT:
        *out = cel_bool(order == CEL_GREATER);
        break;
    default:
        *out = cel_bool(order == CEL_GREATER || order == CEL_SAME);
    }
    return true;
}

static bool is_in(struct cel_ctx *ctx, const struct cel_node *node, const struct cel_value *a,
                  const struct cel_value *b, struct cel_value *out)
{
    struct cel_value ignored;
    bool found = false;
    if (b->type == CEL_MAP) {
        if (!cel_find_key(ctx, node, &b->map, a, &found, &ignored))
            return false;
    } else if (b->type == CEL_LIST) {
        for (size_t i = 0; i < b->list.count && !found; i++) {
            const struct cel_value item = cel_list_at(&b->list, i);
            if (!cel_equal(ctx, node, a, &item, &found))
                return false;
        }
    } else {
        return no_overload(ctx, node, a, b);
    }
    *out = cel_bool(found);
    return true;
}

bool cel_eval_binary(struct cel_ctx *ctx, const struct cel_node *node, const struct cel_value *a,
                     const struct cel_value *b, struct cel_value *out)
{
    bool equal;
    switch (node->binary) {
    case B_EQ:
    case B_NE:
        if (!cel_equal(ctx, node, a, b, &equal))
            return false;
        *out = cel_bool(equal == (node->binary == B_EQ));
        return true;
    case B_LT:
    case B_LE:
    case B_GT:
    case B_GE:
        return relation(ctx, node, a, b, out);
    case B_IN:
        return is_in(ctx, node, a, b, out);
    default:
        return arithmetic(ctx, node, a, b, out);
    }
}

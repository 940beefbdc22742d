/* all, exists, exists_one, map, filter: the only loops there are, over lists and keys of maps. */
#include "common/text/cel_internal.h"

#include <string.h>

struct range {
    const struct cel_value *of;
    void *iterator; /* of a JSON object */
    size_t next, count;
};

static struct range range_over(const struct cel_value *v)
{
    struct range r = {.of = v, .count = v->type == CEL_LIST ? v->list.count : v->map.count};
    if (v->type == CEL_MAP && v->map.json)
        r.iterator = json_object_iter((json_t *)(uintptr_t)v->map.json); /* changes nothing */
    return r;
}

static bool next_item(struct range *r, struct cel_value *out)
{
    if (r->next == r->count)
        return false;
    const size_t i = r->next++;
    if (r->of->type == CEL_LIST) {
        *out = cel_list_at(&r->of->list, i);
    } else if (!r->of->map.json) {
        *out = r->of->map.entries[i].key;
    } else {
        const char *name = json_object_iter_key(r->iterator);
        *out = cel_text(CEL_STRING, name, strlen(name));
        r->iterator = json_object_iter_next((json_t *)(uintptr_t)r->of->map.json, r->iterator);
    }
    return true;
}

/* `body` with the macro's name bound to `item`. */
static bool eval_bound(struct cel_ctx *ctx, const struct cel_node *node,
                       const struct cel_node *body, const struct cel_value *item,
                       struct cel_value *out)
{
    const struct cel_scope scope = {node->name, *item, ctx->scope};
    ctx->scope = &scope;
    const bool ok = cel_eval_node(ctx, body, out);
    ctx->scope = scope.outer;
    return ok;
}

static bool eval_test(struct cel_ctx *ctx, const struct cel_node *node,
                      const struct cel_value *item, bool *out)
{
    struct cel_value v;
    if (!eval_bound(ctx, node, node->args[1], item, &v))
        return false;
    if (v.type != CEL_BOOL)
        return cel_fail(ctx, node->args[1], "the test of the macro gives %s, not bool",
                        cel_type_name(v.type));
    *out = v.boolean;
    return true;
}

/* all() is a long &&, exists() a long ||: one element may decide although others fail. */
static bool eval_quantifier(struct cel_ctx *ctx, const struct cel_node *node,
                            const struct cel_value *over, struct cel_value *out)
{
    const bool decides = node->macro == M_EXISTS;
    struct range r = range_over(over);
    struct cel_value item;
    bool failed = false;
    while (next_item(&r, &item)) {
        bool v;
        if (!eval_test(ctx, node, &item, &v)) {
            if (cel_is_fatal(ctx))
                return false;
            failed = true;
        } else if (v == decides) {
            *out = cel_bool(decides);
            return true;
        }
    }
    *out = cel_bool(!decides);
    return !failed;
}

static bool eval_exists_one(struct cel_ctx *ctx, const struct cel_node *node,
                            const struct cel_value *over, struct cel_value *out)
{
    struct range r = range_over(over);
    struct cel_value item;
    size_t count = 0;
    while (next_item(&r, &item)) {
        bool v;
        if (!eval_test(ctx, node, &item, &v))
            return false;
        count += v;
    }
    *out = cel_bool(count == 1);
    return true;
}

static bool eval_collect(struct cel_ctx *ctx, const struct cel_node *node,
                         const struct cel_value *over, struct cel_value *out)
{
    const bool tested = node->macro == M_FILTER || node->count == 3;
    struct range r = range_over(over);
    struct cel_value item;
    struct cel_value *items = cel_alloc(ctx, node, r.count, sizeof *items);
    if (!items)
        return false;
    size_t count = 0;
    while (next_item(&r, &item)) {
        bool wanted = true;
        if (tested && !eval_test(ctx, node, &item, &wanted))
            return false;
        if (!wanted)
            continue;
        if (node->macro == M_FILTER)
            items[count] = item;
        else if (!eval_bound(ctx, node, node->args[node->count - 1], &item, &items[count]))
            return false;
        count++;
    }
    *out = (struct cel_value){.type = CEL_LIST, .list = {.items = items, .count = count}};
    return true;
}

bool cel_eval_macro(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    struct cel_value over;
    if (!cel_eval_node(ctx, node->args[0], &over))
        return false;
    if (over.type != CEL_LIST && over.type != CEL_MAP)
        return cel_fail(ctx, node, "the macro goes over a list or a map, not %s",
                        cel_type_name(over.type));
    switch (node->macro) {
    case M_ALL:
    case M_EXISTS:
        return eval_quantifier(ctx, node, &over, out);
    case M_EXISTS_ONE:
        return eval_exists_one(ctx, node, &over, out);
    default:
        return eval_collect(ctx, node, &over, out);
    }
}

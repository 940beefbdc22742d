#include "common/text/cel_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

/* ---- errors and budgets --------------------------------------------------------------------- */

static bool fail_with(struct cel_ctx *ctx, const struct cel_node *at, int code, const char *fmt,
                      va_list ap)
{
    char what[400];
    vsnprintf(what, sizeof what, fmt, ap);
    for (char *p = what; *p; p++) /* names may come from data */
        if ((unsigned char)*p < ' ' || *p == 0x7F)
            *p = '?';
    err_set(&ctx->err, code, "%d:%d: %s", at->line, at->column, what);
    return false;
}

bool cel_fail(struct cel_ctx *ctx, const struct cel_node *at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fail_with(ctx, at, LEAT_EINPUT, fmt, ap);
    va_end(ap);
    return false;
}

bool cel_limit(struct cel_ctx *ctx, const struct cel_node *at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fail_with(ctx, at, LEAT_ELIMIT, fmt, ap);
    va_end(ap);
    return false;
}

bool cel_is_fatal(const struct cel_ctx *ctx)
{
    return ctx->err.code != LEAT_EINPUT;
}

bool cel_steps(struct cel_ctx *ctx, const struct cel_node *at, size_t steps)
{
    if (steps > ctx->steps_left) {
        ctx->steps_left = 0;
        return cel_limit(ctx, at, "the expression takes too many steps");
    }
    ctx->steps_left -= steps;
    return true;
}

bool cel_memory(struct cel_ctx *ctx, const struct cel_node *at, size_t bytes)
{
    if (bytes > ctx->memory_left)
        return cel_limit(ctx, at, "the expression takes more than %d bytes of memory",
                         CEL_MEMORY_MAX);
    ctx->memory_left -= bytes;
    return true;
}

void *cel_alloc(struct cel_ctx *ctx, const struct cel_node *at, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    return cel_memory(ctx, at, bytes) ? arena_alloc(ctx->arena, bytes) : NULL;
}

/* ---- names and members ---------------------------------------------------------------------- */

static bool eval_name(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    for (const struct cel_scope *s = ctx->scope; s; s = s->outer) {
        if (strcmp(s->name, node->name) == 0) {
            *out = s->value;
            return true;
        }
    }
    for (size_t i = 0; ctx->vars && i < ctx->vars->count; i++) {
        const struct cel_var *var = &ctx->vars->items[i];
        if (var->value && strcmp(var->name, node->name) == 0) {
            *out = cel_from_json(var->value);
            return true;
        }
    }
    enum cel_type type;
    if (!cel_type_find(node->name, &type))
        return cel_fail(ctx, node, "there is no variable %.60s", node->name);
    *out = (struct cel_value){.type = CEL_TYPE, .type_name = type};
    return true;
}

static bool select_key(struct cel_ctx *ctx, const struct cel_node *node, bool *found,
                       struct cel_value *out)
{
    struct cel_value of;
    if (!cel_eval_node(ctx, node->args[0], &of))
        return false;
    if (of.type != CEL_MAP)
        return cel_fail(ctx, node, "a value of type %s has no keys, so no .%.60s",
                        cel_type_name(of.type), node->name);
    const struct cel_value key = cel_text(CEL_STRING, node->name, strlen(node->name));
    return cel_find_key(ctx, node, &of.map, &key, found, out);
}

static bool eval_select(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    bool found;
    if (!select_key(ctx, node, &found, out))
        return false;
    return found || cel_fail(ctx, node, "no such key: %.60s", node->name);
}

static bool eval_has(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    struct cel_value ignored;
    bool found;
    if (!select_key(ctx, node, &found, &ignored))
        return false;
    *out = cel_bool(found);
    return true;
}

/* A list index may be any number without a fraction, as everywhere in CEL. */
static bool index_of(const struct cel_value *index, size_t count, size_t *out)
{
    const struct cel_value least = cel_int(0), end = cel_int((int64_t)count);
    if (cel_compare(index, &end) != CEL_LESS || cel_compare(index, &least) == CEL_LESS)
        return false;
    *out = index->type == CEL_DOUBLE ? (size_t)index->d : (size_t)index->u;
    return index->type != CEL_DOUBLE || (double)*out == index->d;
}

static bool index_list(struct cel_ctx *ctx, const struct cel_node *node,
                       const struct cel_list *list, const struct cel_value *index,
                       struct cel_value *out)
{
    size_t i;
    if (index->type != CEL_INT && index->type != CEL_UINT && index->type != CEL_DOUBLE)
        return cel_fail(ctx, node, "a list has no index of type %s", cel_type_name(index->type));
    if (!index_of(index, list->count, &i))
        return cel_fail(ctx, node, "index out of range: the list has %zu elements", list->count);
    *out = cel_list_at(list, i);
    return true;
}

static bool index_map(struct cel_ctx *ctx, const struct cel_node *node, const struct cel_map *map,
                      const struct cel_value *key, struct cel_value *out)
{
    bool found;
    if (key->type != CEL_STRING && key->type != CEL_INT && key->type != CEL_UINT &&
        key->type != CEL_BOOL && key->type != CEL_DOUBLE)
        return cel_fail(ctx, node, "a map has no key of type %s", cel_type_name(key->type));
    if (!cel_find_key(ctx, node, map, key, &found, out))
        return false;
    if (found)
        return true;
    if (key->type == CEL_STRING)
        return cel_fail(ctx, node, "no such key: %.*s",
                        (int)(key->text.len < 60 ? key->text.len : 60), key->text.data);
    return cel_fail(ctx, node, "no such key");
}

static bool eval_index(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    struct cel_value of, index;
    if (!cel_eval_node(ctx, node->args[0], &of) || !cel_eval_node(ctx, node->args[1], &index))
        return false;
    if (of.type == CEL_LIST)
        return index_list(ctx, node, &of.list, &index, out);
    if (of.type == CEL_MAP)
        return index_map(ctx, node, &of.map, &index, out);
    return cel_fail(ctx, node, "a value of type %s has no index", cel_type_name(of.type));
}

/* ---- aggregates and calls ------------------------------------------------------------------- */

/* The arguments, evaluated, in the arena. */
static struct cel_value *eval_args(struct cel_ctx *ctx, const struct cel_node *node)
{
    struct cel_value *args = cel_alloc(ctx, node, node->count, sizeof *args);
    for (size_t i = 0; args && i < node->count; i++)
        if (!cel_eval_node(ctx, node->args[i], &args[i]))
            return NULL;
    return args;
}

static bool eval_list(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    const struct cel_value *items = eval_args(ctx, node);
    *out = (struct cel_value){.type = CEL_LIST, .list = {.items = items, .count = node->count}};
    return items != NULL;
}

static bool is_key_type(enum cel_type type)
{
    return type == CEL_STRING || type == CEL_INT || type == CEL_UINT || type == CEL_BOOL;
}

static bool eval_map(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    struct cel_entry *entries = cel_alloc(ctx, node, node->count / 2, sizeof *entries);
    if (!entries)
        return false;
    *out = (struct cel_value){.type = CEL_MAP, .map = {.entries = entries}};
    for (size_t i = 0; i < node->count; i += 2) {
        struct cel_entry *e = &entries[i / 2];
        struct cel_value twin;
        bool found;
        if (!cel_eval_node(ctx, node->args[i], &e->key))
            return false;
        if (!is_key_type(e->key.type))
            return cel_fail(ctx, node->args[i], "a map has no key of type %s",
                            cel_type_name(e->key.type));
        if (!cel_find_key(ctx, node, &out->map, &e->key, &found, &twin))
            return false;
        if (found)
            return cel_fail(ctx, node->args[i], "the key is in the map twice");
        if (!cel_eval_node(ctx, node->args[i + 1], &e->value))
            return false;
        out->map.count++;
    }
    return true;
}

static bool eval_call(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    const struct cel_value *args = eval_args(ctx, node);
    return args && node->function->call(ctx, node, args, node->count, out);
}

/* ---- logic ---------------------------------------------------------------------------------- */

/* One side of && or ||: 1 true, 0 false, -1 an error (which the other side may yet decide). */
static int eval_side(struct cel_ctx *ctx, const struct cel_node *node, const struct cel_node *of)
{
    struct cel_value v;
    if (!cel_eval_node(ctx, node, &v))
        return -1;
    if (v.type == CEL_BOOL)
        return v.boolean;
    cel_fail(ctx, of, "'%s' takes bool, not %s", of->kind == N_AND ? "&&" : "||",
             cel_type_name(v.type));
    return -1;
}

/* Commutative: `false && error` and `error && false` are both false. */
static bool eval_logic(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    const int decides = node->kind == N_OR;
    const int left = eval_side(ctx, node->args[0], node);
    if (left < 0 && cel_is_fatal(ctx))
        return false;
    int right = decides;
    if (left != decides) {
        const struct err first = ctx->err;
        right = eval_side(ctx, node->args[1], node);
        if (right < 0 && cel_is_fatal(ctx))
            return false;
        if (left < 0 && right != decides) { /* the error that came first is the one to tell */
            ctx->err = first;
            return false;
        }
        if (right < 0)
            return false;
    }
    *out = cel_bool(decides ? left == 1 || right == 1 : left == 1 && right == 1);
    return true;
}

static bool eval_not(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    struct cel_value v;
    if (!cel_eval_node(ctx, node->args[0], &v))
        return false;
    if (v.type != CEL_BOOL)
        return cel_fail(ctx, node, "'!' takes bool, not %s", cel_type_name(v.type));
    *out = cel_bool(!v.boolean);
    return true;
}

static bool eval_choice(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    struct cel_value test;
    if (!cel_eval_node(ctx, node->args[0], &test))
        return false;
    if (test.type != CEL_BOOL)
        return cel_fail(ctx, node, "'?' takes bool, not %s", cel_type_name(test.type));
    return cel_eval_node(ctx, node->args[test.boolean ? 1 : 2], out);
}

static bool eval_default(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    if (cel_eval_node(ctx, node->args[0], out)) {
        if (out->type != CEL_NULL)
            return true;
    } else if (cel_is_fatal(ctx)) {
        return false;
    }
    return cel_eval_node(ctx, node->args[1], out);
}

static bool eval_negate(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    if (!cel_eval_node(ctx, node->args[0], out))
        return false;
    if (out->type == CEL_DOUBLE) {
        out->d = -out->d;
        return true;
    }
    if (out->type != CEL_INT)
        return cel_fail(ctx, node, "'-' takes int or double, not %s", cel_type_name(out->type));
    if (__builtin_sub_overflow(0, out->i, &out->i))
        return cel_fail(ctx, node, "integer overflow");
    return true;
}

static bool eval_binary(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    struct cel_value a, b;
    return cel_eval_node(ctx, node->args[0], &a) && cel_eval_node(ctx, node->args[1], &b) &&
           cel_eval_binary(ctx, node, &a, &b, out);
}

static bool eval_literal(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    (void)ctx;
    *out = node->value;
    return true;
}

typedef bool eval_fn(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out);

static eval_fn *const by_kind[] = {
    [N_LITERAL] = eval_literal, [N_NAME] = eval_name,     [N_SELECT] = eval_select,
    [N_HAS] = eval_has,         [N_INDEX] = eval_index,   [N_CALL] = eval_call,
    [N_LIST] = eval_list,       [N_MAP] = eval_map,       [N_NOT] = eval_not,
    [N_NEGATE] = eval_negate,   [N_AND] = eval_logic,     [N_OR] = eval_logic,
    [N_CHOICE] = eval_choice,   [N_BINARY] = eval_binary, [N_MACRO] = cel_eval_macro,
    [N_DEFAULT] = eval_default,
};

bool cel_eval_node(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out)
{
    return cel_steps(ctx, node, 1) && by_kind[node->kind](ctx, node, out);
}

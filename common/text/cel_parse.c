/* Recursive descent over the grammar of CEL. Operators of one level make a left-leaning chain,
 * whose height is limited, so that evaluation may recurse over the tree. */
#include "common/text/cel_internal.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

struct parser {
    struct cel_lexer *lexer;
    struct cel_token token; /* the next one */
    int nesting;
};

struct nodes {
    struct cel_node **items;
    size_t count, cap;
};

static void nodes_free(struct nodes *n)
{
    free(n->items);
}
#define cleanup_nodes __attribute__((cleanup(nodes_free)))

static struct cel_node *parse_expr(struct parser *p);

static struct cel_node *fail_at(struct parser *p, int line, int column, const char *what)
{
    cel_lex_fail(p->lexer, line, column, what);
    return NULL;
}

static struct cel_node *fail(struct parser *p, const char *what)
{
    return fail_at(p, p->token.line, p->token.column, what);
}

static int next(struct parser *p)
{
    return cel_lex(p->lexer, &p->token);
}

static bool at(const struct parser *p, const char *punct)
{
    return p->token.kind == T_PUNCT && strcmp(p->token.punct, punct) == 0;
}

/* Fails unless the next token is `punct`, and passes it. */
static int expect(struct parser *p, const char *punct)
{
    if (at(p, punct))
        return next(p);
    const char *const ends = p->token.kind == T_END ? "; the expression ends before" : "";
    return err_set(p->lexer->err, LEAT_EINPUT, "%d:%d: expected '%s'%s", p->token.line,
                   p->token.column, punct, ends);
}

static struct cel_node *node_at(struct parser *p, enum cel_node_kind kind, int line, int column)
{
    struct cel_node *n = arena_alloc(p->lexer->arena, sizeof *n);
    n->kind = kind;
    n->line = line;
    n->column = column;
    n->height = 1;
    return n;
}

/* Gives `n` its children. NULL when the tree becomes too high. */
static struct cel_node *with_args(struct parser *p, struct cel_node *n,
                                  struct cel_node *const *args, size_t count)
{
    n->args = arena_alloc(p->lexer->arena, count * sizeof(struct cel_node *));
    n->count = count;
    for (size_t i = 0; i < count; i++) {
        n->args[i] = args[i];
        if (args[i]->height >= n->height)
            n->height = args[i]->height + 1;
    }
    if (n->height <= CEL_HEIGHT_MAX)
        return n;
    err_set(p->lexer->err, LEAT_ELIMIT, "%d:%d: more than %d operators hang on one another",
            n->line, n->column, CEL_HEIGHT_MAX);
    return NULL;
}

static int enter(struct parser *p)
{
    if (++p->nesting <= CEL_NESTING_MAX)
        return 0;
    return err_set(p->lexer->err, LEAT_ELIMIT, "%d:%d: nested deeper than %d levels", p->token.line,
                   p->token.column, CEL_NESTING_MAX);
}

/* ---- literals, lists, maps ------------------------------------------------------------------ */

static struct cel_node *literal(struct parser *p, struct cel_value value)
{
    struct cel_node *n = node_at(p, N_LITERAL, p->token.line, p->token.column);
    n->value = value;
    return next(p) < 0 ? NULL : n;
}

/* A minus sign before the digits belongs to the number: the least int has no positive. */
static struct cel_node *parse_int(struct parser *p, bool negative)
{
    const uint64_t most = (uint64_t)INT64_MAX + negative;
    if (p->token.number > most)
        return fail(p, "the integer does not fit into 64 bits");
    const uint64_t v = negative ? 0 - p->token.number : p->token.number;
    return literal(p, cel_int((int64_t)v));
}

/* Elements up to `close`, a comma after the last one allowed. `pairs`: key ':' value. */
static int parse_elements(struct parser *p, const char *close, bool pairs, struct nodes *out)
{
    while (!at(p, close)) {
        for (int part = 0; part <= (int)pairs; part++) {
            if (part == 1 && expect(p, ":") < 0)
                return LEAT_EINPUT;
            struct cel_node *n = parse_expr(p);
            if (!n)
                return LEAT_EINPUT;
            MEM_ROOM(out->items, out->count, out->cap);
            out->items[out->count++] = n;
        }
        if (!at(p, ","))
            break;
        if (next(p) < 0)
            return LEAT_EINPUT;
    }
    return expect(p, close);
}

static struct cel_node *parse_aggregate(struct parser *p, bool map)
{
    cleanup_nodes struct nodes elements = {0};
    struct cel_node *n = node_at(p, map ? N_MAP : N_LIST, p->token.line, p->token.column);
    if (next(p) < 0 || parse_elements(p, map ? "}" : "]", map, &elements) < 0)
        return NULL;
    return with_args(p, n, elements.items, elements.count);
}

static struct cel_node *parse_parens(struct parser *p)
{
    if (next(p) < 0)
        return NULL;
    struct cel_node *n = parse_expr(p);
    return !n || expect(p, ")") < 0 ? NULL : n;
}

/* ---- calls and macros ----------------------------------------------------------------------- */

/* The pattern of matches() is compiled here when it is known, so that apply refuses a bad one. */
static struct cel_node *compile_pattern(struct parser *p, struct cel_node *call)
{
    const struct cel_node *pattern = call->args[1];
    if (call->function->call != cel_call_matches || pattern->kind != N_LITERAL ||
        pattern->value.type != CEL_STRING)
        return call;
    const char *why = NULL;
    call->regex =
        regex_compile(p->lexer->arena, pattern->value.text.data, pattern->value.text.len, &why);
    return call->regex ? call : fail_at(p, pattern->line, pattern->column, why);
}

static struct cel_node *unknown_function(struct parser *p, const struct cel_node *at_node,
                                         const char *name, bool member, bool known)
{
    char what[200];
    const char *nearest = known ? NULL : cel_function_nearest(name);
    if (known)
        snprintf(what, sizeof what,
                 member ? "write %.60s(x), not x.%.60s()" : "write x.%.60s(), not %.60s(x)", name,
                 name);
    else
        snprintf(what, sizeof what, "there is no function %.60s()%s%s%s", name,
                 nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "()?" : "");
    return fail_at(p, at_node->line, at_node->column, what);
}

static struct cel_node *make_call(struct parser *p, struct cel_node *n, const char *name,
                                  bool member, const struct nodes *args)
{
    bool known = false;
    n->kind = N_CALL;
    n->name = name;
    n->function = cel_function_find(name, member, &known);
    if (!n->function)
        return unknown_function(p, n, name, member, known);
    if (args->count < n->function->least || args->count > n->function->most) {
        char what[100];
        snprintf(what, sizeof what, "%.60s() has the wrong number of arguments", name);
        return fail_at(p, n->line, n->column, what);
    }
    n = with_args(p, n, args->items, args->count);
    return n && args->count > 1 ? compile_pattern(p, n) : n;
}

static struct cel_node *make_has(struct parser *p, struct cel_node *n, const struct nodes *args)
{
    if (args->count != 1 || args->items[0]->kind != N_SELECT)
        return fail_at(p, n->line, n->column, "has() takes one selection, like has(event.data.x)");
    n->kind = N_HAS;
    n->name = args->items[0]->name;
    return with_args(p, n, args->items[0]->args, 1);
}

static struct cel_node *make_default(struct parser *p, struct cel_node *n, const struct nodes *args)
{
    if (args->count != 2)
        return fail_at(p, n->line, n->column, "default() takes two arguments");
    n->kind = N_DEFAULT;
    return with_args(p, n, args->items, 2);
}

/* x.all(name, test) and its kin; map() may have a test before what it makes. */
static struct cel_node *make_macro(struct parser *p, struct cel_node *n, const struct nodes *args)
{
    const bool filtered_map = n->macro == M_MAP && args->count == 4;
    if (args->count != 3 && !filtered_map)
        return fail_at(p, n->line, n->column, "the macro takes a name and an expression");
    const struct cel_node *name = args->items[1];
    if (name->kind != N_NAME)
        return fail_at(p, name->line, name->column,
                       "the first argument of a macro is a plain name");
    struct cel_node *const body[] = {args->items[0], args->items[2],
                                     filtered_map ? args->items[3] : NULL};
    n->kind = N_MACRO;
    n->name = name->name;
    return with_args(p, n, body, filtered_map ? 3 : 2);
}

/* At "(": the arguments, with `receiver` (or NULL) as the first one. */
static struct cel_node *parse_call(struct parser *p, struct cel_node *receiver,
                                   const struct cel_token *name)
{
    cleanup_nodes struct nodes args = {0};
    struct cel_node *n = node_at(p, N_CALL, name->line, name->column);
    if (receiver) {
        MEM_ROOM(args.items, args.count, args.cap);
        args.items[args.count++] = receiver;
    }
    if (next(p) < 0 || parse_elements(p, ")", false, &args) < 0)
        return NULL;
    if (receiver && cel_macro_find(name->text.data, &n->macro))
        return make_macro(p, n, &args);
    if (!receiver && strcmp(name->text.data, "has") == 0)
        return make_has(p, n, &args);
    if (!receiver && strcmp(name->text.data, "default") == 0)
        return make_default(p, n, &args);
    return make_call(p, n, name->text.data, receiver != NULL, &args);
}

/* ---- names, members ------------------------------------------------------------------------- */

static struct cel_node *parse_name(struct parser *p)
{
    const struct cel_token name = p->token;
    if (name.reserved)
        return fail(p, "a word that is reserved; reach a key of that name as x.key or x[\"key\"]");
    if (next(p) < 0)
        return NULL;
    if (at(p, "("))
        return parse_call(p, NULL, &name);
    struct cel_node *n = node_at(p, N_NAME, name.line, name.column);
    n->name = name.text.data;
    return n;
}

static struct cel_node *parse_primary(struct parser *p, bool negative)
{
    const struct cel_token *t = &p->token;
    switch (t->kind) {
    case T_INT:
        return parse_int(p, negative);
    case T_DOUBLE:
        return literal(p,
                       (struct cel_value){.type = CEL_DOUBLE, .d = negative ? -t->real : t->real});
    case T_UINT:
        return literal(p, (struct cel_value){.type = CEL_UINT, .u = t->number});
    case T_STRING:
        return literal(p, cel_text(CEL_STRING, t->text.data, t->text.len));
    case T_BYTES:
        return literal(p, cel_text(CEL_BYTES, t->text.data, t->text.len));
    case T_TRUE:
    case T_FALSE:
        return literal(p, cel_bool(t->kind == T_TRUE));
    case T_NULL:
        return literal(p, (struct cel_value){.type = CEL_NULL});
    case T_NAME:
        return parse_name(p);
    case T_PUNCT:
        if (at(p, "("))
            return parse_parens(p);
        if (at(p, "[") || at(p, "{"))
            return parse_aggregate(p, at(p, "{"));
        if (at(p, ".")) /* the root scope, which is the only one */
            return next(p) < 0               ? NULL
                   : p->token.kind == T_NAME ? parse_name(p)
                                             : fail(p, "expected a name");
        return fail(p, "expected a value");
    case T_END:
        return fail(p, "the expression ends where a value is expected");
    default:
        return fail(p, "expected a value");
    }
}

/* The two types that CEL names by a path. */
static struct cel_node *path_type(struct cel_node *n)
{
    static const char prefix[] = "google.protobuf.";
    const struct cel_node *package = n->args[0];
    if (package->kind != N_SELECT || strcmp(package->name, "protobuf") != 0 ||
        package->args[0]->kind != N_NAME || strcmp(package->args[0]->name, "google") != 0)
        return n;
    for (enum cel_type t = CEL_TIMESTAMP; t <= CEL_DURATION; t++) {
        if (strcmp(cel_type_name(t) + sizeof prefix - 1, n->name) == 0) {
            n->kind = N_LITERAL;
            n->value = (struct cel_value){.type = CEL_TYPE, .type_name = t};
            n->count = 0;
        }
    }
    return n;
}

static struct cel_node *parse_member(struct parser *p, struct cel_node *of)
{
    const struct cel_token dot = p->token;
    if (next(p) < 0)
        return NULL;
    const struct cel_token name = p->token;
    if (name.kind != T_NAME && name.kind != T_QUOTED_NAME)
        return fail(p, "expected a name after the dot");
    if (next(p) < 0)
        return NULL;
    if (at(p, "(") && name.kind == T_NAME)
        return parse_call(p, of, &name);
    struct cel_node *n = node_at(p, N_SELECT, dot.line, dot.column);
    n->name = name.text.data;
    n = with_args(p, n, &of, 1);
    return n ? path_type(n) : NULL;
}

static struct cel_node *parse_index(struct parser *p, struct cel_node *of)
{
    struct cel_node *n = node_at(p, N_INDEX, p->token.line, p->token.column);
    if (next(p) < 0)
        return NULL;
    struct cel_node *index = parse_expr(p);
    if (!index || expect(p, "]") < 0)
        return NULL;
    return with_args(p, n, (struct cel_node *[]){of, index}, 2);
}

static struct cel_node *parse_members(struct parser *p, bool negative)
{
    struct cel_node *n = parse_primary(p, negative);
    while (n && (at(p, ".") || at(p, "[")))
        n = at(p, ".") ? parse_member(p, n) : parse_index(p, n);
    return n;
}

static struct cel_node *parse_unary(struct parser *p)
{
    const bool negate = at(p, "-");
    if (!negate && !at(p, "!"))
        return parse_members(p, false);
    struct cel_node *n = node_at(p, negate ? N_NEGATE : N_NOT, p->token.line, p->token.column);
    if (next(p) < 0)
        return NULL;
    if (negate && (p->token.kind == T_INT || p->token.kind == T_DOUBLE))
        return parse_members(p, true);
    if (enter(p) < 0)
        return NULL;
    struct cel_node *operand = parse_unary(p);
    p->nesting--;
    return operand ? with_args(p, n, &operand, 1) : NULL;
}

/* ---- operators ------------------------------------------------------------------------------ */

enum { LEVEL_OR, LEVEL_AND, LEVEL_RELATION, LEVEL_SUM, LEVEL_PRODUCT, LEVELS };

static const struct cel_operator {
    const char *punct;
    int level;
    enum cel_node_kind kind;
    enum cel_binary binary;
} operators[] = {
    {"||", LEVEL_OR, N_OR, 0},
    {"&&", LEVEL_AND, N_AND, 0},
    {"==", LEVEL_RELATION, N_BINARY, B_EQ},
    {"!=", LEVEL_RELATION, N_BINARY, B_NE},
    {"<=", LEVEL_RELATION, N_BINARY, B_LE},
    {">=", LEVEL_RELATION, N_BINARY, B_GE},
    {"<", LEVEL_RELATION, N_BINARY, B_LT},
    {">", LEVEL_RELATION, N_BINARY, B_GT},
    {"in", LEVEL_RELATION, N_BINARY, B_IN},
    {"+", LEVEL_SUM, N_BINARY, B_ADD},
    {"-", LEVEL_SUM, N_BINARY, B_SUB},
    {"*", LEVEL_PRODUCT, N_BINARY, B_MUL},
    {"/", LEVEL_PRODUCT, N_BINARY, B_DIV},
    {"%", LEVEL_PRODUCT, N_BINARY, B_MOD},
};

static const struct cel_operator *operator_at(const struct parser *p, int level)
{
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        const bool here = p->token.kind == T_IN ? strcmp(operators[i].punct, "in") == 0
                                                : at(p, operators[i].punct);
        if (here && operators[i].level == level)
            return &operators[i];
    }
    return NULL;
}

static struct cel_node *parse_level(struct parser *p, int level)
{
    if (level == LEVELS)
        return parse_unary(p);
    struct cel_node *left = parse_level(p, level + 1);
    const struct cel_operator *op;
    while (left && (op = operator_at(p, level)) != NULL) {
        struct cel_node *n = node_at(p, op->kind, p->token.line, p->token.column);
        n->binary = op->binary;
        if (next(p) < 0)
            return NULL;
        struct cel_node *right = parse_level(p, level + 1);
        if (!right)
            return NULL;
        left = with_args(p, n, (struct cel_node *[]){left, right}, 2);
    }
    return left;
}

static struct cel_node *parse_choice(struct parser *p)
{
    struct cel_node *test = parse_level(p, LEVEL_OR);
    if (!test || !at(p, "?"))
        return test;
    struct cel_node *n = node_at(p, N_CHOICE, p->token.line, p->token.column);
    if (next(p) < 0)
        return NULL;
    struct cel_node *yes = parse_level(p, LEVEL_OR);
    if (!yes || expect(p, ":") < 0)
        return NULL;
    struct cel_node *no = parse_expr(p);
    return no ? with_args(p, n, (struct cel_node *[]){test, yes, no}, 3) : NULL;
}

static struct cel_node *parse_expr(struct parser *p)
{
    if (enter(p) < 0)
        return NULL;
    struct cel_node *n = parse_choice(p);
    p->nesting--;
    return n;
}

struct cel_node *cel_parse(struct cel_lexer *lexer)
{
    struct parser p = {.lexer = lexer, .nesting = -1}; /* the whole is no level */
    if (next(&p) < 0)
        return NULL;
    struct cel_node *root = parse_expr(&p);
    if (root && p.token.kind != T_END)
        return fail(&p, "expected an operator or the end");
    return root;
}

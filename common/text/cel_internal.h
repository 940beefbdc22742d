/* common/text/cel_internal.h: what cel*.c share among themselves: tokens, the tree, values. */
#pragma once
#include "common/base/arena.h"
#include "common/text/cel.h"
#include "common/text/regex.h"
#include "common/text/zone.h"

/* ---- values --------------------------------------------------------------------------------- */

struct cel_value;
struct cel_entry;

struct cel_bytes {
    const char *data;
    size_t len;
};

/* Borrowed from JSON (json set) or built in the arena of the evaluation. */
struct cel_list {
    const json_t *json;
    const struct cel_value *items;
    size_t count;
};
struct cel_map {
    const json_t *json;
    const struct cel_entry *entries;
    size_t count;
};

struct cel_time {
    int64_t s; /* since 1970 UTC */
    int32_t ns;
};

struct cel_value {
    enum cel_type type;
    union {
        bool boolean;
        int64_t i;
        uint64_t u;
        double d;
        struct cel_bytes text; /* CEL_STRING (UTF-8), CEL_BYTES */
        struct cel_list list;
        struct cel_map map;
        struct cel_time time;
        int64_t duration_ns;
        enum cel_type type_name; /* CEL_TYPE */
    };
};

struct cel_entry {
    struct cel_value key, value;
};

/* ---- tokens --------------------------------------------------------------------------------- */

enum cel_token_kind {
    T_END,
    T_NAME,
    T_QUOTED_NAME, /* `a-b`, only after a dot */
    T_INT,
    T_UINT,
    T_DOUBLE,
    T_STRING,
    T_BYTES,
    T_TRUE,
    T_FALSE,
    T_NULL,
    T_IN,
    T_PUNCT, /* `punct` */
};

struct cel_token {
    enum cel_token_kind kind;
    char punct[3];
    int line, column;
    struct cel_bytes text; /* names (NUL-terminated in the arena), strings, bytes */
    uint64_t number;       /* T_INT, T_UINT */
    double real;
    bool reserved; /* a name that may only stand after a dot */
};

struct cel_lexer {
    struct arena *arena;
    const char *p, *end;
    int line, column;
    struct err *err;
};

/* The next token; LEAT_EINPUT with its place. */
int cel_lex(struct cel_lexer *lexer, struct cel_token *out);
/* Reads a string or bytes literal at lexer->p (prefix included). */
int cel_lex_string(struct cel_lexer *lexer, struct cel_token *out);
int cel_lex_fail(struct cel_lexer *lexer, int line, int column, const char *what);
void cel_lex_advance(struct cel_lexer *lexer, size_t bytes);

/* ---- the tree ------------------------------------------------------------------------------- */

struct cel_ctx;
struct cel_node;

enum cel_node_kind {
    N_LITERAL, /* value */
    N_NAME,    /* name */
    N_SELECT,  /* args[0].name */
    N_HAS,     /* has(args[0].name) */
    N_INDEX,   /* args[0][args[1]] */
    N_CALL,    /* function(args…), a receiver first */
    N_LIST,    /* args */
    N_MAP,     /* args: key, value, key, value … */
    N_NOT,
    N_NEGATE,
    N_AND,
    N_OR,
    N_CHOICE, /* args[0] ? args[1] : args[2] */
    N_BINARY, /* args[0] op args[1] */
    N_MACRO,  /* args[0].macro(name, args[1][, args[2]]) */
    N_DEFAULT,
};

enum cel_binary { B_EQ, B_NE, B_LT, B_LE, B_GT, B_GE, B_IN, B_ADD, B_SUB, B_MUL, B_DIV, B_MOD };
enum cel_macro { M_ALL, M_EXISTS, M_EXISTS_ONE, M_MAP, M_FILTER };

/* A function sees its arguments evaluated. False: the error is set in ctx. */
typedef bool cel_call(struct cel_ctx *ctx, const struct cel_node *at, const struct cel_value *args,
                      size_t count, struct cel_value *out);

struct cel_function {
    const char *name;
    bool global, member;   /* f(x), x.f() */
    uint8_t least, most;   /* arguments, receiver included */
    unsigned takes, gives; /* types of the first argument and of what comes out, as bits */
    cel_call *call;
};

struct cel_node {
    enum cel_node_kind kind;
    int line, column, height;
    struct cel_value value;
    const char *name;
    enum cel_binary binary;
    enum cel_macro macro;
    const struct cel_function *function;
    const struct regex *regex; /* of matches() with a literal pattern */
    struct cel_node **args;
    size_t count;
};

struct cel {
    struct arena *arena;
    const struct cel_node *root;
    const struct cel_reference *references;
    size_t reference_count;
};

/* NULL with the error set. */
struct cel_node *cel_parse(struct cel_lexer *lexer);
void cel_collect_references(struct cel *cel);

/* Names that macros around a node have bound, the innermost first. */
struct cel_bound {
    const char *name;
    const struct cel_bound *outer;
};
bool cel_is_bound(const struct cel_bound *bound, const char *name);
/* The variable at the bottom of a path of *count names, NULL when it does not begin with one. */
const struct cel_node *cel_path_root(const struct cel_node *n, const struct cel_bound *bound,
                                     size_t *count);
const char *cel_symbol(enum cel_binary op); /* "<=" */

/* By name and way of calling. NULL when there is none (then *known tells whether the name is). */
const struct cel_function *cel_function_find(const char *name, bool member, bool *known);
/* True for all, exists, exists_one, map, filter. */
bool cel_macro_find(const char *name, enum cel_macro *out);
const char *cel_function_nearest(const char *name);
/* int, string, list, … as names in an expression. */
bool cel_type_find(const char *name, enum cel_type *out);

/* ---- evaluation ----------------------------------------------------------------------------- */

struct cel_scope {
    const char *name;
    struct cel_value value;
    const struct cel_scope *outer;
};

struct cel_ctx {
    struct arena *arena;
    const struct cel_vars *vars;
    const struct cel_scope *scope;
    uint64_t steps_left;
    size_t memory_left;
    struct err err;
    char zone_name[ZONE_NAME_MAX + 1]; /* the one loaded last */
    struct zone *zone;
};

bool cel_eval_node(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out);
bool cel_eval_binary(struct cel_ctx *ctx, const struct cel_node *node, const struct cel_value *a,
                     const struct cel_value *b, struct cel_value *out);
bool cel_eval_macro(struct cel_ctx *ctx, const struct cel_node *node, struct cel_value *out);
bool cel_find_key(struct cel_ctx *ctx, const struct cel_node *at, const struct cel_map *map,
                  const struct cel_value *key, bool *found, struct cel_value *out);

/* Sets "LINE:COLUMN: what"; false, for `return cel_fail(…)`. */
bool cel_fail(struct cel_ctx *ctx, const struct cel_node *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool cel_limit(struct cel_ctx *ctx, const struct cel_node *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* True when the error that is set may not be hidden by default(), && and ||. */
bool cel_is_fatal(const struct cel_ctx *ctx);
/* Takes steps off the budget; a kibibyte looked at is one. */
bool cel_steps(struct cel_ctx *ctx, const struct cel_node *at, size_t steps);
#define CEL_BYTES_PER_STEP 1024
/* Memory of the evaluation, zeroed; NULL with the error set when the budget is used up. */
void *cel_alloc(struct cel_ctx *ctx, const struct cel_node *at, size_t count, size_t size);
/* Takes `bytes` off that budget without giving any. */
bool cel_memory(struct cel_ctx *ctx, const struct cel_node *at, size_t bytes);

struct cel_value cel_from_json(const json_t *json); /* borrowed */
json_t *cel_to_json(struct cel_ctx *ctx, const struct cel_node *at, const struct cel_value *v);
struct cel_value cel_list_at(const struct cel_list *list, size_t index);
bool cel_equal(struct cel_ctx *ctx, const struct cel_node *at, const struct cel_value *a,
               const struct cel_value *b, bool *equal);
enum cel_order { CEL_LESS, CEL_SAME, CEL_GREATER, CEL_UNORDERED, CEL_INCOMPARABLE };
enum cel_order cel_compare(const struct cel_value *a, const struct cel_value *b);

static inline struct cel_value cel_bool(bool v)
{
    return (struct cel_value){.type = CEL_BOOL, .boolean = v};
}
static inline struct cel_value cel_int(int64_t v)
{
    return (struct cel_value){.type = CEL_INT, .i = v};
}
static inline struct cel_value cel_text(enum cel_type type, const char *data, size_t len)
{
    return (struct cel_value){.type = type, .text = {data, len}};
}

/* ---- text and time forms -------------------------------------------------------------------- */

#define CEL_TIME_TEXT 40
void cel_double_text(double v, char out[CEL_TIME_TEXT]);
void cel_duration_text(int64_t ns, char out[CEL_TIME_TEXT]);
void cel_timestamp_text(struct cel_time t, char out[CEL_TIME_TEXT]);
bool cel_duration_parse(struct cel_bytes text, int64_t *ns);
bool cel_timestamp_parse(struct cel_bytes text, struct cel_time *out);
bool cel_time_in_range(struct cel_time t);
/* a + sign * ns */
bool cel_time_add(struct cel_time a, int64_t ns, int sign, struct cel_time *out);
bool cel_time_diff(struct cel_time a, struct cel_time b, int64_t *ns);

/* Functions, by file. */
#define CEL_CALL(name)                                                                             \
    bool name(struct cel_ctx *ctx, const struct cel_node *at, const struct cel_value *args,        \
              size_t count, struct cel_value *out)
CEL_CALL(cel_call_int);
CEL_CALL(cel_call_uint);
CEL_CALL(cel_call_double);
CEL_CALL(cel_call_string);
CEL_CALL(cel_call_bool);
CEL_CALL(cel_call_bytes);
CEL_CALL(cel_call_timestamp);
CEL_CALL(cel_call_duration);
CEL_CALL(cel_call_type);
CEL_CALL(cel_call_dyn);
CEL_CALL(cel_call_size);
CEL_CALL(cel_call_contains);
CEL_CALL(cel_call_starts_with);
CEL_CALL(cel_call_ends_with);
CEL_CALL(cel_call_matches);
CEL_CALL(cel_call_lower_ascii);
CEL_CALL(cel_call_upper_ascii);
CEL_CALL(cel_call_split);
CEL_CALL(cel_call_join);
CEL_CALL(cel_call_replace);
CEL_CALL(cel_call_trim);
CEL_CALL(cel_call_substring);
CEL_CALL(cel_call_char_at);
CEL_CALL(cel_call_index_of);
CEL_CALL(cel_call_last_index_of);
CEL_CALL(cel_call_time_part);
/* The error of a function that does not take arguments of these types. */
bool cel_no_overload(struct cel_ctx *ctx, const struct cel_node *at, const struct cel_value *args,
                     size_t count);

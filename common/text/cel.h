/* common/text/cel.h: expressions in CEL (Common Expression Language), the subset without protobuf.
 * docs/expressions.md is the user's page. Compile once, evaluate often; a compiled expression is
 * constant and may be shared by threads. Pure, but for the zone file that a getHours("Europe/Rome")
 * reads. Every error says "LINE:COLUMN: what". */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/text.h"

#define CEL_SOURCE_MAX    (16 * 1024)       /* bytes of one expression */
#define CEL_NESTING_MAX   64                /* brackets and calls inside one another */
#define CEL_HEIGHT_MAX    256               /* operators in one chain, a + b + c … */
#define CEL_STEPS_DEFAULT 100000            /* of one evaluation */
#define CEL_MEMORY_MAX    (8 * 1024 * 1024) /* bytes that one evaluation may make */

enum cel_type {
    CEL_NULL,
    CEL_BOOL,
    CEL_INT,
    CEL_UINT,
    CEL_DOUBLE,
    CEL_STRING,
    CEL_BYTES,
    CEL_LIST,
    CEL_MAP,
    CEL_TIMESTAMP,
    CEL_DURATION,
    CEL_TYPE,
};

struct cel; /* a compiled expression */

/* The whole of `source`. NULL with LEAT_EINPUT or LEAT_ELIMIT. */
struct cel *cel_compile(const char *source, struct err *err);
/* `len` bytes that begin at `line`:`column` (from 1) of a larger text, which errors then name. */
struct cel *cel_compile_part(const char *source, size_t len, int line, int column, struct err *err);
void cel_free(struct cel *cel);
static inline void cel_cleanup(struct cel **cel)
{
    cel_free(*cel);
}
#define cleanup_cel __attribute__((cleanup(cel_cleanup)))

/* What the expression can see. Names and values are borrowed for the call. JSON integers are int,
 * other numbers double; a name that is not here is an error of evaluation. */
struct cel_var {
    const char *name;
    json_t *value; /* NULL: as if the name were not here */
};
struct cel_vars {
    const struct cel_var *items;
    size_t count;
    uint32_t steps; /* 0 = CEL_STEPS_DEFAULT */
};

/* A result, self-contained. As JSON: bytes in base64, durations "1.5s", timestamps RFC 3339 in
 * UTC, types by name, map keys as strings; an uint over int64, NaN and infinities as strings. */
struct cel_result {
    enum cel_type type;
    json_t *json; /* a new reference, the caller's */
};

/* `vars` NULL = none. LEAT_EINPUT: the expression fails on these values; LEAT_ELIMIT: it takes
 * too many steps or too much memory (default(), && and || do not hide that one). */
int cel_eval(const struct cel *cel, const struct cel_vars *vars, struct cel_result *out,
             struct err *err);
/* cel_eval for conditions: anything but a bool is LEAT_EINPUT. */
int cel_eval_bool(const struct cel *cel, const struct cel_vars *vars, bool *out, struct err *err);
/* cel_eval for callers that want the JSON alone; NULL on error. */
json_t *cel_eval_json(const struct cel *cel, const struct cel_vars *vars, struct err *err);

/* One static path from a variable: steps.sgd.outputs["rmse"] is {"steps","sgd","outputs","rmse"}.
 * It ends before the first index that is not a string literal and before a call. Names bound by
 * macros and names of types are not variables. `names` live as long as the compiled expression. */
struct cel_reference {
    const char *const *names;
    size_t count; /* >= 1 */
    int line, column;
};
typedef void cel_reference_fn(void *user, const struct cel_reference *ref);
/* Calls `each` for every path in order of the text; the same path may come twice. */
void cel_references(const struct cel *cel, cel_reference_fn *each, void *user);

/* Types as bits, 1U << enum cel_type. */
#define CEL_ANY ((2U << CEL_TYPE) - 1)
/* What the values of a reference may be; CEL_ANY where that is not known. */
typedef unsigned cel_types_of(void *user, const struct cel_reference *ref);
/* What the expression may come to, judged without values: 0 with LEAT_EINPUT when an operator, a
 * function or an index in it gets what it never takes, wherever in the expression that is (also
 * where evaluation might not come to it, or default() would hide it). */
unsigned cel_types(const struct cel *cel, cel_types_of *of, void *user, struct err *err);
void cel_types_text(unsigned types, struct text *out); /* appends "int or double" */

const char *cel_type_name(enum cel_type type); /* "null_type", "int", "google.protobuf.Duration" */
/* Names of all functions and macros, in the order of docs/expressions.md; NULL past the last. */
const char *cel_function_name(size_t index);

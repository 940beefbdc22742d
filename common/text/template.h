/* common/text/template.h: text with ${{ expression }} in it.
 * Single-pass: what an expression gives is inserted and never read again. `$${{` stands for a
 * literal `${{`. Compile once, evaluate often; constant after compiling. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include "common/base/err.h"
#include "common/text/cel.h"

#define TEMPLATE_SOURCE_MAX (64 * 1024)
#define TEMPLATE_PARTS_MAX  256         /* expressions in one text */
#define TEMPLATE_RESULT_MAX (64 * 1024) /* bytes of the text that comes out */

struct template;

/* NULL with LEAT_EINPUT or LEAT_ELIMIT and "LINE:COLUMN: what"; an unterminated ${{ is named by
 * where it begins. */
struct template *template_compile(const char *source, struct err *err);
void template_free(struct template *t);
static inline void template_cleanup(struct template **t)
{
    template_free(*t);
}
#define cleanup_template __attribute__((cleanup(template_cleanup)))

bool template_is_literal(const struct template *t);    /* no expression in it */
bool template_is_expression(const struct template *t); /* one ${{ }} and nothing around it */

/* The text, malloc'd. Strings go in as they are, ints and bools as in JSON, doubles in the shortest
 * form ("2" for 2.0), lists and maps as compact JSON, timestamps and durations as CEL's string(),
 * bytes in base64.
 * A null is LEAT_EINPUT (write default(x, "")), over TEMPLATE_RESULT_MAX is LEAT_ELIMIT, the rest
 * as cel_eval. NULL on error. */
char *template_eval(const struct template *t, const struct cel_vars *vars, struct err *err);
/* The typed value when template_is_expression (null allowed), a JSON string otherwise. The limit
 * holds for its canonical text. New reference; NULL on error. */
json_t *template_eval_json(const struct template *t, const struct cel_vars *vars, struct err *err);

/* The value of a template_is_expression, of any size: its caller holds it to a limit of its own. */
json_t *template_eval_value(const struct template *t, const struct cel_vars *vars, struct err *err);

/* As cel_references, over all expressions of the template. */
void template_references(const struct template *t, cel_reference_fn *each, void *user);
/* Of a template_is_expression: what its value may be, as cel_types. */
unsigned template_types(const struct template *t, cel_types_of *of, void *user, struct err *err);
/* False with LEAT_EINPUT when an expression of it fails whatever the values are; as cel_types. */
bool template_types_fit(const struct template *t, cel_types_of *of, void *user, struct err *err);

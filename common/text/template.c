#include "common/text/template.h"

#include <string.h>

#include "common/base/arena.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/cel_internal.h"
#include "common/text/json.h"
#include "common/text/utf8.h"

struct part {
    struct cel_bytes literal; /* where there is no expression */
    struct cel *cel;
    int line, column;
};

struct template
{
    struct arena *arena;
    struct part *parts;
    size_t count, cap;
    size_t expressions;
};

/* ---- compiling ------------------------------------------------------------------------------ */

static bool looking_at(const struct cel_lexer *l, const char *text)
{
    const size_t n = strlen(text);
    return (size_t)(l->end - l->p) >= n && memcmp(l->p, text, n) == 0;
}

static struct part *add_part(struct template *t, int line, int column)
{
    MEM_ROOM(t->parts, t->count, t->cap);
    t->parts[t->count] = (struct part){.line = line, .column = column};
    return &t->parts[t->count++];
}

/* Text up to the next ${{, with $${{ made ${{. */
static void take_literal(struct template *t, struct cel_lexer *l)
{
    cleanup_text struct text out = {0};
    const int line = l->line, column = l->column;
    while (l->p < l->end && !looking_at(l, "${{")) {
        const bool escaped = looking_at(l, "$${{");
        if (escaped)
            text_puts(&out, "${{");
        else
            text_append(&out, l->p, 1);
        cel_lex_advance(l, escaped ? 4 : 1);
    }
    if (out.len > 0)
        add_part(t, line, column)->literal =
            (struct cel_bytes){arena_bytes(t->arena, out.data, out.len), out.len};
}

/* Moves `l` past the }} that closes the expression at l->p: the first one that is neither within a
 * text nor closes a map. NULL with the error set, otherwise where the expression ends. */
static const char *find_close(struct cel_lexer *l, const struct part *begin)
{
    size_t depth = 0;
    struct cel_token token;
    for (;;) {
        if (cel_lex(l, &token) < 0)
            return NULL;
        if (token.kind == T_END) {
            cel_lex_fail(l, begin->line, begin->column, "this ${{ has no }} that closes it");
            return NULL;
        }
        if (token.kind != T_PUNCT)
            continue;
        if (token.punct[0] == '{')
            depth++;
        if (token.punct[0] != '}')
            continue;
        if (depth == 0 && looking_at(l, "}")) {
            cel_lex_advance(l, 1);
            return l->p - 2;
        }
        if (depth == 0) {
            cel_lex_fail(l, token.line, token.column, "a single } closes nothing here; write }}");
            return NULL;
        }
        depth--;
    }
}

static int take_expression(struct template *t, struct cel_lexer *l)
{
    struct part *part = add_part(t, l->line, l->column);
    if (++t->expressions > TEMPLATE_PARTS_MAX)
        return err_set(l->err, LEAT_ELIMIT, "%d:%d: more than %d expressions in one text",
                       part->line, part->column, TEMPLATE_PARTS_MAX);
    cel_lex_advance(l, 3);
    const char *begin = l->p;
    const int line = l->line, column = l->column;
    const char *end = find_close(l, part);
    if (!end)
        return LEAT_EINPUT;
    part->cel = cel_compile_part(begin, (size_t)(end - begin), line, column, l->err);
    return part->cel ? 0 : LEAT_EINPUT;
}

static int check_source(const char *source, size_t len, struct err *err)
{
    if (len > TEMPLATE_SOURCE_MAX)
        return err_set(err, LEAT_ELIMIT, "1:1: a text with expressions has at most %d bytes",
                       TEMPLATE_SOURCE_MAX);
    if (!utf8_valid(source, len))
        return err_set(err, LEAT_EINPUT, "1:1: not UTF-8 text");
    return 0;
}

struct template *template_compile(const char *source, struct err *err)
{
    const size_t len = strlen(source);
    if (check_source(source, len, err) < 0)
        return NULL;
    cleanup_template struct template *t = mem_alloc(sizeof *t);
    t->arena = arena_new();
    struct cel_lexer l = {
        .arena = t->arena, .p = source, .end = source + len, .line = 1, .column = 1, .err = err};
    while (l.p < l.end) {
        take_literal(t, &l);
        if (l.p < l.end && take_expression(t, &l) < 0)
            return NULL;
    }
    return TAKE(t);
}

void template_free(struct template *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        cel_free(t->parts[i].cel);
    free(t->parts);
    arena_free(t->arena);
    free(t);
}

bool template_is_literal(const struct template *t)
{
    return t->expressions == 0;
}

bool template_is_expression(const struct template *t)
{
    return t->count == 1 && t->expressions == 1;
}

void template_references(const struct template *t, cel_reference_fn *each, void *user)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->parts[i].cel)
            cel_references(t->parts[i].cel, each, user);
}

unsigned template_types(const struct template *t, cel_types_of *of, void *user, struct err *err)
{
    return cel_types(t->parts[0].cel, of, user, err);
}

bool template_types_fit(const struct template *t, cel_types_of *of, void *user, struct err *err)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->parts[i].cel && !cel_types(t->parts[i].cel, of, user, err))
            return false;
    return true;
}

/* ---- evaluating ----------------------------------------------------------------------------- */

static int append_value(struct text *out, const struct part *part, const json_t *v, struct err *err)
{
    char number[CEL_TIME_TEXT];
    switch (json_typeof(v)) {
    case JSON_NULL:
        return err_set(err, LEAT_EINPUT,
                       "%d:%d: the value is null; write default(x, \"\") for an empty text",
                       part->line, part->column);
    case JSON_STRING:
        text_append(out, json_string_value(v), json_string_length(v));
        return 0;
    case JSON_REAL:
        cel_double_text(json_real_value(v), number);
        text_puts(out, number);
        return 0;
    default:
        json_append(out, v);
        return 0;
    }
}

static int append_part(struct text *out, const struct part *part, const struct cel_vars *vars,
                       struct err *err)
{
    if (!part->cel) {
        text_append(out, part->literal.data, part->literal.len);
        return 0;
    }
    struct cel_result result;
    int rc = cel_eval(part->cel, vars, &result, err);
    if (rc < 0)
        return rc;
    rc = append_value(out, part, result.json, err);
    json_decref(result.json);
    return rc;
}

static int check_length(size_t len, const struct part *part, struct err *err)
{
    if (len <= TEMPLATE_RESULT_MAX)
        return 0;
    return err_set(err, LEAT_ELIMIT, "%d:%d: the text becomes longer than %d bytes", part->line,
                   part->column, TEMPLATE_RESULT_MAX);
}

char *template_eval(const struct template *t, const struct cel_vars *vars, struct err *err)
{
    cleanup_text struct text out = {0};
    for (size_t i = 0; i < t->count; i++)
        if (append_part(&out, &t->parts[i], vars, err) < 0 ||
            check_length(out.len, &t->parts[i], err) < 0)
            return NULL;
    return text_take(&out);
}

json_t *template_eval_value(const struct template *t, const struct cel_vars *vars, struct err *err)
{
    return cel_eval_json(t->parts[0].cel, vars, err);
}

json_t *template_eval_json(const struct template *t, const struct cel_vars *vars, struct err *err)
{
    if (!template_is_expression(t)) {
        cleanup_free char *text = template_eval(t, vars, err);
        return text ? json_string(text) : NULL;
    }
    cleanup_json json_t *value = template_eval_value(t, vars, err);
    if (!value)
        return NULL;
    cleanup_text struct text written = {0};
    json_append(&written, value);
    return check_length(written.len, &t->parts[0], err) < 0 ? NULL : TAKE(value);
}

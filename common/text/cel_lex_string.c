#include "common/text/cel_internal.h"

#include <ctype.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/utf8.h"

struct literal {
    bool raw, bytes;
    char quote;
    bool triple;
    struct text *out;
};

static int fail(struct cel_lexer *l, const char *what)
{
    return cel_lex_fail(l, l->line, l->column, what);
}

/* A code point in a string, a byte in bytes. */
static bool append_code(const struct literal *lit, uint32_t code, bool is_byte)
{
    char utf8[4];
    if (lit->bytes && is_byte) {
        utf8[0] = (char)code;
        text_append(lit->out, utf8, 1);
        return true;
    }
    const size_t n = utf8_encode(code, utf8);
    text_append(lit->out, utf8, n);
    return n > 0;
}

/* `digits` of base 8 or 16 at p. */
static bool take_digits(struct cel_lexer *l, int digits, int base, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < digits; i++) {
        if (l->p == l->end || !isxdigit((unsigned char)*l->p))
            return false;
        const int c = tolower((unsigned char)*l->p);
        const int v = c <= '9' ? c - '0' : c - 'a' + 10;
        if (v >= base)
            return false;
        *code = *code * (uint32_t)base + (uint32_t)v;
        cel_lex_advance(l, 1);
    }
    return true;
}

static int lex_numeric_escape(struct cel_lexer *l, const struct literal *lit)
{
    static const struct {
        char name;
        int digits;
        bool is_byte, in_bytes;
    } rows[] = {
        {'x', 2, true, true}, {'X', 2, true, true}, {'u', 4, false, false}, {'U', 8, false, false}};
    uint32_t code;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (*l->p != rows[i].name)
            continue;
        if (lit->bytes && !rows[i].in_bytes)
            return fail(l, "\\u and \\U have no place in bytes");
        cel_lex_advance(l, 1);
        if (!take_digits(l, rows[i].digits, 16, &code) || !append_code(lit, code, rows[i].is_byte))
            return fail(l, "an escape is \\xHH, \\uHHHH or \\UHHHHHHHH of a code point");
        return 0;
    }
    if (!take_digits(l, 3, 8, &code) || code > 0xFF)
        return fail(l, "an escape that is not known here");
    append_code(lit, code, true);
    return 0;
}

static int lex_escape(struct cel_lexer *l, const struct literal *lit)
{
    static const char names[] = "abfnrtv\\?\"'`", values[] = "\a\b\f\n\r\t\v\\?\"'`";
    cel_lex_advance(l, 1);
    if (l->p == l->end)
        return fail(l, "the text ends within an escape");
    const char *name = *l->p ? strchr(names, *l->p) : NULL;
    if (!name)
        return lex_numeric_escape(l, lit);
    text_append(lit->out, &values[name - names], 1);
    cel_lex_advance(l, 1);
    return 0;
}

static bool at_quotes(const struct cel_lexer *l, const struct literal *lit, size_t n)
{
    if ((size_t)(l->end - l->p) < n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (l->p[i] != lit->quote)
            return false;
    return true;
}

static int lex_body(struct cel_lexer *l, const struct literal *lit, const struct cel_token *begin)
{
    const size_t quotes = lit->triple ? 3 : 1;
    while (!at_quotes(l, lit, quotes)) {
        if (l->p == l->end || (!lit->triple && (*l->p == '\n' || *l->p == '\r')))
            return cel_lex_fail(l, begin->line, begin->column,
                                "the text has no closing quote on its line");
        if (*l->p == '\\' && !lit->raw) {
            if (lex_escape(l, lit) < 0)
                return LEAT_EINPUT;
        } else {
            text_append(lit->out, l->p, 1);
            cel_lex_advance(l, 1);
        }
    }
    cel_lex_advance(l, quotes);
    return 0;
}

int cel_lex_string(struct cel_lexer *lexer, struct cel_token *out)
{
    cleanup_text struct text body = {0};
    struct literal lit = {.out = &body};
    text_append(&body, "", 0);
    for (; *lexer->p != '"' && *lexer->p != '\''; cel_lex_advance(lexer, 1)) {
        bool *flag = tolower((unsigned char)*lexer->p) == 'r' ? &lit.raw : &lit.bytes;
        if (*flag)
            return fail(lexer, "one r and one b may stand before a quote");
        *flag = true;
    }
    lit.quote = *lexer->p;
    lit.triple = at_quotes(lexer, &lit, 3);
    cel_lex_advance(lexer, lit.triple ? 3 : 1);
    if (lex_body(lexer, &lit, out) < 0)
        return LEAT_EINPUT;
    out->kind = lit.bytes ? T_BYTES : T_STRING;
    out->text = (struct cel_bytes){arena_bytes(lexer->arena, body.data, body.len), body.len};
    return 0;
}

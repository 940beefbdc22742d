#include "common/text/cel_internal.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "common/base/mem.h"

static const char *const reserved[] = {
    "as",     "break", "const",   "continue",  "else",   "for", "function", "if",
    "import", "let",   "package", "namespace", "return", "var", "void",     "while"};

static const struct {
    const char *word;
    enum cel_token_kind kind;
} keywords[] = {{"true", T_TRUE}, {"false", T_FALSE}, {"null", T_NULL}, {"in", T_IN}};

/* Longest first. */
static const char *const puncts[] = {"==", "!=", "<=", ">=", "&&", "||", "<", ">",
                                     "!",  "+",  "-",  "*",  "/",  "%",  "?", ":",
                                     ".",  ",",  "(",  ")",  "[",  "]",  "{", "}"};

int cel_lex_fail(struct cel_lexer *lexer, int line, int column, const char *what)
{
    return err_set(lexer->err, LEAT_EINPUT, "%d:%d: %s", line, column, what);
}

void cel_lex_advance(struct cel_lexer *lexer, size_t bytes)
{
    for (; bytes > 0; bytes--, lexer->p++) {
        if (*lexer->p == '\n') {
            lexer->line++;
            lexer->column = 1;
        } else if (((unsigned char)*lexer->p & 0xC0) != 0x80) {
            lexer->column++;
        }
    }
}

static void skip_blanks(struct cel_lexer *l)
{
    while (l->p < l->end) {
        const size_t left = (size_t)(l->end - l->p);
        if (left >= 2 && l->p[0] == '/' && l->p[1] == '/') {
            const char *line_end = memchr(l->p, '\n', left);
            cel_lex_advance(l, line_end ? (size_t)(line_end - l->p) : left);
        } else if (*l->p == ' ' || (*l->p >= '\t' && *l->p <= '\r')) {
            cel_lex_advance(l, 1);
        } else {
            return;
        }
    }
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static size_t span(const struct cel_lexer *l, size_t from, bool (*in)(char))
{
    size_t n = from;
    while (l->p + n < l->end && in(l->p[n]))
        n++;
    return n - from;
}

static void take_text(struct cel_lexer *l, struct cel_token *out, size_t len)
{
    out->text = (struct cel_bytes){arena_bytes(l->arena, l->p, len), len};
    cel_lex_advance(l, len);
}

static void lex_name(struct cel_lexer *l, struct cel_token *out)
{
    out->kind = T_NAME;
    take_text(l, out, span(l, 0, is_name_char));
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
        if (strcmp(out->text.data, keywords[i].word) == 0)
            out->kind = keywords[i].kind;
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        if (strcmp(out->text.data, reserved[i]) == 0)
            out->reserved = true;
}

static bool is_quoted_char(char c)
{
    return is_name_char(c) || c == '-' || c == '.' || c == '/' || c == ' ';
}

static int lex_quoted_name(struct cel_lexer *l, struct cel_token *out)
{
    cel_lex_advance(l, 1);
    const size_t n = span(l, 0, is_quoted_char);
    if (n == 0 || l->p + n >= l->end || l->p[n] != '`')
        return cel_lex_fail(l, out->line, out->column,
                            "a name in backticks has letters, digits, _ - . / and blanks");
    out->kind = T_QUOTED_NAME;
    take_text(l, out, n);
    cel_lex_advance(l, 1);
    return 0;
}

static bool is_digit(char c)
{
    return isdigit((unsigned char)c);
}

static bool is_hex(char c)
{
    return isxdigit((unsigned char)c);
}

/* Length of a floating-point literal, 0 when the digits at p are an integer. */
static size_t double_length(const struct cel_lexer *l)
{
    size_t n = span(l, 0, is_digit);
    bool real = false;
    if (l->p + n + 1 < l->end && l->p[n] == '.' && is_digit(l->p[n + 1])) {
        real = true;
        n += 1 + span(l, n + 1, is_digit);
    }
    if (l->p + n < l->end && (l->p[n] == 'e' || l->p[n] == 'E')) {
        size_t e = n + 1;
        e += l->p + e < l->end && (l->p[e] == '+' || l->p[e] == '-');
        const size_t digits = span(l, e, is_digit);
        if (digits > 0) {
            real = true;
            n = e + digits;
        }
    }
    return real ? n : 0;
}

static int lex_integer(struct cel_lexer *l, struct cel_token *out)
{
    const bool hex = l->end - l->p > 2 && l->p[0] == '0' && (l->p[1] == 'x' || l->p[1] == 'X') &&
                     is_hex(l->p[2]);
    const size_t prefix = hex ? 2 : 0;
    const size_t digits = span(l, prefix, hex ? is_hex : is_digit);
    errno = 0;
    out->kind = T_INT;
    take_text(l, out, prefix + digits);
    out->number = strtoull(out->text.data + prefix, NULL, hex ? 16 : 10);
    if (errno == ERANGE)
        return cel_lex_fail(l, out->line, out->column, "the integer does not fit into 64 bits");
    if (l->p < l->end && (*l->p == 'u' || *l->p == 'U')) {
        out->kind = T_UINT;
        cel_lex_advance(l, 1);
    }
    return 0;
}

static int lex_number(struct cel_lexer *l, struct cel_token *out)
{
    const size_t real = double_length(l);
    if (real > 0) {
        out->kind = T_DOUBLE;
        take_text(l, out, real);
        out->real = strtod(out->text.data, NULL);
    } else if (lex_integer(l, out) < 0) {
        return LEAT_EINPUT;
    }
    if (l->p < l->end && is_name_char(*l->p))
        return cel_lex_fail(l, out->line, out->column, "a number runs into a name");
    return 0;
}

/* r, b, br, rb before a quote, in either case. */
static bool begins_string(const struct cel_lexer *l)
{
    const char *p = l->p;
    for (int i = 0; i < 2 && p < l->end && strchr("rRbB", *p) && *p; i++)
        p++;
    return p < l->end && (*p == '"' || *p == '\'');
}

static int lex_punct(struct cel_lexer *l, struct cel_token *out)
{
    for (size_t i = 0; i < ARRAY_LEN(puncts); i++) {
        const size_t n = strlen(puncts[i]);
        if ((size_t)(l->end - l->p) >= n && memcmp(l->p, puncts[i], n) == 0) {
            out->kind = T_PUNCT;
            memcpy(out->punct, puncts[i], n);
            cel_lex_advance(l, n);
            return 0;
        }
    }
    if (*l->p == '=')
        return cel_lex_fail(l, out->line, out->column, "write == to compare");
    if (*l->p == '&' || *l->p == '|')
        return cel_lex_fail(l, out->line, out->column, "write && and ||");
    return cel_lex_fail(l, out->line, out->column, "a character that has no place here");
}

int cel_lex(struct cel_lexer *lexer, struct cel_token *out)
{
    skip_blanks(lexer);
    *out = (struct cel_token){.kind = T_END, .line = lexer->line, .column = lexer->column};
    if (lexer->p == lexer->end)
        return 0;
    const char c = *lexer->p;
    if (begins_string(lexer))
        return cel_lex_string(lexer, out);
    if (is_digit(c) || (c == '.' && lexer->end - lexer->p > 1 && is_digit(lexer->p[1])))
        return lex_number(lexer, out);
    if (c == '`')
        return lex_quoted_name(lexer, out);
    if (!is_name_char(c))
        return lex_punct(lexer, out);
    lex_name(lexer, out);
    return 0;
}

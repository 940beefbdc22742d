/* The core schema of YAML 1.2.2, chapter 10.3. */
#include "common/text/yaml_internal.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/base/mem.h"

#define CORE "tag:yaml.org,2002:"

enum yaml_tag yaml_tag_of(const char *tag)
{
    static const struct {
        const char *text;
        enum yaml_tag tag;
    } rows[] = {
        {"!", YAML_TAG_STR},          {CORE "str", YAML_TAG_STR},
        {CORE "int", YAML_TAG_INT},   {CORE "float", YAML_TAG_FLOAT},
        {CORE "bool", YAML_TAG_BOOL}, {CORE "null", YAML_TAG_NULL},
        {CORE "map", YAML_TAG_MAP},   {CORE "seq", YAML_TAG_SEQ},
    };
    if (!tag)
        return YAML_TAG_NONE;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(tag, rows[i].text) == 0)
            return rows[i].tag;
    return YAML_TAG_UNKNOWN;
}

static bool one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static json_t *as_word(const char *text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    if (one_of(text, nulls))
        return json_null();
    if (one_of(text, trues))
        return json_true();
    return one_of(text, falses) ? json_false() : NULL;
}

/* The base of an integer and where its digits begin; 0 when it is none. */
static int integer_base(const char *text, const char **digits)
{
    static const struct {
        const char *prefix, *digits;
        int base;
    } rows[] = {
        {"0o", "01234567", 8},   {"0x", "0123456789abcdefABCDEF", 16},
        {"-", "0123456789", 10}, {"+", "0123456789", 10},
        {"", "0123456789", 10},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const size_t n = strlen(rows[i].prefix);
        const char *rest = text + n;
        if (strncmp(text, rows[i].prefix, n) == 0 && *rest &&
            rest[strspn(rest, rows[i].digits)] == '\0') {
            *digits = rows[i].base == 10 ? text : rest;
            return rows[i].base;
        }
    }
    return 0;
}

static json_t *as_integer(const char *text, const char **why)
{
    const char *digits;
    const int base = integer_base(text, &digits);
    if (base == 0)
        return NULL;
    errno = 0;
    const long long v = strtoll(digits, NULL, base);
    if (errno == ERANGE) {
        *why = "the integer does not fit into 64 bits; put it in quotes to keep it as text";
        return NULL;
    }
    return json_integer(v);
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_float(const char *p)
{
    static const char digits[] = "0123456789";
    p += *p == '-' || *p == '+';
    const size_t whole = strspn(p, digits);
    p += whole;
    if (*p == '.') {
        const size_t fraction = strspn(++p, digits);
        if (whole + fraction == 0)
            return false;
        p += fraction;
    } else if (whole == 0) {
        return false;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '-' || *p == '+';
        const size_t exponent = strspn(p, digits);
        if (exponent == 0)
            return false;
        p += exponent;
    }
    return *p == '\0';
}

static json_t *as_float(const char *text, const char **why)
{
    static const char *const not_numbers[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL};
    const char *unsigned_text = text + (*text == '-' || *text == '+');
    if (one_of(unsigned_text, not_numbers)) {
        *why = "infinities and .nan are not taken; put the word in quotes to keep it as text";
        return NULL;
    }
    if (!is_float(text))
        return NULL;
    const double v = strtod(text, NULL);
    if (!isfinite(v)) {
        *why = "the number is too large for a double; put it in quotes to keep it as text";
        return NULL;
    }
    return json_real(v);
}

static json_t *resolve(const char *text, const char **why)
{
    json_t *v = as_word(text);
    if (!v)
        v = as_integer(text, why);
    if (!v && !*why)
        v = as_float(text, why);
    return v;
}

static bool has_tag(const json_t *v, enum yaml_tag tag)
{
    switch (tag) {
    case YAML_TAG_INT:
        return json_is_integer(v);
    case YAML_TAG_FLOAT:
        return json_is_number(v);
    case YAML_TAG_BOOL:
        return json_is_boolean(v);
    case YAML_TAG_NULL:
        return json_is_null(v);
    default:
        return false;
    }
}

json_t *yaml_scalar(const char *text, size_t len, bool plain, enum yaml_tag tag, const char **why)
{
    *why = NULL;
    if (memchr(text, '\0', len)) {
        *why = "a text with a NUL character (\\0) is not taken";
        return NULL;
    }
    if (tag == YAML_TAG_STR || (tag == YAML_TAG_NONE && !plain))
        return json_stringn(text, len);
    json_t *v = resolve(text, why);
    if (*why)
        return NULL;
    if (tag == YAML_TAG_NONE)
        return v ? v : json_stringn(text, len);
    if (!has_tag(v, tag)) {
        json_decref(v);
        *why = "the value is not what its tag says";
        return NULL;
    }
    if (tag == YAML_TAG_FLOAT && json_is_integer(v)) {
        const double d = (double)json_integer_value(v);
        json_decref(v);
        v = json_real(d);
    }
    return v;
}

#include "common/text/json.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

struct writer {
    struct text *out;
    bool pretty;
};

static void write_value(struct writer *w, const json_t *v, unsigned depth);

void json_double_text(double v, char out[JSON_DOUBLE_TEXT])
{
    /* 15 digits always survive, and %g drops their zeros; subnormal numbers hold fewer. */
    const int least = isnormal(v) || v == 0 ? DBL_DIG : 1;
    for (int digits = least; digits <= DBL_DECIMAL_DIG; digits++) {
        snprintf(out, JSON_DOUBLE_TEXT, "%.*g", digits, v);
        if (strtod(out, NULL) == v)
            break;
    }
    if (!strpbrk(out, ".e")) { /* 2 would be read back as an integer */
        const size_t n = strlen(out);
        snprintf(out + n, JSON_DOUBLE_TEXT - n, ".0");
    }
}

static const char *escape_of(unsigned char c, char hex[8])
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        snprintf(hex, 8, "\\u%04x", c);
        return hex;
    }
}

static void write_string(struct writer *w, const char *s, size_t len)
{
    char hex[8];
    size_t plain = 0; /* begin of what needs no escape and is not written yet */
    text_puts(w->out, "\"");
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)s[i];
        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        text_append(w->out, s + plain, i - plain);
        text_puts(w->out, escape_of(c, hex));
        plain = i + 1;
    }
    text_append(w->out, s + plain, len - plain);
    text_puts(w->out, "\"");
}

static void new_line(struct writer *w, unsigned depth)
{
    if (!w->pretty)
        return;
    text_puts(w->out, "\n");
    for (unsigned i = 0; i < depth; i++)
        text_puts(w->out, "  ");
}

static void write_array(struct writer *w, const json_t *v, unsigned depth)
{
    size_t i;
    const json_t *item;
    text_puts(w->out, "[");
    json_array_foreach (v, i, item) {
        if (i > 0)
            text_puts(w->out, ",");
        new_line(w, depth + 1);
        write_value(w, item, depth + 1);
    }
    if (json_array_size(v) > 0)
        new_line(w, depth);
    text_puts(w->out, "]");
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_object(struct writer *w, const json_t *v, unsigned depth)
{
    const size_t n = json_object_size(v);
    cleanup_free const char **keys = mem_array(n, sizeof *keys);
    size_t i = 0;
    json_t *object = (json_t *)(uintptr_t)v; /* iterating changes nothing */
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it))
        keys[i++] = json_object_iter_key(it);
    qsort(keys, n, sizeof *keys, by_bytes);

    text_puts(w->out, "{");
    for (i = 0; i < n; i++) {
        if (i > 0)
            text_puts(w->out, ",");
        new_line(w, depth + 1);
        write_string(w, keys[i], strlen(keys[i]));
        text_puts(w->out, w->pretty ? ": " : ":");
        write_value(w, json_object_get(v, keys[i]), depth + 1);
    }
    if (n > 0)
        new_line(w, depth);
    text_puts(w->out, "}");
}

static void write_value(struct writer *w, const json_t *v, unsigned depth)
{
    char number[JSON_DOUBLE_TEXT];
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        write_object(w, v, depth);
        break;
    case JSON_ARRAY:
        write_array(w, v, depth);
        break;
    case JSON_STRING:
        write_string(w, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
        text_printf(w->out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        break;
    case JSON_REAL:
        json_double_text(json_real_value(v), number);
        text_puts(w->out, number);
        break;
    case JSON_TRUE:
        text_puts(w->out, "true");
        break;
    case JSON_FALSE:
        text_puts(w->out, "false");
        break;
    case JSON_NULL:
        text_puts(w->out, "null");
        break;
    }
}

void json_append(struct text *out, const json_t *v)
{
    write_value(&(struct writer){.out = out}, v, 0);
}

char *json_write(const json_t *v)
{
    struct text out = {0};
    json_append(&out, v);
    return text_take(&out);
}

char *json_write_pretty(const json_t *v)
{
    struct text out = {0};
    write_value(&(struct writer){.out = &out, .pretty = true}, v, 0);
    text_puts(&out, "\n");
    return text_take(&out);
}

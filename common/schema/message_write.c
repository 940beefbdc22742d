#include "common/schema/message.h"

#include <inttypes.h>
#include <math.h>

#include "common/base/mem.h"
#include "common/text/json.h"

/* Two characters for what JSON escapes by a letter, six for the other control characters. */
static void write_escaped(unsigned char c, struct text *out)
{
    static const char letters[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                   ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    if (c < sizeof letters && letters[c]) {
        text_append(out, "\\", 1);
        text_append(out, &letters[c], 1);
    } else {
        text_printf(out, "\\u%04x", c);
    }
}

static void write_string(const char *s, struct text *out)
{
    text_append(out, "\"", 1);
    const char *plain = s;
    for (; *s; s++) {
        const unsigned char c = (unsigned char)*s;
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        text_append(out, plain, (size_t)(s - plain));
        write_escaped(c, out);
        plain = s + 1;
    }
    text_append(out, plain, (size_t)(s - plain));
    text_append(out, "\"", 1);
}

static void write_integer(int64_t n, struct text *out)
{
    char digits[24];
    char *p = digits + sizeof digits;
    uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    do
        *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (n < 0)
        *--p = '-';
    text_append(out, p, (size_t)(digits + sizeof digits - p));
}

static void write_number(double n, struct text *out)
{
    char digits[JSON_DOUBLE_TEXT] = "null";
    if (isfinite(n))
        json_double_text(n, digits);
    text_puts(out, digits);
}

static void write_value(const struct field *f, enum field_kind kind, const void *at,
                        struct text *out)
{
    char id[UUID_TEXT];
    switch (kind) {
    case FIELD_STRING:
        write_string(*(const char *const *)at, out);
        break;
    case FIELD_UUID:
        uuid_format(at, id);
        write_string(id, out);
        break;
    case FIELD_ENUM:
        write_string(f->names[*(const int *)at], out);
        break;
    case FIELD_INTEGER:
        write_integer(*(const int64_t *)at, out);
        break;
    case FIELD_NUMBER:
        write_number(*(const double *)at, out);
        break;
    case FIELD_BOOLEAN:
        text_puts(out, *(const bool *)at ? "true" : "false");
        break;
    case FIELD_JSON:
        json_append(out, *(json_t *const *)at);
        break;
    case FIELD_OBJECT:
        message_write(f->shape, at, out);
        break;
    case FIELD_ARRAY: /* lists of lists do not occur */
        break;
    }
}

static size_t count_of(const struct field *f, const char *message)
{
    return *(const size_t *)(const void *)(message + f->count_offset);
}

static void write_array(const struct field *f, const char *message, struct text *out)
{
    const char *elements = *(const char *const *)(const void *)(message + f->offset);
    const size_t n = count_of(f, message), size = field_stride(f);
    text_append(out, "[", 1);
    for (size_t i = 0; i < n; i++) {
        if (i)
            text_append(out, ",", 1);
        write_value(f, f->items, elements + i * size, out);
    }
    text_append(out, "]", 1);
}

static bool is_absent(const struct field *f, const char *message)
{
    const void *at = message + f->offset;
    switch (f->kind) {
    case FIELD_STRING:
    case FIELD_JSON:
    case FIELD_OBJECT:
        return *(void *const *)at == NULL;
    case FIELD_UUID:
        return uuid_is_nil(at);
    case FIELD_ENUM:
        return *(const int *)at == 0;
    case FIELD_INTEGER:
        return !f->required && *(const int64_t *)at == 0;
    case FIELD_NUMBER:
        return !f->required && *(const double *)at == 0;
    case FIELD_BOOLEAN:
        return !f->required && !*(const bool *)at;
    case FIELD_ARRAY:
        return !f->required && count_of(f, message) == 0;
    }
    return true;
}

void message_write(const struct shape *shape, const void *message, struct text *out)
{
    char before = '{';
    for (size_t i = 0; i < shape->count; i++) {
        const struct field *f = &shape->fields[i];
        if (is_absent(f, message))
            continue;
        text_append(out, &before, 1);
        before = ',';
        write_string(f->name, out);
        text_append(out, ":", 1);
        const void *at = (const char *)message + f->offset;
        if (f->kind == FIELD_ARRAY)
            write_array(f, message, out);
        else
            write_value(f, f->kind, f->kind == FIELD_OBJECT ? *(void *const *)at : at, out);
    }
    text_puts(out, before == '{' ? "{}" : "}");
}

char *message_encode(const struct shape *shape, const void *message, size_t *len)
{
    struct text out = {0};
    message_write(shape, message, &out);
    if (len)
        *len = out.len;
    return text_take(&out);
}

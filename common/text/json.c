#include "common/text/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

static const struct json_limits default_limits = {JSON_DEPTH_MAX, JSON_BYTES_MAX};

struct position {
    size_t line, column;
};

static struct position position_of(const char *data, size_t at)
{
    struct position p = {1, 1};
    for (size_t i = 0; i < at; i++) {
        if (data[i] == '\n') {
            p.line++;
            p.column = 1;
        } else if (((unsigned char)data[i] & 0xC0) != 0x80) {
            p.column++;
        }
    }
    return p;
}

/* Jansson recurses to a depth of its own choosing (2,048), so the brackets are counted first. The
 * scan need not know whether the text is JSON: what is not fails in the parser. */
static int check_depth(const char *data, size_t len, size_t most, struct err *err)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        const char c = data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        } else if ((c == '[' || c == '{') && ++depth > most) {
            const struct position p = position_of(data, i);
            return err_set(err, LEAT_ELIMIT, "%zu:%zu: nested deeper than %zu levels", p.line,
                           p.column, most);
        }
    }
    return 0;
}

/* Jansson quotes the text near the error; it becomes one printable line. */
static int parser_error(const json_error_t *from, struct err *err)
{
    char text[sizeof from->text];
    snprintf(text, sizeof text, "%s", from->text);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7F)
            *p = '?';
    return err_set(err, LEAT_EINPUT, "%d:%d: %s", from->line > 0 ? from->line : 1,
                   from->column > 0 ? from->column : 1, text);
}

json_t *json_read(const char *data, size_t len, const struct json_limits *limits, struct err *err)
{
    if (!limits)
        limits = &default_limits;
    if (len > limits->bytes) {
        err_set(err, LEAT_ELIMIT, "1:1: %zu bytes of JSON, at most %zu are taken", len,
                limits->bytes);
        return NULL;
    }
    if (check_depth(data, len, limits->depth, err) < 0)
        return NULL;
    json_error_t why;
    json_t *v = json_loadb(len ? data : "", len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!v)
        parser_error(&why, err);
    return v;
}

/* The segment after a slash, unescaped; returns what follows it, NULL for a stray ~. */
static const char *take_segment(const char *p, struct text *segment)
{
    segment->len = 0;
    text_append(segment, "", 0);
    for (; *p && *p != '/'; p++) {
        char c = *p;
        if (c == '~') {
            p++;
            if (*p != '0' && *p != '1')
                return NULL;
            c = *p == '0' ? '~' : '/';
        }
        text_append(segment, &c, 1);
    }
    return p;
}

/* RFC 6901 wants digits without leading zeros; "-" names no element that exists. */
static json_t *element_at(const json_t *array, const struct text *segment)
{
    long long i;
    if (segment->data[0] == '0' && segment->len > 1)
        return NULL;
    if (segment->data[0] == '-' || !text_to_int(segment->data, 0, INT32_MAX, &i))
        return NULL;
    return json_array_get(array, (size_t)i);
}

json_t *json_pointer_step(const json_t *at, const char **pointer, struct text *segment)
{
    const char *rest = **pointer == '/' ? take_segment(*pointer + 1, segment) : NULL;
    if (!rest)
        return NULL;
    json_t *child =
        json_is_array(at) ? element_at(at, segment) : json_object_get(at, segment->data);
    if (child)
        *pointer = rest;
    return child;
}

json_t *json_pointer(json_t *root, const char *pointer)
{
    cleanup_text struct text segment = {0};
    while (root && *pointer)
        root = json_pointer_step(root, &pointer, &segment);
    return root;
}

void json_pointer_add(struct text *pointer, const char *segment)
{
    text_puts(pointer, "/");
    for (const char *p = segment; *p; p++) {
        if (*p == '~')
            text_puts(pointer, "~0");
        else if (*p == '/')
            text_puts(pointer, "~1");
        else
            text_append(pointer, p, 1);
    }
}

void json_pointer_add_index(struct text *pointer, size_t index)
{
    text_printf(pointer, "/%zu", index);
}

const char *json_get_string(const json_t *obj, const char *key, const char *fallback)
{
    const json_t *v = json_object_get(obj, key);
    return json_is_string(v) ? json_string_value(v) : fallback;
}

int64_t json_get_int(const json_t *obj, const char *key, int64_t fallback)
{
    const json_t *v = json_object_get(obj, key);
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : fallback;
}

double json_get_double(const json_t *obj, const char *key, double fallback)
{
    const json_t *v = json_object_get(obj, key);
    return json_is_number(v) ? json_number_value(v) : fallback;
}

bool json_get_bool(const json_t *obj, const char *key, bool fallback)
{
    const json_t *v = json_object_get(obj, key);
    return json_is_boolean(v) ? json_is_true(v) : fallback;
}

json_t *json_get_object(const json_t *obj, const char *key)
{
    json_t *v = json_object_get(obj, key);
    return json_is_object(v) ? v : NULL;
}

json_t *json_get_array(const json_t *obj, const char *key)
{
    json_t *v = json_object_get(obj, key);
    return json_is_array(v) ? v : NULL;
}

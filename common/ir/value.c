#include "common/ir/value.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

const char *const IR_TYPE_NAMES[] = {
    [IR_STRING] = "string",   [IR_INTEGER] = "integer", [IR_NUMBER] = "number",
    [IR_BOOLEAN] = "boolean", [IR_JSON] = "json",       [IR_ARTIFACT] = "artifact",
    [IR_ARTIFACT + 1] = NULL,
};

static const char *const TYPE_WANTED[] = {
    [IR_STRING] = "text",           [IR_INTEGER] = "an integer", [IR_NUMBER] = "a number",
    [IR_BOOLEAN] = "true or false", [IR_JSON] = "JSON",          [IR_ARTIFACT] = "an artifact",
};

const char *ir_type_name(enum ir_type type)
{
    return IR_TYPE_NAMES[type];
}

int ir_type_parse(const char *name)
{
    for (int i = 0; IR_TYPE_NAMES[i]; i++) {
        if (strcmp(IR_TYPE_NAMES[i], name) == 0)
            return i;
    }
    return -1;
}

const char *ir_json_kind(const json_t *value)
{
    static const char *const KINDS[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",  [JSON_STRING] = "text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    return value ? KINDS[json_typeof(value)] : "nothing";
}

static bool is_of_type(enum ir_type type, const json_t *value)
{
    switch (type) {
    case IR_STRING:
        return json_is_string(value);
    case IR_INTEGER:
        return json_is_integer(value);
    case IR_NUMBER:
        return json_is_number(value);
    case IR_BOOLEAN:
        return json_is_boolean(value);
    case IR_JSON:
        return value != NULL;
    case IR_ARTIFACT:
        break;
    }
    return false;
}

/* Length of what a step would get to see. */
static size_t shown_bytes(const json_t *value)
{
    if (json_is_string(value))
        return json_string_length(value);
    if (!json_is_object(value) && !json_is_array(value))
        return 0;
    cleanup_free char *text = json_write(value);
    return strlen(text);
}

int ir_value_check(enum ir_type type, const json_t *value, struct err *err)
{
    if (!is_of_type(type, value)) {
        const bool real = type == IR_INTEGER && json_is_real(value);
        return err_set(err, LEAT_EINPUT, "must be %s, not %s", TYPE_WANTED[type],
                       real ? "a number with a point" : ir_json_kind(value));
    }
    if (shown_bytes(value) > IR_OUTPUT_VALUE_MAX)
        return err_set(err, LEAT_ELIMIT, "is over %d bytes", IR_OUTPUT_VALUE_MAX);
    return 0;
}

bool ir_value_equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b) && json_typeof(a) != json_typeof(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

#define SHOWN_BYTES 40 /* of a text that is no value, about */

static void refuse_bare(const char *text, size_t len, struct err *err)
{
    size_t shown = len < SHOWN_BYTES ? len : SHOWN_BYTES;
    while (shown < len && ((unsigned char)text[shown] & 0xc0) == 0x80) /* a whole character */
        shown++;
    cleanup_free char *begin = mem_printf("%.*s", (int)shown, text);
    cleanup_text struct text t = {0};
    text_quote(&t, begin);
    err_set(err, LEAT_EINPUT, "is %s%s", t.data, shown < len ? "…" : "");
}

static bool is_whole_number(const char *text, size_t len)
{
    size_t i = text[0] == '-';
    while (i < len && text[i] >= '0' && text[i] <= '9')
        i++;
    return i == len;
}

/* JSON allows blanks around a value; a typed output is the value and nothing else. */
static json_t *read_bare(const char *text, size_t len, struct err *err)
{
    static const char BLANK[] = " \t\r\n";
    if (len == 0 || memchr(BLANK, text[0], 4) || memchr(BLANK, text[len - 1], 4)) {
        err_set(err, LEAT_EINPUT, len == 0 ? "is empty" : "has blanks around it");
        return NULL;
    }
    const struct json_limits limits = {.depth = 0, .bytes = IR_OUTPUT_VALUE_MAX};
    json_t *value = json_read(text, len, &limits, err);
    if (!value && !is_whole_number(text, len)) /* else it is too large, which err says */
        refuse_bare(text, len, err);
    return value;
}

static json_t *read_text(const char *text, size_t len, struct err *err)
{
    json_t *value = memchr(text, '\0', len) ? NULL : json_stringn(text, len);
    if (!value)
        err_set(err, LEAT_EINPUT, "is not UTF-8 text without NUL");
    return value;
}

json_t *ir_output_value(enum ir_type type, const char *text, size_t len, struct err *err)
{
    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > IR_OUTPUT_VALUE_MAX) {
        err_set(err, LEAT_ELIMIT, "is over %d bytes: declare it as an artifact",
                IR_OUTPUT_VALUE_MAX);
        return NULL;
    }
    if (type == IR_STRING)
        return read_text(text, len, err);
    const struct json_limits limits = {.depth = JSON_DEPTH_MAX, .bytes = IR_OUTPUT_VALUE_MAX};
    struct err why = {0};
    cleanup_json json_t *value =
        type == IR_JSON ? json_read(text, len, &limits, &why) : read_bare(text, len, &why);
    if (!value) {
        err_set(err, LEAT_EINPUT, "must be %s: %s", TYPE_WANTED[type], why.text);
        return NULL;
    }
    return ir_value_check(type, value, err) == 0 ? TAKE(value) : NULL;
}

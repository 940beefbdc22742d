#include "cli/yaml.h"

#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/text/json.h"

/* Words that YAML 1.1 reads as a boolean, null or number. */
static bool has_meaning(const char *s)
{
    static const char *const words[] = {"true", "false", "null", "yes", "no", "on",
                                        "off",  "y",     "n",    "inf", "nan"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcasecmp(words[i], s) == 0)
            return true;
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_plain(const char *s)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./";
    return is_letter(s[0]) && s[strspn(s, plain)] == '\0' && !has_meaning(s);
}

static void put_text(const char *s, struct text *out)
{
    if (is_plain(s))
        text_puts(out, s);
    else
        text_quote(out, s);
}

static bool is_block(const json_t *v)
{
    return json_object_size(v) > 0 || json_array_size(v) > 0;
}

static void put_value(const json_t *v, int indent, struct text *out);

/* What stands behind "key:" or "-". */
static void put_child(const json_t *v, int indent, struct text *out)
{
    text_puts(out, is_block(v) ? "\n" : " ");
    put_value(v, is_block(v) ? indent + 2 : 0, out);
}

static void put_scalar(const json_t *v, struct text *out)
{
    if (json_is_string(v))
        put_text(json_string_value(v), out);
    else
        json_append(out, v);
    text_puts(out, "\n");
}

static void put_value(const json_t *v, int indent, struct text *out)
{
    const char *key;
    json_t *item;
    size_t i;
    if (!is_block(v)) {
        put_scalar(v, out);
        return;
    }
    json_object_foreach ((json_t *)v, key, item) {
        text_printf(out, "%*s", indent, "");
        put_text(key, out);
        text_puts(out, ":");
        put_child(item, indent, out);
    }
    json_array_foreach (v, i, item) {
        text_printf(out, "%*s-", indent, "");
        put_child(item, indent, out);
    }
}

void yaml_write(const json_t *value, struct text *out)
{
    put_value(value, 0, out);
}

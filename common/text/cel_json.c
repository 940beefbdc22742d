#include "common/text/cel_internal.h"

#include <inttypes.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/json.h"

static json_t *refuse(struct cel_ctx *ctx, const struct cel_node *at, const char *what)
{
    cel_fail(ctx, at, "%s", what);
    return NULL;
}

static json_t *string_to_json(struct cel_ctx *ctx, const struct cel_node *at, struct cel_bytes text)
{
    if (text.len && memchr(text.data, '\0', text.len))
        return refuse(ctx, at, "the result has a text with a NUL character");
    if (!cel_memory(ctx, at, text.len)) /* parts that are shared are written out again and again */
        return NULL;
    return json_stringn(text.data ? text.data : "", text.len);
}

static json_t *bytes_to_json(struct cel_ctx *ctx, const struct cel_node *at, struct cel_bytes bytes)
{
    const size_t size = (bytes.len + 2) / 3 * 4 + 1;
    char *text = cel_alloc(ctx, at, 1, size);
    if (!text)
        return NULL;
    const int n =
        EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes.data, (int)bytes.len);
    return json_stringn(text, (size_t)n);
}

static json_t *double_to_json(double d)
{
    if (isfinite(d))
        return json_real(d);
    return json_string(isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
}

static json_t *uint_to_json(uint64_t u)
{
    if (u <= INT64_MAX)
        return json_integer((json_int_t)u);
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, u);
    return json_string(text);
}

/* A key that is no string becomes its literal. */
static bool set_member(struct cel_ctx *ctx, const struct cel_node *at, json_t *object,
                       const struct cel_value *key, const struct cel_value *value)
{
    char number[24];
    struct cel_bytes name = key->text;
    if (key->type != CEL_STRING) {
        if (key->type == CEL_BOOL)
            snprintf(number, sizeof number, "%s", key->boolean ? "true" : "false");
        else if (key->type == CEL_UINT)
            snprintf(number, sizeof number, "%" PRIu64, key->u);
        else
            snprintf(number, sizeof number, "%" PRId64, key->i);
        name = (struct cel_bytes){number, strlen(number)};
    }
    if (name.len && memchr(name.data, '\0', name.len))
        return cel_fail(ctx, at, "the result has a key with a NUL character");
    if (!cel_memory(ctx, at, name.len))
        return false;
    json_t *json = cel_to_json(ctx, at, value);
    return json && json_object_setn_new(object, name.data, name.len, json) == 0;
}

static json_t *map_to_json(struct cel_ctx *ctx, const struct cel_node *at,
                           const struct cel_map *map)
{
    cleanup_json json_t *object = json_object();
    if (!map->json) {
        for (size_t i = 0; i < map->count; i++)
            if (!set_member(ctx, at, object, &map->entries[i].key, &map->entries[i].value))
                return NULL;
        return TAKE(object);
    }
    json_t *from = (json_t *)(uintptr_t)map->json; /* iterating changes nothing */
    for (void *it = json_object_iter(from); it; it = json_object_iter_next(from, it)) {
        const char *name = json_object_iter_key(it);
        const struct cel_value key = cel_text(CEL_STRING, name, strlen(name));
        const struct cel_value value = cel_from_json(json_object_iter_value(it));
        if (!set_member(ctx, at, object, &key, &value))
            return NULL;
    }
    return TAKE(object);
}

static json_t *list_to_json(struct cel_ctx *ctx, const struct cel_node *at,
                            const struct cel_list *list)
{
    cleanup_json json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++) {
        const struct cel_value item = cel_list_at(list, i);
        json_t *json = cel_to_json(ctx, at, &item);
        if (!json)
            return NULL;
        json_array_append_new(array, json);
    }
    return TAKE(array);
}

json_t *cel_to_json(struct cel_ctx *ctx, const struct cel_node *at, const struct cel_value *v)
{
    char text[CEL_TIME_TEXT];
    if (!cel_steps(ctx, at, 1)) /* lists may share their elements many times over */
        return NULL;
    switch (v->type) {
    case CEL_NULL:
        return json_null();
    case CEL_BOOL:
        return json_boolean(v->boolean);
    case CEL_INT:
        return json_integer(v->i);
    case CEL_UINT:
        return uint_to_json(v->u);
    case CEL_DOUBLE:
        return double_to_json(v->d);
    case CEL_STRING:
        return string_to_json(ctx, at, v->text);
    case CEL_BYTES:
        return bytes_to_json(ctx, at, v->text);
    case CEL_LIST:
        return list_to_json(ctx, at, &v->list);
    case CEL_MAP:
        return map_to_json(ctx, at, &v->map);
    case CEL_TIMESTAMP:
        cel_timestamp_text(v->time, text);
        return json_string(text);
    case CEL_DURATION:
        cel_duration_text(v->duration_ns, text);
        return json_string(text);
    case CEL_TYPE:
        return json_string(cel_type_name(v->type_name));
    }
    return refuse(ctx, at, "the result has no JSON form");
}

#include "common/text/cel_internal.h"

#include <math.h>
#include <string.h>

#include "common/base/mem.h"

static const char *const type_names[] = {
    [CEL_NULL] = "null_type",
    [CEL_BOOL] = "bool",
    [CEL_INT] = "int",
    [CEL_UINT] = "uint",
    [CEL_DOUBLE] = "double",
    [CEL_STRING] = "string",
    [CEL_BYTES] = "bytes",
    [CEL_LIST] = "list",
    [CEL_MAP] = "map",
    [CEL_TIMESTAMP] = "google.protobuf.Timestamp",
    [CEL_DURATION] = "google.protobuf.Duration",
    [CEL_TYPE] = "type",
};

const char *cel_type_name(enum cel_type type)
{
    return type_names[type];
}

bool cel_type_find(const char *name, enum cel_type *out)
{
    for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
        if (strcmp(type_names[i], name) == 0) {
            *out = (enum cel_type)i;
            return true;
        }
    }
    return false;
}

struct cel_value cel_from_json(const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_NULL:
        return (struct cel_value){.type = CEL_NULL};
    case JSON_TRUE:
    case JSON_FALSE:
        return cel_bool(json_is_true(json));
    case JSON_INTEGER:
        return cel_int(json_integer_value(json));
    case JSON_REAL:
        return (struct cel_value){.type = CEL_DOUBLE, .d = json_real_value(json)};
    case JSON_STRING:
        return cel_text(CEL_STRING, json_string_value(json), json_string_length(json));
    case JSON_ARRAY:
        return (struct cel_value){.type = CEL_LIST,
                                  .list = {.json = json, .count = json_array_size(json)}};
    case JSON_OBJECT:
        return (struct cel_value){.type = CEL_MAP,
                                  .map = {.json = json, .count = json_object_size(json)}};
    }
    return (struct cel_value){.type = CEL_NULL};
}

struct cel_value cel_list_at(const struct cel_list *list, size_t index)
{
    return list->json ? cel_from_json(json_array_get(list->json, index)) : list->items[index];
}

/* ---- order ---------------------------------------------------------------------------------- */

static enum cel_order order_of(int sign)
{
    return sign < 0 ? CEL_LESS : sign > 0 ? CEL_GREATER : CEL_SAME;
}

#define ORDER(a, b) order_of(((a) > (b)) - ((a) < (b)))

static enum cel_order reverse(enum cel_order order)
{
    return order == CEL_LESS ? CEL_GREATER : order == CEL_GREATER ? CEL_LESS : order;
}

static enum cel_order order_doubles(double a, double b)
{
    return isnan(a) || isnan(b) ? CEL_UNORDERED : ORDER(a, b);
}

/* Exact, without rounding the integer to a double. */
static enum cel_order order_int_double(int64_t i, double d)
{
    if (isnan(d))
        return CEL_UNORDERED;
    if (d >= 0x1p63)
        return CEL_LESS;
    if (d < -0x1p63)
        return CEL_GREATER;
    const int64_t whole = (int64_t)d;
    return i != whole ? ORDER(i, whole) : ORDER(0.0, d - (double)whole);
}

static enum cel_order order_uint_double(uint64_t u, double d)
{
    if (isnan(d))
        return CEL_UNORDERED;
    if (d >= 0x1p64)
        return CEL_LESS;
    if (d < 0)
        return CEL_GREATER;
    const uint64_t whole = (uint64_t)d;
    return u != whole ? ORDER(u, whole) : ORDER(0.0, d - (double)whole);
}

static enum cel_order order_int_uint(int64_t i, uint64_t u)
{
    return i < 0 ? CEL_LESS : ORDER((uint64_t)i, u);
}

/* Numbers of different types; CEL_INCOMPARABLE for anything else. */
static enum cel_order order_numbers(const struct cel_value *a, const struct cel_value *b)
{
    if (a->type == CEL_INT && b->type == CEL_UINT)
        return order_int_uint(a->i, b->u);
    if (a->type == CEL_INT && b->type == CEL_DOUBLE)
        return order_int_double(a->i, b->d);
    if (a->type == CEL_UINT && b->type == CEL_DOUBLE)
        return order_uint_double(a->u, b->d);
    if (a->type == CEL_UINT && b->type == CEL_INT)
        return reverse(order_int_uint(b->i, a->u));
    if (a->type == CEL_DOUBLE && b->type == CEL_INT)
        return reverse(order_int_double(b->i, a->d));
    if (a->type == CEL_DOUBLE && b->type == CEL_UINT)
        return reverse(order_uint_double(b->u, a->d));
    return CEL_INCOMPARABLE;
}

/* Bytes of UTF-8 order as code points do. */
static enum cel_order order_bytes(struct cel_bytes a, struct cel_bytes b)
{
    const size_t shared = a.len < b.len ? a.len : b.len;
    const int sign = shared ? memcmp(a.data, b.data, shared) : 0;
    return sign ? order_of(sign) : ORDER(a.len, b.len);
}

enum cel_order cel_compare(const struct cel_value *a, const struct cel_value *b)
{
    if (a->type != b->type)
        return order_numbers(a, b);
    switch (a->type) {
    case CEL_BOOL:
        return ORDER(a->boolean, b->boolean);
    case CEL_INT:
        return ORDER(a->i, b->i);
    case CEL_UINT:
        return ORDER(a->u, b->u);
    case CEL_DOUBLE:
        return order_doubles(a->d, b->d);
    case CEL_STRING:
    case CEL_BYTES:
        return order_bytes(a->text, b->text);
    case CEL_TIMESTAMP:
        return a->time.s != b->time.s ? ORDER(a->time.s, b->time.s) : ORDER(a->time.ns, b->time.ns);
    case CEL_DURATION:
        return ORDER(a->duration_ns, b->duration_ns);
    default:
        return CEL_INCOMPARABLE;
    }
}

/* ---- equality ------------------------------------------------------------------------------- */

static bool lists_equal(struct cel_ctx *ctx, const struct cel_node *at, const struct cel_list *a,
                        const struct cel_list *b, bool *equal)
{
    *equal = a->count == b->count;
    for (size_t i = 0; i < a->count && *equal; i++) {
        const struct cel_value x = cel_list_at(a, i), y = cel_list_at(b, i);
        if (!cel_equal(ctx, at, &x, &y, equal))
            return false;
    }
    return true;
}

/* Whether `key` of one map has an equal value in the other. */
static bool entry_equal(struct cel_ctx *ctx, const struct cel_node *at, const struct cel_value *key,
                        const struct cel_value *value, const struct cel_map *other, bool *equal)
{
    struct cel_value theirs;
    if (!cel_find_key(ctx, at, other, key, equal, &theirs))
        return false;
    return !*equal || cel_equal(ctx, at, value, &theirs, equal);
}

static bool maps_equal(struct cel_ctx *ctx, const struct cel_node *at, const struct cel_map *a,
                       const struct cel_map *b, bool *equal)
{
    *equal = a->count == b->count;
    if (!a->json) {
        for (size_t i = 0; i < a->count && *equal; i++)
            if (!entry_equal(ctx, at, &a->entries[i].key, &a->entries[i].value, b, equal))
                return false;
        return true;
    }
    json_t *object = (json_t *)(uintptr_t)a->json; /* iterating changes nothing */
    for (void *it = json_object_iter(object); it && *equal;
         it = json_object_iter_next(object, it)) {
        const char *name = json_object_iter_key(it);
        const struct cel_value key = cel_text(CEL_STRING, name, strlen(name));
        const struct cel_value value = cel_from_json(json_object_iter_value(it));
        if (!entry_equal(ctx, at, &key, &value, b, equal))
            return false;
    }
    return true;
}

bool cel_equal(struct cel_ctx *ctx, const struct cel_node *at, const struct cel_value *a,
               const struct cel_value *b, bool *equal)
{
    size_t steps = 1;
    if (a->type == b->type && (a->type == CEL_STRING || a->type == CEL_BYTES))
        steps += a->text.len / CEL_BYTES_PER_STEP;
    if (!cel_steps(ctx, at, steps))
        return false;
    if (a->type == CEL_LIST && b->type == CEL_LIST)
        return lists_equal(ctx, at, &a->list, &b->list, equal);
    if (a->type == CEL_MAP && b->type == CEL_MAP)
        return maps_equal(ctx, at, &a->map, &b->map, equal);
    if (a->type == CEL_NULL && b->type == CEL_NULL)
        *equal = true;
    else if (a->type == CEL_TYPE && b->type == CEL_TYPE)
        *equal = a->type_name == b->type_name;
    else
        *equal = cel_compare(a, b) == CEL_SAME;
    return true;
}

bool cel_find_key(struct cel_ctx *ctx, const struct cel_node *at, const struct cel_map *map,
                  const struct cel_value *key, bool *found, struct cel_value *out)
{
    *found = false;
    if (map->json) {
        const bool text = key->type == CEL_STRING && !memchr(key->text.data, '\0', key->text.len);
        const json_t *v = text ? json_object_getn(map->json, key->text.data, key->text.len) : NULL;
        *found = v != NULL;
        if (v)
            *out = cel_from_json(v);
        return true;
    }
    for (size_t i = 0; i < map->count; i++) {
        if (!cel_equal(ctx, at, &map->entries[i].key, key, found))
            return false;
        if (*found) {
            *out = map->entries[i].value;
            return true;
        }
    }
    return true;
}

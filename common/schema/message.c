#include "common/schema/message.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/text/json.h"

#define DEPTH_MAX 16 /* of shapes inside one another; the generator's are at most 3 deep */

struct decoder {
    struct message_hold *hold;
    struct err *err;
    const char *path[DEPTH_MAX];
    int depth;
};

static int refuse(struct decoder *d, const char *name, const char *what)
{
    cleanup_text struct text at = {0};
    for (int i = 0; i < d->depth; i++)
        json_pointer_add(&at, d->path[i]);
    if (name)
        json_pointer_add(&at, name);
    return err_set(d->err, LEAT_EINPUT, "%s: %s", at.data ? at.data : "the message", what);
}

static void *nested(struct decoder *d, size_t size)
{
    if (!d->hold->arena)
        d->hold->arena = arena_new();
    return arena_alloc(d->hold->arena, size);
}

static int decode_object(struct decoder *d, const struct shape *shape, const json_t *v, void *out);

static int decode_string(struct decoder *d, const struct field *f, const json_t *v, void *at)
{
    const char *s = json_string_value(v);
    if (!s)
        return refuse(d, f->name, "must be text");
    if (f->longest && json_string_length(v) > f->longest)
        return refuse(d, f->name, "is longer than allowed");
    if (f->fixed && strcmp(s, f->fixed) != 0)
        return refuse(d, f->name, "has another value than the one allowed");
    *(const char **)at = s;
    return 0;
}

static int decode_uuid(struct decoder *d, const struct field *f, const json_t *v, void *at)
{
    const char *s = json_string_value(v);
    return s && uuid_parse(s, at) ? 0 : refuse(d, f->name, "must be a UUID");
}

static int decode_enum(struct decoder *d, const struct field *f, const json_t *v, void *at)
{
    const char *s = json_string_value(v);
    for (int i = 1; s && f->names[i]; i++)
        if (strcmp(s, f->names[i]) == 0) {
            *(int *)at = i;
            return 0;
        }
    return refuse(d, f->name, "is none of the words allowed");
}

static int decode_integer(struct decoder *d, const struct field *f, const json_t *v, void *at)
{
    if (!json_is_integer(v))
        return refuse(d, f->name, "must be a whole number");
    const int64_t n = json_integer_value(v);
    if (n < f->least || n > f->most)
        return refuse(d, f->name, "is out of range");
    *(int64_t *)at = n;
    return 0;
}

static int decode_number(struct decoder *d, const struct field *f, const json_t *v, void *at)
{
    if (!json_is_number(v))
        return refuse(d, f->name, "must be a number");
    const double n = json_number_value(v);
    if ((f->least != INT64_MIN && n < (double)f->least) ||
        (f->most != INT64_MAX && n > (double)f->most))
        return refuse(d, f->name, "is out of range");
    *(double *)at = n;
    return 0;
}

static int decode_boolean(struct decoder *d, const struct field *f, const json_t *v, void *at)
{
    if (!json_is_boolean(v))
        return refuse(d, f->name, "must be true or false");
    *(bool *)at = json_is_true(v);
    return 0;
}

static int decode_json(struct decoder *d, const struct field *f, const json_t *v, void *at)
{
    (void)d, (void)f;
    *(const json_t **)at = v;
    return 0;
}

static int decode_pointer(struct decoder *d, const struct field *f, const json_t *v, void *at)
{
    void *inner = nested(d, f->shape->size);
    *(void **)at = inner;
    d->path[d->depth++] = f->name;
    const int rc = decode_object(d, f->shape, v, inner);
    d->depth--;
    return rc;
}

static int decode_array(struct decoder *d, const struct field *f, const json_t *v, void *at);

typedef int decode_fn(struct decoder *d, const struct field *f, const json_t *v, void *at);
static decode_fn *const decoders[] = {
    [FIELD_STRING] = decode_string, [FIELD_UUID] = decode_uuid,
    [FIELD_ENUM] = decode_enum,     [FIELD_INTEGER] = decode_integer,
    [FIELD_NUMBER] = decode_number, [FIELD_BOOLEAN] = decode_boolean,
    [FIELD_JSON] = decode_json,     [FIELD_OBJECT] = decode_pointer,
    [FIELD_ARRAY] = decode_array,
};

size_t field_stride(const struct field *f)
{
    static const size_t sizes[] = {
        [FIELD_STRING] = sizeof(char *), [FIELD_UUID] = sizeof(struct uuid),
        [FIELD_ENUM] = sizeof(int),      [FIELD_INTEGER] = sizeof(int64_t),
        [FIELD_NUMBER] = sizeof(double), [FIELD_BOOLEAN] = sizeof(bool),
        [FIELD_JSON] = sizeof(json_t *), [FIELD_OBJECT] = 0,
    };
    return f->items == FIELD_OBJECT ? f->shape->size : sizes[f->items];
}

static int decode_array(struct decoder *d, const struct field *f, const json_t *v, void *at)
{
    if (!json_is_array(v))
        return refuse(d, f->name, "must be a list");
    const size_t n = json_array_size(v), size = field_stride(f);
    char *elements = n ? nested(d, n * size) : NULL;
    *(void **)at = elements;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const json_t *item = json_array_get(v, i);
        if (f->items == FIELD_OBJECT) {
            d->path[d->depth++] = f->name;
            rc = decode_object(d, f->shape, item, elements + i * size);
            d->depth--;
        } else {
            rc = decoders[f->items](d, f, item, elements + i * size);
        }
    }
    return rc;
}

static int decode_field(struct decoder *d, const struct field *f, const json_t *value, char *out)
{
    if (!value || (json_is_null(value) && f->kind != FIELD_JSON))
        return f->required ? refuse(d, f->name, "is missing") : 0;
    const int rc = decoders[f->kind](d, f, value, out + f->offset);
    if (rc == 0 && f->kind == FIELD_ARRAY)
        *(size_t *)(void *)(out + f->count_offset) = json_array_size(value);
    return rc;
}

static int decode_object(struct decoder *d, const struct shape *shape, const json_t *v, void *out)
{
    int rc = json_is_object(v) ? 0 : refuse(d, NULL, "must be an object");
    for (size_t i = 0; rc == 0 && i < shape->count; i++)
        rc = decode_field(d, &shape->fields[i], json_object_get(v, shape->fields[i].name), out);
    return rc;
}

int message_from_json(const struct shape *shape, json_t *value, void *out, struct err *err)
{
    memset(out, 0, shape->size);
    struct decoder d = {.hold = out, .err = err};
    d.hold->root = json_incref(value);
    if (decode_object(&d, shape, value, out) == 0)
        return 0;
    message_clear(out);
    return err_wrap(err, "%s", shape->name);
}

int message_decode(const struct shape *shape, const char *data, size_t len, void *out,
                   struct err *err)
{
    cleanup_json json_t *root = json_read(data, len, NULL, err);
    if (root)
        return message_from_json(shape, root, out, err);
    memset(out, 0, shape->size);
    return err_wrap(err, "%s", shape->name);
}

void message_clear(void *message)
{
    struct message_hold *hold = message;
    arena_free(hold->arena);
    json_decref(hold->root);
    *hold = (struct message_hold){0};
}

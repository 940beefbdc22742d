#include "common/pg/params.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/pg/wire.h"

void pg_params_clear(struct pg_params *p)
{
    p->data.len = 0;
    p->count = 0;
    p->open = false;
}

void pg_params_free(struct pg_params *p)
{
    text_free(&p->data);
    free(p->list);
    *p = (struct pg_params){0};
}

static void put_int4(struct pg_params *p, int32_t value)
{
    const uint32_t wire = htobe32((uint32_t)value);
    text_append(&p->data, &wire, sizeof wire);
}

static void put_int8(struct pg_params *p, int64_t value)
{
    const uint64_t wire = htobe64((uint64_t)value);
    text_append(&p->data, &wire, sizeof wire);
}

static void new_param(struct pg_params *p, uint32_t oid, int32_t len)
{
    MEM_ROOM(p->list, p->count, p->cap);
    p->list[p->count++] = (struct pg_param){.oid = oid, .len = len, .at = p->data.len};
}

/* Announces `len` bytes of one value (-1: SQL NULL), which the caller then puts. */
static void begin_value(struct pg_params *p, enum pg_type type, int32_t len)
{
    if (!p->open) {
        new_param(p, type, len);
        return;
    }
    uint32_t element;
    memcpy(&element, p->data.data + p->array + 8, sizeof element);
    assert(be32toh(element) == (uint32_t)type);
    p->items++;
    p->nulls = p->nulls || len < 0;
    put_int4(p, len);
}

void pg_add_null(struct pg_params *p, enum pg_type type)
{
    begin_value(p, type, -1);
}

void pg_add_bool(struct pg_params *p, bool value)
{
    begin_value(p, PG_BOOL, 1);
    text_append(&p->data, value ? "\1" : "\0", 1);
}

void pg_add_int4(struct pg_params *p, int32_t value)
{
    begin_value(p, PG_INT4, 4);
    put_int4(p, value);
}

void pg_add_int8(struct pg_params *p, int64_t value)
{
    begin_value(p, PG_INT8, 8);
    put_int8(p, value);
}

void pg_add_float8(struct pg_params *p, double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    begin_value(p, PG_FLOAT8, 8);
    put_int8(p, bits);
}

static void add_bytes(struct pg_params *p, enum pg_type type, const void *data, size_t len)
{
    assert(len <= INT32_MAX);
    begin_value(p, type, data ? (int32_t)len : -1);
    if (data)
        text_append(&p->data, data, len);
}

void pg_add_text(struct pg_params *p, const char *value)
{
    add_bytes(p, PG_TEXT, value, value ? strlen(value) : 0);
}

void pg_add_bytea(struct pg_params *p, const void *data, size_t len)
{
    add_bytes(p, PG_BYTEA, data, len);
}

void pg_add_uuid(struct pg_params *p, const struct uuid *id)
{
    add_bytes(p, PG_UUID, id, sizeof id->b);
}

void pg_add_uuid_or_null(struct pg_params *p, const struct uuid *id)
{
    pg_add_uuid(p, uuid_is_nil(id) ? NULL : id);
}

void pg_add_time(struct pg_params *p, int64_t unix_us)
{
    begin_value(p, PG_TIMESTAMPTZ, 8);
    put_int8(p, unix_us - PG_EPOCH_US);
}

void pg_add_time_or_null(struct pg_params *p, int64_t unix_us)
{
    if (unix_us)
        pg_add_time(p, unix_us);
    else
        pg_add_null(p, PG_TIMESTAMPTZ);
}

static uint32_t array_oid(enum pg_type type)
{
    switch (type) {
#define T(name, oid, array)                                                                        \
    case PG_##name:                                                                                \
        return array;
        PG_TYPES(T)
#undef T
    }
    abort();
}

static void patch_int4(struct pg_params *p, size_t at, int32_t value)
{
    const uint32_t wire = htobe32((uint32_t)value);
    memcpy(p->data.data + at, &wire, sizeof wire);
}

/* The binary form of an array: dimensions, has-nulls, element type, then per dimension its size
 * and lower bound, then each element with its length. An empty array has no dimension. */
enum { AT_DIMENSIONS = 0, AT_NULLS = 4, AT_SIZE = 12, HEADER = 20, HEADER_EMPTY = 12 };

void pg_array_begin(struct pg_params *p, enum pg_type type)
{
    assert(!p->open);
    new_param(p, array_oid(type), 0);
    p->array = p->data.len;
    p->open = true;
    p->items = 0;
    p->nulls = false;
    put_int4(p, 1);
    put_int4(p, 0);
    put_int4(p, (int32_t)type);
    put_int4(p, 0);
    put_int4(p, 1);
}

void pg_array_end(struct pg_params *p)
{
    assert(p->open);
    if (p->items == 0) {
        patch_int4(p, p->array + AT_DIMENSIONS, 0);
        p->data.len = p->array + HEADER_EMPTY;
    } else {
        patch_int4(p, p->array + AT_NULLS, p->nulls);
        patch_int4(p, p->array + AT_SIZE, p->items);
    }
    p->list[p->count - 1].len = (int32_t)(p->data.len - p->array);
    p->open = false;
}

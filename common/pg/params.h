/* common/pg/params.h: parameters of a statement, all in binary. No value is ever part of a
 * statement's text. Zero-initialised is empty. $1 is the first that is added. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/text.h"
#include "common/base/uuid.h"

/* name, oid, oid of its array; the numbers are fixed in PostgreSQL's pg_type.dat */
#define PG_TYPES(T)                                                                                \
    T(BOOL, 16, 1000)                                                                              \
    T(BYTEA, 17, 1001)                                                                             \
    T(INT8, 20, 1016)                                                                              \
    T(INT4, 23, 1007)                                                                              \
    T(TEXT, 25, 1009)                                                                              \
    T(FLOAT8, 701, 1022)                                                                           \
    T(TIMESTAMPTZ, 1184, 1185)                                                                     \
    T(UUID, 2950, 2951)

enum pg_type {
#define T(name, oid, array) PG_##name = oid,
    PG_TYPES(T)
#undef T
};

struct pg_param {
    uint32_t oid;
    int32_t len; /* -1 = SQL NULL */
    size_t at;   /* where its bytes begin in `data` */
};

struct pg_params {
    struct text data;
    struct pg_param *list;
    size_t count;
    size_t cap;
    bool open;     /* an array is being filled: */
    bool nulls;    /* it holds a NULL */
    int32_t items; /* its elements so far */
    size_t array;  /* where its header stands in `data` */
};

void pg_params_clear(struct pg_params *p); /* back to empty; memory is kept */
void pg_params_free(struct pg_params *p);  /* back to empty; memory goes */
#define cleanup_pg_params __attribute__((cleanup(pg_params_free)))

/* ---- one value: the next parameter; while an array is open, its next element ---------------- */
void pg_add_null(struct pg_params *p, enum pg_type type);
void pg_add_bool(struct pg_params *p, bool value);
void pg_add_int4(struct pg_params *p, int32_t value);
void pg_add_int8(struct pg_params *p, int64_t value);
void pg_add_float8(struct pg_params *p, double value);
void pg_add_text(struct pg_params *p, const char *value);             /* NULL gives SQL NULL */
void pg_add_bytea(struct pg_params *p, const void *data, size_t len); /* data NULL: SQL NULL */
void pg_add_uuid(struct pg_params *p, const struct uuid *id);         /* NULL gives SQL NULL */
void pg_add_uuid_or_null(struct pg_params *p, const struct uuid *id); /* the nil id: SQL NULL */
void pg_add_time(struct pg_params *p, int64_t unix_us);               /* timestamptz */
void pg_add_time_or_null(struct pg_params *p, int64_t unix_us);       /* 0 gives SQL NULL */

/* ---- an array: everything added between begin and end is its elements, all of `type` -------- */
void pg_array_begin(struct pg_params *p, enum pg_type type);
void pg_array_end(struct pg_params *p);

#include "common/pg/rows.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "common/base/text.h"
#include "common/pg/wire.h"

#define OID_JSONB 3802

static const PGresult *result_of(const struct pg_rows *rows)
{
    return (const PGresult *)rows;
}

size_t pg_row_count(const struct pg_rows *rows)
{
    return rows ? (size_t)PQntuples(result_of(rows)) : 0;
}

int64_t pg_affected(const struct pg_rows *rows)
{
    long long n = 0;
    if (rows) /* PQcmdTuples only reads, but is declared without const */
        text_to_int(PQcmdTuples((PGresult *)(uintptr_t)rows), 0, INT64_MAX, &n);
    return n;
}

bool pg_is_null(const struct pg_rows *rows, size_t row, int column)
{
    return PQgetisnull(result_of(rows), (int)row, column);
}

/* NULL for SQL NULL; otherwise exactly `len` bytes, where len >= 0. */
static const char *value_of(const struct pg_rows *rows, size_t row, int column, int len)
{
    const PGresult *r = result_of(rows);
    assert(row < pg_row_count(rows) && column < PQnfields(r) && PQfformat(r, column) == 1);
    if (PQgetisnull(r, (int)row, column))
        return NULL;
    assert(len < 0 || PQgetlength(r, (int)row, column) == len);
    return PQgetvalue(r, (int)row, column);
}

bool pg_bool(const struct pg_rows *rows, size_t row, int column)
{
    const char *v = value_of(rows, row, column, 1);
    return v && *v;
}

static int64_t read_int8(const char *v)
{
    uint64_t wire;
    memcpy(&wire, v, sizeof wire);
    return (int64_t)be64toh(wire);
}

int64_t pg_int(const struct pg_rows *rows, size_t row, int column)
{
    const char *v = value_of(rows, row, column, -1);
    if (!v)
        return 0;
    uint16_t two;
    uint32_t four;
    switch (PQgetlength(result_of(rows), (int)row, column)) {
    case 2:
        memcpy(&two, v, sizeof two);
        return (int16_t)be16toh(two);
    case 4:
        memcpy(&four, v, sizeof four);
        return (int32_t)be32toh(four);
    case 8:
        return read_int8(v);
    default:
        abort();
    }
}

double pg_float8(const struct pg_rows *rows, size_t row, int column)
{
    const char *v = value_of(rows, row, column, 8);
    double value = 0;
    if (v) {
        const int64_t bits = read_int8(v);
        memcpy(&value, &bits, sizeof value);
    }
    return value;
}

const char *pg_text_or_null(const struct pg_rows *rows, size_t row, int column)
{
    const char *v = value_of(rows, row, column, -1);
    if (v && PQftype(result_of(rows), column) == OID_JSONB)
        v++; /* its binary form begins with a version byte */
    return v;
}

const char *pg_text(const struct pg_rows *rows, size_t row, int column)
{
    const char *v = pg_text_or_null(rows, row, column);
    return v ? v : "";
}

const void *pg_bytea(const struct pg_rows *rows, size_t row, int column, size_t *len)
{
    const char *v = value_of(rows, row, column, -1);
    *len = v ? (size_t)PQgetlength(result_of(rows), (int)row, column) : 0;
    return v;
}

struct uuid pg_uuid(const struct pg_rows *rows, size_t row, int column)
{
    struct uuid id = {0};
    const char *v = value_of(rows, row, column, sizeof id.b);
    if (v)
        memcpy(id.b, v, sizeof id.b);
    return id;
}

int64_t pg_time(const struct pg_rows *rows, size_t row, int column)
{
    const char *v = value_of(rows, row, column, 8);
    return v ? read_int8(v) + PG_EPOCH_US : 0;
}

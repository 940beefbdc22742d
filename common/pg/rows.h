/* common/pg/rows.h: reads the rows of an answer (binary format). Row and column begin at 0.
 * A type that does not fit the column is a defect and ends the process. SQL NULL reads as 0, "",
 * the nil id, false; where that matters ask pg_is_null first. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/uuid.h"

struct pg_rows; /* valid during the callback; NULL has no rows */

size_t pg_row_count(const struct pg_rows *rows);
int64_t pg_affected(const struct pg_rows *rows); /* rows inserted, updated, deleted or selected */
bool pg_is_null(const struct pg_rows *rows, size_t row, int column);

bool pg_bool(const struct pg_rows *rows, size_t row, int column);
int64_t pg_int(const struct pg_rows *rows, size_t row, int column); /* int2, int4, int8 */
double pg_float8(const struct pg_rows *rows, size_t row, int column);
/* text, name, varchar, json, jsonb; NUL-terminated, valid during the callback. */
const char *pg_text(const struct pg_rows *rows, size_t row, int column);
/* As pg_text, but NULL for SQL NULL. */
const char *pg_text_or_null(const struct pg_rows *rows, size_t row, int column);
const void *pg_bytea(const struct pg_rows *rows, size_t row, int column, size_t *len);
struct uuid pg_uuid(const struct pg_rows *rows, size_t row, int column);
int64_t pg_time(const struct pg_rows *rows, size_t row, int column); /* timestamptz: Unix µs */

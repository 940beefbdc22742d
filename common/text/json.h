/* common/text/json.h: JSON text in and out. The value itself is jansson's json_t everywhere.
 * Pure and re-entrant. Numbers: integers are int64, everything else is a double; an integer that
 * does not fit is refused, not rounded. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/text.h"

struct json_limits {
    size_t depth; /* arrays and objects inside one another; a scalar has depth 0 */
    size_t bytes; /* length of the text */
};
#define JSON_DEPTH_MAX 64
#define JSON_BYTES_MAX (25UL * 1024 * 1024)

/* Reads one whole JSON text, any top-level value. `limits` NULL = the two maxima above.
 * Refuses invalid UTF-8, a byte order mark, duplicate keys, text after the value, and \u0000
 * anywhere (neither argv, environment nor Postgres can carry it).
 * NULL with LEAT_EINPUT "LINE:COLUMN: what" or LEAT_ELIMIT; otherwise a new reference. */
json_t *json_read(const char *data, size_t len, const struct json_limits *limits, struct err *err);

/* Canonical text: one line, keys sorted by byte, doubles shortest round-trip and always with a
 * point or an exponent. Equal values give equal bytes, so that it can be hashed. malloc'd. */
char *json_write(const json_t *v);
/* The same, indented by two spaces, with a final newline. */
char *json_write_pretty(const json_t *v);
/* json_write appended to `out`. */
void json_append(struct text *out, const json_t *v);

/* Shortest decimal that reads back as the same double: "0.1", "2.0", "1e+300". JSON has no
 * infinities: callers check isfinite first. */
#define JSON_DOUBLE_TEXT 32
void json_double_text(double v, char out[JSON_DOUBLE_TEXT]);

/* RFC 6901: "" is root, "/a/0/b~1c". Borrowed; NULL when there is no such place. */
json_t *json_pointer(json_t *root, const char *pointer);
/* One step of it: the child of `at` that the first segment of *pointer names, *pointer moved past
 * it and the unescaped segment in `segment`; NULL when there is none (then *pointer is kept). */
json_t *json_pointer_step(const json_t *at, const char **pointer, struct text *segment);
/* Appends "/segment" with ~ and / escaped, or "/index". */
void json_pointer_add(struct text *pointer, const char *segment);
void json_pointer_add_index(struct text *pointer, size_t index);

/* Members of an object by type. `fallback` comes back when `obj` is NULL or no object, when the
 * key is absent, and when the value is of another type. Strings are borrowed from obj. */
const char *json_get_string(const json_t *obj, const char *key, const char *fallback);
int64_t json_get_int(const json_t *obj, const char *key, int64_t fallback);
double json_get_double(const json_t *obj, const char *key, double fallback); /* integers too */
bool json_get_bool(const json_t *obj, const char *key, bool fallback);
json_t *json_get_object(const json_t *obj, const char *key); /* borrowed, NULL when not one */
json_t *json_get_array(const json_t *obj, const char *key);

static inline void json_cleanup(json_t **v)
{
    json_decref(*v); /* takes NULL */
}
#define cleanup_json __attribute__((cleanup(json_cleanup)))

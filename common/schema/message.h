/* common/schema/message.h: messages of the bus as C structs, driven by tables that schema/gen.py
 * makes from the files in schema/messages.
 * A decoded struct borrows its strings and JSON values from the parsed text that it holds
 * (`hold`); message_clear lets go of all of it. A struct built by hand borrows from its builder
 * and is never cleared. Unknown properties are ignored: a newer version may have added them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/text.h"
#include "common/base/uuid.h"

enum field_kind {
    FIELD_STRING,  /* const char *; NULL = absent */
    FIELD_UUID,    /* struct uuid; nil = absent */
    FIELD_ENUM,    /* int; 0 = absent */
    FIELD_INTEGER, /* int64_t; 0 = absent */
    FIELD_NUMBER,  /* double; 0 = absent */
    FIELD_BOOLEAN, /* bool; false = absent */
    FIELD_JSON,    /* json_t *; NULL = absent */
    FIELD_OBJECT,  /* struct X *; NULL = absent */
    FIELD_ARRAY    /* T *; size_t count beside it */
};

struct shape;

struct field {
    const char *name;
    enum field_kind kind;
    enum field_kind items; /* ARRAY */
    bool required;
    size_t offset;
    size_t count_offset;       /* ARRAY */
    const struct shape *shape; /* OBJECT, ARRAY of OBJECT */
    const char *const *names;  /* ENUM: [0] unused, NULL at the end */
    const char *fixed;         /* STRING: the only value allowed */
    int64_t least, most;       /* INTEGER, NUMBER */
    size_t longest;            /* STRING: bytes; 0 = no limit */
};

/* Bytes from one element of an ARRAY field to the next. */
size_t field_stride(const struct field *f);

struct shape {
    const char *name;
    size_t size;
    const struct field *fields;
    size_t count;
};

/* What a decoded message keeps alive; first member of every top-level struct. */
struct message_hold {
    json_t *root;
    struct arena *arena;
};

/* Parses text and fills `out` (zeroed here). On failure nothing is held. Errors name the place as a
 * JSON Pointer. LEAT_EINPUT. */
int message_decode(const struct shape *shape, const char *data, size_t len, void *out,
                   struct err *err);
/* The same from a value; takes a reference of its own. */
int message_from_json(const struct shape *shape, json_t *value, void *out, struct err *err);
void message_clear(void *message); /* zeroes the hold; takes a zeroed struct */

/* One line of JSON; absent fields are left out. `message_write` appends. */
void message_write(const struct shape *shape, const void *message, struct text *out);
char *message_encode(const struct shape *shape, const void *message, size_t *len);

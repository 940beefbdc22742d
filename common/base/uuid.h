/* common/base/uuid.h: identifiers. Runs are UUIDv7 (RFC 9562), events UUIDv5. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UUID_TEXT 37 /* 36 characters and the NUL */

struct uuid {
    uint8_t b[16];
};

/* Namespace of every UUIDv5 that Leat makes. */
extern const struct uuid UUID_LEAT;

/* UUIDv5 of the name under a namespace (SHA-1). */
struct uuid uuid_v5(const struct uuid *space, const void *name, size_t len);

/* UUIDv7-shaped: 48 bits of Unix milliseconds, 74 bits taken from `rest` (16 bytes). The same
 * arguments give the same id: a run made by a trigger gets a hash as its rest, so that a
 * repeated event names the same run. */
struct uuid uuid_v7(int64_t unix_ms, const uint8_t rest[16]);

/* Fresh random UUIDv7 / 16 random bytes from the kernel. */
struct uuid uuid_v7_now(int64_t unix_ms);
void random_bytes(void *out, size_t len);

void uuid_format(const struct uuid *id, char out[UUID_TEXT]);
/* Accepts the 36-character form in either case; anything else returns false. */
bool uuid_parse(const char *text, struct uuid *out);
int uuid_compare(const struct uuid *a, const struct uuid *b);
bool uuid_is_nil(const struct uuid *id);

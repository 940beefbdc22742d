/* common/base/hash.h: digests, HMAC, constant-time compare, sealing of secrets (libcrypto). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"

#define SHA256_BYTES 32
#define SHA256_HEX   65 /* 64 characters and the NUL */

void sha256(const void *data, size_t len, uint8_t out[SHA256_BYTES]);
void sha256_hex(const void *data, size_t len, char out[SHA256_HEX]);
void hex_encode(const uint8_t *data, size_t len, char *out); /* out: 2 * len + 1 */

/* Incremental digest of a stream. */
struct sha256_stream;
struct sha256_stream *sha256_start(void);
void sha256_add(struct sha256_stream *s, const void *data, size_t len);
void sha256_end(struct sha256_stream *s, uint8_t out[SHA256_BYTES]); /* frees s */

void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[SHA256_BYTES]);

/* The only compare allowed on secrets: its time depends on the lengths alone. */
bool secret_equal(const void *a, size_t a_len, const void *b, size_t b_len);

/* AES-256-GCM. `sealed` = 12 bytes nonce, ciphertext, 16 bytes tag. `name` is authenticated
 * with it, so that one secret's row cannot be moved under another's name.
 * seal returns a malloc'd buffer of *sealed_len; open returns a malloc'd NUL-terminated value
 * or NULL with LEAT_EINPUT when the key or the bytes are wrong. */
uint8_t *secret_seal(const uint8_t key[32], const char *name, const void *value, size_t len,
                     size_t *sealed_len);
char *secret_open(const uint8_t key[32], const char *name, const uint8_t *sealed, size_t sealed_len,
                  size_t *value_len, struct err *err);

/* Reads the 32-byte key file, making it (0600, fresh random bytes) where `create` is set and it
 * does not exist. */
int secret_key_load(const char *path, bool create, uint8_t key[32], struct err *err);

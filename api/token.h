/* api/token.h: tokens that are kept, as a hash: leat_KIND_ID_SECRET. The id (16 hex digits) is no
 * secret: it finds the row and is what lists show; SECRET is 32 random bytes in hex. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "common/base/hash.h"

#define TOKEN_ID_HEX 16
#define TOKEN_SIZE   100 /* longest text and its NUL */

enum token_kind {
    TOKEN_USER,   /* may do all that the API's own token may */
    TOKEN_JOIN,   /* once: makes a worker's credential */
    TOKEN_WORKER, /* a worker's: what its attempts need */
    TOKEN_KINDS,
};
extern const char *const TOKEN_KIND_NAMES[TOKEN_KINDS];

struct token {
    enum token_kind kind;
    char id[TOKEN_ID_HEX + 1];
    uint8_t hash[SHA256_BYTES]; /* of the whole text */
};

/* A new random one: the text, to be shown once, and what is kept. */
void token_new(enum token_kind kind, char text[TOKEN_SIZE], struct token *out);
/* What a text claims to be; false when it has not the shape of a token. */
bool token_parse(const char *text, struct token *out);
/* Constant time. */
bool token_equal(const struct token *token, const void *hash, size_t len);

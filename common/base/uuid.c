#include "common/base/uuid.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

const struct uuid UUID_LEAT = {{0x6c, 0x65, 0x61, 0x74, 0x2d, 0x65, 0x58, 0x0e, 0x9d, 0x1f, 0x70,
                                0x2b, 0x4c, 0x8e, 0x31, 0xa7}};

static void stamp(struct uuid *id, unsigned version)
{
    id->b[6] = (uint8_t)((id->b[6] & 0x0f) | (version << 4));
    id->b[8] = (uint8_t)((id->b[8] & 0x3f) | 0x80);
}

struct uuid uuid_v5(const struct uuid *space, const void *name, size_t len)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) ||
        !EVP_DigestUpdate(ctx, space->b, sizeof space->b) || !EVP_DigestUpdate(ctx, name, len) ||
        !EVP_DigestFinal_ex(ctx, digest, &n))
        abort(); /* only out of memory or a broken libcrypto */
    EVP_MD_CTX_free(ctx);
    struct uuid id;
    memcpy(id.b, digest, sizeof id.b);
    stamp(&id, 5);
    return id;
}

struct uuid uuid_v7(int64_t unix_ms, const uint8_t rest[16])
{
    struct uuid id;
    memcpy(id.b, rest, sizeof id.b);
    for (int i = 0; i < 6; i++)
        id.b[i] = (uint8_t)((uint64_t)unix_ms >> (40 - 8 * i));
    stamp(&id, 7);
    return id;
}

void random_bytes(void *out, size_t len)
{
    uint8_t *p = out;
    while (len > 0) {
        const ssize_t n = getrandom(p, len, 0);
        if (n <= 0)
            continue; /* EINTR is the only error once the pool is ready */
        p += n;
        len -= (size_t)n;
    }
}

struct uuid uuid_v7_now(int64_t unix_ms)
{
    uint8_t rest[16];
    random_bytes(rest, sizeof rest);
    return uuid_v7(unix_ms, rest);
}

void uuid_format(const struct uuid *id, char out[UUID_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    char *p = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[id->b[i] >> 4];
        *p++ = hex[id->b[i] & 15];
    }
    *p = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool uuid_parse(const char *text, struct uuid *out)
{
    struct uuid id;
    if (strnlen(text, UUID_TEXT) != UUID_TEXT - 1)
        return false;
    for (int i = 0; i < 16; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
            return false;
        const int high = hex_value(text[0]), low = hex_value(text[1]);
        if (high < 0 || low < 0)
            return false;
        id.b[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    *out = id;
    return true;
}

int uuid_compare(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->b, b->b, sizeof a->b);
}

bool uuid_is_nil(const struct uuid *id)
{
    static const struct uuid nil;
    return uuid_compare(id, &nil) == 0;
}

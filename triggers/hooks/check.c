#include <string.h>
#include <openssl/evp.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "triggers/hooks/provider.h"

/* An empty secret would be known to everybody. */
static bool has_secret(const struct delivery *d)
{
    return d->source->secret && d->source->secret_len > 0;
}

bool hook_hmac_matches(const struct delivery *d, const char *header)
{
    static const char prefix[] = "sha256=";
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    if (!has_secret(d) || !header || !text_starts_with(header, prefix))
        return false;
    hmac_sha256(d->source->secret, d->source->secret_len, d->body, d->len, digest);
    hex_encode(digest, sizeof digest, hex);
    const char *given = header + sizeof prefix - 1;
    return secret_equal(given, strlen(given), hex, sizeof hex - 1);
}

#define BASIC_MAX 4096 /* characters */

bool hook_basic_matches(const struct delivery *d)
{
    static const char prefix[] = "Basic ";
    const char *header = http_header(d->request, "Authorization");
    if (!has_secret(d) || !header || !text_starts_with(header, prefix))
        return false;
    const char *given = header + sizeof prefix - 1;
    const size_t len = strlen(given);
    unsigned char text[BASIC_MAX];
    if (len == 0 || len > BASIC_MAX || len % 4 != 0)
        return false;
    int n = EVP_DecodeBlock(text, (const unsigned char *)given, (int)len);
    n -= n > 0 ? (given[len - 1] == '=') + (given[len - 2] == '=') : 0;
    const unsigned char *colon = n > 0 ? memchr(text, ':', (size_t)n) : NULL;
    const bool same = colon && secret_equal(colon + 1, (size_t)(text + n - colon - 1),
                                            d->source->secret, d->source->secret_len);
    mem_wipe(text, sizeof text);
    return same;
}

bool hook_bearer_matches(const struct delivery *d)
{
    static const char prefix[] = "Bearer ";
    const char *header = http_header(d->request, "Authorization");
    if (!has_secret(d) || !header || !text_starts_with(header, prefix))
        return false;
    const char *given = header + sizeof prefix - 1;
    return secret_equal(given, strlen(given), d->source->secret, d->source->secret_len);
}

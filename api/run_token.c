#include "api/run_token.h"

#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

#define MAC_HEX (2 * SHA256_BYTES)
#define SIGNED  (RUN_TOKEN_SIZE - 1 - MAC_HEX)

/* The cluster's key seals secrets: it is not used for anything else itself. */
static void mac_of(const uint8_t key[32], const char *text, char hex[MAC_HEX + 1])
{
    static const char purpose[] = "leat run token 1";
    uint8_t derived[SHA256_BYTES], mac[SHA256_BYTES];
    hmac_sha256(key, 32, purpose, sizeof purpose - 1, derived);
    hmac_sha256(derived, sizeof derived, text, SIGNED, mac);
    hex_encode(mac, sizeof mac, hex);
    mem_wipe(derived, sizeof derived);
}

void run_token_make(const uint8_t key[32], const struct uuid *attempt, char out[RUN_TOKEN_SIZE])
{
    static const size_t prefix = sizeof RUN_TOKEN_PREFIX - 1;
    memcpy(out, RUN_TOKEN_PREFIX, prefix);
    uuid_format(attempt, out + prefix);
    out[SIGNED - 1] = '_';
    mac_of(key, out, out + SIGNED);
}

bool run_token_check(const uint8_t key[32], const char *text, struct uuid *attempt)
{
    static const size_t prefix = sizeof RUN_TOKEN_PREFIX - 1;
    char hex[MAC_HEX + 1], id[UUID_TEXT];
    if (strlen(text) != RUN_TOKEN_SIZE - 1)
        return false;
    mac_of(key, text, hex);
    if (!secret_equal(text + SIGNED, MAC_HEX, hex, MAC_HEX))
        return false;
    memcpy(id, text + prefix, UUID_TEXT - 1);
    id[UUID_TEXT - 1] = '\0';
    return memcmp(text, RUN_TOKEN_PREFIX, prefix) == 0 && uuid_parse(id, attempt);
}

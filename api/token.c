#include "api/token.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/uuid.h"

const char *const TOKEN_KIND_NAMES[TOKEN_KINDS] = {"user", "join", "worker"};

#define SECRET_HEX 64

void token_new(enum token_kind kind, char text[TOKEN_SIZE], struct token *out)
{
    uint8_t id[TOKEN_ID_HEX / 2], secret[SECRET_HEX / 2];
    char secret_hex[SECRET_HEX + 1];
    random_bytes(id, sizeof id);
    random_bytes(secret, sizeof secret);
    *out = (struct token){.kind = kind};
    hex_encode(id, sizeof id, out->id);
    hex_encode(secret, sizeof secret, secret_hex);
    snprintf(text, TOKEN_SIZE, "leat_%s_%s_%s", TOKEN_KIND_NAMES[kind], out->id, secret_hex);
    sha256(text, strlen(text), out->hash);
    mem_wipe(secret, sizeof secret);
    mem_wipe(secret_hex, sizeof secret_hex);
}

static bool is_hex(const char *s, size_t n)
{
    return strspn(s, "0123456789abcdef") >= n;
}

bool token_parse(const char *text, struct token *out)
{
    for (int kind = 0; kind < TOKEN_KINDS; kind++) {
        char prefix[16];
        const int n = snprintf(prefix, sizeof prefix, "leat_%s_", TOKEN_KIND_NAMES[kind]);
        const char *id = text + n;
        if (!text_starts_with(text, prefix) || strlen(id) != TOKEN_ID_HEX + 1 + SECRET_HEX)
            continue;
        const char *secret = id + TOKEN_ID_HEX + 1;
        if (!is_hex(id, TOKEN_ID_HEX) || secret[-1] != '_' || !is_hex(secret, SECRET_HEX))
            continue;
        *out = (struct token){.kind = (enum token_kind)kind};
        memcpy(out->id, id, TOKEN_ID_HEX);
        sha256(text, strlen(text), out->hash);
        return true;
    }
    return false;
}

bool token_equal(const struct token *token, const void *hash, size_t len)
{
    return secret_equal(token->hash, sizeof token->hash, hash, len);
}

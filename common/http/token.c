#include "common/http/token.h"

#include <stdio.h>
#include <string.h>

#include "common/base/address.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define TOKEN_LEAST 16

int token_read(const char *key, const char *address, bool insecure, const char *file, char **token,
               struct err *err)
{
    *token = NULL;
    if (address_is_loopback(address))
        return 0;
    if (!insecure)
        return err_set(err, LEAT_EREFUSED,
                       "--%s %s can be reached from other machines: put a proxy with TLS before a "
                       "loopback address, or say --insecure and give --token-file",
                       key, address);
    FILE *in = file ? fopen(file, "re") : NULL;
    char line[256] = "";
    if (!in || !fgets(line, sizeof line, in))
        line[0] = '\0';
    if (in)
        fclose(in);
    line[strcspn(line, "\r\n")] = '\0';
    if (strlen(line) < TOKEN_LEAST)
        return err_set(err, LEAT_EREFUSED,
                       "--token-file must hold a token of %d characters or more", TOKEN_LEAST);
    *token = mem_string(line);
    mem_wipe(line, sizeof line);
    return 0;
}

bool token_fits(const struct http_request *req, const char *token)
{
    static const char prefix[] = "Bearer ";
    const char *header = http_header(req, "Authorization");
    if (!token)
        return true;
    if (!header || !text_starts_with(header, prefix))
        return false;
    const char *given = header + sizeof prefix - 1;
    return secret_equal(given, strlen(given), token, strlen(token));
}

/* common/http/token.h: the token that callers need where a daemon can be reached from elsewhere. */
#pragma once
#include <stdbool.h>
#include "common/base/err.h"
#include "common/http/server.h"

/* The token for a daemon that listens at `address`: NULL on loopback, where none is needed.
 * Elsewhere LEAT_EREFUSED unless `insecure` (no TLS of our own) was said and `file` holds a token
 * of 16 characters or more in its first line. `key` is the setting's name, for the message.
 * *token is malloc'd. Reads a file: at start only. */
int token_read(const char *key, const char *address, bool insecure, const char *file, char **token,
               struct err *err);

/* Does the request carry "Authorization: Bearer TOKEN"? Constant time in the token. True when
 * token is NULL. */
bool token_fits(const struct http_request *req, const char *token);

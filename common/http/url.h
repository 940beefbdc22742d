/* common/http/url.h: percent-encoding. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "common/base/text.h"

/* Appends `data` with everything but [A-Za-z0-9-._~] percent-encoded; `keep` lists further
 * characters that stay ("/" for paths), NULL = none. */
void url_escape(struct text *out, const char *data, size_t len, const char *keep);

/* Decoded copy (malloc'd, NUL-terminated) of raw[0, len), or NULL when an escape is broken or gives
 * a NUL byte. `plus`: '+' means a space (query strings). */
char *url_unescape(const char *raw, size_t len, bool plus);

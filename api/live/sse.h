/* api/live/sse.h: the text of server-sent events (WHATWG HTML, "Server-sent events"). Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>
#include "common/base/text.h"

#define SSE_LOG_MAX 16384 /* bytes of a log in one event */

/* One event: its name, the position after it ("" or NULL = none: the reader keeps the one before)
 * and its data as one line of JSON. */
void sse_event(struct text *out, const char *name, const char *id, const json_t *data);
/* What a reader sees nothing of: keeps proxies from closing a quiet line. */
void sse_heartbeat(struct text *out);
/* The reader tries again so long after the line broke. */
void sse_retry(struct text *out, int ms);

/* The next piece of a log: the longest of at most SSE_LOG_MAX bytes that is UTF-8 without NUL, cut
 * behind a line's end where it holds one and more follows, or else of bytes that are none of it.
 * Returns its length, at least 1 when len is; *is_text says which. `more`: bytes follow that are
 * not given here, so that a character may be cut at the end (0 then: give more). */
size_t sse_log_piece(const char *data, size_t len, bool more, bool *is_text);

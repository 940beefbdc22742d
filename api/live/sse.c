#include "api/live/sse.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/json.h"

void sse_event(struct text *out, const char *name, const char *id, const json_t *data)
{
    cleanup_free char *line = json_write(data); /* its line breaks are escaped */
    if (id && *id)
        text_printf(out, "id: %s\n", id);
    text_printf(out, "event: %s\ndata: ", name);
    text_puts(out, line);
    text_puts(out, "\n\n");
}

void sse_heartbeat(struct text *out)
{
    text_puts(out, ":\n\n");
}

void sse_retry(struct text *out, int ms)
{
    text_printf(out, "retry: %d\n\n", ms);
}

/* Bytes of the character at data: 0 = none, -1 = it may go on behind len. */
static int character(const char *data, size_t len)
{
    char copy[5] = "";
    const size_t n = len < 4 ? len : 4;
    memcpy(copy, data, n);
    const size_t whole = data[0] ? text_utf8_length(copy) : 0;
    if (whole > 0)
        return (int)whole;
    const unsigned char lead = (unsigned char)data[0];
    const size_t wanted = lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead >= 0xf5 || len >= wanted)
        return 0;
    for (size_t i = 1; i < len; i++)
        if (((unsigned char)data[i] & 0xc0) != 0x80)
            return 0;
    return -1;
}

static size_t text_prefix(const char *data, size_t len)
{
    size_t at = 0;
    int n;
    while (at < len && (n = character(data + at, len - at)) > 0 && at + (size_t)n <= SSE_LOG_MAX)
        at += (size_t)n;
    return at;
}

static size_t bytes_prefix(const char *data, size_t len, bool more)
{
    size_t at = 0;
    for (int n; at < len && at < SSE_LOG_MAX; at++)
        if ((n = character(data + at, len - at)) > 0 || (n < 0 && more))
            break;
    return at;
}

size_t sse_log_piece(const char *data, size_t len, bool more, bool *is_text)
{
    const size_t valid = text_prefix(data, len);
    *is_text = valid > 0;
    if (valid == 0)
        return bytes_prefix(data, len, more);
    const char *line_end = valid < len || more ? memrchr(data, '\n', valid) : NULL;
    return line_end ? (size_t)(line_end - data) + 1 : valid;
}

#include "common/http/url.h"

#include <stdint.h>
#include <string.h>

#include "common/base/mem.h"

static const char unreserved[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

void url_escape(struct text *out, const char *data, size_t len, const char *keep)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)data[i];
        if (c && (strchr(unreserved, c) || (keep && strchr(keep, c)))) {
            text_append(out, &data[i], 1);
            continue;
        }
        const char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
        text_append(out, escape, sizeof escape);
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of "%41" at raw[i], -1 when it is broken or NUL. */
static int escaped_byte(const char *raw, size_t len, size_t i)
{
    if (i + 2 >= len)
        return -1;
    const int high = hex_value(raw[i + 1]), low = hex_value(raw[i + 2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0))
        return -1;
    return high << 4 | low;
}

char *url_unescape(const char *raw, size_t len, bool plus)
{
    cleanup_free char *out = mem_alloc(len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)raw[i];
        if (c == '%') {
            c = escaped_byte(raw, len, i);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c <= 0)
            return NULL;
        out[n++] = (char)c;
    }
    return TAKE(out);
}

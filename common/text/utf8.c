#include "common/text/utf8.h"

#include <string.h>

/* Bytes of a sequence by its first byte; 0 for what cannot begin one. */
static size_t sequence_length(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first <= 0xDF)
        return 2;
    if (first >= 0xE0 && first <= 0xEF)
        return 3;
    return first >= 0xF0 && first <= 0xF4 ? 4 : 0;
}

static uint32_t decode(const unsigned char *p, size_t n)
{
    static const unsigned char masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t cp = p[0] & masks[n];
    for (size_t i = 1; i < n; i++)
        cp = cp << 6 | (p[i] & 0x3F);
    return cp;
}

bool utf8_valid(const char *data, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)data, *end = p + len;
    while (p < end) {
        const size_t n = sequence_length(*p);
        if (n == 0 || (size_t)(end - p) < n)
            return false;
        for (size_t i = 1; i < n; i++)
            if ((p[i] & 0xC0) != 0x80)
                return false;
        const uint32_t cp = decode(p, n);
        if (cp < least[n] || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
            return false;
        p += n;
    }
    return true;
}

size_t utf8_count(const char *data, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += ((unsigned char)data[i] & 0xC0) != 0x80;
    return count;
}

uint32_t utf8_next(const char **p, const char *end)
{
    const unsigned char *at = (const unsigned char *)*p;
    size_t n = sequence_length(*at);
    if (n == 0 || (size_t)(end - *p) < n)
        n = 1;
    *p += n;
    return n == 1 ? *at : decode(at, n);
}

size_t utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if ((cp >= 0xD800 && cp <= 0xDFFF) || cp > 0x10FFFF)
        return 0;
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

size_t utf8_cut(const char *text, size_t most)
{
    size_t len = strnlen(text, most + 1);
    if (len <= most)
        return len;
    for (len = most; len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80;)
        len--;
    return len;
}

size_t utf8_offset(const char *data, size_t len, size_t index)
{
    size_t at = 0;
    while (at < len && index > 0) {
        at++;
        while (at < len && ((unsigned char)data[at] & 0xC0) == 0x80)
            at++;
        index--;
    }
    return at;
}

#include "worker/attempt/reason.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the character at s, 0 when it is none: overlong forms, surrogates and what lies past
 * U+10FFFF included. */
static size_t character(const uint8_t *s)
{
    const uint8_t c = s[0];
    const size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0; /* the NUL at the end stops here too */
    if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) || (c == 0xf0 && s[1] < 0x90) ||
        (c == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

static bool is_control(uint8_t c)
{
    return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
}

void reason_clean(const char *from, char *out, size_t most)
{
    size_t at = 0;
    for (const uint8_t *s = (const uint8_t *)from; *s;) {
        const size_t len = character(s);
        const bool bad = len == 0 || is_control(*s);
        const size_t takes = bad ? 1 : len;
        if (at + takes >= most)
            break;
        if (bad)
            out[at] = '?';
        else
            memcpy(out + at, s, len);
        at += takes;
        s += takes;
    }
    out[at] = '\0';
}

/* common/text/utf8.h: code points of UTF-8 text. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No overlong forms, no surrogates, nothing above U+10FFFF. */
bool utf8_valid(const char *data, size_t len);
/* Of valid text. */
size_t utf8_count(const char *data, size_t len);
/* Code point at *p (before `end`, valid text), *p moved behind it. */
uint32_t utf8_next(const char **p, const char *end);
/* Writes 1 to 4 bytes and returns how many; 0 for what is no code point. */
size_t utf8_encode(uint32_t cp, char out[4]);
/* How many bytes of the text, at most `most`, so that no code point is cut. */
size_t utf8_cut(const char *text, size_t most);
/* Byte offset of code point `index`; len when there are fewer. */
size_t utf8_offset(const char *data, size_t len, size_t index);

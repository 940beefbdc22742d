/* common/base/text.h: a growing string, and small helpers on text. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is empty. `data` is NULL until the first append, NUL-terminated after it. */
struct text {
    char *data;
    size_t len;
    size_t cap;
};

void text_append(struct text *t, const void *data, size_t len);
void text_puts(struct text *t, const char *s);
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *t);  /* back to empty */
char *text_take(struct text *t); /* the string (never NULL); t is empty afterwards */
#define cleanup_text __attribute__((cleanup(text_free)))

bool text_starts_with(const char *s, const char *prefix);
bool text_ends_with(const char *s, const char *suffix);
/* [a-z0-9]([a-z0-9-_.]*), at most `max` characters: names of pipelines, steps, sources, … */
bool text_is_name(const char *s, size_t max);
/* Whole string as a base-10 integer in [least, most]; false otherwise. */
bool text_to_int(const char *s, long long least, long long most, long long *out);

/* Length of the well-formed UTF-8 sequence (RFC 3629) at s, which is NUL-terminated; 0 = none. */
size_t text_utf8_length(const char *s);
/* Appends s in double quotes as JSON does: quotes, backslashes and control characters escaped,
 * bytes that are no UTF-8 replaced by U+FFFD. */
void text_quote(struct text *t, const char *s);

/* Microseconds of "500us", "500ms", "10s", "5m", "2h", "14d" (a fraction is allowed: "1.5s");
 * bytes of "512", "64KiB", "25MiB", "5GiB", "1TiB" (KB, MB… are powers of 1000). Not negative;
 * false for anything else and for what does not fit. */
bool text_to_duration(const char *s, int64_t *us);
bool text_to_size(const char *s, int64_t *bytes);

/* The one of `words` (ends with NULL) that is nearest to `word` and near enough to have been
 * meant (at most a third of it edited), or NULL. For "did you mean". */
const char *text_nearest(const char *word, const char *const *words);

/* tests/support/ir_text.h: pipeline files and IR that tests write out. What is not as it should be
 * fails the test. */
#pragma once
#include <jansson.h>
#include <stddef.h>

/* JSON in which single quotes stand for double ones, which spares the backslashes. */
json_t *json_of(const char *text);

/* BEGIN, `count` times BEFORE with its number and AFTER, END; to be freed. */
char *repeated(const char *begin, size_t count, const char *before, const char *after,
               const char *end);

/* What many of one thing are: `most` are taken, one more is refused with `error`. */
struct ir_count {
    size_t most;
    const char *begin, *before, *after, *end, *error;
};
void check_counts(const struct ir_count *rows, size_t count,
                  void (*check)(const char *yaml, const char *error));

/* What is put at a place of an IR ("-" takes it away), and what is said when it is loaded then. */
struct broken_ir {
    const char *parent, *key, *json, *error;
};
void check_broken_ir(const char *ir, const struct broken_ir *rows, size_t count);

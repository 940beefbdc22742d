/* common/text/regex.h: a bounded subset of RE2's regular expressions, for yes-or-no questions.
 * A Thompson automaton over code points: time is linear in the subject, nothing backtracks.
 *
 * Taken: literals, . [a-z] [^a-z] [[:alpha:]] \d \D \w \W \s \S \b \B ^ $ \A \z | ( ) (?: ) (?i)
 * (?s) (?m) (?flags: ) * + ? {n} {n,} {n,m} (n, m <= 1000) and their non-greedy forms, \n \t \r
 * \f \v \a \xHH \x{H…} and \ before punctuation. Case folding is ASCII's. Refused: back-references,
 * look-around, \p, \Q, \C, named groups. Pure; a compiled pattern is constant. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/arena.h"

#define REGEX_PATTERN_MAX 256         /* bytes */
#define REGEX_SUBJECT_MAX (64 * 1024) /* bytes; callers check */
#define REGEX_PROGRAM_MAX 2000        /* instructions, counted repetitions written out */

struct regex;

/* The compiled pattern lives in the arena. NULL, and *why says what is wrong with it. */
const struct regex *regex_compile(struct arena *arena, const char *pattern, size_t len,
                                  const char **why);
/* Whether the pattern matches anywhere in `subject` (valid UTF-8). */
bool regex_search(const struct regex *re, const char *subject, size_t len);
/* Upper bound of the work for one code point of a subject. */
size_t regex_weight(const struct regex *re);

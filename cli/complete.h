/* cli/complete.h: what may come next on a command line, for the shells. From the table of verbs;
 * names of what Leat holds through its API. */
#pragma once
#include <stddef.h>
#include "common/base/text.h"

/* `words`: what stands behind "leat", the last of them the one to complete ("" when it is not begun
 * yet). Appends "WORD\tDESCRIPTION\n" for each that begins with it, or ":files\n" where a file is
 * wanted. With `call`, asks the API (blocking; an error gives nothing). */
void complete_words(char *const *words, size_t count, bool call, struct text *out);

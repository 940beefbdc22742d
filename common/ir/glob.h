/* common/ir/glob.h: patterns of branches, tags and repositories. Pure. */
#pragma once
#include <stdbool.h>

/* The whole of `text` against `pattern`: * is any run of characters but /, ** any run of any, all
 * else is itself. Bytes; O(length of both, multiplied). */
bool glob_match(const char *pattern, const char *text);

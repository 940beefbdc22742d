/* cli/took.h: how long something took, for people. */
#pragma once
#include <jansson.h>

/* From the item's `started` to its `finished`, or to now while that is null: "12 ms", "4.5 s",
 * "2 min 5 s", "1 h 3 min", "2 d 4 h". Clocks of several machines may be behind one another: never
 * less than 0 ms. NULL when it has not started. The caller frees it. */
char *took_text(const json_t *item);

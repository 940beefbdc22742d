/* worker/attempt/reason.h: text for people that goes into a report, which is JSON. Pure. */
#pragma once
#include <stddef.h>

/* Copies at most most - 1 bytes of `from`, whole characters only; bytes that are no UTF-8 and
 * control characters other than line breaks and tabs become '?'. */
void reason_clean(const char *from, char *out, size_t most);

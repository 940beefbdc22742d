/* scheduler/core/worker/hello.h: what a worker says of itself, from the message and from its row.
 */
#pragma once
#include "scheduler/core/state.h"

void hello_take(struct core *core, struct worker *w, const struct report_hello *hello);
/* From the `info` of its row, which hello_take made. */
void hello_recall(struct core *core, struct worker *w, json_t *info);

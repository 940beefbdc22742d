/* scheduler/core/restore.h: committed state into memory at a takeover. */
#pragma once
#include "scheduler/core/state.h"

void restore_all(struct core *core, const struct snapshot *all, const struct core_now *now);
/* What the first turn after it owes: runs whose version cannot be read end, queued runs that fit
 * start. */
void restore_first_turn(struct core *core, const struct core_now *now, struct batch *out);
/* Sends the next order that may have been missed with the last leader; false = none is left. */
bool restore_resend_one(struct core *core, struct batch *out);

/* scheduler/core/commands.h: run, cancel, retry; each ends with a verdict. */
#pragma once
#include "scheduler/core/state.h"

void command_take(struct core *core, const struct command *command, bool tombstoned,
                  const struct core_now *now, struct batch *out);

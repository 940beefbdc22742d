/* cli/up/ready.h: is what `leat up` started ready to be used? */
#pragma once
#include "cli/up/settings.h"
#include "common/base/clock.h"

#define UP_READY_LIMIT_US (60 * US_PER_S)
#define UP_READY_LOOK_US  (50 * US_PER_MS)

/* One look, a few milliseconds: hooks and API answer, a scheduler leads, a worker is active.
 * 0, or LEAT_EUNREACHABLE saying what is missing and where its log is. */
int up_ready(const struct up_settings *settings, struct err *err);

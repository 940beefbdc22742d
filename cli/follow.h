/* cli/follow.h: a run's logs and end, as they come. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include "common/base/err.h"

/* Prints the logs of `step` (NULL = all steps, each line behind its step's name). With `follow` all
 * attempts as they come (`attempt`: that one only), until the step, or the run, is over; without it
 * what is there of the newest attempt, or of `attempt`. */
int follow_logs(const char *run, const char *step, const char *attempt, bool follow,
                struct err *err);
/* Waits until a run that the queue has taken is there: the next leader makes it. LEAT_EUNREACHABLE
 * when none does in a minute. */
int follow_begin(const char *run, struct err *err);
/* Waits until the run is terminal; *ended is a new reference to the run. */
int follow_end(const char *run, json_t **ended, struct err *err);

/* cli/follow.h: a run's logs and end, as they come. */
#pragma once
#include <jansson.h>
#include "common/base/err.h"

/* Prints the logs of `step` (NULL = all steps, each line behind its step's name) until they are
 * whole; with `follow` waits for what is still to come. `attempt` NULL = the newest. */
int follow_logs(const char *run, const char *step, const char *attempt, bool follow,
                struct err *err);
/* Waits until the run is terminal; *state is a new reference to the run. */
int follow_end(const char *run, json_t **ended, struct err *err);
bool run_is_terminal(const json_t *run);

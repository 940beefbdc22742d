/* tests/sim/check/starts.h: steps that start runs. */
#pragma once
#include "tests/sim/database/database.h"

struct plan_step;
/* What such a step has come to. */
void check_started(struct sim *sim, const struct plan_step *s, const struct row_key *key,
                   const struct row_result *result);
/* After each commit: it and its run go on and end together. */
void check_starts(struct sim *sim, const struct batch *batch);

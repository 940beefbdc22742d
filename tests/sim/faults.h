/* tests/sim/faults.h: what goes wrong, and what was going on when it did. */
#pragma once
#include "tests/sim/sim.h"

/* Plans the faults of a seed; after the last one everything heals. */
void faults_plan(struct sim *sim);
void faults_heal(void *sim);

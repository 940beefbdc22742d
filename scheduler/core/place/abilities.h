/* scheduler/core/place/abilities.h: which workers understand the order of a step. */
#pragma once
#include "common/base/abilities.h"
#include "scheduler/core/state.h"

/* A set of ABILITY_…: out of a hello's names, those that this leader does not know left out. */
uint32_t abilities_of(const json_t *names);
/* What its worker must have. */
uint32_t abilities_wanted(const struct version *v, int32_t step);

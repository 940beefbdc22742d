/* scheduler/core/dag/items.h: how many frames a group has, and over what. */
#pragma once
#include "scheduler/core/state.h"

#define ITEMS_SKIPPED 1

/* Sets count, branch and items. ITEMS_SKIPPED: no branch of a switch holds. LEAT_EINPUT,
 * LEAT_ELIMIT with what is wrong. */
int items_find(struct group *g, struct err *err);

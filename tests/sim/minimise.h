/* tests/sim/minimise.h: the least of a failing seed that still fails. */
#pragma once
#include "tests/sim/keep.h"

#define MINIMISE_RUNS 600 /* at most; a run is a seed of some milliseconds */

/* Does the seed fail in the same way with only this kept? */
typedef bool minimise_fn(void *ctx, const struct keep *keep);

struct minimised {
    struct keep keep;
    int runs;
    bool least; /* nothing that is left can be left out alone; false: the runs were used up */
};

/* Delta debugging after Zeller and Hildebrandt 2002, over the row of keep.h: leaves out halves,
 * quarters, … and at last single ones for as long as it fails alike. `keep` fails. */
struct minimised minimise(const struct keep *keep, const struct keep_counts *counts,
                          minimise_fn *fails, void *ctx);

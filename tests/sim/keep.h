/* tests/sim/keep.h: what of a seed's plan happens. A seed plans faults, sendings (events, commands,
 * changes of the catalog), pipelines and their steps, each by a stream of chance of its own
 * (sim_stream), so leaving some out changes nothing in the plan of the others. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define KEEP_FAULTS    512
#define KEEP_SENDINGS  64
#define KEEP_PIPELINES 3
#define KEEP_VERSIONS  3
#define KEEP_STEPS     32

/* How much of each was planned, or has struck until the seed failed. */
struct keep_counts {
    int faults, sendings, pipelines;
    int steps[KEEP_PIPELINES][KEEP_VERSIONS];
};

/* A bit each, set = left out: all zero is the whole seed. */
struct keep {
    uint32_t without; /* kinds of faults */
    uint64_t faults[KEEP_FAULTS / 64];
    uint64_t sendings[KEEP_SENDINGS / 64];
    uint64_t pipelines[1];
    uint64_t steps[KEEP_PIPELINES][KEEP_VERSIONS];
};

bool keep_fault(const struct keep *keep, int n);
bool keep_sending(const struct keep *keep, int n);
bool keep_pipeline(const struct keep *keep, int n);
uint32_t keep_steps(const struct keep *keep, int pipeline, int version); /* those kept */

/* Everything that was planned in one row: pipelines, sendings, faults, steps. */
int keep_row(const struct keep_counts *counts);
void keep_drop(struct keep *keep, const struct keep_counts *counts, int n);
bool keep_has(const struct keep *keep, const struct keep_counts *counts, int n);
/* Leaves out whatever would come after what was counted. */
void keep_nothing_else(struct keep *keep, const struct keep_counts *counts);
int keep_faults_left(const struct keep *keep, const struct keep_counts *counts);

/* The options of leat-sim that say it: --without KIND,… are kinds of faults that never strike;
 * --keep-faults, --keep-sendings and --pipelines N,… name all that there are ("none" = not one);
 * --keep-steps PIPELINE.VERSION.STEP,… all steps of those versions that it names. */
bool keep_parse(struct keep *keep, const char *option, char *list); /* false: told on stderr */
void keep_print(FILE *out, const struct keep *keep, const struct keep_counts *counts);

/* tests/sim/report.h: what a seed that failed tells. */
#pragma once
#include <stdio.h>
#include "tests/sim/sim.h"

/* Told to the process that started the seed through a page that both share. */
struct report_page {
    uint64_t seed; /* the one that is run */
    int invariant; /* -1 = none broken (an abort, when the process died) */
    int64_t at_us;
    struct keep_counts planned; /* until then; all 0 = it died without a word */
    int64_t faults, lines;      /* that struck, of the history */
    char text[1024];
};
/* Of the seed that this process runs from now on. */
void report_to(struct report_page *page);
void report_sim(struct sim *sim);
_Noreturn void report_failure(struct sim *sim, int invariant, const char *text);

/* Minimises it; prints what is left of its history and a command that replays it on stderr, and on
 * `brief`, where there is one, what minimising did in one line and the command. */
void tell_failure(const struct report_page *failed, const struct keep *keep, FILE *brief);
/* Runs the seed here, its history on stderr. */
void tell_history(uint64_t seed, const struct keep *keep);
void tell_plant(const char *name); /* the planted bug that replaying takes */

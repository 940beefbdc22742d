/* tests/sim/report.h: what a seed that failed tells. */
#pragma once
#include "tests/sim/sim.h"

/* Told to the process that started the seed through a page that both share. */
struct report_page {
    uint64_t seed; /* the one that is run */
    int invariant; /* -1 = none broken (an abort, when the process died) */
    int64_t at_us;
    char text[1024];
};
void report_to(struct report_page *page);
_Noreturn void report_failure(struct sim *sim, int invariant, const char *text);

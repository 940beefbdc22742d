/* tests/sim/jobs.h: many seeds, in as many processes as were asked for. Which process runs a seed
 * changes nothing of it; of several that fail the lowest is told, so the answer does not depend on
 * the number of processes either. */
#pragma once
#include "tests/sim/report.h"

#define JOBS_MAX    16
#define CHANGES_MAX 4096 /* of one seed, in the histogram */

struct sums {
    struct sim_counts counts;
    int64_t changes[CHANGES_MAX];
};

struct jobs {
    uint64_t seed; /* the first */
    int64_t seeds;
    int count;
    struct keep keep;
    /* what came of it */
    struct sums sums;
    int64_t took_us;
    bool interrupted; /* SIGINT or SIGTERM: each process ended the seed that it had */
    int64_t holding;  /* seeds before the one that failed; -1 = none failed */
    struct report_page failed;
};

/* Tells its progress on stderr, each second on a terminal and each half minute elsewhere. */
void jobs_run(struct jobs *jobs);
/* A page that a child can write and its parent read. */
void *jobs_share(size_t size);
/* One seed, in this process. */
void jobs_seed(struct report_page *page, struct sums *sums, uint64_t seed, const struct keep *keep,
               bool history);
/* What the seeds that were run came to, on stdout. */
void table_print(const struct jobs *jobs);
/* From so many seeds on the table must show that a seed means something: enough happens in one, and
 * each kind of fault has struck while each kind of thing was going on. False: told on stdout. */
#define TABLE_SEEDS 20000
bool table_holds(const struct jobs *jobs);

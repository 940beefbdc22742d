/* leat-sim [--seeds N] [--seed FIRST] [--jobs N] [--history] [--expect-failure [--minimise]]
 *          [--enforce]
 *          [--plant BUG] [--without KIND,…] [--keep-faults N,…] [--keep-sendings N,…]
 *          [--pipelines N,…] [--keep-steps P.V.S,…]
 * Runs seeds until one breaks an invariant, or all hold. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/base/log.h"
#include "common/base/plant.h"
#include "tests/sim/jobs.h"

struct options {
    struct jobs jobs;
    bool history, expect_failure, minimise, enforce;
};

static int run_all(struct options *o)
{
    struct jobs *jobs = &o->jobs;
    jobs_run(jobs);
    if (jobs->holding >= 0) {
        if (o->expect_failure)
            printf("I%d after %" PRId64 " seeds: %s\n", jobs->failed.invariant, jobs->holding + 1,
                   jobs->failed.text);
        if (o->expect_failure && !o->minimise)
            return 3;
        tell_failure(&jobs->failed, &jobs->keep, o->expect_failure ? stdout : NULL);
        return 3;
    }
    table_print(jobs);
    if (!jobs->interrupted)
        return (o->enforce || jobs->seeds >= TABLE_SEEDS) && !table_holds(jobs) ? 4 : 0;
    printf("ended by a signal after %" PRId64 " of %" PRId64 " seeds\n", jobs->sums.counts.seeds,
           jobs->seeds);
    return 130;
}

static void choose_plant(const char *name)
{
#ifdef LEAT_PLANTS
    if (plant_choose(name))
        return tell_plant(name);
    fprintf(stderr, "leat-sim: there is no planted bug '%s'\n", name);
#else
    fprintf(stderr, "leat-sim: %s is not compiled in (make V=plants sim-bin)\n", name);
#endif
    exit(2);
}

static const struct option OPTIONS[] = {
    {"seeds", required_argument, NULL, 'n'},
    {"seed", required_argument, NULL, 's'},
    {"jobs", required_argument, NULL, 'j'},
    {"history", no_argument, NULL, 'h'},
    {"expect-failure", no_argument, NULL, 'e'},
    {"minimise", no_argument, NULL, 'm'},
    {"enforce", no_argument, NULL, 'f'},
    {"plant", required_argument, NULL, 'p'},
    {"without", required_argument, NULL, 'k'},
    {"keep-faults", required_argument, NULL, 'k'},
    {"keep-sendings", required_argument, NULL, 'k'},
    {"pipelines", required_argument, NULL, 'k'},
    {"keep-steps", required_argument, NULL, 'k'},
    {0},
};

static bool take_option(struct options *o, int c, int index)
{
    switch (c) {
    case 'n':
        o->jobs.seeds = strtoll(optarg, NULL, 10);
        return true;
    case 's':
        o->jobs.seed = strtoull(optarg, NULL, 10);
        return true;
    case 'j':
        o->jobs.count = (int)strtol(optarg, NULL, 10);
        return true;
    case 'h':
        return o->history = true;
    case 'e':
        return o->expect_failure = true;
    case 'm':
        return o->minimise = true;
    case 'f':
        return o->enforce = true;
    case 'p':
        choose_plant(optarg);
        return true;
    case 'k':
        return keep_parse(&o->jobs.keep, OPTIONS[index].name, optarg);
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    static struct options o; /* large */
    o.jobs.seed = 1;
    o.jobs.seeds = 1000;
    o.jobs.count = cores < 1 ? 1 : cores > JOBS_MAX ? JOBS_MAX : (int)cores;
    int c, index = 0;
    while ((c = getopt_long(argc, argv, "", OPTIONS, &index)) != -1)
        if (!take_option(&o, c, index))
            return 2;
    if (o.jobs.count < 1 || o.jobs.count > JOBS_MAX || o.jobs.seeds < 1)
        return 2;
    log_setup("sim", (enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
    if (!o.history)
        return run_all(&o);
    tell_history(o.jobs.seed, &o.jobs.keep);
    printf("seed %" PRIu64 " holds\n", o.jobs.seed);
    return 0;
}

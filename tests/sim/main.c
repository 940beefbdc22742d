/* leat-sim [--seeds N] [--seed FIRST] [--jobs N] [--without FAULT,…] [--history] [--expect-failure]
 *          [--plant BUG]
 * Runs seeds until one breaks an invariant, or all hold. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/plant.h"
#include "tests/sim/jobs.h"

struct options {
    struct jobs jobs;
    bool history, expect_failure;
};

struct seed_page { /* shared with the process that runs it */
    struct report_page report;
    struct sums sums;
};

static struct report_page *told;

void report_to(struct report_page *page)
{
    told = page;
}

static void print_history(const struct sim *sim)
{
    size_t first = sim->history_count > HISTORY ? sim->history_count - HISTORY : 0;
    for (size_t i = first; i < sim->history_count; i++)
        fprintf(stderr, "%s\n", sim->history[i % HISTORY]);
}

_Noreturn void report_failure(struct sim *sim, int invariant, const char *text)
{
    if (told) {
        told->invariant = invariant;
        told->at_us = sim->now;
        snprintf(told->text, sizeof told->text, "%s", text);
    }
    if (sim->keep_history)
        print_history(sim);
    fflush(NULL);
    _exit(3);
}

/* Does this seed fail in the same way without these faults? In a process of its own. */
static bool fails_alike(struct seed_page *page, const struct report_page *as, uint32_t without,
                        bool history)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (!history && !freopen("/dev/null", "w", stderr))
            _exit(1);
        jobs_seed(&page->report, &page->sums, as->seed, without, history);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    return status != 0 && page->report.invariant == as->invariant;
}

static void tell_failure(const struct report_page *failed, uint32_t without)
{
    struct seed_page *page = jobs_share(sizeof *page);
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        if (fails_alike(page, failed, without | 1u << fault, false))
            without |= 1u << fault;
    fprintf(stderr, "\n---- seed %" PRIu64 ", with as few faults as it needs ----\n", failed->seed);
    fails_alike(page, failed, without, true);
    if (failed->invariant > 0)
        fprintf(stderr, "\nFAILED seed %" PRIu64 ": I%d: %s\n", failed->seed, failed->invariant,
                failed->text);
    else
        fprintf(stderr, "\nFAILED seed %" PRIu64 ": %s\n", failed->seed,
                failed->invariant == 0 ? failed->text : "the process died (an assertion?)");
    fprintf(stderr, "replay: leat-sim --seeds 1 --seed %" PRIu64 " --history", failed->seed);
    for (int fault = 0, n = 0; fault < FAULT_COUNT; fault++)
        if (without >> fault & 1u)
            fprintf(stderr, "%s%s", n++ ? "," : " --without ", fault_name((enum sim_fault)fault));
    fprintf(stderr, "\n");
}

static int run_all(struct options *o)
{
    struct jobs *jobs = &o->jobs;
    jobs_run(jobs);
    if (jobs->holding >= 0) {
        if (o->expect_failure)
            printf("I%d after %" PRId64 " seeds: %s\n", jobs->failed.invariant, jobs->holding + 1,
                   jobs->failed.text);
        else
            tell_failure(&jobs->failed, jobs->without);
        return 3;
    }
    table_print(jobs);
    if (!jobs->interrupted)
        return 0;
    printf("ended by a signal after %" PRId64 " of %" PRId64 " seeds\n", jobs->sums.counts.seeds,
           jobs->seeds);
    return 130;
}

static uint32_t parse_without(char *list)
{
    uint32_t without = 0;
    char *save = NULL;
    for (char *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        int fault = fault_parse(word);
        if (fault < 0) {
            fprintf(stderr, "leat-sim: there is no fault '%s'\n", word);
            exit(2);
        }
        without |= 1u << fault;
    }
    return without;
}

static void choose_plant(const char *name)
{
#ifdef LEAT_PLANTS
    if (plant_choose(name))
        return;
    fprintf(stderr, "leat-sim: there is no planted bug '%s'\n", name);
#else
    fprintf(stderr, "leat-sim: %s is not compiled in (make V=plants sim-bin)\n", name);
#endif
    exit(2);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"seeds", required_argument, NULL, 'n'}, {"seed", required_argument, NULL, 's'},
        {"jobs", required_argument, NULL, 'j'},  {"without", required_argument, NULL, 'w'},
        {"history", no_argument, NULL, 'h'},     {"expect-failure", no_argument, NULL, 'e'},
        {"plant", required_argument, NULL, 'p'}, {0},
    };
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    static struct options o; /* large */
    o.jobs.seed = 1;
    o.jobs.seeds = 1000;
    o.jobs.count = cores < 1 ? 1 : cores > JOBS_MAX ? JOBS_MAX : (int)cores;
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'n')
            o.jobs.seeds = strtoll(optarg, NULL, 10);
        else if (c == 's')
            o.jobs.seed = strtoull(optarg, NULL, 10);
        else if (c == 'j')
            o.jobs.count = (int)strtol(optarg, NULL, 10);
        else if (c == 'w')
            o.jobs.without = parse_without(optarg);
        else if (c == 'h')
            o.history = true;
        else if (c == 'e')
            o.expect_failure = true;
        else if (c == 'p')
            choose_plant(optarg);
        else
            return 2;
    }
    if (o.jobs.count < 1 || o.jobs.count > JOBS_MAX || o.jobs.seeds < 1)
        return 2;
    log_setup("sim", (enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
    if (!o.history)
        return run_all(&o);
    struct seed_page *page = jobs_share(sizeof *page);
    jobs_seed(&page->report, &page->sums, o.jobs.seed, o.jobs.without, true);
    printf("seed %" PRIu64 " holds\n", o.jobs.seed);
    return 0;
}

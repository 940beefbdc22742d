/* leat-sim [--seeds N] [--seed FIRST] [--jobs N] [--without FAULT,…] [--history] [--expect-failure]
 *          [--plant BUG]
 * Runs seeds until one breaks an invariant, or all hold. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/plant.h"
#include "tests/sim/report.h"

#define JOBS_MAX    16
#define CHANGES_MAX 4096 /* of one seed, in the histogram */

struct page { /* shared with one child */
    struct report_page report;
    struct sim_counts counts;
    int64_t changes[CHANGES_MAX];
};

struct options {
    uint64_t seed;
    int64_t seeds;
    int jobs;
    uint32_t without;
    bool history, expect_failure;
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

static void add_counts(struct sim_counts *to, const struct sim_counts *from)
{
    int64_t *a = (int64_t *)to;
    const int64_t *b = (const int64_t *)from;
    for (size_t i = 0; i < sizeof *to / sizeof *a; i++)
        a[i] += b[i];
}

static void run_seed(struct page *page, uint64_t seed, uint32_t without, bool history)
{
    page->report.seed = seed;
    page->report.invariant = -1;
    report_to(&page->report);
    struct sim *sim = sim_new(seed, without, history);
    sim_run(sim);
    sim->counts.seeds = 1;
    add_counts(&page->counts, &sim->counts);
    int64_t changes = sim->counts.changes;
    page->changes[changes < CHANGES_MAX ? changes : CHANGES_MAX - 1]++;
    sim_free(sim);
}

static struct page *page_new(void)
{
    void *page =
        mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return page;
}

static pid_t start_job(struct page *page, const struct options *o, int job)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid)
        return pid;
    for (int64_t i = job; i < o->seeds; i += o->jobs)
        run_seed(page, o->seed + (uint64_t)i, o->without, false);
    _exit(0);
}

/* Does this seed fail in the same way without these faults? In a process of its own. */
static bool fails_alike(struct page *page, const struct report_page *as, uint32_t without,
                        bool history)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (!history && !freopen("/dev/null", "w", stderr))
            _exit(1);
        run_seed(page, as->seed, without, history);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    return status != 0 && page->report.invariant == as->invariant;
}

static void tell_failure(const struct report_page *failed, uint32_t without)
{
    struct page *page = page_new();
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

static void print_pairs(const struct sim_counts *c)
{
    int64_t least = INT64_MAX;
    printf("%-20s", "fault x action");
    for (int a = 0; a < ACTION_COUNT; a++)
        printf("%11s", action_name((enum sim_action)a));
    for (int f = 0; f < FAULT_COUNT; f++) {
        printf("\n%-20s", fault_name((enum sim_fault)f));
        for (int a = 0; a < ACTION_COUNT; a++) {
            printf("%11" PRId64, c->pairs[f][a]);
            least = c->pairs[f][a] < least ? c->pairs[f][a] : least;
        }
    }
    printf("\nrarest pair: %" PRId64 "\n", least);
}

static void print_sums(const struct sim_counts *c, const int64_t *changes, int64_t took_us)
{
    int64_t seen = 0, median = 0;
    while (median < CHANGES_MAX - 1 && (seen += changes[median]) * 2 < c->seeds)
        median++;
    printf("simulator: %" PRId64 " seeds, %" PRId64 " faults of %d kinds, %" PRId64
           " events, %" PRId64 " commands, %" PRId64 " repeats, %" PRId64 " runs, %" PRId64
           " attempts, %" PRId64 " commits, %" PRId64 " takeovers, %" PRId64
           " unknown commits, %" PRId64 " late ones, %" PRId64 " attempts lost by silence, %" PRId64
           " pauses, %" PRId64 " housekeepings, %" PRId64 " trims; 0 invariants broken\n",
           c->seeds, c->faults, FAULT_COUNT, c->events, c->commands, c->duplicates, c->runs,
           c->attempts, c->commits, c->takeovers, c->unknown_commits, c->late_commits, c->silences,
           c->pauses, c->housekeepings, c->trims);
    printf("state-changing events a seed: median %" PRId64 "; %.1f s, %.0f seeds/s\n", median,
           (double)took_us / 1e6, (double)c->seeds * 1e6 / (double)(took_us ? took_us : 1));
}

static int run_all(const struct options *o)
{
    struct page *pages[JOBS_MAX];
    pid_t pids[JOBS_MAX];
    int64_t began = clock_monotonic_us();
    int failed = -1;
    for (int job = 0; job < o->jobs; job++) {
        pages[job] = page_new();
        pids[job] = start_job(pages[job], o, job);
    }
    for (int left = o->jobs; left > 0; left--) {
        int status;
        pid_t pid = wait(&status);
        for (int job = 0; job < o->jobs; job++)
            if (pids[job] == pid) {
                pids[job] = 0;
                if (status != 0 && failed < 0)
                    failed = job;
            }
        for (int job = 0; job < o->jobs && failed >= 0; job++)
            if (pids[job] > 0)
                kill(pids[job], SIGKILL); /* one failure is enough */
    }
    for (int job = 1; job < o->jobs; job++) {
        add_counts(&pages[0]->counts, &pages[job]->counts);
        for (int i = 0; i < CHANGES_MAX; i++)
            pages[0]->changes[i] += pages[job]->changes[i];
    }
    if (failed < 0) {
        print_pairs(&pages[0]->counts);
        print_sums(&pages[0]->counts, pages[0]->changes, clock_monotonic_us() - began);
        return 0;
    }
    const struct report_page *report = &pages[failed]->report;
    if (o->expect_failure)
        printf("I%d after %" PRId64 " seeds: %s\n", report->invariant, pages[0]->counts.seeds + 1,
               report->text);
    else
        tell_failure(report, o->without);
    return 3;
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
    struct options o = {.seed = 1, .seeds = 1000, .jobs = 2};
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'n')
            o.seeds = strtoll(optarg, NULL, 10);
        else if (c == 's')
            o.seed = strtoull(optarg, NULL, 10);
        else if (c == 'j')
            o.jobs = (int)strtol(optarg, NULL, 10);
        else if (c == 'w')
            o.without = parse_without(optarg);
        else if (c == 'h')
            o.history = true;
        else if (c == 'e')
            o.expect_failure = true;
        else if (c == 'p')
            choose_plant(optarg);
        else
            return 2;
    }
    if (o.jobs < 1 || o.jobs > JOBS_MAX)
        return 2;
    log_setup("sim", (enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
    if (!o.history)
        return run_all(&o);
    struct page *page = page_new();
    run_seed(page, o.seed, o.without, true);
    printf("seed %" PRIu64 " holds\n", o.seed);
    return 0;
}

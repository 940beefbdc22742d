#include "tests/sim/jobs.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "common/base/clock.h"
#include "common/base/mem.h"

struct job_page {
    struct report_page report;
    struct sums sums;
    int64_t index; /* of the seed that is run */
};

struct shared {
    _Atomic int64_t next;  /* the seed that the next free process takes */
    _Atomic int64_t limit; /* no seed from here on: one below it has failed, or all are done */
    struct job_page pages[JOBS_MAX];
};

void *jobs_share(size_t size)
{
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return page;
}

static void add_counts(struct sim_counts *to, const struct sim_counts *from)
{
    int64_t *a = (int64_t *)to;
    const int64_t *b = (const int64_t *)from;
    for (size_t i = 0; i < sizeof *to / sizeof *a; i++)
        a[i] += b[i];
}

void jobs_seed(struct report_page *page, struct sums *sums, uint64_t seed, const struct keep *keep,
               bool history)
{
    page->seed = seed;
    page->invariant = -1;
    report_to(page);
    struct sim *sim = sim_new(seed, keep, history);
    report_sim(sim);
    sim_run(sim);
    sim->counts.seeds = 1;
    add_counts(&sums->counts, &sim->counts);
    int64_t changes = sim->counts.changes;
    sums->changes[changes < CHANGES_MAX ? changes : CHANGES_MAX - 1]++;
    report_sim(NULL);
    sim_free(sim);
}

/* ---- a process --------------------------------------------------------------------------------
 */

static void lower(_Atomic int64_t *limit, int64_t to)
{
    int64_t was = atomic_load(limit);
    while (to < was && !atomic_compare_exchange_weak(limit, &was, to))
        ;
}

/* Seeds are taken in their order: those below one that failed are all run to their end. */
_Noreturn static void job(struct shared *shared, struct job_page *page, const struct jobs *jobs)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        page->index = atomic_fetch_add(&shared->next, 1);
        if (page->index >= atomic_load(&shared->limit))
            exit(0); /* as a program ends: coverage is written then */
        jobs_seed(&page->report, &page->sums, jobs->seed + (uint64_t)page->index, &jobs->keep,
                  false);
    }
}

/* ---- their parent -----------------------------------------------------------------------------
 */

static void signals_of_parent(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

static void tell_progress(const struct jobs *jobs, const struct shared *shared, int64_t began,
                          bool terminal)
{
    int64_t seeds = 0, faults = 0;
    for (int i = 0; i < jobs->count; i++) {
        seeds += shared->pages[i].sums.counts.seeds;
        faults += shared->pages[i].sums.counts.faults;
    }
    double seconds = (double)(clock_monotonic_us() - began) / 1e6;
    double rate = (double)seeds / (seconds > 0 ? seconds : 1);
    int64_t left = rate > 0 ? (int64_t)((double)(jobs->seeds - seeds) / rate) : 0;
    fprintf(stderr,
            "%s%" PRId64 " of %" PRId64 " seeds, %.0f seeds/s, %" PRId64 " faults, %" PRId64
            ":%02" PRId64 ":%02" PRId64 " left%s",
            terminal ? "\r" : "", seeds, jobs->seeds, rate, faults, left / 3600, left / 60 % 60,
            left % 60, terminal ? "   " : "\n");
}

static void child_ended(struct jobs *jobs, struct shared *shared, const struct job_page *page,
                        int status)
{
    if (status == 0)
        return;
    lower(&shared->limit, page->index);
    if (jobs->holding >= 0 && jobs->holding < page->index)
        return;
    jobs->holding = page->index;
    jobs->failed = page->report;
}

static int reap(struct jobs *jobs, struct shared *shared, pid_t *pids)
{
    int reaped = 0, status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (int i = 0; i < jobs->count; i++)
            if (pids[i] == pid) {
                pids[i] = 0;
                reaped++;
                child_ended(jobs, shared, &shared->pages[i], status);
            }
    return reaped;
}

/* The first signal lets each end its seed, a second one does not. */
static void interrupt(struct jobs *jobs, struct shared *shared, const pid_t *pids)
{
    lower(&shared->limit, 0);
    for (int i = 0; i < jobs->count && jobs->interrupted; i++)
        if (pids[i])
            kill(pids[i], SIGKILL);
    jobs->interrupted = true;
}

static void watch(struct jobs *jobs, struct shared *shared, pid_t *pids, int64_t began)
{
    sigset_t set;
    signals_of_parent(&set);
    const bool terminal = isatty(STDERR_FILENO);
    const int64_t every = terminal ? 1000000 : 30000000;
    int64_t told = began;
    for (int left = jobs->count; left > 0;) {
        int signal = sigtimedwait(&set, NULL, &(struct timespec){.tv_sec = 1});
        if (signal == SIGINT || signal == SIGTERM)
            interrupt(jobs, shared, pids);
        left -= reap(jobs, shared, pids);
        if (clock_monotonic_us() - told < every)
            continue;
        told = clock_monotonic_us();
        tell_progress(jobs, shared, began, terminal);
    }
    if (terminal && told != began)
        fputc('\n', stderr);
}

static void start(struct jobs *jobs, struct shared *shared, pid_t *pids)
{
    fflush(NULL);
    for (int i = 0; i < jobs->count; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            job(shared, &shared->pages[i], jobs);
        if (pids[i] < 0) {
            perror("fork");
            exit(1);
        }
    }
}

void jobs_run(struct jobs *jobs)
{
    struct shared *shared = jobs_share(sizeof *shared);
    pid_t pids[JOBS_MAX] = {0};
    sigset_t set, before;
    signals_of_parent(&set);
    sigprocmask(SIG_BLOCK, &set, &before); /* children keep it: Ctrl-C goes to all of them */
    const int64_t began = clock_monotonic_us();
    jobs->holding = -1;
    shared->limit = jobs->seeds;
    start(jobs, shared, pids);
    watch(jobs, shared, pids, began);
    sigprocmask(SIG_SETMASK, &before, NULL);
    jobs->took_us = clock_monotonic_us() - began;
    for (int i = 0; i < jobs->count; i++) {
        const struct sums *from = &shared->pages[i].sums;
        add_counts(&jobs->sums.counts, &from->counts);
        for (int c = 0; c < CHANGES_MAX; c++)
            jobs->sums.changes[c] += from->changes[c];
    }
    munmap(shared, sizeof *shared);
}

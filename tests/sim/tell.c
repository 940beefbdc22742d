/* A seed that failed: told by the process that ran it, minimised and printed by its parent. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/sim/jobs.h"
#include "tests/sim/minimise.h"

#define SEED_SECONDS 60 /* in which a seed must end while it is minimised */

struct seed_page { /* shared with the process that runs it */
    struct report_page report;
    struct sums sums;
};

static struct report_page *told;
static struct sim *running;
static const char *plant;

void tell_plant(const char *name)
{
    plant = name;
}

/* ---- in the process that runs the seed --------------------------------------------------------
 */

static void print_history(const struct sim *sim)
{
    size_t first = sim->history_count > HISTORY ? sim->history_count - HISTORY : 0;
    for (size_t i = first; i < sim->history_count; i++)
        fprintf(stderr, "%s\n", sim->history[i % HISTORY]);
}

static void tell_page(const struct sim *sim)
{
    told->at_us = sim->now;
    told->planned = sim->planned;
    told->faults = sim->counts.faults;
    told->lines = (int64_t)sim->history_count;
}

/* An assertion did not hold, or worse. The default action follows. */
static void died(int signal)
{
    (void)signal;
    if (told && running) {
        tell_page(running);
        if (running->keep_history)
            print_history(running);
    }
}

void report_to(struct report_page *page)
{
    told = page;
}

void report_sim(struct sim *sim)
{
    struct sigaction action = {.sa_handler = died, .sa_flags = (int)SA_RESETHAND};
    running = sim;
    sigaction(SIGABRT, &action, NULL);
#ifndef __SANITIZE_ADDRESS__ /* which says more of it */
    sigaction(SIGSEGV, &action, NULL);
#endif
}

_Noreturn void report_failure(struct sim *sim, int invariant, const char *text)
{
    if (told) {
        told->invariant = invariant;
        tell_page(sim);
        snprintf(told->text, sizeof told->text, "%s", text);
    }
    if (sim->keep_history) {
        print_history(sim);
        fprintf(stderr, "\nFAILED seed %" PRIu64 ": ", sim->seed);
        if (invariant > 0)
            fprintf(stderr, "I%d: ", invariant);
        fprintf(stderr, "%s\n", text);
    }
    fflush(NULL);
    _exit(3);
}

void tell_history(uint64_t seed, const struct keep *keep)
{
    struct seed_page *page = jobs_share(sizeof *page);
    jobs_seed(&page->report, &page->sums, seed, keep, true);
    munmap(page, sizeof *page);
}

/* ---- in its parent ----------------------------------------------------------------------------
 */

struct alike {
    struct seed_page *page;
    const struct report_page *as;
};

/* Runs it in a process of its own. Does it fail, and in the same way? */
static bool fails_alike(const struct alike *alike, const struct keep *keep, bool history)
{
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        if (!history && !freopen("/dev/null", "w", stderr))
            _exit(1);
        alarm(SEED_SECONDS);
        jobs_seed(&alike->page->report, &alike->page->sums, alike->as->seed, keep, history);
        _exit(0);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        perror("leat-sim");
        exit(1);
    }
    const bool late = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    return status != 0 && !late && alike->page->report.invariant == alike->as->invariant;
}

static bool fails(void *ctx, const struct keep *keep)
{
    return fails_alike(ctx, keep, false);
}

static void print_replay(FILE *out, const struct report_page *failed, const struct keep *keep)
{
    fprintf(out, "replay: leat-sim --seeds 1 --seed %" PRIu64 " --history", failed->seed);
    if (plant)
        fprintf(out, " --plant %s", plant);
    keep_print(out, keep, &failed->planned);
    fputc('\n', out);
}

void tell_failure(const struct report_page *failed, const struct keep *keep, FILE *brief)
{
    struct seed_page *page = jobs_share(sizeof *page);
    struct alike alike = {page, failed};
    struct minimised least = {.keep = *keep};
    if (failed->planned.pipelines) {
        keep_nothing_else(&least.keep, &failed->planned);
        least = minimise(&least.keep, &failed->planned, fails, &alike);
    }
    fprintf(stderr, "\n---- seed %" PRIu64 ", as little of it as fails ----\n", failed->seed);
    fails_alike(&alike, &least.keep, !brief);
    const struct report_page *now = &page->report;
    if (!brief && now->invariant < 0)
        fprintf(stderr, "\nFAILED seed %" PRIu64 ": the process died\n", failed->seed);
    fprintf(brief ? brief : stderr,
            "minimised: I%d, %" PRId64 " faults to %" PRId64 ", %" PRId64 " lines to %" PRId64
            ", in %d runs%s\n",
            now->invariant, failed->faults, now->faults, failed->lines, now->lines, least.runs,
            least.least ? "" : " (not to the end)");
    print_replay(brief ? brief : stderr, failed, &least.keep);
    munmap(page, sizeof *page);
}

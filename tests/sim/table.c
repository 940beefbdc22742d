/* What many seeds came to, as a table. */
#include <inttypes.h>
#include <stdio.h>
#include "tests/sim/jobs.h"
#include "tests/sim/plan/plan.h"

#define LEAST_EVENTS 200 /* in half of the seeds */
#define LEAST_PAIRS  100

static int64_t median_of(const int64_t *changes, int64_t seeds)
{
    int64_t seen = 0, median = 0;
    while (median < CHANGES_MAX - 1 && (seen += changes[median]) * 2 < seeds)
        median++;
    return median;
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
    printf("simulator: %" PRId64 " seeds, %" PRId64 " faults of %d kinds, %" PRId64
           " events, %" PRId64 " commands, %" PRId64 " repeats, %" PRId64 " runs, %" PRId64
           " attempts, %" PRId64 " commits, %" PRId64 " takeovers, %" PRId64
           " unknown commits, %" PRId64 " late ones, %" PRId64 " attempts lost by silence, %" PRId64
           " pauses, %" PRId64 " waits ended, %" PRId64 " steps answered, %" PRId64
           " runs started by steps, %" PRId64 " housekeepings, %" PRId64
           " trims; 0 invariants broken\n",
           c->seeds, c->faults, FAULT_COUNT, c->events, c->commands, c->duplicates, c->runs,
           c->attempts, c->commits, c->takeovers, c->unknown_commits, c->late_commits, c->silences,
           c->pauses, c->waits_ended, c->answers, c->starts, c->housekeepings, c->trims);
    printf("pipelines deleted: %" PRId64 "; outputs of started runs: %" PRId64 "\n", c->deletes,
           c->passed_on);
    printf("tried no more: %" PRId64 " steps lost too often, %" PRId64
           " by an end that is not meant; finally steps ended by their deadline: %" PRId64 "\n",
           c->lost_too_often, c->not_meant, c->finally_late);
    printf("questions asked: %" PRId64 "; placed before another whose turn is later: %" PRId64 "\n",
           c->questions, c->turns);
    printf("outputs: %" PRId64 " left out, %" PRId64 " attempts failed by theirs, %" PRId64
           " defaults taken\n",
           c->left_out, c->not_declared, c->defaults);
    printf("at_most_once: %" PRId64 " let start, %" PRId64 " lost in doubt; cache: %" PRId64
           " results taken, %" PRId64 " kept of runs that take none\n",
           c->leaves, c->unsure, c->cached, c->kept_anyway);
    printf("bounds: %" PRId64 " commands refused while there were too many runs, %" PRId64
           " events held, %" PRId64 " ids of workers forgotten, %" PRId64
           " hellos refused, %" PRId64 " pipelines not applied\n",
           c->busy, c->held, c->forgotten, c->refused, c->no_room);
    printf("workers: %" PRId64 " drained, %" PRId64 " removed, %" PRId64 " with a new folder\n",
           c->drains, c->removes, c->folders);
    printf("for_each, loop and uses of one entry: %" PRId64
           " succeeded; pipelines as parts: %" PRId64 ", given by other steps: %" PRId64
           ", by rounds before: %" PRId64 ", that could not be given: %" PRId64
           "; inputs of components: %" PRId64 ", of them pinned by their users: %" PRId64 "\n",
           c->direct, c->grafted, c->given, c->given_by_rounds, c->unfit, c->handed_in,
           c->handed_pins);
    printf(
        "running again: %" PRId64 " results taken over, %" PRId64 " of them inside groups, %" PRId64
        " pins of reruns, %" PRId64 " of them inside groups; parts of groups: %" PRId64
        " results, %" PRId64 " that had none to take over\n",
        c->adopted, c->adopted_inside, c->pinned, c->pinned_inside, c->only_inside, c->only_lost);
    printf("waits ended by filters with parameters: %" PRId64 ", with other steps: %" PRId64
           ", with their place: %" PRId64 "; filters that failed on an event: %" PRId64 "\n",
           c->filters[PLAN_LOOKS_AT_SIZE], c->filters[PLAN_LOOKS_AT_STEP],
           c->filters[PLAN_LOOKS_AT_INDEX], c->unfiltered);
    printf("runs by another trigger than the first for events: %" PRId64
           "; verdicts by another version than when the event was sent: %" PRId64 "\n",
           c->by_others, c->judged_anew);
    printf("conditions: %" PRId64 " of a parameter held, %" PRId64 " did not, %" PRId64
           " of an event held, %" PRId64 " did not, %" PRId64 " of a branch held, %" PRId64
           " did not\n",
           c->conditions[PLAN_LOOKS_AT_SIZE][1], c->conditions[PLAN_LOOKS_AT_SIZE][0],
           c->conditions[PLAN_LOOKS_AT_EVENT][1], c->conditions[PLAN_LOOKS_AT_EVENT][0],
           c->conditions[PLAN_LOOKS_AT_BRANCH][1], c->conditions[PLAN_LOOKS_AT_BRANCH][0]);
    printf("state-changing events a seed: median %" PRId64 "; %.1f s, %.0f seeds/s\n",
           median_of(changes, c->seeds), (double)took_us / 1e6,
           (double)c->seeds * 1e6 / (double)(took_us ? took_us : 1));
}

void table_print(const struct jobs *jobs)
{
    print_pairs(&jobs->sums.counts);
    print_sums(&jobs->sums.counts, jobs->sums.changes, jobs->took_us);
}

bool table_holds(const struct jobs *jobs)
{
    const struct sim_counts *c = &jobs->sums.counts;
    const int64_t median = median_of(jobs->sums.changes, c->seeds);
    bool holds = median >= LEAST_EVENTS;
    if (!holds)
        printf("too little happens: %" PRId64 " events in half of the seeds, at least %d\n", median,
               LEAST_EVENTS);
    for (int f = 0; f < FAULT_COUNT; f++)
        for (int a = 0; a < ACTION_COUNT; a++) {
            if (c->pairs[f][a] >= LEAST_PAIRS)
                continue;
            holds = false;
            printf("too rare: %s while %s: %" PRId64 " times, at least %d\n",
                   fault_name((enum sim_fault)f), action_name((enum sim_action)a), c->pairs[f][a],
                   LEAST_PAIRS);
        }
    return holds;
}

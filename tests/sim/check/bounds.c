/* How many runs there may be: counted from the rows, and never asked of the core. Commands and
 * events make runs while fewer than `most_runs` are live or queued; steps, and events that end a
 * wait, while fewer than twice as many are. One event is taken in whole. docs/walk.md, section 2.
 */
#include <string.h>

#include "tests/sim/check/check.h"
#include "tests/sim/plan/plan.h"

/* An id goes when nothing was heard of it for long and nothing of it is live. */
void check_forget(struct sim *sim, const char *id, const struct row_worker *row)
{
    if (!row)
        sim_fail(sim, 3, "worker %s is forgotten, and there is none", id);
    if (row->state != WORKER_GONE)
        sim_fail(sim, 4, "worker %s is forgotten, and is %s", id,
                 machine_state_name(&MACHINE_WORKER, row->state));
    if (sim->counts.wall_jumps == 0 && sim->now < row->heard_at + SIM_WORKER_AGE - 10 * SEC)
        sim_fail(sim, 14, "worker %s is forgotten %lld s after its last word", id,
                 (long long)((sim->now - row->heard_at) / SEC));
    for (const struct row_step *step = sim->db->steps; step; step = step->hh.next)
        if (step->worker && strcmp(step->worker, id) == 0)
            sim_fail(sim, 4, "worker %s is forgotten, and a step of it is live", id);
    sim->counts.forgotten++;
}

static bool is_started(const struct batch *b, const struct uuid *run)
{
    for (size_t i = 0; i < b->starts_count; i++)
        if (uuid_compare(&b->starts[i].child, run) == 0)
            return true;
    return false;
}

static const struct batch_event *event_of(const struct batch *b, const struct uuid *id)
{
    for (size_t i = 0; i < b->events_count; i++)
        if (uuid_compare(&b->events[i].id, id) == 0)
            return &b->events[i];
    return NULL;
}

static int of_event(const struct batch *b, const struct uuid *event)
{
    int n = 0;
    for (size_t i = 0; i < b->runs_count; i++)
        n += uuid_compare(&b->runs[i].event, event) == 0;
    return n;
}

static int64_t live(const struct sim *sim)
{
    int64_t n = 0;
    for (const struct row_run *run = sim->db->runs; run; run = run->hh.next)
        n += !run->done;
    return n;
}

static int64_t ended_in(const struct batch *b)
{
    int64_t n = 0;
    for (size_t i = 0; i < b->run_moves_count; i++)
        n += machine_is_terminal(&MACHINE_RUN, b->run_moves[i].state);
    return n;
}

struct made {        /* by one batch */
    int64_t outside; /* by commands and events that end no wait */
    int64_t inside;  /* by steps, and events that do */
    int64_t at_once; /* the most that one of them made */
};

static struct made made_by(const struct batch *b)
{
    struct made m = {0};
    for (size_t i = 0; i < b->runs_count; i++) {
        const struct batch_event *e = event_of(b, &b->runs[i].event);
        const bool ends = e && strstr(e->verdicts, "\"ended\"");
        const int64_t one = e ? of_event(b, &e->id) : 1;
        const bool inside = ends || is_started(b, &b->runs[i].id);
        m.inside += inside;
        m.outside += !inside;
        m.at_once = one > m.at_once ? one : m.at_once;
    }
    return m;
}

/* Before the last of those from outside was made there was room. What this batch ended, and what
 * else it made, is not known to have come before or after it. */
static void check_made(struct sim *sim, const struct batch *b, int64_t now)
{
    const struct made m = made_by(b);
    if (m.outside > 0 && now - m.inside - m.at_once >= sim->most_runs)
        sim_fail(sim, 10, "%lld runs are live, there may be %lld, and more are made",
                 (long long)now, (long long)sim->most_runs);
    if (m.inside + m.outside > 0 && now - m.at_once >= 2 * sim->most_runs)
        sim_fail(sim, 10, "%lld runs are live, there may be twice %lld", (long long)now,
                 (long long)sim->most_runs);
}

/* Groups around it say so too, later, and steps whose run failed by it: "run ID failed: …". */
static bool starts_none(struct sim *sim, const struct batch_result *r)
{
    const struct plan_version *v = check_version_of(sim, &r->run);
    return v->steps[v->step_at[r->step]].kind == PLAN_START && r->reason &&
           strncmp(r->reason, "run ", 4) != 0 && strstr(r->reason, CHECK_NO_MORE_STARTS);
}

/* Nothing is refused while there is room. */
static void check_refused(struct sim *sim, const struct batch *b, int64_t most_live)
{
    for (size_t i = 0; i < b->commands_count; i++) {
        sim->counts.busy += b->commands[i].busy;
        if (b->commands[i].busy && most_live < sim->most_runs)
            sim_fail(sim, 1, "a run is refused: %s; %lld are live", b->commands[i].detail,
                     (long long)most_live);
    }
    for (size_t i = 0; i < b->results_count; i++)
        if (starts_none(sim, &b->results[i]) && most_live < 2 * sim->most_runs)
            sim_fail(sim, 1, "a step starts no run: %s; %lld are live", b->results[i].reason,
                     (long long)most_live);
}

/* A run has a number of its own, however often its pipeline is forgotten. */
static void check_number(struct sim *sim, const struct batch_run *run)
{
    for (const struct row_run *other = sim->db->runs; other; other = other->hh.next)
        if (other->number == run->number && uuid_compare(&other->id, &run->id) != 0 &&
            strcmp(other->pipeline, run->pipeline) == 0)
            sim_fail(sim, 3, "two runs of %s have number %lld", run->pipeline,
                     (long long)run->number);
}

void check_bounds(struct sim *sim, const struct batch *b)
{
    if (b->workers_count && HASH_COUNT(sim->db->workers) > sim->most_workers)
        sim_fail(sim, 10, "%u workers are known, there may be %lld", HASH_COUNT(sim->db->workers),
                 (long long)sim->most_workers);
    for (size_t i = 0; i < b->runs_count; i++)
        check_number(sim, &b->runs[i]);
    if (!b->runs_count && !b->commands_count && !b->events_count && !b->results_count)
        return;
    const int64_t now = live(sim);
    check_made(sim, b, now);
    check_refused(sim, b, now + ended_in(b));
}

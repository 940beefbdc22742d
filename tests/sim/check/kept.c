/* Results that later steps may take: each success of a step that asks for it is kept, in a run that
 * takes none as well, and no other is. */
#include <string.h>
#include "tests/sim/check/check.h"
#include "tests/sim/plan/plan.h"

#define SHORT(id) uuid_short(&(id), (char[UUID_TEXT]){0})

static bool is_kept(const struct batch *b, const struct batch_result *result)
{
    for (size_t i = 0; i < b->cached_count; i++)
        if (b->cached[i].step == result->step && b->cached[i].iteration == result->iteration &&
            uuid_compare(&b->cached[i].run, &result->run) == 0)
            return true;
    return false;
}

/* By a process of this very step. */
static bool is_new(const struct batch_result *r)
{
    return r->state == STEP_SUCCEEDED && uuid_is_nil(&r->cached_from) &&
           !uuid_is_nil(&r->attempt_id) &&
           !(r->reason && strncmp(r->reason, "adopted", strlen("adopted")) == 0);
}

/* There the outcome is seen, and what it was only the leader knows that placed the step. */
static bool is_in_finally(const struct plan_version *v, int step)
{
    while (step >= 0 && !v->steps[step].finally)
        step = v->steps[step].parent;
    return step >= 0;
}

static void check_kept_one(struct sim *sim, const struct batch *b, const struct batch_result *r)
{
    const struct plan_version *v = check_version_of(sim, &r->run);
    const struct plan_step *s = &v->steps[v->step_at[r->step]];
    const struct row_run *run = database_run(sim->db, &r->run);
    const bool kept = is_kept(b, r);
    const bool may = is_new(r) && s->kind == PLAN_RUN && s->cache;
    if (kept && !may)
        sim_fail(sim, 3, "the result of step %s of run %s is kept, and nobody asked", s->name,
                 SHORT(r->run));
    if (may && !kept && !is_in_finally(v, v->step_at[r->step]))
        sim_fail(sim, 3, "the result of step %s of run %s is not kept%s", s->name, SHORT(r->run),
                 run->no_cache ? ": it takes none, and gives all the same" : "");
    sim->counts.kept_anyway += kept && run->no_cache;
}

void check_kept(struct sim *sim, const struct batch *b)
{
    for (size_t i = 0; i < b->results_count; i++)
        check_kept_one(sim, b, &b->results[i]);
}

/* What the catalog said of a pipeline, from when to when. */
#include <limits.h>
#include "tests/sim/database/database.h"
#include "tests/sim/plan/plan.h"

const struct plan_change *plan_now(const struct plan_pipeline *p)
{
    return &p->changes[p->change_count - 1];
}

int plan_open(const struct plan *plan)
{
    int open = 0;
    for (int i = 0; i < plan->pipeline_count; i++)
        open += !plan_now(&plan->pipelines[i])->deleted;
    return open;
}

struct plan_change *plan_change_add(struct sim *sim, struct plan_pipeline *p)
{
    if (p->change_count == PLAN_CHANGES)
        return NULL;
    struct plan_change *c = &p->changes[p->change_count++];
    *c = c[-1];
    c->at = sim->now;
    c->gen = ++sim->db->catalog_gen;
    return c;
}

struct plan_seen plan_seen(const struct plan_pipeline *p, int trigger, int64_t from, int64_t to)
{
    struct plan_seen seen = {0};
    for (int i = 0; i < p->change_count; i++) {
        const struct plan_change *c = &p->changes[i];
        const int64_t begins = i ? c->at : INT64_MIN;
        const int64_t ends = i + 1 < p->change_count ? c[1].at : INT64_MAX;
        if (begins > to || ends < from)
            continue;
        const bool paused = c->paused || (trigger >= 0 && c->trigger_paused[trigger]);
        *(paused || c->deleted ? &seen.closed : &seen.open) = true;
        *(c->deleted ? &seen.deleted : &seen.there) = true;
        seen.versions |= 1u << c->version;
    }
    return seen;
}

const struct plan_change *plan_at(const struct plan_pipeline *p, int64_t gen)
{
    int last = 0;
    for (int i = 1; i < p->change_count; i++)
        if (p->changes[i].gen <= gen)
            last = i;
    return &p->changes[last];
}

int plan_limit_since(const struct plan_pipeline *p, int64_t gen)
{
    int most = 0;
    for (int i = 0; i < p->change_count; i++) {
        const bool over = i + 1 < p->change_count && p->changes[i + 1].gen <= gen;
        const int limit = p->versions[p->changes[i].version].limit;
        if (!over && limit == 0)
            return INT_MAX;
        most = !over && limit > most ? limit : most;
    }
    return most;
}

/* What people do to the catalog while events and runs are on their way: pause, resume, delete,
 * apply (another version, an older one, one that was deleted), other sizes of limits. */
#include "tests/sim/database/database.h"
#include "tests/sim/outside/internal.h"

static struct plan_change *change(struct sim *sim, struct plan_pipeline *p, const char *what)
{
    struct plan_change *c = p ? plan_change_add(sim, p) : NULL;
    if (!c)
        return NULL;
    sim_changed(sim);
    sim_note(sim, "%s: %s", what, p->name);
    return c;
}

/* ---- pause and resume ------------------------------------------------------------------------ */

/* Not for long, as a rule: there should be work. */
void outside_pause(void *arg)
{
    struct sim *sim = arg;
    struct plan_pipeline *p = plan_some(sim);
    if (!p || plan_now(p)->deleted)
        return;
    const bool paused = !plan_now(p)->paused;
    struct plan_change *c = change(sim, p, paused ? "pause" : "resume");
    if (!c)
        return;
    c->paused = paused;
    sim->counts.pauses++;
    if (paused)
        sim_at(sim, NULL, rng_in(&sim->rng, 1 * SEC, 15 * SEC), outside_pause, sim);
}

void outside_pause_trigger(void *arg)
{
    struct sim *sim = arg;
    struct plan_pipeline *p = plan_some(sim);
    if (!p || plan_now(p)->deleted)
        return;
    const struct plan_version *v = &p->versions[plan_now(p)->version];
    if (!v->on_count && !v->cron)
        return;
    const int most = v->on_count - !v->cron;
    const int place = (int)rng_in(&sim->rng, 0, most);
    const int trigger = place == v->on_count ? PLAN_CRON : place;
    const bool paused = !plan_now(p)->trigger_paused[trigger];
    struct plan_change *c = change(sim, p, paused ? "pause a trigger" : "resume a trigger");
    if (!c)
        return;
    c->trigger_paused[trigger] = paused;
    sim->counts.pauses++;
    if (paused)
        sim_at(sim, NULL, rng_in(&sim->rng, 1 * SEC, 15 * SEC), outside_pause_trigger, sim);
}

/* ---- versions -------------------------------------------------------------------------------- */

void outside_apply(void *arg)
{
    struct sim *sim = arg;
    struct plan_pipeline *p = plan_some(sim);
    const int version = p ? (int)rng_in(&sim->rng, 0, p->version_count - 1) : 0;
    if (p && plan_now(p)->deleted && plan_open(sim->plan) >= sim->most_pipelines) {
        sim->counts.no_room++; /* as the API refuses it */
        return;
    }
    struct plan_change *c = change(sim, p, "apply");
    if (!c)
        return;
    c->version = version;
    c->deleted = false;
    sim_note(sim, "apply: %s is now %.8s", p->name, p->versions[version].hash);
}

static bool delete_one(struct sim *sim, struct plan_pipeline *p)
{
    struct plan_change *c = p && !plan_now(p)->deleted ? change(sim, p, "delete") : NULL;
    if (!c)
        return false;
    c->deleted = true;
    sim->counts.deletes++;
    return true;
}

void outside_delete(void *arg)
{
    struct sim *sim = arg;
    if (!delete_one(sim, plan_some(sim)))
        return;
    if (rng_chance(&sim->rng, 0.7))
        sim_at(sim, NULL, rng_in(&sim->rng, 1 * SEC, 15 * SEC), outside_apply, sim);
}

/* One goes and another comes in its place. */
void outside_exchange(void *arg)
{
    struct sim *sim = arg;
    if (!delete_one(sim, plan_some(sim)))
        return;
    for (int n = 0; n < 3; n++)
        sim_at(sim, NULL, rng_in(&sim->rng, 100 * MS, 8 * SEC), outside_apply, sim);
}

/* ---- named limits ---------------------------------------------------------------------------- */

static void size_limit(struct sim *sim, struct plan_limit *limit, int n)
{
    if (limit->count == PLAN_SIZES)
        return;
    limit->sizes[limit->count].gen = ++sim->db->catalog_gen;
    limit->sizes[limit->count++].n = n;
    sim_changed(sim);
    sim_note(sim, "limit %s is now %d", plan_limit_name((int)(limit - sim->plan->limits)), n);
}

/* Up and down, and to nothing for a while; what is said of a pool comes and goes. */
void outside_resize(void *arg)
{
    struct sim *sim = arg;
    const int k = (int)rng_in(&sim->rng, 0, PLAN_SIZED - 1);
    const int n = (int)rng_in(&sim->rng, 0, PLAN_SIZE_MOST);
    const bool any = k >= PLAN_LIMITS && rng_chance(&sim->rng, 0.3);
    if (sim->plan->limits[k].count < PLAN_SIZES - 1)
        size_limit(sim, &sim->plan->limits[k], any ? PLAN_ANY : n);
}

/* In the end there is enough for every step. */
void outside_resize_last(void *arg)
{
    struct sim *sim = arg;
    for (int i = 0; i < PLAN_LIMITS; i++)
        size_limit(sim, &sim->plan->limits[i], PLAN_SIZE_MOST - (int)rng_in(&sim->rng, 0, 1));
    for (int i = PLAN_LIMITS; i < PLAN_SIZED; i++)
        size_limit(sim, &sim->plan->limits[i],
                   rng_chance(&sim->rng, 0.5) ? PLAN_ANY : WORKERS_MAX * PLAN_SIZE_MOST);
}

/* Named limits and slots of pools, counted from the rows: what the plan says that each live
 * attempt's step uses. */
#include <string.h>

#include "tests/sim/check/check.h"
#include "tests/sim/plan/plan.h"

#define SHORT(id) uuid_short(&(id), (char[UUID_TEXT]){0})

static const struct plan_step *step_of(struct sim *sim, const struct uuid *run, int32_t index)
{
    const struct plan_version *v = check_version_of(sim, run);
    return &v->steps[v->step_at[index]];
}

/* What an attempt holds stands in its row, and what a step waits for. */
static void check_row(struct sim *sim, const struct row_step *row)
{
    const struct plan_step *step = step_of(sim, &row->key.run, row->key.step);
    json_t *want = json_object(), *is = json_loads(row->limits ? row->limits : "{}", 0, NULL);
    for (int i = 0; i < PLAN_LIMITS; i++)
        if (step->uses[i])
            json_object_set_new(want, plan_limit_name(i), json_integer(step->uses[i]));
    const bool same = json_equal(want, is);
    json_decref(want);
    json_decref(is);
    if (!same)
        sim_fail(sim, 10, "step %s of run %s is %s, its row has limits %s", step->name,
                 SHORT(row->key.run), machine_state_name(&MACHINE_STEP, row->state),
                 row->limits ? row->limits : "(none)");
    if (!row->pool || strcmp(row->pool, plan_pool_name(step->pool)) != 0 ||
        row->slots != step->slots)
        sim_fail(sim, 10, "step %s of run %s uses %d slots of pool %s, its row says %d of %s",
                 step->name, SHORT(row->key.run), step->slots, plan_pool_name(step->pool),
                 row->slots, row->pool ? row->pool : "(none)");
}

static int used_of(struct sim *sim, int limit)
{
    int used = 0;
    for (const struct row_step *row = sim->db->steps; row; row = row->hh.next)
        if (row->worker && !uuid_is_nil(&row->attempt_id))
            used += plan_step_uses(step_of(sim, &row->key.run, row->key.step), limit);
    return used;
}

/* Who is placed now and was not before must have found room, by the newest size that its leader has
 * seen, or a newer one. A limit that is lowered ends nobody. */
void check_limits(struct sim *sim, const struct batch *batch)
{
    bool placed[PLAN_SIZED] = {false};
    for (size_t i = 0; i < batch->steps_count; i++) {
        const struct batch_step *from = &batch->steps[i];
        const struct row_key key = {from->run, from->step, from->iteration};
        const struct row_step *row = database_step(sim->db, &key);
        if (!row || row->state != STEP_PLACED)
            continue;
        check_row(sim, row);
        for (int k = 0; k < PLAN_SIZED; k++)
            placed[k] |= row->placed_in == sim->counts.commits &&
                         plan_step_uses(step_of(sim, &key.run, key.step), k) > 0;
    }
    for (int k = 0; k < PLAN_SIZED; k++) {
        const int most = plan_limit_size_since(&sim->plan->limits[k], sim->db->known_gen);
        if (placed[k] && used_of(sim, k) > most)
            sim_fail(sim, 10, "%d of limit %s are in use, it is %d", used_of(sim, k),
                     plan_limit_name(k), most);
    }
}

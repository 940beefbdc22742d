/* How long finally steps may take together: nothing ends one of them before, and in peace nothing
 * of them goes on long after it but what has been asked to end. */
#include "tests/sim/check/check.h"
#include "tests/sim/plan/plan.h"
#include "tests/sim/reference/reference.h"

#define SHORT(id) uuid_short(&(id), (char[UUID_TEXT]){0})
#define EARLY     (100 * MS)
#define LATE      (30 * SEC) /* a leader is found in it */

bool check_finally_is_up(struct sim *sim, const struct uuid *run, int32_t iteration)
{
    const struct row_finally *row = database_finally(sim->db, run, iteration);
    if (!row || sim->counts.wall_jumps)
        return row != NULL;
    const struct plan_version *v = check_version_of(sim, run);
    const int64_t length = reference_finally_time(sim, v, run, iteration);
    return sim->db->asked_at >= row->began_at + length - EARLY;
}

static bool is_finally(struct sim *sim, const struct uuid *run, int32_t step)
{
    const struct plan_version *v = check_version_of(sim, run);
    return v->steps[v->step_at[step]].finally;
}

static void check_up(struct sim *sim, const struct uuid *run, int32_t step, int32_t iteration)
{
    if (is_finally(sim, run, step) && !check_finally_is_up(sim, run, iteration))
        sim_fail(sim, 14, "the finally step %d [%d] of run %s is ended, and its time is not up",
                 step, iteration, SHORT(*run));
}

/* From the batch after that in which their time was up none of them is tried again, whoever leads
 * and whatever its clock says. */
static void check_not_anew(struct sim *sim, const struct batch_step *step,
                           const struct row_step *before)
{
    const struct row_finally *row = database_finally(sim->db, &step->run, step->iteration);
    const bool waits =
        step->state == STEP_WAITING && before->state != STEP_WAITING && !step->limits;
    if (row && row->up && row->up < sim->db->tx_seq && is_finally(sim, &step->run, step->step) &&
        (waits || step->attempt > before->attempt))
        sim_fail(sim, 3, "the finally step %d [%d] of run %s is tried again, and its time is up",
                 step->step, step->iteration, SHORT(step->run));
}

void check_finally_step(struct sim *sim, const struct batch_step *step,
                        const struct row_step *before)
{
    const struct plan_version *v = check_version_of(sim, &step->run);
    const struct plan_step *s = &v->steps[v->step_at[step->step]];
    if (before)
        check_not_anew(sim, step, before);
    if (step->state != STEP_CANCELLING || (before && before->state == STEP_CANCELLING))
        return;
    /* Groups and runs that steps start are ended by themselves too: by their own time, fail_fast.
     */
    if (s->kind == PLAN_RUN)
        check_up(sim, &step->run, step->step, step->iteration);
}

void check_finally_result(struct sim *sim, const struct batch_result *result)
{
    if (result->state != STEP_CANCELLED)
        return;
    check_up(sim, &result->run, result->step, result->iteration);
    sim->counts.finally_late += is_finally(sim, &result->run, result->step);
}

void check_finally_overdue(struct sim *sim)
{
    for (const struct row_step *row = sim->db->steps; row; row = row->hh.next) {
        if (!is_finally(sim, &row->key.run, row->key.step) || row->state == STEP_CANCELLING)
            continue;
        const struct row_finally *since =
            database_finally(sim->db, &row->key.run, row->key.iteration);
        const struct plan_version *v = check_version_of(sim, &row->key.run);
        const int64_t from =
            since && since->began_at > sim->healed_us ? since->began_at : sim->healed_us;
        if (since &&
            sim->now >
                from + LATE + reference_finally_time(sim, v, &row->key.run, row->key.iteration))
            sim_fail(sim, 6, "the finally step %s of run %s is %s, and its time is up",
                     v->steps[v->step_at[row->key.step]].name, SHORT(row->key.run),
                     machine_state_name(&MACHINE_STEP, row->state));
    }
}

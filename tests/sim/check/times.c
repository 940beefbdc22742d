/* Lengths of time that a file gives: nothing ends by one before it is up, and in peace nothing goes
 * on long after it. Who rebuilds counts by the wall clock: where it jumps any length up to the
 * whole is right. */
#include <string.h>
#include "tests/sim/check/check.h"
#include "tests/sim/plan/plan.h"

#define SHORT(id) uuid_short(&(id), (char[UUID_TEXT]){0})
#define EARLY     (100 * MS)
#define LATE      (30 * SEC) /* a leader is found in it */

static const struct plan_step *step_of(struct sim *sim, const struct uuid *run, int32_t step)
{
    const struct plan_version *v = check_version_of(sim, run);
    return &v->steps[v->step_at[step]];
}

static bool is_queued(const struct row_step *row)
{
    return row->state == STEP_READY || (row->state == STEP_WAITING && row->limits);
}

/* How long a step may be as its row says; 0 = as long as it likes. Attempts are the workers'. */
static int64_t length_of(const struct plan_step *s, const struct row_step *row)
{
    if (s->kind == PLAN_RUN)
        return is_queued(row) ? s->queue_us : 0;
    if (s->kind == PLAN_WAIT || s->kind == PLAN_APPROVAL)
        return row->state == STEP_WAITING ? s->timeout_us : 0;
    return row->state == STEP_RUNNING ? s->timeout_us : 0;
}

static void check_not_early(struct sim *sim, const struct row_step *row, const char *what)
{
    const struct plan_step *s = step_of(sim, &row->key.run, row->key.step);
    const int64_t length = length_of(s, row);
    if (length == 0)
        sim_fail(sim, 14, "step %s of run %s, %s, %s: it has all the time that it wants", s->name,
                 SHORT(row->key.run), machine_state_name(&MACHINE_STEP, row->state), what);
    if (sim->counts.wall_jumps == 0 && sim->db->asked_at < row->moved_at + length - EARLY)
        sim_fail(sim, 14, "step %s of run %s %s after %lld ms of %lld s", s->name,
                 SHORT(row->key.run), what, (long long)((sim->db->asked_at - row->moved_at) / MS),
                 (long long)(length / SEC));
}

void check_step_time(struct sim *sim, const struct batch_step *step, const struct row_step *before)
{
    const struct plan_step *s = step_of(sim, &step->run, step->step);
    if (s->kind == PLAN_RUN || step->state != STEP_CANCELLING || before->state != STEP_RUNNING)
        return;
    if (check_timed_out(step->reason))
        check_not_early(sim, before, "is ended");
}

void check_result_time(struct sim *sim, const struct batch_result *result)
{
    static const char queued[] = "waited longer than";
    const struct row_key key = {result->run, result->step, result->iteration};
    const struct row_step *row = database_step(sim->db, &key);
    const struct plan_step *s = step_of(sim, &result->run, result->step);
    if (!result->reason || !row || row->state == STEP_CANCELLING)
        return;
    if (s->kind == PLAN_RUN && strncmp(result->reason, queued, sizeof queued - 1) == 0)
        check_not_early(sim, row, "is not waited for any more");
    else if (s->kind != PLAN_RUN && row->state != STEP_PENDING && check_timed_out(result->reason))
        check_not_early(sim, row, "ends by its timeout");
}

void check_run_time(struct sim *sim, const struct batch_run_move *move,
                    const struct row_run *before)
{
    const struct plan_version *v = check_version_of(sim, &move->id);
    if (before->state != RUN_RUNNING || !check_timed_out(move->reason))
        return;
    if (v->timeout_us == 0)
        sim_fail(sim, 14, "run %s ends by its timeout, and has none", SHORT(move->id));
    if (sim->counts.wall_jumps == 0 && sim->db->asked_at < before->began_at + v->timeout_us - EARLY)
        sim_fail(sim, 14, "run %s is ended after %lld ms of %lld s", SHORT(move->id),
                 (long long)((sim->db->asked_at - before->began_at) / MS),
                 (long long)(v->timeout_us / SEC));
}

/* ---- in peace -------------------------------------------------------------------------------- */

static bool is_late(const struct sim *sim, int64_t since, int64_t length)
{
    const int64_t from = since > sim->healed_us ? since : sim->healed_us;
    return length > 0 && sim->now > from + length + LATE;
}

void check_overdue(struct sim *sim)
{
    check_way_overdue(sim);
    check_finally_overdue(sim);
    for (const struct row_step *row = sim->db->steps; row; row = row->hh.next) {
        const struct plan_step *s = step_of(sim, &row->key.run, row->key.step);
        if (is_late(sim, row->moved_at, length_of(s, row)))
            sim_fail(sim, 6, "step %s of run %s is %s for %lld s, and its time is %lld s", s->name,
                     SHORT(row->key.run), machine_state_name(&MACHINE_STEP, row->state),
                     (long long)((sim->now - row->moved_at) / SEC),
                     (long long)(length_of(s, row) / SEC));
    }
    for (const struct row_run *run = sim->db->runs; run; run = run->hh.next) {
        const struct plan_version *v = run->done ? NULL : check_version_of(sim, &run->id);
        if (!v)
            continue;
        if ((run->state == RUN_RUNNING && is_late(sim, run->began_at, v->timeout_us)) ||
            (run->state == RUN_QUEUED && is_late(sim, run->born_at, v->queued_us)))
            sim_fail(sim, 6, "run %s is still %s, and its time is up", SHORT(run->id),
                     machine_state_name(&MACHINE_RUN, run->state));
    }
}

/* Workers that are drained, resumed and removed: what was said of them is known from the commands
 * that were accepted, and from nothing that the core notes of it. */
#include <string.h>
#include "schema/gen/messages.h"
#include "tests/sim/check/check.h"
#include "tests/sim/outside/outside.h"
#include "tests/sim/plan/plan.h"

static bool has_attempts(const struct sim *sim, const char *worker)
{
    for (const struct row_step *row = sim->db->steps; row; row = row->hh.next)
        if (row->worker && strcmp(row->worker, worker) == 0 && !uuid_is_nil(&row->attempt_id))
            return true;
    return false;
}

static bool is_heard(const struct row_worker *row)
{
    return row->state == WORKER_ACTIVE || row->state == WORKER_DRAINING;
}

/* Why it is to be refused; NULL = there is no reason. Commands come first in a batch. */
static const char *reason_against(const struct sim *sim, const struct row_worker *row,
                                  const struct retire *asked)
{
    if (!row || row->removed)
        return "nobody knows it";
    if (asked->kind != COMMAND_KIND_REMOVE)
        return NULL;
    if (has_attempts(sim, row->id))
        return "it has attempts";
    return is_heard(row) && !row->drained ? "it is active" : NULL;
}

void check_retire_before(struct sim *sim, const struct batch *b)
{
    struct retire asked;
    for (size_t i = 0; i < b->commands_count; i++) {
        const struct batch_command *c = &b->commands[i];
        if (!outside_retire(sim, &c->id, &asked))
            continue;
        struct row_worker *row = database_worker(sim->db, asked.worker);
        const char *against = reason_against(sim, row, &asked);
        if (c->accepted == (against != NULL))
            sim_fail(sim, 1, "%s of worker %s is %s (%s): %s", command_kind_name(asked.kind),
                     asked.worker, c->accepted ? "accepted" : "refused", c->detail,
                     against ? against : "nothing is against it");
        if (!c->accepted)
            continue;
        sim_note(sim, "%s of worker %s is accepted", command_kind_name(asked.kind), asked.worker);
        row->drained = asked.kind == COMMAND_KIND_DRAIN;
        row->removed = asked.kind == COMMAND_KIND_REMOVE;
        sim->counts.drains += row->drained;
        sim->counts.removes += row->removed;
    }
}

/* Nobody listens to the life that was removed; another one is a worker as any. */
void check_life(struct sim *sim, const struct batch_worker *to, struct row_worker *row)
{
    if (!row->removed)
        return;
    if (uuid_compare(&to->incarnation, &row->incarnation) != 0)
        row->removed = false;
    else if (to->state != WORKER_GONE || to->report_n != row->report_n)
        sim_fail(sim, 3, "worker %s was removed and is %s: its report %lld is taken in", row->id,
                 machine_state_name(&MACHINE_WORKER, to->state), (long long)to->report_n);
}

/* ---- after each commit ----------------------------------------------------------------------- */

static void check_worker_state(struct sim *sim, const struct row_worker *row)
{
    if (row->removed && has_attempts(sim, row->id))
        sim_fail(sim, 14, "worker %s was removed, and a step of it is live", row->id);
    if (row->drained ? row->state == WORKER_ACTIVE : row->state == WORKER_DRAINING)
        sim_fail(sim, 10, "worker %s is %s, and it was %s", row->id,
                 machine_state_name(&MACHINE_WORKER, row->state),
                 row->drained ? "drained" : "not drained");
}

/* From the commit on in which it was accepted. */
static void check_placed(struct sim *sim, const struct batch_step *step)
{
    const struct row_key key = {step->run, step->step, step->iteration};
    const struct row_step *row = database_step(sim->db, &key);
    if (!row || row->state != STEP_PLACED || row->placed_in != sim->counts.commits)
        return;
    const struct row_worker *worker = database_worker(sim->db, row->worker);
    if (worker->state != WORKER_ACTIVE || worker->drained || worker->removed)
        sim_fail(sim, 10, "an attempt is placed on worker %s, which is %s%s", row->worker,
                 machine_state_name(&MACHINE_WORKER, worker->state),
                 worker->drained ? " and was drained" : "");
}

void check_workers(struct sim *sim, const struct batch *b)
{
    for (const struct row_worker *row = sim->db->workers; row; row = row->hh.next)
        check_worker_state(sim, row);
    for (size_t i = 0; i < b->steps_count; i++)
        check_placed(sim, &b->steps[i]);
}

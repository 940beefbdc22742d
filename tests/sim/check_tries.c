/* Programs are tried as often as their file says: what failed or timed out counts, what was lost
 * does not. */
#include <string.h>
#include "schema/gen/messages.h"
#include "tests/sim/check.h"
#include "tests/sim/plan.h"

#define SHORT(id) uuid_short(&(id), (char[UUID_TEXT]){0})

static const struct plan_step *step_of(struct sim *sim, const struct row_key *key)
{
    const struct plan_version *v = check_version_of(sim, &key->run);
    return &v->steps[v->step_at[key->step]];
}

static int tries_before(const struct sim *sim, const struct row_key *key)
{
    int tries = 0;
    for (const struct row_attempt *row = sim->db->attempts; row; row = row->hh.next)
        tries += memcmp(&row->key, key, sizeof *key) == 0 &&
                 (row->state == ATTEMPT_FAILED || row->state == ATTEMPT_TIMED_OUT);
    return tries;
}

/* One that failed, and another is to follow. */
void check_tried(struct sim *sim, const struct row_key *key)
{
    const struct plan_step *s = step_of(sim, key);
    if (tries_before(sim, key) + 1 >= s->attempts)
        sim_fail(sim, 3, "step %s of run %s has failed %d times, and is tried again", s->name,
                 SHORT(key->run), tries_before(sim, key) + 1);
}

/* The last one. */
void check_tries(struct sim *sim, const struct batch_result *result)
{
    const struct row_key key = {result->run, result->step, result->iteration};
    const struct effect *last = ledger_find(sim->ledger, &result->attempt_id);
    const struct plan_step *s = step_of(sim, &key);
    if (s->kind != PLAN_RUN || result->state != STEP_FAILED || !last)
        return;
    if (result->reason && strstr(result->reason, "attempts were lost"))
        return; /* whatever its worker would have said of the last one */
    if (last->outcome != REPORT_RESULT_OUTCOME_FAILED &&
        last->outcome != REPORT_RESULT_OUTCOME_TIMED_OUT)
        return;
    if (tries_before(sim, &key) + 1 != s->attempts)
        sim_fail(sim, 3, "step %s of run %s is failed after %d tries of %d", s->name,
                 SHORT(key.run), tries_before(sim, &key) + 1, s->attempts);
}

/* Who goes first: of two steps of one shape that wait for the same workers and limits the one whose
 * turn is earlier, by priority and age. As far as rows say who waited: those that were ready before
 * a commit, and still are after it, could have had what the commit gives away. */
#include <string.h>
#include "tests/sim/check/check.h"
#include "tests/sim/plan/plan.h"

#define SHORT(id)    uuid_short(&(id), (char[UUID_TEXT]){0})
#define PER_PRIORITY (60 * SEC) /* of age: docs/pipelines.md */

static bool is_ready(const struct row_step *row)
{
    return row->state == STEP_READY || (row->state == STEP_WAITING && row->limits);
}

static bool is_placed(const struct sim *sim, const struct batch_step *step)
{
    const struct row_key key = {step->run, step->step, step->iteration};
    const struct row_step *before = database_step(sim->db, &key);
    return step->state == STEP_PLACED && database_run(sim->db, &step->run) &&
           (!before || uuid_compare(&before->attempt_id, &step->attempt_id) != 0);
}

static bool is_of(const struct row_step *row, const struct uuid *run, int32_t step,
                  int32_t iteration)
{
    return row->key.step == step && row->key.iteration == iteration &&
           uuid_compare(&row->key.run, run) == 0;
}

/* Is it as it was when the batch is in? */
static bool stays(const struct row_step *row, const struct batch *b)
{
    for (size_t i = 0; i < b->steps_count; i++) {
        const struct batch_step *s = &b->steps[i];
        if (is_of(row, &s->run, s->step, s->iteration))
            return s->state == row->state && s->attempt == row->attempt;
    }
    for (size_t i = 0; i < b->results_count; i++)
        if (is_of(row, &b->results[i].run, b->results[i].step, b->results[i].iteration))
            return false;
    return true;
}

struct waiting {
    const struct plan_version *v;
    const struct plan_step *s;
    int step;
    int64_t turn;
};

static struct waiting waiting_of(struct sim *sim, const struct uuid *run, int32_t step)
{
    const struct plan_version *v = check_version_of(sim, run);
    const int at = v->step_at[step];
    const struct plan_step *s = &v->steps[at];
    return (struct waiting){v, s, at,
                            database_run(sim->db, run)->created_us -
                                PER_PRIORITY * (v->priority + s->priority)};
}

static bool takes_list(const struct waiting *w)
{
    return w->s->takes >= 0 && w->v->steps[w->s->takes].kind == PLAN_EACH;
}

/* Whoever could take the one could take the other. */
static bool same_shape(const struct waiting *a, const struct waiting *b)
{
    return a->s->pool == b->s->pool && a->s->pin == b->s->pin && a->s->slots == b->s->slots &&
           memcmp(a->s->uses, b->s->uses, sizeof a->s->uses) == 0 &&
           a->s->at_most_once == b->s->at_most_once && !a->s->heartbeat_us == !b->s->heartbeat_us &&
           takes_list(a) == takes_list(b) && plan_lists(a->v, a->step) == plan_lists(b->v, b->step);
}

static void check_nobody_before(struct sim *sim, const struct batch *b,
                                const struct batch_step *placed)
{
    const struct waiting first = waiting_of(sim, &placed->run, placed->step);
    for (const struct row_step *row = sim->db->steps; row; row = row->hh.next) {
        if (!is_ready(row))
            continue;
        const struct waiting other = waiting_of(sim, &row->key.run, row->key.step);
        if (!same_shape(&first, &other) || !stays(row, b))
            continue;
        sim->counts.turns += first.turn != other.turn;
        if (other.turn < first.turn)
            sim_fail(sim, 6, "step %s of run %s is placed, it was the turn of %s [%d] of %s",
                     first.s->name, SHORT(placed->run), other.s->name, row->key.iteration,
                     SHORT(row->key.run));
    }
}

void check_turns_before(struct sim *sim, const struct batch *b)
{
    for (size_t i = 0; i < b->steps_count; i++)
        if (is_placed(sim, &b->steps[i]))
            check_nobody_before(sim, b, &b->steps[i]);
}

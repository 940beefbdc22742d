/* Steps that start runs: a step and its run go on together and end together, in each commit. */
#include <stdio.h>
#include <string.h>
#include "common/text/json.h"
#include "tests/sim/check/check.h"
#include "tests/sim/check/starts.h"
#include "tests/sim/plan/plan.h"
#include "tests/sim/reference/reference.h"

#define SHORT(id) uuid_short(&(id), (char[UUID_TEXT]){0})

static const struct plan_step *step_of(struct sim *sim, const struct uuid *run, int32_t step)
{
    const struct plan_version *v = check_version_of(sim, run);
    return &v->steps[v->step_at[step]];
}

static bool is_of(const struct row_start *start, const struct row_key *key, int attempt)
{
    return start->step == key->step && start->iteration == key->iteration &&
           start->attempt == attempt && uuid_compare(&start->parent, &key->run) == 0;
}

static const struct row_start *start_of(struct sim *sim, const struct row_key *key, int attempt)
{
    const struct row_start *found = NULL;
    for (const struct row_start *row = sim->db->starts; row; row = row->hh.next) {
        if (is_of(row, key, attempt) && found)
            sim_fail(sim, 3, "one try of a step started two runs");
        if (is_of(row, key, attempt))
            found = row;
    }
    return found;
}

static bool goes_on(const struct row_step *step, int attempt)
{
    return step && step->attempt == attempt &&
           (step->state == STEP_RUNNING || step->state == STEP_CANCELLING);
}

/* Its run has the parameter and the name that the file says. */
static void check_given(struct sim *sim, const struct batch_start *start)
{
    const struct plan_step *s = step_of(sim, &start->parent, start->step);
    const struct row_run *child = database_run(sim->db, &start->child);
    const struct row_key key = {start->parent, start->step, start->iteration};
    const struct row_run *parent = database_run(sim->db, &start->parent);
    char refers[16] = "2", where[64], name[64], size[16];
    json_t *params = json_loads(child->params, 0, NULL);
    if (s->refers >= 0)
        reference_arguments(sim, check_version_of(sim, &start->parent), &key, refers, where);
    snprintf(size, sizeof size, "%d", (int)json_get_int(params, "size", -1));
    if (strcmp(size, refers) != 0)
        sim_fail(sim, 3, "run %s of step %s has %s, its size was to be %s", SHORT(child->id),
                 s->name, child->params, refers);
    json_decref(params);
    snprintf(name, sizeof name, "%s %s", parent->name, s->label);
    if (s->named && strcmp(child->name, name) != 0)
        sim_fail(sim, 3, "run %s is called '%s', not '%s'", SHORT(child->id), child->name, name);
}

/* While its step runs a run is live, and the other way round. */
static int check_tie(struct sim *sim, const struct row_start *start)
{
    const struct row_key key = {start->parent, start->step, start->iteration};
    const struct row_run *child = database_run(sim->db, &start->child);
    const struct plan_step *s = step_of(sim, &start->parent, start->step);
    const struct row_step *step = database_step(sim->db, &key);
    if (!child)
        sim_fail(sim, 3, "a step started run %s, and there is none", SHORT(start->child));
    if (start->depth < 1 || start->depth >= PLAN_PIPELINES)
        sim_fail(sim, 3, "run %s is %d deep", SHORT(start->child), start->depth);
    if (!s->waits)
        return 0;
    if (child->done && goes_on(step, start->attempt))
        sim_fail(sim, 6, "run %s is over, and step %s of run %s waits for it", SHORT(child->id),
                 s->name, SHORT(start->parent));
    if (!child->done && !goes_on(step, start->attempt))
        sim_fail(sim, 14, "run %s goes on, and step %s of run %s does not wait for it any more",
                 SHORT(child->id), s->name, SHORT(start->parent));
    if (!child->done && step->state == STEP_CANCELLING && child->state == RUN_RUNNING)
        sim_fail(sim, 6, "step %s of run %s is cancelling, and its run %s is not", s->name,
                 SHORT(start->parent), SHORT(child->id));
    return !child->done;
}

void check_starts(struct sim *sim, const struct batch *b)
{
    int tied = 0, going = 0;
    sim->counts.starts += (int64_t)b->starts_count;
    if (!b->starts_count && !b->run_moves_count && !b->steps_count && !b->results_count)
        return;
    for (size_t i = 0; i < b->starts_count; i++)
        check_given(sim, &b->starts[i]);
    for (const struct row_start *row = sim->db->starts; row; row = row->hh.next)
        tied += check_tie(sim, row);
    for (const struct row_step *row = sim->db->steps; row; row = row->hh.next)
        going += step_of(sim, &row->key.run, row->key.step)->kind == PLAN_START &&
                 goes_on(row, row->attempt);
    if (tied != going)
        sim_fail(sim, 14, "%d steps wait for a run, and %d runs for their step", going, tied);
}

/* ---- its result ------------------------------------------------------------------------------ */

static void wrong(struct sim *sim, const struct plan_step *s, const struct row_key *key,
                  const struct row_result *result, const char *what)
{
    sim_fail(sim, 3, "step %s of run %s, iteration %d, is %s (%s): %s", s->name, SHORT(key->run),
             key->iteration, machine_state_name(&MACHINE_STEP, result->state), result->reason,
             what);
}

/* What the batch that is being written makes of it; NULL = nothing. */
static const struct batch_run_move *move_of(const struct sim *sim, const struct row_run *run)
{
    const struct batch *b = sim->db->writing;
    for (size_t i = 0; b && i < b->run_moves_count; i++)
        if (uuid_compare(&b->run_moves[i].id, &run->id) == 0)
            return &b->run_moves[i];
    return NULL;
}

/* When the batch is in. */
static int state_of(const struct sim *sim, const struct row_run *run)
{
    const struct batch_run_move *move = move_of(sim, run);
    return move ? move->state : run->state;
}

/* The n that a run as a whole gives: a new reference, or NULL. */
static json_t *given_by(struct sim *sim, const struct row_run *child)
{
    const struct plan_version *v = check_version_of(sim, &child->id);
    const struct row_key key = {child->id, v->gives < 0 ? -1 : v->index_of[v->gives], 0};
    const struct row_result *result = database_result(sim->db, &key);
    if (!result || result->state != STEP_SUCCEEDED || !result->outputs)
        return NULL;
    json_t *all = json_loads(result->outputs, 0, NULL);
    json_t *n = json_incref(json_object_get(all, "n"));
    json_decref(all);
    return n;
}

/* It declares an output that its run has not given, or as something else. */
static bool misses(struct sim *sim, const struct plan_step *s, const struct row_run *child)
{
    json_t *n = s->taken ? given_by(sim, child) : NULL;
    const struct plan_version *v = check_version_of(sim, &child->id);
    const bool other =
        s->taken == PLAN_TAKES_STRING ||
        (s->taken == PLAN_TAKES_INTEGER && v->gives >= 0 && plan_is_real(v, v->gives));
    json_decref(n);
    if (other && v->gives >= 0)
        return true; /* it is a number there */
    return s->taken && !n && !s->n_optional;
}

static void check_names(struct sim *sim, const struct plan_step *s, const struct row_key *key,
                        const struct row_result *result, const struct row_run *child)
{
    char id[UUID_TEXT];
    json_t *outputs = json_loads(result->outputs ? result->outputs : "{}", 0, NULL);
    const char *state = machine_state_name(&MACHINE_RUN, state_of(sim, child));
    uuid_format(&child->id, id);
    if (strcmp(json_get_string(outputs, "run", ""), id) != 0)
        wrong(sim, s, key, result, "it names another run");
    if (s->waits && strcmp(json_get_string(outputs, "state", ""), state) != 0)
        wrong(sim, s, key, result, "it says another state of its run");
    json_t *n = s->taken && result->state == STEP_SUCCEEDED ? given_by(sim, child) : NULL;
    if (n ? !json_equal(n, json_object_get(outputs, "n"))
          : json_object_get(outputs, "n") != NULL && result->state == STEP_SUCCEEDED)
        wrong(sim, s, key, result, "its output is not what its run gives");
    sim->counts.passed_on += n != NULL;
    json_decref(n);
    json_decref(outputs);
}

/* Of a try before: it failed, or its time was up. */
static bool lets_try_again(struct sim *sim, const struct plan_step *s, const struct row_run *child)
{
    const int state = child ? state_of(sim, child) : RUN_FAILED;
    return state == RUN_FAILED || state == RUN_CANCELLED ||
           (state == RUN_SUCCEEDED && s->waits && misses(sim, s, child));
}

static const struct row_run *look_at_tries(struct sim *sim, const struct plan_step *s,
                                           const struct row_key *key,
                                           const struct row_result *result)
{
    const struct row_run *child = NULL;
    for (int attempt = 1; attempt <= result->attempt; attempt++) {
        const struct row_start *start = start_of(sim, key, attempt);
        child = start ? database_run(sim->db, &start->child) : NULL;
        if (child && s->waits && !machine_is_terminal(&MACHINE_RUN, state_of(sim, child)))
            wrong(sim, s, key, result, "a run of it goes on");
        if (attempt < result->attempt && !lets_try_again(sim, s, child))
            wrong(sim, s, key, result, "it was tried again for nothing");
    }
    return child;
}

/* Was the pipeline away, as the reason says, at some instant since the run came? */
static bool could_not(struct sim *sim, const struct plan_step *s, const struct row_key *key,
                      const char *reason)
{
    const struct plan_pipeline *p = &sim->plan->pipelines[s->starts];
    const struct row_run *run = database_run(sim->db, &key->run);
    /* Its leader may not have heard yet what changed before that. */
    const struct plan_seen seen = plan_seen(p, -1, run->born_at - 30 * SEC, sim->now);
    if (p->dropped)
        return strstr(reason, "there is no pipeline");
    return (seen.closed && strstr(reason, "is paused")) ||
           (seen.deleted && strstr(reason, "was deleted")) || /* or it is forgotten: */
           (seen.deleted && sim->most_pipelines < PLAN_NO_BOUND &&
            strstr(reason, "there is no pipeline"));
}

/* By who started it, or by its own timeout before that. */
static bool is_ended(struct sim *sim, const struct row_run *child)
{
    const int state = state_of(sim, child);
    const struct batch_run_move *move = move_of(sim, child);
    const char *reason = move ? move->reason : child->reason;
    return state == RUN_CANCELLED || (state == RUN_FAILED && check_timed_out(reason));
}

static void check_failed(struct sim *sim, const struct plan_step *s, const struct row_key *key,
                         const struct row_result *result, const struct row_run *child)
{
    const bool late = strncmp(result->reason, "timed out after", 15) == 0;
    if (child && (!s->waits || !lets_try_again(sim, s, child)))
        wrong(sim, s, key, result, "its run did not fail");
    const bool full = strstr(result->reason, CHECK_NO_MORE_STARTS);
    if (!child && !full && !could_not(sim, s, key, result->reason))
        wrong(sim, s, key, result, "it started nothing");
    if (late && (!s->timeout_us || !child || !is_ended(sim, child)))
        wrong(sim, s, key, result, "its time was not up");
    if (!check_whole_is_spent(s, result))
        wrong(sim, s, key, result, "it was not tried as often as it says");
}

void check_started(struct sim *sim, const struct plan_step *s, const struct row_key *key,
                   const struct row_result *result)
{
    const struct row_run *child = look_at_tries(sim, s, key, result);
    if (child && result->state != STEP_CANCELLED)
        check_names(sim, s, key, result, child);
    if (result->state == STEP_SUCCEEDED &&
        (!child || (s->waits && state_of(sim, child) != RUN_SUCCEEDED) || misses(sim, s, child)))
        wrong(sim, s, key, result, "its run did not succeed");
    if (result->state == STEP_SKIPPED && (!child || state_of(sim, child) != RUN_SKIPPED))
        wrong(sim, s, key, result, "its run was not skipped");
    if (result->state == STEP_FAILED)
        check_failed(sim, s, key, result, child);
}

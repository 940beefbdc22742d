/* Commands that people send: runs, cancels, all ways of running again, answers, drains. */
#include <stdio.h>
#include <string.h>
#include "common/base/clock.h"
#include "tests/sim/check/check.h"
#include "tests/sim/database/database.h"
#include "tests/sim/outside/internal.h"

void sending_command(struct sending *s, struct command *command)
{
    char at[CLOCK_TEXT];
    json_t *params = s->size == NO_SIZE ? NULL : json_pack("{s:i}", "size", s->size);
    clock_format(WALL_START + s->sim->now, at);
    s->is_command = true;
    s->kind = command->kind;
    command->v = 1;
    command->id = s->id;
    command->at = at;
    command->run = s->run;
    command->of = s->of;
    command->from = s->from;
    command->params = params;
    command->version = s->version;
    command->no_cache = s->no_cache;
    s->text = command_encode(command, &s->len);
    json_decref(params);
    s->sim->counts.commands++;
    sending_publish(s);
}

/* ---- which run, which step ------------------------------------------------------------------- */

static struct row_run *some_run(struct sim *sim, bool done)
{
    struct row_run *picked = NULL;
    int count = 0;
    for (struct row_run *run = sim->db->runs; run; run = run->hh.next)
        if (run->done == done && rng_in(&sim->rng, 0, count++) == 0)
            picked = run;
    return picked;
}

/* A step of its version, however deep; often none. */
static const char *some_step(struct sim *sim, const struct row_run *run)
{
    const struct plan_version *v = check_version_of(sim, &run->id);
    if (rng_chance(&sim->rng, 0.4))
        return NULL;
    return v->steps[rng_in(&sim->rng, 0, v->step_count - 1)].name;
}

/* Rather one that failed and has groups: there is something in it to take over. */
static struct row_run *run_to_repeat(struct sim *sim)
{
    struct row_run *run = NULL;
    for (int tries = 0; tries < 4; tries++) {
        run = some_run(sim, true);
        if (!run || run->state == RUN_SUCCEEDED)
            continue;
        const struct plan_version *v = check_version_of(sim, &run->id);
        for (int i = 0; i < v->step_count; i++)
            if (v->steps[i].kind != PLAN_RUN)
                return run;
    }
    return run;
}

/* How much there is in it for a rerun: what is pinned in items, rather of a list that may be
 * another then. */
static int pins_in(const struct plan_version *v)
{
    int most = 0;
    for (int i = 0; i < v->step_count; i++) {
        const struct plan_step *s = &v->steps[i];
        const bool inside = s->pin && s->parent >= 0 && !s->pins_round;
        const int worth = !inside ? 0 : v->steps[s->parent].items_from < 0 ? 1 : 2;
        most = worth > most ? worth : most;
    }
    return most;
}

static const struct row_run *run_to_rerun(struct sim *sim)
{
    const struct row_run *best = NULL;
    for (int tries = 0, most = -1; tries < 6; tries++) {
        const struct row_run *run = some_run(sim, true);
        const int worth = pins_in(check_version_of(sim, &run->id));
        if (worth > most)
            best = run;
        most = worth > most ? worth : most;
    }
    return best;
}

static void name_step(char steps[SIM_STEPS_TEXT], const struct plan_step *step)
{
    const size_t len = strlen(steps);
    if (len + strlen(step->name) + 2 <= SIM_STEPS_TEXT)
        snprintf(steps + len, SIM_STEPS_TEXT - len, "%s%s", len ? "," : "", step->name);
}

/* One or two steps of the run's own DAG; now and then any. */
static void some_steps(struct sim *sim, const struct row_run *run, char steps[SIM_STEPS_TEXT])
{
    const struct plan_version *v = check_version_of(sim, &run->id);
    const int at = (int)rng_in(&sim->rng, 0, v->step_count - 1);
    const bool inside = rng_chance(&sim->rng, 0.1);
    int count = 0;
    steps[0] = '\0';
    for (int k = 0; k < v->step_count && count < 2; k++) {
        const struct plan_step *step = &v->steps[(at + k) % v->step_count];
        if ((step->parent >= 0 && !inside) || (count && rng_chance(&sim->rng, 0.5)))
            continue;
        name_step(steps, step);
        count++;
    }
}

static const char *some_version(struct sim *sim, const char *pipeline)
{
    const struct plan_pipeline *p = plan_find(sim->plan, pipeline);
    return p->versions[rng_in(&sim->rng, 0, p->version_count - 1)].hash;
}

/* ---- a part of a group -----------------------------------------------------------------------
 */

static bool in_a_loop(const struct plan_version *v, int step)
{
    for (; step >= 0; step = v->steps[step].parent)
        if (v->steps[step].kind == PLAN_LOOP)
            return true;
    return false;
}

/* How gladly a step of that group is named: there it is good to have something to take over. */
static int weight_inside(struct sim *sim, const struct plan_version *v, int step,
                         const struct row_group *row)
{
    const struct plan_step *s = &v->steps[step];
    const struct row_result *end = database_result(sim->db, &row->key.at);
    int weight = s->needs || s->refers >= 0 ? 20 : 3;
    if (end && end->state == STEP_SUCCEEDED)
        weight *= 4;
    if (v->steps[s->parent].items_from >= 0)
        weight *= 4;
    return in_a_loop(v, s->parent) ? 1 : weight;
}

/* A step that stands in a group which began in a run that is over; -1 = there is none. */
static int some_step_inside(struct sim *sim, const struct row_run **run)
{
    int picked = -1, sum = 0;
    for (const struct row_group *row = sim->db->groups; row; row = row->hh.next) {
        const struct row_run *its = database_run(sim->db, &row->key.at.run);
        const struct plan_version *v = check_version_of(sim, &its->id);
        for (int i = 0; its->done && i < v->step_count; i++) {
            if (v->steps[i].parent != v->step_at[row->key.at.step])
                continue;
            const int weight = weight_inside(sim, v, i, row);
            sum += weight;
            if (rng_in(&sim->rng, 1, sum) <= weight) {
                picked = i;
                *run = its;
            }
        }
    }
    return picked;
}

/* Sometimes with the step that the list of the group comes from, so that it may be another. */
static void steps_inside(struct sim *sim, const struct plan_version *v, int step,
                         char steps[SIM_STEPS_TEXT])
{
    const int from = v->steps[v->steps[step].parent].items_from;
    name_step(steps, &v->steps[step]);
    if (from >= 0 && rng_chance(&sim->rng, 0.5))
        name_step(steps, &v->steps[from]);
    if (rng_chance(&sim->rng, 0.2))
        name_step(steps, &v->steps[rng_in(&sim->rng, 0, v->step_count - 1)]);
}

void outside_send_part(void *arg)
{
    struct sim *sim = arg;
    const struct row_run *of = NULL;
    const int step = some_step_inside(sim, &of);
    struct sending *s = of ? sending_new(sim) : NULL;
    if (!s)
        return;
    steps_inside(sim, check_version_of(sim, &of->id), step, s->steps);
    snprintf(s->pipeline, sizeof s->pipeline, "%s", of->pipeline);
    s->run = rng_uuid(&sim->rng);
    s->of = of->id;
    s->version = rng_chance(&sim->rng, 0.8) ? of->version : some_version(sim, of->pipeline);
    if (rng_chance(&sim->rng, 0.3))
        s->size = (int)rng_in(&sim->rng, 1, 9);
    sending_command(s, &(struct command){
                           .kind = COMMAND_KIND_ONLY, .pipeline = s->pipeline, .steps = s->steps});
}

/* ---- running again --------------------------------------------------------------------------- */

/* A retry, a rerun, or a run of some steps only. */
static void repeat(struct sim *sim, struct sending *s, struct command *command)
{
    const struct row_run *done = run_to_repeat(sim);
    s->of = done->id;
    s->no_cache = rng_chance(&sim->rng, 0.25);
    command->kind = COMMAND_KIND_RETRY;
    if (rng_chance(&sim->rng, 0.6)) {
        s->from = some_step(sim, done);
        return;
    }
    command->kind = COMMAND_KIND_RERUN;
    if (rng_chance(&sim->rng, 0.3))
        s->size = (int)rng_in(&sim->rng, 1, 9);
    if (rng_chance(&sim->rng, 0.5)) {
        s->of = run_to_rerun(sim)->id;
        return;
    }
    command->kind = COMMAND_KIND_ONLY;
    some_steps(sim, done, s->steps);
    snprintf(s->pipeline, sizeof s->pipeline, "%s", done->pipeline);
    command->pipeline = s->pipeline;
    command->steps = s->steps;
    if (rng_chance(&sim->rng, 0.8))
        s->version = rng_chance(&sim->rng, 0.7) ? done->version : some_version(sim, done->pipeline);
}

/* ---- runs and cancels ------------------------------------------------------------------------ */

/* On its way before the run that it means, or after it. */
static void cancel_ahead(void *arg)
{
    struct sending *of = arg;
    struct sim *sim = of->sim;
    struct sending *s = sim->quiet ? NULL : sending_new(sim);
    if (!s)
        return;
    s->run = of->run;
    s->ahead = true;
    sending_command(s, &(struct command){.kind = COMMAND_KIND_CANCEL});
}

static void run_by_hand(struct sim *sim, struct sending *s, const struct plan_pipeline *p,
                        struct command *command)
{
    command->kind = COMMAND_KIND_RUN;
    snprintf(s->pipeline, sizeof s->pipeline, "%s", p->name);
    command->pipeline = s->pipeline;
    if (rng_chance(&sim->rng, 0.4))
        s->size = (int)rng_in(&sim->rng, 1, 9);
    if (rng_chance(&sim->rng, 0.3))
        s->version = some_version(sim, p->name);
    s->no_cache = rng_chance(&sim->rng, 0.2);
    if (rng_chance(&sim->rng, 0.1))
        cancel_ahead(s);
    else if (rng_chance(&sim->rng, 0.1))
        sim_at(sim, NULL, rng_in(&sim->rng, 0, 50 * MS), cancel_ahead, s);
}

void outside_send_command(void *arg)
{
    struct sim *sim = arg;
    const struct plan_pipeline *p = plan_some(sim);
    struct sending *s = p ? sending_new(sim) : NULL;
    if (!s)
        return;
    struct command command = {0};
    struct row_run *live = some_run(sim, false), *done = some_run(sim, true);
    const int64_t dice = rng_in(&sim->rng, 0, 11);
    s->run = rng_uuid(&sim->rng);
    s->late = done && (dice == 4 || (dice < 4 && !live));
    if (s->late || (dice < 4 && live)) {
        command.kind = COMMAND_KIND_CANCEL;
        s->run = s->late ? done->id : live->id;
    } else if (dice < 10 && done) {
        repeat(sim, s, &command);
    } else {
        run_by_hand(sim, s, p, &command);
    }
    sending_command(s, &command);
}

/* ---- answers --------------------------------------------------------------------------------- */

static struct row_step *some_approval(struct sim *sim)
{
    struct row_step *picked = NULL;
    int count = 0;
    for (struct row_step *row = sim->db->steps; row; row = row->hh.next) {
        const struct plan_version *v = check_version_of(sim, &row->key.run);
        const bool asks = v->steps[v->step_at[row->key.step]].kind == PLAN_APPROVAL;
        if (asks && rng_in(&sim->rng, 0, count++) == 0)
            picked = row;
    }
    return picked;
}

/* Of the right one and of somebody else, of the instance by its number and without, and sometimes a
 * second one that says the contrary. */
void outside_send_answer(void *arg)
{
    struct sim *sim = arg;
    const struct row_step *row = some_approval(sim);
    struct sending *s = row ? sending_new(sim) : NULL;
    if (!s)
        return;
    const struct plan_version *v = check_version_of(sim, &row->key.run);
    snprintf(s->step, sizeof s->step, "%s", v->steps[v->step_at[row->key.step]].name);
    s->run = row->key.run;
    s->answer =
        (struct answer){s->run, s->step, rng_chance(&sim->rng, 0.7) ? row->key.iteration : 0,
                        rng_chance(&sim->rng, 0.7), rng_chance(&sim->rng, 0.6)};
    sending_command(s, &(struct command){.kind = COMMAND_KIND_APPROVE,
                                         .step = s->step,
                                         .iteration = s->answer.iteration,
                                         .by = s->answer.anna ? "anna" : "mallory",
                                         .answer = s->answer.approved ? COMMAND_ANSWER_APPROVED
                                                                      : COMMAND_ANSWER_REJECTED});
    if (rng_chance(&sim->rng, 0.3))
        sim_at(sim, NULL, rng_in(&sim->rng, 0, 500 * MS), outside_send_answer, sim);
}

bool outside_answer(const struct sim *sim, const struct uuid *command, struct answer *out)
{
    const struct outside *o = sim->outside;
    for (int i = 0; i < o->count; i++)
        if (o->items[i].kind == COMMAND_KIND_APPROVE && o->items[i].is_command &&
            uuid_compare(&o->items[i].id, command) == 0) {
            *out = o->items[i].answer;
            return true;
        }
    return false;
}

/* Steps that wait: which event ends which is worked out from the rows before the commit and the
 * events in it, and never by asking the core. */
#include <stdio.h>
#include <string.h>
#include "common/text/json.h"
#include "tests/sim/check/check.h"
#include "tests/sim/outside/outside.h"
#include "tests/sim/plan/plan.h"
#include "tests/sim/reference/reference.h"

#define SHORT(id) uuid_short(&(id), (char[UUID_TEXT]){0})

static const struct plan_step *step_of(struct sim *sim, const struct uuid *run, int32_t step)
{
    const struct plan_version *v = check_version_of(sim, run);
    return &v->steps[v->step_at[step]];
}

static const struct batch_result *result_in(const struct batch *b, const struct row_key *key)
{
    for (size_t i = 0; i < b->results_count; i++) {
        const struct batch_result *r = &b->results[i];
        if (r->step == key->step && r->iteration == key->iteration &&
            uuid_compare(&r->run, &key->run) == 0)
            return r;
    }
    return NULL;
}

/* What events of the batch come to for one wait: the first that fits, and on how many before that
 * its filter fails. */
struct met {
    const struct batch_event *ends;
    int failed;
};

static struct met meet_all(struct sim *sim, const struct plan_step *s, const struct row_key *key,
                           const struct batch *b)
{
    struct met m = {0};
    int over;
    const bool known = reference_bound(sim, check_version_of(sim, &key->run), key, &over);
    for (size_t i = 0; i < b->events_count && !m.ends; i++) {
        const struct batch_event *event = &b->events[i];
        if (!plan_wait_fits(s, event->type, event->source))
            continue;
        json_t *envelope = json_loads(event->envelope, 0, NULL);
        json_t *n = json_object_get(json_object_get(envelope, "data"), "n");
        if (!known || !n)
            m.failed++;
        else if (json_integer_value(n) > over)
            m.ends = event;
        json_decref(envelope);
    }
    return m;
}

/* Something around it may be about to cancel it. */
static bool may_stop(struct sim *sim, const struct batch *b, const struct uuid *run)
{
    const struct row_run *row = database_run(sim->db, run);
    if (row->state == RUN_CANCELLING)
        return true;
    for (size_t i = 0; i < b->run_moves_count; i++)
        if (b->run_moves[i].state != RUN_RUNNING && uuid_compare(&b->run_moves[i].id, run) == 0)
            return true;
    for (size_t i = 0; i < b->results_count; i++) /* fail_fast stops what is beside it */
        if (b->results[i].state == STEP_FAILED && uuid_compare(&b->results[i].run, run) == 0)
            return true;
    for (size_t i = 0; i < b->steps_count; i++)
        if (b->steps[i].state == STEP_CANCELLING && uuid_compare(&b->steps[i].run, run) == 0)
            return true;
    for (const struct row_finally *f = sim->db->finallys; f; f = f->hh.next)
        if (uuid_compare(&f->at.run, run) == 0 && check_finally_is_up(sim, run, f->at.iteration))
            return true;
    for (const struct row_step *s = sim->db->steps; s; s = s->hh.next)
        if (s->state == STEP_CANCELLING && uuid_compare(&s->key.run, run) == 0)
            return true;
    return false;
}

static void check_ended_by(struct sim *sim, const struct batch_result *result,
                           const struct batch_event *event)
{
    char id[UUID_TEXT];
    json_t *outputs = json_loads(result->outputs ? result->outputs : "{}", 0, NULL);
    uuid_format(&event->id, id);
    const char *named = json_get_string(json_object_get(outputs, "event"), "id", "none");
    if (strcmp(named, id) != 0)
        sim_fail(sim, 3, "step %d of run %s waited for event %s and gives %s", result->step,
                 SHORT(result->run), id, named);
    json_decref(outputs);
}

/* Of all waits: those that an event of this batch ends; filters that fail, for sure and at most. */
struct told {
    int ended, failed, may_fail;
};

static void check_wait(struct sim *sim, const struct batch *b, const struct row_step *row,
                       const struct plan_step *s, struct told *told)
{
    const struct batch_result *result = result_in(b, &row->key);
    const struct met m = meet_all(sim, s, &row->key, b);
    const struct batch_event *event = m.ends;
    const bool ended = result && result->state == STEP_SUCCEEDED;
    if (ended && !event)
        sim_fail(sim, 5, "step %s of run %s waits, no event that fits was committed and it ends",
                 s->name, SHORT(row->key.run));
    if (ended)
        check_ended_by(sim, result, event);
    else if (event && !(result && result->state == STEP_CANCELLED) &&
             !may_stop(sim, b, &row->key.run))
        sim_fail(sim, 1, "event %s fits step %s [%d] of run %s, and does not end it: %s %s",
                 SHORT(event->id), s->name, row->key.iteration, SHORT(row->key.run),
                 result ? machine_state_name(&MACHINE_STEP, result->state) : "still waits",
                 result ? result->reason : "");
    sim->counts.waits_ended += ended;
    sim->counts.filters[s->filter] += ended;
    told->ended += ended;
    told->may_fail += m.failed;
    if (m.failed && !result && !may_stop(sim, b, &row->key.run))
        told->failed += m.failed;
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool means(const struct answer *a, const struct row_key *key, const struct plan_step *s)
{
    return uuid_compare(&a->run, &key->run) == 0 && strcmp(a->step, s->name) == 0 &&
           (a->iteration == 0 || a->iteration == key->iteration);
}

/* What somebody is asked, and who: as it stands in the row, for people. */
void check_asked(struct sim *sim, const struct batch_step *step)
{
    const struct row_key key = {step->run, step->step, step->iteration};
    const struct plan_step *s = step_of(sim, &step->run, step->step);
    char refers[16], where[64], want[192];
    if (s->kind != PLAN_APPROVAL || step->state != STEP_WAITING)
        return;
    const struct plan_version *v = check_version_of(sim, &step->run);
    reference_arguments(sim, v, &key, refers, where);
    int size;
    if (!reference_size(sim, v, &key, &size) && s->asks)
        sim_fail(sim, 3, "step %s of run %s asks, and has no parameters", s->name,
                 SHORT(step->run));
    const int len = snprintf(want, sizeof want, "waits for an answer of %s",
                             s->by_anna ? "anna" : "anybody who may approve");
    if (s->asks)
        snprintf(want + len, sizeof want - (size_t)len, ": %d|%s|%s", size, refers, where);
    if (!step->reason || strcmp(step->reason, want) != 0)
        sim_fail(sim, 3, "step %s of run %s asks '%s', and is to ask '%s'", s->name,
                 SHORT(step->run), step->reason ? step->reason : "", want);
    sim->counts.questions += s->asks;
}

/* The accepted answer of this batch that ends it. */
static bool answer_of(struct sim *sim, const struct batch *b, const struct row_key *key,
                      const struct plan_step *s, struct answer *found)
{
    for (size_t i = 0; i < b->commands_count; i++)
        if (b->commands[i].accepted && outside_answer(sim, &b->commands[i].id, found) &&
            means(found, key, s))
            return true;
    return false;
}

/* True: an answer ends it. */
static bool check_approval(struct sim *sim, const struct batch *b, const struct row_step *row,
                           const struct plan_step *s)
{
    const struct batch_result *r = result_in(b, &row->key);
    struct answer a;
    if (!r || r->state == STEP_CANCELLED) /* whether it may be is looked at with the whole run */
        return false;
    if (strncmp(r->reason, "timed out after", 15) == 0) {
        if (r->state != s->silence)
            sim_fail(sim, 3, "nobody answers step %s and it is %s", s->name,
                     machine_state_name(&MACHINE_STEP, r->state));
        return false;
    }
    if (!answer_of(sim, b, &row->key, s, &a))
        sim_fail(sim, 5, "step %s of run %s is %s, and nobody was asked", s->name,
                 SHORT(row->key.run), machine_state_name(&MACHINE_STEP, r->state));
    if (s->by_anna && !a.anna)
        sim_fail(sim, 5, "mallory answers step %s of run %s", s->name, SHORT(row->key.run));
    if (r->state != (a.approved ? STEP_SUCCEEDED : STEP_FAILED))
        sim_fail(sim, 3, "step %s was %s and is %s", s->name, a.approved ? "approved" : "rejected",
                 machine_state_name(&MACHINE_STEP, r->state));
    sim->counts.answers++;
    return true;
}

static bool fits_one(struct sim *sim, const struct batch *b, const struct answer *a)
{
    int open = 0;
    bool free = false;
    for (const struct row_step *row = sim->db->steps; row; row = row->hh.next) {
        const struct plan_step *s = step_of(sim, &row->key.run, row->key.step);
        if (s->kind != PLAN_APPROVAL || !means(a, &row->key, s))
            continue;
        open++;
        free = !result_in(b, &row->key) && (a->anna || !s->by_anna);
    }
    return open == 1 && free && !may_stop(sim, b, &a->run);
}

/* Each accepted one ended one step, and none was refused for nothing. */
static void check_answers(struct sim *sim, const struct batch *b, int ended)
{
    int accepted = 0;
    struct answer a;
    for (size_t i = 0; i < b->commands_count; i++) {
        if (!outside_answer(sim, &b->commands[i].id, &a))
            continue;
        accepted += b->commands[i].accepted;
        if (!b->commands[i].accepted && fits_one(sim, b, &a))
            sim_fail(sim, 1, "an answer to step %s of run %s is refused: %s", a.step, SHORT(a.run),
                     b->commands[i].detail);
    }
    if (accepted != ended)
        sim_fail(sim, 3, "%d answers are accepted, %d steps end by one", accepted, ended);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void check_verdicts(struct sim *sim, const struct batch *b, const struct told *want)
{
    int told = 0, failed = 0;
    size_t k;
    json_t *v;
    for (size_t i = 0; i < b->events_count; i++) {
        json_t *verdicts = json_loads(b->events[i].verdicts, 0, NULL);
        json_array_foreach (verdicts, k, v) {
            told += strcmp(json_get_string(v, "verdict", ""), "ended") == 0;
            failed += json_object_get(v, "waiting") &&
                      strcmp(json_get_string(v, "verdict", ""), "failed") == 0;
        }
        json_decref(verdicts);
    }
    if (told != want->ended)
        sim_fail(sim, 1, "events say that they end %d waits, and %d end", told, want->ended);
    if (failed < want->failed || failed > want->may_fail)
        sim_fail(sim, 1, "filters of %d waits fail on events, %d to %d were to", failed,
                 want->failed, want->may_fail);
    sim->counts.unfiltered += failed;
}

void check_waits_before(struct sim *sim, const struct batch *b)
{
    struct told told = {0};
    int there = 0, answered = 0;
    if (b->events_count == 0 && b->results_count == 0 && b->commands_count == 0)
        return;
    for (const struct row_step *row = sim->db->steps; row; row = row->hh.next) {
        const struct plan_step *s = step_of(sim, &row->key.run, row->key.step);
        if (s->kind == PLAN_WAIT)
            check_wait(sim, b, row, s, &told);
        else if (s->kind == PLAN_APPROVAL)
            answered += check_approval(sim, b, row, s);
    }
    for (size_t i = 0; i < b->results_count; i++) {
        const struct batch_result *r = &b->results[i];
        const struct row_run *run = database_run(sim->db, &r->run);
        there += run && r->state == STEP_SUCCEEDED &&
                 step_of(sim, &r->run, r->step)->kind == PLAN_WAIT &&
                 strncmp(r->reason, "adopted", 7) != 0;
    }
    if (there != told.ended)
        sim_fail(sim, 5, "a step that waits for an event ends before it began");
    check_verdicts(sim, b, &told);
    check_answers(sim, b, answered);
}

#include "tests/sim/reference/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT(id) uuid_short(&(id), (char[UUID_TEXT]){0})

/* ---- looking --------------------------------------------------------------------------------- */

struct row_key scene_key(const struct scene *at, int step)
{
    return (struct row_key){at->run, at->v->index_of[step], at->iteration};
}

const struct row_result *scene_result(const struct scene *at, int step)
{
    const struct row_key key = scene_key(at, step);
    return database_result(at->sim->db, &key);
}

json_t *scene_output_named(const struct scene *at, int step, const char *name)
{
    const struct row_result *result = scene_result(at, step);
    const struct plan_step *s = &at->v->steps[step];
    /* Which run was started, and how it ended, is told however it did; the items that went well
     * count where those that failed end none. */
    const bool told = result && (s->kind == PLAN_START || (s->kind == PLAN_EACH && !s->fail_fast));
    if (!result || (result->state != STEP_SUCCEEDED && !told) || !result->outputs)
        return NULL;
    json_t *all = json_loads(result->outputs, 0, NULL);
    json_t *n = json_incref(json_object_get(all, name));
    json_decref(all);
    return n;
}

json_t *scene_output(const struct scene *at, int step)
{
    return scene_output_named(at, step, "n");
}

bool scene_number(const struct scene *at, int step, int *n)
{
    json_t *value = scene_output(at, step);
    const bool there = json_is_integer(value);
    *n = (int)json_integer_value(value);
    json_decref(value);
    return there;
}

struct scene scene_of(struct sim *sim, const struct plan_version *v, const struct uuid *run,
                      int32_t iteration)
{
    struct scene at = {sim, v, *run, -1, 0, iteration, NULL, NULL};
    if (iteration == 0)
        return at;
    for (const struct row_group *row = sim->db->groups; row; row = row->hh.next)
        if (uuid_compare(&row->key.at.run, run) == 0 && iteration >= row->first &&
            iteration - row->first < row->count)
            at.start = row;
    if (!at.start)
        sim_fail(sim, 3, "iteration %d of run %s belongs to no group", iteration, SHORT(*run));
    at.parent = v->step_at[at.start->key.at.step];
    at.branch = at.start->branch;
    return at;
}

struct scene scene_outward(const struct scene *at)
{
    struct scene up = scene_of(at->sim, at->v, &at->run, at->start->key.at.iteration);
    up.seen = at->seen;
    return up;
}

bool scene_has(const struct scene *at, int step)
{
    const struct plan_step *s = &at->v->steps[step];
    return s->parent == at->parent && s->branch == at->branch;
}

/* The instance of a step beside it or further out. */
struct scene scene_around(const struct scene *at, int step)
{
    struct scene here = *at;
    while (!scene_has(&here, step)) {
        if (!here.start)
            sim_fail(at->sim, 0, "the plan refers to a step that is not around");
        here = scene_outward(&here);
    }
    return here;
}

bool scene_number_seen(const struct scene *at, int step, int *n)
{
    const struct scene here = scene_around(at, step);
    return scene_number(&here, step, n);
}

/* What it takes: a new reference; NULL = there is none. */
static json_t *taken_by(const struct scene *at, const struct plan_step *s)
{
    if (s->takes < 0)
        return NULL;
    const struct scene here = scene_around(at, s->takes);
    return scene_output_named(&here, s->takes, at->v->steps[s->takes].pin ? "manifest" : "d");
}

/* An input of what may be left out is left out with it. */
static bool misses_input(const struct scene *at, const struct plan_step *s)
{
    json_t *d = taken_by(at, s);
    json_decref(d);
    return s->takes >= 0 && !d && !at->v->steps[s->takes].d_optional;
}

/* It looks at its size, and what it stands in could not be given one. */
static bool misses_size(const struct scene *at, const struct plan_step *s)
{
    const struct row_key here = {at->run, 0, at->iteration};
    int size;
    return (s->kind == PLAN_RUN || s->asks) && !reference_size(at->sim, at->v, &here, &size);
}

/* ---- what a step should come to before it is tried ------------------------------------------- */

static int by_needs(const struct scene *at, const struct plan_step *s)
{
    int good = 0, skipped = 0, bad = 0;
    for (int i = 0; i < at->v->step_count; i++) {
        const struct row_result *need = s->needs >> i & 1u ? scene_result(at, i) : NULL;
        if (!(s->needs >> i & 1u))
            continue;
        if (!need)
            return TOO_EARLY;
        good += need->state == STEP_SUCCEEDED;
        skipped += need->state == STEP_SKIPPED;
        bad += need->state != STEP_SUCCEEDED && need->state != STEP_SKIPPED;
    }
    switch (s->rule) {
    case PLAN_ALL_SUCCEEDED:
        return bad ? STEP_UPSTREAM_FAILED : skipped ? STEP_SKIPPED : BEGINS;
    case PLAN_ALL_DONE:
        return BEGINS;
    case PLAN_ANY_FAILED:
        return bad ? BEGINS : STEP_SKIPPED;
    case PLAN_ANY_SUCCEEDED:
        return good ? BEGINS : bad ? STEP_UPSTREAM_FAILED : STEP_SKIPPED;
    default:
        return bad ? STEP_UPSTREAM_FAILED : BEGINS;
    }
}

/* A run that nobody's event made has none; a new reference. */
static json_t *event_of(const struct scene *at)
{
    const struct row_run *run = database_run(at->sim->db, &at->run);
    const struct row_event *event = NULL;
    HASH_FIND(hh, at->sim->db->events, &run->event, sizeof run->event, event);
    return event ? json_loads(event->envelope, 0, NULL) : NULL;
}

static bool event_number(const struct scene *at, int *n)
{
    json_t *event = event_of(at);
    const json_t *value = json_object_get(json_object_get(event, "data"), "n");
    const bool there = json_is_integer(value);
    *n = (int)json_integer_value(value);
    json_decref(event);
    return there;
}

/* "bN" */
static bool branch_number(const struct scene *at, int *n)
{
    json_t *event = event_of(at);
    const char *branch =
        json_string_value(json_object_get(json_object_get(event, "vars"), "BRANCH_NAME"));
    *n = branch ? branch[1] - '0' : 0;
    json_decref(event);
    return branch != NULL;
}

static bool asked_for(const struct scene *at, const struct plan_condition *c, int *n)
{
    const struct row_key here = {at->run, 0, at->iteration};
    switch (c->looks) {
    case PLAN_LOOKS_AT_STEP:
        return scene_number_seen(at, c->step, n);
    case PLAN_LOOKS_AT_EVENT:
        return event_number(at, n);
    case PLAN_LOOKS_AT_BRANCH:
        return branch_number(at, n);
    default:
        return reference_size(at->sim, at->v, &here, n);
    }
}

/* Is there nothing against it? CANNOT_SAY: what it looks at is not there. */
static int condition_holds(const struct scene *at, const struct plan_condition *c)
{
    int n;
    if (!c->looks)
        return true;
    if (!asked_for(at, c, &n)) {
        if (!c->or_default)
            return CANNOT_SAY;
        n = c->looks == PLAN_LOOKS_AT_BRANCH ? PLAN_DEFAULT_BRANCH : PLAN_DEFAULT;
    }
    at->sim->counts.conditions[c->looks][n > c->over]++;
    return n > c->over;
}

/* -1 = no branch; -2 = it cannot be said. */
int scene_branch(const struct scene *at, const struct plan_step *s)
{
    for (int b = 0; b < s->branches; b++) {
        const int holds = condition_holds(at, &s->cases[b]);
        if (holds != false)
            return holds == CANNOT_SAY ? -2 : b;
    }
    return -1;
}

/* -1 = there is no folder. */
static int names_in(const struct scene *at, int step)
{
    json_t *d = scene_output_named(at, step, "d");
    const int count = d ? (int)json_array_size(json_object_get(d, "names")) : -1;
    json_decref(d);
    return count;
}

/* -1 = it cannot be said. */
int scene_items(const struct scene *at, const struct plan_step *s)
{
    int n;
    if (s->items_from < 0)
        return s->item_count;
    if (s->items_folder)
        return names_in(at, s->items_from);
    if (!plan_is_list(at->v, s->items_from))
        return scene_number(at, s->items_from, &n) ? s->item_count + 1 : -1;
    json_t *list = scene_output(at, s->items_from);
    const int count = json_is_array(list) ? (int)json_array_size(list) : -1;
    json_decref(list);
    return count;
}

int scene_verdict(const struct scene *at, int step)
{
    const struct plan_step *s = &at->v->steps[step];
    int n, state = by_needs(at, s);
    if (state != BEGINS)
        return state;
    const int holds = condition_holds(at, &s->when);
    if (holds != true)
        return holds == CANNOT_SAY ? STEP_FAILED : STEP_SKIPPED;
    if (s->when_item >= 0 && at->iteration - at->start->first <= s->when_item)
        return STEP_SKIPPED;
    if (s->refers >= 0 && s->kind != PLAN_WAIT && !s->refers_default &&
        !scene_number_seen(at, s->refers, &n))
        return STEP_FAILED;
    if (misses_input(at, s) || misses_size(at, s))
        return STEP_FAILED;
    if (s->kind == PLAN_EACH && scene_items(at, s) < 0)
        return STEP_FAILED;
    if (s->kind == PLAN_SWITCH && scene_branch(at, s) < 0)
        return scene_branch(at, s) == -1 ? STEP_SKIPPED : STEP_FAILED;
    return BEGINS;
}

void reference_begins(struct sim *sim, const struct plan_version *v, const struct row_key *key)
{
    const struct scene at = scene_of(sim, v, &key->run, key->iteration);
    const int step = v->step_at[key->step];
    if (!scene_has(&at, step))
        sim_fail(sim, 3, "step %s begins in an iteration of %s", v->steps[step].name,
                 at.parent < 0 ? "the run" : v->steps[at.parent].name);
    if (scene_verdict(&at, step) != BEGINS)
        sim_fail(sim, 5, "step %s of run %s starts against its needs or condition",
                 v->steps[step].name, SHORT(key->run));
    if (!v->steps[step].finally && scene_is_unfit(&at))
        sim_fail(sim, 5, "step %s of run %s begins in a part without its parameters",
                 v->steps[step].name, SHORT(key->run));
    if (v->steps[step].finally && !database_in_finally(sim->db, &key->run, key->iteration))
        sim_fail(sim, 14, "the finally step %s of run %s begins, and nothing says since when",
                 v->steps[step].name, SHORT(key->run));
    for (int i = 0; v->steps[step].finally && i < v->step_count; i++)
        if (scene_has(&at, i) && !v->steps[i].finally && !scene_result(&at, i))
            sim_fail(sim, 5, "the finally step %s of run %s starts before %s is over",
                     v->steps[step].name, SHORT(key->run), v->steps[i].name);
}

int64_t reference_finally_time(struct sim *sim, const struct plan_version *v,
                               const struct uuid *run, int32_t iteration)
{
    const struct scene at = scene_of(sim, v, run, iteration);
    return plan_finally_us(v, at.parent, at.branch);
}

int scene_round_before(const struct scene *here)
{
    const int ordinal = here->iteration - here->start->first;
    struct scene before = *here;
    int n;
    before.iteration--;
    const int giver = here->v->steps[here->parent].gives[here->branch];
    return ordinal > 0 && scene_number(&before, giver, &n) ? n : PLAN_NO_ROUND;
}

static const char *state_seen(const struct scene *at, int step)
{
    const struct row_result *result = scene_result(at, step);
    return result ? machine_state_name(&MACHINE_STEP, result->state) : "nothing";
}

void reference_arguments(struct sim *sim, const struct plan_version *v, const struct row_key *key,
                         char refers[16], char where[64])
{
    const struct scene at = scene_of(sim, v, &key->run, key->iteration);
    const struct plan_step *s = &v->steps[v->step_at[key->step]];
    int n = 0, item = -1, round = -1, before = PLAN_NO_ROUND;
    bool named = false;
    if (s->refers >= 0 && !scene_number_seen(&at, s->refers, &n)) {
        if (!s->refers_default)
            sim_fail(sim, 5, "step %s runs though it refers to nothing", s->name);
        n = PLAN_DEFAULT;
        sim->counts.defaults++;
    }
    snprintf(refers, 16, "%d", n);
    if (s->refers < 0)
        refers[0] = '\0';
    /* A part sees nothing of what is around it. */
    for (struct scene here = at; here.start && !v->steps[here.parent].part;
         here = scene_outward(&here)) {
        const int ordinal = here.iteration - here.start->first;
        if (v->steps[here.parent].kind == PLAN_EACH && item < 0 && (!s->pin || s->pins_item)) {
            item = ordinal;
            named = v->steps[here.parent].items_folder;
        }
        if (v->steps[here.parent].kind == PLAN_LOOP && round < 0 && (!s->pin || s->pins_round)) {
            round = ordinal;
            before = scene_round_before(&here);
        }
    }
    char *to = where;
    *to = '\0';
    if (item >= 0)
        to += snprintf(to, 32, "%s%d", named ? "f " : "", item);
    if (round >= 0)
        to += snprintf(to, 16, "/%d^%d", round, before);
    if (s->sees >= 0)
        snprintf(to, 24, "@%s", state_seen(&at, s->sees));
}

/* What a finally step may be told of its DAG: what was going to happen to the run or a group around
 * may have been decided since it was asked for. */
bool reference_outcome_fits(struct sim *sim, const struct plan_version *v,
                            const struct row_key *key, const char *state)
{
    const struct scene at = scene_of(sim, v, &key->run, key->iteration);
    const struct row_run *run = database_run(sim->db, &key->run);
    bool failed = false, cancelled = false, stops = run->done || run->state == RUN_CANCELLING;
    for (struct scene here = at; here.start; here = scene_outward(&here)) {
        const struct row_step *group = database_step(sim->db, &here.start->key.at);
        stops |= !group || group->state == STEP_CANCELLING;
    }
    for (int i = 0; i < v->step_count; i++) {
        const struct row_result *result = scene_has(&at, i) ? scene_result(&at, i) : NULL;
        if (!result || v->steps[i].finally)
            continue;
        failed |= result->state == STEP_FAILED && !v->steps[i].allow_failure;
        cancelled |= result->state == STEP_CANCELLED;
    }
    if (strcmp(state, "succeeded") == 0)
        return !failed && !cancelled;
    return strcmp(state, "failed") == 0 ? failed || cancelled || stops : cancelled || stops;
}

static bool is_list_of(const struct scene *at, int step, const struct order_input *input,
                       const json_t *want)
{
    const struct scene there = scene_around(at, step);
    const struct row_key from = scene_key(&there, step);
    const struct order_list *of = input->of;
    return of && of->step == from.step && of->iteration == from.iteration &&
           json_equal(want, input->list);
}

static bool is_folder_of(const struct order_input *input, const json_t *want, bool pinned)
{
    const char *artifact = json_string_value(json_object_get(want, "artifact"));
    return !input->of && !input->list && input->folder == !pinned && input->objects == pinned &&
           input->artifact && artifact && strcmp(input->artifact, artifact) == 0;
}

void reference_list(struct sim *sim, const struct plan_version *v, const struct row_key *key,
                    const struct order_start *order)
{
    const struct scene at = scene_of(sim, v, &key->run, key->iteration);
    const struct plan_step *s = &v->steps[v->step_at[key->step]];
    json_t *want = taken_by(&at, s);
    if (order->inputs_count != (want != NULL))
        sim_fail(sim, 3, "step %s is given %zu inputs", s->name, order->inputs_count);
    if (!want)
        return;
    const bool list = v->steps[s->takes].kind == PLAN_EACH;
    sim->counts.handed_in += plan_is_handed_in(v, v->step_at[key->step]);
    sim->counts.handed_pins +=
        v->steps[s->takes].pin && v->steps[s->takes].pins_for != (int)(s - v->steps);
    if (list ? !is_list_of(&at, s->takes, &order->inputs[0], want)
             : !is_folder_of(&order->inputs[0], want, v->steps[s->takes].pin))
        sim_fail(sim, 3, "step %s is given something else than %s has %s", s->name,
                 v->steps[s->takes].name, list ? "collected" : "written");
    json_decref(want);
}

uint32_t reference_list_sum(struct sim *sim, const struct plan_version *v,
                            const struct row_key *key)
{
    const struct scene at = scene_of(sim, v, &key->run, key->iteration);
    const struct plan_step *s = &v->steps[v->step_at[key->step]];
    json_t *taken = taken_by(&at, s);
    if (!taken)
        return 0;
    json_object_del(taken, "names"); /* no part of what it is */
    char *text = json_dumps(taken, JSON_SORT_KEYS | JSON_COMPACT);
    uint32_t sum = 2166136261u; /* FNV-1a */
    for (const char *p = text; p && *p; p++)
        sum = (sum ^ (uint8_t)*p) * 16777619u;
    free(text);
    json_decref(taken);
    return sum;
}

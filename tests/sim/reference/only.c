/* A run of a few steps: which of them run, what is taken over from which instance of the old run,
 * what is left out, and when such a run is refused. */
#include <stdio.h>
#include <string.h>
#include "common/base/text.h"
#include "tests/sim/check/check.h"
#include "tests/sim/reference/internal.h"

#define SHORT(id) uuid_short(&(id), (char[UUID_TEXT]){0})

struct alone {
    struct sim *sim;
    const struct plan_version *v, *of; /* of the new run and of the old one */
    const struct row_run *old;
    const char *list; /* paths with commas between */
};

/* ---- the four sorts -------------------------------------------------------------------------- */

static bool is_named(const struct alone *a, int step)
{
    char in[SIM_STEPS_TEXT + 3], what[64];
    snprintf(in, sizeof in, ",%s,", a->list);
    snprintf(what, sizeof what, ",%s,", a->v->steps[step].name);
    return strstr(in, what) != NULL;
}

static bool runs(const struct alone *a, int step)
{
    for (; step >= 0; step = a->v->steps[step].parent)
        if (is_named(a, step))
            return true;
    return false;
}

static bool stands_in(const struct plan_version *v, int step, int group)
{
    for (int at = v->steps[step].parent; at >= 0; at = v->steps[at].parent)
        if (at == group)
            return true;
    return false;
}

static bool is_part(const struct alone *a, int group)
{
    for (int i = 0; i < a->v->step_count && !runs(a, group); i++)
        if (is_named(a, i) && stands_in(a->v, i, group))
            return true;
    return false;
}

/* A finally step looks at others without needing them. */
static bool looks_at(const struct plan_step *s, int step)
{
    return s->needs >> step & 1u || s->refers == step || s->sees == step || s->takes == step ||
           s->given_by == step;
}

static bool is_needed(const struct alone *a, int step)
{
    if (runs(a, step) || is_part(a, step))
        return false;
    for (int i = 0; i < a->v->step_count; i++)
        if (looks_at(&a->v->steps[i], step) && (runs(a, i) || is_part(a, i)))
            return true;
    return false;
}

static bool takes(const struct alone *a, int group)
{
    for (int i = 0; i < a->v->step_count && is_part(a, group); i++)
        if (stands_in(a->v, i, group) && is_needed(a, i))
            return true;
    return false;
}

static bool is_left_out(const struct alone *a, int step)
{
    return !runs(a, step) && !is_part(a, step) && !is_needed(a, step);
}

/* Is the n (else: the d) of the step there when all goes well? */
static bool is_there(const struct alone *a, int step, bool n)
{
    const struct plan_step *s = &a->v->steps[step];
    bool known = false;
    if (is_left_out(a, step))
        return false;
    if (!is_part(a, step))
        return true;
    for (int b = 0; b < s->branches; b++) {
        const int from = n ? s->gives[b] : s->gives_folder;
        if (from >= 0 && is_there(a, from, n))
            return true;
        known |= from >= 0;
    }
    return !known;
}

/* ---- the old run ----------------------------------------------------------------------------- */

static const struct row_result *then(const struct alone *a, int step, int32_t iteration)
{
    const int was = plan_step_find(a->of, a->v->steps[step].name);
    const struct row_key key = {a->old->id, was < 0 ? -1 : a->of->index_of[was], iteration};
    return database_result(a->sim->db, &key);
}

static const struct row_group *try_then(const struct alone *a, int step, int32_t iteration)
{
    const struct row_result *end = then(a, step, iteration);
    return end ? database_group(a->sim->db, &end->key, end->attempt) : NULL;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* A literal list stands in no row, and is as long as the file says. */
static bool same_list(const struct row_group *a, const struct row_group *b)
{
    return a->count == b->count && a->branch == b->branch && same_text(a->items, b->items);
}

/* Which instance of the old run has the same place; -1 = none. */
static int32_t iteration_then(const struct alone *a, const struct uuid *run, int32_t iteration)
{
    if (iteration == 0)
        return 0;
    const struct scene at = scene_of(a->sim, a->v, run, iteration);
    const int32_t around = iteration_then(a, run, at.start->key.at.iteration);
    const struct row_group *was = around < 0 ? NULL : try_then(a, at.parent, around);
    return was && same_list(was, at.start) ? was->first + iteration - at.start->first : -1;
}

/* ---- what came of it ------------------------------------------------------------------------- */

static void wrong(const struct alone *a, const struct row_result *row, const char *what)
{
    sim_fail(a->sim, 3, "step %s [%d] of run %s, which runs %s only, is %s (%s): %s",
             a->v->steps[a->v->step_at[row->key.step]].name, row->key.iteration,
             SHORT(row->key.run), a->list, machine_state_name(&MACHINE_STEP, row->state),
             row->reason, what);
}

static void check_taken(const struct alone *a, const struct row_result *row, int step)
{
    const int32_t iteration = iteration_then(a, &row->key.run, row->key.iteration);
    const struct row_result *was = iteration < 0 ? NULL : then(a, step, iteration);
    if (!text_starts_with(row->reason, "adopted from "))
        wrong(a, row, "it was to be taken over");
    if (!was || was->state != row->state || !same_text(was->outputs, row->outputs))
        wrong(a, row, "it is not what was taken over");
    a->sim->counts.adopted++;
    a->sim->counts.only_inside += row->key.iteration > 0;
}

static bool branch_runs(const struct alone *a, int step, int branch)
{
    for (int i = 0; i < a->v->step_count; i++)
        if (a->v->steps[i].parent == step && a->v->steps[i].branch == branch &&
            (runs(a, i) || is_part(a, i)))
            return true;
    return false;
}

/* Something is to be taken over, and the list may well be another than then. */
static bool may_be_lost(const struct alone *a, const struct row_result *row, int step)
{
    const struct plan_step *s = &a->v->steps[step];
    const int32_t around = iteration_then(a, &row->key.run, row->key.iteration);
    const struct row_group *was = around < 0 ? NULL : try_then(a, step, around);
    const struct scene at = scene_of(a->sim, a->v, &row->key.run, row->key.iteration);
    if (!takes(a, step))
        return false;
    if (!was || s->kind == PLAN_SWITCH)
        return !was || was->branch != scene_branch(&at, s);
    const bool moves = s->items_from >= 0 && !is_needed(a, s->items_from);
    return s->kind == PLAN_EACH && (moves || was->count != scene_items(&at, s));
}

static void check_part(const struct alone *a, const struct row_result *row, int step)
{
    const struct scene at = scene_of(a->sim, a->v, &row->key.run, row->key.iteration);
    const bool switched = a->v->steps[step].kind == PLAN_SWITCH;
    if (text_starts_with(row->reason, "the branch that it takes") &&
        (!switched || branch_runs(a, step, scene_branch(&at, &a->v->steps[step]))))
        wrong(a, row, "something in it was to run");
    if (text_starts_with(row->reason, "nothing to take over") && !may_be_lost(a, row, step))
        wrong(a, row, "there was what it needed");
    a->sim->counts.only_lost += text_starts_with(row->reason, "nothing to take over");
    for (int attempt = 1; attempt <= row->attempt; attempt++) {
        const struct row_group *start = database_group(a->sim->db, &row->key, attempt);
        if (start && !branch_runs(a, step, start->branch))
            wrong(a, row, "nothing in it was to run");
    }
    if (row->state == STEP_SUCCEEDED && !text_starts_with(row->reason, "ran in part"))
        wrong(a, row, "it does not say that it ran in part");
}

static void check_row(const struct alone *a, const struct row_result *row)
{
    const int step = a->v->step_at[row->key.step];
    const bool left_out = text_starts_with(row->reason, "not among");
    const bool taken = text_starts_with(row->reason, "adopted from ");
    if (row->state == STEP_CANCELLED)
        return;
    if (is_needed(a, step))
        check_taken(a, row, step);
    else if (is_left_out(a, step) ? !left_out : left_out || taken)
        wrong(a, row, is_left_out(a, step) ? "it was to be left out" : "it was to run");
    else if (is_part(a, step))
        check_part(a, row, step);
}

void reference_only(struct sim *sim, const struct plan_version *v, const struct row_run *run,
                    const struct row_run *old)
{
    const struct alone a = {sim, v, check_version_of(sim, &old->id), old, run->retry_from};
    for (const struct row_result *row = sim->db->results; row; row = row->hh.next)
        if (uuid_compare(&row->key.run, &run->id) == 0)
            check_row(&a, row);
}

bool reference_gives(struct sim *sim, const struct plan_version *v, const struct uuid *run,
                     int step, bool n)
{
    const struct row_run *row = database_run(sim->db, run);
    const struct alone a = {.sim = sim, .v = v, .list = row->retry_from};
    return strcmp(row->again, "only") != 0 || is_there(&a, step, n);
}

/* ---- what is refused ------------------------------------------------------------------------- */

/* Of steps that the version does not have, and of those in a loop, nothing can be meant. */
static bool can_be_meant(const struct alone *a)
{
    char list[SIM_STEPS_TEXT], *rest = list, *name;
    snprintf(list, sizeof list, "%s", a->list);
    while ((name = strsep(&rest, ","))) {
        const int step = plan_step_find(a->v, name);
        if (step < 0)
            return false;
        for (int at = a->v->steps[step].parent; at >= 0; at = a->v->steps[at].parent)
            if (a->v->steps[at].kind == PLAN_LOOP)
                return false;
    }
    return true;
}

static bool lacks(const struct alone *a, const struct plan_condition *c)
{
    return c->looks == PLAN_LOOKS_AT_STEP && !is_there(a, c->step, true);
}

static bool looks_at_what_is_left_out(const struct alone *a)
{
    for (int i = 0; i < a->v->step_count; i++) {
        const struct plan_step *s = &a->v->steps[i];
        if (!runs(a, i) && !is_part(a, i))
            continue;
        if ((s->refers >= 0 && !is_there(a, s->refers, true)) ||
            (s->given_by >= 0 && !is_there(a, s->given_by, true)) ||
            (s->takes >= 0 && !is_there(a, s->takes, false)) || lacks(a, &s->when) ||
            (s->items_from >= 0 && !is_there(a, s->items_from, !s->items_folder)))
            return true;
        for (int b = 0; b < s->branches; b++)
            if (s->kind == PLAN_SWITCH && lacks(a, &s->cases[b]))
                return true;
    }
    return false;
}

/* In another version: the same sort of group, the same branch. */
static bool stands_elsewhere(const struct alone *a, int step)
{
    const struct plan_step *s = &a->v->steps[step];
    const int was = plan_step_find(a->of, s->name);
    return was < 0 || a->of->steps[was].branch != s->branch ||
           a->of->steps[a->of->steps[was].parent].kind != a->v->steps[s->parent].kind;
}

/* What may fail counts as it failed, but for what runs only after what went well. */
static bool may_have_failed(const struct alone *a, int step)
{
    for (int i = 0; i < a->v->step_count; i++) {
        const enum plan_rule rule = a->v->steps[i].rule;
        if (a->v->steps[i].needs >> step & 1u && (runs(a, i) || is_part(a, i)) &&
            (rule == PLAN_ALL_SUCCEEDED || rule == PLAN_NONE_FAILED))
            return false;
    }
    return a->v->steps[step].allow_failure;
}

/* A folder that somebody goes over, of whose names nobody asked then. */
static bool lacks_names(const struct alone *a, int step, const struct row_result *was)
{
    bool wanted = false;
    for (int i = 0; i < a->v->step_count; i++) {
        const struct plan_step *s = &a->v->steps[i];
        wanted |= s->items_folder && s->items_from == step && (runs(a, i) || is_part(a, i));
    }
    json_t *all = wanted && was->outputs ? json_loads(was->outputs, 0, NULL) : NULL;
    const json_t *d = json_object_get(all, "d");
    const bool lacks = json_is_true(json_object_get(d, "folder")) && !json_object_get(d, "names");
    json_decref(all);
    return lacks;
}

static bool can_be_taken(const struct alone *a, int step, int32_t iteration)
{
    const struct row_result *was = then(a, step, iteration);
    return was && !text_starts_with(was->reason, "not among") && !lacks_names(a, step, was) &&
           (was->state == STEP_SUCCEEDED || was->state == STEP_SKIPPED ||
            (was->state == STEP_FAILED && may_have_failed(a, step)));
}

/* Notes what of it is met; false: it is not all there. */
static bool is_all_there(const struct alone *a, int parent, int branch, int32_t iteration,
                         uint32_t *met);

static bool part_is_there(const struct alone *a, int step, int32_t iteration, uint32_t *met)
{
    const struct row_result *end = then(a, step, iteration);
    const struct row_group *try = try_then(a, step, iteration);
    if (!end)
        return false;
    if (!try)
        return end->state == STEP_SKIPPED ||
               (end->state == STEP_SUCCEEDED && !text_starts_with(end->reason, "adopted from "));
    for (int32_t o = 0; o < try->count; o++)
        if (!is_all_there(a, step, try->branch, try->first + o, met))
            return false;
    return true;
}

static bool is_all_there(const struct alone *a, int parent, int branch, int32_t iteration,
                         uint32_t *met)
{
    for (int i = 0; i < a->v->step_count; i++) {
        if (a->v->steps[i].parent != parent || a->v->steps[i].branch != branch)
            continue;
        *met |= 1u << i;
        if (is_needed(a, i) && !can_be_taken(a, i, iteration))
            return false;
        if (takes(a, i) && !part_is_there(a, i, iteration, met))
            return false;
    }
    return true;
}

bool reference_only_may_refuse(struct sim *sim, const struct plan_version *v,
                               const struct row_run *old, const char *steps)
{
    const struct alone a = {sim, v, check_version_of(sim, &old->id), old, steps};
    uint32_t met = 0;
    if (!can_be_meant(&a) || looks_at_what_is_left_out(&a))
        return true;
    for (int i = 0; i < v->step_count; i++)
        if (v->steps[i].parent >= 0 && (is_needed(&a, i) || takes(&a, i)) &&
            stands_elsewhere(&a, i))
            return true;
    if (!is_all_there(&a, -1, 0, 0, &met))
        return true;
    for (int i = 0; i < v->step_count; i++)
        if (is_needed(&a, i) && !(met >> i & 1u))
            return true;
    return false;
}

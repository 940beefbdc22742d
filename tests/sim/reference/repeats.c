/* What a retry must have taken over from the run that it repeats, and what it must have run anew.
 */
#include <stdio.h>
#include <string.h>
#include "common/base/text.h"
#include "tests/sim/check/check.h"
#include "tests/sim/reference/reference.h"

#define SHORT(id) uuid_short(&(id), (char[UUID_TEXT]){0})

struct repeat {
    struct sim *sim;
    const struct plan_version *v;
    const struct row_run *old, *now;
    int from; /* step of the plan; -1 = what failed */
};

/* One instance of a DAG in both runs. */
struct pair {
    int parent, branch;
    int32_t now, old; /* iterations; old -1 = it repeats none */
};

static const struct row_result *result_in(const struct repeat *r, const struct row_run *run,
                                          int step, int32_t iteration)
{
    const struct row_key key = {run->id, r->v->index_of[step], iteration};
    return database_result(r->sim->db, &key);
}

static bool stands_in(const struct repeat *r, const struct pair *at, int step)
{
    const struct plan_step *s = &r->v->steps[step];
    return s->parent == at->parent && s->branch == at->branch;
}

static bool comes_after(const struct repeat *r, int step, int earlier)
{
    for (int n = 0; n < r->v->step_count; n++)
        if (r->v->steps[step].needs >> n & 1u && (n == earlier || comes_after(r, n, earlier)))
            return true;
    return false;
}

static bool is_inside(const struct repeat *r, int group) /* is `from` somewhere in it? */
{
    for (int at = r->from; at >= 0; at = r->v->steps[at].parent)
        if (at != r->from && at == group)
            return true;
    return false;
}

static bool is_marked(const struct repeat *r, int step)
{
    for (int at = r->from; at >= 0; at = r->v->steps[at].parent)
        if ((at == r->from && step == at) || comes_after(r, step, at))
            return true;
    return false;
}

static bool went_well(const struct repeat *r, int step, int32_t old)
{
    const struct row_result *was = result_in(r, r->old, step, old);
    return was && (was->state == STEP_SUCCEEDED || was->state == STEP_SKIPPED) &&
           !text_starts_with(was->reason, "not among") &&
           !text_starts_with(was->reason, "ran in part") && !is_marked(r, step) &&
           !is_inside(r, step);
}

static bool is_whole(const struct repeat *r, int parent, int branch, int32_t old)
{
    const struct pair at = {.parent = parent, .branch = branch};
    for (int i = 0; i < r->v->step_count; i++)
        if (stands_in(r, &at, i) && !went_well(r, i, old))
            return false;
    return true;
}

/* Does something that it needs run anew? */
static bool is_changed(const struct repeat *r, const struct pair *at, int step)
{
    if (is_marked(r, step))
        return true;
    if (r->v->steps[step].finally &&
        (at->parent < 0 || !is_whole(r, at->parent, at->branch, at->old)))
        return true;
    for (int n = 0; n < r->v->step_count; n++)
        if (r->v->steps[step].needs >> n & 1u &&
            (!went_well(r, n, at->old) || is_changed(r, at, n)))
            return true;
    return false;
}

static void wrong(const struct repeat *r, const struct pair *at, int step, const char *what)
{
    const struct row_result *is = result_in(r, r->now, step, at->now);
    sim_fail(r->sim, 3,
             "step %s of run %s (iteration %d), which repeats %s (%d) from %s, is %s "
             "(%s): %s",
             r->v->steps[step].name, SHORT(r->now->id), at->now, SHORT(r->old->id), at->old,
             r->from < 0 ? "what failed" : r->v->steps[r->from].name,
             is ? machine_state_name(&MACHINE_STEP, is->state) : "without a result",
             is ? is->reason : "", what);
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static void compare_dag(const struct repeat *r, const struct pair *at);

/* ---- groups ---------------------------------------------------------------------------------- */

static bool has_rows(const struct repeat *r, int parent, int branch, int32_t old)
{
    const struct pair at = {.parent = parent, .branch = branch};
    for (int i = 0; i < r->v->step_count; i++)
        if (stands_in(r, &at, i) && result_in(r, r->old, i, old))
            return true;
    return false;
}

/* The last try of the old run, if it was of the same items or branch. */
static const struct row_group *same_try(const struct repeat *r, const struct pair *at, int step,
                                        const struct row_group *now)
{
    const struct row_key key = {r->old->id, r->v->index_of[step], at->old};
    const struct row_result *end = at->old < 0 ? NULL : database_result(r->sim->db, &key);
    const struct row_group *was = end ? database_group(r->sim->db, &key, end->attempt) : NULL;
    return was && was->count == now->count && was->branch == now->branch &&
                   same_text(was->items, now->items)
               ? was
               : NULL;
}

/* The try of the old run that this first try repeats; NULL = none. */
static const struct row_group *old_try(const struct repeat *r, const struct pair *at, int step,
                                       const struct row_group *now)
{
    const struct row_result *end = result_in(r, r->old, step, at->old);
    const struct row_group *was = same_try(r, at, step, now);
    if (!was)
        return NULL;
    int whole = 0;
    while (whole < was->count && is_whole(r, step, was->branch, was->first + whole))
        whole++;
    if (check_timed_out(end->reason))
        return was; /* what it had got done by then */
    const bool spent = whole == was->count || (r->v->steps[step].kind == PLAN_LOOP &&
                                               !has_rows(r, step, was->branch, was->first + whole));
    return end->state == STEP_FAILED && spent ? NULL : was;
}

static void compare_try(const struct repeat *r, const struct pair *at, int step, int attempt)
{
    const struct row_key key = {r->now->id, r->v->index_of[step], at->now};
    const struct row_group *now = database_group(r->sim->db, &key, attempt);
    if (!now)
        return;
    bool repeats = at->old >= 0 && attempt == 1 && !is_changed(r, at, step);
    const struct row_group *was = repeats ? old_try(r, at, step, now) : NULL;
    for (int o = 0; o < now->count; o++) {
        const struct pair in = {step, now->branch, now->first + o, was ? was->first + o : -1};
        compare_dag(r, &in);
        if (was && r->v->steps[step].kind == PLAN_LOOP &&
            !is_whole(r, step, was->branch, was->first + o))
            was = NULL; /* the rounds after it see something else */
    }
}

/* ---- a DAG ----------------------------------------------------------------------------------- */

static void compare_step(const struct repeat *r, const struct pair *at, int step)
{
    const struct row_result *is = result_in(r, r->now, step, at->now);
    const struct row_result *was = at->old >= 0 ? result_in(r, r->old, step, at->old) : NULL;
    const bool expected = was && was->state == STEP_SUCCEEDED && went_well(r, step, at->old) &&
                          !is_changed(r, at, step);
    if (!is)
        return; /* nothing of that frame has begun: reference_run knows whether it should have */
    const bool taken = text_starts_with(is->reason, "adopted from ");
    if (taken && !expected)
        wrong(r, at, step, "it was to run anew");
    if (!taken && expected && is->state != STEP_CANCELLED)
        wrong(r, at, step, "it was to be taken over");
    if (taken && (!same_text(is->outputs, was->outputs) ||
                  uuid_compare(&is->attempt_id, &was->attempt_id) != 0))
        wrong(r, at, step, "it is not what was taken over");
    if (taken) {
        r->sim->counts.adopted++;
        r->sim->counts.adopted_inside += at->parent >= 0;
    }
    for (int attempt = 1; !taken && r->v->steps[step].kind != PLAN_RUN && attempt <= is->attempt;
         attempt++)
        compare_try(r, at, step, attempt);
}

static void compare_dag(const struct repeat *r, const struct pair *at)
{
    for (int i = 0; i < r->v->step_count; i++)
        if (stands_in(r, at, i))
            compare_step(r, at, i);
}

/* ---- reruns ---------------------------------------------------------------------------------- */

/* Its text looks at a round or another step, or at a parameter that is made of one. */
static bool sees_others(const struct plan_version *v, const struct plan_step *pin)
{
    if (pin->pins_round)
        return true;
    for (int g = pin->parent; g >= 0; g = v->steps[g].parent) {
        const enum plan_given given = v->steps[g].part ? v->steps[g].given : PLAN_GIVEN_SIZE;
        if (given != PLAN_GIVEN_SIZE)
            return given == PLAN_GIVEN_STEP || given == PLAN_GIVEN_TEXT ||
                   given == PLAN_GIVEN_ROUND;
        if (v->steps[g].part && v->steps[g].kind == PLAN_LOOP)
            return true;
    }
    return false;
}

/* Of a rerun pins alone are taken over, and those always, where they pin the same. */
static void check_pinned(const struct repeat *r, const struct pair *at, int step)
{
    const struct plan_step *s = &r->v->steps[step];
    const struct row_key now = {r->now->id, r->v->index_of[step], at->now};
    const struct row_key then = {r->old->id, r->v->index_of[step], at->old};
    const struct row_result *is = database_result(r->sim->db, &now);
    const struct row_result *was = at->old < 0 ? NULL : database_result(r->sim->db, &then);
    const bool taken = text_starts_with(is->reason, "adopted from ");
    int size_then, size_now;
    const bool may = s->pin && was && was->state == STEP_SUCCEEDED && !sees_others(r->v, s) &&
                     reference_size(r->sim, r->v, &then, &size_then) &&
                     reference_size(r->sim, r->v, &now, &size_now) && size_then == size_now;
    if (taken && !may)
        wrong(r, at, step, "a rerun pins it anew");
    if (may && !taken && is->state != STEP_CANCELLED)
        wrong(r, at, step, "a rerun sees what was pinned");
    if (taken && !same_text(was->outputs, is->outputs))
        wrong(r, at, step, "it is not what was pinned");
    r->sim->counts.pinned += taken;
    r->sim->counts.pinned_inside += taken && at->parent >= 0;
}

/* An instance of a DAG of the rerun; items and rounds of a first try see what those in the same
 * place had pinned, where they are of the same list. */
static void check_rerun_dag(const struct repeat *r, const struct pair *at)
{
    for (int i = 0; i < r->v->step_count; i++) {
        const struct row_result *is = stands_in(r, at, i) ? result_in(r, r->now, i, at->now) : NULL;
        if (!is)
            continue;
        check_pinned(r, at, i);
        for (int attempt = 1; plan_is_group(&r->v->steps[i]) && attempt <= is->attempt; attempt++) {
            const struct row_key key = {r->now->id, r->v->index_of[i], at->now};
            const struct row_group *now = database_group(r->sim->db, &key, attempt);
            const struct row_group *was = now && attempt == 1 ? same_try(r, at, i, now) : NULL;
            for (int o = 0; now && o < now->count; o++) {
                const struct pair in = {i, now->branch, now->first + o, was ? was->first + o : -1};
                check_rerun_dag(r, &in);
            }
        }
    }
}

static void check_rerun(const struct repeat *r)
{
    const struct row_run *run = r->now, *old = r->old;
    const struct pair root = {-1, 0, 0, 0};
    check_rerun_dag(r, &root);
    if (uuid_compare(&run->event, &old->event) != 0 || !same_text(run->vars, old->vars) ||
        !same_text(run->version, old->version))
        sim_fail(r->sim, 3, "the rerun %s is not as %s was", SHORT(run->id), SHORT(old->id));
}

void reference_repeats(struct sim *sim, const struct plan_version *v, const struct row_run *run)
{
    const struct row_run *old = database_run(sim->db, &run->retry_of);
    if (!old || !old->done)
        sim_fail(sim, 3, "run %s repeats one that is not over", SHORT(run->id));
    const struct repeat r = {
        sim, v, old, run,
        run->retry_from && *run->retry_from ? plan_step_find(v, run->retry_from) : -1};
    if (strcmp(run->again, "rerun") == 0) {
        check_rerun(&r);
        return;
    }
    if (strcmp(run->again, "only") == 0) {
        reference_only(sim, v, run, old);
        return;
    }
    const struct pair root = {-1, 0, 0, 0};
    compare_dag(&r, &root);
}

/* ---- what is refused ------------------------------------------------------------------------- */

/* Did instances of the group begin, and one with that branch? Else: did all that there are come to
 * an end without? */
static bool is_out_of_reach(const struct sim *sim, const struct plan_version *v,
                            const struct uuid *run, int group, int branch)
{
    bool begun = false, taken = false, any = false, open = false;
    for (const struct row_group *row = sim->db->groups; row; row = row->hh.next)
        if (uuid_compare(&row->key.at.run, run) == 0 && row->key.at.step == v->index_of[group]) {
            begun = true;
            taken |= row->branch == branch;
        }
    for (const struct row_result *row = sim->db->results; row; row = row->hh.next)
        if (uuid_compare(&row->key.run, run) == 0 && row->key.step == v->index_of[group]) {
            any = true;
            open |= row->state != STEP_SKIPPED && row->state != STEP_SUCCEEDED;
        }
    return begun ? !taken : any && !open;
}

bool reference_may_refuse(const struct sim *sim, const struct plan_version *v,
                          const struct row_run *old, const char *from)
{
    int step = from && *from ? plan_step_find(v, from) : -1;
    if (step < 0)
        return old->state == RUN_SUCCEEDED;
    for (; v->steps[step].parent >= 0; step = v->steps[step].parent)
        if (is_out_of_reach(sim, v, &old->id, v->steps[step].parent, v->steps[step].branch))
            return true;
    return false;
}

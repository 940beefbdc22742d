/* A pipeline with some of its steps left out: what a seed that failed is minimised to. A result
 * that does not compile is not taken by the minimiser, so this need not know every rule. */
#include <stddef.h>
#include "tests/sim/plan/plan.h"

/* Fields that hold the index of another step. A new one belongs here. */
static const size_t STEP_INDEXES[] = {
    offsetof(struct plan_step, parent),        offsetof(struct plan_step, when.step),
    offsetof(struct plan_step, refers),        offsetof(struct plan_step, cases[0].step),
    offsetof(struct plan_step, items_from),    offsetof(struct plan_step, gives[0]),
    offsetof(struct plan_step, gives[1]),      offsetof(struct plan_step, gives_folder),
    offsetof(struct plan_step, takes),         offsetof(struct plan_step, sees),
    offsetof(struct plan_step, gives[2]),      offsetof(struct plan_step, cases[1].step),
    offsetof(struct plan_step, cases[2].step), offsetof(struct plan_step, given_by),
    offsetof(struct plan_step, pins_for),
};

static int *index_at(struct plan_step *s, size_t field)
{
    return (int *)((char *)s + STEP_INDEXES[field]);
}

static bool is_in(uint32_t kept, int step)
{
    return step >= 0 && kept >> step & 1u;
}

static bool has_steps(const struct plan_version *v, int group, int branch, uint32_t kept)
{
    for (int i = 0; i < v->step_count; i++)
        if (is_in(kept, i) && v->steps[i].parent == group && v->steps[i].branch == branch &&
            !v->steps[i].finally)
            return true;
    return false;
}

static bool is_taken(const struct plan_version *v, int pin, uint32_t kept)
{
    for (int i = 0; i < v->step_count; i++)
        if (is_in(kept, i) && v->steps[i].takes == pin)
            return true;
    return false;
}

/* A step that is there and has one. */
static bool has_number(const struct plan_version *v, int step, uint32_t kept)
{
    return is_in(kept, step) && plan_is_number(v, step);
}

static bool can_choose(const struct plan_version *v, const struct plan_step *s, uint32_t kept)
{
    for (int b = 0; b < s->branches; b++)
        if (s->cases[b].looks == PLAN_LOOKS_AT_STEP && !has_number(v, s->cases[b].step, kept))
            return false;
    return true;
}

/* Can this one stand without those that are gone? */
static bool stands(const struct plan_version *v, int i, uint32_t kept)
{
    const struct plan_step *s = &v->steps[i];
    if (s->parent >= 0 && !is_in(kept, s->parent))
        return false;
    if (s->pin && !is_taken(v, i, kept))
        return false;
    if (s->kind == PLAN_LOOP && !is_in(kept, s->gives[0]))
        return false;
    for (int b = 0; b < s->branches && plan_is_group(s); b++)
        if (!has_steps(v, i, b, kept))
            return false;
    return true;
}

/* Folders and lists of them. */
static void forget_folders(const struct plan_version *v, struct plan_step *s, uint32_t kept)
{
    if (!is_in(kept, s->gives_folder) && !s->direct)
        s->gives_folder = -1;
    if (!is_in(kept, s->takes) ||
        (v->steps[s->takes].kind == PLAN_EACH && v->steps[s->takes].gives_folder < 0))
        s->takes = -1;
    if (!s->items_folder || is_in(kept, s->items_from))
        return;
    s->items_folder = false;
    s->items_from = -1;
    s->item_count = 2;
}

static void forget_given(const struct plan_version *v, struct plan_step *s, uint32_t kept)
{
    const int part = (int)(s - v->steps);
    const bool of_step = s->given == PLAN_GIVEN_STEP || s->given == PLAN_GIVEN_TEXT;
    if (of_step ? !has_number(v, s->given_by, kept)
                : s->given == PLAN_GIVEN_ITEM && plan_items_seen(v, part) < 0)
        s->given = PLAN_GIVEN_SIZE;
    if (s->given != PLAN_GIVEN_STEP && s->given != PLAN_GIVEN_TEXT)
        s->given_by = -1;
}

static void forget(struct plan_version *v, struct plan_step *s, uint32_t kept)
{
    s->needs &= kept;
    if (!s->needs)
        s->rule = PLAN_ALL_SUCCEEDED;
    for (int b = 0; b < PLAN_BRANCHES && !s->direct; b++)
        if (!has_number(v, s->gives[b], kept))
            s->gives[b] = -1;
    if (s->when.looks == PLAN_LOOKS_AT_STEP && !has_number(v, s->when.step, kept))
        s->when = (struct plan_condition){.step = -1};
    if (!has_number(v, s->refers, kept))
        s->refers = -1;
    if (s->filter == PLAN_LOOKS_AT_STEP && s->refers < 0)
        s->filter = PLAN_ALWAYS;
    if (!is_in(kept, s->sees))
        s->sees = -1;
    forget_folders(v, s, kept);
    if (s->items_from >= 0 && !s->items_folder &&
        (!is_in(kept, s->items_from) ||
         (!plan_is_number(v, s->items_from) && !plan_is_list(v, s->items_from)))) {
        s->items_from = -1;
        s->item_count = s->item_count ? s->item_count : 2;
    }
    forget_given(v, s, kept);
}

static uint32_t renumbered(uint32_t mask, const int *to)
{
    uint32_t out = 0;
    for (int i = 0; i < PLAN_STEPS; i++)
        if (mask >> i & 1u)
            out |= 1u << to[i];
    return out;
}

/* Closes the gaps; labels and names stay, so that two histories can be compared. */
static void close_up(struct plan_version *v, uint32_t kept)
{
    int to[PLAN_STEPS], count = 0;
    for (int i = 0; i < v->step_count; i++)
        to[i] = is_in(kept, i) ? count++ : -1;
    v->gives = v->gives >= 0 && plan_is_number(v, v->gives) ? to[v->gives] : -1;
    for (int i = 0; i < v->step_count; i++) {
        if (to[i] < 0)
            continue;
        struct plan_step step = v->steps[i];
        step.needs = renumbered(step.needs, to);
        for (size_t f = 0; f < sizeof STEP_INDEXES / sizeof *STEP_INDEXES; f++) {
            int *index = index_at(&step, f);
            *index = *index < 0 ? -1 : to[*index];
        }
        v->steps[to[i]] = step;
    }
    v->step_count = count;
}

void plan_drop(struct plan_version *v, uint32_t kept)
{
    const uint32_t all = v->step_count == PLAN_STEPS ? ~0u : (1u << v->step_count) - 1;
    uint32_t before;
    if ((kept & all) == all)
        return;
    kept &= all;
    do { /* each round at least one goes, or it is the last but one */
        before = kept;
        for (int i = 0; i < v->step_count; i++)
            if (is_in(kept, i) && !stands(v, i, kept))
                kept &= ~(1u << i);
        for (int i = 0; i < v->step_count; i++)
            forget(v, &v->steps[i], kept);
        plan_layers_settle(v);
        for (int i = 0; i < v->step_count; i++) /* by what it goes must still be a number */
            if (v->steps[i].kind == PLAN_SWITCH && !can_choose(v, &v->steps[i], kept))
                kept &= ~(1u << i);
    } while (kept != before);
    close_up(v, kept);
}

/* What a program in a component takes of outside: as an input of the component, that its user ties
 * to an output, to pinned objects, or to an input of the component that it stands in itself. */
#include "common/base/text.h"
#include "tests/sim/plan/plan.h"

static bool is_in(const struct plan_version *v, int step, int group)
{
    while (step >= 0 && step != group)
        step = v->steps[step].parent;
    return step >= 0;
}

static int part_around(const struct plan_version *v, int step)
{
    do
        step = v->steps[step].parent;
    while (step >= 0 && !v->steps[step].part);
    return step;
}

/* The component around it, where what it says of inputs can be handed in; -1 = none. */
int plan_user_of(const struct plan_version *v, int step)
{
    const int part = part_around(v, step);
    return part >= 0 && !v->steps[part].grafted ? part : -1;
}

/* It stands in the part, and what it takes does not. */
static bool hands_in(const struct plan_version *v, int part, int step)
{
    const int takes = v->steps[step].takes;
    return takes >= 0 && is_in(v, step, part) && !is_in(v, takes, part);
}

bool plan_is_handed_in(const struct plan_version *v, int step)
{
    const int part = part_around(v, step);
    return part >= 0 && hands_in(v, part, step);
}

/* ---- the generator --------------------------------------------------------------------------- */

static int head_of(const struct plan_version *v, int step)
{
    while (v->steps[step].parent >= 0 && v->steps[v->steps[step].parent].direct)
        step = v->steps[step].parent;
    return step;
}

void plan_take_through(struct rng *rng, struct plan_version *v, int step)
{
    uint32_t there = 0;
    const int part = plan_user_of(v, step);
    v->steps[step].spare = part >= 0 && !v->steps[part].direct && rng_chance(rng, 0.2);
    for (int user = plan_user_of(v, step); user >= 0; user = plan_user_of(v, user)) {
        const int head = head_of(v, user), around = v->steps[head].parent;
        there |= plan_folders(v, v->steps[head].needs);
        if (around >= 0 && !v->steps[around].part)
            there |= plan_folders(v, v->steps[around].needs);
    }
    if (v->steps[step].takes >= 0 || !there || !rng_chance(rng, 0.8))
        return;
    v->steps[step].takes = plan_pick(rng, there);
    v->steps[step].cache |= rng_chance(rng, 0.5);
    v->steps[step].cache_us = 0;
}

int plan_pin_user(struct rng *rng, const struct plan_version *v, int step)
{
    int user = step;
    for (int next = plan_user_of(v, step); next >= 0; next = plan_user_of(v, next)) {
        const bool direct = v->steps[next].direct; /* it says what it needs, and no more */
        if (!(direct && next == v->steps[step].parent) && rng_chance(rng, 0.5))
            break;
        user = next;
    }
    return user;
}

/* ---- the text -------------------------------------------------------------------------------- */

/* Of a component that is a program there is one. */
static void write_name(struct text *out, const struct plan_version *v, int part, int step)
{
    if (v->steps[part].direct)
        text_puts(out, "l");
    else
        text_printf(out, "x%d", step);
}

/* What it takes, as it is called where `at` stands. */
static void write_taken(struct text *out, const struct plan_version *v, int at, int step)
{
    const struct plan_step *taken = &v->steps[v->steps[step].takes];
    const int part = part_around(v, at);
    if (part >= 0 && hands_in(v, part, step)) {
        text_puts(out, "inputs.");
        write_name(out, v, part, step);
    } else if (taken->pin) {
        plan_write_pinned(out, v, v->steps[step].takes);
    } else {
        text_printf(out, "%s.d", taken->label);
    }
}

void plan_write_taken_input(struct text *out, const struct plan_version *v, int step)
{
    const struct plan_step *s = &v->steps[step];
    if (s->takes < 0 && s->spare)
        text_printf(out, ", inputs: {l: inputs.y%d}", step);
    if (s->takes < 0)
        return;
    text_puts(out, ", inputs: {l: ");
    if (s->parent >= 0 && v->steps[s->parent].part && v->steps[s->parent].direct)
        text_puts(out, "{}"); /* its user says what it is */
    else
        write_taken(out, v, step, step);
    text_puts(out, "}");
}

void plan_write_declared(struct text *out, const struct plan_version *v, int part)
{
    const char *before = "inputs: {";
    for (int i = 0; i < v->step_count; i++) {
        const bool spare = v->steps[i].spare && v->steps[i].takes < 0 && part_around(v, i) == part;
        if (!spare && !hands_in(v, part, i))
            continue;
        text_printf(out, spare ? "%sy%d: {optional: true}" : "%sx%d: {}", before, i);
        before = ", ";
    }
    text_puts(out, before[0] == ',' ? "}, " : "");
}

void plan_write_ties(struct text *out, const struct plan_version *v, int part)
{
    const char *before = ", inputs: {";
    for (int i = 0; i < v->step_count; i++)
        if (hands_in(v, part, i)) {
            text_puts(out, before);
            write_name(out, v, part, i);
            text_puts(out, ": ");
            write_taken(out, v, part, i);
            before = ", ";
        }
    text_puts(out, before[1] == ' ' && before[2] == '\0' ? "}" : "");
}

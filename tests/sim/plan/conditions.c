/* Conditions: of a step, and of the branches of a switch. They look at a step's n, at the parameter
 * that is seen where they stand, at the event that the run is of, or at the git branch that it
 * names. */
#include "common/base/text.h"
#include "tests/sim/plan/plan.h"

static struct plan_condition condition(struct rng *rng, uint32_t numbers, int most)
{
    struct plan_condition c = {.step = -1, .over = (int)rng_in(rng, 0, most)};
    if (numbers && rng_chance(rng, 0.6)) {
        c.looks = PLAN_LOOKS_AT_STEP;
        c.step = plan_pick(rng, numbers);
        c.or_default = rng_chance(rng, 0.35);
    } else if (rng_chance(rng, 0.4)) {
        c.looks = PLAN_LOOKS_AT_SIZE; /* 1, where nobody says another */
        c.over = (int)rng_in(rng, 0, most - 1);
    } else { /* which a run that was asked for has not, and not every event a branch */
        c.looks = rng_chance(rng, 0.6) ? PLAN_LOOKS_AT_EVENT : PLAN_LOOKS_AT_BRANCH;
        c.or_default = rng_chance(rng, c.looks == PLAN_LOOKS_AT_EVENT ? 0.85 : 0.93);
    }
    return c;
}

void plan_when(struct rng *rng, struct plan_step *s, uint32_t numbers)
{
    if (rng_chance(rng, numbers ? 0.27 : 0.05))
        s->when = condition(rng, numbers, 5);
}

/* if and else, if and elif, if and elif and else, three with a condition each. */
void plan_switch(struct rng *rng, struct plan_step *s, uint32_t numbers)
{
    s->kind = PLAN_SWITCH;
    s->branches = rng_chance(rng, 0.3) ? 3 : 2;
    const int otherwise = rng_chance(rng, 0.6);
    for (int b = 0; b < s->branches - otherwise; b++)
        s->cases[b] = condition(rng, numbers, 7);
}

/* ---- the text -------------------------------------------------------------------------------- */

static void write_looked_at(struct text *out, const struct plan_version *v,
                            const struct plan_condition *c)
{
    switch (c->looks) {
    case PLAN_LOOKS_AT_STEP:
        plan_write_number(out, v, c->step, c->or_default);
        return;
    case PLAN_LOOKS_AT_EVENT:
        if (c->or_default)
            text_printf(out, "default(event.data.n, %d)", PLAN_DEFAULT);
        else
            text_puts(out, "event.data.n");
        return;
    case PLAN_LOOKS_AT_BRANCH:
        if (c->or_default)
            text_printf(out, "default(vars.BRANCH_NAME, 'b%d')", PLAN_DEFAULT_BRANCH);
        else
            text_puts(out, "vars.BRANCH_NAME");
        return;
    default:
        text_puts(out, "params.size");
    }
}

void plan_write_condition(struct text *out, const struct plan_version *v,
                          const struct plan_condition *c)
{
    if (!c->looks)
        return;
    text_puts(out, "when: \"");
    write_looked_at(out, v, c);
    text_printf(out, c->looks == PLAN_LOOKS_AT_BRANCH ? " > 'b%d'\"" : " > %d\"", c->over);
}

/* Outputs that a program may leave out, and what looks at them: templates with and without a
 * default, inputs, what a step takes from the run that it starts. */
#include "common/base/text.h"
#include "tests/sim/plan/plan.h"

#define OPTIONAL 0.2
#define LEFT_OUT 0.3

void plan_outputs(struct rng *rng, struct plan_step *s)
{
    s->folder = rng_chance(rng, 0.5);
    s->n_optional = rng_chance(rng, OPTIONAL);
    s->d_optional = s->folder && rng_chance(rng, OPTIONAL);
    s->n_left = s->n_optional ? LEFT_OUT : rng_chance(rng, 0.1) ? 0.1 : 0;
    s->d_left = s->d_optional ? LEFT_OUT : rng_chance(rng, 0.1) ? 0.1 : 0;
    s->n_wrong = rng_chance(rng, 0.1) ? 0.1 : 0;
}

void plan_take_started(struct rng *rng, struct plan_step *s)
{
    static const enum plan_taken TAKEN[] = {PLAN_TAKES_INTEGER, PLAN_TAKES_INTEGER,
                                            PLAN_TAKES_NUMBER, PLAN_TAKES_STRING};
    if (!s->waits || !rng_chance(rng, 0.5))
        return;
    s->taken = TAKEN[rng_in(rng, 0, 3)];
    s->n_optional = rng_chance(rng, 0.3);
}

/* ---- the text -------------------------------------------------------------------------------- */

void plan_write_number(struct text *out, const struct plan_version *v, int step, bool or_default)
{
    if (or_default)
        text_printf(out, "default(steps.%s.outputs.n, %d)", v->steps[step].label, PLAN_DEFAULT);
    else
        text_printf(out, "steps.%s.outputs.n", v->steps[step].label);
}

void plan_write_outputs(struct text *out, const struct plan_step *s)
{
    text_printf(out, ", outputs: {n: {type: integer%s}", s->n_optional ? ", optional: true" : "");
    if (s->folder)
        text_printf(out, ", d: {%s}", s->d_optional ? "optional: true" : "");
    text_puts(out, "}");
}

void plan_write_taken(struct text *out, const struct plan_step *s)
{
    static const char *const TYPES[] = {"", "integer", "number", "string"};
    if (s->taken)
        text_printf(out, ", outputs: {n: {type: %s%s}}", TYPES[s->taken],
                    s->n_optional ? ", optional: true" : "");
}

/* Steps that run nothing and wait for what comes from outside. */
#include <string.h>
#include "common/base/text.h"
#include "tests/sim/plan.h"

static const char *const TYPES[] = {"dev.sim.w", "dev.sim.a", "dev.sim.b", "dev.sim.*"};

bool plan_is_group(const struct plan_step *s)
{
    return s->kind >= PLAN_GROUP && s->kind <= PLAN_LOOP;
}

bool plan_waits(const struct plan_step *s)
{
    return s->kind > PLAN_LOOP;
}

void plan_step_waits(struct rng *rng, struct plan_step *s)
{
    s->kind = PLAN_WAIT;
    s->type = TYPES[rng_in(rng, 0, 3)];
    s->over = (int)rng_in(rng, 0, 7);
    s->timeout_us = s->takes_us = rng_in(rng, 3, 20) * SEC;
}

bool plan_wait_fits(const struct plan_step *s, const char *type, int n)
{
    const size_t len = strlen(s->type);
    const bool all = s->type[len - 1] == '*';
    return (all ? strncmp(s->type, type, len - 1) == 0 : strcmp(s->type, type) == 0) && n > s->over;
}

void plan_write_wait(struct text *out, const struct plan_step *s)
{
    text_printf(out, "wait: {type: \"%s\", filter: \"event.data.n > %d\"}, timeout: %llds", s->type,
                s->over, (long long)(s->timeout_us / SEC));
}

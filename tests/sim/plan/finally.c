/* How long the finally steps of a DAG may take together. */
#include "common/base/text.h"
#include "tests/sim/plan/plan.h"

#define UNSAID (600 * SEC)

static int64_t *time_at(struct plan_version *v, int parent, int branch)
{
    return parent < 0 ? &v->finally_us : &v->steps[parent].finally_us[branch];
}

void plan_finally_time(struct rng *rng, struct plan_version *v, int parent, int branch)
{
    *time_at(v, parent, branch) = rng_chance(rng, 0.4)   ? rng_in(rng, 1, 8) * SEC
                                  : rng_chance(rng, 0.3) ? 0
                                                         : 2 * 24 * 3600 * SEC;
}

int64_t plan_finally_us(const struct plan_version *v, int parent, int branch)
{
    const int64_t said = parent < 0 ? v->finally_us : v->steps[parent].finally_us[branch];
    return said ? said : UNSAID;
}

void plan_write_finally_time(struct text *out, const struct plan_version *v, int parent, int branch)
{
    const int64_t length = plan_finally_us(v, parent, branch);
    if (length != UNSAID)
        text_printf(out, "%sfinally_timeout: %llds%s", parent < 0 ? "" : ", ",
                    (long long)(length / SEC), parent < 0 ? "\n" : "");
}

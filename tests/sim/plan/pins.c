/* Pinned objects: programs that take what a bucket holds, and the built-in steps of the run that
 * pin it for them. */
#include <string.h>
#include "common/base/text.h"
#include "schema/gen/messages.h"
#include "tests/sim/plan/plan.h"

#define PIN_NAME_MAX 30 /* of the step that is pinned for; the pin is called after it */

static bool in_a_part(const struct plan_version *v, int i)
{
    for (; i >= 0; i = v->steps[i].parent)
        if (v->steps[i].part)
            return true;
    return false;
}

/* The step of the run's own DAG that it is, or stands in. */
static int top_of(const struct plan_version *v, int i)
{
    while (v->steps[i].parent >= 0)
        i = v->steps[i].parent;
    return i;
}

static void pin_name(char out[48], const char *step)
{
    size_t len = strlen("objects:");
    memcpy(out, "objects:", len);
    for (const char *c = step; *c; c++)
        out[len++] = *c == '/' ? '.' : *c;
    memcpy(out + len, ".l", 3);
}

/* As the front makes it: the texts see nothing but the run, so it stands in the run's own DAG. */
static void pin_for(struct rng *rng, struct plan_version *v, int step)
{
    const int i = v->step_count++;
    struct plan_step *s = &v->steps[step], *pin = &v->steps[i];
    plan_step_clear(pin, i);
    pin_name(pin->name, s->name);
    pin->pin = true;
    pin->pool = s->pool;
    pin->attempts = 3;
    pin->lost = 5;
    pin->takes_us = rng_in(rng, 10 * MS, 2 * SEC);
    pin->fails = 0.2;
    s->takes = i;
    v->steps[top_of(v, step)].needs |= 1u << i;
}

void plan_pins(struct rng *rng, struct plan_version *v)
{
    const int count = v->step_count;
    for (int i = 0; i < count && v->step_count < PLAN_STEPS; i++) {
        const struct plan_step *s = &v->steps[i];
        if (s->kind == PLAN_RUN && s->takes < 0 && !in_a_part(v, i) &&
            !v->steps[top_of(v, i)].finally && strlen(s->name) <= PIN_NAME_MAX &&
            rng_chance(rng, 0.12))
            pin_for(rng, v, i);
    }
}

/* The set is one of its own for each step, and another for each size. */
void plan_write_pinned(struct text *out, const struct plan_step *s)
{
    text_printf(out, ", inputs: {l: {objects: {bucket: store, prefix: \"%s/${{ params.size }}\"}}}",
                s->label);
}

const char *plan_pinned_size(const struct plan_version *v, int pin, const struct order_start *start)
{
    for (int i = 0; i < v->step_count; i++) {
        const size_t len = strlen(v->steps[i].label);
        if (v->steps[i].takes == pin && start->bucket && strcmp(start->bucket, "store") == 0 &&
            start->prefix && strncmp(start->prefix, v->steps[i].label, len) == 0 &&
            start->prefix[len] == '/')
            return start->prefix + len + 1;
    }
    return NULL;
}

/* Pinned objects: programs that take what a bucket holds, and the built-in steps that pin it for
 * them, in the run or in each item or round that their texts look at. */
#include <stdio.h>
#include <string.h>
#include "common/base/text.h"
#include "schema/gen/messages.h"
#include "tests/sim/plan/plan.h"

#define PIN_NAME_MAX 47

/* The step that it is, or stands in, in the outermost DAG that sees the same: of the run, or of the
 * file that it is written in. */
static int outermost(const struct plan_version *v, int i)
{
    while (v->steps[i].parent >= 0 && !v->steps[v->steps[i].parent].part)
        i = v->steps[i].parent;
    return i;
}

/* The step that it is, or stands in, inside the innermost of the groups that its set is of. */
static int user_of(const struct plan_version *v, int i, bool item, bool round)
{
    if (!item && !round)
        return outermost(v, i);
    for (;; i = v->steps[i].parent) {
        const enum plan_kind kind = v->steps[v->steps[i].parent].kind;
        if ((item && kind == PLAN_EACH) || (round && kind == PLAN_LOOP))
            return i;
    }
}

/* Of the step, from the DAG in which the pin stands. False: there is no room for it. */
static bool pin_name(const struct plan_version *v, int step, int group, const char *input,
                     char out[48])
{
    static const char PREFIX[] = "objects:";
    const char *path = group < 0 ? "" : v->steps[group].name;
    const char *rest = v->steps[step].name + (group < 0 ? 0 : strlen(path) + 1);
    size_t len = strlen(path);
    if (len + 1 + strlen(PREFIX) + strlen(rest) + 1 + strlen(input) > PIN_NAME_MAX)
        return false;
    memcpy(out, path, len);
    if (group >= 0)
        out[len++] = '/';
    memcpy(out + len, PREFIX, strlen(PREFIX));
    len += strlen(PREFIX);
    for (const char *c = rest; *c; c++)
        out[len++] = *c == '/' ? '.' : *c;
    out[len] = '.';
    memcpy(out + len + 1, input, strlen(input) + 1);
    return true;
}

/* `user`: the step whose text asks for it, itself or a part around it. */
static void pin_for(struct rng *rng, struct plan_version *v, int step, int user)
{
    const bool item = plan_nearest(v, user, PLAN_EACH) >= 0 && rng_chance(rng, 0.6);
    const bool round = plan_nearest(v, user, PLAN_LOOP) >= 0 && rng_chance(rng, 0.6);
    struct plan_step *by = &v->steps[user_of(v, user, item, round)];
    const int i = v->step_count;
    struct plan_step *pin = &v->steps[i];
    char input[8] = "l";
    plan_step_clear(pin, i);
    if (user != step && !v->steps[user].direct)
        snprintf(input, sizeof input, "x%d", (uint8_t)step);
    if (!pin_name(v, user, by->parent, input, pin->name))
        return;
    v->step_count++;
    pin->parent = by->parent;
    pin->branch = by->branch;
    pin->finally = by->finally;
    pin->times = by->parent < 0 ? 1 : v->steps[by->parent].times;
    pin->pin = true;
    pin->pins_for = user;
    pin->pins_item = item;
    pin->pins_round = round;
    pin->pool = user == step ? v->steps[step].pool : 0; /* a part is of none */
    pin->attempts = 3;
    pin->lost = 5;
    pin->takes_us = rng_in(rng, 10 * MS, 2 * SEC);
    pin->fails = 0.2;
    v->steps[step].takes = i;
    by->needs |= 1u << i;
}

/* Rather where another try, or another run, may go over another list. */
static double chance(const struct plan_version *v, int i)
{
    const int each = plan_nearest(v, i, PLAN_EACH);
    const bool computed = each >= 0 && v->steps[each].items_from >= 0;
    return computed ? 0.6 : v->steps[i].parent >= 0 ? 0.2 : 0.12;
}

void plan_pins(struct rng *rng, struct plan_version *v)
{
    const int count = v->step_count;
    for (int i = 0; i < count && v->step_count < PLAN_STEPS; i++) {
        const struct plan_step *s = &v->steps[i];
        if (s->kind == PLAN_RUN && s->takes < 0 && rng_chance(rng, chance(v, i)))
            pin_for(rng, v, i, plan_pin_user(rng, v, i));
    }
}

/* The set is one of its own for each step, and another for each size. */
void plan_write_pinned(struct text *out, const struct plan_version *v, int pin)
{
    const struct plan_step *p = &v->steps[pin];
    text_printf(out, "{objects: {bucket: store, prefix: \"%d/${{ params.size }}|", pin);
    plan_write_place(out, v, p->pins_for, p->pins_item, p->pins_round);
    text_puts(out, "\"}}");
}

const char *plan_pinned_set(int pin, const struct order_start *start)
{
    char mine[16];
    const int len = snprintf(mine, sizeof mine, "%d/", pin);
    return start->bucket && strcmp(start->bucket, "store") == 0 && start->prefix &&
                   strncmp(start->prefix, mine, (size_t)len) == 0
               ? start->prefix + len
               : NULL;
}

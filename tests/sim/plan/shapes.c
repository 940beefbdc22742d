/* Pipelines of every shape of a DAG: groups in groups, at random. Their text: plan/text.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/sim/plan/plan.h"

bool plan_is_number(const struct plan_version *v, int step)
{
    const struct plan_step *s = &v->steps[step];
    if (!plan_is_group(s))
        return (s->kind == PLAN_RUN && !s->pin) || (s->taken && s->taken != PLAN_TAKES_STRING);
    for (int b = 0; b < s->branches; b++)
        if (s->gives[b] < 0 || !plan_is_number(v, s->gives[b]))
            return false;
    return s->kind != PLAN_EACH;
}

bool plan_is_real(const struct plan_version *v, int step)
{
    const struct plan_step *s = &v->steps[step];
    for (int b = 0; b < s->branches && plan_is_group(s); b++)
        if (s->gives[b] >= 0 && plan_is_real(v, s->gives[b]))
            return true;
    return !plan_is_group(s) && s->taken == PLAN_TAKES_NUMBER;
}

bool plan_is_list(const struct plan_version *v, int step)
{
    const struct plan_step *s = &v->steps[step];
    return s->kind == PLAN_EACH && s->gives[0] >= 0 && plan_is_number(v, s->gives[0]);
}

uint32_t plan_numbers(const struct plan_version *v, uint32_t mask)
{
    uint32_t numbers = 0;
    for (int i = 0; i < v->step_count; i++)
        if (mask >> i & 1u && plan_is_number(v, i))
            numbers |= 1u << i;
    return numbers;
}

/* ---- the generator --------------------------------------------------------------------------- */

static void make_dag(struct rng *rng, struct plan_version *v, int parent, int branch, int depth);

static int list_of(const struct plan_version *v, uint32_t mask)
{
    for (int i = 0; i < v->step_count; i++)
        if (mask >> i & 1u && plan_is_list(v, i))
            return i;
    return -1;
}

/* Steps of a pipeline that is a part have the names of those outside. */
static int step_add(struct plan_version *v, int parent, int branch)
{
    const int i = v->step_count++;
    struct plan_step *s = &v->steps[i];
    int around = parent;
    while (around >= 0 && !v->steps[around].grafted)
        around = v->steps[around].parent;
    plan_step_clear(s, i);
    snprintf(s->label, sizeof s->label, "s%d", (uint8_t)(i - around - 1));
    s->parent = parent;
    s->branch = branch;
    if (parent >= 0) {
        char path[sizeof s->name];
        snprintf(path, sizeof path, "%.38s/%s", v->steps[parent].name, s->label);
        memcpy(s->name, path, sizeof path);
        s->times = v->steps[parent].times;
    } else {
        memcpy(s->name, s->label, sizeof s->label);
    }
    return i;
}

static void make_each(struct rng *rng, const struct plan_version *v, struct plan_step *s)
{
    const uint32_t numbers = plan_numbers(v, s->needs);
    const int list = list_of(v, s->needs);
    s->kind = PLAN_EACH;
    s->items_from = list >= 0 ? list : rng_chance(rng, 0.4) ? plan_pick(rng, numbers) : -1;
    s->item_count = list >= 0 ? 0 : (int)rng_in(rng, s->items_from >= 0 ? 1 : 0, 3);
    plan_items_of_folder(rng, v, s);
    s->parallelism = (int)rng_in(rng, 0, 2);
    s->fail_fast = rng_chance(rng, 0.5);
    s->times *= 4;
}

static void make_loop(struct rng *rng, struct plan_step *s)
{
    s->kind = PLAN_LOOP;
    s->rounds = (int)rng_in(rng, 1, 3);
    s->until_over = (int)rng_in(rng, 1, 7);
    s->until_same = rng_chance(rng, 0.4);
    s->delayed = rng_chance(rng, 0.5);
    s->times *= s->rounds;
}

/* Of a group of steps, of its head. */
static void make_tries(struct rng *rng, struct plan_step *s)
{
    plan_retry_whole(rng, s);
    s->times *= s->attempts;
    s->timeout_us = rng_chance(rng, 0.2) ? rng_in(rng, 3, 30) * SEC : 0;
}

static void make_group(struct rng *rng, struct plan_version *v, int i, int depth)
{
    struct plan_step *s = &v->steps[i];
    const uint32_t numbers = plan_numbers(v, s->needs);
    s->kind = (enum plan_kind)rng_in(rng, PLAN_GROUP, PLAN_LOOP);
    make_tries(rng, s);
    if (s->kind == PLAN_SWITCH && (numbers || rng_chance(rng, 0.25)))
        plan_switch(rng, s, numbers);
    else if (s->kind == PLAN_SWITCH || s->kind == PLAN_EACH)
        make_each(rng, v, s);
    else if (s->kind == PLAN_LOOP)
        make_loop(rng, s);
    if (s->kind != PLAN_SWITCH && rng_chance(rng, s->kind == PLAN_GROUP ? 0.65 : 0.25))
        plan_make_part(rng, v, i, i, rng_chance(rng, 0.5));
    for (int b = 0; b < s->branches; b++)
        make_dag(rng, v, i, b, depth + 1);
}

/* Whose n the DAG gives: of a loop a step that every round has. */
static int giver(const struct plan_version *v, int parent, int branch, uint32_t here)
{
    int found = -1;
    for (int i = 0; i < v->step_count; i++) {
        const struct plan_step *s = &v->steps[i];
        if (!(here >> i & 1u) || s->finally || s->branch != branch || !plan_is_number(v, i))
            continue;
        if (v->steps[parent].kind == PLAN_LOOP &&
            (s->kind != PLAN_RUN || s->needs || s->allow_failure))
            continue;
        found = i;
    }
    return found;
}

static uint32_t needs_among(struct rng *rng, uint32_t earlier)
{
    uint32_t needs = 0;
    for (int i = 0; i < PLAN_STEPS; i++)
        if (earlier >> i & 1u && rng_chance(rng, 0.5))
            needs |= 1u << i;
    return needs;
}

/* `head`: the outermost of its entry. */
static void make_program(struct rng *rng, struct plan_version *v, int i,
                         const struct plan_step *head)
{
    struct plan_step *s = &v->steps[i];
    const bool given = s->parent >= 0 && v->steps[s->parent].part && v->steps[s->parent].direct;
    const uint32_t numbers = given ? 0 : plan_numbers(v, head->needs);
    plan_step_program(rng, s);
    if (s->takes_us > 3 * SEC && s->times > 1)
        s->takes_us = 3 * SEC;
    if (s->parent >= 0 && v->steps[s->parent].part)
        s->cache |= rng_chance(rng, 0.3); /* of its own parameters */
    plan_take_list(rng, v, head, s);
    plan_take_through(rng, v, i);
    const bool inside = head->parent >= 0 && !v->steps[head->parent].part && !given;
    const uint32_t outer = inside ? plan_numbers(v, v->steps[head->parent].needs) : 0;
    if (s->takes >= 0)
        return; /* the list alone makes the difference */
    s->refers_default = rng_chance(rng, 0.4);
    if (numbers && rng_chance(rng, 0.4))
        s->refers = plan_pick(rng, numbers);
    else if (outer && rng_chance(rng, 0.5))
        s->refers = plan_pick(rng, outer);
}

static void make_wait(struct rng *rng, struct plan_version *v, int i, const struct plan_step *head)
{
    struct plan_step *s = &v->steps[i];
    plan_step_waits(rng, v, s);
    plan_start_looks(rng, v, head, s);
    plan_asks(rng, v, head, s);
    plan_wait_looks(rng, v, head, s);
}

/* What stands in the entry beside for_each: not a loop. */
static void make_body(struct rng *rng, struct plan_version *v, int i, const struct plan_step *head,
                      int depth)
{
    struct plan_step *s = &v->steps[i];
    const uint32_t numbers = plan_numbers(v, head->needs);
    const int64_t dice = rng_in(rng, 0, 9);
    if (dice < 2) {
        make_wait(rng, v, i, head);
    } else if (dice < 4 && (numbers || rng_chance(rng, 0.5))) {
        plan_switch(rng, s, numbers);
        make_tries(rng, &v->steps[s->parent]); /* of all items together */
        s->times = v->steps[s->parent].times;
        for (int b = 0; b < s->branches; b++)
            make_dag(rng, v, i, b, depth + 1);
    } else {
        make_program(rng, v, i, head);
    }
}

/* One entry with for_each, loop, both, or the component of a program, and what they are of. */
static void make_layers(struct rng *rng, struct plan_version *v, int i, int depth)
{
    struct plan_step *head = &v->steps[i];
    const int64_t dice = rng_in(rng, 0, 9);
    const bool each = dice < 6, loop = dice >= 4 && dice < 9, both = each && loop;
    const bool part = (!each && !loop) || rng_chance(rng, 0.25);
    const bool steps = both && !part && rng_chance(rng, 0.3);
    int at = i;
    head->kind = PLAN_GROUP;
    if (part || steps)
        make_tries(rng, head);
    if (each)
        make_each(rng, v, head);
    if (both)
        at = plan_layer_add(v, at);
    if (loop)
        make_loop(rng, &v->steps[at]);
    if (steps ? rng_chance(rng, 0.4) : part)
        plan_make_part(rng, v, i, at, steps && rng_chance(rng, 0.7));
    if (!steps)
        at = plan_layer_add(v, at);
    if (each && (both || !part) && !head->when.looks && rng_chance(rng, 0.3))
        v->steps[plan_inside(v, i)].when_item = (int)rng_in(rng, 0, 1);
    if (steps)
        make_dag(rng, v, at, 0, depth + 1);
    else if (part || loop)
        make_program(rng, v, at, head);
    else
        make_body(rng, v, at, head, depth);
    plan_layers_settle(v);
}

static void make_step(struct rng *rng, struct plan_version *v, int i, uint32_t earlier, int depth)
{
    struct plan_step *s = &v->steps[i];
    if (s->parent >= 0 && v->steps[s->parent].kind == PLAN_LOOP && !earlier && !s->finally) {
        plan_step_program(rng, s); /* its n is what the loop goes by */
        s->takes_us = s->takes_us > 3 * SEC ? 3 * SEC : s->takes_us;
        return;
    }
    s->needs = needs_among(rng, earlier);
    const uint32_t numbers = plan_numbers(v, s->needs);
    if (s->needs && rng_chance(rng, 0.3))
        s->rule = (enum plan_rule)rng_in(rng, PLAN_ALL_DONE, PLAN_NONE_FAILED);
    s->allow_failure = rng_chance(rng, 0.15);
    plan_when(rng, s, numbers);
    const bool room = depth < PLAN_DEPTH && v->step_count < PLAN_ENOUGH - 4;
    if (room && rng_chance(rng, 0.15))
        make_layers(rng, v, i, depth);
    else if (room && rng_chance(rng, 0.5))
        make_group(rng, v, i, depth);
    else if (rng_chance(rng, 0.2))
        make_wait(rng, v, i, s);
    else
        make_program(rng, v, i, s);
}

/* A finally step sees all of `work` without needing it, whether it is there or not. */
static void look_back(struct rng *rng, const struct plan_version *v, struct plan_step *s,
                      uint32_t work)
{
    if (s->kind != PLAN_RUN)
        return;
    s->takes_us = s->takes_us > 3 * SEC ? 3 * SEC : s->takes_us;
    if (s->sees < 0 && rng_chance(rng, 0.3))
        s->sees = plan_pick(rng, work);
    if (s->refers < 0 && s->takes < 0 && rng_chance(rng, 0.3))
        s->refers = plan_pick(rng, plan_numbers(v, work));
    s->refers_default = rng_chance(rng, 0.7);
    if (!rng_chance(rng, 0.5))
        return;
    s->cache = true; /* of what it is told of the outcome, which may change meanwhile */
    s->cache_us = 0;
    s->takes_us = 3 * SEC;
}

static void make_finally(struct rng *rng, struct plan_version *v, int parent, int branch, int depth,
                         uint32_t work)
{
    const int count = rng_chance(rng, 0.6) ? 1 : (int)rng_in(rng, 2, 3);
    uint32_t here = 0;
    for (int k = 0; k < count && (k == 0 || v->step_count < PLAN_ENOUGH); k++) {
        const int i = step_add(v, parent, branch);
        v->steps[i].finally = true;
        make_step(rng, v, i, here, depth);
        look_back(rng, v, &v->steps[i], work);
        here |= 1u << i;
    }
}

static void make_dag(struct rng *rng, struct plan_version *v, int parent, int branch, int depth)
{
    const int count = (int)rng_in(rng, parent < 0 ? 2 : 1, 3);
    uint32_t here = 0;
    for (int k = 0; k < count && (k == 0 || v->step_count < PLAN_ENOUGH); k++) {
        const int i = step_add(v, parent, branch);
        make_step(rng, v, i, here, depth);
        here |= 1u << i;
    }
    if (parent >= 0)
        v->steps[parent].gives[branch] = giver(v, parent, branch, here);
    if (parent >= 0 && v->steps[parent].kind == PLAN_EACH)
        plan_give_folders(rng, v, parent, here);
    if (rng_chance(rng, 0.3) && v->step_count < PLAN_ENOUGH)
        make_finally(rng, v, parent, branch, depth, here);
    plan_finally_time(rng, v, parent, branch);
}

void plan_shapes(struct rng *rng, struct plan_version *v)
{
    v->step_count = 0;
    make_dag(rng, v, -1, 0, 0);
}

void plan_gives(struct rng *rng, struct plan_version *v)
{
    uint32_t own = 0;
    for (int i = 0; i < v->step_count; i++)
        if (v->steps[i].parent < 0 && !v->steps[i].finally && plan_is_number(v, i))
            own |= 1u << i;
    v->gives = rng_chance(rng, 0.7) ? plan_pick(rng, own) : -1;
    v->priority = rng_chance(rng, 0.4) ? (int)rng_in(rng, -2, 2) : 0;
}

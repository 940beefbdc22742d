/* What parts are given: the size that is seen in each of them. */
#include <stdio.h>
#include <stdlib.h>
#include "tests/sim/reference/internal.h"

static bool size_of(const struct scene *at, int *size);

static int place_in(const struct scene *here)
{
    return here->iteration - here->start->first;
}

/* The item of the nearest for_each around that DAG, which is a number where it is there. */
static bool item_of(const struct scene *in, int *n)
{
    struct scene here = *in;
    while (here.v->steps[here.parent].kind != PLAN_EACH)
        here = scene_outward(&here);
    const struct plan_step *each = &here.v->steps[here.parent];
    const struct scene beside = scene_outward(&here);
    const int place = place_in(&here);
    *n = place;
    if (!plan_is_list(here.v, each->items_from))
        return place < each->item_count || scene_number(&beside, each->items_from, n);
    json_t *list = scene_output(&beside, each->items_from);
    const json_t *one = json_array_get(list, (size_t)place);
    const bool there = json_is_integer(one);
    *n = (int)json_integer_value(one);
    json_decref(list);
    return there;
}

/* What the round before gave: of the nearest loop around that DAG. */
static int round_of(const struct scene *in)
{
    struct scene here = *in;
    while (here.v->steps[here.parent].kind != PLAN_LOOP)
        here = scene_outward(&here);
    return scene_round_before(&here);
}

static bool number_of(const struct scene *beside, const struct plan_step *s, int *n)
{
    if (scene_number_seen(beside, s->given_by, n))
        return true;
    *n = PLAN_DEFAULT;
    return s->given_default;
}

/* The number that is text behind a 1. */
static int behind_one(int n)
{
    char text[16];
    snprintf(text, sizeof text, "1%d", n);
    return (int)strtol(text, NULL, 10);
}

/* Of one instance of a part; false: it cannot be given any. */
static bool given_to(const struct scene *in, int *size)
{
    const struct plan_step *s = &in->v->steps[in->parent];
    const struct scene beside = scene_outward(in);
    const int place = s->kind == PLAN_GROUP ? 0 : place_in(in);
    switch (s->given) {
    case PLAN_GIVEN_NOTHING:
        *size = PLAN_PART_SIZE;
        return true;
    case PLAN_GIVEN_TEXT:
        if (!number_of(&beside, s, size))
            return false;
        *size = behind_one(*size);
        break;
    case PLAN_GIVEN_ITEM:
        if (!item_of(in, size))
            return false;
        *size += 1;
        break;
    case PLAN_GIVEN_ROUND:
        *size = round_of(in) + 1 + place;
        break;
    default:
        if (!(s->given == PLAN_GIVEN_STEP ? number_of(&beside, s, size) : size_of(&beside, size)))
            return false;
        *size += 1 + place;
    }
    return !s->picky || plan_picks(*size);
}

static bool size_of(const struct scene *at, int *size)
{
    struct scene here = *at;
    while (here.start && !here.v->steps[here.parent].part)
        here = scene_outward(&here);
    if (here.start)
        return given_to(&here, size);
    const struct row_run *run = database_run(at->sim->db, &at->run);
    json_t *params = json_loads(run->params, 0, NULL);
    *size = (int)json_integer_value(json_object_get(params, "size"));
    json_decref(params);
    return true;
}

bool reference_size(struct sim *sim, const struct plan_version *v, const struct row_key *key,
                    int *size)
{
    const struct scene at = scene_of(sim, v, &key->run, key->iteration);
    return size_of(&at, size);
}

bool scene_is_unfit(const struct scene *at)
{
    int size;
    return at->start && at->v->steps[at->parent].part && !given_to(at, &size);
}

/* The place of the nearest for_each in the same file. */
static int index_seen(const struct scene *at)
{
    struct scene here = *at;
    while (here.v->steps[here.parent].kind != PLAN_EACH)
        here = scene_outward(&here);
    return place_in(&here);
}

bool reference_bound(struct sim *sim, const struct plan_version *v, const struct row_key *key,
                     int *over)
{
    const struct scene at = scene_of(sim, v, &key->run, key->iteration);
    const struct plan_step *s = &v->steps[v->step_at[key->step]];
    int n = 0;
    *over = s->over;
    switch (s->filter) {
    case PLAN_ALWAYS:
        return true;
    case PLAN_LOOKS_AT_SIZE:
        if (!size_of(&at, &n))
            return false;
        break;
    case PLAN_LOOKS_AT_INDEX:
        n = 4 * index_seen(&at);
        break;
    default:
        if (!scene_number_seen(&at, s->refers, &n) && !s->refers_default)
            return false;
        if (!scene_number_seen(&at, s->refers, &n))
            n = PLAN_DEFAULT;
    }
    *over = n - s->over;
    return true;
}

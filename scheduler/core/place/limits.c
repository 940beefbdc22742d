#include "scheduler/core/place/limits.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "scheduler/core/place/place.h"

#define POOL_PREFIX "pool:" /* a colon is in no name of a file */

static struct limit *limit_get(struct core *core, const char *name)
{
    struct limit *limit = NULL;
    HASH_FIND_STR(core->limits, name, limit);
    if (limit)
        return limit;
    limit = mem_alloc(sizeof *limit);
    limit->name = mem_string(name);
    HASH_ADD_KEYPTR(hh, core->limits, limit->name, strlen(limit->name), limit);
    return limit;
}

struct limit *limit_of_pool(struct core *core, const char *pool)
{
    cleanup_free char *name = mem_printf(POOL_PREFIX "%s", pool);
    struct limit *limit = limit_get(core, name);
    if (!limit->pooled)
        limit->n = LIMIT_OPEN;
    limit->pooled = limit->known = true;
    return limit;
}

const char *limit_pool_name(const struct limit *limit)
{
    return limit->name + strlen(POOL_PREFIX);
}

/* Each name that there ever was would stay otherwise. */
static void limit_release(struct core *core, struct limit *limit)
{
    if (limit->refs > 0 || (limit->known && !limit->pooled))
        return;
    HASH_DEL(core->limits, limit);
    free(limit->name);
    free(limit);
}

void limit_unref(struct core *core, struct limit *limit)
{
    limit->refs--;
    limit_release(core, limit);
}

static bool is_open(const struct limit *limit)
{
    return limit->n == LIMIT_OPEN;
}

/* Lanes whose heads want it are looked at again; no other. O(lanes), not steps. */
static void look_again(struct core *core, struct limit *limit)
{
    struct limit_want *want;
    DL_FOREACH (limit->wants, want)
        place_lane_again(core, want->lane);
}

/* It has become more: nobody has waited for one that is open. */
static void wake(struct core *core, struct limit *limit)
{
    if (!is_open(limit))
        look_again(core, limit);
}

/* ---- the catalog --------------------------------------------------------------------------- */

void limit_resize(struct core *core, struct limit *limit, int64_t n)
{
    if (limit->n == n)
        return;
    limit->n = n;
    look_again(core, limit);
}

static void limit_learn(struct core *core, const struct snapshot_limit *from)
{
    struct limit *limit = limit_get(core, from->name);
    const bool found = !limit->known;
    limit->known = limit->listed = true;
    limit_resize(core, limit, from->n);
    if (found)
        look_again(core, limit);
}

void limits_learn(struct core *core, const struct snapshot *from)
{
    struct limit *limit, *next;
    if (!from->has_limits)
        return;
    for (size_t i = 0; i < from->limits_count; i++)
        limit_learn(core, &from->limits[i]);
    HASH_ITER (hh, core->limits, limit, next) {
        const bool gone = limit->known && !limit->listed && !limit->pooled;
        limit->listed = false;
        if (!gone)
            continue;
        limit->known = false;
        look_again(core, limit); /* who wants it fails, and says so */
        limit_release(core, limit);
    }
}

/* ---- lanes --------------------------------------------------------------------------------- */

bool limits_same(const struct lane *l, const struct ir_step *def)
{
    if (l->named != def->limit_count)
        return false;
    for (size_t i = 0; i < def->limit_count; i++)
        if (l->wants_of[i].n != def->limits[i].n ||
            strcmp(l->wants_of[i].limit->name, def->limits[i].name) != 0)
            return false;
    return true;
}

static void want(struct lane *l, struct limit *limit, int64_t n)
{
    limit->refs++;
    l->wants_of[l->want_count++] = (struct limit_want){.limit = limit, .n = n, .lane = l};
}

void limits_of_lane(struct core *core, struct lane *l, const struct ir_step *def)
{
    l->named = def->limit_count;
    l->wants_of = mem_array(def->limit_count + 1, sizeof *l->wants_of);
    for (size_t i = 0; i < def->limit_count; i++)
        want(l, limit_get(core, def->limits[i].name), def->limits[i].n);
    want(l, l->pool->slots, def->slots);
}

void limits_leave_lane(struct core *core, struct lane *l)
{
    for (size_t i = 0; i < l->want_count; i++)
        limit_unref(core, l->wants_of[i].limit);
    free(l->wants_of);
}

void limits_lane_busy(struct lane *l)
{
    l->claims = true;
    for (size_t i = 0; i < l->want_count; i++)
        DL_APPEND(l->wants_of[i].limit->wants, &l->wants_of[i]);
}

void limits_lane_idle(struct core *core, struct lane *l)
{
    limits_head_left(core, l);
    for (size_t i = 0; i < l->want_count; i++)
        DL_DELETE(l->wants_of[i].limit->wants, &l->wants_of[i]);
}

void limits_head_left(struct core *core, struct lane *l)
{
    for (size_t i = 0; i < l->want_count; i++)
        wake(core, l->wants_of[i].limit);
    l->claims = true; /* of the next head, until it was looked at */
}

/* ---- may it? ------------------------------------------------------------------------------- */

/* What is left of it for the head of `l`, older ones served. */
static int64_t left_for(const struct limit_want *mine)
{
    const struct limit_want *other;
    if (is_open(mine->limit))
        return LIMIT_OPEN;
    int64_t left = mine->limit->n - mine->limit->used;
    DL_FOREACH (mine->limit->wants, other)
        if (other != mine && other->lane->claims && place_is_before(other->lane, mine->lane))
            left -= other->n;
    return left;
}

bool limits_allow(const struct lane *l)
{
    for (size_t i = 0; i < l->want_count; i++)
        if (left_for(&l->wants_of[i]) < l->wants_of[i].n)
            return false;
    return true;
}

const char *limits_missing(const struct lane *l)
{
    for (size_t i = 0; i < l->want_count; i++)
        if (!l->wants_of[i].limit->known)
            return l->wants_of[i].limit->name;
    return NULL;
}

/* One that wants more than there will be, or that no worker could take, holds nobody up. */
void limits_blocked(struct core *core, struct lane *l, bool ever)
{
    for (size_t i = 0; i < l->want_count; i++)
        ever &= l->wants_of[i].n <= l->wants_of[i].limit->n;
    if (l->claims == ever)
        return;
    l->claims = ever;
    for (size_t i = 0; i < l->want_count && !ever; i++) {
        struct limit_want *other;
        if (!is_open(l->wants_of[i].limit)) /* nothing is set aside of one that is */
            DL_FOREACH (l->wants_of[i].limit->wants, other)
                if (other->lane != l)
                    place_lane_again(core, other->lane);
    }
}

/* ---- taking and giving back ---------------------------------------------------------------- */

static void hold(struct attempt *a, struct limit *limit, int64_t n)
{
    a->holds[a->hold_count++] = (struct limit_hold){limit, n};
    limit->refs++;
    limit->used += n;
}

void limits_take(struct attempt *a, const struct lane *l)
{
    a->holds = mem_array(l->want_count, sizeof *a->holds);
    for (size_t i = 0; i < l->want_count; i++)
        hold(a, l->wants_of[i].limit, l->wants_of[i].n);
}

/* The version says the same as the row, where both say it: neither ever changes. */
void limits_recall(struct core *core, struct attempt *a, const struct snapshot_step *row)
{
    const struct ir_step *def = ref_ir_known(a->at);
    if (plant_on(PLANT_LIMITS_FORGOTTEN_AT_TAKEOVER))
        return;
    a->holds = mem_array(json_object_size(row->limits) + 1, sizeof *a->holds);
    json_t *all = row->limits;
    for (void *it = json_object_iter(all); it; it = json_object_iter_next(all, it))
        hold(a, limit_get(core, json_object_iter_key(it)),
             json_integer_value(json_object_iter_value(it)));
    const char *pool = def && def->pool ? def->pool : def ? "default" : row->pool;
    if (pool)
        hold(a, limit_of_pool(core, pool), def ? def->slots : row->slots);
}

void limits_give_back(struct core *core, struct attempt *a)
{
    for (size_t i = 0; i < a->hold_count; i++) {
        struct limit *limit = a->holds[i].limit;
        limit->used -= a->holds[i].n;
        wake(core, limit);
        limit_unref(core, limit);
    }
    a->hold_count = 0;
    free(TAKE(a->holds));
}

/* ---- rows ---------------------------------------------------------------------------------- */

static const char *text_of(json_t *all, struct batch *out)
{
    const char *text = batch_json(out, all);
    json_decref(all);
    return text;
}

const char *limits_held_text(const struct attempt *a, struct batch *out)
{
    json_t *all = NULL;
    for (size_t i = 0; i < a->hold_count; i++) {
        if (a->holds[i].limit->pooled)
            continue;
        all = all ? all : json_object();
        json_object_set_new(all, a->holds[i].limit->name, json_integer(a->holds[i].n));
    }
    return text_of(all, out);
}

const struct limit_hold *limits_held_slots(const struct attempt *a)
{
    const struct limit_hold *last = a->hold_count ? &a->holds[a->hold_count - 1] : NULL;
    return last && last->limit->pooled ? last : NULL;
}

const char *limits_wanted_text(const struct ir_step *def, struct batch *out)
{
    if (def->limit_count == 0)
        return NULL;
    json_t *all = json_object();
    for (size_t i = 0; i < def->limit_count; i++)
        json_object_set_new(all, def->limits[i].name, json_integer(def->limits[i].n));
    return text_of(all, out);
}

/* ---- memory -------------------------------------------------------------------------------- */

void limits_free(struct core *core)
{
    struct limit *limit, *next;
    HASH_ITER (hh, core->limits, limit, next) {
        HASH_DEL(core->limits, limit);
        free(limit->name);
        free(limit);
    }
}

#include "scheduler/core/run/learned.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "scheduler/core/run/adopt.h"
#include "scheduler/core/run/only.h"

struct learned *learned_find(struct core *core, const struct uuid *run)
{
    struct learned *l = NULL;
    HASH_FIND(hh, core->learned, run, sizeof *run, l);
    return l;
}

static void learned_free(struct core *core, struct learned *l)
{
    HASH_DEL(core->learned, l);
    for (size_t i = 0; i < l->result_count; i++) {
        json_decref(l->results[i].outputs);
        json_decref(l->results[i].metrics);
        json_decref(l->results[i].log);
        free(l->results[i].reason);
        free(l->results[i].image);
    }
    for (size_t i = 0; i < l->group_count; i++)
        json_decref(l->groups[i].items);
    free(l->results);
    free(l->groups);
    json_decref(l->params);
    json_decref(l->vars);
    json_decref(l->event);
    free(l->pipeline);
    free(l->version);
    free(l->name);
    free(l->experiment);
    free(l->trigger);
    free(l);
}

/* ---- rows ---------------------------------------------------------------------------------- */

static void run_learn(struct core *core, const struct snapshot_run *from)
{
    if (!machine_is_terminal(&MACHINE_RUN, from->state))
        return;
    struct learned *l = learned_find(core, &from->id);
    if (l && l->refs) { /* a finished run never changes; a takeover learns it without its event */
        if (!l->event)
            l->event = json_incref(from->envelope);
        return;
    }
    if (l)
        learned_free(core, l);
    l = mem_alloc(sizeof *l);
    l->fresh = true;
    l->id = from->id;
    l->state = from->state;
    l->pipeline = mem_string(from->pipeline);
    l->version = mem_string(from->version);
    l->name = mem_string(from->name);
    l->experiment = mem_string(from->experiment);
    l->trigger = mem_string(from->trigger);
    l->event_id = from->event;
    l->params = json_incref(from->params);
    l->vars = json_incref(from->vars);
    l->event = json_incref(from->envelope);
    HASH_ADD(hh, core->learned, id, sizeof l->id, l);
    core->sweep_catalog = true;
}

static void result_learn(struct core *core, const struct snapshot_result *from)
{
    struct learned *l = learned_find(core, &from->run);
    if (!l || !l->fresh)
        return;
    MEM_ROOM(l->results, l->result_count, l->result_cap);
    l->results[l->result_count++] = (struct learned_result){
        .step = from->step,
        .iteration = from->iteration,
        .state = from->state,
        .attempt = from->attempt,
        .attempt_id = from->attempt_id,
        .cached_from = from->cached_from,
        .outputs = json_incref(from->outputs),
        .metrics = json_incref(from->metrics),
        .log = json_incref(from->log),
        .reason = *from->reason ? mem_string(from->reason) : NULL,
        .image = from->image && *from->image ? mem_string(from->image) : NULL,
    };
}

static void group_learn(struct core *core, const struct snapshot_group *from)
{
    struct learned *l = learned_find(core, &from->run);
    if (!l || !l->fresh)
        return;
    MEM_ROOM(l->groups, l->group_count, l->group_cap);
    l->groups[l->group_count++] = (struct learned_group){
        .step = from->step,
        .iteration = from->iteration,
        .attempt = from->attempt,
        .first = from->first,
        .count = from->count,
        .branch = from->branch,
        .items = json_incref(from->items),
    };
}

static int by_place(int32_t a, int32_t b)
{
    return (a > b) - (a < b);
}

static int result_order(const void *a, const void *b)
{
    const struct learned_result *x = a, *y = b;
    const int frames = by_place(x->iteration, y->iteration);
    return frames ? frames : by_place(x->step, y->step);
}

static int group_order(const void *a, const void *b)
{
    const struct learned_group *x = a, *y = b;
    const int frames = by_place(x->iteration, y->iteration);
    const int steps = frames ? frames : by_place(x->step, y->step);
    return steps ? steps : by_place(x->attempt, y->attempt);
}

void learned_take(struct core *core, const struct snapshot *delta)
{
    for (size_t i = 0; i < delta->runs_count; i++)
        run_learn(core, &delta->runs[i]);
    if (!core->learned)
        return;
    for (size_t i = 0; i < delta->results_count; i++)
        result_learn(core, &delta->results[i]);
    for (size_t i = 0; i < delta->groups_count; i++)
        group_learn(core, &delta->groups[i]);
    for (struct learned *l = core->learned; l; l = l->hh.next) {
        if (l->fresh && l->result_count)
            qsort(l->results, l->result_count, sizeof *l->results, result_order);
        if (l->fresh && l->group_count)
            qsort(l->groups, l->group_count, sizeof *l->groups, group_order);
        l->fresh = false;
    }
}

void learned_forget(struct core *core)
{
    struct learned *l, *after;
    HASH_ITER (hh, core->learned, l, after)
        if (l->refs == 0)
            learned_free(core, l);
}

/* ---- looking ------------------------------------------------------------------------------- */

const struct learned_result *learned_result_of(const struct learned *l, int32_t step,
                                               int32_t iteration)
{
    const struct learned_result key = {.step = step, .iteration = iteration};
    return l->result_count
               ? bsearch(&key, l->results, l->result_count, sizeof *l->results, result_order)
               : NULL;
}

const struct learned_group *learned_group_of(const struct learned *l, int32_t step,
                                             int32_t iteration, int32_t attempt)
{
    const struct learned_group key = {.step = step, .iteration = iteration, .attempt = attempt};
    return l->group_count ? bsearch(&key, l->groups, l->group_count, sizeof *l->groups, group_order)
                          : NULL;
}

bool learned_is_left_out(const struct learned_result *r)
{
    return r->state == STEP_SKIPPED && r->reason &&
           text_starts_with(r->reason, ONLY_LEFT_OUT_REASON);
}

bool learned_is_adopted(const struct learned_result *r)
{
    return r->reason && text_starts_with(r->reason, ADOPT_REASON);
}

bool learned_went_well(const struct learned_result *r)
{
    if (!r || learned_is_left_out(r))
        return false;
    const bool part = r->reason && text_starts_with(r->reason, ONLY_PART_REASON);
    return r->state == STEP_SKIPPED || (r->state == STEP_SUCCEEDED && !part);
}

/* The first result whose iteration is not below. */
static size_t first_at(const struct learned *l, int64_t iteration)
{
    size_t low = 0, high = l->result_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (l->results[middle].iteration < iteration)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void learned_results_in(const struct learned *l, int32_t iteration, size_t *first, size_t *end)
{
    *first = first_at(l, iteration);
    *end = first_at(l, (int64_t)iteration + 1);
}

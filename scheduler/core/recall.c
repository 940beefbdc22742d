#include "scheduler/core/recall.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "scheduler/core/run/adopt.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/dag/groups.h"
#include "scheduler/core/run/repeat.h"
#include "scheduler/core/run/runs.h"

struct known_frame {
    struct frame_key {
        struct run *run;
        int64_t id;
    } key;
    struct frame *frame;
    UT_hash_handle hh;
};

/* ---- rows in order ------------------------------------------------------------------------- */

static int by_first(const void *a, const void *b)
{
    const struct snapshot_group *x = *(const struct snapshot_group *const *)a;
    const struct snapshot_group *y = *(const struct snapshot_group *const *)b;
    const int runs = uuid_compare(&x->run, &y->run);
    return runs ? runs : (x->first > y->first) - (x->first < y->first);
}

static int by_try(const void *a, const void *b)
{
    const struct snapshot_group *x = *(const struct snapshot_group *const *)a;
    const struct snapshot_group *y = *(const struct snapshot_group *const *)b;
    const int runs = uuid_compare(&x->run, &y->run);
    if (runs || x->step != y->step)
        return runs ? runs : x->step < y->step ? -1 : 1;
    if (x->iteration != y->iteration)
        return x->iteration < y->iteration ? -1 : 1;
    return (x->attempt > y->attempt) - (x->attempt < y->attempt);
}

static int results_by_iteration(const void *a, const void *b)
{
    const struct snapshot_result *x = *(const struct snapshot_result *const *)a;
    const struct snapshot_result *y = *(const struct snapshot_result *const *)b;
    if (x->iteration != y->iteration)
        return x->iteration < y->iteration ? -1 : 1;
    return (x > y) - (x < y);
}

static int steps_by_iteration(const void *a, const void *b)
{
    const struct snapshot_step *x = *(const struct snapshot_step *const *)a;
    const struct snapshot_step *y = *(const struct snapshot_step *const *)b;
    return (x->iteration > y->iteration) - (x->iteration < y->iteration);
}

static int frames_by_id(const void *a, const void *b)
{
    const struct frame *x = *(struct frame *const *)a, *y = *(struct frame *const *)b;
    return (x->id > y->id) - (x->id < y->id);
}

/* The try whose frames `iteration` is one of. */
static const struct snapshot_group *start_of(const struct recall *r, const struct uuid *run,
                                             int32_t iteration)
{
    size_t low = 0, high = r->start_count; /* the last that is not after it */
    const struct snapshot_group want = {.run = *run, .first = iteration}, *key = &want;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (by_first(&r->starts[middle], &key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    const struct snapshot_group *row = low ? r->starts[low - 1] : NULL;
    return row && uuid_compare(&row->run, run) == 0 && iteration - row->first < row->count ? row
                                                                                           : NULL;
}

/* ---- frames -------------------------------------------------------------------------------- */

static bool step_in(struct frame *f, int32_t step, struct step_ref *at)
{
    const struct ir *ir = f->run->version->ir;
    if (step < 0 || step >= (int32_t)ir->step_count || ir_dag_of(ir, step) != f->dag)
        return false;
    *at = (struct step_ref){f, ir->steps[step].place};
    return true;
}

static struct frame *frame_made(struct recall *r, struct group *g, int32_t ordinal)
{
    struct frame *f = group_frame_new(r->core, g, ordinal);
    g->begun_before[ordinal] = 1;
    struct known_frame *known = mem_alloc(sizeof *known);
    known->key.run = f->run;
    known->key.id = f->id;
    known->frame = f;
    HASH_ADD(hh, r->known, key, sizeof known->key, known);
    MEM_ROOM(r->frames, r->frame_count, r->frame_cap);
    r->frames[r->frame_count++] = f;
    return f;
}

static struct frame *frame_find(struct recall *r, struct run *run, int32_t id)
{
    if (id == 0)
        return &run->root;
    struct frame_key key;
    memset(&key, 0, sizeof key);
    key.run = run;
    key.id = id;
    struct known_frame *known = NULL;
    HASH_FIND(hh, r->known, &key, sizeof key, known);
    if (known)
        return known->frame;
    const struct snapshot_group *row = start_of(r, &run->id, id);
    struct frame *around = row ? frame_find(r, run, row->iteration) : NULL;
    struct step_ref at;
    if (!around || !step_in(around, row->step, &at) || !ref_is_group(at))
        return NULL;
    struct group *g = ref_step(at)->group;
    if (!g || !g->begun_before || g->first != row->first)
        return NULL; /* it is over, or it is another try's */
    return frame_made(r, g, id - row->first);
}

bool recall_step(struct recall *r, struct run *run, int32_t step, int32_t iteration,
                 struct step_ref *at)
{
    struct frame *f = frame_find(r, run, iteration);
    return f && step_in(f, step, at);
}

/* ---- groups -------------------------------------------------------------------------------- */

static const struct snapshot_group *try_of(const struct recall *r, const struct snapshot_step *from)
{
    const struct snapshot_group want = {.run = from->run,
                                        .step = from->step,
                                        .iteration = from->iteration,
                                        .attempt = from->attempt};
    const struct snapshot_group *key = &want;
    const struct snapshot_group *const *found =
        bsearch(&key, r->tries, r->start_count, sizeof *r->tries, by_try);
    return found ? *found : NULL;
}

static void try_recall(struct recall *r, struct group *g, const struct snapshot_step *from,
                       const struct core_now *now)
{
    const struct snapshot_group *row = try_of(r, from);
    const struct ir_group *def = g->def->group;
    if (!row) { /* they are written together */
        g->fatal = true;
        g->reason = mem_string("its iterations are not in the database");
        return;
    }
    g->first = row->first;
    g->count = row->count;
    g->branch = (size_t)row->branch < def->branch_count ? row->branch : 0;
    g->items = json_incref(row->items ? row->items : def->items);
    g->begun_before = mem_array((size_t)g->count + 1, 1);
    struct err err = {0};
    if (repeat_group(g, &err) < 0 && from->state != STEP_CANCELLING) {
        g->fatal = true;
        g->stop = STOP_FAILED;
        g->reason = mem_string(err.text);
        return;
    }
    if (from->state != STEP_CANCELLING) {
        if (!plant_on(PLANT_GROUP_FOR_EVER_AFTER_TAKEOVER))
            group_arm_timeout(r->core, g, now->wall_us - from->started_us, now);
        return;
    }
    g->fatal = *from->reason != '\0';
    g->stop = g->fatal ? STOP_FAILED : STOP_CANCELLED;
    g->reason = g->fatal ? mem_string(from->reason) : NULL;
}

static void group_recall(struct recall *r, const struct snapshot_step *from,
                         const struct core_now *now)
{
    struct run *run = run_find(r->core, &from->run);
    struct step_ref at;
    if (!run || run->broken || !run->root.steps ||
        !recall_step(r, run, from->step, from->iteration, &at) || !ref_is_group(at))
        return;
    struct group *g = group_new(r->core, at);
    ref_step(at)->attempt = (uint16_t)from->attempt;
    ref_step(at)->state = from->state;
    g->since_us = from->since_us;
    g->started_us = from->started_us;
    g->due_us = from->due_us;
    if (from->state != STEP_WAITING) {
        try_recall(r, g, from, now);
        return;
    }
    const int64_t gone = now->wall_us > from->since_us ? now->wall_us - from->since_us : 0;
    g->reason = mem_string(from->reason);
    r->core->waiting++;
    timers_set(&r->core->timers, &g->wait, TIMER_GROUP_WAIT,
               now->mono_us + (gone > g->due_us ? 0 : g->due_us - gone));
}

static void groups_recall(struct recall *r, const struct snapshot *all, const struct core_now *now)
{
    cleanup_free const struct snapshot_step **rows = mem_array(all->steps_count, sizeof *rows);
    for (size_t i = 0; i < all->steps_count; i++)
        rows[i] = &all->steps[i];
    qsort(rows, all->steps_count, sizeof *rows, steps_by_iteration);
    for (size_t i = 0; i < all->steps_count; i++)
        group_recall(r, rows[i], now);
}

void recall_open(struct recall *r, struct core *core, const struct snapshot *all,
                 const struct core_now *now)
{
    *r = (struct recall){.core = core, .start_count = all->groups_count};
    r->starts = mem_array(all->groups_count, sizeof *r->starts);
    r->results = mem_array(all->results_count, sizeof *r->results);
    for (size_t i = 0; i < all->groups_count; i++) {
        r->starts[i] = &all->groups[i];
        struct run *run = run_find(core, &all->groups[i].run);
        if (run && run->next_frame < all->groups[i].first + all->groups[i].count)
            run->next_frame = all->groups[i].first + all->groups[i].count;
    }
    r->tries = mem_array(all->groups_count, sizeof *r->tries);
    memcpy(r->tries, r->starts, all->groups_count * sizeof *r->tries);
    qsort(r->tries, all->groups_count, sizeof *r->tries, by_try);
    qsort(r->starts, all->groups_count, sizeof *r->starts, by_first);
    for (size_t i = 0; i < all->results_count; i++)
        r->results[i] = &all->results[i];
    qsort(r->results, all->results_count, sizeof *r->results, results_by_iteration);
    groups_recall(r, all, now);
}

/* ---- going on ------------------------------------------------------------------------------ */

static void resume_groups(struct core *core, struct frame *f)
{
    for (struct step_ref at = {f, 0}; at.place < f->count; at.place++) {
        struct group *g = ref_is_group(at) ? ref_step(at)->group : NULL;
        if (g && !group_waits(g))
            group_go_on_later(core, g);
    }
}

void recall_resume(struct recall *r)
{
    struct core *core = r->core;
    if (r->frame_count) /* else there is no array */
        qsort(r->frames, r->frame_count, sizeof(struct frame *), frames_by_id);
    for (size_t i = 0; i < r->frame_count; i++) {
        struct frame *f = r->frames[i];
        if (f->group->stop)
            frame_stop(core, f, f->group->stop, f->group->reason);
        else if (f->old >= 0 && f->left > 0)
            adopt_frame(core, f);
        frame_begin(core, f);
        frame_close_later(core, f);
        resume_groups(core, f);
    }
    struct run *run, *next;
    HASH_ITER (hh, core->runs, run, next)
        if (!run->broken && run->root.steps)
            resume_groups(core, &run->root);
}

void recall_finallys(struct recall *r, const struct snapshot *all, const struct core_now *now)
{
    for (size_t i = 0; i < all->finallys_count; i++) {
        const struct snapshot_finally *row = &all->finallys[i];
        struct run *run = run_find(r->core, &row->run);
        struct frame *f = run && !run->broken ? frame_find(r, run, row->iteration) : NULL;
        if (f)
            frame_finally_recall(f, row, now);
    }
}

void recall_close(struct recall *r)
{
    struct known_frame *known, *next;
    HASH_ITER (hh, r->known, known, next) {
        HASH_DEL(r->known, known);
        free(known);
    }
    free(r->starts);
    free(r->tries);
    free(r->results);
    free(r->frames);
}

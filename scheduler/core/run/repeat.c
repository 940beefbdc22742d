#include "scheduler/core/run/repeat.h"

#include "common/base/mem.h"
#include "common/base/text.h"
#include "scheduler/core/run/learned.h"
#include "scheduler/core/run/runs.h"

/* ---- marks --------------------------------------------------------------------------------- */

static void mark_after(const struct ir *ir, int32_t from, uint8_t *marks, int32_t *todo)
{
    size_t count = 0;
    todo[count++] = from;
    while (count) {
        const struct ir_step *def = &ir->steps[todo[--count]];
        for (size_t d = 0; d < def->dependent_count; d++)
            if (!(marks[def->dependents[d]] & MARK_ANEW)) {
                marks[def->dependents[d]] |= MARK_ANEW;
                todo[count++] = def->dependents[d];
            }
    }
}

void repeat_mark(const struct ir *ir, int32_t from, uint8_t *marks)
{
    cleanup_free int32_t *todo = mem_array(ir->step_count + 1, sizeof *todo);
    marks[from] |= MARK_ANEW;
    for (int32_t at = from; at >= 0; at = ir->steps[at].parent) {
        if (at != from)
            marks[at] |= MARK_INSIDE;
        mark_after(ir, at, marks, todo);
    }
}

/* ---- one frame ----------------------------------------------------------------------------- */

static bool went_well(const struct learned_result *r)
{
    return r && (r->state == STEP_SUCCEEDED || r->state == STEP_SKIPPED);
}

bool repeat_is_whole(const struct run *run, const struct ir_dag *dag, int32_t old)
{
    for (size_t p = 0; p < dag->count; p++)
        if (run->marks[dag->steps[p]] ||
            !went_well(learned_result_of(run->adopts, dag->steps[p], old)))
            return false;
    return true;
}

/* What comes after a step that runs anew does, too. */
static void spread(const struct frame *f, uint8_t *kept, int32_t *todo, size_t count)
{
    const struct ir *ir = f->run->version->ir;
    while (count) {
        const struct ir_step *def = &ir->steps[f->dag->steps[todo[--count]]];
        for (size_t d = 0; d < def->dependent_count; d++) {
            const int32_t place = ir->steps[def->dependents[d]].place;
            if (kept[place] & REPEAT_CHANGED)
                continue;
            kept[place] |= REPEAT_NOT | REPEAT_CHANGED;
            todo[count++] = place;
        }
    }
}

void repeat_look(const struct frame *f, uint8_t *kept)
{
    const struct run *run = f->run;
    const bool whole = f->group && repeat_is_whole(run, f->dag, f->old);
    cleanup_free int32_t *todo = mem_array(2 * f->dag->count + 1, sizeof *todo);
    size_t count = 0;
    for (int32_t p = 0; p < f->count; p++) {
        const int32_t step = f->dag->steps[p];
        const uint8_t mark = run->marks[step];
        if (run->again == AGAIN_RERUN) { /* no result depends on another's */
            kept[p] =
                mark || !went_well(learned_result_of(run->adopts, step, f->old)) ? REPEAT_NOT : 0;
            continue;
        }
        if (!mark && went_well(learned_result_of(run->adopts, step, f->old)))
            continue;
        kept[p] = mark & MARK_ANEW ? REPEAT_NOT | REPEAT_CHANGED : REPEAT_NOT;
        todo[count++] = p;
    }
    spread(f, kept, todo, count);
    for (int32_t p = (int32_t)f->dag->work; p < f->count && !whole && run->again != AGAIN_RERUN;
         p++)
        kept[p] = REPEAT_NOT | REPEAT_CHANGED; /* they are done at the end of every run */
}

void repeat_flag_groups(struct frame *f)
{
    const struct ir *ir = f->run->version->ir;
    cleanup_free uint8_t *kept = mem_array((size_t)f->count + 1, 1);
    repeat_look(f, kept);
    for (int32_t p = 0; p < f->count; p++)
        if (ir->steps[f->dag->steps[p]].kind == IR_STEP_GROUP && !(kept[p] & REPEAT_CHANGED))
            f->steps[p].flags |= STEP_REPEATS;
}

/* ---- groups -------------------------------------------------------------------------------- */

static const struct ir_dag *dag_of(const struct group *g)
{
    return &g->def->group->branches[g->branch].dag;
}

static bool is_same(const struct group *g, const struct learned_group *old)
{
    return old->count == g->count && old->branch == g->branch &&
           (!old->items || json_equal(old->items, g->items));
}

/* How many frames, from 0, are whole. */
static int32_t whole_frames(const struct run *run, const struct group *g,
                            const struct learned_group *old)
{
    int32_t n = 0;
    while (n < old->count && repeat_is_whole(run, dag_of(g), old->first + n))
        n++;
    return n;
}

/* Its limits, its condition, its `until`: taking all of it over would only fail again. */
static bool failed_as_a_whole(const struct run *run, const struct group *g,
                              const struct learned_group *old, const struct learned_result *end)
{
    size_t first, after;
    if (end->state != STEP_FAILED || (end->reason && text_starts_with(end->reason, RUN_TIMED_OUT)))
        return false;
    const int32_t whole = whole_frames(run, g, old);
    if (whole == old->count)
        return true;
    learned_results_in(run->adopts, old->first + whole, &first, &after);
    return g->def->group->mode == IR_GROUP_LOOP && first == after; /* it never began */
}

void repeat_group(struct group *g)
{
    const struct run *run = ref_run(g->at);
    const struct step *s = ref_step(g->at);
    const int32_t step = ref_index(g->at), around = g->at.frame->old;
    g->old = -1;
    g->old_count = 0;
    if (!run->adopts || around < 0 || s->attempt != 1 || !(s->flags & STEP_REPEATS))
        return;
    const struct learned_result *end = learned_result_of(run->adopts, step, around);
    const struct learned_group *old =
        end ? learned_group_of(run->adopts, step, around, end->attempt) : NULL;
    if (!old || !is_same(g, old))
        return;
    if (run->again != AGAIN_RERUN && failed_as_a_whole(run, g, old, end))
        return;
    g->old = old->first;
    g->old_count = old->count;
    if (run->again != AGAIN_RERUN && g->def->group->mode == IR_GROUP_LOOP)
        g->old_count = whole_frames(run, g, old) + 1; /* and the one that was not */
}

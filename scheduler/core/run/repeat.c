#include "scheduler/core/run/repeat.h"

#include "common/base/mem.h"
#include "common/base/text.h"
#include "scheduler/core/run/learned.h"
#include "scheduler/core/run/only.h"
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

bool repeat_is_whole(const struct run *run, const struct ir_dag *dag, int32_t old)
{
    for (size_t p = 0; p < dag->count; p++)
        if (run->marks[dag->steps[p]] ||
            !learned_went_well(learned_result_of(run->adopts, dag->steps[p], old)))
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
            kept[p] = mark || !learned_went_well(learned_result_of(run->adopts, step, f->old))
                          ? REPEAT_NOT
                          : 0;
            continue;
        }
        if (!mark && learned_went_well(learned_result_of(run->adopts, step, f->old)))
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
    if (f->run->again == AGAIN_ONLY) /* its marks say all */
        return;
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

static void take_frames(struct group *g, const struct learned_group *old)
{
    g->old = old->first;
    g->old_count = old->count;
}

/* `was`: the group as its version has it, with the list that is in no row. */
static bool goes_over_the_same(const struct group *g, const struct learned_group *try,
                               const struct ir_step *was)
{
    return g->def->group->mode != IR_GROUP_FOR_EACH ||
           json_equal(try->items ? try->items : was->group->items, g->items);
}

/* The frames of the last try, when they go over the same list or the same branch. `was`: the group
 * in the version of the old run. */
static int take_part_of(struct group *g, int32_t was, const char *id, struct err *err)
{
    const struct run *run = ref_run(g->at);
    const int32_t around = g->at.frame->old;
    const struct learned_result *end = learned_result_of(run->adopts, was, around);
    const struct learned_group *try =
        end ? learned_group_of(run->adopts, was, around, end->attempt) : NULL;
    const bool empty = !try && end && end->state == STEP_SUCCEEDED;
    if (!try && !empty)
        return err_set(err, LEAT_EREFUSED, ONLY_LOST_REASON "it never began in run %s", id);
    if (empty && g->count == 0)
        return 0;
    if (empty || !goes_over_the_same(g, try, &run->of->ir->steps[was]))
        return err_set(err, LEAT_EREFUSED,
                       ONLY_LOST_REASON "its list of %d items is not the one of run %s, of %d",
                       g->count, id, try ? try->count : 0);
    if (try->branch != g->branch)
        return err_set(err, LEAT_EREFUSED, ONLY_LOST_REASON "run %s took another branch", id);
    take_frames(g, try);
    return 0;
}

/* Each try of a group of which a part runs; the old run may be of another version. */
static int take_part(struct group *g, struct err *err)
{
    const struct run *run = ref_run(g->at);
    char id[UUID_TEXT];
    uuid_format(&run->retry_of, id);
    if (!only_is_part(g->at) || !only_takes_in(run, dag_of(g)))
        return 0;
    const struct ir *old = run->of ? run->of->ir : NULL;
    const int32_t was = old ? ir_step_index(old, g->def->name) : -1;
    if (was < 0)
        return err_set(err, LEAT_EREFUSED, ONLY_LOST_REASON "run %s cannot be read any more", id);
    return take_part_of(g, was, id, err);
}

int repeat_group(struct group *g, struct err *err)
{
    const struct run *run = ref_run(g->at);
    const struct step *s = ref_step(g->at);
    const int32_t step = ref_index(g->at), around = g->at.frame->old;
    g->old = -1;
    g->old_count = 0;
    if (run->again == AGAIN_ONLY)
        return take_part(g, err);
    if (!run->adopts || around < 0 || s->attempt != 1 || !(s->flags & STEP_REPEATS))
        return 0;
    const struct learned_result *end = learned_result_of(run->adopts, step, around);
    const struct learned_group *old =
        end ? learned_group_of(run->adopts, step, around, end->attempt) : NULL;
    if (!old || !is_same(g, old))
        return 0;
    if (run->again != AGAIN_RERUN && failed_as_a_whole(run, g, old, end))
        return 0;
    take_frames(g, old);
    if (run->again != AGAIN_RERUN && g->def->group->mode == IR_GROUP_LOOP)
        g->old_count = whole_frames(run, g, old) + 1; /* and the one that was not */
    return 0;
}

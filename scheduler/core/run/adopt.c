#include "scheduler/core/run/adopt.h"

#include <assert.h>
#include <string.h>
#include <utlist.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "scheduler/core/catalog.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/run/learned.h"
#include "scheduler/core/run/only.h"
#include "scheduler/core/run/repeat.h"
#include "scheduler/core/run/rerun.h"
#include "scheduler/core/run/runs.h"
#include "scheduler/core/dag/steps.h"

struct adoption {
    struct frame *frame;
    uint8_t *kept;  /* one a place: REPEAT_…; NULL = there is nothing to take */
    size_t at, end; /* results of the old run that are still to be looked at */
    struct adoption *prev, *next;
};

/* ---- the old run --------------------------------------------------------------------------- */

static void mark(struct run *run)
{
    const struct ir *ir = run->version->ir;
    if (run->again == AGAIN_RERUN)
        rerun_mark(run);
    else if (run->retry_from && ir_step_index(ir, run->retry_from) >= 0)
        repeat_mark(ir, ir_step_index(ir, run->retry_from), run->marks);
}

/* Is there a group of which a part runs and takes something over? */
static bool takes_parts(const struct run *run)
{
    const struct ir_dag *root = &run->version->ir->root;
    for (size_t p = 0; p < root->count; p++)
        if (run->marks[root->steps[p]] & ONLY_TAKES)
            return true;
    return false;
}

/* What is left out is so for as long as the run lives; the old run is wanted until it begins, and
 * then by groups. */
static void hold_only(struct core *core, struct run *run, struct learned *from, int state)
{
    struct err err = {0};
    if (!run->marks) {
        run->marks = mem_array(run->version->ir->step_count + 1, 1);
        only_mark(run->version->ir, run->retry_from ? run->retry_from : "", run->marks, &err);
    }
    const bool parts = takes_parts(run) && !plant_on(PLANT_PART_FORGOTTEN_AT_TAKEOVER);
    if (!from || run->adopts || (state != RUN_PENDING && !parts))
        return;
    run->root.old = 0;
    run->adopts = from;
    from->refs++;
    run->of = version_get(core, from->pipeline, from->version);
    run->of->refs++;
}

/* `state`: by its row. */
static void hold(struct core *core, struct run *run, struct learned *from, int state)
{
    if (run->again == AGAIN_ONLY) {
        hold_only(core, run, from, state);
        return;
    }
    if (run->adopts || !from)
        return;
    run->adopts = from;
    from->refs++;
    run->marks = mem_array(run->version->ir->step_count + 1, 1);
    mark(run);
    run->root.old = 0;
    repeat_flag_groups(&run->root);
}

static void release(struct core *core, struct run *run)
{
    if (run->adopts)
        run->adopts->refs--;
    run->adopts = NULL;
    version_unref(core, run->of);
    run->of = NULL;
    free(TAKE(run->images));
    if (run->again != AGAIN_ONLY)
        free(TAKE(run->marks));
    core->sweep_catalog = true;
}

/* Is there a group that may yet take over what is in it? */
static bool has_more(const struct run *run)
{
    if (run->again == AGAIN_ONLY)
        return takes_parts(run);
    if (run->again == AGAIN_RERUN)
        return true;
    for (struct step_ref at = {(struct frame *)(uintptr_t)&run->root, 0};
         at.place < run->root.count; at.place++)
        if (ref_step(at)->flags & STEP_REPEATS && !step_is_over(ref_step(at)))
            return true;
    return false;
}

void adopt_recall(struct core *core, struct run *run, int state)
{
    if (uuid_is_nil(&run->retry_of))
        return;
    if (plant_on(PLANT_ITEMS_AGAIN_AFTER_TAKEOVER) && run->again != AGAIN_ONLY)
        return;
    hold(core, run, learned_find(core, &run->retry_of), state);
}

void adopt_forget(struct core *core, struct run *run)
{
    adopt_drop(core, &run->root);
    release(core, run);
    free(TAKE(run->marks));
}

/* ---- frames -------------------------------------------------------------------------------- */

void adopt_frame(struct core *core, struct frame *f)
{
    const struct run *run = f->run;
    struct adoption *a = mem_alloc(sizeof *a);
    a->frame = f;
    f->adoption = a;
    if (run->adopts && run->again == AGAIN_ONLY) {
        learned_results_in(run->adopts, f->old, &a->at, &a->end);
    } else if (run->adopts) {
        a->kept = mem_array((size_t)f->count + 1, 1);
        repeat_look(f, a->kept);
        learned_results_in(run->adopts, f->old, &a->at, &a->end);
    }
    DL_APPEND(core->adopting, a);
}

void adopt_drop(struct core *core, struct frame *f)
{
    struct adoption *a = f->adoption;
    if (!a)
        return;
    DL_DELETE(core->adopting, a);
    f->adoption = NULL;
    free(a->kept);
    free(a);
}

void adopt_begin(struct core *core, struct run *run, struct learned *from)
{
    hold(core, run, from, RUN_PENDING);
    adopt_frame(core, &run->root);
}

/* ---- results ------------------------------------------------------------------------------- */

static size_t length(const char *text)
{
    return text ? strlen(text) : 0;
}

static void take_over(struct core *core, struct step_ref at, const struct learned_result *result,
                      const struct core_now *now, struct batch *out)
{
    char old[UUID_TEXT];
    uuid_format(&ref_run(at)->adopts->id, old);
    cleanup_free char *reason = mem_printf(ADOPT_REASON "%s", old);
    step_end(core, at,
             &(struct step_end){.state = result->state,
                                .attempt = result->attempt,
                                .attempt_id = result->attempt_id,
                                .cached_from = result->cached_from,
                                .reason = reason,
                                .image = result->image,
                                .outputs = result->outputs,
                                .metrics = result->metrics,
                                .log = result->log},
             now, out);
    const struct batch_result *row = &out->results[out->results_count - 1];
    core->batch_bytes += length(row->outputs) + length(row->metrics) + length(row->log);
}

/* Twice is once: what has a result or was begun is passed over. */
static void take(struct core *core, const struct adoption *a, const struct learned_result *result,
                 const struct core_now *now, struct batch *out)
{
    struct frame *f = a->frame;
    const struct ir *ir = f->run->version->ir;
    if (result->state != STEP_SUCCEEDED || result->step < 0 ||
        result->step >= (int32_t)ir->step_count || ir_dag_of(ir, result->step) != f->dag)
        return;
    const struct step_ref at = {f, ir->steps[result->step].place};
    const bool kept = !a->kept[at.place] || plant_on(PLANT_ADOPTED_THOUGH_CHANGED);
    if (kept && ref_step(at)->state == STEP_PENDING)
        take_over(core, at, result, now, out);
}

/* From a version that may be another: steps are known by their names. */
static void take_needed(struct core *core, struct frame *f, const struct learned_result *result,
                        const struct core_now *now, struct batch *out)
{
    const struct run *run = f->run;
    const struct ir *ir = run->version->ir, *old = run->of->ir;
    if (!old || result->step < 0 || result->step >= (int32_t)old->step_count)
        return;
    const int32_t step = ir_step_index(ir, old->steps[result->step].name);
    if (step < 0 || !(run->marks[step] & ONLY_NEEDED) || ir_dag_of(ir, step) != f->dag)
        return;
    assert(only_takes_over(&ir->steps[step], run->marks[step], result->state)); /* only_check */
    const struct step_ref at = {f, ir->steps[step].place};
    if (ref_step(at)->state == STEP_PENDING)
        take_over(core, at, result, now, out);
}

bool adopt_one(struct core *core, const struct core_now *now, struct batch *out)
{
    struct adoption *a = core->adopting;
    if (!a)
        return false;
    struct frame *f = a->frame;
    if (a->at < a->end) {
        const struct learned_result *result = &f->run->adopts->results[a->at++];
        if (f->run->again == AGAIN_ONLY)
            take_needed(core, f, result, now, out);
        else
            take(core, a, result, now, out);
        return true;
    }
    adopt_drop(core, f);
    if (f->group) {
        frame_push_first(core, f);
        frame_advance(core, f, now, out);
        return true;
    }
    if (!has_more(f->run))
        release(core, f->run);
    run_take_turn(core, f->run, now, out);
    return true;
}

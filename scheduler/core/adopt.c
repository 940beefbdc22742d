#include "scheduler/core/adopt.h"

#include <string.h>
#include <utlist.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "scheduler/core/frames.h"
#include "scheduler/core/learned.h"
#include "scheduler/core/repeat.h"
#include "scheduler/core/runs.h"
#include "scheduler/core/steps.h"

struct adoption {
    struct frame *frame;
    uint8_t *kept;  /* one a place: REPEAT_…; NULL = there is nothing to take */
    size_t at, end; /* results of the old run that are still to be looked at */
    struct adoption *prev, *next;
};

/* ---- the old run --------------------------------------------------------------------------- */

static void hold(struct run *run, struct learned *from)
{
    const struct ir *ir = run->version->ir;
    if (run->adopts || !from)
        return;
    run->adopts = from;
    from->refs++;
    run->marks = mem_array(ir->step_count + 1, 1);
    const int32_t step = run->retry_from ? ir_step_index(ir, run->retry_from) : -1;
    if (step >= 0)
        repeat_mark(ir, step, run->marks);
    run->root.old = 0;
    repeat_flag_groups(&run->root);
}

static void release(struct core *core, struct run *run)
{
    if (run->adopts)
        run->adopts->refs--;
    run->adopts = NULL;
    free(TAKE(run->marks));
    core->sweep_catalog = true;
}

/* Is there a group that may yet take over what is in it? */
static bool has_more(const struct run *run)
{
    for (struct step_ref at = {(struct frame *)(uintptr_t)&run->root, 0};
         at.place < run->root.count; at.place++)
        if (ref_step(at)->flags & STEP_REPEATS && !step_is_over(ref_step(at)))
            return true;
    return false;
}

void adopt_recall(struct core *core, struct run *run)
{
    if (uuid_is_nil(&run->retry_of) || !run->root.steps ||
        plant_on(PLANT_ITEMS_AGAIN_AFTER_TAKEOVER))
        return;
    hold(run, learned_find(core, &run->retry_of));
}

void adopt_forget(struct core *core, struct run *run)
{
    adopt_drop(core, &run->root);
    release(core, run);
}

/* ---- frames -------------------------------------------------------------------------------- */

void adopt_frame(struct core *core, struct frame *f)
{
    const struct run *run = f->run;
    struct adoption *a = mem_alloc(sizeof *a);
    a->frame = f;
    f->adoption = a;
    if (run->adopts && f->old >= 0) {
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
    hold(run, from);
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
    cleanup_free char *reason = mem_printf("adopted from %s", old);
    step_end(core, at,
             &(struct step_end){.state = STEP_SUCCEEDED,
                                .attempt = result->attempt,
                                .attempt_id = result->attempt_id,
                                .reason = reason,
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

bool adopt_one(struct core *core, const struct core_now *now, struct batch *out)
{
    struct adoption *a = core->adopting;
    if (!a)
        return false;
    struct frame *f = a->frame;
    if (a->at < a->end) {
        take(core, a, &f->run->adopts->results[a->at++], now, out);
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

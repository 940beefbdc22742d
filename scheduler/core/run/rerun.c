#include "scheduler/core/run/rerun.h"

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "scheduler/core/run/learned.h"
#include "scheduler/core/run/repeat.h"

/* In place of an image: that of the item is looked for. */
static const char OF_ITS_ITEM[] = "";

static unsigned sees(const struct run *run, size_t step, const struct template *const *texts,
                     size_t count)
{
    unsigned seen = 0;
    for (size_t i = 0; i < count; i++)
        if (texts[i])
            seen |= ir_sees_again(run->version->ir, (int32_t)step, texts[i], run->params,
                                  run->adopts->params);
    return seen;
}

void rerun_mark(struct run *run)
{
    const struct ir *ir = run->version->ir;
    const struct learned *then = run->adopts;
    for (size_t i = 0; i < ir->step_count; i++) {
        const struct ir_step *def = &ir->steps[i];
        const struct template *const pins[] = {def->bucket, def->prefix, def->suffix, def->key,
                                               def->object_version};
        const bool same = !(sees(run, i, pins, ARRAY_LEN(pins)) & IR_SEES_OTHER);
        if (def->kind != IR_STEP_OBJECTS || plant_on(PLANT_RERUN_PINS_ANEW) ||
            !(same || plant_on(PLANT_PINNED_THOUGH_CHANGED)))
            run->marks[i] = MARK_ANEW;
        if (def->kind == IR_STEP_GROUP) /* what stands in it may be taken over */
            run->marks[i] = MARK_INSIDE;
    }
    run->images = mem_array(ir->step_count + 1, sizeof *run->images);
    for (size_t i = 0; i < then->result_count; i++) {
        const struct learned_result *r = &then->results[i];
        if (!r->image || r->step < 0 || r->step >= (int32_t)ir->step_count)
            continue;
        const struct template *const image = ir->steps[r->step].image;
        const unsigned seen = sees(run, (size_t)r->step, &image, 1);
        if (!(seen & IR_SEES_OTHER))
            run->images[r->step] = seen ? OF_ITS_ITEM : r->image;
    }
}

const char *rerun_image(struct step_ref at)
{
    const struct run *run = ref_run(at);
    const char *image = run->images ? run->images[ref_index(at)] : NULL;
    if (image != OF_ITS_ITEM)
        return image;
    /* A frame repeats one of then where its items are the same, else -1. */
    const struct learned_result *then =
        learned_result_of(run->adopts, ref_index(at), at.frame->old);
    return then ? then->image : NULL;
}

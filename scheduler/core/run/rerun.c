#include "scheduler/core/run/rerun.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "scheduler/core/run/repeat.h"

/* Does a text see something else than it did then? */
struct look {
    const struct run *run;
    bool changed;
};

static void note_reference(void *user, const struct cel_reference *ref)
{
    struct look *look = user;
    const json_t *now = look->run->params, *then = look->run->adopts->params;
    const char *name = ref->count > 1 ? ref->names[1] : NULL;
    if (strcmp(ref->names[0], "params") != 0)
        look->changed |= strcmp(ref->names[0], "steps") == 0 || strcmp(ref->names[0], "loop") == 0;
    else if (name)
        look->changed |= !json_equal(json_object_get(now, name), json_object_get(then, name));
    else
        look->changed |= !json_equal(now, then);
}

static bool sees_the_same(const struct run *run, const struct template *const *texts, size_t count)
{
    struct look look = {.run = run};
    for (size_t i = 0; i < count; i++)
        if (texts[i])
            template_references(texts[i], note_reference, &look);
    return !look.changed;
}

void rerun_mark(struct run *run)
{
    const struct ir *ir = run->version->ir;
    const struct learned *then = run->adopts;
    for (size_t i = 0; i < ir->step_count; i++) {
        const struct ir_step *def = &ir->steps[i];
        const struct template *const pins[] = {def->bucket, def->prefix, def->suffix, def->key,
                                               def->object_version};
        const bool same = sees_the_same(run, pins, ARRAY_LEN(pins));
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
        if (sees_the_same(run, &image, 1))
            run->images[r->step] = r->image;
    }
}

const char *rerun_image(struct step_ref at)
{
    const struct run *run = ref_run(at);
    return run->images ? run->images[ref_index(at)] : NULL;
}

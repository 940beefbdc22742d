#include "common/ir/runnable.h"

/* A list of artifacts as an input, which no worker can lay out as a folder. */
static bool takes_artifacts(const struct ir *ir, const struct ir_step *step)
{
    for (size_t i = 0; i < step->input_count; i++) {
        const struct ir_input *in = &step->inputs[i];
        const struct ir_output *from =
            in->kind == IR_INPUT_OUTPUT ? ir_output_find(&ir->steps[in->step], in->output) : NULL;
        if (from && from->list > 0 && from->type == IR_ARTIFACT)
            return true;
    }
    return false;
}

static const char *missing_of_step(const struct ir *ir, const struct ir_step *step)
{
    const struct {
        bool wanted;
        const char *what;
    } WANTED[] = {
        {step->kind == IR_STEP_START, "start"},
        {step->queue_timeout_us > 0, "queue_timeout"},
        {step->cache, "cache"},
        {step->limit_count > 0, "limits"},
        {step->group && step->group->folder_step >= 0, "for_each: {from: …}"},
        {takes_artifacts(ir, step), "a list of artifacts as an input"},
    };
    for (size_t i = 0; i < sizeof WANTED / sizeof *WANTED; i++)
        if (WANTED[i].wanted)
            return WANTED[i].what;
    return NULL;
}

int ir_runnable(const struct ir *ir, struct err *err)
{
    for (size_t i = 0; i < ir->step_count; i++) {
        const char *missing = missing_of_step(ir, &ir->steps[i]);
        if (missing)
            return err_set(err, LEAT_EREFUSED, "step %s: %s: this build does not run it yet",
                           ir->steps[i].name, missing);
    }
    return 0;
}

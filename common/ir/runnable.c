#include "common/ir/runnable.h"

static const char *missing_of_step(const struct ir_step *step)
{
    const struct {
        bool wanted;
        const char *what;
    } WANTED[] = {
        {step->kind == IR_STEP_START, "start"},
    };
    for (size_t i = 0; i < sizeof WANTED / sizeof *WANTED; i++)
        if (WANTED[i].wanted)
            return WANTED[i].what;
    return NULL;
}

int ir_runnable(const struct ir *ir, struct err *err)
{
    for (size_t i = 0; i < ir->step_count; i++) {
        const char *missing = missing_of_step(&ir->steps[i]);
        if (missing)
            return err_set(err, LEAT_EREFUSED, "step %s: %s: this build does not run it yet",
                           ir->steps[i].name, missing);
    }
    return 0;
}

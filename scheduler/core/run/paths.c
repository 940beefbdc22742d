#include "scheduler/core/run/paths.h"

#include <string.h>

#include "common/base/mem.h"

/* A path whose last part is `label`: what somebody means who does not know of paths. */
static const char *path_of_label(const struct ir *ir, const char *label)
{
    for (size_t i = 0; i < ir->step_count; i++)
        if (ir->steps[i].parent >= 0 && strcmp(ir->steps[i].label, label) == 0)
            return ir->steps[i].name;
    return NULL;
}

int32_t path_find(const struct ir *ir, const char *path, struct err *err)
{
    const int32_t step = ir_step_index(ir, path);
    if (step >= 0)
        return step;
    const char *bracket = strchr(path, '[');
    cleanup_free char *plain = bracket ? mem_bytes(path, (size_t)(bracket - path)) : NULL;
    const char *meant = path_of_label(ir, path);
    if (plain && ir_step_index(ir, plain) >= 0)
        err_set(err, LEAT_EINPUT,
                "%s is one instance of a step, and a step is named in all items and rounds: name "
                "%s",
                path, plain);
    else
        err_set(err, LEAT_EINPUT, "pipeline %s has no step %s in that version%s%s%s", ir->name,
                path, meant ? "; do you mean " : "", meant ? meant : "", meant ? "?" : "");
    return -1;
}

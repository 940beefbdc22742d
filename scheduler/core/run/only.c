#include "scheduler/core/run/only.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/ir/value.h"
#include "scheduler/core/run/learned.h"

#define CHOSEN 4 /* while the marks are made */

/* ---- marks --------------------------------------------------------------------------------- */

static int choose(const struct ir *ir, const char *name, uint8_t *marks, struct err *err)
{
    const int32_t step = ir_step_index(ir, name);
    int32_t top = step;
    while (top >= 0 && ir->steps[top].parent >= 0)
        top = ir->steps[top].parent;
    if (step < 0)
        return err_set(err, LEAT_EINPUT, "pipeline %s has no step %s in that version", ir->name,
                       name);
    if (top != step)
        return err_set(err, LEAT_EINPUT,
                       "step %s stands in %s, and groups run whole: name %s, or retry --from %s",
                       name, ir->steps[top].name, ir->steps[top].name, name);
    marks[step] = CHOSEN;
    return 0;
}

static void need(const struct ir *ir, int32_t step, uint8_t *marks)
{
    if (step >= 0 && ir->steps[step].parent < 0 && marks[step] == ONLY_LEFT_OUT)
        marks[step] = ONLY_NEEDED;
}

static void need_all_of(const struct ir *ir, const struct ir_step *def, uint8_t *marks)
{
    for (size_t i = 0; i < def->need_count; i++)
        need(ir, def->needs[i], marks);
    for (size_t i = 0; i < def->see_count; i++)
        need(ir, def->sees[i], marks);
    for (size_t i = 0; i < def->input_count; i++)
        if (def->inputs[i].kind == IR_INPUT_OUTPUT)
            need(ir, def->inputs[i].step, marks);
    if (def->group)
        need(ir, def->group->folder_step, marks);
}

/* What a step inside a group looks at outside counts too. */
static void need_what_is_looked_at(const struct ir *ir, uint8_t *marks)
{
    for (size_t i = 0; i < ir->step_count; i++) {
        int32_t top = (int32_t)i;
        while (ir->steps[top].parent >= 0)
            top = ir->steps[top].parent;
        if (marks[top] == CHOSEN)
            need_all_of(ir, &ir->steps[i], marks);
    }
}

int only_mark(const struct ir *ir, const char *list, uint8_t *marks, struct err *err)
{
    cleanup_free char *copy = mem_string(list);
    char *rest = copy, *name;
    for (size_t i = 0; i < ir->root.count; i++)
        marks[ir->root.steps[i]] = ONLY_LEFT_OUT;
    while ((name = strsep(&rest, ",")))
        if (choose(ir, name, marks, err) < 0)
            return err->code;
    need_what_is_looked_at(ir, marks);
    for (size_t i = 0; i < ir->root.count; i++)
        if (marks[ir->root.steps[i]] == CHOSEN)
            marks[ir->root.steps[i]] = 0;
    return 0;
}

bool only_leaves_out(struct step_ref at)
{
    const struct run *run = ref_run(at);
    return run->again == AGAIN_ONLY && !at.frame->group && run->marks[ref_index(at)];
}

/* ---- what the old run has ------------------------------------------------------------------ */

/* Lists keep what their elements are to themselves. */
static bool fits(const struct ir_output *output, const json_t *value)
{
    if (output->list)
        return true;
    return output->type == IR_ARTIFACT ? json_object_get(value, "artifact") != NULL
                                       : ir_value_check(output->type, value, NULL) == 0;
}

static int check_outputs(const struct ir_step *def, const struct learned_result *r, struct err *err)
{
    for (size_t i = 0; i < def->output_count; i++) {
        const struct ir_output *output = &def->outputs[i];
        const json_t *value = json_object_get(r->outputs, output->name);
        if (!value && !output->optional)
            return err_set(err, LEAT_EREFUSED,
                           "output %s of step %s is needed, and that run has "
                           "none",
                           output->name, def->name);
        if (value && !fits(output, value))
            return err_set(err, LEAT_EREFUSED,
                           "output %s of step %s is needed as %s, and that run has it as "
                           "something else",
                           output->name, def->name, ir_type_name(output->type));
    }
    return 0;
}

int only_check(const struct ir *ir, const uint8_t *marks, const struct ir *old,
               const struct learned *from, struct err *err)
{
    for (size_t i = 0; i < ir->root.count; i++) {
        const struct ir_step *def = &ir->steps[ir->root.steps[i]];
        if (!(marks[ir->root.steps[i]] & ONLY_NEEDED))
            continue;
        const int32_t was = ir_step_index(old, def->name);
        const struct learned_result *r = was < 0 ? NULL : learned_result_of(from, was, 0);
        if (!r)
            return err_set(err, LEAT_EREFUSED, "step %s is needed, and that run has no such step",
                           def->name);
        if (r->state != STEP_SUCCEEDED && r->state != STEP_SKIPPED)
            return err_set(err, LEAT_EREFUSED, "step %s is needed, and in that run it is %s",
                           def->name, machine_state_name(&MACHINE_STEP, r->state));
        if (r->state == STEP_SUCCEEDED && check_outputs(def, r, err) < 0)
            return err->code;
    }
    return 0;
}

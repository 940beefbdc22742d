#include "scheduler/core/run/only.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "scheduler/core/run/paths.h"

#define CHOSEN 32 /* while the marks are made */

/* ---- marks --------------------------------------------------------------------------------- */

static int choose(const struct ir *ir, const char *name, uint8_t *marks, struct err *err)
{
    const int32_t step = path_find(ir, name, err);
    int32_t loop = -1;
    if (step < 0)
        return err->code;
    for (int32_t at = ir->steps[step].parent; at >= 0; at = ir->steps[at].parent)
        if (ir->steps[at].group->mode == IR_GROUP_LOOP)
            loop = at;
    if (loop >= 0)
        return err_set(err, LEAT_EINPUT,
                       "step %s stands in loop %s, whose rounds follow from one another: name %s",
                       name, ir->steps[loop].name, ir->steps[loop].name);
    marks[step] |= CHOSEN;
    return 0;
}

/* All that stands in what is named runs, and of what is around it a part. */
static void mark_groups(const struct ir *ir, uint8_t *marks)
{
    for (size_t i = 0; i < ir->step_count; i++)
        for (int32_t at = (int32_t)i; at >= 0; at = ir->steps[at].parent)
            if (marks[at] & CHOSEN)
                marks[i] = CHOSEN;
    for (size_t i = 0; i < ir->step_count; i++)
        for (int32_t at = ir->steps[i].parent; marks[i] & CHOSEN && at >= 0;
             at = ir->steps[at].parent)
            if (!(marks[at] & CHOSEN))
                marks[at] = ONLY_PART;
}

static void need(const struct ir *ir, int32_t step, uint8_t *marks)
{
    if (step < 0 || marks[step] != ONLY_LEFT_OUT)
        return;
    marks[step] = ONLY_NEEDED;
    for (int32_t at = ir->steps[step].parent; at >= 0; at = ir->steps[at].parent)
        marks[at] |= ONLY_TAKES;
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

/* Of a step that runs. */
static void need_well(const struct ir_step *def, uint8_t *marks)
{
    if (def->rule != IR_ALL_SUCCEEDED && def->rule != IR_NONE_FAILED)
        return;
    for (size_t i = 0; i < def->need_count; i++)
        if (marks[def->needs[i]] & ONLY_NEEDED)
            marks[def->needs[i]] |= ONLY_WELL;
}

/* ---- outputs that are not there ------------------------------------------------------------ */

int32_t only_missing(const struct ir *ir, const uint8_t *marks, int32_t step, const char *output)
{
    int32_t missing = -1;
    if (marks[step] & ONLY_LEFT_OUT)
        return step;
    if (!(marks[step] & ONLY_PART))
        return -1;
    const struct ir_group *group = ir->steps[step].group;
    for (size_t b = 0; b < group->branch_count; b++) {
        const struct ir_dag *dag = &group->branches[b].dag;
        for (size_t i = 0; i < dag->output_count; i++) {
            if (strcmp(dag->outputs[i].name, output) != 0)
                continue;
            missing = only_missing(ir, marks, dag->outputs[i].step, dag->outputs[i].output);
            if (missing < 0)
                return -1; /* of a switch: a branch that gives it may be taken */
        }
    }
    return missing;
}

/* What a step that runs looks at. */
struct look {
    const struct ir *ir;
    const uint8_t *marks;
    const struct ir_step *def;
    struct err *err;
};

static void look_at(const struct look *l, int32_t step, const char *output)
{
    const int32_t missing = only_missing(l->ir, l->marks, step, output);
    if (missing >= 0)
        err_set(l->err, LEAT_EINPUT,
                "step %s looks at output %s of %s, which this run leaves out: name %s too",
                l->def->name, output, l->ir->steps[step].name, l->ir->steps[missing].name);
}

/* steps.NAME.outputs.NAME */
static void note_reference(void *user, const struct cel_reference *ref)
{
    const struct look *l = user;
    if (ref->count < 4 || strcmp(ref->names[0], "steps") != 0)
        return;
    for (size_t i = 0; i < l->def->see_count; i++)
        if (strcmp(l->ir->steps[l->def->sees[i]].label, ref->names[1]) == 0)
            look_at(l, l->def->sees[i], ref->names[3]);
}

static void look_in(const struct template *text, struct look *l)
{
    if (text)
        template_references(text, note_reference, l);
}

static void look_if(const struct cel *cel, struct look *l)
{
    if (cel)
        cel_references(cel, note_reference, l);
}

static void look_in_group(const struct ir_group *group, struct look *l)
{
    look_in(group->items_value, l);
    look_if(group->until, l);
    for (size_t i = 0; i < group->branch_count; i++)
        look_if(group->branches[i].when, l);
    for (size_t i = 0; i < group->param_count; i++)
        look_in(group->params[i].value, l);
    if (group->folder_step >= 0)
        look_at(l, group->folder_step, group->folder_output);
}

static void look_in_all(struct look *l)
{
    const struct ir_step *def = l->def;
    const struct ir_start *start = def->start;
    look_if(def->when, l);
    look_in(def->image, l);
    look_in(def->workdir, l);
    for (size_t i = 0; i < def->argv_count; i++)
        look_in(def->argv[i], l);
    for (size_t i = 0; i < def->env_count; i++)
        look_in(def->env[i].value, l);
    for (size_t i = 0; i < def->input_count; i++)
        if (def->inputs[i].kind == IR_INPUT_OUTPUT)
            look_at(l, def->inputs[i].step, def->inputs[i].output);
        else
            look_in(def->inputs[i].value, l);
    if (def->group)
        look_in_group(def->group, l);
    if (def->wait)
        look_if(def->wait->filter, l);
    if (def->approval)
        look_in(def->approval->message, l);
    if (start)
        look_in(start->name, l);
    for (size_t i = 0; start && i < start->param_count; i++)
        look_in(start->params[i].value, l);
}

int only_mark(const struct ir *ir, const char *list, uint8_t *marks, struct err *err)
{
    cleanup_free char *copy = mem_string(list);
    char *rest = copy, *name;
    memset(marks, ONLY_LEFT_OUT, ir->step_count);
    while ((name = strsep(&rest, ",")))
        if (choose(ir, name, marks, err) < 0)
            return err->code;
    mark_groups(ir, marks);
    for (size_t i = 0; i < ir->step_count; i++)
        if (marks[i] & (CHOSEN | ONLY_PART))
            need_all_of(ir, &ir->steps[i], marks);
    for (size_t i = 0; i < ir->step_count; i++)
        if (marks[i] & (CHOSEN | ONLY_PART))
            need_well(&ir->steps[i], marks);
    for (size_t i = 0; i < ir->step_count; i++)
        marks[i] &= (uint8_t)~CHOSEN;
    for (size_t i = 0; i < ir->step_count; i++)
        if (!(marks[i] & (ONLY_LEFT_OUT | ONLY_NEEDED)))
            look_in_all(&(struct look){ir, marks, &ir->steps[i], err});
    return err->code;
}

/* ---- a run that goes on -------------------------------------------------------------------- */

static uint8_t mark_of(struct step_ref at)
{
    const struct run *run = ref_run(at);
    return run->again == AGAIN_ONLY ? run->marks[ref_index(at)] : 0;
}

bool only_takes_over(const struct ir_step *def, uint8_t mark, int state)
{
    return state == STEP_SUCCEEDED || state == STEP_SKIPPED ||
           (state == STEP_FAILED && def->allow_failure && !(mark & ONLY_WELL));
}

bool only_leaves_out(struct step_ref at)
{
    if (plant_on(PLANT_LEFT_OUT_INSIDE_RUNS) && at.frame->group)
        return false;
    return mark_of(at) & (ONLY_LEFT_OUT | ONLY_NEEDED);
}

bool only_is_part(struct step_ref at)
{
    return mark_of(at) & ONLY_PART;
}

bool only_runs_in(const struct run *run, const struct ir_dag *dag)
{
    for (size_t p = 0; p < dag->count; p++)
        if (!(run->marks[dag->steps[p]] & (ONLY_LEFT_OUT | ONLY_NEEDED)))
            return true;
    return false;
}

bool only_takes_in(const struct run *run, const struct ir_dag *dag)
{
    for (size_t p = 0; p < dag->count; p++)
        if (run->marks[dag->steps[p]] & (ONLY_NEEDED | ONLY_TAKES))
            return true;
    return false;
}

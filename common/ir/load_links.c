/* When every step is there: which DAG has which, and whether each thing looked at can be seen. */
#include <string.h>

#include "common/base/mem.h"
#include "common/ir/graph.h"
#include "common/ir/load.h"

static struct ir_dag *dag_of(struct ir *ir, const struct ir_step *step)
{
    if (step->parent < 0)
        return &ir->root;
    struct ir_group *group = ir->steps[step->parent].group;
    if (!group || (size_t)step->branch >= group->branch_count)
        return NULL;
    return &group->branches[step->branch].dag;
}

const struct ir_dag *ir_dag_of(const struct ir *ir, int32_t index)
{
    return dag_of((struct ir *)ir, &ir->steps[index]);
}

const struct ir_output *ir_output_find(const struct ir_step *step, const char *name)
{
    for (size_t i = 0; i < step->output_count; i++) {
        if (strcmp(step->outputs[i].name, name) == 0)
            return &step->outputs[i];
    }
    return NULL;
}

static void fill_dag(struct loader *l, struct ir_dag *dag)
{
    if (dag->work == 0)
        load_fail(l, "there is a group without a step");
    dag->steps = load_array(l, dag->count, sizeof *dag->steps);
    dag->count = 0;
}

static void fill_dags(struct loader *l)
{
    struct ir *ir = l->ir;
    fill_dag(l, &ir->root);
    for (size_t i = 0; i < ir->step_count; i++) {
        const struct ir_group *group = ir->steps[i].group;
        for (size_t b = 0; group && b < group->branch_count; b++)
            fill_dag(l, &group->branches[b].dag);
    }
}

static void place_steps(struct ir *ir, bool finally)
{
    for (size_t i = 0; i < ir->step_count; i++) {
        struct ir_step *step = &ir->steps[i];
        struct ir_dag *dag = dag_of(ir, step);
        if (step->finally != finally)
            continue;
        step->place = (int32_t)dag->count;
        dag->steps[dag->count++] = (int32_t)i;
    }
}

static void link_dags(struct loader *l)
{
    struct ir *ir = l->ir;
    for (size_t i = 0; i < ir->step_count; i++) {
        struct ir_dag *dag = dag_of(ir, &ir->steps[i]);
        if (!dag) {
            load_fail(l, "%s is in a step or branch that holds none", ir->steps[i].name);
            return;
        }
        dag->count++;
        dag->work += !ir->steps[i].finally;
    }
    fill_dags(l);
    place_steps(ir, false);
    place_steps(ir, true);
}

static bool has(const int32_t *indices, size_t count, int32_t index)
{
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (indices[middle] == index)
            return true;
        if (indices[middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool same_dag(const struct ir_step *a, const struct ir_step *b)
{
    return a->parent == b->parent && a->branch == b->branch;
}

/* Is `from` over for sure when `step` begins? It is when the step, or a group around it, needs it
 * or is finally and `from` is work of the same DAG. */
static bool is_over(const struct ir *ir, const struct ir_step *step, int32_t from)
{
    const struct ir_step *other = &ir->steps[from];
    while (!same_dag(step, other)) {
        if (step->parent < 0)
            return false;
        step = &ir->steps[step->parent];
    }
    return has(step->needs, step->need_count, from) || (step->finally && !other->finally);
}

static void check_needs(struct loader *l, const struct ir_step *step)
{
    const struct ir *ir = l->ir;
    for (size_t n = 0; n < step->need_count; n++) {
        const struct ir_step *need = &ir->steps[step->needs[n]];
        if (!same_dag(step, need) || step->finally != need->finally)
            load_fail(l, "needs: %s is not beside it", need->name);
    }
    for (size_t n = 0; n < step->see_count; n++) {
        if (!is_over(ir, step, step->sees[n]))
            load_fail(l, "sees: %s need not be over by then", ir->steps[step->sees[n]].name);
    }
}

static void check_output(struct loader *l, const char *what, const char *name, int32_t step,
                         const char *output)
{
    const struct ir_step *from = step >= 0 ? &l->ir->steps[step] : NULL;
    if (from && !ir_output_find(from, output))
        load_fail(l, "%s %s: step %s has no output %s", what, name, from->name, output);
}

static void check_inputs(struct loader *l, const struct ir_step *step)
{
    for (size_t i = 0; i < step->input_count; i++) {
        const struct ir_input *input = &step->inputs[i];
        if (input->step >= 0 && !is_over(l->ir, step, input->step))
            load_fail(l, "input %s: comes from a step that is not needed", input->name);
        check_output(l, "input", input->name, input->step, input->output);
    }
    const struct ir_group *group = step->group;
    if (!group || group->folder_step < 0)
        return;
    if (!is_over(l->ir, step, group->folder_step))
        load_fail(l, "for_each: comes from a step that is not needed");
    check_output(l, "for_each", "from", group->folder_step, group->folder_output);
}

/* What a DAG gives is work of its own. */
static void check_dag(struct loader *l, const struct ir_dag *dag)
{
    for (size_t i = 0; i < dag->output_count; i++) {
        const struct ir_collected *one = &dag->outputs[i];
        const struct ir_step *from = one->step >= 0 ? &l->ir->steps[one->step] : NULL;
        if (from && (ir_dag_of(l->ir, one->step) != dag || from->finally))
            load_fail(l, "output %s: step %s is not in it", one->name, from->name);
        check_output(l, "output", one->name, one->step, one->output);
    }
}

/* Each output that a group declares is given by one of its branches, and the other way round. */
static void check_group(struct loader *l, const struct ir_step *step)
{
    for (size_t b = 0; b < step->group->branch_count; b++) {
        const struct ir_dag *dag = &step->group->branches[b].dag;
        check_dag(l, dag);
        for (size_t i = 0; i < dag->output_count; i++) {
            if (!ir_output_find(step, dag->outputs[i].name))
                load_fail(l, "output %s: a branch gives it, the group has none of that name",
                          dag->outputs[i].name);
        }
    }
}

static void link_dependents(struct loader *l)
{
    struct ir *ir = l->ir;
    for (size_t i = 0; i < ir->step_count; i++) {
        for (size_t n = 0; n < ir->steps[i].need_count; n++)
            ir->steps[ir->steps[i].needs[n]].dependent_count++;
    }
    for (size_t i = 0; i < ir->step_count; i++) {
        struct ir_step *step = &ir->steps[i];
        step->dependents = load_array(l, step->dependent_count, sizeof *step->dependents);
        step->dependent_count = 0;
    }
    for (size_t i = 0; i < ir->step_count; i++) {
        for (size_t n = 0; n < ir->steps[i].need_count; n++) {
            struct ir_step *needed = &ir->steps[ir->steps[i].needs[n]];
            needed->dependents[needed->dependent_count++] = (int32_t)i;
        }
    }
}

static void check_cycles(struct loader *l)
{
    const struct ir *ir = l->ir;
    cleanup_free struct graph_node *nodes = mem_array(ir->step_count + 1, sizeof *nodes);
    size_t length = 0;
    for (size_t i = 0; i < ir->step_count; i++)
        nodes[i] = (struct graph_node){ir->steps[i].needs, ir->steps[i].need_count};
    cleanup_free int32_t *cycle = graph_cycle(nodes, ir->step_count, &length);
    if (cycle)
        load_fail(l, "steps need one another in a circle, %s among them", ir->steps[cycle[0]].name);
}

void load_links(struct loader *l)
{
    const struct ir *ir = l->ir;
    link_dags(l);
    if (l->failed)
        return;
    check_dag(l, &ir->root);
    for (size_t i = 0; i < ir->step_count && !l->failed; i++) {
        l->where = ir->steps[i].name;
        check_needs(l, &ir->steps[i]);
        check_inputs(l, &ir->steps[i]);
        if (ir->steps[i].group)
            check_group(l, &ir->steps[i]);
    }
    l->where = "steps";
    link_dependents(l);
    check_cycles(l);
}

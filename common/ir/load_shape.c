/* What a step has that is no program: a group with its DAGs, a wait, an approval, a start. */
#include "common/ir/load.h"

#define FOREVER       (INT64_MAX / 4)
#define FINALLY_USUAL (600LL * 1000000)

void load_dag_ends(struct loader *l, const json_t *json, struct ir_dag *dag)
{
    const json_t *outputs = load_map(l, json, "outputs", IR_ENTRIES_MAX);
    const char **names = load_keys(l, outputs, &dag->output_count);
    dag->outputs = load_array(l, dag->output_count, sizeof *dag->outputs);
    for (size_t i = 0; i < dag->output_count; i++) {
        struct ir_collected *one = &dag->outputs[i];
        one->name = names[i];
        one->step = load_output_of(l, json_object_get(outputs, names[i]), &one->output);
    }
    dag->finally_us = load_int(l, json, "finally_timeout_us", 1, FOREVER, FINALLY_USUAL);
}

static void load_branches(struct loader *l, const json_t *json, struct ir_group *group)
{
    const json_t *list = load_list(l, json, "branches", IR_BRANCHES_MAX);
    group->branch_count = json_array_size(list);
    if (group->branch_count == 0)
        load_fail(l, "branches: there is none");
    group->branches = load_array(l, group->branch_count, sizeof *group->branches);
    for (size_t i = 0; i < group->branch_count; i++) {
        const json_t *branch = json_array_get(list, i);
        group->branches[i].when = load_cel(l, branch, "when");
        load_dag_ends(l, branch, &group->branches[i].dag);
        if (i + 1 < group->branch_count && !group->branches[i].when)
            load_fail(l, "branches: one that is not the last has no when");
    }
    if (group->branch_count > 1 || (group->branch_count == 1 && group->branches[0].when))
        group->mode = IR_GROUP_SWITCH;
}

static void load_literal(struct loader *l, json_t *items, struct ir_group *group)
{
    group->items_kind = IR_ITEMS_LITERAL;
    group->items = load_kept(l, items);
    if (!json_is_array(items) || json_array_size(items) > IR_ITEMS_MAX)
        load_fail(l, "for_each: items: must be a list of at most %d", IR_ITEMS_MAX);
}

static void load_items(struct loader *l, const json_t *for_each, struct ir_group *group)
{
    json_t *items = json_object_get(for_each, "items");
    const json_t *from = load_map(l, for_each, "from", 16);
    group->items_value = load_template(l, for_each, "value");
    if ((items != NULL) + (from != NULL) + (group->items_value != NULL) != 1) {
        load_fail(l, "for_each: must have one of items, value and from");
    } else if (items) {
        load_literal(l, items, group);
    } else if (from) {
        group->items_kind = IR_ITEMS_FOLDER;
        group->folder_step = load_output_of(l, from, &group->folder_output);
    } else {
        group->items_kind = IR_ITEMS_VALUE;
        if (!template_is_expression(group->items_value))
            load_fail(l, "for_each: value: must be one expression");
    }
}

static void load_for_each(struct loader *l, const json_t *json, struct ir_group *group)
{
    const json_t *for_each = load_map(l, json, "for_each", 16);
    const char *as = load_text(l, json, "as", false);
    group->as = as ? as : "item";
    group->parallelism = (int32_t)load_int(l, json, "parallelism", 0, IR_PARALLEL_MAX, 0);
    group->fail_fast = load_flag(l, json, "fail_fast", true);
    if (!for_each)
        return;
    if (group->mode != IR_GROUP_PLAIN)
        load_fail(l, "for_each: a group is one of for_each, loop and switch");
    group->mode = IR_GROUP_FOR_EACH;
    load_items(l, for_each, group);
}

static void load_loop(struct loader *l, const json_t *json, struct ir_group *group)
{
    const json_t *loop = load_map(l, json, "loop", 16);
    if (!loop)
        return;
    if (group->mode != IR_GROUP_PLAIN)
        load_fail(l, "loop: a group is one of for_each, loop and switch");
    group->mode = IR_GROUP_LOOP;
    group->until = load_cel(l, loop, "until");
    group->max = (int32_t)load_int(l, loop, "max", 1, IR_ROUNDS_MAX, -1);
    group->delay_us = load_int(l, loop, "delay_us", 0, FOREVER, 0);
    if (!group->until || group->max < 1)
        load_fail(l, "loop: until and max must be given");
}

static struct ir_group *load_group(struct loader *l, const json_t *json)
{
    struct ir_group *group = load_array(l, 1, sizeof *group);
    group->folder_step = -1;
    load_branches(l, json, group);
    load_for_each(l, json, group);
    load_loop(l, json, group);
    group->scope = load_flag(l, json, "scope", false);
    group->origin = load_text(l, json, "origin", false);
    group->params = load_params(l, json, &group->param_count);
    return group;
}

static struct ir_wait *load_wait(struct loader *l, const json_t *json)
{
    struct ir_wait *wait = load_array(l, 1, sizeof *wait);
    wait->type = load_text(l, json, "type", true);
    wait->source = load_text(l, json, "source", false);
    wait->filter = load_cel(l, json, "filter");
    return wait;
}

static struct ir_approval *load_approval(struct loader *l, const json_t *json)
{
    static const char *const WORDS[] = {[IR_TIMEOUT_FAIL] = "fail",
                                        [IR_TIMEOUT_SKIP] = "skip",
                                        [IR_TIMEOUT_APPROVE] = "approve",
                                        [IR_TIMEOUT_APPROVE + 1] = NULL};
    struct ir_approval *approval = load_array(l, 1, sizeof *approval);
    approval->by = load_words(l, json, "by", IR_APPROVERS_MAX, &approval->by_count);
    approval->message = load_template(l, json, "message");
    approval->on_timeout =
        (enum ir_on_timeout)load_word(l, json, "on_timeout", WORDS, IR_TIMEOUT_FAIL);
    return approval;
}

static struct ir_start *load_start(struct loader *l, const json_t *json)
{
    struct ir_start *start = load_array(l, 1, sizeof *start);
    start->pipeline = load_text(l, json, "pipeline", true);
    start->params = load_bindings(l, json, "params", &start->param_count);
    start->name = load_template(l, json, "name");
    start->wait = load_flag(l, json, "wait", true);
    return start;
}

void load_shape(struct loader *l, const json_t *json, struct ir_step *step)
{
    const bool holds = step->kind == IR_STEP_WAIT || step->kind == IR_STEP_APPROVAL;
    if (step->kind == IR_STEP_GROUP)
        step->group = load_group(l, json);
    if (step->kind == IR_STEP_WAIT)
        step->wait = load_wait(l, load_map(l, json, "wait", 16));
    if (step->kind == IR_STEP_APPROVAL)
        step->approval = load_approval(l, load_map(l, json, "approval", 16));
    if (step->kind == IR_STEP_START)
        step->start = load_start(l, load_map(l, json, "start", 16));
    if (holds && step->timeout_us < 1)
        load_fail(l, "timeout_us: a step that waits must have one");
}

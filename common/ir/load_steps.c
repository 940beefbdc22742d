#include <string.h>

#include "common/base/mem.h"
#include "common/ir/graph.h"
#include "common/ir/load.h"

/* What this build reads of a step; anything else is kept in `extra`. */
static const char *const STEP_KEYS[] = {"allow_failure",
                                        "approval",
                                        "args",
                                        "as",
                                        "at_most_once",
                                        "branch",
                                        "branches",
                                        "bucket",
                                        "cache",
                                        "command",
                                        "container",
                                        "description",
                                        "env",
                                        "executor",
                                        "fail_fast",
                                        "finally",
                                        "for_each",
                                        "grace_us",
                                        "heartbeat_us",
                                        "image",
                                        "in",
                                        "inputs",
                                        "key",
                                        "kind",
                                        "limits",
                                        "log_limit",
                                        "loop",
                                        "lost_after_us",
                                        "name",
                                        "needs",
                                        "origin",
                                        "outputs",
                                        "parallelism",
                                        "params",
                                        "pool",
                                        "prefix",
                                        "priority",
                                        "queue_timeout_us",
                                        "resources",
                                        "retry",
                                        "rule",
                                        "scope",
                                        "secrets",
                                        "sees",
                                        "start",
                                        "suffix",
                                        "timeout_us",
                                        "version",
                                        "wait",
                                        "when",
                                        "workdir"};

static const char *const KINDS[] = {
    [IR_STEP_RUN] = "run",      [IR_STEP_OBJECTS] = "objects",   [IR_STEP_GROUP] = "group",
    [IR_STEP_WAIT] = "wait",    [IR_STEP_APPROVAL] = "approval", [IR_STEP_START] = "start",
    [IR_STEP_START + 1] = NULL,
};
static const char *const RULES[] = {
    [IR_ALL_SUCCEEDED] = "all_succeeded", [IR_ALL_DONE] = "all_done",
    [IR_ANY_FAILED] = "any_failed",       [IR_ANY_SUCCEEDED] = "any_succeeded",
    [IR_NONE_FAILED] = "none_failed",     [IR_NONE_FAILED + 1] = NULL,
};

static void load_extra(struct loader *l, const json_t *json, struct ir_step *step)
{
    json_t *extra = NULL, *value;
    const char *key;
    json_object_foreach ((json_t *)json, key, value) {
        size_t i = 0;
        while (i < ARRAY_LEN(STEP_KEYS) && strcmp(STEP_KEYS[i], key) != 0)
            i++;
        if (i < ARRAY_LEN(STEP_KEYS))
            continue;
        extra = extra ? extra : json_object();
        json_object_set(extra, key, value);
    }
    step->extra = load_kept(l, extra);
    json_decref(extra);
}

/* needs and, where there is more than that, sees. */
static void load_order(struct loader *l, const json_t *json, struct ir_step *step)
{
    const json_t *more = load_list(l, json, "sees", IR_STEPS_MAX);
    step->needs = load_steps_named(l, json, "needs", 0, &step->need_count);
    step->sees = step->needs;
    step->see_count = step->need_count;
    if (!more)
        return;
    step->sees = load_steps_named(l, json, "sees", step->need_count, &step->see_count);
    for (size_t n = 0; n < step->need_count; n++)
        step->sees[step->see_count++] = step->needs[n];
    step->see_count = graph_unique(step->sees, step->see_count);
}

static void load_step(struct loader *l, const json_t *json, struct ir_step *step)
{
    step->description = load_text(l, json, "description", false);
    step->kind = (enum ir_step_kind)load_word(l, json, "kind", KINDS, -1);
    step->rule = (enum ir_rule)load_word(l, json, "rule", RULES, 0);
    step->allow_failure = load_flag(l, json, "allow_failure", false);
    step->priority = (int32_t)load_int(l, json, "priority", -IR_PRIORITY_MAX, IR_PRIORITY_MAX, 0);
    load_order(l, json, step);
    step->when = load_cel(l, json, "when");
    load_program(l, json, step);
    load_shape(l, json, step);
    load_extra(l, json, step);
}

/* Names first: a step may need one that comes later. */
static void load_names(struct loader *l, const json_t *steps)
{
    struct ir *ir = l->ir;
    for (size_t i = 0; i < ir->step_count; i++) {
        ir->steps[i].name = load_text(l, json_array_get(steps, i), "name", true);
        if (!*ir->steps[i].name)
            load_fail(l, "step %zu has no name", i);
        if (names_add(ir->owned->steps, ir->steps[i].name, (int32_t)i) >= 0)
            load_fail(l, "two steps are called %s", ir->steps[i].name);
    }
}

/* Where a step stands. A name begins with that of the group around it, so nothing is inside itself.
 */
static void load_parent(struct loader *l, const json_t *json, struct ir_step *step)
{
    const char *in = load_text(l, json, "in", false);
    const size_t n = in ? strlen(in) : 0;
    step->parent = in ? ir_step_index(l->ir, in) : -1;
    step->branch = (int32_t)load_int(l, json, "branch", 0, in ? IR_BRANCHES_MAX - 1 : 0, 0);
    step->finally = load_flag(l, json, "finally", false);
    step->label = in ? step->name + n + 1 : step->name;
    if (in && step->parent < 0)
        load_fail(l, "in: there is no step %.64s", in);
    else if (in && (strncmp(step->name, in, n) != 0 || step->name[n] != '/'))
        load_fail(l, "in: its name does not begin with %.64s/", in);
    else if (!*step->label || strchr(step->label, '/'))
        load_fail(l, "its name does not say what it is in");
}

static void load_depth(struct loader *l, struct ir_step *step)
{
    const struct ir_step *up = step;
    for (; up->parent >= 0 && step->depth <= IR_DEPTH_MAX; step->depth++)
        up = &l->ir->steps[up->parent];
    if (step->depth > IR_DEPTH_MAX)
        load_fail(l, "is more than %d deep in groups", IR_DEPTH_MAX);
}

void load_steps(struct loader *l, const json_t *json)
{
    struct ir *ir = l->ir;
    const json_t *steps = load_list(l, json, "steps", IR_STEPS_MAX);
    l->where = "steps";
    ir->step_count = json_array_size(steps);
    if (ir->step_count == 0)
        load_fail(l, "there is none");
    ir->steps = load_array(l, ir->step_count, sizeof *ir->steps);
    load_names(l, steps);
    for (size_t i = 0; i < ir->step_count && !l->failed; i++) {
        l->where = ir->steps[i].name;
        load_parent(l, json_array_get(steps, i), &ir->steps[i]);
    }
    for (size_t i = 0; i < ir->step_count && !l->failed; i++) {
        l->where = ir->steps[i].name;
        load_depth(l, &ir->steps[i]);
        load_step(l, json_array_get(steps, i), &ir->steps[i]);
    }
    l->where = "pipeline";
    load_dag_ends(l, json, &ir->root);
    l->where = "steps";
    if (!l->failed)
        load_links(l);
}

#include <string.h>

#include "common/base/mem.h"
#include "common/ir/graph.h"
#include "common/ir/load.h"
#include "common/ir/value.h"

#define FOREVER (INT64_MAX / 4)

/* What this build reads of a step; anything else is kept in `extra`. */
static const char *const STEP_KEYS[] = {
    "args",     "bucket",  "command", "container",  "description", "env",       "executor",
    "grace_us", "image",   "inputs",  "key",        "kind",        "log_limit", "lost_after_us",
    "name",     "needs",   "outputs", "pool",       "prefix",      "resources", "retry",
    "rule",     "secrets", "suffix",  "timeout_us", "version",     "when",      "workdir"};

static void *many(struct loader *l, size_t count, size_t size)
{
    return count ? arena_alloc(l->ir->arena, count * size) : NULL;
}

static void load_needs(struct loader *l, const json_t *json, struct ir_step *step)
{
    const json_t *needs = load_list(l, json, "needs", IR_STEPS_MAX);
    step->needs = many(l, json_array_size(needs), sizeof *step->needs);
    for (size_t i = 0; i < json_array_size(needs); i++) {
        const char *name = json_string_value(json_array_get(needs, i));
        const int32_t index = name ? ir_step_index(l->ir, name) : -1;
        if (index < 0) {
            load_fail(l, "needs: there is no step %.64s", name ? name : "without a name");
            return;
        }
        step->needs[step->need_count++] = index;
    }
    step->need_count = graph_unique(step->needs, step->need_count);
}

static void load_argv(struct loader *l, const json_t *json, struct ir_step *step)
{
    const json_t *command = load_list(l, json, "command", IR_ARGV_MAX);
    const json_t *args = load_list(l, json, "args", IR_ARGV_MAX);
    step->command_count = json_array_size(command);
    step->argv_count = step->command_count + json_array_size(args);
    step->argv = many(l, step->argv_count, sizeof(struct template *));
    for (size_t i = 0; i < step->argv_count; i++) {
        const json_t *item = i < step->command_count
                                 ? json_array_get(command, i)
                                 : json_array_get(args, i - step->command_count);
        if (json_is_string(item))
            step->argv[i] = load_template_text(l, json_string_value(item));
        else
            load_fail(l, "command, args: must be lists of text");
    }
}

static void load_outputs(struct loader *l, const json_t *json, struct ir_step *step)
{
    const json_t *map = load_map(l, json, "outputs", IR_ENTRIES_MAX);
    const char **names = load_keys(l, map, &step->output_count);
    step->outputs = many(l, step->output_count, sizeof *step->outputs);
    for (size_t i = 0; i < step->output_count; i++) {
        const json_t *output = json_object_get(map, names[i]);
        step->outputs[i].name = names[i];
        step->outputs[i].type =
            (enum ir_type)load_word(l, output, "type", IR_TYPE_NAMES, IR_ARTIFACT);
        step->outputs[i].optional = json_is_true(json_object_get(output, "optional"));
    }
}

static bool needs_step(const struct ir_step *step, int32_t index)
{
    size_t low = 0, high = step->need_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (step->needs[middle] == index)
            return true;
        if (step->needs[middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static void load_input(struct loader *l, const json_t *json, const struct ir_step *step,
                       struct ir_input *input)
{
    const json_t *from = load_map(l, json, "from", 16);
    input->kind = from ? IR_INPUT_OUTPUT : IR_INPUT_VALUE;
    input->step = -1;
    if (!from) {
        input->value = load_template(l, json, "value");
        if (!input->value)
            load_fail(l, "input %s: comes from nowhere", input->name);
        return;
    }
    input->output = load_text(l, from, "output", true);
    input->step = ir_step_index(l->ir, load_text(l, from, "step", true));
    if (input->step < 0 || !needs_step(step, input->step))
        load_fail(l, "input %s: comes from a step that is not needed", input->name);
}

static void load_inputs(struct loader *l, const json_t *json, struct ir_step *step)
{
    const json_t *map = load_map(l, json, "inputs", IR_ENTRIES_MAX);
    const char **names = load_keys(l, map, &step->input_count);
    step->inputs = many(l, step->input_count, sizeof *step->inputs);
    for (size_t i = 0; i < step->input_count; i++) {
        step->inputs[i].name = names[i];
        load_input(l, json_object_get(map, names[i]), step, &step->inputs[i]);
    }
}

static void load_retry(struct loader *l, const json_t *json, struct ir_retry *retry)
{
    const json_t *from = load_map(l, json, "retry", 16);
    const json_t *on = load_list(l, from, "on", 3);
    retry->max_attempts = (int32_t)load_int(l, from, "attempts", 1, IR_ATTEMPTS_MAX, 1);
    retry->first_us = load_int(l, from, "first_us", 0, FOREVER, 1000000);
    retry->cap_us = load_int(l, from, "cap_us", retry->first_us, FOREVER, FOREVER);
    retry->factor = load_number(l, from, "factor", 1.0, 100.0, 2.0);
    retry->max_lost = (int32_t)load_int(l, from, "lost", 0, IR_ATTEMPTS_MAX, 5);
    retry->on_failed = retry->on_timed_out = retry->on_lost = on == NULL;
    for (size_t i = 0; i < json_array_size(on); i++) {
        const char *word = json_string_value(json_array_get(on, i));
        bool *flag = NULL;
        if (word && strcmp(word, "failed") == 0)
            flag = &retry->on_failed;
        else if (word && strcmp(word, "timed_out") == 0)
            flag = &retry->on_timed_out;
        else if (word && strcmp(word, "lost") == 0)
            flag = &retry->on_lost;
        if (!flag) {
            load_fail(l, "retry: on: is nothing that this build knows");
            return;
        }
        *flag = true;
    }
}

static void load_place(struct loader *l, const json_t *json, struct ir_step *step)
{
    const json_t *resources = load_map(l, json, "resources", 16);
    const json_t *secrets = load_list(l, json, "secrets", 64);
    step->executor = load_text(l, json, "executor", false);
    step->pool = load_text(l, json, "pool", false);
    step->slots = (int32_t)load_int(l, resources, "slots", 0, 1000, 1);
    step->cpu = load_number(l, resources, "cpu", 0.0, 10000.0, 0.0);
    step->memory = load_int(l, resources, "memory", 0, FOREVER, 0);
    step->gpu = (int32_t)load_int(l, resources, "gpu", 0, 1000, 0);
    step->container = load_kept(l, (json_t *)load_map(l, json, "container", 16));
    step->timeout_us = load_int(l, json, "timeout_us", 0, FOREVER, 0);
    step->lost_after_us = load_int(l, json, "lost_after_us", 0, FOREVER, 0);
    step->grace_us = load_int(l, json, "grace_us", 0, FOREVER, 0);
    step->log_limit = load_int(l, json, "log_limit", 0, FOREVER, 64LL << 20);
    step->secret_count = json_array_size(secrets);
    step->secrets = many(l, step->secret_count, sizeof *step->secrets);
    for (size_t i = 0; i < step->secret_count; i++) {
        const char *name = json_string_value(json_array_get(secrets, i));
        step->secrets[i] = arena_text(l->ir->arena, name ? name : "");
        if (!name)
            load_fail(l, "secrets: must be names");
    }
}

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

static void load_step(struct loader *l, const json_t *json, struct ir_step *step)
{
    static const char *const KINDS[] = {"run", "objects", NULL};
    static const char *const RULES[] = {"all_succeeded", NULL};
    step->description = load_text(l, json, "description", false);
    step->kind = (enum ir_step_kind)load_word(l, json, "kind", KINDS, -1);
    step->rule = (enum ir_rule)load_word(l, json, "rule", RULES, 0);
    load_needs(l, json, step);
    step->when = load_cel(l, json, "when");
    step->image = load_template(l, json, "image");
    step->workdir = load_template(l, json, "workdir");
    load_argv(l, json, step);
    step->env = load_bindings(l, json, "env", &step->env_count);
    load_outputs(l, json, step);
    load_inputs(l, json, step);
    step->bucket = load_template(l, json, "bucket");
    step->prefix = load_template(l, json, "prefix");
    step->suffix = load_template(l, json, "suffix");
    step->key = load_template(l, json, "key");
    step->object_version = load_template(l, json, "version");
    if (step->kind == IR_STEP_OBJECTS && !step->bucket)
        load_fail(l, "bucket: is missing");
    load_retry(l, json, &step->retry);
    load_place(l, json, step);
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

/* An input's output is looked up when every step has its outputs. */
static void check_outputs(struct loader *l)
{
    const struct ir *ir = l->ir;
    for (size_t s = 0; s < ir->step_count && !l->failed; s++) {
        for (size_t i = 0; i < ir->steps[s].input_count; i++) {
            const struct ir_input *input = &ir->steps[s].inputs[i];
            const struct ir_step *from = input->step >= 0 ? &ir->steps[input->step] : NULL;
            size_t o = 0;
            while (from && o < from->output_count &&
                   strcmp(from->outputs[o].name, input->output) != 0)
                o++;
            if (from && o == from->output_count)
                load_fail(l, "input %s: step %s has no output %s", input->name, from->name,
                          input->output);
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
        step->dependents = many(l, step->dependent_count, sizeof *step->dependents);
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

void load_steps(struct loader *l, const json_t *json)
{
    struct ir *ir = l->ir;
    const json_t *steps = load_list(l, json, "steps", IR_STEPS_MAX);
    l->where = "steps";
    ir->step_count = json_array_size(steps);
    if (ir->step_count == 0)
        load_fail(l, "there is none");
    ir->steps = many(l, ir->step_count, sizeof *ir->steps);
    load_names(l, steps);
    for (size_t i = 0; i < ir->step_count && !l->failed; i++) {
        l->where = ir->steps[i].name;
        load_step(l, json_array_get(steps, i), &ir->steps[i]);
    }
    l->where = "steps";
    if (l->failed)
        return;
    check_outputs(l);
    link_dependents(l);
    check_cycles(l);
}

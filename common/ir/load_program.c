/* What a step has that runs a program, and the times and places that other steps share with it. */
#include <string.h>

#include "common/ir/graph.h"
#include "common/ir/load.h"
#include "common/ir/value.h"

#define FOREVER (INT64_MAX / 4)

static void load_argv(struct loader *l, const json_t *json, struct ir_step *step)
{
    const json_t *command = load_list(l, json, "command", IR_ARGV_MAX);
    const json_t *args = load_list(l, json, "args", IR_ARGV_MAX);
    step->command_count = json_array_size(command);
    step->argv_count = step->command_count + json_array_size(args);
    step->argv = load_array(l, step->argv_count, sizeof(struct template *));
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
    step->outputs = load_array(l, step->output_count, sizeof *step->outputs);
    for (size_t i = 0; i < step->output_count; i++) {
        const json_t *output = json_object_get(map, names[i]);
        step->outputs[i].name = names[i];
        step->outputs[i].type =
            (enum ir_type)load_word(l, output, "type", IR_TYPE_NAMES, IR_ARTIFACT);
        step->outputs[i].optional = load_flag(l, output, "optional", false);
        step->outputs[i].path = load_text(l, output, "path", false);
        step->outputs[i].list = (int32_t)load_int(l, output, "list", 0, IR_DEPTH_MAX, 0);
    }
}

static void load_input(struct loader *l, const json_t *json, struct ir_input *input)
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
    input->step = load_output_of(l, from, &input->output);
}

static void load_inputs(struct loader *l, const json_t *json, struct ir_step *step)
{
    const json_t *map = load_map(l, json, "inputs", IR_ENTRIES_MAX);
    const char **names = load_keys(l, map, &step->input_count);
    step->inputs = load_array(l, step->input_count, sizeof *step->inputs);
    for (size_t i = 0; i < step->input_count; i++) {
        step->inputs[i].name = names[i];
        load_input(l, json_object_get(map, names[i]), &step->inputs[i]);
    }
}

static int32_t *load_exit_codes(struct loader *l, const json_t *retry, const char *key,
                                size_t *count)
{
    const json_t *list = load_list(l, retry, key, IR_EXIT_CODES_MAX);
    int32_t *codes = load_array(l, json_array_size(list), sizeof *codes);
    for (*count = 0; *count < json_array_size(list); ++*count) {
        const json_t *code = json_array_get(list, *count);
        const json_int_t n = json_integer_value(code);
        if (!json_is_integer(code) || n < 1 || n > 255)
            load_fail(l, "retry: %s: must be exit codes from 1 to 255", key);
        codes[*count] = (int32_t)n;
    }
    *count = graph_unique(codes, *count);
    return codes;
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
    retry->exit_codes = load_exit_codes(l, from, "exit_codes", &retry->exit_code_count);
    retry->not_exit_codes = load_exit_codes(l, from, "not_exit_codes", &retry->not_exit_code_count);
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
    step->secrets = load_words(l, json, "secrets", 64, &step->secret_count);
}

static void load_limits(struct loader *l, const json_t *json, struct ir_step *step)
{
    const json_t *map = load_map(l, json, "limits", IR_LIMITS_MAX);
    const char **names = load_keys(l, map, &step->limit_count);
    step->limits = load_array(l, step->limit_count, sizeof *step->limits);
    for (size_t i = 0; i < step->limit_count; i++)
        step->limits[i] = (struct ir_limit_use){
            names[i], (int32_t)load_int(l, map, names[i], 1, IR_LIMIT_USE_MAX, 1)};
}

static void load_cache(struct loader *l, const json_t *json, struct ir_step *step)
{
    const json_t *cache = load_map(l, json, "cache", 16);
    step->cache = cache != NULL;
    step->cache_us = load_int(l, cache, "ttl_us", 0, FOREVER, 0);
}

static void load_objects(struct loader *l, const json_t *json, struct ir_step *step)
{
    step->bucket = load_template(l, json, "bucket");
    step->prefix = load_template(l, json, "prefix");
    step->suffix = load_template(l, json, "suffix");
    step->key = load_template(l, json, "key");
    step->object_version = load_template(l, json, "version");
    if (step->kind == IR_STEP_OBJECTS && !step->bucket)
        load_fail(l, "bucket: is missing");
}

void load_program(struct loader *l, const json_t *json, struct ir_step *step)
{
    step->image = load_template(l, json, "image");
    step->workdir = load_template(l, json, "workdir");
    load_argv(l, json, step);
    step->env = load_bindings(l, json, "env", &step->env_count);
    load_outputs(l, json, step);
    load_inputs(l, json, step);
    load_objects(l, json, step);
    load_retry(l, json, &step->retry);
    load_place(l, json, step);
    load_limits(l, json, step);
    load_cache(l, json, step);
    step->at_most_once = load_flag(l, json, "at_most_once", false);
    step->queue_timeout_us = load_int(l, json, "queue_timeout_us", 0, FOREVER, 0);
    step->heartbeat_us = load_int(l, json, "heartbeat_us", 0, FOREVER, 0);
}

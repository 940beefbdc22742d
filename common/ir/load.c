#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/ir/load.h"
#include "common/ir/value.h"

static void load_param(struct loader *l, const json_t *json, struct ir_param *param)
{
    param->name = load_text(l, json, "name", true);
    param->type = (enum ir_type)load_word(l, json, "type", IR_TYPE_NAMES, -1);
    param->description = load_text(l, json, "description", false);
    param->fallback = load_kept(l, json_object_get(json, "default"));
    param->choices = load_kept(l, json_object_get(json, "choices"));
    param->value = load_template(l, json, "value");
    if (param->type == IR_ARTIFACT || (param->choices && !json_is_array(param->choices)))
        load_fail(l, "parameter %s is of no type that a parameter has", param->name);
    if (param->fallback && ir_value_check(param->type, param->fallback, NULL) < 0)
        load_fail(l, "parameter %s: the default is not of its type", param->name);
}

struct ir_param *load_params(struct loader *l, const json_t *json, size_t *count)
{
    const json_t *list = load_list(l, json, "params", IR_PARAMS_MAX);
    struct ir_param *params = load_array(l, json_array_size(list), sizeof *params);
    for (*count = 0; *count < json_array_size(list); ++*count)
        load_param(l, json_array_get(list, *count), &params[*count]);
    return params;
}

static void load_concurrency(struct loader *l, const json_t *json)
{
    static const char *const POLICIES[] = {
        [IR_CONCURRENCY_NONE] = "none",
        [IR_CONCURRENCY_QUEUE] = "queue",
        [IR_CONCURRENCY_SKIP] = "skip",
        [IR_CONCURRENCY_CANCEL_RUNNING] = "cancel_running",
        [IR_CONCURRENCY_LATEST_ONLY] = "latest_only",
        [IR_CONCURRENCY_LATEST_ONLY + 1] = NULL,
    };
    struct ir *ir = l->ir;
    const json_t *concurrency = load_map(l, json, "concurrency", 16);
    ir->concurrency = (enum ir_concurrency_policy)load_word(l, concurrency, "policy", POLICIES, 0);
    ir->concurrency_limit = (int32_t)load_int(l, concurrency, "limit", 1, 1000000, 1);
    ir->concurrency_key = load_template(l, concurrency, "key");
}

static void load_top(struct loader *l, const json_t *json)
{
    struct ir *ir = l->ir;
    ir->name = load_text(l, json, "name", true);
    if (!text_is_name(ir->name, IR_NAME_MAX))
        load_fail(l, "name: is not a name");
    ir->description = load_text(l, json, "description", false);
    ir->experiment = load_text(l, json, "experiment", false);
    ir->timeout_us = load_int(l, json, "timeout_us", 0, INT64_MAX / 2, 0);
    ir->queue_timeout_us = load_int(l, json, "queue_timeout_us", 0, INT64_MAX / 2, 0);
    ir->priority = (int32_t)load_int(l, json, "priority", -IR_PRIORITY_MAX, IR_PRIORITY_MAX, 0);
    ir->params = load_params(l, json, &ir->param_count);
    load_concurrency(l, json);
}

static bool is_known_format(const json_t *json, struct err *err)
{
    const json_int_t format = json_integer_value(json_object_get(json, "ir"));
    if (format == IR_FORMAT || format == IR_FORMAT_FLAT)
        return true;
    err_set(err, LEAT_EINPUT, "IR: its format is %lld, this build reads %d and %d",
            (long long)format, IR_FORMAT_FLAT, IR_FORMAT);
    return false;
}

struct ir *ir_load(const json_t *ir_json, struct err *err)
{
    if (!is_known_format(ir_json, err))
        return NULL;
    struct ir *ir = mem_alloc(sizeof *ir);
    struct loader l = {.ir = ir, .where = "pipeline", .err = err};
    ir->arena = arena_new();
    ir->owned = owned_new();
    ir->json = json_incref((json_t *)ir_json);
    load_top(&l, ir_json);
    load_triggers(&l, ir_json);
    load_steps(&l, ir_json);
    if (l.failed) {
        ir_free(ir);
        return NULL;
    }
    return ir;
}

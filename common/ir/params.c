#include <string.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/base/text.h"
#include "common/ir/ir.h"
#include "common/ir/value.h"
#include "common/text/json.h"

static const struct ir_param *param_find(const struct ir *ir, const char *name)
{
    for (size_t i = 0; i < ir->param_count; i++) {
        if (strcmp(ir->params[i].name, name) == 0)
            return &ir->params[i];
    }
    return NULL;
}

static int refuse_unknown(const struct ir *ir, const char *name, struct err *err)
{
    const char *words[IR_PARAMS_MAX + 1] = {NULL};
    for (size_t i = 0; i < ir->param_count && i < IR_PARAMS_MAX; i++)
        words[i] = ir->params[i].name;
    const char *near = text_nearest(name, words);
    return err_set(err, LEAT_EINPUT, "parameter %.64s: pipeline %s has none of that name%s%s%s",
                   name, ir->name, near ? "; did you mean " : "", near ? near : "",
                   near ? "?" : "");
}

static int refuse_choice(const struct ir_param *param, struct err *err)
{
    cleanup_free char *choices = json_write(param->choices);
    return err_set(err, LEAT_EINPUT, "parameter %s: must be one of %.400s", param->name, choices);
}

static bool is_choice(const struct ir_param *param, const json_t *value)
{
    size_t i;
    json_t *choice;
    json_array_foreach (param->choices, i, choice) {
        if (ir_value_equal(choice, value))
            return true;
    }
    return param->choices == NULL;
}

/* The value of one parameter; a new reference. */
static json_t *read_one(const struct ir_param *param, json_t *given, bool from_text,
                        struct err *err)
{
    cleanup_json json_t *value = NULL;
    struct err why = {0};
    if (from_text && json_is_string(given) && param->type != IR_STRING)
        value =
            ir_output_value(param->type, json_string_value(given), json_string_length(given), &why);
    else if (ir_value_check(param->type, given, &why) == 0)
        value = json_incref(given);
    if (!value) {
        err_set(err, LEAT_EINPUT, "parameter %s: %s", param->name, why.text);
        return NULL;
    }
    if (!is_choice(param, value)) {
        refuse_choice(param, err);
        return NULL;
    }
    return TAKE(value);
}

json_t *ir_params(const struct ir *ir, const json_t *given, bool from_text, struct err *err)
{
    const char *name;
    json_t *value;
    if (given && !json_is_object(given)) {
        err_set(err, LEAT_EINPUT, "parameters must be an object, not %s", ir_json_kind(given));
        return NULL;
    }
    json_object_foreach ((json_t *)given, name, value) {
        if (!param_find(ir, name)) {
            refuse_unknown(ir, name, err);
            return NULL;
        }
    }
    cleanup_json json_t *out = json_object();
    for (size_t i = 0; i < ir->param_count; i++) {
        const struct ir_param *param = &ir->params[i];
        json_t *one = json_object_get(given, param->name);
        one = one ? read_one(param, one, from_text, err) : json_incref(param->fallback);
        if (!one) {
            if (!json_object_get(given, param->name))
                err_set(err, LEAT_EINPUT, "parameter %s: must be given, it has no default",
                        param->name);
            return NULL;
        }
        json_object_set_new(out, param->name, one);
    }
    return TAKE(out);
}

json_t *ir_group_params(const struct ir_group *group, const struct cel_vars *vars, struct err *err)
{
    cleanup_json json_t *out = json_object();
    for (size_t i = 0; i < group->param_count; i++) {
        const struct ir_param *param = &group->params[i];
        cleanup_json json_t *given =
            param->value ? template_eval_json(param->value, vars, err) : NULL;
        if (param->value && !given) {
            err_wrap(err, "parameter %s", param->name);
            return NULL;
        }
        json_t *one = !given                                   ? json_incref(param->fallback)
                      : plant_on(PLANT_GIVEN_WITHOUT_ITS_TYPE) ? json_incref(given)
                                                               : read_one(param, given, true, err);
        if (!one) {
            if (!given)
                err_set(err, LEAT_EINPUT, "parameter %s: must be given, it has no default",
                        param->name);
            return NULL;
        }
        json_object_set_new(out, param->name, one);
    }
    return TAKE(out);
}

int ir_items_check(const json_t *items, struct err *err)
{
    if (!json_is_array(items))
        return err_set(err, LEAT_EINPUT, "for_each: must be a list, not %s", ir_json_kind(items));
    if (json_array_size(items) > IR_ITEMS_MAX)
        return err_set(err, LEAT_ELIMIT, "for_each: %zu items, and the limit is %d",
                       json_array_size(items), IR_ITEMS_MAX);
    const size_t bytes = json_dumpb(items, NULL, 0, JSON_COMPACT);
    if (bytes > IR_ITEMS_BYTES_MAX)
        return err_set(err, LEAT_ELIMIT, "for_each: items of %zu bytes, and the limit is %d", bytes,
                       IR_ITEMS_BYTES_MAX);
    return 0;
}

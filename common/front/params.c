#include <string.h>

#include "common/base/mem.h"
#include "common/front/front.h"
#include "common/ir/value.h"
#include "common/text/json.h"

/* The type that a short form `NAME: value` means. */
static enum ir_type type_of_short(const json_t *value)
{
    if (json_is_integer(value))
        return IR_INTEGER;
    if (json_is_real(value))
        return IR_NUMBER;
    return json_is_boolean(value) ? IR_BOOLEAN : IR_STRING;
}

static void check_choices(struct front *f, const char *name, enum ir_type type, const json_t *param)
{
    const json_t *choices = json_object_get(param, "choices");
    const json_t *fallback = json_object_get(param, "default");
    bool found = choices == NULL || fallback == NULL;
    size_t i;
    json_t *choice;
    json_array_foreach (choices, i, choice) {
        struct err err = {0};
        front_at(f, "params", name, "choices", NULL);
        front_at_index(f, i);
        if (ir_value_check(type, choice, &err) < 0)
            front_problem(f, "%s", err.text);
        found = found || ir_value_equal(choice, fallback);
    }
    front_at(f, "params", name, "default", NULL);
    if (!found)
        front_problem(f, "the default is not one of the choices");
}

static json_t *read_long(struct front *f, const char *name, const json_t *param)
{
    const int type = ir_type_parse(json_get_string(param, "type", "string"));
    json_t *fallback = json_object_get(param, "default");
    json_t *out = json_pack("{s:s, s:s}", "name", name, "type", ir_type_name((enum ir_type)type));
    struct err err = {0};
    front_at(f, "params", name, "default", NULL);
    if (fallback && ir_value_check((enum ir_type)type, fallback, &err) < 0)
        front_problem(f, "default: %s", err.text);
    check_choices(f, name, (enum ir_type)type, param);
    if (fallback)
        json_object_set(out, "default", fallback);
    json_t *rest = json_object_get(param, "description");
    if (rest)
        json_object_set(out, "description", rest);
    rest = json_object_get(param, "choices");
    if (rest)
        json_object_set(out, "choices", rest);
    return out;
}

void front_params(struct front *f)
{
    const json_t *params = json_object_get(f->root, "params");
    const char *name;
    json_t *param;
    int32_t index = 0;
    front_at(f, "params", NULL);
    if (!front_few(f, "parameters", params, IR_PARAMS_MAX))
        return;
    json_object_foreach ((json_t *)params, name, param) {
        json_t *out = json_is_object(param)
                          ? read_long(f, name, param)
                          : json_pack("{s:s, s:s, s:O}", "name", name, "type",
                                      ir_type_name(type_of_short(param)), "default", param);
        json_array_append_new(f->params_out, out);
        names_add(f->params, name, index++);
    }
}

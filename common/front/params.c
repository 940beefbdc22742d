#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
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
    const json_t *params = json_object_get(f->unit->root, "params");
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
        json_array_append_new(f->unit->params_out, out);
        names_add(f->unit->params, name, index++);
    }
}

static const json_t *param_named(const json_t *params, const char *name)
{
    size_t i;
    json_t *param;
    json_array_foreach (params, i, param) {
        if (strcmp(json_get_string(param, "name", ""), name) == 0)
            return param;
    }
    return NULL;
}

static void tell_no_param(struct front *f, const json_t *params, const char *name)
{
    char hint[FRONT_HINT];
    struct names *known = names_new();
    size_t i;
    json_t *param;
    json_array_foreach (params, i, param)
        names_add(known, json_get_string(param, "name", ""), (int32_t)i);
    front_key_problem(f, "params: there is no parameter %s%s", name,
                      front_hint(f, known, name, hint));
    names_free(known);
}

static void check_value(struct front *f, const json_t *param, const json_t *value, const char *text)
{
    const char *name = json_get_string(param, "name", "");
    const int type = ir_type_parse(json_get_string(param, "type", "string"));
    const json_t *choices = json_object_get(param, "choices"), *choice;
    struct err err = {0};
    cleanup_json json_t *read = NULL;
    if (json_is_string(value))
        read = ir_output_value((enum ir_type)type, text, strlen(text), &err);
    else if (ir_value_check((enum ir_type)type, value, &err) == 0)
        read = json_incref((json_t *)value);
    size_t i;
    bool found = choices == NULL || !read;
    json_array_foreach (choices, i, choice)
        found = found || ir_value_equal(choice, read);
    if (!read)
        front_problem(f, "params.%s: %s", name, err.text);
    else if (!found)
        front_problem(f, "params.%s: is not one of the parameter's choices", name);
}

void front_given(struct front *f, const json_t *params, const char *name, const json_t *value,
                 const char *text)
{
    const json_t *param = param_named(params, name);
    if (!param)
        tell_no_param(f, params, name);
    else if (!strstr(text, "${{"))
        check_value(f, param, value, text);
}

char *front_template_of(const json_t *value)
{
    if (json_is_string(value))
        return mem_string(json_string_value(value));
    cleanup_free char *json = json_write(value);
    cleanup_text struct text out = {0};
    for (const char *s = json; *s; s++) {
        if (strncmp(s, "${{", 3) == 0)
            text_puts(&out, "$");
        text_append(&out, s, 1);
    }
    return text_take(&out);
}

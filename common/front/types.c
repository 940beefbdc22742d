/* Of which type a value that an expression looks at will be, as far as the file says it. */
#include <string.h>

#include "common/front/front.h"
#include "common/front/scope.h"
#include "common/ir/value.h"
#include "common/text/json.h"

#define BIT(type) (1U << (type))

/* A number without a fraction is read as an int. */
static const unsigned OF_TYPE[] = {
    [IR_STRING] = BIT(CEL_STRING), [IR_INTEGER] = BIT(CEL_INT),
    [IR_BOOLEAN] = BIT(CEL_BOOL),  [IR_NUMBER] = BIT(CEL_INT) | BIT(CEL_DOUBLE),
    [IR_JSON] = CEL_ANY,           [IR_ARTIFACT] = CEL_ANY,
};

/* Of the declaration of a parameter or output, of which nothing deeper is looked at. */
static unsigned types_of_declared(const json_t *declared)
{
    const int type = ir_type_parse(json_get_string(declared, "type", "artifact"));
    if (!declared || type < 0)
        return CEL_ANY;
    return json_get_int(declared, "list", 0) > 0 ? BIT(CEL_LIST) : OF_TYPE[type];
}

static unsigned types_of_output(const struct front *f, int32_t step, const char *name)
{
    return types_of_declared(json_object_get(json_object_get(f->step[step].out, "outputs"), name));
}

static unsigned types_of_param(const struct front *f, const char *name)
{
    const int32_t index = names_find(f->unit->params, name);
    return index < 0 ? CEL_ANY : types_of_declared(json_array_get(f->unit->params_out, index));
}

/* steps.NAME.state, steps.NAME.outputs.NAME */
static unsigned types_of_step(const struct front *f, int32_t from, const struct cel_reference *ref)
{
    if (ref->count == 3)
        return BIT(CEL_STRING);
    int32_t by;
    const int32_t found = front_find(f, from, ref->names[1], &by);
    return found < 0 ? CEL_ANY : types_of_output(f, found, ref->names[3]);
}

static bool is_path(const struct cel_reference *ref, const char *root, size_t count)
{
    return ref->count == count && strcmp(ref->names[0], root) == 0;
}

unsigned scope_types(const struct front *f, const struct scope *scope,
                     const struct cel_reference *ref)
{
    if (is_path(ref, "params", 2))
        return types_of_param(f, ref->names[1]);
    if (is_path(ref, "run", 2))
        return strcmp(ref->names[1], "number") == 0 ? BIT(CEL_INT) : BIT(CEL_STRING);
    if (is_path(ref, "vars", 2) || is_path(ref, "outcome", 2))
        return BIT(CEL_STRING);
    if (is_path(ref, "steps", 3) || is_path(ref, "steps", 4))
        return types_of_step(f, scope->step, ref);
    if (scope->roots & SCOPE_RESULTS && is_path(ref, "outputs", 2))
        return types_of_output(f, scope->step, ref->names[1]);
    return CEL_ANY;
}

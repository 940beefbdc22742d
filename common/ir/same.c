/* What an expression sees when its run is made again. */
#include <string.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/ir/ir.h"

struct look {
    const struct ir *ir;
    const json_t *now, *then;
    int32_t at; /* the step, or the group whose parameters these are */
    unsigned sees;
};

/* Names other than `params`; what is none of them is an item, or its place. */
static const struct {
    const char *name;
    unsigned sees;
} ROOTS[] = {{"event", 0},
             {"vars", 0},
             {"run", 0},
             {"inputs", 0},
             {"outputs", 0},
             {"steps", IR_SEES_OTHER},
             {"loop", IR_SEES_OTHER},
             {"outcome", IR_SEES_OTHER}};

/* The nearest group around it that was written elsewhere; -1 = none. */
static int32_t scope_of(const struct ir *ir, int32_t step)
{
    int32_t at = ir->steps[step].parent;
    while (at >= 0 && !ir->steps[at].group->scope)
        at = ir->steps[at].parent;
    return at;
}

static bool is_another(const struct look *look, const char *name)
{
    const json_t *now = name ? json_object_get(look->now, name) : look->now;
    const json_t *then = name ? json_object_get(look->then, name) : look->then;
    return (now || then) && !json_equal(now, then);
}

static void note(void *user, const struct cel_reference *ref);

/* `name` NULL = all of them. */
static void note_params(struct look *look, const char *name)
{
    const int32_t scope = scope_of(look->ir, look->at), at = look->at;
    if (scope < 0) {
        look->sees |= is_another(look, name) ? IR_SEES_OTHER : 0;
        return;
    }
    const struct ir_group *group = look->ir->steps[scope].group;
    look->at = scope;
    for (size_t i = 0; i < group->param_count; i++)
        if (group->params[i].value && (!name || strcmp(name, group->params[i].name) == 0))
            template_references(group->params[i].value, note, look);
    look->at = at;
}

static void note(void *user, const struct cel_reference *ref)
{
    struct look *look = user;
    if (strcmp(ref->names[0], "params") == 0) {
        note_params(look, ref->count > 1 ? ref->names[1] : NULL);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(ROOTS); i++)
        if (strcmp(ref->names[0], ROOTS[i].name) == 0) {
            const bool round = strcmp(ROOTS[i].name, "loop") == 0;
            look->sees |= round && plant_on(PLANT_PINNED_OF_A_ROUND) ? 0 : ROOTS[i].sees;
            return;
        }
    look->sees |= IR_SEES_ITEM;
}

unsigned ir_sees_again(const struct ir *ir, int32_t step, const struct template *text,
                       const json_t *now, const json_t *then)
{
    struct look look = {.ir = ir, .now = now, .then = then, .at = step};
    template_references(text, note, &look);
    return look.sees;
}

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
    bool seen[IR_DEPTH_MAX][IR_PARAMS_MAX]; /* of the groups around, by their depth */
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

/* What it is given is looked at once, however many of those inside are made of it. */
static void note_param(struct look *look, const struct ir_step *scope, size_t i)
{
    bool *seen = &look->seen[scope->depth][i];
    if (!*seen && scope->group->params[i].value) {
        *seen = true;
        template_references(scope->group->params[i].value, note, look);
    }
}

/* `name` NULL = all of them. */
static void note_params(struct look *look, const char *name)
{
    const int32_t scope = scope_of(look->ir, look->at), at = look->at;
    if (scope < 0) {
        look->sees |= is_another(look, name) ? IR_SEES_OTHER : 0;
        return;
    }
    const struct ir_step *around = &look->ir->steps[scope];
    look->at = scope;
    for (size_t i = 0; i < around->group->param_count; i++)
        if (!name || strcmp(name, around->group->params[i].name) == 0)
            note_param(look, around, i);
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

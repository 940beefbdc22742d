#include "scheduler/core/dag/lists.h"

#include "common/base/arena.h"

bool lists_taken(const struct ir *ir, const struct ir_step *def)
{
    for (size_t i = 0; i < def->input_count; i++) {
        const struct ir_input *in = &def->inputs[i];
        const struct ir_output *from =
            in->kind == IR_INPUT_OUTPUT ? ir_output_find(&ir->steps[in->step], in->output) : NULL;
        if (from && from->list > 0 && from->type == IR_ARTIFACT)
            return true;
    }
    return false;
}

/* Of lists within it too; what is no list counts in the one around it. No further than `most`. */
static size_t count_elements(const json_t *list, size_t most)
{
    const size_t size = json_array_size(list);
    size_t count = size;
    for (size_t i = 0; i < size && count <= most; i++)
        count += count_elements(json_array_get(list, i), most - count);
    return count;
}

void lists_put(const struct frame *f, const struct ir_step *from, const char *output, json_t *value,
               struct arena *arena, struct order_input *to)
{
    struct order_list *of = arena_alloc(arena, sizeof *of);
    *of = (struct order_list){f->dag->steps[from->place], f->id, output};
    to->of = of;
    to->list = count_elements(value, LISTS_INLINE_MAX) > LISTS_INLINE_MAX ? NULL : value;
}

bool lists_only_say_where(struct order_start *start)
{
    bool any = false;
    for (size_t i = 0; i < start->inputs_count; i++) {
        any |= start->inputs[i].list != NULL;
        start->inputs[i].list = NULL;
    }
    return any;
}

#include <string.h>

#include "common/ir/load.h"

static const char *const KINDS[] = {[IR_ON_OBJECT] = "object",
                                    [IR_ON_PUSH] = "push",
                                    [IR_ON_CRON] = "cron",
                                    [IR_ON_EVENT] = "event",
                                    [IR_ON_EVENT + 1] = NULL};
static const char *const MISSED[] = {[IR_MISSED_LATEST] = "latest",
                                     [IR_MISSED_ALL] = "all",
                                     [IR_MISSED_NONE] = "none",
                                     [IR_MISSED_NONE + 1] = NULL};

static bool has_type(const json_t *types, const char *type)
{
    size_t i;
    json_t *word;
    json_array_foreach (types, i, word) {
        if (json_is_string(word) && strcmp(json_string_value(word), type) == 0)
            return true;
    }
    return false;
}

static void load_trigger(struct loader *l, const json_t *json, struct ir_trigger *t)
{
    const json_t *types = load_list(l, json, "types", 2);
    t->name = load_text(l, json, "name", true);
    t->kind = (enum ir_trigger_kind)load_word(l, json, "kind", KINDS, -1);
    t->source = load_text(l, json, "source", false);
    t->type = load_text(l, json, "type", t->kind == IR_ON_EVENT);
    t->bucket = load_text(l, json, "bucket", t->kind == IR_ON_OBJECT);
    t->prefix = load_text(l, json, "prefix", false);
    t->suffix = load_text(l, json, "suffix", false);
    t->created = has_type(types, "created");
    t->deleted = has_type(types, "deleted");
    t->branch = load_text(l, json, "branch", false);
    t->tag = load_text(l, json, "tag", false);
    t->repository = load_text(l, json, "repository", false);
    t->schedule = load_text(l, json, "schedule", t->kind == IR_ON_CRON);
    t->timezone = load_text(l, json, "timezone", t->kind == IR_ON_CRON);
    t->missed = (enum ir_missed)load_word(l, json, "missed", MISSED, IR_MISSED_LATEST);
    t->filter = load_cel(l, json, "filter");
    t->run_name = load_template(l, json, "run_name");
    t->experiment = load_template(l, json, "experiment");
    t->params = load_bindings(l, json, "params", &t->param_count);
    t->vars = load_bindings(l, json, "vars", &t->var_count);
}

void load_triggers(struct loader *l, const json_t *json)
{
    struct ir *ir = l->ir;
    const json_t *triggers = load_list(l, json, "triggers", IR_TRIGGERS_MAX);
    ir->trigger_count = json_array_size(triggers);
    if (ir->trigger_count)
        ir->triggers = arena_alloc(ir->arena, ir->trigger_count * sizeof *ir->triggers);
    for (size_t i = 0; i < ir->trigger_count; i++) {
        const json_t *trigger = json_array_get(triggers, i);
        const char *name = json_string_value(json_object_get(trigger, "name"));
        l->where = name ? name : "trigger";
        load_trigger(l, trigger, &ir->triggers[i]);
    }
}

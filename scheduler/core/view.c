#include "scheduler/core/view.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "scheduler/core/order.h"

static void see(struct view *v, const char *name, json_t *value)
{
    v->items[v->vars.count++] = (struct cel_var){name, value};
}

static void see_owned(struct view *v, const char *name, json_t *value)
{
    v->owned[v->owned_count++] = value;
    see(v, name, value);
}

/* Made once: it does not change while the run lives. */
static json_t *run_self(struct run *run)
{
    if (run->self)
        return run->self;
    char id[UUID_TEXT], created[CLOCK_TEXT];
    uuid_format(&run->id, id);
    clock_format(run->created_us, created);
    run->self = json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s}", "id", id, "name", run->name,
                          "number", (json_int_t)run->number, "pipeline", run->pipeline->name,
                          "version", run->version->hash, "experiment", run->experiment, "trigger",
                          run->trigger, "created", created);
    return run->self;
}

static json_t *steps_seen(const struct run *run, int32_t step)
{
    const struct ir_step *def = step_ir(run, step);
    json_t *steps = json_object();
    for (size_t n = 0; n < def->need_count; n++) {
        const struct step *need = &run->steps[def->needs[n]];
        json_t *outputs = need->outputs ? json_incref(need->outputs) : json_object();
        json_object_set_new(steps, step_ir(run, def->needs[n])->name,
                            json_pack("{s:s, s:o}", "state",
                                      machine_state_name(&MACHINE_STEP, need->state), "outputs",
                                      outputs));
    }
    return steps;
}

/* {NAME: {"path": WORKSPACE/ATTEMPT/FOLDER/NAME}}; /leat/FOLDER/NAME in a container */
static void add_path(json_t *to, const struct attempt *a, const char *id, const char *folder,
                     const char *name)
{
    const struct ir_step *def = step_ir(a->run, a->step);
    const bool container = order_executor_for(def, a->worker) == ORDER_START_EXECUTOR_DOCKER;
    cleanup_free char *path =
        container ? mem_printf("/leat/%s/%s", folder, name)
                  : mem_printf("%s/%s/%s/%s", a->worker->workspace, id, folder, name);
    json_object_set_new(to, name, json_pack("{s:s}", "path", path));
}

static json_t *paths_seen(const struct attempt *a, bool inputs)
{
    const struct ir_step *def = step_ir(a->run, a->step);
    char id[UUID_TEXT];
    uuid_format(&a->id, id);
    json_t *paths = json_object();
    for (size_t i = 0; inputs && i < def->input_count; i++)
        add_path(paths, a, id, "in", def->inputs[i].name);
    for (size_t i = 0; !inputs && i < def->output_count; i++)
        add_path(paths, a, id, "out", def->outputs[i].name);
    return paths;
}

void view_open_plain(struct view *v, json_t *event, json_t *vars, json_t *params, json_t *run)
{
    memset(v, 0, sizeof *v);
    v->vars.items = v->items;
    see(v, "event", event);
    see(v, "vars", vars);
    see(v, "params", params);
    see(v, "run", run);
}

void view_open(struct view *v, struct run *run, int32_t step, uint8_t sees,
               const struct attempt *attempt)
{
    view_open_plain(v, run->event, run->vars, run->params, sees & SEES_RUN ? run_self(run) : NULL);
    if (sees & SEES_STEPS)
        see_owned(v, "steps", steps_seen(run, step));
    if (attempt && sees & SEES_INPUTS)
        see_owned(v, "inputs", paths_seen(attempt, true));
    if (attempt && sees & SEES_OUTPUTS)
        see_owned(v, "outputs", paths_seen(attempt, false));
}

void view_close(struct view *v)
{
    while (v->owned_count)
        json_decref(v->owned[--v->owned_count]);
}

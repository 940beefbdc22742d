#include "scheduler/core/dag/view.h"

#include <assert.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/plant.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/dag/groups.h"
#include "scheduler/core/place/order.h"

void view_begin(struct view *v)
{
    memset(v, 0, sizeof *v);
    v->vars.items = v->items;
}

void view_add(struct view *v, const char *name, json_t *value)
{
    for (size_t i = 0; i < v->vars.count; i++)
        if (strcmp(v->items[i].name, name) == 0)
            return; /* something nearer has that name */
    assert(v->vars.count < VIEW_VARS);
    v->items[v->vars.count++] = (struct cel_var){name, value};
}

static void add_owned(struct view *v, const char *name, json_t *value)
{
    v->owned[v->owned_count++] = value;
    view_add(v, name, value);
}

static bool has(const struct view *v, const char *name)
{
    for (size_t i = 0; i < v->vars.count; i++)
        if (strcmp(v->items[i].name, name) == 0)
            return true;
    return false;
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

static json_t *steps_seen(struct step_ref at)
{
    const struct ir_step *def = ref_ir(at);
    json_t *steps = json_object();
    for (size_t n = 0; n < def->see_count; n++) {
        const struct ir_step *other = step_ir(ref_run(at), def->sees[n]);
        const struct frame *f = frame_of_step(at.frame, def->sees[n]);
        const struct step *s = &f->steps[other->place];
        json_t *outputs = s->outputs ? json_incref(s->outputs) : json_object();
        json_object_set_new(steps, other->label,
                            json_pack("{s:s, s:o}", "state",
                                      machine_state_name(&MACHINE_STEP, s->state), "outputs",
                                      outputs));
    }
    return steps;
}

/* {NAME: {"path": WORKSPACE/ATTEMPT/FOLDER/NAME}}; in a container /leat/FOLDER/NAME, or what the
 * file says. */
static void add_path(json_t *to, const struct attempt *a, const char *id, const char *folder,
                     const char *name, const char *said)
{
    const struct ir_step *def = ref_ir(a->at);
    const bool container = order_executor_for(def, a->worker) == ORDER_START_EXECUTOR_DOCKER;
    cleanup_free char *path =
        said        ? mem_string(said)
        : container ? mem_printf("/leat/%s/%s", folder, name)
                    : mem_printf("%s/%s/%s/%s", a->worker->workspace, id, folder, name);
    json_object_set_new(to, name, json_pack("{s:s}", "path", path));
}

static json_t *paths_seen(const struct attempt *a, bool inputs)
{
    const struct ir_step *def = ref_ir(a->at);
    char id[UUID_TEXT];
    uuid_format(&a->id, id);
    json_t *paths = json_object();
    for (size_t i = 0; inputs && i < def->input_count; i++)
        add_path(paths, a, id, "in", def->inputs[i].name, NULL);
    for (size_t i = 0; !inputs && i < def->output_count; i++)
        add_path(paths, a, id, "out", def->outputs[i].name, def->outputs[i].path);
    return paths;
}

/* ---- what is around it --------------------------------------------------------------------- */

/* How the work of the DAG went that a finally step ends; what other finally steps have come to does
 * not count, so that all of them are told the same. */
static void add_outcome(struct view *v, const struct frame *f)
{
    const struct run *run = f->run;
    const int32_t failed = plant_on(PLANT_OUTCOME_OF_FINALLY_STEPS) ? f->failed : f->work_failed;
    const char *state = f->stop == STOP_CANCELLED ? "cancelled"
                        : f->stop || failed       ? "failed"
                                                  : "succeeded"; /* only a stop cancels */
    const char *reason = strcmp(state, "succeeded") == 0 ? NULL
                         : f->group                      ? f->reason
                                                         : run->reason;
    if (!has(v, "outcome"))
        add_owned(v, "outcome",
                  json_pack("{s:s, s:s}", "state", state, "reason", reason ? reason : ""));
}

json_t *view_loop(const struct group *g, int32_t ordinal)
{
    const json_t *before = group_gave(g, ordinal - 1);
    json_t *previous = json_object();
    for (size_t i = 0; i < g->def->output_count; i++) {
        const char *name = g->def->outputs[i].name;
        json_t *value = json_object_get(before, name);
        json_object_set_new(previous, name, value ? json_incref(value) : json_null());
    }
    return json_pack("{s:i, s:o}", "index", (int)ordinal, "previous", previous);
}

static void add_frame(struct view *v, const struct frame *f)
{
    const struct ir_group *def = f->group->def->group;
    if (def->mode == IR_GROUP_FOR_EACH) {
        view_add(v, def->as, json_array_get(f->group->items, (size_t)f->ordinal));
        if (!has(v, "index"))
            add_owned(v, "index", json_integer(f->ordinal));
    } else if (def->mode == IR_GROUP_LOOP && !has(v, "loop")) {
        add_owned(v, "loop", view_loop(f->group, f->ordinal));
    }
}

/* Outwards to the root or to what was written elsewhere, whose params are seen inside. */
static void add_around(struct view *v, struct step_ref at, const struct frame *f)
{
    json_t *params = at.frame->run->params;
    if (ref_ir(at)->finally)
        add_outcome(v, at.frame);
    for (const struct frame *from = f; f->group; f = f->group->at.frame) {
        const bool inside = f != from || f == at.frame; /* else `at` is the group itself */
        add_frame(v, f);
        if (f->group->def->group->scope && inside && !plant_on(PLANT_PART_SEES_PARAMS_OUTSIDE) &&
            !(plant_on(PLANT_UNFIT_PART_SEES_OUTSIDE) && !f->params)) {
            params = f->params; /* NULL: they cannot be worked out, and no others are seen */
            break;
        }
        if (f->group->def->finally)
            add_outcome(v, f->group->at.frame);
    }
    view_add(v, "params", params);
}

void view_fill(struct view *v, struct step_ref at, struct frame *from, uint8_t sees,
               const struct attempt *attempt)
{
    struct run *run = ref_run(at);
    view_add(v, "event", run->event);
    view_add(v, "vars", run->vars);
    if (sees & SEES_RUN)
        view_add(v, "run", run_self(run));
    if (sees & SEES_STEPS)
        add_owned(v, "steps", steps_seen(at));
    if (attempt && sees & SEES_INPUTS)
        add_owned(v, "inputs", paths_seen(attempt, true));
    if (attempt && sees & SEES_OUTPUTS)
        add_owned(v, "outputs", paths_seen(attempt, false));
    add_around(v, at, from);
}

void view_open(struct view *v, struct step_ref at, uint8_t sees, const struct attempt *attempt)
{
    view_begin(v);
    view_fill(v, at, at.frame, sees, attempt);
}

void view_close(struct view *v)
{
    while (v->owned_count)
        json_decref(v->owned[--v->owned_count]);
}

/* ---- into what was written elsewhere ------------------------------------------------------- */

static uint8_t params_see(const struct ir_group *def)
{
    uint8_t sees = 0;
    for (size_t i = 0; i < def->param_count; i++)
        if (def->params[i].value)
            sees |= order_sees_template(def->params[i].value);
    return sees;
}

int view_params(struct frame *f, struct err *err)
{
    const struct ir_group *def = f->group->def->group;
    struct view view;
    assert(!f->params);
    if (!def->scope)
        return 0;
    view_begin(&view);
    if (plant_on(PLANT_PARAMS_OF_THE_FIRST_ITEM))
        add_owned(&view, "index", json_integer(0));
    view_fill(&view, f->group->at, f, params_see(def), NULL);
    f->params = ir_group_params(def, &view.vars, err);
    view_close(&view);
    return f->params ? 0 : err_wrap(err, "with");
}

/* Runs that repeat a finished one. */
#include <string.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/text/json.h"
#include "scheduler/core/catalog.h"
#include "scheduler/core/commands_internal.h"
#include "scheduler/core/run/learned.h"
#include "scheduler/core/run/only.h"
#include "scheduler/core/run/paths.h"
#include "scheduler/core/run/runs.h"

static struct learned *run_to_repeat(const struct asked *a)
{
    if (run_find(a->core, &a->command->of)) {
        command_refuse(a, "the run is not over; cancel it first or wait");
        return NULL;
    }
    struct learned *of = learned_find(a->core, &a->command->of);
    if (!of)
        command_refuse(a, "there is no such run");
    return of;
}

/* ---- the step to begin from ---------------------------------------------------------------- */

enum tries { NO_TRY, TRIED, TRIED_BRANCH };

/* Did the group begin in that run, and with the branch in which the step stands? */
static enum tries tries_of(const struct learned *of, int32_t group, int32_t branch)
{
    enum tries found = NO_TRY;
    for (size_t i = 0; i < of->group_count && found != TRIED_BRANCH; i++)
        if (of->groups[i].step == group)
            found = of->groups[i].branch == branch ? TRIED_BRANCH : TRIED;
    return found;
}

/* Of a group that never began: why nothing of it can; NULL = it can. */
static const struct learned_result *result_without_try(const struct learned *of, int32_t group)
{
    const struct learned_result *first = NULL;
    for (size_t i = 0; i < of->result_count; i++) {
        const struct learned_result *r = &of->results[i];
        if (r->step == group && r->state != STEP_SKIPPED && r->state != STEP_SUCCEEDED)
            return NULL;
        if (r->step == group && !first)
            first = r;
    }
    return first;
}

/* What stands in a group that did not go that way is no place to begin from. */
static bool group_is_there(const struct asked *a, const struct learned *of, const struct ir *ir,
                           const struct ir_step *inside)
{
    const struct ir_step *group = &ir->steps[inside->parent];
    const enum tries tries = tries_of(of, inside->parent, inside->branch);
    if (tries == TRIED)
        command_refuse(a, "step %s stands in a branch of %s that was not taken in that run",
                       inside->name, group->name);
    if (tries != NO_TRY)
        return tries == TRIED_BRANCH;
    const struct learned_result *r = result_without_try(of, inside->parent);
    if (r && learned_is_adopted(r))
        command_refuse(a, "%s was %s as a whole: retry that run from %s, or this one from %s",
                       group->name, r->reason, inside->name, group->name);
    else if (r)
        command_refuse(a, "%s %s in that run: nothing of it can begin", group->name,
                       r->state == STEP_SKIPPED ? "was skipped" : "had no items");
    else
        return true; /* it never began: all of it runs anew */
    return false;
}

static bool path_is_there(const struct asked *a, const struct learned *of, const struct ir *ir,
                          int32_t step)
{
    int32_t path[IR_DEPTH_MAX + 1];
    int depth = 0;
    for (; ir->steps[step].parent >= 0; step = ir->steps[step].parent)
        path[depth++] = step;
    while (depth > 0) /* from outside inwards */
        if (!group_is_there(a, of, ir, &ir->steps[path[--depth]]))
            return false;
    return true;
}

static bool step_to_begin_from(const struct asked *a, const struct learned *of, const struct ir *ir)
{
    struct err err = {0};
    const char *from = a->command->from;
    const bool named = from && *from;
    const int32_t step = named ? path_find(ir, from, &err) : -1;
    if (!named && of->state == RUN_SUCCEEDED)
        command_refuse(a, "the run succeeded: there is nothing to try again; name a step to begin "
                          "from");
    else if (named && step < 0)
        command_refuse(a, "%s", err.text);
    else
        return !named || path_is_there(a, of, ir, step);
    return false;
}

/* ---- the new run --------------------------------------------------------------------------- */

/* As the old one was, but for what is said otherwise. */
static struct run_plan plan_like(const struct asked *a, struct learned *of, struct pipeline *p,
                                 struct version *v)
{
    return (struct run_plan){.id = a->command->run,
                             .pipeline = p,
                             .version = v,
                             .experiment = of->experiment,
                             .trigger = of->trigger,
                             .params = of->params,
                             .vars = of->vars,
                             .event = plant_on(PLANT_AGAIN_WITHOUT_THE_EVENT) ? NULL : of->event,
                             .event_id = of->event_id,
                             .retry_of = of->id,
                             .adopts = of,
                             .no_cache =
                                 a->command->no_cache && !plant_on(PLANT_NO_CACHE_OF_RUN_ALONE),
                             .cancelled = a->tombstoned};
}

/* A run that failed since they could not be worked out has none that could be the same. */
static bool has_params(const struct asked *a, const struct learned *of, const struct ir *ir)
{
    for (size_t i = 0; i < ir->param_count; i++)
        if (!json_object_get(of->params, ir->params[i].name)) {
            command_refuse(a,
                           "the run failed before it had its parameter %s: a rerun may be given "
                           "it",
                           ir->params[i].name);
            return false;
        }
    return true;
}

void command_take_retry(const struct asked *a)
{
    struct learned *of = run_to_repeat(a);
    struct pipeline *p = of ? command_pipeline(a, of->pipeline) : NULL;
    struct version *v = p ? command_version(a, p, of->version) : NULL;
    if (!v || !command_id_is_free(a) || !has_params(a, of, v->ir) ||
        !step_to_begin_from(a, of, v->ir) || !command_has_room(a))
        return;
    const char *from = a->command->from;
    struct run_plan plan = plan_like(a, of, p, v);
    plan.name = of->name;
    plan.retry_from = from && *from ? from : NULL;
    run_make(a->core, &plan, a->now, a->out);
    command_accept(a);
}

/* Those of the old run that this version has, and over them what is given. NULL: refused. */
static json_t *params_over(const struct asked *a, const struct learned *of, const struct ir *ir)
{
    struct err err = {0};
    json_t *all cleanup_json = json_object();
    for (size_t i = 0; i < ir->param_count; i++)
        json_object_set(all, ir->params[i].name, json_object_get(of->params, ir->params[i].name));
    if (a->command->params)
        json_object_update(all, a->command->params);
    json_t *params = ir_params(ir, all, true, &err);
    if (!params)
        command_refuse(a, "%s", err.text);
    return params;
}

static void make(const struct asked *a, struct run_plan *plan)
{
    const struct command *c = a->command;
    json_t *params cleanup_json = params_over(a, plan->adopts, plan->version->ir);
    if (!params || !command_has_room(a))
        return;
    plan->params = params;
    plan->name = c->name;
    if (c->experiment && *c->experiment)
        plan->experiment = c->experiment;
    run_make(a->core, plan, a->now, a->out);
    command_accept(a);
}

/* ---- rerun --------------------------------------------------------------------------------- */

static bool event_is_there(const struct asked *a, const struct learned *of)
{
    char event[UUID_TEXT];
    if (uuid_is_nil(&of->event_id) || of->event || a->command->anyway)
        return true;
    uuid_format(&of->event_id, event);
    command_refuse(a,
                   "the event that started it, %s, is no longer kept: what looks at it would "
                   "see none (--anyway runs it so)",
                   event);
    return false;
}

void command_take_rerun(const struct asked *a)
{
    struct learned *of = run_to_repeat(a);
    struct pipeline *p = of ? command_pipeline(a, of->pipeline) : NULL;
    struct version *v = p ? command_version(a, p, of->version) : NULL;
    if (!v || !command_id_is_free(a) || !event_is_there(a, of))
        return;
    struct run_plan plan = plan_like(a, of, p, v);
    plan.again = AGAIN_RERUN;
    make(a, &plan);
}

/* ---- only ---------------------------------------------------------------------------------- */

static bool has_what_is_needed(const struct asked *a, const struct learned *of, const struct ir *ir)
{
    struct err err = {0};
    const struct version *old = version_find(a->core, of->pipeline, of->version);
    cleanup_free uint8_t *marks = mem_array(ir->step_count + 1, 1);
    const char *steps = a->command->steps;
    if (!steps || !*steps)
        command_refuse(a, "name the steps to run");
    else if (strcmp(of->pipeline, ir->name) != 0)
        command_refuse(a, "that run is one of pipeline %s", of->pipeline);
    else if (!old || !old->ir)
        command_refuse(a, "the version of that run cannot be read any more");
    else if (only_mark(ir, steps, marks, &err) < 0 || only_check(ir, marks, old->ir, of, &err) < 0)
        command_refuse(a, "%s", err.text);
    else
        return true;
    return false;
}

void command_take_only(const struct asked *a)
{
    struct learned *of = run_to_repeat(a);
    struct pipeline *p = of ? command_pipeline(a, a->command->pipeline) : NULL;
    struct version *v = p ? command_version(a, p, a->command->version) : NULL;
    if (!v || !command_id_is_free(a) || !has_what_is_needed(a, of, v->ir))
        return;
    struct run_plan plan = plan_like(a, of, p, v);
    plan.again = AGAIN_ONLY;
    plan.retry_from = a->command->steps;
    make(a, &plan);
}

#include "scheduler/core/events.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "scheduler/core/runs.h"
#include "scheduler/core/view.h"

struct uuid event_run_id(const struct event *event, const char *pipeline, const char *trigger)
{
    char id[UUID_TEXT];
    uuid_format(&event->id, id);
    cleanup_free char *name = mem_printf("%s|%s|%s", id, pipeline, trigger);
    uint8_t digest[SHA256_BYTES];
    sha256(name, strlen(name), digest);
    int64_t at = 0;
    if (!event->time || clock_parse(event->time, &at) < 0 || at < 0)
        at = 0;
    return uuid_v7(at / US_PER_MS, digest);
}

/* What one trigger makes of one event while it is worked out. */
struct firing {
    struct core *core;
    struct pipeline *pipeline;
    const struct ir_trigger *trigger;
    const struct event *event;
    json_t *envelope; /* borrowed */
    struct uuid run;
    json_t *vars, *params;
    char *run_name, *experiment;
    struct err err; /* the first thing that could not be worked out */
};

static void firing_clear(struct firing *f)
{
    json_decref(f->vars);
    json_decref(f->params);
    free(f->run_name);
    free(f->experiment);
}

/* The event's git variables, what this trigger adds, and its own _NAMEs in order. */
static int find_vars(struct firing *f)
{
    char id[UUID_TEXT];
    uuid_format(&f->run, id);
    f->vars = json_is_object(f->event->vars) ? json_copy(f->event->vars) : json_object();
    json_object_set_new(f->vars, "TRIGGER_NAME", json_string(f->trigger->name));
    json_object_set_new(f->vars, "BUILD_ID", json_string(id));
    for (size_t i = 0; i < f->trigger->var_count; i++) {
        struct view view;
        view_open_plain(&view, f->envelope, f->vars, NULL, NULL);
        json_t *value = template_eval_json(f->trigger->vars[i].value, &view.vars, &f->err);
        if (!value)
            return err_wrap(&f->err, "vars.%s", f->trigger->vars[i].name);
        json_object_set_new(f->vars, f->trigger->vars[i].name, value);
    }
    return 0;
}

static int find_params(struct firing *f)
{
    json_t *given cleanup_json = json_object();
    struct view view;
    view_open_plain(&view, f->envelope, f->vars, NULL, NULL);
    for (size_t i = 0; i < f->trigger->param_count; i++) {
        const struct ir_binding *param = &f->trigger->params[i];
        json_t *value = template_eval_json(param->value, &view.vars, &f->err);
        if (!value)
            return err_wrap(&f->err, "params.%s", param->name);
        json_object_set_new(given, param->name, value);
    }
    f->params = ir_params(f->pipeline->current->ir, given, true, &f->err);
    return f->params ? 0 : f->err.code;
}

static int find_text(struct firing *f, const struct template *t, const char *what, char **to)
{
    if (!t)
        return 0;
    struct view view;
    view_open_plain(&view, f->envelope, f->vars, f->params, NULL);
    *to = template_eval(t, &view.vars, &f->err);
    return *to ? 0 : err_wrap(&f->err, "%s", what);
}

static int find_all(struct firing *f)
{
    if (find_vars(f) < 0 || find_params(f) < 0 ||
        find_text(f, f->trigger->experiment, "experiment", &f->experiment) < 0 ||
        find_text(f, f->trigger->run_name, "run_name", &f->run_name) < 0)
        return f->err.code;
    return 0;
}

static void add_verdict(json_t *verdicts, const struct firing *f, const char *verdict,
                        const char *reason)
{
    json_t *v = json_pack("{s:s, s:s, s:s}", "pipeline", f->pipeline->name, "trigger",
                          f->trigger->name, "verdict", verdict);
    if (!uuid_is_nil(&f->run)) {
        char id[UUID_TEXT];
        uuid_format(&f->run, id);
        json_object_set_new(v, "run", json_string(id));
    }
    if (reason)
        json_object_set_new(v, "reason", json_string(reason));
    json_array_append_new(verdicts, v);
}

/* -1: the filter cannot be evaluated, which is a verdict without a run. */
static int passes(const struct firing *f, struct err *err)
{
    if (!f->trigger->filter)
        return 1;
    struct view view;
    view_open_plain(&view, f->envelope, f->event->vars, NULL, NULL);
    bool holds = false;
    if (cel_eval_bool(f->trigger->filter, &view.vars, &holds, err) < 0)
        return -1;
    return holds;
}

static void fire(struct firing *f, json_t *verdicts, const struct core_now *now, struct batch *out)
{
    f->run = event_run_id(f->event, f->pipeline->name, f->trigger->name);
    if (run_find(f->core, &f->run)) /* the inbox forgot the event while its run is live */
        return;
    bool failed = find_all(f) < 0;
    struct run_plan plan = {
        .id = f->run,
        .pipeline = f->pipeline,
        .version = f->pipeline->current,
        .name = failed ? NULL : f->run_name,
        .experiment = f->experiment,
        .trigger = f->trigger->name,
        .params = f->params,
        .vars = f->vars,
        .event = f->envelope,
        .event_id = f->event->id,
        .failure = failed ? f->err.text : NULL,
    };
    run_make(f->core, &plan, now, out);
    add_verdict(verdicts, f, failed ? "failed" : "run", failed ? f->err.text : NULL);
}

static void meet(struct firing *f, json_t *verdicts, const struct core_now *now, struct batch *out)
{
    struct err err = {0};
    if (f->pipeline->paused) {
        add_verdict(verdicts, f, "paused", NULL);
        return;
    }
    int passed = passes(f, &err);
    if (passed < 0)
        add_verdict(verdicts, f, "failed", err.text);
    else if (passed == 0)
        add_verdict(verdicts, f, "filtered", NULL);
    else
        fire(f, verdicts, now, out);
}

static void meet_triggers(struct core *core, struct pipeline *p, const struct event *event,
                          const char *text, json_t **envelope, json_t *verdicts,
                          const struct core_now *now, struct batch *out)
{
    const struct ir *ir = p->current && !p->deleted ? p->current->ir : NULL;
    for (size_t i = 0; ir && i < ir->trigger_count; i++) {
        if (!ir_trigger_fits(&ir->triggers[i], p->name, event))
            continue;
        if (!*envelope)
            *envelope = json_read(text, strlen(text), NULL, NULL);
        struct firing f = {.core = core,
                           .pipeline = p,
                           .trigger = &ir->triggers[i],
                           .event = event,
                           .envelope = *envelope};
        meet(&f, verdicts, now, out);
        firing_clear(&f);
    }
}

void event_take(struct core *core, const struct event *event, const char *text,
                const struct core_now *now, struct batch *out)
{
    json_t *verdicts cleanup_json = json_array();
    json_t *envelope cleanup_json = NULL;
    struct pipeline *p, *next;
    HASH_ITER (hh, core->pipelines, p, next)
        meet_triggers(core, p, event, text, &envelope, verdicts, now, out);
    if (json_array_size(verdicts))
        core->counted.events_matched++;
    else
        core->counted.events_unmatched++;
    struct batch_event *row = batch_add_events(out);
    *row = (struct batch_event){
        .id = event->id,
        .received_us = now->wall_us,
        .source = batch_text(out, event->leatsource ? event->leatsource : ""),
        .type = batch_text(out, event->type),
        .envelope = batch_text(out, text),
        .verdicts = batch_json(out, verdicts),
    };
}

#include "scheduler/core/events.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/base/text.h"
#include "common/ir/firing.h"
#include "common/text/json.h"
#include "scheduler/core/wait/awaits.h"
#include "scheduler/core/run/runs.h"

struct uuid event_run_id(const struct event *event, const char *pipeline, const char *trigger)
{
    char id[UUID_TEXT];
    uuid_format(&event->id, id);
    cleanup_free char *name =
        mem_printf("%s|%s|%s", id, pipeline, plant_on(PLANT_RUN_ID_WITHOUT_TRIGGER) ? "" : trigger);
    uint8_t digest[SHA256_BYTES];
    sha256(name, strlen(name), digest);
    int64_t at = 0;
    if (!event->time || clock_parse(event->time, &at) < 0 || at < 0)
        at = 0;
    return uuid_v7(at / US_PER_MS, digest);
}

/* One trigger that an event fits. */
struct firing {
    struct core *core;
    struct pipeline *pipeline;
    struct uuid run;
    struct ir_firing found;
};

static void add_verdict(json_t *verdicts, const struct firing *f, const char *verdict,
                        const char *reason)
{
    json_t *v = json_pack("{s:s, s:s, s:s}", "pipeline", f->pipeline->name, "trigger",
                          f->found.trigger->name, "verdict", verdict);
    if (!uuid_is_nil(&f->run)) {
        char id[UUID_TEXT];
        uuid_format(&f->run, id);
        json_object_set_new(v, "run", json_string(id));
    }
    if (reason)
        json_object_set_new(v, "reason", json_string(reason));
    json_array_append_new(verdicts, v);
}

static void fire(struct firing *f, json_t *verdicts, const struct core_now *now, struct batch *out)
{
    const struct ir_trigger *trigger = f->found.trigger;
    char id[UUID_TEXT];
    struct err err = {0};
    f->run = event_run_id(f->found.event, f->pipeline->name, trigger->name);
    if (run_find(f->core, &f->run)) /* the inbox forgot the event while its run is live */
        return;
    uuid_format(&f->run, id);
    bool failed = ir_firing_find(&f->found, id, &err) < 0;
    struct run_plan plan = {
        .id = f->run,
        .pipeline = f->pipeline,
        .version = f->pipeline->current,
        .name = failed ? NULL : f->found.run_name,
        .experiment = f->found.experiment,
        .trigger = trigger->name,
        .params = f->found.params,
        .vars = f->found.vars,
        .event = f->found.envelope,
        .event_id = f->found.event->id,
        .failure = failed ? err.text : NULL,
    };
    const struct run *run = run_make(f->core, &plan, now, out);
    const bool skipped = run->state == RUN_SKIPPED;
    failed = run->state == RUN_FAILED; /* its key may be what could not be worked out */
    add_verdict(verdicts, f,
                failed    ? "failed"
                : skipped ? "skipped"
                          : "run",
                failed || skipped ? run->reason : NULL);
}

static bool is_paused(const struct firing *f)
{
    const json_t *names =
        plant_on(PLANT_PAUSED_TRIGGER_FIRES) ? NULL : f->pipeline->paused_triggers;
    for (size_t i = 0; i < json_array_size(names); i++)
        if (strcmp(json_string_value(json_array_get(names, i)), f->found.trigger->name) == 0)
            return true;
    return f->pipeline->paused;
}

typedef bool firing_fn(struct firing *f, void *arg); /* false: no more of them */

/* Every trigger of this pipeline that the event fits, before its filter. */
static bool each_firing(struct core *core, struct pipeline *p, const struct event *event,
                        const char *text, json_t **envelope, firing_fn *fn, void *arg)
{
    const struct ir *ir =
        p->deleted && !plant_on(PLANT_DELETED_STILL_FIRES) ? NULL : p->current->ir;
    bool more = true;
    for (size_t i = 0; more && ir && i < ir->trigger_count; i++) {
        if (!ir_trigger_fits(&ir->triggers[i], p->name, event))
            continue;
        if (!*envelope)
            *envelope = json_read(text, strlen(text), NULL, NULL);
        struct firing f = {
            .core = core,
            .pipeline = p,
            .found = {
                .ir = ir, .trigger = &ir->triggers[i], .event = event, .envelope = *envelope}};
        more = fn(&f, arg);
        ir_firing_clear(&f.found);
    }
    return more;
}

struct met {
    json_t *verdicts;
    const struct core_now *now;
    struct batch *out;
};

static bool meet(struct firing *f, void *arg)
{
    const struct met *m = arg;
    struct err err = {0};
    if (is_paused(f)) {
        add_verdict(m->verdicts, f, "paused", NULL);
        return true;
    }
    int passed = ir_firing_passes(&f->found, &err);
    if (passed < 0)
        add_verdict(m->verdicts, f, "failed", err.text);
    else if (passed == 0)
        add_verdict(m->verdicts, f, "filtered", NULL);
    else
        fire(f, m->verdicts, m->now, m->out);
    return true;
}

/* ---- too many runs ------------------------------------------------------------------------- */

static bool makes_none(struct firing *f, void *arg)
{
    (void)arg;
    return is_paused(f) || ir_firing_passes(&f->found, &(struct err){0}) <= 0;
}

static bool has_room(struct core *core, const struct event *event, const char *text,
                     json_t **envelope, const struct core_now *now, struct batch *out)
{
    if (core_room(core) > 0 || plant_on(PLANT_EVENTS_WITHOUT_BOUND))
        return true;
    for (struct pipeline *p = core->pipelines; p; p = p->hh.next)
        if (!each_firing(core, p, event, text, envelope, makes_none, NULL))
            return runs_for_steps(core) && awaits_fit(core, event, text, envelope, now, out);
    return true;
}

bool event_take(struct core *core, const struct event *event, const char *text,
                const struct core_now *now, struct batch *out)
{
    json_t *verdicts cleanup_json = json_array();
    json_t *envelope cleanup_json = NULL;
    struct pipeline *p, *next;
    if (!has_room(core, event, text, &envelope, now, out))
        return false;
    struct met met = {verdicts, now, out};
    HASH_ITER (hh, core->pipelines, p, next)
        each_firing(core, p, event, text, &envelope, meet, &met);
    awaits_meet(core, event, text, &envelope, verdicts, now, out);
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
    return true;
}

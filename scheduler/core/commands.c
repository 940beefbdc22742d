#include "scheduler/core/commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/json.h"
#include "scheduler/core/awaits.h"
#include "scheduler/core/catalog.h"
#include "scheduler/core/retire.h"
#include "scheduler/core/runs.h"

struct asked {
    struct core *core;
    const struct command *command;
    bool tombstoned;
    const struct core_now *now;
    struct batch *out;
};

/* ---- verdicts ------------------------------------------------------------------------------ */

static void answer(const struct asked *a, bool accepted, const char *detail)
{
    struct batch_command *row = batch_add_commands(a->out);
    row->id = a->command->id;
    row->kind = command_kind_name(a->command->kind);
    row->accepted = accepted;
    row->detail = batch_text(a->out, detail);
    row->at_us = a->now->wall_us;
}

static void accept(const struct asked *a)
{
    char run[UUID_TEXT];
    uuid_format(&a->command->run, run);
    answer(a, true, run);
}

static void __attribute__((format(printf, 2, 3)))
refuse(const struct asked *a, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    answer(a, false, text);
}

/* ---- run ----------------------------------------------------------------------------------- */

/* NULL after a refusal. */
static struct version *version_wanted(const struct asked *a, const struct pipeline *p,
                                      const char *hash)
{
    struct version *v = hash && *hash ? version_find(a->core, p->name, hash) : p->current;
    if (!v)
        refuse(a, "pipeline %s has no version %s", p->name, hash ? hash : "");
    else if (!v->ir)
        refuse(a, "%s", v->broken);
    return v && v->ir ? v : NULL;
}

static struct pipeline *pipeline_wanted(const struct asked *a, const char *name)
{
    struct pipeline *p = name ? pipeline_find(a->core, name) : NULL;
    if (p && !p->deleted)
        return p;
    refuse(a, p && p->current ? "pipeline %s was deleted" : "there is no pipeline %s",
           name ? name : "\"\"");
    return NULL;
}

static bool id_is_free(const struct asked *a)
{
    if (!uuid_is_nil(&a->command->run) && !run_find(a->core, &a->command->run))
        return true;
    refuse(a, "there is such a run already");
    return false;
}

static void take_run(const struct asked *a)
{
    const struct command *c = a->command;
    struct pipeline *p = pipeline_wanted(a, c->pipeline);
    struct version *v = p ? version_wanted(a, p, c->version) : NULL;
    if (!v || !id_is_free(a))
        return;
    struct err err = {0};
    json_t *none cleanup_json = json_object();
    json_t *params cleanup_json = ir_params(v->ir, c->params ? c->params : none, true, &err);
    if (!params) {
        refuse(a, "%s", err.text);
        return;
    }
    struct run_plan plan = {.id = c->run,
                            .pipeline = p,
                            .version = v,
                            .name = c->name,
                            .experiment = c->experiment,
                            .params = params,
                            .vars = none,
                            .cancelled = a->tombstoned};
    run_make(a->core, &plan, a->now, a->out);
    accept(a);
}

/* ---- cancel -------------------------------------------------------------------------------- */

static void refuse_over(const struct asked *a, int state)
{
    refuse(a, "the run is over already: %s", machine_state_name(&MACHINE_RUN, state));
}

static void take_cancel(const struct asked *a)
{
    const struct command *c = a->command;
    struct run *run = run_find(a->core, &c->run);
    if (run) {
        cleanup_free char *reason =
            c->by && *c->by ? mem_printf("cancelled by %s", c->by) : mem_string("cancelled");
        run_cancel(a->core, run, reason, false, a->now, a->out);
        accept(a);
        return;
    }
    const int over = run_over_state(a->core, &c->run);
    if (over >= 0) {
        refuse_over(a, over);
        return;
    }
    struct batch_tombstone *row = batch_add_tombstones(a->out);
    row->run = c->run;
    row->at_us = a->now->wall_us;
    accept(a);
}

/* ---- approve ------------------------------------------------------------------------------- */

static void take_approve(const struct asked *a)
{
    struct err err = {0};
    if (approval_answer(a->core, a->command, a->now, a->out, &err) == 0)
        accept(a);
    else
        refuse(a, "%s", err.text);
}

/* ---- retry --------------------------------------------------------------------------------- */

static bool step_to_begin_from(const struct asked *a, const struct learned *of, const struct ir *ir)
{
    const char *from = a->command->from;
    bool named = from && *from;
    if (!named && of->state == RUN_SUCCEEDED)
        refuse(a, "the run succeeded: there is nothing to try again; name a step to begin from");
    else if (named && ir_step_index(ir, from) < 0)
        refuse(a, "pipeline %s has no step %s in that version", of->pipeline, from);
    else
        return true;
    return false;
}

static struct learned *run_to_repeat(const struct asked *a)
{
    if (run_find(a->core, &a->command->of)) {
        refuse(a, "the run is not over; cancel it first or wait");
        return NULL;
    }
    struct learned *of = learned_find(a->core, &a->command->of);
    if (!of)
        refuse(a, "there is no such run");
    return of;
}

static void take_retry(const struct asked *a)
{
    struct learned *of = run_to_repeat(a);
    struct pipeline *p = of ? pipeline_wanted(a, of->pipeline) : NULL;
    struct version *v = p ? version_wanted(a, p, of->version) : NULL;
    if (!v || !id_is_free(a) || !step_to_begin_from(a, of, v->ir))
        return;
    const char *from = a->command->from;
    struct run_plan plan = {.id = a->command->run,
                            .pipeline = p,
                            .version = v,
                            .name = of->name,
                            .experiment = of->experiment,
                            .trigger = of->trigger,
                            .params = of->params,
                            .vars = of->vars,
                            .event = of->event,
                            .event_id = of->event_id,
                            .retry_of = of->id,
                            .adopts = of,
                            .retry_from = from && *from ? from : NULL,
                            .cancelled = a->tombstoned};
    run_make(a->core, &plan, a->now, a->out);
    accept(a);
}

/* ---- workers ------------------------------------------------------------------------------- */

static void answer_worker(const struct asked *a, int rc, const struct err *err)
{
    if (rc == 0)
        answer(a, true, a->command->worker);
    else
        refuse(a, "%s", err->text);
}

static void take_drain(const struct asked *a)
{
    struct err err = {0};
    answer_worker(a, worker_drain(a->core, a->command->worker, a->now, &err), &err);
}

static void take_resume(const struct asked *a)
{
    struct err err = {0};
    answer_worker(a, worker_resume(a->core, a->command->worker, &err), &err);
}

static void take_remove(const struct asked *a)
{
    struct err err = {0};
    answer_worker(a, worker_remove(a->core, a->command->worker, a->now, &err), &err);
}

void command_take(struct core *core, const struct command *command, bool tombstoned,
                  const struct core_now *now, struct batch *out)
{
    typedef void take_fn(const struct asked *a);
    static take_fn *const TAKE_KIND[] = {
        [COMMAND_KIND_RUN] = take_run,         [COMMAND_KIND_CANCEL] = take_cancel,
        [COMMAND_KIND_RETRY] = take_retry,     [COMMAND_KIND_DRAIN] = take_drain,
        [COMMAND_KIND_RESUME] = take_resume,   [COMMAND_KIND_REMOVE] = take_remove,
        [COMMAND_KIND_APPROVE] = take_approve,
    };
    struct asked asked = {core, command, tombstoned, now, out};
    if (command->kind <= COMMAND_KIND_NONE || command->kind >= (int)ARRAY_LEN(TAKE_KIND))
        refuse(&asked, "this leader does not know such a command");
    else
        TAKE_KIND[command->kind](&asked);
}

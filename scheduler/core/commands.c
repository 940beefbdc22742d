#include "scheduler/core/commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/text/json.h"
#include "scheduler/core/wait/awaits.h"
#include "scheduler/core/catalog.h"
#include "scheduler/core/commands_internal.h"
#include "scheduler/core/run/learned.h"
#include "scheduler/core/worker/retire.h"
#include "scheduler/core/run/runs.h"

/* ---- verdicts ------------------------------------------------------------------------------ */

static struct batch_command *answer(const struct asked *a, bool accepted, const char *detail)
{
    struct batch_command *row = batch_add_commands(a->out);
    row->id = a->command->id;
    row->kind = command_kind_name(a->command->kind);
    row->accepted = accepted;
    row->detail = batch_text(a->out, detail);
    row->at_us = a->now->wall_us;
    return row;
}

void command_accept(const struct asked *a)
{
    char run[UUID_TEXT];
    uuid_format(&a->command->run, run);
    answer(a, true, run);
}

void command_refuse(const struct asked *a, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    answer(a, false, text);
}

/* ---- run ----------------------------------------------------------------------------------- */

struct version *command_version(const struct asked *a, const struct pipeline *p, const char *hash)
{
    struct version *v = hash && *hash ? version_find(a->core, p->name, hash) : p->current;
    if (!v)
        command_refuse(a, "pipeline %s has no version %s", p->name, hash);
    else if (!v->ir)
        command_refuse(a, "%s", v->broken);
    return v && v->ir ? v : NULL;
}

struct pipeline *command_pipeline(const struct asked *a, const char *name)
{
    struct pipeline *p = name ? pipeline_find(a->core, name) : NULL;
    if (p && !p->deleted)
        return p;
    command_refuse(a, p && p->current ? "pipeline %s was deleted" : "there is no pipeline %s",
                   name ? name : "\"\"");
    return NULL;
}

bool command_id_is_free(const struct asked *a)
{
    if (!uuid_is_nil(&a->command->run) && !run_find(a->core, &a->command->run))
        return true;
    command_refuse(a, "there is such a run already");
    return false;
}

bool command_has_room(const struct asked *a)
{
    struct core_stats stats;
    if (core_room(a->core) > 0)
        return true;
    core_stats(a->core, &stats);
    cleanup_free char *why =
        mem_printf("%lld runs are live or queued, and there may be %lld: try again when some have "
                   "ended",
                   (long long)stats.live_runs, (long long)a->core->config.most_runs);
    answer(a, false, why)->busy = true;
    a->core->counted.runs_refused++;
    return false;
}

static void take_run(const struct asked *a)
{
    const struct command *c = a->command;
    struct pipeline *p = command_pipeline(a, c->pipeline);
    struct version *v = p ? command_version(a, p, c->version) : NULL;
    if (!v || !command_id_is_free(a))
        return;
    struct err err = {0};
    json_t *none cleanup_json = json_object();
    json_t *params cleanup_json = ir_params(v->ir, c->params ? c->params : none, true, &err);
    if (!params) {
        command_refuse(a, "%s", err.text);
        return;
    }
    if (!command_has_room(a))
        return;
    struct run_plan plan = {.id = c->run,
                            .pipeline = p,
                            .version = v,
                            .name = c->name,
                            .experiment = c->experiment,
                            .params = params,
                            .vars = none,
                            .no_cache = c->no_cache,
                            .cancelled = a->tombstoned && !plant_on(PLANT_TOMBSTONE_IGNORED)};
    run_make(a->core, &plan, a->now, a->out);
    command_accept(a);
}

/* ---- cancel -------------------------------------------------------------------------------- */

static void refuse_over(const struct asked *a, int state)
{
    command_refuse(a, "the run is over already: %s", machine_state_name(&MACHINE_RUN, state));
}

static void take_cancel(const struct asked *a)
{
    const struct command *c = a->command;
    struct run *run = run_find(a->core, &c->run);
    if (run) {
        cleanup_free char *reason =
            c->by && *c->by ? mem_printf("cancelled by %s", c->by) : mem_string("cancelled");
        run_cancel(a->core, run, reason, false, a->now, a->out);
        command_accept(a);
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
    command_accept(a);
}

/* ---- approve ------------------------------------------------------------------------------- */

static void take_approve(const struct asked *a)
{
    struct err err = {0};
    if (approval_answer(a->core, a->command, a->now, a->out, &err) == 0)
        command_accept(a);
    else
        command_refuse(a, "%s", err.text);
}

/* ---- workers ------------------------------------------------------------------------------- */

static void answer_worker(const struct asked *a, int rc, const struct err *err)
{
    if (rc == 0)
        answer(a, true, a->command->worker);
    else
        command_refuse(a, "%s", err->text);
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
        [COMMAND_KIND_RUN] = take_run,
        [COMMAND_KIND_CANCEL] = take_cancel,
        [COMMAND_KIND_RERUN] = command_take_rerun,
        [COMMAND_KIND_ONLY] = command_take_only,
        [COMMAND_KIND_RETRY] = command_take_retry,
        [COMMAND_KIND_DRAIN] = take_drain,
        [COMMAND_KIND_RESUME] = take_resume,
        [COMMAND_KIND_REMOVE] = take_remove,
        [COMMAND_KIND_APPROVE] = take_approve,
    };
    struct asked asked = {core, command, tombstoned, now, out};
    if (command->kind == COMMAND_KIND_NONE)
        command_refuse(&asked, "this leader does not know such a command");
    else
        TAKE_KIND[command->kind](&asked);
}

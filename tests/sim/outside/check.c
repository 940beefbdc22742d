/* What came of events and commands: the runs that there are, the verdicts, what was refused. */
#include <string.h>
#include "common/text/json.h"
#include "tests/sim/check/check.h"
#include "tests/sim/database/database.h"
#include "tests/sim/outside/internal.h"
#include "tests/sim/reference/reference.h"

bool outside_has_open(const struct sim *sim, bool commands)
{
    const struct outside *o = sim->outside;
    for (int i = 0; i < o->count; i++)
        if (o->items[i].is_command == commands && !database_has_id(sim->db->inbox, &o->items[i].id))
            return true;
    return false;
}

bool outside_is_done(const struct sim *sim)
{
    const struct outside *o = sim->outside;
    for (int i = 0; i < o->count; i++)
        if (!o->items[i].known || !database_has_id(sim->db->inbox, &o->items[i].id))
            return false;
    return true;
}

/* When nothing gets on any more. */
void outside_check_taken(struct sim *sim)
{
    const struct outside *o = sim->outside;
    char id[UUID_TEXT];
    for (int i = 0; i < o->count; i++)
        if (o->items[i].known && !database_has_id(sim->db->inbox, &o->items[i].id))
            sim_fail(sim, 1, "%s %s was answered 2xx and is never taken in",
                     o->items[i].is_command ? "command" : "event", uuid_short(&o->items[i].id, id));
}

/* ---- events ---------------------------------------------------------------------------------- */

/* Is that trigger for such an event, whatever its filter says? */
static bool is_for(const struct plan_pipeline *p, int trigger, const struct sending *s)
{
    const struct plan_on *on = &p->on[trigger];
    if (p->dropped || (trigger == PLAN_CRON) != s->cron)
        return false;
    if (s->cron)
        return strcmp(p->name, s->pipeline) == 0;
    return strcmp(on->type, s->type) == 0 &&
           (!on->source || strcmp(on->source, s->milled ? "mill" : "sim") == 0);
}

/* Its filter fails without n; without a filter its parameter does. */
static bool is_stillborn(const struct plan_pipeline *p, int trigger, const struct sending *s)
{
    return !s->cron && s->n == NO_NUMBER && p->on[trigger].over < 0 &&
           p->on[trigger].size == PLAN_SIZE_OF_EVENT;
}

/* Of an open trigger that is for it. */
static const char *verdict_wanted(const struct plan_pipeline *p, int trigger,
                                  const struct sending *s)
{
    const int over = s->cron ? -1 : p->on[trigger].over;
    if (is_stillborn(p, trigger, s) || (s->n == NO_NUMBER && over >= 0))
        return "failed";
    return over < 0 || s->n > over ? "run" : "filtered";
}

static bool makes_run(const struct plan_pipeline *p, int trigger, const struct sending *s)
{
    return is_for(p, trigger, s) &&
           (is_stillborn(p, trigger, s) || strcmp(verdict_wanted(p, trigger, s), "run") == 0);
}

static const char *verdict_of(const json_t *all, const struct plan_pipeline *p, int trigger)
{
    size_t i;
    json_t *one;
    json_array_foreach (all, i, one)
        if (strcmp(json_get_string(one, "trigger", ""), plan_trigger_name(trigger)) == 0 &&
            strcmp(json_get_string(one, "pipeline", ""), p->name) == 0)
            return json_get_string(one, "verdict", "");
    return NULL;
}

/* -1: it never had it. */
static int size_of(const struct row_run *run)
{
    json_t *params = json_loads(run->params, 0, NULL);
    const int size = (int)json_get_int(params, "size", -1);
    json_decref(params);
    return size;
}

static int size_given(const struct plan_pipeline *p, int trigger, const struct sending *s)
{
    const int said = s->cron ? 1 : p->on[trigger].size;
    return said == PLAN_SIZE_OF_EVENT ? s->n : said;
}

/* A run that was skipped when it came: its event says so. */
static void check_run_of(struct sim *sim, const struct sending *s, int trigger,
                         const struct row_run *run, const char *verdict)
{
    char id[UUID_TEXT];
    const struct plan_pipeline *p = plan_find(sim->plan, run->pipeline);
    const bool skipped = run->state == RUN_SKIPPED && strstr(run->reason, "go on or wait");
    const bool stillborn = is_stillborn(p, trigger, s);
    const char *want = stillborn ? "failed" : skipped ? "skipped" : "run";
    if (stillborn && run->state != RUN_FAILED)
        sim_fail(sim, 1, "run %s is %s, and what it was to be given could not be worked out",
                 uuid_short(&run->id, id), machine_state_name(&MACHINE_RUN, run->state));
    if (!stillborn && size_of(run) != size_given(p, trigger, s))
        sim_fail(sim, 3, "run %s has size %d, its trigger %s gives %d", uuid_short(&run->id, id),
                 size_of(run), run->trigger, size_given(p, trigger, s));
    if (!verdict || strcmp(verdict, want) != 0)
        sim_fail(sim, 1, "run %s is %s, and its event's verdict is %s, not %s",
                 uuid_short(&run->id, id), machine_state_name(&MACHINE_RUN, run->state),
                 verdict ? verdict : "none", want);
}

static void check_without_run(struct sim *sim, const struct sending *s,
                              const struct plan_pipeline *p, int trigger,
                              const struct plan_seen *seen, const char *verdict)
{
    char id[UUID_TEXT];
    if (!is_for(p, trigger, s)
            ? !verdict
            : (seen->open && verdict && strcmp(verdict, verdict_wanted(p, trigger, s)) == 0) ||
                  (seen->closed && verdict && strcmp(verdict, "paused") == 0) ||
                  (seen->deleted && !verdict))
        return;
    sim_fail(sim, 1, "event %s (%s, n %d) made no run of %s by its trigger %s: its verdict is %s",
             uuid_short(&s->id, id), s->type, s->n, p->name, plan_trigger_name(trigger),
             verdict ? verdict : "none");
}

static void check_event_of(struct sim *sim, const struct sending *s, const struct plan_pipeline *p,
                           int trigger, const struct row_event *event, const json_t *verdicts)
{
    char id[UUID_TEXT];
    int made = 0;
    const char *verdict = verdict_of(verdicts, p, trigger);
    for (const struct row_run *run = sim->db->runs; run; run = run->hh.next) {
        const bool its = uuid_compare(&run->event, &s->id) == 0 && uuid_is_nil(&run->retry_of) &&
                         strcmp(run->pipeline, p->name) == 0 &&
                         strcmp(run->trigger, plan_trigger_name(trigger)) == 0;
        made += its;
        if (its)
            check_run_of(sim, s, trigger, run, verdict);
    }
    const struct plan_seen seen = plan_seen(p, trigger, s->sent_at, event->taken_at);
    const bool makes = makes_run(p, trigger, s);
    if (!(seen.closed && made == 0) && !(seen.open && made == makes))
        sim_fail(sim, s->cron ? 11 : 1, "event %s (%s, n %d) made %d runs of %s by %s, not %d",
                 uuid_short(&s->id, id), s->type, s->n, made, p->name, plan_trigger_name(trigger),
                 makes);
    if (made == 0)
        check_without_run(sim, s, p, trigger, &seen, verdict);
    sim->counts.by_others += made && trigger > 0 && trigger < PLAN_CRON;
}

static void check_event(struct sim *sim, const struct sending *s)
{
    char id[UUID_TEXT];
    const struct row_event *event = NULL;
    HASH_FIND(hh, sim->db->events, &s->id, sizeof s->id, event);
    if (!event)
        sim_fail(sim, 1, "event %s is in the inbox and has no row", uuid_short(&s->id, id));
    json_t *verdicts = json_loads(event->verdicts, 0, NULL);
    for (int i = 0; i < sim->plan->pipeline_count; i++)
        for (int t = 0; t < PLAN_TRIGGERS; t++)
            if (plan_has_trigger(&sim->plan->pipelines[i], t))
                check_event_of(sim, s, &sim->plan->pipelines[i], t, event, verdicts);
    json_decref(verdicts);
}

/* ---- commands that make a run ---------------------------------------------------------------- */

/* As it was asked for: the version, the parameter, the cache. */
static void check_made(struct sim *sim, const struct sending *s, const struct row_run *run,
                       const struct plan_seen *seen)
{
    char id[UUID_TEXT];
    const struct row_run *of = uuid_is_nil(&s->of) ? NULL : database_run(sim->db, &s->of);
    const struct plan_pipeline *p = plan_find(sim->plan, run->pipeline);
    const struct plan_version *v = check_version_of(sim, &run->id);
    const int size = s->size ? s->size : of && size_of(of) >= 0 ? size_of(of) : 1;
    const bool old = s->kind == COMMAND_KIND_RETRY || s->kind == COMMAND_KIND_RERUN;
    const char *hash = old ? of->version : s->version;
    if (hash ? strcmp(hash, run->version) != 0 : !(seen->versions >> (v - p->versions) & 1u))
        sim_fail(sim, 3, "run %s is of a version that was not asked for", uuid_short(&run->id, id));
    if (size_of(run) != size)
        sim_fail(sim, 3, "run %s has size %d, it was to have %d", uuid_short(&run->id, id),
                 size_of(run), size);
    if (run->no_cache != s->no_cache)
        sim_fail(sim, 3, "run %s %s the cache", uuid_short(&run->id, id),
                 run->no_cache ? "does without" : "may use");
}

/* Is there a reason against it, but for a pipeline that was deleted? -1 = that is not known. */
static int is_refused(struct sim *sim, const struct sending *s, const struct row_command *row)
{
    const struct row_run *of = uuid_is_nil(&s->of) ? NULL : database_run(sim->db, &s->of);
    if (s->kind == COMMAND_KIND_RETRY && size_of(of) < 0)
        return true; /* it never had its parameters */
    if (s->kind == COMMAND_KIND_RETRY)
        return reference_may_refuse(sim, check_version_of(sim, &s->of), of, s->from);
    if (s->kind != COMMAND_KIND_ONLY)
        return false;
    if (!s->version || strstr(row->detail, "output"))
        return -1;
    return reference_only_may_refuse(
        sim, plan_version_find(plan_find(sim->plan, s->pipeline), s->version), of, s->steps);
}

static void check_maker(struct sim *sim, const struct sending *s, const struct row_command *row,
                        const struct row_run *run)
{
    const struct row_run *of = uuid_is_nil(&s->of) ? NULL : database_run(sim->db, &s->of);
    const struct plan_pipeline *p = plan_find(sim->plan, of ? of->pipeline : s->pipeline);
    const struct plan_seen seen = plan_seen(p, -1, s->sent_at, row->taken_at);
    const int refused = is_refused(sim, s, row);
    if (row->accepted ? !seen.there || refused == 1 : !seen.deleted && refused == 0)
        sim_fail(sim, 1, "command %s (%s of %s from %s) was %s: %s",
                 uuid_short(&s->id, (char[UUID_TEXT]){0}), command_kind_name(s->kind), p->name,
                 s->from ? s->from : s->steps, row->accepted ? "accepted" : "refused", row->detail);
    if (row->accepted)
        check_made(sim, s, run, &seen);
}

/* ---- cancels --------------------------------------------------------------------------------- */

static void check_cancel(struct sim *sim, const struct sending *s, const struct row_command *row,
                         const struct row_run *run)
{
    char id[UUID_TEXT];
    uuid_short(&s->run, id);
    if (s->late && (row->accepted || !strstr(row->detail, "over already")))
        sim_fail(sim, 7, "run %s was over, its cancel was %s: %s", id,
                 row->accepted ? "accepted" : "refused", row->detail);
    if (!row->accepted && !(run && run->done && strstr(row->detail, "over already")))
        sim_fail(sim, 1, "the cancel of run %s was refused: %s", id, row->detail);
    if (row->accepted && run && run->state != RUN_CANCELLED && !check_timed_out(run->reason))
        sim_fail(sim, 7, "run %s ends %s, its cancel was accepted", id,
                 machine_state_name(&MACHINE_RUN, run->state));
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void check_command(struct sim *sim, const struct sending *s)
{
    char id[UUID_TEXT];
    struct row_command *row = NULL;
    HASH_FIND(hh, sim->db->commands, &s->id, sizeof s->id, row);
    uuid_short(&s->id, id);
    if (!row)
        sim_fail(sim, 1, "command %s was never answered", id);
    const struct row_run *run = database_run(sim->db, &s->run);
    if (*s->worker)
        return; /* check/workers.c has seen to it */
    if (row->accepted && !run && !s->ahead)
        sim_fail(sim, 1, "command %s was accepted and there is no run", id);
    if (s->kind == COMMAND_KIND_CANCEL)
        check_cancel(sim, s, row, run);
    else if (s->kind != COMMAND_KIND_APPROVE && !row->busy) /* check/bounds.c has seen to it */
        check_maker(sim, s, row, run);
}

void outside_check(struct sim *sim)
{
    for (int i = 0; i < sim->outside->count; i++) {
        const struct sending *s = &sim->outside->items[i];
        if (s->is_command)
            check_command(sim, s);
        else
            check_event(sim, s);
    }
}

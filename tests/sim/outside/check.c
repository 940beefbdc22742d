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

/* One trigger and one event, by the catalog that judged it. */
struct judged {
    const struct sending *s;
    const struct plan_pipeline *p;
    const struct plan_change *now;
    const struct plan_version *v;
    int trigger;
};

/* Is it for such an event, whatever its filter says? */
static bool is_for(const struct judged *j)
{
    const struct plan_on *on = &j->v->on[j->trigger];
    if (j->p->dropped || j->now->deleted || !plan_has_trigger(j->v, j->trigger) ||
        (j->trigger == PLAN_CRON) != j->s->cron)
        return false;
    if (j->s->cron)
        return strcmp(j->p->name, j->s->pipeline) == 0;
    return strcmp(on->type, j->s->type) == 0 &&
           (!on->source || strcmp(on->source, j->s->milled ? "mill" : "sim") == 0);
}

/* Its filter fails without n; without a filter its parameter does. */
static bool is_stillborn(const struct judged *j)
{
    return !j->s->cron && j->s->n == NO_NUMBER && j->v->on[j->trigger].over < 0 &&
           j->v->on[j->trigger].size == PLAN_SIZE_OF_EVENT;
}

/* NULL = it is none of its business. */
static const char *verdict_wanted(const struct judged *j)
{
    if (!is_for(j))
        return NULL;
    if (j->now->paused || j->now->trigger_paused[j->trigger])
        return "paused";
    const int over = j->s->cron ? -1 : j->v->on[j->trigger].over;
    if (is_stillborn(j) || (j->s->n == NO_NUMBER && over >= 0))
        return "failed";
    return over < 0 || j->s->n > over ? "run" : "filtered";
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

static int size_given(const struct judged *j)
{
    const int said = j->s->cron ? 1 : j->v->on[j->trigger].size;
    return said == PLAN_SIZE_OF_EVENT ? j->s->n : said;
}

/* A run that was skipped when it came: its event says so. */
static void check_run_of(struct sim *sim, const struct judged *j, const struct row_run *run,
                         const char *verdict)
{
    char id[UUID_TEXT];
    const bool skipped = run->state == RUN_SKIPPED && strstr(run->reason, "go on or wait");
    const bool stillborn = is_stillborn(j);
    const char *want = stillborn ? "failed" : skipped ? "skipped" : "run";
    uuid_short(&run->id, id);
    if (strcmp(run->version, j->v->hash) != 0)
        sim_fail(sim, 1, "run %s is of version %.8s, its event was judged by %.8s", id,
                 run->version, j->v->hash);
    if (stillborn && run->state != RUN_FAILED)
        sim_fail(sim, 1, "run %s is %s, and what it was to be given could not be worked out", id,
                 machine_state_name(&MACHINE_RUN, run->state));
    if (!stillborn && size_of(run) != size_given(j))
        sim_fail(sim, 3, "run %s has size %d, its trigger %s gives %d", id, size_of(run),
                 run->trigger, size_given(j));
    if (!verdict || strcmp(verdict, want) != 0)
        sim_fail(sim, 1, "run %s is %s, and its event's verdict is %s, not %s", id,
                 machine_state_name(&MACHINE_RUN, run->state), verdict ? verdict : "none", want);
}

static void check_without_run(struct sim *sim, const struct judged *j, const char *verdict)
{
    char id[UUID_TEXT];
    const char *want = verdict_wanted(j);
    if (want ? verdict && strcmp(verdict, want) == 0 : !verdict)
        return;
    sim_fail(sim, 1,
             "event %s (%s, n %d) made no run of %s by its trigger %s: its verdict is %s, not %s",
             uuid_short(&j->s->id, id), j->s->type, j->s->n, j->p->name,
             plan_trigger_name(j->trigger), verdict ? verdict : "none", want ? want : "none");
}

static void check_event_of(struct sim *sim, const struct judged *j, const json_t *verdicts)
{
    char id[UUID_TEXT];
    int made = 0;
    const char *verdict = verdict_of(verdicts, j->p, j->trigger), *want = verdict_wanted(j);
    const bool makes =
        want && (strcmp(want, "run") == 0 || (is_stillborn(j) && strcmp(want, "failed") == 0));
    for (const struct row_run *run = sim->db->runs; run; run = run->hh.next) {
        const bool its = uuid_compare(&run->event, &j->s->id) == 0 && uuid_is_nil(&run->retry_of) &&
                         strcmp(run->pipeline, j->p->name) == 0 &&
                         strcmp(run->trigger, plan_trigger_name(j->trigger)) == 0;
        made += its;
        if (its && makes)
            check_run_of(sim, j, run, verdict);
    }
    if (made != makes)
        sim_fail(sim, j->s->cron ? 11 : 1, "event %s (%s, n %d) made %d runs of %s by %s, not %d",
                 uuid_short(&j->s->id, id), j->s->type, j->s->n, made, j->p->name,
                 plan_trigger_name(j->trigger), makes);
    if (made == 0)
        check_without_run(sim, j, verdict);
    sim->counts.by_others += made && j->trigger > 0 && j->trigger < PLAN_CRON;
}

/* By the catalog that its leader had read when it took it in, which is none from before it was
 * sent. Was it judged otherwise than by what was current then? */
static void check_judged(struct sim *sim, const struct sending *s, const struct row_event *event,
                         const struct plan_pipeline *p, const json_t *verdicts)
{
    char id[UUID_TEXT];
    const struct plan_change *now = plan_at(p, event->gen), *sent = p->changes;
    for (int i = 1; i < p->change_count; i++)
        if (p->changes[i].at < s->sent_at)
            sent = &p->changes[i];
    if (now < sent)
        sim_fail(sim, 1, "event %s was sent after %s had changed, and is judged by what it was",
                 uuid_short(&s->id, id), p->name);
    struct judged j = {s, p, now, &p->versions[now->version], 0}, then = j;
    then.now = sent;
    then.v = &p->versions[sent->version];
    for (; j.trigger < PLAN_TRIGGERS; then.trigger = ++j.trigger) {
        check_event_of(sim, &j, verdicts);
        const char *is = verdict_wanted(&j), *was = verdict_wanted(&then);
        sim->counts.judged_anew +=
            j.v != then.v && (is ? !was || strcmp(is, was) != 0 : was != NULL);
    }
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
        check_judged(sim, s, event, &sim->plan->pipelines[i], verdicts);
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

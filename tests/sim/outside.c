#include "tests/sim/outside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "schema/gen/messages.h"
#include "tests/sim/check.h"
#include "tests/sim/database.h"
#include "tests/sim/plan.h"
#include "tests/sim/reference.h"

#define SENDINGS_MAX 96
#define RETRY_US     (700 * MS)

struct sending { /* one event or command, with its repeats */
    struct sim *sim;
    bool is_command, cron;
    struct uuid id, run;
    int kind; /* enum command_kind */
    char type[24], pipeline[16];
    struct uuid of;   /* retry: the run that is repeated */
    const char *from; /* and the step to begin from; NULL = what failed */
    char steps[64];   /* those that run alone */
    bool same;        /* in the version of that run */
    int n;
    int64_t sent_at;
    bool known; /* answered 2xx */
    bool late;  /* a cancel of a run that was over when it was sent */
    struct answer answer;
    char step[48];
    int tries;
    char *text;
    size_t len;
};

/* Something that the seed planned to send or do once, with a stream of chance of its own. */
struct planned {
    struct sim *sim;
    struct rng rng;
    sim_fn *fn;
};

struct outside {
    struct bus *buses[2];
    struct planned planned[KEEP_SENDINGS];
    struct sending items[SENDINGS_MAX];
    int count;
};

static void publish(void *arg);

static void delivered(void *arg, const struct err *err, int32_t partition, int64_t offset)
{
    (void)partition;
    (void)offset;
    struct sending *s = arg;
    if (s->sim->ending)
        return;
    if (!err)
        s->known = true;
    else if (s->tries < 200) /* the provider delivers again */
        sim_at(s->sim, NULL, RETRY_US, publish, s);
    if (!err && s->tries < 4 && rng_chance(&s->sim->rng, 0.3)) {
        s->sim->counts.duplicates++;
        sim_at(s->sim, NULL, rng_in(&s->sim->rng, 0, 20 * SEC), publish, s);
    }
}

static void publish(void *arg)
{
    struct sending *s = arg;
    struct outside *o = s->sim->outside;
    if (s->sim->ending || (s->sim->quiet && s->known))
        return;
    s->tries++;
    sim_changed(s->sim);
    bus_publish(o->buses[rng_in(&s->sim->rng, 0, 1)], s->is_command ? TOPIC_COMMANDS : TOPIC_EVENTS,
                s->id.b, sizeof s->id.b, s->text, s->len, 0, delivered, s);
}

static struct sending *sending_new(struct sim *sim)
{
    struct outside *o = sim->outside;
    if (o->count == SENDINGS_MAX)
        return NULL;
    struct sending *s = &o->items[o->count++];
    s->sim = sim;
    s->id = rng_uuid(&sim->rng);
    return s;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void encode_event(struct sending *s, const char *tick_of)
{
    char at[CLOCK_TEXT];
    clock_format(WALL_START + s->sim->now, at);
    json_t *data = json_pack("{s:i}", "n", s->n);
    struct event event = {.specversion = "1.0",
                          .id = s->id,
                          .source = "/sim",
                          .type = s->type,
                          .time = at,
                          .leatsource = tick_of ? "cron" : "sim",
                          .leatpipeline = tick_of,
                          .leattrigger = tick_of ? "cron" : NULL,
                          .data = data};
    s->text = event_encode(&event, &s->len);
    json_decref(data);
}

static void send_event(void *arg)
{
    struct sim *sim = arg;
    const struct plan_pipeline *p = plan_some(sim);
    struct sending *s = p ? sending_new(sim) : NULL;
    if (!s)
        return;
    s->n = (int)rng_in(&sim->rng, 0, 9);
    s->sent_at = sim->now;
    s->cron = p->cron && rng_chance(&sim->rng, 0.4);
    snprintf(s->type, sizeof s->type, "%s", s->cron ? "dev.leat.cron" : p->type);
    snprintf(s->pipeline, sizeof s->pipeline, "%s", p->name);
    encode_event(s, s->cron ? s->pipeline : NULL);
    sim->counts.events++;
    publish(s);
}

/* Of a type that only waits look for. */
static void send_wake(void *arg)
{
    struct sim *sim = arg;
    struct sending *s = sending_new(sim);
    if (!s)
        return;
    s->n = (int)rng_in(&sim->rng, 0, 9);
    s->sent_at = sim->now;
    snprintf(s->type, sizeof s->type, "dev.sim.w");
    encode_event(s, NULL);
    sim->counts.events++;
    publish(s);
}

/* ---- commands -------------------------------------------------------------------------------- */

static struct row_run *some_run(struct sim *sim, bool done)
{
    struct row_run *picked = NULL;
    int count = 0;
    for (struct row_run *run = sim->db->runs; run; run = run->hh.next)
        if (run->done == done && rng_in(&sim->rng, 0, count++) == 0)
            picked = run;
    return picked;
}

/* A step of its version, however deep; often none. */
static const char *some_step(struct sim *sim, const struct row_run *run)
{
    const struct plan_version *v = check_version_of(sim, &run->id);
    if (rng_chance(&sim->rng, 0.4))
        return NULL;
    return v->steps[rng_in(&sim->rng, 0, v->step_count - 1)].name;
}

/* Rather one that failed and has groups: there is something in it to take over. */
static struct row_run *run_to_repeat(struct sim *sim)
{
    struct row_run *run = NULL;
    for (int tries = 0; tries < 4; tries++) {
        run = some_run(sim, true);
        if (!run || run->state == RUN_SUCCEEDED)
            continue;
        const struct plan_version *v = check_version_of(sim, &run->id);
        for (int i = 0; i < v->step_count; i++)
            if (v->steps[i].kind != PLAN_RUN)
                return run;
    }
    return run;
}

/* One or two steps of the run's own DAG. */
static void some_steps(struct sim *sim, const struct row_run *run, char steps[64])
{
    const struct plan_version *v = check_version_of(sim, &run->id);
    const int at = (int)rng_in(&sim->rng, 0, v->step_count - 1);
    int count = 0;
    steps[0] = '\0';
    for (int k = 0; k < v->step_count && count < 2; k++) {
        const struct plan_step *step = &v->steps[(at + k) % v->step_count];
        if (step->parent >= 0 || (count && rng_chance(&sim->rng, 0.5)))
            continue;
        const size_t len = strlen(steps);
        snprintf(steps + len, 64 - len, "%s%s", count++ ? "," : "", step->label);
    }
}

/* A retry, a rerun, or a run of some steps only. */
static void repeat(struct sim *sim, struct sending *s, struct command *command)
{
    const struct row_run *done = run_to_repeat(sim);
    command->of = s->of = done->id;
    command->kind = COMMAND_KIND_RETRY;
    if (rng_chance(&sim->rng, 0.6)) {
        command->from = s->from = some_step(sim, done);
        return;
    }
    command->kind = COMMAND_KIND_RERUN;
    if (rng_chance(&sim->rng, 0.3))
        return;
    command->kind = COMMAND_KIND_ONLY;
    some_steps(sim, done, s->steps);
    snprintf(s->pipeline, sizeof s->pipeline, "%s", done->pipeline);
    command->pipeline = s->pipeline;
    command->steps = s->steps;
    s->same = rng_chance(&sim->rng, 0.7);
    command->version = s->same ? done->version : NULL;
}

static void send_command(void *arg)
{
    struct sim *sim = arg;
    const struct plan_pipeline *p = plan_some(sim);
    struct sending *s = p ? sending_new(sim) : NULL;
    if (!s)
        return;
    char at[CLOCK_TEXT];
    clock_format(WALL_START + sim->now, at);
    struct row_run *live = some_run(sim, false), *done = some_run(sim, true);
    int64_t dice = rng_in(&sim->rng, 0, 11);
    s->is_command = true;
    s->run = rng_uuid(&sim->rng);
    struct command command = {.v = 1, .id = s->id, .at = at};
    s->late = done && (dice == 4 || (dice < 4 && !live));
    if (s->late || (dice < 4 && live)) {
        command.kind = COMMAND_KIND_CANCEL;
        s->run = s->late ? done->id : live->id;
    } else if (dice < 10 && done) {
        repeat(sim, s, &command);
    } else {
        command.kind = COMMAND_KIND_RUN;
        snprintf(s->pipeline, sizeof s->pipeline, "%s", p->name);
        command.pipeline = s->pipeline;
    }
    command.run = s->run;
    s->kind = command.kind;
    s->text = command_encode(&command, &s->len);
    sim->counts.commands++;
    publish(s);
}

/* ---- answers --------------------------------------------------------------------------------- */

static struct row_step *some_approval(struct sim *sim)
{
    struct row_step *picked = NULL;
    int count = 0;
    for (struct row_step *row = sim->db->steps; row; row = row->hh.next) {
        const struct plan_version *v = check_version_of(sim, &row->key.run);
        const bool asks = v->steps[v->step_at[row->key.step]].kind == PLAN_APPROVAL;
        if (asks && rng_in(&sim->rng, 0, count++) == 0)
            picked = row;
    }
    return picked;
}

/* Of the right one and of somebody else, of the instance by its number and without, and sometimes a
 * second one that says the contrary. */
static void send_answer(void *arg)
{
    struct sim *sim = arg;
    const struct row_step *row = some_approval(sim);
    struct sending *s = row ? sending_new(sim) : NULL;
    if (!s)
        return;
    char at[CLOCK_TEXT];
    clock_format(WALL_START + sim->now, at);
    const struct plan_version *v = check_version_of(sim, &row->key.run);
    snprintf(s->step, sizeof s->step, "%s", v->steps[v->step_at[row->key.step]].name);
    s->is_command = true;
    s->kind = COMMAND_KIND_APPROVE;
    s->run = row->key.run;
    s->answer =
        (struct answer){s->run, s->step, rng_chance(&sim->rng, 0.7) ? row->key.iteration : 0,
                        rng_chance(&sim->rng, 0.7), rng_chance(&sim->rng, 0.6)};
    const struct command command = {.v = 1,
                                    .id = s->id,
                                    .at = at,
                                    .kind = s->kind,
                                    .run = s->run,
                                    .step = s->step,
                                    .iteration = s->answer.iteration,
                                    .by = s->answer.anna ? "anna" : "mallory",
                                    .answer = s->answer.approved ? COMMAND_ANSWER_APPROVED
                                                                 : COMMAND_ANSWER_REJECTED};
    s->text = command_encode(&command, &s->len);
    sim->counts.commands++;
    publish(s);
    if (rng_chance(&sim->rng, 0.3))
        sim_at(sim, NULL, rng_in(&sim->rng, 0, 500 * MS), send_answer, sim);
}

bool outside_answer(const struct sim *sim, const struct uuid *command, struct answer *out)
{
    const struct outside *o = sim->outside;
    for (int i = 0; i < o->count; i++)
        if (o->items[i].kind == COMMAND_KIND_APPROVE && o->items[i].is_command &&
            uuid_compare(&o->items[i].id, command) == 0) {
            *out = o->items[i].answer;
            return true;
        }
    return false;
}

/* ---- the catalog ----------------------------------------------------------------------------- */

static void pause_or_resume(void *arg)
{
    struct sim *sim = arg;
    struct plan_pipeline *p = plan_some(sim);
    if (!p || p->pauses == PLAN_PAUSES)
        return;
    p->paused_at[p->pauses++] = sim->now;
    p->paused = !p->paused;
    p->gen = ++sim->db->catalog_gen;
    sim->counts.pauses++;
    sim_changed(sim);
    sim_note(sim, "%s: %s", p->paused ? "pause" : "resume", p->name);
    if (p->paused) /* not for long, as a rule: there should be work */
        sim_at(sim, NULL, rng_in(&sim->rng, 1 * SEC, 15 * SEC), pause_or_resume, sim);
}

static void apply(void *arg)
{
    struct sim *sim = arg;
    struct plan_pipeline *p = plan_some(sim);
    if (!p || p->applied_count == PLAN_APPLIED)
        return;
    p->current = (int)rng_in(&sim->rng, 0, p->version_count - 1);
    p->gen = ++sim->db->catalog_gen;
    p->applied[p->applied_count].gen = p->gen;
    p->applied[p->applied_count++].version = p->current;
    sim_changed(sim);
    sim_note(sim, "apply: %s is now %.8s", p->name, p->versions[p->current].hash);
}

static void size_limit(struct sim *sim, struct plan_limit *limit, int n)
{
    if (limit->count == PLAN_SIZES)
        return;
    limit->sizes[limit->count].gen = ++sim->db->catalog_gen;
    limit->sizes[limit->count++].n = n;
    sim_changed(sim);
    sim_note(sim, "limit %s is now %d", plan_limit_name((int)(limit - sim->plan->limits)), n);
}

/* Up and down, and to nothing for a while; what is said of a pool comes and goes. */
static void resize(void *arg)
{
    struct sim *sim = arg;
    const int k = (int)rng_in(&sim->rng, 0, PLAN_SIZED - 1);
    const int n = (int)rng_in(&sim->rng, 0, PLAN_SIZE_MOST);
    const bool any = k >= PLAN_LIMITS && rng_chance(&sim->rng, 0.3);
    if (sim->plan->limits[k].count < PLAN_SIZES - 1)
        size_limit(sim, &sim->plan->limits[k], any ? PLAN_ANY : n);
}

/* In the end there is enough for every step. */
static void resize_last(void *arg)
{
    struct sim *sim = arg;
    for (int i = 0; i < PLAN_LIMITS; i++)
        size_limit(sim, &sim->plan->limits[i], PLAN_SIZE_MOST - (int)rng_in(&sim->rng, 0, 1));
    for (int i = PLAN_LIMITS; i < PLAN_SIZED; i++)
        size_limit(sim, &sim->plan->limits[i],
                   rng_chance(&sim->rng, 0.5) ? PLAN_ANY : WORKERS_MAX * PLAN_SIZE_MOST);
}

void outside_bad_records(struct sim *sim)
{
    static const char *const texts[] = {
        "", "{", "[]", "{\"v\":1}", "null", "{\"v\":1,\"kind\":\"finished\",\"worker\":\"../x\"}"};
    static const char *const topics[] = {TOPIC_COMMANDS, TOPIC_EVENTS, TOPIC_REPORTS};
    for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
        const char *text = texts[rng_in(&sim->rng, 0, ARRAY_LEN(texts) - 1)];
        if (memory_log_has_topic(sim->log, topics[i]))
            memory_log_append(sim->log, topics[i], sim->in_transaction ? "mallory" : NULL, "k",
                              text, strlen(text));
    }
}

/* ---- what came of it --------------------------------------------------------------------------
 */

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

static bool fits(const struct plan_pipeline *p, const struct sending *s)
{
    if (p->dropped)
        return false;
    if (s->cron)
        return strcmp(p->name, s->pipeline) == 0;
    return strcmp(p->type, s->type) == 0 && s->n > p->over;
}

/* A run that was skipped when it came: its event says so. */
static void check_verdict(struct sim *sim, const struct row_event *event, const struct row_run *run)
{
    char id[UUID_TEXT], *text;
    const bool skipped = run->state == RUN_SKIPPED && strstr(run->reason, "go on or wait");
    uuid_format(&run->id, id);
    json_t *all = json_loads(event->verdicts, 0, NULL), *verdict;
    size_t i;
    json_array_foreach (all, i, verdict) {
        const char *named = json_string_value(json_object_get(verdict, "run"));
        text = (char *)(uintptr_t)json_string_value(json_object_get(verdict, "verdict"));
        if (named && strcmp(named, id) == 0 && (strcmp(text, "skipped") == 0) != skipped)
            sim_fail(sim, 1, "run %s is %s, and its event's verdict is %s", id,
                     machine_state_name(&MACHINE_RUN, run->state), text);
    }
    json_decref(all);
}

static void check_event(struct sim *sim, const struct sending *s)
{
    char id[UUID_TEXT];
    const struct row_event *event = NULL;
    HASH_FIND(hh, sim->db->events, &s->id, sizeof s->id, event);
    if (!event)
        sim_fail(sim, 1, "event %s is in the inbox and has no row", uuid_short(&s->id, id));
    for (int i = 0; i < sim->plan->pipeline_count; i++) {
        const struct plan_pipeline *p = &sim->plan->pipelines[i];
        int made = 0;
        for (const struct row_run *run = sim->db->runs; run; run = run->hh.next) {
            const bool its = uuid_compare(&run->event, &s->id) == 0 &&
                             uuid_is_nil(&run->retry_of) && strcmp(run->pipeline, p->name) == 0;
            made += its;
            if (its)
                check_verdict(sim, event, run);
        }
        bool paused, open;
        plan_was_paused(p, s->sent_at, event->taken_at, &paused, &open);
        if ((paused && made == 0) || (open && made == fits(p, s)))
            continue;
        sim_fail(sim, s->cron ? 11 : 1, "event %s (%s, n %d) made %d runs of %s, not %d",
                 uuid_short(&s->id, id), s->type, s->n, made, p->name, fits(p, s));
    }
}

/* Accepted, unless there was a reason against it. */
static void check_repeat(struct sim *sim, const struct sending *s, const struct row_command *row)
{
    const struct row_run *of = database_run(sim->db, &s->of);
    bool refuse = false;
    if (s->kind == COMMAND_KIND_RETRY)
        refuse = reference_may_refuse(sim, check_version_of(sim, &s->of), of, s->from);
    else if (s->kind == COMMAND_KIND_ONLY && s->same)
        refuse = reference_only_may_refuse(sim, of, s->steps);
    else if (s->kind != COMMAND_KIND_RERUN)
        return;
    if (row->accepted != refuse || (s->kind == COMMAND_KIND_ONLY && strstr(row->detail, "output")))
        return;
    sim_fail(sim, 1, "%s of run %s from %s was %s: %s", command_kind_name(s->kind),
             uuid_short(&s->of, (char[UUID_TEXT]){0}), s->from ? s->from : s->steps,
             row->accepted ? "accepted" : "refused", row->detail);
}

static void check_command(struct sim *sim, const struct sending *s)
{
    char id[UUID_TEXT];
    struct row_command *row = NULL;
    HASH_FIND(hh, sim->db->commands, &s->id, sizeof s->id, row);
    uuid_short(&s->id, id);
    if (!row)
        sim_fail(sim, 1, "command %s was never answered", id);
    const struct row_run *run = database_run(sim->db, &s->run);
    if (row->accepted && !run)
        sim_fail(sim, 1, "command %s was accepted and there is no run", id);
    if (s->late && (row->accepted || !strstr(row->detail, "over already")))
        sim_fail(sim, 7, "run %s was over, its cancel was %s: %s", uuid_short(&s->run, id),
                 row->accepted ? "accepted" : "refused", row->detail);
    if (row->accepted && s->kind == COMMAND_KIND_CANCEL && run->state != RUN_CANCELLED)
        sim_fail(sim, 7, "run %s ends %s, its cancel was accepted", uuid_short(&run->id, id),
                 machine_state_name(&MACHINE_RUN, run->state));
    check_repeat(sim, s, row);
    if (!row->accepted && s->kind == COMMAND_KIND_RUN)
        sim_fail(sim, 1, "command %s to run %s was refused: %s", id, s->pipeline, row->detail);
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

/* ---- life ------------------------------------------------------------------------------------ */

static void planned_comes(void *arg)
{
    struct planned *planned = arg;
    struct sim *sim = planned->sim;
    const struct rng world = sim->rng;
    sim->rng = planned->rng;
    planned->fn(sim);
    sim->rng = world;
}

static void plan_one(struct sim *sim, int64_t least_us, int64_t most_us, sim_fn *fn)
{
    const int n = sim->planned.sendings++;
    if (!keep_sending(&sim->keep, n))
        return;
    struct planned *planned = &sim->outside->planned[n];
    *planned = (struct planned){sim, sim_stream(sim, STREAM_SENDINGS, n + 1), fn};
    sim_at(sim, NULL, rng_in(&planned->rng, least_us, most_us), planned_comes, planned);
}

static void plan_all(struct sim *sim)
{
    struct rng rng = sim_stream(sim, STREAM_SENDINGS, 0);
    for (int64_t n = rng_in(&rng, 3, 6); n; n--)
        plan_one(sim, 0, 40 * SEC, send_event);
    for (int64_t n = rng_in(&rng, 0, 12); n; n--)
        plan_one(sim, 0, 65 * SEC, send_wake);
    for (int64_t n = rng_in(&rng, 0, 16); n; n--)
        plan_one(sim, 0, 65 * SEC, send_answer);
    for (int64_t n = rng_in(&rng, 3, 6); n; n--)
        plan_one(sim, 1 * SEC, 60 * SEC, send_command);
    for (int64_t n = rng_in(&rng, 0, 2); n; n--)
        plan_one(sim, 1 * SEC, 40 * SEC, apply);
    if (rng_chance(&rng, 0.3))
        plan_one(sim, 1 * SEC, 40 * SEC, pause_or_resume);
}

struct outside *outside_new(struct sim *sim)
{
    struct outside *o = mem_alloc(sizeof *o);
    static const char *const names[] = {"triggers", "api"};
    sim->outside = o;
    struct proc *proc = proc_new(sim);
    for (int i = 0; i < 2; i++)
        o->buses[i] = memory_bus_open(
            sim->log, &(struct memory_bus_options){.producer = names[i],
                                                   .outbox_in_transaction = sim->in_transaction,
                                                   .fate = sim_bus_fate,
                                                   .fate_ctx = proc});
    plan_all(sim);
    for (int64_t n = rng_in(&sim->rng, 0, 4); n; n--)
        sim_at(sim, NULL, rng_in(&sim->rng, 1 * SEC, 50 * SEC), resize, sim);
    sim_at(sim, NULL, 60 * SEC, resize_last, sim);
    return o;
}

void outside_free(struct outside *o)
{
    if (!o)
        return;
    for (int i = 0; i < 2; i++)
        memory_bus_kill(o->buses[i]);
    for (int i = 0; i < o->count; i++)
        free(o->items[i].text);
    free(o);
}

#include "tests/sim/outside/outside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/sim/database/database.h"
#include "tests/sim/outside/internal.h"

#define RETRY_US (700 * MS)

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
        sim_at(s->sim, NULL, RETRY_US, sending_publish, s);
    if (!err && s->tries < 4 && rng_chance(&s->sim->rng, 0.3)) {
        s->sim->counts.duplicates++;
        sim_at(s->sim, NULL, rng_in(&s->sim->rng, 0, 20 * SEC), sending_publish, s);
    }
}

void sending_publish(void *arg)
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

struct sending *sending_new(struct sim *sim)
{
    struct outside *o = sim->outside;
    if (o->count == SENDINGS_MAX)
        return NULL;
    struct sending *s = &o->items[o->count++];
    s->sim = sim;
    s->id = rng_uuid(&sim->rng);
    s->sent_at = sim->now;
    return s;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void encode_event(struct sending *s, const char *tick_of)
{
    char at[CLOCK_TEXT];
    clock_format(WALL_START + s->sim->now, at);
    json_t *data = s->n == NO_NUMBER ? json_object() : json_pack("{s:i}", "n", s->n);
    char branch[16];
    snprintf(branch, sizeof branch, "b%d", s->branch);
    json_t *vars = s->branch == NO_NUMBER
                       ? NULL
                       : json_pack("{s:s, s:s}", "BRANCH_NAME", branch, "REPO_NAME", "r");
    struct event event = {.specversion = "1.0",
                          .id = s->id,
                          .source = "/sim",
                          .type = s->type,
                          .time = at,
                          .leatsource = tick_of     ? "cron"
                                        : s->milled ? "mill"
                                                    : "sim",
                          .leatpipeline = tick_of,
                          .leattrigger = tick_of ? "cron" : NULL,
                          .vars = vars,
                          .data = data};
    s->text = event_encode(&event, &s->len);
    json_decref(data);
    json_decref(vars);
}

static int some_number(struct sim *sim)
{
    return rng_chance(&sim->rng, 0.04) ? NO_NUMBER : (int)rng_in(&sim->rng, 0, 9);
}

static void send_event(void *arg)
{
    struct sim *sim = arg;
    const struct plan_pipeline *p = plan_some(sim);
    struct sending *s = p ? sending_new(sim) : NULL;
    if (!s)
        return;
    s->n = some_number(sim);
    s->milled = rng_chance(&sim->rng, 0.4);
    s->cron = plan_ticks(p) && rng_chance(&sim->rng, 0.4);
    s->branch = s->cron || rng_chance(&sim->rng, 0.4) ? NO_NUMBER : (int)rng_in(&sim->rng, 0, 9);
    snprintf(s->type, sizeof s->type, "%s",
             s->cron ? "dev.leat.cron" : plan_some_type(&sim->rng, p));
    snprintf(s->pipeline, sizeof s->pipeline, "%s", p->name);
    encode_event(s, s->cron ? s->pipeline : NULL);
    sim->counts.events++;
    sending_publish(s);
}

/* Of a type that only waits look for. */
static void send_wake(void *arg)
{
    struct sim *sim = arg;
    struct sending *s = sending_new(sim);
    if (!s)
        return;
    s->n = some_number(sim);
    s->milled = rng_chance(&sim->rng, 0.4);
    s->branch = NO_NUMBER;
    snprintf(s->type, sizeof s->type, "dev.sim.w");
    encode_event(s, NULL);
    sim->counts.events++;
    sending_publish(s);
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
        plan_one(sim, 0, 65 * SEC, outside_send_answer);
    for (int64_t n = rng_in(&rng, 3, 6); n; n--)
        plan_one(sim, 1 * SEC, 60 * SEC, outside_send_command);
    for (int64_t n = rng_in(&rng, 0, 3); n; n--)
        plan_one(sim, 1 * SEC, 40 * SEC, outside_apply);
    if (rng_chance(&rng, 0.3))
        plan_one(sim, 1 * SEC, 40 * SEC, outside_pause);
    if (rng_chance(&rng, 0.2))
        plan_one(sim, 0, 40 * SEC, outside_pause_trigger);
    if (rng_chance(&rng, 0.2))
        plan_one(sim, 1 * SEC, 40 * SEC, outside_delete);
    for (int64_t n = rng_in(&rng, 0, 2); n; n--)
        plan_one(sim, 3 * SEC, 50 * SEC, outside_drain);
    if (rng_chance(&rng, 0.2))
        plan_one(sim, 3 * SEC, 60 * SEC, outside_remove);
    for (int n = sim->most_pipelines < PLAN_NO_BOUND ? 3 : 0; n; n--)
        plan_one(sim, 1 * SEC, 50 * SEC, outside_exchange);
    for (int64_t n = rng_in(&rng, 0, 3); n; n--)
        plan_one(sim, 20 * SEC, 68 * SEC, outside_send_part);
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
        sim_at(sim, NULL, rng_in(&sim->rng, 1 * SEC, 50 * SEC), outside_resize, sim);
    sim_at(sim, NULL, 60 * SEC, outside_resize_last, sim);
    sim_at(sim, NULL, 62 * SEC, outside_resume_all, sim);
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

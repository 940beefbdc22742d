#include "tests/sim/plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/ir.h"
#include "common/text/json.h"
#include "common/text/yaml.h"

enum shape { SHAPE_CHAIN, SHAPE_FAN, SHAPE_DIAMONDS, SHAPE_RANDOM, SHAPE_COUNT };

/* Which earlier steps step i of n needs. */
static uint32_t needs_of(struct rng *rng, enum shape shape, int i, int n)
{
    if (i == 0)
        return 0;
    switch (shape) {
    case SHAPE_CHAIN:
        return 1u << (i - 1);
    case SHAPE_FAN: /* one, many, one */
        return i == n - 1 && n > 2 ? ((1u << i) - 1) & ~1u : 1u;
    case SHAPE_DIAMONDS: /* one, two, one, two, … */
        return i % 3 == 0 ? 3u << (i - 2) : 1u << (i - i % 3);
    default:
        return (uint32_t)rng_next(rng) & ((1u << i) - 1);
    }
}

int plan_pick(struct rng *rng, uint32_t needs)
{
    int picked = -1, count = 0;
    for (int i = 0; i < PLAN_STEPS; i++)
        if (needs >> i & 1u && rng_in(rng, 0, count++) == 0)
            picked = i;
    return picked;
}

static void step_new(struct rng *rng, struct plan_step *step, enum shape shape, int i, int n)
{
    plan_step_clear(step, i);
    memcpy(step->name, step->label, sizeof step->label);
    step->needs = needs_of(rng, shape, i, n);
    plan_when(rng, step, step->needs);
    if (step->needs && rng_chance(rng, 0.4))
        step->refers = plan_pick(rng, step->needs);
    step->refers_default = rng_chance(rng, 0.3);
    plan_step_program(rng, step);
}

void plan_step_clear(struct plan_step *step, int i)
{
    *step = (struct plan_step){.parent = -1,
                               .when = {.step = -1},
                               .refers = -1,
                               .sees = -1,
                               .given_by = -1,
                               .pins_for = -1,
                               .when_item = -1,
                               .attempts = 1,
                               .again = PLAN_AGAIN_ALL,
                               .lost = 20,
                               .slots = 1,
                               .gives = {-1, -1, -1},
                               .cases = {{.step = -1}, {.step = -1}, {.step = -1}},
                               .branches = 1,
                               .items_from = -1,
                               .gives_folder = -1,
                               .takes = -1,
                               .times = 1};
    snprintf(step->label, sizeof step->label, "s%d", i);
}

void plan_step_program(struct rng *rng, struct plan_step *step)
{
    if (rng_chance(rng, 0.5))
        step->attempts = (int)rng_in(rng, 2, 4);
    step->takes_us =
        rng_chance(rng, 0.2) ? rng_in(rng, 2 * SEC, 12 * SEC) : rng_in(rng, 10 * MS, 2 * SEC);
    if (rng_chance(rng, 0.05)) /* outlives lease + lost_after: only its fuse ends it in time */
        step->takes_us = rng_in(rng, 40 * SEC, 60 * SEC);
    if (rng_chance(rng, 0.3)) {
        step->timeout_us = step->takes_us / SEC * SEC + 3 * SEC;
        step->hangs = 0.15;
    }
    if (rng_chance(rng, 0.15)) {
        step->heartbeat_us = rng_in(rng, 2, 8) * SEC;
        step->hangs = 0.15;
    }
    plan_outputs(rng, step);
    step->fails = rng_chance(rng, 0.4) ? 0.25 : 0.02;
    if (rng_chance(rng, 0.1))
        step->slots = 2;
    if (rng_chance(rng, 0.12))
        step->queue_us = rng_in(rng, 4, 25) * SEC;
    step->grace_us = rng_chance(rng, 0.15) ? rng_in(rng, 1, 5) * SEC : 0;
    step->lost_after_us = rng_chance(rng, 0.15) ? rng_in(rng, 12, 40) * SEC : 0;
    if (step->needs && rng_chance(rng, 0.3))
        step->sees = plan_pick(rng, step->needs);
    step->cache = rng_chance(rng, 0.2);
    step->cache_us = step->cache && rng_chance(rng, 0.5) ? rng_in(rng, 1, 20) * SEC : 0;
    if (rng_chance(rng, 0.15)) {
        step->at_most_once = true;
        step->attempts = 1;
    }
    for (int i = 0; i < PLAN_LIMITS; i++)
        if (rng_chance(rng, 0.12))
            step->uses[i] = (int)rng_in(rng, 1, 2);
    step->pool = rng_chance(rng, 0.2);
    step->priority = rng_chance(rng, 0.4) ? (int)rng_in(rng, -2, 2) : 0;
    plan_retry(rng, step);
}

const char *plan_limit_name(int limit)
{
    static const char *const NAMES[PLAN_LIMITS] = {"gpu", "licence"};
    return limit < PLAN_LIMITS ? NAMES[limit] : plan_pool_name(limit - PLAN_LIMITS);
}

const char *plan_pool_name(int pool)
{
    static const char *const NAMES[PLAN_POOLS] = {"default", "side"};
    return NAMES[pool];
}

int plan_step_uses(const struct plan_step *step, int limit)
{
    if (limit < PLAN_LIMITS)
        return step->uses[limit];
    return step->pool == limit - PLAN_LIMITS ? step->slots : 0;
}

int plan_limit_size_since(const struct plan_limit *limit, int64_t gen)
{
    int most = 0;
    for (int i = 0; i < limit->count; i++) {
        const bool over = i + 1 < limit->count && limit->sizes[i + 1].gen <= gen;
        most = !over && limit->sizes[i].n > most ? limit->sizes[i].n : most;
    }
    return most;
}

static int find_named(void *arg, enum ir_reference kind, const char *reference, const char *from,
                      struct ir_found *out, struct err *err);

static json_t *compile_text(const struct text *yaml, struct plan_version *v, struct err *err)
{
    cleanup_yaml struct yaml_docs docs = {0};
    if (yaml_read("plan", yaml->data, yaml->len, &docs, err) < 0)
        return NULL;
    return ir_compile(&docs.items[0], "plan", &(struct ir_resolver){find_named, v}, NULL, err);
}

/* As the catalog has it: compiled. */
static int compile_part(struct text *yaml, struct plan_version *v, struct ir_found *out,
                        struct err *err)
{
    cleanup_json json_t *ir = compile_text(yaml, v, err);
    text_free(yaml);
    if (!ir)
        return err_wrap(err, "a part");
    out->bytes = json_dumps(ir, JSON_COMPACT | JSON_SORT_KEYS);
    out->len = strlen(out->bytes);
    return 0;
}

/* Pipelines name limits, which are all there, pipelines that their steps start, which will be there
 * and cannot be looked at yet, and the files of their parts. */
static int find_named(void *arg, enum ir_reference kind, const char *reference, const char *from,
                      struct ir_found *out, struct err *err)
{
    struct text file = {0};
    const char *name = strncmp(reference, "./", 2) == 0 ? reference + 2 : reference;
    (void)from;
    if (kind == IR_REFERENCE_LIMIT || kind == IR_REFERENCE_START)
        return 0;
    if (kind == IR_REFERENCE_COMPONENT && plan_write_part_file(&file, arg, name)) {
        *out = (struct ir_found){file.data, file.len, mem_string(name)};
        return 0;
    }
    if (kind == IR_REFERENCE_PIPELINE && plan_write_part_file(&file, arg, name))
        return compile_part(&file, arg, out, err);
    return err_set(err, LEAT_ENOTFOUND, "there is no %s here", reference);
}

static const char *const POLICIES[] = {"queue", "skip", "cancel_running", "latest_only"};

static void concurrency_new(struct rng *rng, struct plan_version *v)
{
    if (rng_chance(rng, 0.4))
        return;
    v->limit = (int)rng_in(rng, 1, 2);
    v->keyed = rng_chance(rng, 0.4);
    v->policy = rng_chance(rng, 0.5) ? PLAN_QUEUE : (enum plan_policy)rng_in(rng, 0, 3);
    if (rng_chance(rng, 0.2))
        v->queued_us = rng_in(rng, 3, 40) * SEC;
}

static void write_pipeline(struct text *out, const struct plan_pipeline *p,
                           const struct plan_version *v)
{
    text_printf(out, "name: %s\n", p->name);
    plan_write_triggers(out, v);
    if (v->limit)
        text_printf(out, "concurrency: {limit: %d, policy: %s%s}\n", v->limit, POLICIES[v->policy],
                    v->keyed ? ", key: \"${{ params.size % 2 }}\"" : "");
    if (v->queued_us)
        text_printf(out, "queue_timeout: %ds\n", (int)(v->queued_us / SEC));
    if (v->timeout_us)
        text_printf(out, "timeout: %ds\n", (int)(v->timeout_us / SEC));
    if (v->priority)
        text_printf(out, "priority: %d\n", v->priority);
    text_puts(out, "params:\n  size: {type: integer, default: 1}\n"
                   "  items: {type: json, default: [0, 1]}\n");
    plan_write_steps(out, v);
}

static void compile(struct sim *sim, const struct plan_pipeline *p, struct plan_version *v)
{
    cleanup_text struct text yaml = {0};
    struct err err = {0};
    write_pipeline(&yaml, p, v);
    v->ir = compile_text(&yaml, v, &err);
    if (!v->ir)
        sim_fail(sim, 0, "the generator made a pipeline that does not compile: %s\n%s", err.text,
                 yaml.data);
    ir_hash(v->ir, v->hash);
    struct ir *ir = ir_load(v->ir, &err);
    for (int i = 0; ir && i < v->step_count; i++) {
        v->index_of[i] = ir_step_index(ir, v->steps[i].name);
        if (v->index_of[i] < 0)
            sim_fail(sim, 0, "the plan has a step %s, and the compiled pipeline none\n%s",
                     v->steps[i].name, yaml.data);
        v->step_at[v->index_of[i]] = i;
    }
    if (!ir)
        sim_fail(sim, 0, "the compiled pipeline cannot be loaded: %s", err.text);
    if (ir->step_count != (size_t)v->step_count)
        sim_fail(sim, 0, "the plan has %d steps, the compiled pipeline %zu\n%s", v->step_count,
                 ir->step_count, yaml.data);
    ir_free(ir);
}

static void version_new(struct sim *sim, struct plan_pipeline *p, int place, int count)
{
    struct plan_version *v = &p->versions[p->version_count++];
    plan_triggers(&sim->rng, v, v > p->versions ? v - 1 : NULL);
    concurrency_new(&sim->rng, v);
    v->first_child = place + 1;
    v->last_child = count - 1;
    enum shape shape = (enum shape)rng_in(&sim->rng, 0, SHAPE_COUNT - 1);
    if (rng_chance(&sim->rng, 0.5)) {
        plan_shapes(&sim->rng, v);
    } else {
        v->step_count = (int)rng_in(&sim->rng, 2, PLAN_FLAT);
        for (int i = 0; i < v->step_count; i++)
            step_new(&sim->rng, &v->steps[i], shape, i, v->step_count);
    }
    plan_gives(&sim->rng, v);
    plan_pins(&sim->rng, v);
    v->timeout_us = rng_chance(&sim->rng, 0.15) ? rng_in(&sim->rng, 8, 60) * SEC : 0;
    const int index = (int)(p - sim->plan->pipelines), version = p->version_count - 1;
    for (int i = 0; i < v->step_count && !sim->sides; i++)
        v->steps[i].pool = 0;
    sim->planned.steps[index][version] = v->step_count;
    plan_drop(v, keep_steps(&sim->keep, index, version));
    if (!v->step_count)
        sim_fail(sim, 0, "%s has no steps left", p->name);
    compile(sim, p, v);
}

struct plan *plan_new(struct sim *sim)
{
    struct plan *plan = mem_alloc(sizeof *plan);
    const struct rng world = sim->rng;
    sim->plan = plan;
    sim->rng = sim_stream(sim, STREAM_PLAN, 0);
    for (int i = 0; i < PLAN_SIZED; i++) {
        plan->limits[i].count = 1;
        plan->limits[i].sizes[0].n = (int)rng_in(&sim->rng, 1, PLAN_SIZE_MOST);
        if (i >= PLAN_LIMITS && rng_chance(&sim->rng, 0.7))
            plan->limits[i].sizes[0].n = PLAN_ANY;
    }
    sim->sides = rng_chance(&sim->rng, 0.4);
    sim->most_runs = rng_chance(&sim->rng, 0.3) ? rng_in(&sim->rng, 1, 6) : 100000;
    plan->pipeline_count = (int)rng_in(&sim->rng, 1, PLAN_PIPELINES);
    sim->planned.pipelines = plan->pipeline_count;
    sim->most_pipelines = plan->pipeline_count > 1 && rng_chance(&sim->rng, 0.2)
                              ? rng_in(&sim->rng, 1, plan->pipeline_count - 1)
                              : PLAN_NO_BOUND;
    sim->most_workers =
        rng_chance(&sim->rng, 0.2) ? 0 : PLAN_NO_BOUND; /* 0: as many as there are */
    for (int i = 0; i < plan->pipeline_count; i++) {
        struct plan_pipeline *p = &plan->pipelines[i];
        sim->rng = sim_stream(sim, STREAM_PLAN, i + 1);
        p->dropped = !keep_pipeline(&sim->keep, i);
        snprintf(p->name, sizeof p->name, "p%d", i);
        p->changes[0].gen = i + 1;
        p->change_count = 1; /* version 0, from the beginning */
        p->changes[0].deleted = i >= sim->most_pipelines;
        int versions = rng_chance(&sim->rng, 0.4) ? PLAN_VERSIONS : 1;
        while (p->version_count < versions)
            version_new(sim, p, i, plan->pipeline_count);
    }
    sim->rng = world;
    return plan;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    for (int i = 0; i < plan->pipeline_count; i++)
        for (int v = 0; v < plan->pipelines[i].version_count; v++)
            json_decref(plan->pipelines[i].versions[v].ir);
    free(plan);
}

struct plan_pipeline *plan_some(struct sim *sim)
{
    const int64_t last = sim->plan->pipeline_count - 1;
    struct plan_pipeline *p = &sim->plan->pipelines[rng_in(&sim->rng, 0, last)];
    return p->dropped ? NULL : p;
}

struct plan_pipeline *plan_find(struct plan *plan, const char *pipeline)
{
    for (int i = 0; i < plan->pipeline_count; i++)
        if (strcmp(plan->pipelines[i].name, pipeline) == 0)
            return &plan->pipelines[i];
    return NULL;
}

struct plan_version *plan_version_find(struct plan_pipeline *pipeline, const char *hash)
{
    for (int v = 0; v < pipeline->version_count; v++)
        if (strcmp(pipeline->versions[v].hash, hash) == 0)
            return &pipeline->versions[v];
    return NULL;
}

int plan_step_find(const struct plan_version *version, const char *step)
{
    for (int i = 0; i < version->step_count; i++)
        if (strcmp(version->steps[i].name, step) == 0)
            return i;
    return -1;
}

/* Steps that run nothing and wait for what comes from outside. */
#include <string.h>
#include "common/base/states.h"
#include "common/base/text.h"
#include "tests/sim/plan/plan.h"

static const char *const SOURCES[] = {NULL, NULL, NULL, "sim", "mill"};
static const char *const TYPES[] = {"dev.sim.w", "dev.sim.a", "dev.sim.b", "dev.sim.*"};

bool plan_is_group(const struct plan_step *s)
{
    return s->kind >= PLAN_GROUP && s->kind <= PLAN_LOOP;
}

bool plan_waits(const struct plan_step *s)
{
    return s->kind > PLAN_LOOP;
}

static void starts(struct rng *rng, const struct plan_version *v, struct plan_step *s)
{
    s->kind = PLAN_START;
    s->starts = (int)rng_in(rng, v->first_child, v->last_child);
    s->waits = rng_chance(rng, 0.8);
    plan_retry_whole(rng, s);
    s->timeout_us = rng_chance(rng, 0.3) ? rng_in(rng, 3, 30) * SEC : 0;
    plan_take_started(rng, s);
    s->named = rng_chance(rng, 0.3);
}

/* At a number that is there for sure: a parameter that cannot be worked out fails each try. */
void plan_start_looks(struct rng *rng, const struct plan_version *v, const struct plan_step *head,
                      struct plan_step *s)
{
    uint32_t sure = 0;
    for (int i = 0; i < v->step_count; i++)
        if (head->needs >> i & 1u && v->steps[i].kind == PLAN_RUN && !v->steps[i].n_optional)
            sure |= 1u << i;
    if (s->kind == PLAN_START && head->rule == PLAN_ALL_SUCCEEDED && rng_chance(rng, 0.6))
        s->refers = plan_pick(rng, sure);
}

void plan_step_waits(struct rng *rng, const struct plan_version *v, struct plan_step *s)
{
    static const int SILENCES[] = {STEP_FAILED, STEP_SKIPPED, STEP_SUCCEEDED};
    if (v->first_child <= v->last_child && s->times <= 4 && rng_chance(rng, 0.5)) {
        starts(rng, v, s);
        return;
    }
    s->kind = (enum plan_kind)rng_in(rng, PLAN_WAIT, PLAN_APPROVAL);
    s->by_anna = rng_chance(rng, 0.5);
    s->silence = SILENCES[rng_in(rng, 0, 2)];
    s->type = TYPES[rng_in(rng, 0, 3)];
    s->source = SOURCES[rng_in(rng, 0, 4)];
    s->over = (int)rng_in(rng, 0, 7);
    s->timeout_us = s->takes_us = rng_in(rng, 3, 20) * SEC;
}

void plan_asks(struct rng *rng, const struct plan_version *v, const struct plan_step *head,
               struct plan_step *s)
{
    uint32_t numbers = 0;
    for (int i = 0; i < v->step_count; i++)
        if (head->needs >> i & 1u && plan_is_number(v, i))
            numbers |= 1u << i;
    if (s->kind != PLAN_APPROVAL || !rng_chance(rng, 0.7))
        return;
    s->asks = true;
    if (rng_chance(rng, 0.7))
        s->refers = plan_pick(rng, numbers);
    s->refers_default = rng_chance(rng, 0.4);
}

/* What its filter looks at beside the event. */
void plan_wait_looks(struct rng *rng, const struct plan_version *v, const struct plan_step *head,
                     struct plan_step *s)
{
    const uint32_t numbers = plan_numbers(v, head->needs);
    if (s->kind != PLAN_WAIT || !rng_chance(rng, 0.7))
        return;
    s->filter = PLAN_LOOKS_AT_SIZE;
    if (plan_nearest(v, (int)(s - v->steps), PLAN_EACH) >= 0 && rng_chance(rng, 0.7)) {
        s->filter = PLAN_LOOKS_AT_INDEX;
        s->over -= 3;
    } else if (numbers && rng_chance(rng, 0.6)) {
        s->filter = PLAN_LOOKS_AT_STEP;
        s->refers = plan_pick(rng, numbers);
        s->refers_default = rng_chance(rng, 0.4);
    }
}

/* Whatever its filter says. */
bool plan_wait_fits(const struct plan_step *s, const char *type, const char *source)
{
    const size_t len = strlen(s->type);
    const bool all = s->type[len - 1] == '*';
    return (all ? strncmp(s->type, type, len - 1) == 0 : strcmp(s->type, type) == 0) &&
           (!s->source || strcmp(s->source, source) == 0);
}

static void write_approval(struct text *out, const struct plan_version *v,
                           const struct plan_step *s)
{
    text_puts(out, "approval: {");
    if (s->asks) {
        text_puts(out, "message: \"");
        plan_write_arguments(out, v, (int)(s - v->steps), "|");
        text_puts(out, "\", ");
    }
    text_printf(out, "%son_timeout: %s}, timeout: %llds", s->by_anna ? "by: [anna], " : "",
                s->silence == STEP_FAILED    ? "fail"
                : s->silence == STEP_SKIPPED ? "skip"
                                             : "approve",
                (long long)(s->timeout_us / SEC));
}

static void write_start(struct text *out, const struct plan_version *v, const struct plan_step *s)
{
    text_printf(out, "start: {pipeline: p%d, params: {size: ", s->starts);
    if (s->refers >= 0)
        text_printf(out, "\"${{ steps.%s.outputs.n }}\"}", v->steps[s->refers].label);
    else
        text_puts(out, "2}");
    if (s->named)
        text_printf(out, ", name: \"${{ run.name }} %s\"", s->label);
    text_printf(out, ", wait: %s}", s->waits ? "true" : "false");
    plan_write_retry(out, s);
    plan_write_taken(out, s);
    if (s->timeout_us)
        text_printf(out, ", timeout: %llds", (long long)(s->timeout_us / SEC));
}

static void write_filter(struct text *out, const struct plan_version *v, const struct plan_step *s)
{
    if (!s->filter) {
        text_printf(out, "filter: \"event.data.n > %d\"", s->over);
        return;
    }
    text_printf(out, "filter: \"event.data.n + %d > ", s->over);
    if (s->filter == PLAN_LOOKS_AT_STEP)
        plan_write_number(out, v, s->refers, s->refers_default);
    else
        text_puts(out, s->filter == PLAN_LOOKS_AT_SIZE ? "params.size" : "index * 4");
    text_puts(out, "\"");
}

void plan_write_wait(struct text *out, const struct plan_version *v, const struct plan_step *s)
{
    if (s->kind == PLAN_APPROVAL) {
        write_approval(out, v, s);
        return;
    }
    if (s->kind == PLAN_START) {
        write_start(out, v, s);
        return;
    }
    text_printf(out, "wait: {type: \"%s\", ", s->type);
    if (s->source)
        text_printf(out, "source: %s, ", s->source);
    write_filter(out, v, s);
    text_printf(out, "}, timeout: %llds", (long long)(s->timeout_us / SEC));
}

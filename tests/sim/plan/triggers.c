/* What starts the runs of a pipeline: triggers for events, several of them for one type or source
 * too, and a cron. */
#include <string.h>
#include "common/base/text.h"
#include "tests/sim/plan/plan.h"

static const char *const TYPES[] = {"dev.sim.a", "dev.sim.b"};
static const char *const SOURCES[] = {"sim", "sim", "mill", NULL, NULL};

static void another(struct rng *rng, const struct plan_on *first, struct plan_on *on)
{
    *on = (struct plan_on){
        .type = rng_chance(rng, 0.7) ? first->type : TYPES[rng_in(rng, 0, 1)],
        .source = SOURCES[rng_in(rng, 0, 4)],
        .over = rng_chance(rng, 0.7) ? (int)rng_in(rng, 2, 7) : -1,
        .size = rng_chance(rng, 0.4) ? (int)rng_in(rng, 1, 9) : PLAN_SIZE_OF_EVENT,
    };
}

static void first_ones(struct rng *rng, struct plan_version *v)
{
    v->on[0].type = TYPES[rng_in(rng, 0, 1)];
    v->on[0].over = rng_chance(rng, 0.4) ? (int)rng_in(rng, 0, 4) : -1;
    v->on_count = rng_chance(rng, 0.7) ? 1 : (int)rng_in(rng, 2, PLAN_ON_EVENTS);
    if (v->on_count > 1)
        v->on[0].source = SOURCES[rng_in(rng, 0, 4)];
    for (int i = 1; i < v->on_count; i++)
        another(rng, &v->on[0], &v->on[i]);
    v->cron = rng_chance(rng, 0.3);
}

/* One comes, the last goes, or one is another: its filter, its source, what it gives. */
static void change_one(struct rng *rng, struct plan_version *v)
{
    const int64_t dice = rng_in(rng, 0, 9);
    struct plan_on *on = &v->on[rng_in(rng, 0, v->on_count > 1 ? v->on_count - 1 : 0)];
    if (v->on_count == 0 || (dice < 3 && v->on_count < PLAN_ON_EVENTS))
        another(rng, &(struct plan_on){.type = TYPES[rng_in(rng, 0, 1)]}, &v->on[v->on_count++]);
    else if (dice < 4 || (dice < 6 && v->on_count > 1))
        v->on_count--;
    else if (dice < 8)
        on->over = on->over < 0 ? (int)rng_in(rng, 2, 7) : rng_chance(rng, 0.5) ? -1 : 9 - on->over;
    else if (dice < 9)
        on->size = on->size == PLAN_SIZE_OF_EVENT ? (int)rng_in(rng, 1, 9) : PLAN_SIZE_OF_EVENT;
    else
        on->source = on->source ? NULL : SOURCES[rng_in(rng, 0, 2)];
}

void plan_triggers(struct rng *rng, struct plan_version *v, const struct plan_version *before)
{
    if (!before) {
        first_ones(rng, v);
        return;
    }
    memcpy(v->on, before->on, sizeof v->on);
    v->on_count = before->on_count;
    v->cron = rng_chance(rng, 0.2) ? !before->cron : before->cron;
    for (int64_t n = rng_chance(rng, 0.3) ? 0 : rng_in(rng, 1, 2); n; n--)
        change_one(rng, v);
}

const char *plan_some_type(struct rng *rng, const struct plan_pipeline *p)
{
    const struct plan_version *v = &p->versions[rng_in(rng, 0, p->version_count - 1)];
    const int i = (int)rng_in(rng, 0, v->on_count > 1 ? v->on_count - 1 : 0);
    return v->on_count && rng_chance(rng, 0.3) ? v->on[i].type : p->versions[0].on[0].type;
}

bool plan_ticks(const struct plan_pipeline *p)
{
    for (int i = 0; i < p->version_count; i++)
        if (p->versions[i].cron)
            return true;
    return false;
}

const char *plan_trigger_name(int trigger)
{
    static const char *const NAMES[PLAN_TRIGGERS] = {"event", "event-2", "event-3", "cron"};
    return NAMES[trigger];
}

bool plan_has_trigger(const struct plan_version *v, int trigger)
{
    return trigger == PLAN_CRON ? v->cron : trigger < v->on_count;
}

/* ---- the text -------------------------------------------------------------------------------- */

static void write_on(struct text *out, const struct plan_on *on)
{
    text_printf(out, "{type: %s", on->type);
    if (on->size == PLAN_SIZE_OF_EVENT)
        text_puts(out, ", params: {size: \"${{ event.data.n }}\"}");
    else
        text_printf(out, ", params: {size: %d}", on->size);
    if (on->source)
        text_printf(out, ", source: %s", on->source);
    if (on->over >= 0)
        text_printf(out, ", filter: \"event.data.n > %d\"", on->over);
    text_puts(out, "}");
}

void plan_write_triggers(struct text *out, const struct plan_version *v)
{
    if (v->on_count || v->cron)
        text_puts(out, "on:\n");
    if (v->on_count)
        text_puts(out, v->on_count > 1 ? "  event: [" : "  event: ");
    for (int i = 0; i < v->on_count; i++) {
        text_puts(out, i ? ", " : "");
        write_on(out, &v->on[i]);
    }
    if (v->on_count)
        text_puts(out, v->on_count > 1 ? "]\n" : "\n");
    if (v->cron)
        text_puts(out, "  cron: {schedule: \"* * * * *\"}\n");
}

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

void plan_triggers(struct rng *rng, struct plan_pipeline *p)
{
    p->on[0].type = TYPES[rng_in(rng, 0, 1)];
    p->on[0].over = rng_chance(rng, 0.4) ? (int)rng_in(rng, 0, 4) : -1;
    p->on_count = rng_chance(rng, 0.7) ? 1 : (int)rng_in(rng, 2, PLAN_ON_EVENTS);
    if (p->on_count > 1)
        p->on[0].source = SOURCES[rng_in(rng, 0, 4)];
    for (int i = 1; i < p->on_count; i++)
        another(rng, &p->on[0], &p->on[i]);
    p->cron = rng_chance(rng, 0.3);
}

const char *plan_trigger_name(int trigger)
{
    static const char *const NAMES[PLAN_TRIGGERS] = {"event", "event-2", "event-3", "cron"};
    return NAMES[trigger];
}

bool plan_has_trigger(const struct plan_pipeline *p, int trigger)
{
    return trigger == PLAN_CRON ? p->cron : trigger < p->on_count;
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

void plan_write_triggers(struct text *out, const struct plan_pipeline *p)
{
    text_puts(out, p->on_count > 1 ? "on:\n  event: [" : "on:\n  event: ");
    for (int i = 0; i < p->on_count; i++) {
        text_puts(out, i ? ", " : "");
        write_on(out, &p->on[i]);
    }
    text_puts(out, p->on_count > 1 ? "]\n" : "\n");
    if (p->cron)
        text_puts(out, "  cron: {schedule: \"* * * * *\"}\n");
}

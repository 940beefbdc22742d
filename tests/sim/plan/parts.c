/* Parts: what is in them is written elsewhere, in a component or in another pipeline, and sees of
 * outside what it is given. */
#include <stdlib.h>
#include <string.h>
#include "common/base/text.h"
#include "tests/sim/plan/plan.h"

#define PICKS_OVER 20 /* of sizes up to here some may be given */

bool plan_picks(int size)
{
    return size >= 0 && size < PICKS_OVER && size % 10 < 7;
}

/* ---- the generator --------------------------------------------------------------------------- */

int plan_items_seen(const struct plan_version *v, int part)
{
    const int each = v->steps[part].kind == PLAN_EACH ? part : plan_nearest(v, part, PLAN_EACH);
    const bool are = each >= 0 && v->steps[each].items_from >= 0 && !v->steps[each].items_folder;
    return are ? each : -1;
}

static bool rounds_seen(const struct plan_version *v, int part)
{
    return v->steps[part].kind == PLAN_LOOP || plan_nearest(v, part, PLAN_LOOP) >= 0;
}

/* Steps beside it, or further out, that it may look at. */
static uint32_t numbers_seen(const struct plan_version *v, int head)
{
    const int around = v->steps[head].parent;
    const uint32_t outer =
        around >= 0 && !v->steps[around].part ? plan_numbers(v, v->steps[around].needs) : 0;
    return plan_numbers(v, v->steps[head].needs) | outer;
}

static void give(struct rng *rng, const struct plan_version *v, int head, int part,
                 struct plan_step *s)
{
    const uint32_t numbers = numbers_seen(v, head);
    s->given_by = -1;
    if (rng_chance(rng, 0.2)) {
        s->given = PLAN_GIVEN_NOTHING;
    } else if (plan_items_seen(v, part) >= 0 && rng_chance(rng, 0.5)) {
        s->given = PLAN_GIVEN_ITEM;
    } else if (rounds_seen(v, part) && rng_chance(rng, 0.5)) {
        s->given = PLAN_GIVEN_ROUND;
    } else if (numbers && rng_chance(rng, 0.6)) {
        s->given = rng_chance(rng, 0.3) ? PLAN_GIVEN_TEXT : PLAN_GIVEN_STEP;
        s->given_by = plan_pick(rng, numbers);
        s->given_default = rng_chance(rng, 0.3);
    }
    s->picky = s->given >= PLAN_GIVEN_STEP && rng_chance(rng, 0.3);
}

void plan_make_part(struct rng *rng, struct plan_version *v, int head, int part, bool grafted)
{
    struct plan_step *s = &v->steps[part];
    s->part = true;
    s->grafted = grafted;
    s->hashed = !grafted && rng_chance(rng, 0.3);
    give(rng, v, head, part, s);
    s->late_inside = grafted && rng_chance(rng, 0.3);
    if (s->late_inside && !s->timeout_us)
        s->timeout_us = rng_in(rng, 3, 30) * SEC;
}

/* ---- the text -------------------------------------------------------------------------------- */

static void write_size(struct text *out, const struct plan_version *v, int part)
{
    const struct plan_step *s = &v->steps[part];
    const char *place = s->kind == PLAN_EACH   ? " + index"
                        : s->kind == PLAN_LOOP ? " + loop.index"
                                               : "";
    text_printf(out, ", with: {size: \"%s${{ ", s->given == PLAN_GIVEN_TEXT ? "1" : "");
    if (s->given == PLAN_GIVEN_SIZE)
        text_printf(out, "params.size + 1%s", place);
    else if (s->given == PLAN_GIVEN_ITEM)
        text_printf(out, "i%s + 1", v->steps[plan_items_seen(v, part)].label);
    else if (s->given == PLAN_GIVEN_ROUND)
        text_printf(out, "%s + 1%s", PLAN_ROUND_BEFORE, place);
    else
        plan_write_number(out, v, s->given_by, s->given_default);
    if (s->given == PLAN_GIVEN_STEP)
        text_printf(out, " + 1%s", place);
    text_puts(out, " }}\"}");
}

static void write_component(struct text *out, const struct plan_version *v, int part);

static void write_hash(struct text *out, const struct plan_version *v, int part)
{
    cleanup_text struct text file = {0};
    char hex[SHA256_HEX];
    write_component(&file, v, part);
    sha256_hex(file.data, file.len, hex);
    text_printf(out, "@sha256:%s", hex);
}

void plan_write_uses(struct text *out, const struct plan_version *v, int part)
{
    const struct plan_step *s = &v->steps[part];
    text_printf(out, s->grafted ? "pipeline: pipe%d@1" : "uses: \"./c%d.yaml", part);
    if (s->hashed)
        write_hash(out, v, part);
    text_puts(out, s->grafted ? "" : "\"");
    if (s->given != PLAN_GIVEN_NOTHING)
        write_size(out, v, part);
    if (!s->grafted)
        plan_write_ties(out, v, part);
}

static void write_params(struct text *out, const struct plan_step *s)
{
    const char *before = ", choices: [";
    text_printf(out, "params: {size: {type: integer, default: %d", PLAN_PART_SIZE);
    for (int size = 0; s->picky && size < PICKS_OVER; size++)
        if (plan_picks(size)) {
            text_printf(out, "%s%d", before, size);
            before = ", ";
        }
    text_puts(out, s->picky ? "]}}, " : "}}, ");
}

static void write_component(struct text *out, const struct plan_version *v, int part)
{
    const struct plan_step *s = &v->steps[part];
    text_printf(out, "{kind: component, name: %s, ", s->label);
    write_params(out, s);
    if (s->direct) {
        plan_write_program(out, v, plan_inside(v, part));
    } else {
        plan_write_declared(out, v, part);
        plan_write_dag(out, v, part, 0);
        plan_write_gives(out, v, part, 0);
    }
    text_puts(out, "}\n");
}

/* What starts its own runs, and how many there may be, is of no account in a part. */
static void write_grafted(struct text *out, const struct plan_version *v, int part)
{
    const struct plan_step *s = &v->steps[part];
    text_printf(out, "{name: pipe%d, ", part);
    write_params(out, s);
    text_puts(out, "on: {event: {type: dev.sim.a}}, concurrency: {limit: 1, policy: skip}, "
                   "queue_timeout: 1s, ");
    if (s->late_inside)
        text_printf(out, "timeout: %llds, ", (long long)(s->timeout_us / SEC));
    plan_write_dag(out, v, part, 0);
    plan_write_gives(out, v, part, 0);
    text_puts(out, "}\n");
}

bool plan_write_part_file(struct text *out, const struct plan_version *v, const char *name)
{
    const bool pipeline = strncmp(name, "pipe", 4) == 0;
    const long part = strtol(name + (pipeline ? 4 : 1), NULL, 10); /* "@1" or ".yaml" follows */
    if (part >= v->step_count || !v->steps[part].part || v->steps[part].grafted != pipeline)
        return false;
    if (pipeline)
        write_grafted(out, v, (int)part);
    else
        write_component(out, v, (int)part);
    return true;
}

/* The third pass: what each step says, now that everything that it can refer to is known. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/front/front.h"
#include "common/front/scope.h"
#include "common/text/json.h"

#define TIMEOUT_MAX (366 * 86400 * US_PER_S)

static void read_needs(struct front *f, size_t step)
{
    const json_t *needs = front_own(f, step, "needs");
    const size_t mark = f->at.len;
    size_t i;
    json_t *name;
    if (json_is_string(needs))
        front_refer_need(f, (int32_t)step, json_string_value(needs));
    json_array_foreach (needs, i, name) {
        front_at_cut(f, mark);
        front_at_index(f, i);
        front_refer_need(f, (int32_t)step, json_string_value(name));
    }
}

/* A condition that looks at the item is asked for each item, so it goes to the step inside; there
 * is one only where the body is no group itself. */
static bool asks_each(struct front *f, size_t step, const char *when)
{
    const struct front_step *s = &f->step[step];
    return s->parts & FRONT_FOR_EACH && !(s->parts & FRONT_BODY) &&
           scope_mentions(when, json_get_string(s->source, "as", "item"));
}

static void read_when(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    const json_t *when = front_own(f, step, "when");
    const char *text = json_string_value(when);
    if (!when)
        return;
    while (asks_each(f, step, text))
        step = (size_t)names_find(f->dags[f->step[step].inside].steps, s->label);
    const struct scope scope = {.roots = SCOPE_OF_STEP, .where = "when", .step = (int32_t)step};
    if (scope_condition(f, &scope, text))
        json_object_set(f->step[step].out, "when", (json_t *)when);
}

/* A component's root says what it runs, its user whether and when. */
static void read_head(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    const char *rule = json_get_string(s->source, "rule", "all_succeeded");
    const json_t *description = json_object_get(s->source, "description");
    if (s->source == s->unit->root)
        return;
    if (strcmp(rule, "all_succeeded") != 0)
        front_put(f, s->out, "rule", json_string(rule));
    if (json_get_bool(s->source, "allow_failure", false))
        front_put(f, s->out, "allow_failure", json_true());
    if (description)
        json_object_set(s->out, "description", (json_t *)description);
    read_when(f, step);
    read_needs(f, step);
}

/* Of the group as a whole, each try of it. */
static void read_group_head(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    if (s->shape != FRONT_STEPS && s->shape != FRONT_SWITCH && s->shape != FRONT_PIPELINE &&
        s->shape != FRONT_USES)
        return; /* for_each or loop of a program: they are of each attempt */
    front_retry_all(f, step);
    const int64_t given = json_get_int(s->out, "timeout_us", 0);
    const int64_t timeout = front_duration(f, front_own(f, step, "timeout"), 0, TIMEOUT_MAX, given);
    json_object_del(s->out, "timeout_us");
    if (timeout > 0)
        front_put(f, s->out, "timeout_us", json_integer(timeout));
}

static void read_step(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    if (s->shape == FRONT_MADE)
        return;
    if (s->inside >= 0)
        front_put(f, s->out, "kind", json_string("group"));
    json_object_set_new(s->out, "rule", json_string("all_succeeded"));
    if (s->parts & FRONT_HEAD)
        read_head(f, step);
    if (s->inside >= 0 && s->parts & FRONT_HEAD)
        read_group_head(f, step);
    if (s->inside >= 0)
        front_group(f, step);
    else if (s->shape == FRONT_PROGRAM)
        front_program(f, step);
    else if (s->shape == FRONT_WAIT || s->shape == FRONT_APPROVAL || s->shape == FRONT_START)
        front_waiting(f, step);
}

void front_read(struct front *f)
{
    const size_t own = f->step_count; /* pins are added */
    for (size_t i = 0; i < own && !front_is_spent(f); i++)
        read_step(f, i);
}

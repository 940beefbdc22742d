/* What expressions see of the groups around them: items, rounds, and how a DAG has ended. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/front/front.h"
#include "common/front/scope.h"
#include "common/text/json.h"

static const char *item_of(const struct front_step *s)
{
    return s->parts & FRONT_FOR_EACH ? json_get_string(s->source, "as", "item") : "";
}

static bool has_part(const struct front_step *s, enum front_part part, const char *as)
{
    return s->parts & part && (!as || strcmp(item_of(s), as) == 0);
}

/* The innermost step whose item and rounds are seen, -1 = none. */
static int32_t innermost_seen(const struct front *f, const struct scope *scope)
{
    return scope->own ? scope->step : front_outward(f, scope->step);
}

/* The nearest group with that part (and that item), -1 = none. */
static int32_t nearest(const struct front *f, const struct scope *scope, enum front_part part,
                       const char *as)
{
    int32_t at = innermost_seen(f, scope);
    while (at >= 0 && !has_part(&f->step[at], part, as))
        at = front_outward(f, at);
    if (at >= 0 && scope->innermost &&
        f->dags[f->step[at].inside].depth > f->dags[*scope->innermost].depth)
        *scope->innermost = f->step[at].inside;
    return at;
}

static bool is_in_finally(const struct front *f, int32_t step)
{
    while (step >= 0 && !f->step[step].finally)
        step = front_outward(f, step);
    return step >= 0;
}

/* Keys of the items that are mappings; found once, since many expressions ask. */
static const struct names *fields_of(struct front_step *group, const json_t *items)
{
    size_t i;
    const char *key;
    json_t *item, *value;
    if (group->fields)
        return group->fields;
    group->fields = names_new();
    json_array_foreach (items, i, item) {
        json_object_foreach (item, key, value)
            names_add(group->fields, key, 0);
    }
    return group->fields;
}

/* A field that none of the items has; one that some have not may be meant, with default(). */
static void check_item(struct front *f, int32_t group, const struct cel_reference *ref)
{
    const json_t *items = json_object_get(f->step[group].source, "for_each");
    char hint[FRONT_HINT];
    if (ref->count < 2 || !json_is_array(items) || json_array_size(items) == 0)
        return;
    const struct names *fields = fields_of(&f->step[group], items);
    if (names_find(fields, ref->names[1]) < 0)
        front_problem(f, "%s.%s: no item of %s has a field %s%s", ref->names[0], ref->names[1],
                      f->step[group].label, ref->names[1],
                      front_hint(f, fields, ref->names[1], hint));
}

static void check_previous(struct front *f, int32_t group, const struct cel_reference *ref)
{
    const char *name = ref->names[2];
    const json_t *output = json_object_get(json_object_get(f->step[group].out, "outputs"), name);
    const char *type = json_get_string(output, "type", "");
    if (!output)
        front_problem(f, "loop.previous.%s: %s declares no output of that name", name,
                      f->step[group].label);
    else if (strcmp(type, "artifact") == 0)
        front_problem(f, "loop.previous.%s is an artifact: only values are seen", name);
    else if (ref->count > 3 && strcmp(type, "json") != 0)
        front_problem(f, "loop.previous.%s is of type %s and has no field %s", name, type,
                      ref->names[3]);
}

static void check_loop(struct front *f, const struct scope *scope, const struct cel_reference *ref)
{
    const int32_t group = nearest(f, scope, FRONT_LOOP, NULL);
    const char *field = ref->count > 1 ? ref->names[1] : "";
    if (group < 0)
        front_problem(f, "loop: no step around %s has a loop", scope->where);
    else if (strcmp(field, "previous") == 0 && ref->count > 2)
        check_previous(f, group, ref);
    else if (strcmp(field, "index") != 0)
        front_problem(f, "loop.%s: write loop.index or loop.previous.NAME", field);
}

static void check_index(struct front *f, const struct scope *scope)
{
    if (nearest(f, scope, FRONT_FOR_EACH, NULL) < 0)
        front_problem(f, "index: no step around %s has a for_each", scope->where);
}

static void check_outcome(struct front *f, const struct scope *scope,
                          const struct cel_reference *ref)
{
    const char *field = ref->count > 1 ? ref->names[1] : "";
    if (!is_in_finally(f, scope->step))
        front_problem(f, "outcome: is known in finally steps only");
    else if (strcmp(field, "state") != 0 && strcmp(field, "reason") != 0)
        front_problem(f, "outcome.%s: write outcome.state or outcome.reason", field);
}

void scope_around_names(const struct front *f, const struct scope *scope,
                        const char *names[SCOPE_AROUND_MAX])
{
    int count = 0;
    unsigned parts = 0;
    for (int32_t at = innermost_seen(f, scope); at >= 0; at = front_outward(f, at)) {
        parts |= f->step[at].parts;
        if (f->step[at].parts & FRONT_FOR_EACH && count < IR_DEPTH_MAX)
            names[count++] = item_of(&f->step[at]);
    }
    if (parts & FRONT_FOR_EACH)
        names[count++] = "index";
    if (parts & FRONT_LOOP)
        names[count++] = "loop";
    if (is_in_finally(f, scope->step))
        names[count++] = "outcome";
    names[count] = NULL;
}

bool scope_around(struct front *f, const struct scope *scope, const struct cel_reference *ref)
{
    const char *root = ref->names[0];
    const int32_t group = nearest(f, scope, FRONT_FOR_EACH, root);
    if (group >= 0)
        check_item(f, group, ref);
    else if (strcmp(root, "index") == 0)
        check_index(f, scope);
    else if (strcmp(root, "loop") == 0)
        check_loop(f, scope, ref);
    else if (strcmp(root, "outcome") == 0)
        check_outcome(f, scope, ref);
    else if (strcmp(root, item_of(&f->step[scope->step])) == 0)
        front_problem(f, "%s: %s is asked before there are items; ask it on the steps inside", root,
                      scope->where);
    else
        return false;
    return true;
}

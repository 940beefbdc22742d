#include "common/front/front.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/json.h"

static void at_reset(struct front *f)
{
    f->at.len = 0;
    text_puts(&f->at, "");
}

void front_at(struct front *f, ...)
{
    va_list ap;
    va_start(ap, f);
    at_reset(f);
    for (const char *segment = va_arg(ap, const char *); segment;
         segment = va_arg(ap, const char *))
        json_pointer_add(&f->at, segment);
    va_end(ap);
}

void front_at_step(struct front *f, size_t step, ...)
{
    va_list ap;
    front_use(f, f->step[step].unit);
    at_reset(f);
    text_puts(&f->at, f->step[step].at);
    va_start(ap, step);
    for (const char *segment = va_arg(ap, const char *); segment;
         segment = va_arg(ap, const char *))
        json_pointer_add(&f->at, segment);
    va_end(ap);
}

void front_at_index(struct front *f, size_t index)
{
    json_pointer_add_index(&f->at, index);
}

void front_at_cut(struct front *f, size_t len)
{
    f->at.len = len;
    f->at.data[len] = '\0';
}

void front_use(struct front *f, struct front_unit *unit)
{
    f->unit = unit;
    f->problems.doc = unit->doc;
    f->problems.file = unit->file;
    f->problems.main = unit->origin == NULL;
}

bool front_is_spent(const struct front *f)
{
    return f->cost > FRONT_COST_MAX || f->step_count > IR_STEPS_MAX;
}

bool front_spend(struct front *f, size_t bytes)
{
    const bool was_over = f->cost > FRONT_COST_MAX;
    f->cost += bytes + 64; /* what a value takes beside its text, about */
    if (f->cost <= FRONT_COST_MAX)
        return true;
    if (!was_over)
        front_problem(f,
                      "with defaults, aliases and what it uses written out the file comes to over "
                      "%lu MiB",
                      FRONT_COST_MAX >> 20);
    return false;
}

const char *front_hint(const struct front *f, const struct names *names, const char *word,
                       char out[FRONT_HINT])
{
    /* Only the problems that will be told: it looks at every name. */
    const bool told = f->problems.count < IR_PROBLEMS_MAX;
    const char *near = told ? names_nearest(names, word) : NULL;
    snprintf(out, FRONT_HINT, near ? "; did you mean %s?" : "%s", near ? near : "");
    return out;
}

const char *front_key_hint(const struct front *f, const json_t *mapping, const char *word,
                           char out[FRONT_HINT])
{
    const char *key;
    json_t *value;
    struct names *names = names_new();
    int32_t index = 0;
    json_object_foreach ((json_t *)(uintptr_t)mapping, key, value)
        names_add(names, key, index++);
    front_hint(f, names, word, out);
    names_free(names);
    return out;
}

const json_t *front_own(struct front *f, size_t step, const char *key)
{
    front_at_step(f, step, key, NULL);
    return json_object_get(f->step[step].source, key);
}

const json_t *front_field(struct front *f, size_t step, const char *key)
{
    const json_t *own = front_own(f, step, key);
    const json_t *fallback =
        own ? NULL : json_object_get(json_get_object(f->unit->root, "defaults"), key);
    if (fallback)
        front_at(f, "defaults", key, NULL);
    return own ? own : fallback;
}

void front_put(struct front *f, json_t *out, const char *key, json_t *value)
{
    f->nested = true;
    json_object_set_new(out, key, value);
}

static const char *path_of(struct front *f, int32_t dag, const char *label)
{
    const int32_t group = f->dags[dag].group;
    if (group < 0)
        return arena_text(f->arena, label);
    cleanup_free char *path = mem_printf("%s/%s", f->step[group].name, label);
    return arena_text(f->arena, path);
}

static void put_place(struct front *f, const struct front_step *s, bool finally)
{
    const struct front_dag *dag = &f->dags[s->dag];
    if (dag->group >= 0) {
        const struct front_step *group = &f->step[dag->group];
        front_put(f, s->out, "in", json_string(group->name));
        if (s->dag > group->inside)
            front_put(f, s->out, "branch", json_integer(s->dag - group->inside));
    }
    if (finally)
        front_put(f, s->out, "finally", json_true());
}

size_t front_add_step(struct front *f, int32_t dag, const char *label, bool finally)
{
    MEM_ROOM(f->step, f->step_count, f->step_cap);
    json_t *out = json_object();
    json_array_append_new(f->steps_out, out);
    struct front_step *s = &f->step[f->step_count];
    *s = (struct front_step){.unit = f->unit,
                             .at = arena_text(f->arena, f->at.data),
                             .shape = FRONT_MADE,
                             .dag = dag,
                             .inside = -1,
                             .finally = finally,
                             .out = out};
    s->name = path_of(f, dag, label);
    s->label = s->name + strlen(s->name) - strlen(label);
    json_object_set_new(out, "name", json_string(s->name));
    put_place(f, s, finally);
    return f->step_count++;
}

int32_t front_add_dags(struct front *f, size_t group, size_t count, bool closed)
{
    const int32_t depth = f->dags[f->step[group].dag].depth + 1;
    f->step[group].inside = (int32_t)f->dag_count;
    for (size_t i = 0; i < count; i++) {
        MEM_ROOM(f->dags, f->dag_count, f->dag_cap);
        f->dags[f->dag_count++] = (struct front_dag){
            .group = (int32_t)group, .depth = depth, .closed = closed, .steps = names_new()};
    }
    return f->step[group].inside;
}

static void add_index(struct front_indices *list, int32_t index)
{
    MEM_ROOM(list->items, list->count, list->cap);
    list->items[list->count++] = index;
}

void front_need(struct front *f, int32_t step, int32_t needed)
{
    add_index(&f->step[step].needs, needed);
}

void front_see(struct front *f, int32_t step, int32_t seen)
{
    add_index(&f->step[step].sees, seen);
}

int64_t front_duration(struct front *f, const json_t *value, int64_t least, int64_t most,
                       int64_t fallback)
{
    int64_t us = 0;
    if (!value)
        return fallback;
    const char *text = json_string_value(value);
    if (!text_to_duration(text, &us))
        front_problem(f, "'%s' is not a duration: write 500ms, 10s, 5m, 2h or 14d", text);
    else if (us < least || us > most)
        front_problem(f, "'%s' is out of range: %g s to %g s", text, (double)least / 1e6,
                      (double)most / 1e6);
    else
        return us;
    return fallback;
}

int64_t front_size(struct front *f, const json_t *value, int64_t fallback)
{
    int64_t bytes = 0;
    if (!value)
        return fallback;
    if (text_to_size(json_string_value(value), &bytes))
        return bytes;
    front_problem(f, "'%s' is not a size: write 512, 64KiB, 25MiB or 5GiB",
                  json_string_value(value));
    return fallback;
}

bool front_plain_name(struct front *f, const char *what, const char *name)
{
    if (!strchr(name, '.'))
        return true;
    front_key_problem(f, "%s %s: no dot in it, since STEP.OUTPUT names an output", what, name);
    return false;
}

bool front_few(struct front *f, const char *what, const json_t *object, size_t most)
{
    const size_t count = json_object_size(object);
    if (count <= most)
        return true;
    front_problem(f, "%zu %s: at most %zu", count, what, most);
    return false;
}

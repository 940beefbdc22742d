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

void front_at_index(struct front *f, size_t index)
{
    json_pointer_add_index(&f->at, index);
}

bool front_spend(struct front *f, size_t bytes)
{
    const bool was_over = f->cost > FRONT_COST_MAX;
    f->cost += bytes + 64; /* what a value takes beside its text, about */
    if (f->cost <= FRONT_COST_MAX)
        return true;
    if (!was_over)
        front_problem(f, "with defaults and aliases written out the file comes to over %lu MiB",
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

const json_t *front_field(struct front *f, const struct front_step *step, const char *key)
{
    const json_t *own = json_object_get(step->source, key);
    const json_t *fallback =
        own ? NULL : json_object_get(json_get_object(f->root, "defaults"), key);
    if (fallback)
        front_at(f, "defaults", key, NULL);
    else
        front_at(f, "steps", step->name, key, NULL);
    return own ? own : fallback;
}

size_t front_add_step(struct front *f, const char *name, const json_t *source)
{
    MEM_ROOM(f->step, f->step_count, f->step_cap);
    json_t *out = json_object();
    json_array_append_new(f->steps_out, out);
    f->step[f->step_count] = (struct front_step){.name = name, .source = source, .out = out};
    return f->step_count++;
}

void front_need(struct front *f, size_t step, int32_t needed)
{
    struct front_step *s = &f->step[step];
    MEM_ROOM(s->needs, s->need_count, s->need_cap);
    s->needs[s->need_count++] = needed;
}

int32_t front_output(struct front *f, const char *text, const char **output)
{
    char name[IR_NAME_MAX + 1], near[FRONT_HINT];
    const char *dot = strchr(text, '.');
    const size_t len = dot ? (size_t)(dot - text) : 0;
    if (len == 0 || len > IR_NAME_MAX || !dot[1]) {
        front_problem(f, "'%.64s': write STEP.OUTPUT, the output of another step", text);
        return -1;
    }
    memcpy(name, text, len);
    name[len] = '\0';
    const int32_t index = names_find(f->steps, name);
    if (index < 0) {
        front_problem(f, "'%s': there is no step %s%s", text, name,
                      front_hint(f, f->steps, name, near));
        return -1;
    }
    *output = dot + 1;
    if (!json_object_get(json_object_get(f->step[index].source, "outputs"), *output)) {
        front_problem(f, "'%s': step %s declares no output %s", text, name, *output);
        return -1;
    }
    return index;
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

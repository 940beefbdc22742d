#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ir/graph.h"
#include "common/ir/load.h"

void load_fail(struct loader *l, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    if (l->failed)
        return;
    l->failed = true;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    err_set(l->err, LEAT_EINPUT, "IR: %s: %s", l->where, text);
}

const char *load_text(struct loader *l, const json_t *obj, const char *key, bool required)
{
    const json_t *value = json_object_get(obj, key);
    if (json_is_string(value))
        return arena_bytes(l->ir->arena, json_string_value(value), json_string_length(value));
    if (value || required)
        load_fail(l, "%s: %s", key, value ? "must be text" : "is missing");
    return required ? "" : NULL;
}

int64_t load_int(struct loader *l, const json_t *obj, const char *key, int64_t least, int64_t most,
                 int64_t fallback)
{
    const json_t *value = json_object_get(obj, key);
    if (!value)
        return fallback;
    const json_int_t n = json_integer_value(value);
    if (json_is_integer(value) && n >= least && n <= most)
        return n;
    load_fail(l, "%s: must be an integer from %lld to %lld", key, (long long)least,
              (long long)most);
    return fallback;
}

double load_number(struct loader *l, const json_t *obj, const char *key, double least, double most,
                   double fallback)
{
    const json_t *value = json_object_get(obj, key);
    if (!value)
        return fallback;
    const double x = json_number_value(value);
    if (json_is_number(value) && isfinite(x) && x >= least && x <= most)
        return x;
    load_fail(l, "%s: must be a number from %g to %g", key, least, most);
    return fallback;
}

int load_word(struct loader *l, const json_t *obj, const char *key, const char *const *words,
              int fallback)
{
    const json_t *value = json_object_get(obj, key);
    if (!value && fallback >= 0)
        return fallback;
    for (int i = 0; json_is_string(value) && words[i]; i++) {
        if (strcmp(words[i], json_string_value(value)) == 0)
            return i;
    }
    load_fail(l, "%s: is nothing that this build knows", key);
    return 0;
}

struct template *load_template(struct loader *l, const json_t *obj, const char *key)
{
    const json_t *value = json_object_get(obj, key);
    if (json_is_string(value))
        return load_template_text(l, json_string_value(value));
    if (value)
        load_fail(l, "%s: must be text", key);
    return NULL;
}

static const json_t *load_many(struct loader *l, const json_t *obj, const char *key, bool list,
                               size_t most)
{
    const json_t *value = json_object_get(obj, key);
    if (!value)
        return NULL;
    const size_t count = list ? json_array_size(value) : json_object_size(value);
    if (list ? !json_is_array(value) : !json_is_object(value))
        load_fail(l, "%s: must be %s", key, list ? "a list" : "a mapping");
    else if (count > most)
        load_fail(l, "%s: at most %zu", key, most);
    else
        return value;
    return NULL;
}

const json_t *load_list(struct loader *l, const json_t *obj, const char *key, size_t most)
{
    return load_many(l, obj, key, true, most);
}

const json_t *load_map(struct loader *l, const json_t *obj, const char *key, size_t most)
{
    return load_many(l, obj, key, false, most);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **load_keys(struct loader *l, const json_t *map, size_t *count)
{
    const size_t size = json_object_size(map);
    const char **keys = size ? arena_alloc(l->ir->arena, size * sizeof *keys) : NULL;
    const char *key;
    json_t *value;
    size_t n = 0;
    json_object_foreach ((json_t *)map, key, value)
        keys[n++] = arena_text(l->ir->arena, key);
    if (n > 1)
        qsort(keys, n, sizeof *keys, by_text);
    *count = n;
    return keys;
}

struct ir_binding *load_bindings(struct loader *l, const json_t *obj, const char *key,
                                 size_t *count)
{
    const json_t *map = load_map(l, obj, key, IR_ENTRIES_MAX);
    const char **names = load_keys(l, map, count);
    struct ir_binding *bindings =
        *count ? arena_alloc(l->ir->arena, *count * sizeof *bindings) : NULL;
    for (size_t i = 0; i < *count; i++) {
        bindings[i].name = names[i];
        bindings[i].value = load_template(l, map, names[i]);
    }
    return bindings;
}

bool load_flag(struct loader *l, const json_t *obj, const char *key, bool fallback)
{
    const json_t *value = json_object_get(obj, key);
    if (value && !json_is_boolean(value))
        load_fail(l, "%s: must be true or false", key);
    return value ? json_is_true(value) : fallback;
}

const char **load_words(struct loader *l, const json_t *obj, const char *key, size_t most,
                        size_t *count)
{
    const json_t *list = load_list(l, obj, key, most);
    const char **words = load_array(l, json_array_size(list), sizeof *words);
    for (*count = 0; *count < json_array_size(list); ++*count) {
        const char *word = json_string_value(json_array_get(list, *count));
        words[*count] = arena_text(l->ir->arena, word ? word : "");
        if (!word)
            load_fail(l, "%s: must be a list of text", key);
    }
    return words;
}

void *load_array(struct loader *l, size_t count, size_t size)
{
    return count ? arena_alloc(l->ir->arena, count * size) : NULL;
}

int32_t *load_steps_named(struct loader *l, const json_t *obj, const char *key, size_t room,
                          size_t *count)
{
    const json_t *list = load_list(l, obj, key, IR_STEPS_MAX);
    int32_t *steps = load_array(l, json_array_size(list) + room, sizeof *steps);
    for (*count = 0; *count < json_array_size(list); ++*count) {
        const char *name = json_string_value(json_array_get(list, *count));
        const int32_t index = name ? ir_step_index(l->ir, name) : -1;
        if (index < 0) {
            load_fail(l, "%s: there is no step %.64s", key, name ? name : "without a name");
            break;
        }
        steps[*count] = index;
    }
    *count = graph_unique(steps, *count);
    return steps;
}

int32_t load_output_of(struct loader *l, const json_t *from, const char **output)
{
    const char *name = load_text(l, from, "step", true);
    const int32_t index = ir_step_index(l->ir, name);
    *output = load_text(l, from, "output", true);
    if (index < 0)
        load_fail(l, "there is no step %.64s to take output %.64s of", name, *output);
    return index;
}

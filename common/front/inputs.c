#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/front/front.h"
#include "common/front/scope.h"
#include "common/text/json.h"
#include "common/text/template.h"

/* What an objects step has that nobody can write: it only copies, so a failure is the store's or
 * the bucket's, and worth a second and third try. */
static void fill_pin(json_t *out, const char *name, const char *pool)
{
    json_object_set_new(out, "name", json_string(name));
    json_object_set_new(out, "kind", json_string("objects"));
    json_object_set_new(out, "rule", json_string("all_succeeded"));
    if (pool)
        json_object_set_new(out, "pool", json_string(pool));
    json_object_set_new(out, "outputs",
                        json_pack("{s:{s:s, s:b}}", "manifest", "type", "artifact", "optional", 0));
    json_object_set_new(
        out, "resources",
        json_pack("{s:i, s:f, s:i, s:i}", "slots", 1, "cpu", 0.0, "memory", 0, "gpu", 0));
    json_object_set_new(out, "retry",
                        json_pack("{s:i, s:I, s:I, s:f, s:[sss], s:i}", "attempts", 3, "first_us",
                                  (json_int_t)1000000, "cap_us", (json_int_t)30000000, "factor",
                                  2.0, "on", "failed", "timed_out", "lost", "lost", 5));
    json_object_set_new(out, "timeout_us", json_integer(0));
    json_object_set_new(out, "lost_after_us", json_integer(0));
    json_object_set_new(out, "grace_us", json_integer(0));
    json_object_set_new(out, "log_limit", json_integer(64LL << 20));
}

/* The step that pins `what` (templates by key) for workers of this pool: the one that is there
 * already, or a new one named after the input that wants it first. */
static int32_t pin(struct front *f, size_t step, const char *input, json_t *what)
{
    const char *pool = json_get_string(f->step[step].out, "pool", NULL);
    cleanup_free char *wanted = json_write(what);
    cleanup_free char *key = mem_printf("%s %s", pool ? pool : "", wanted);
    const int32_t there = names_find(f->pins, key);
    if (there >= 0)
        return there;
    cleanup_free char *name = mem_printf("objects:%s.%s", f->step[step].name, input);
    const size_t index = front_add_step(f, name, NULL);
    struct front_step *made = &f->step[index];
    fill_pin(made->out, name, pool);
    json_object_update(made->out, what);
    made->name = json_get_string(made->out, "name", NULL);
    MEM_ROOM(f->texts, f->text_count, f->text_cap);
    f->texts[f->text_count] = TAKE(key);
    names_add(f->pins, f->texts[f->text_count++], (int32_t)index);
    return (int32_t)index;
}

/* Each of `keys` of the mapping at front->at, as a template that sees the run and nothing later. */
static json_t *read_keys(struct front *f, size_t step, const json_t *from, const char *const *keys)
{
    const size_t mark = f->at.len;
    json_t *what = json_object();
    for (; *keys; keys++) {
        const struct scope scope = {.roots = SCOPE_OF_RUN, .where = *keys, .step = (int32_t)step};
        const json_t *value = json_object_get(from, *keys);
        f->at.len = mark;
        json_pointer_add(&f->at, *keys);
        const bool required = strcmp(*keys, "bucket") == 0 || strcmp(*keys, "key") == 0;
        if (value && json_string_length(value) == 0 && required)
            front_problem(f, "%s: is empty", *keys);
        if (value && json_string_length(value) > 0)
            scope_put_template(f, &scope, value, what, *keys);
    }
    return what;
}

/* "${{ event.data.object }}": an expression whose value has key and version, and bucket or not. */
static json_t *read_expression(struct front *f, size_t step, const char *text)
{
    const struct scope scope = {.roots = SCOPE_OF_RUN, .where = "object", .step = (int32_t)step};
    if (!scope_template(f, &scope, text))
        return json_object();
    cleanup_template struct template *t = template_compile(text, NULL);
    if (!template_is_expression(t)) {
        front_problem(f, "object: write one ${{ expression }}, or a mapping of bucket and key");
        return json_object();
    }
    const char *e = strstr(text, "${{") + 3, *end = strrchr(text, '}') - 1;
    while (e < end && strchr(" \t\r\n", *e))
        e++;
    while (end > e && strchr(" \t\r\n", end[-1]))
        end--;
    const int n = (int)(end - e);
    cleanup_free char *bucket =
        mem_printf("${{ default((%.*s).bucket, event.data.bucket) }}", n, e);
    cleanup_free char *key = mem_printf("${{ (%.*s).key }}", n, e);
    cleanup_free char *version = mem_printf("${{ default((%.*s).version, \"\") }}", n, e);
    if (!scope_template(f, &scope, bucket) || !scope_template(f, &scope, key) ||
        !scope_template(f, &scope, version))
        return json_object();
    return json_pack("{s:s, s:s, s:s}", "bucket", bucket, "key", key, "version", version);
}

/* OUTPUT of the step at `index`, as an input; also makes it needed. */
static json_t *from_step(struct front *f, size_t step, int32_t index, const char *output)
{
    front_need(f, step, index);
    return json_pack("{s:{s:s, s:s}}", "from", "step", f->step[index].name, "output", output);
}

static json_t *read_from(struct front *f, size_t step, const char *text)
{
    const char *output = NULL;
    const int32_t index = front_output(f, text, &output);
    return index < 0 ? NULL : from_step(f, step, index, output);
}

static json_t *read_value(struct front *f, size_t step, const char *text)
{
    const struct scope scope = {.roots = SCOPE_OF_STEP, .where = "value", .step = (int32_t)step};
    return scope_template(f, &scope, text) ? json_pack("{s:s}", "value", text) : NULL;
}

static json_t *read_pinned(struct front *f, size_t step, const char *name, const json_t *input)
{
    static const char *const SET[] = {"bucket", "prefix", "suffix", NULL};
    static const char *const ONE[] = {"bucket", "key", "version", NULL};
    const json_t *objects = json_object_get(input, "objects");
    const json_t *object = json_object_get(input, "object");
    const size_t problems = f->problems.found;
    cleanup_json json_t *what = NULL;
    json_pointer_add(&f->at, objects ? "objects" : "object");
    if (objects)
        what = read_keys(f, step, objects, SET);
    else if (json_is_string(object))
        what = read_expression(f, step, json_string_value(object));
    else
        what = read_keys(f, step, object, ONE);
    if (f->problems.found > problems)
        return NULL;
    return from_step(f, step, pin(f, step, name, what), "manifest");
}

static json_t *read_long(struct front *f, size_t step, const char *name, const json_t *input)
{
    const json_t *from = json_object_get(input, "from");
    const json_t *value = json_object_get(input, "value");
    if (json_object_size(input) != 1) {
        front_problem(f, "input %s: write exactly one of from, objects, object and value", name);
        return NULL;
    }
    if (from) {
        json_pointer_add(&f->at, "from");
        return read_from(f, step, json_string_value(from));
    }
    if (value) {
        json_pointer_add(&f->at, "value");
        return read_value(f, step, json_string_value(value));
    }
    return read_pinned(f, step, name, input);
}

void front_inputs(struct front *f, size_t step)
{
    const json_t *inputs = json_object_get(f->step[step].source, "inputs");
    json_t *all = json_object(), *input;
    const char *name;
    json_object_set_new(f->step[step].out, "inputs", all);
    front_at(f, "steps", f->step[step].name, "inputs", NULL);
    if (!front_few(f, "inputs", inputs, IR_ENTRIES_MAX))
        return;
    json_object_foreach ((json_t *)inputs, name, input) {
        front_at(f, "steps", f->step[step].name, "inputs", name, NULL);
        if (!front_plain_name(f, "input", name))
            continue;
        json_t *out = json_is_string(input) ? read_from(f, step, json_string_value(input))
                                            : read_long(f, step, name, input);
        if (out)
            json_object_set_new(all, name, out);
    }
}

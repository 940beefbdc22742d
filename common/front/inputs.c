#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/front/front.h"
#include "common/front/scope.h"
#include "common/text/json.h"
#include "common/text/template.h"

/* What an objects step has that nobody can write: it only copies, so a failure is the store's or
 * the bucket's, and worth a second and third try. */
static void fill_pin(json_t *out, const char *pool)
{
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

/* What is pinned, and the innermost DAG whose item or loop its texts look at. */
struct pinned {
    json_t *what; /* templates by key */
    int32_t dag;
};

/* The outermost DAG whose steps see the same params and run as this step. */
static int32_t outermost(const struct front *f, size_t step)
{
    int32_t at = (int32_t)step;
    for (int32_t up = front_outward(f, at); up >= 0; up = front_outward(f, at))
        at = up;
    return f->step[at].dag;
}

/* The step, or the group around it, that stands in the DAG. */
static int32_t standing_in(const struct front *f, size_t step, int32_t dag)
{
    int32_t at = (int32_t)step;
    while (f->step[at].dag != dag)
        at = f->dags[f->step[at].dag].group;
    return at;
}

/* Dots, since the pin may stand further out than the step that it is named after. */
static char *pin_name(const struct front *f, size_t step, const char *input, int32_t dag)
{
    const int32_t group = f->dags[dag].group;
    const size_t cut = group < 0 ? 0 : strlen(f->step[group].name) + 1;
    char *name = mem_printf("objects:%s.%s", f->step[step].name + cut, input);
    for (char *c = name; *c; c++)
        *c = *c == '/' ? '.' : *c;
    return name;
}

static int32_t add_pin(struct front *f, size_t step, const char *input, const struct pinned *p,
                       bool finally, const char *key)
{
    const char *pool = json_get_string(f->step[step].out, "pool", NULL);
    cleanup_free char *label = pin_name(f, step, input, p->dag);
    const size_t index = front_add_step(f, p->dag, label, finally);
    struct front_step *made = &f->step[index];
    fill_pin(made->out, pool);
    json_object_update(made->out, p->what);
    names_add(f->pins, arena_text(f->arena, key), (int32_t)index);
    names_add(f->paths, made->name, (int32_t)index);
    return (int32_t)index;
}

/* The step that pins it for workers of this pool: the one that is there already, or a new one named
 * after the input that wants it first. It stands as far out as its texts allow, so that all see the
 * same; what is finally pins for itself, since the work may have been cut short. */
static int32_t pin(struct front *f, size_t step, const char *input, const struct pinned *p)
{
    const char *pool = json_get_string(f->step[step].out, "pool", NULL);
    const int32_t by = standing_in(f, step, p->dag);
    const bool finally = f->step[by].finally;
    cleanup_free char *wanted = json_write(p->what);
    cleanup_free char *key = mem_printf("%s %d %d %s", pool ? pool : "", p->dag, finally, wanted);
    int32_t index = names_find(f->pins, key);
    if (index < 0)
        index = add_pin(f, step, input, p, finally, key);
    front_need(f, by, index);
    return index;
}

/* Each of `keys` of the mapping at front->at, as a template that sees the run, items and rounds. */
static void read_keys(struct front *f, size_t step, const json_t *from, const char *const *keys,
                      struct pinned *p)
{
    const size_t mark = f->at.len;
    for (; *keys; keys++) {
        const struct scope scope = {
            .roots = SCOPE_OF_PIN, .where = *keys, .step = (int32_t)step, .innermost = &p->dag};
        const json_t *value = json_object_get(from, *keys);
        front_at_cut(f, mark);
        json_pointer_add(&f->at, *keys);
        const bool required = strcmp(*keys, "bucket") == 0 || strcmp(*keys, "key") == 0;
        if (value && json_string_length(value) == 0 && required)
            front_problem(f, "%s: is empty", *keys);
        if (value && json_string_length(value) > 0)
            scope_put_template(f, &scope, value, p->what, *keys);
    }
}

/* "${{ event.data.object }}": an expression whose value has key and version, and bucket or not. */
static void read_expression(struct front *f, size_t step, const char *text, struct pinned *p)
{
    const struct scope scope = {
        .roots = SCOPE_OF_PIN, .where = "object", .step = (int32_t)step, .innermost = &p->dag};
    if (!scope_template(f, &scope, text))
        return;
    cleanup_template struct template *t = template_compile(text, NULL);
    if (!template_is_expression(t)) {
        front_problem(f, "object: write one ${{ expression }}, or a mapping of bucket and key");
        return;
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
        return;
    json_object_set_new(p->what, "bucket", json_string(bucket));
    json_object_set_new(p->what, "key", json_string(key));
    json_object_set_new(p->what, "version", json_string(version));
}

static json_t *tie(const struct front *f, int32_t index, const char *output)
{
    return json_pack("{s:s, s:s}", "step", f->step[index].name, "output", output);
}

static json_t *read_from(struct front *f, size_t step, const char *text)
{
    const char *output = NULL;
    const json_t *declared = NULL;
    const int32_t index = front_output(f, step, text, &output, &declared);
    return index < 0 ? NULL : tie(f, index, output);
}

static json_t *read_pinned(struct front *f, size_t step, const char *name, const json_t *input)
{
    static const char *const SET[] = {"bucket", "prefix", "suffix", NULL};
    static const char *const ONE[] = {"bucket", "key", "version", NULL};
    const json_t *objects = json_object_get(input, "objects");
    const json_t *object = json_object_get(input, "object");
    const size_t problems = f->problems.found;
    cleanup_json json_t *what = json_object();
    struct pinned p = {what, outermost(f, step)};
    json_pointer_add(&f->at, objects ? "objects" : "object");
    if (objects)
        read_keys(f, step, objects, SET, &p);
    else if (json_is_string(object))
        read_expression(f, step, json_string_value(object), &p);
    else
        read_keys(f, step, object, ONE, &p);
    if (f->problems.found > problems)
        return NULL;
    return tie(f, pin(f, step, name, &p), "manifest");
}

/* Where an input comes from, {step, output}, or NULL: it is a value, or wrong. */
static json_t *read_source(struct front *f, size_t step, const char *name, const json_t *input)
{
    const json_t *from = json_object_get(input, "from");
    if (json_is_string(input))
        return read_from(f, step, json_string_value(input));
    if (json_object_size(input) != 1) {
        front_problem(f, "input %s: write exactly one of from, objects, object and value", name);
        return NULL;
    }
    if (from) {
        json_pointer_add(&f->at, "from");
        return read_from(f, step, json_string_value(from));
    }
    return json_object_get(input, "value") ? NULL : read_pinned(f, step, name, input);
}

static json_t *read_input(struct front *f, size_t step, const char *name, const json_t *input)
{
    const struct scope scope = {.roots = SCOPE_OF_STEP, .where = "value", .step = (int32_t)step};
    const json_t *value = json_object_get(input, "value");
    json_t *from = read_source(f, step, name, input);
    if (from)
        return json_pack("{s:o}", "from", from);
    if (!value || json_object_size(input) != 1)
        return NULL;
    json_pointer_add(&f->at, "value");
    return scope_template(f, &scope, json_string_value(value)) ? json_pack("{s:O}", "value", value)
                                                               : NULL;
}

/* The program of a component: its inputs are what its user tied to them. */
static void tied_inputs(const struct front *f, size_t step, json_t *all)
{
    const json_t *ties = f->step[f->dags[f->step[step].dag].group].ties;
    const char *name;
    json_t *from;
    json_object_foreach ((json_t *)ties, name, from)
        json_object_set_new(all, name, json_pack("{s:O}", "from", from));
}

void front_inputs(struct front *f, size_t step)
{
    const json_t *inputs = front_own(f, step, "inputs");
    json_t *all = json_object(), *input;
    const char *name;
    json_object_set_new(f->step[step].out, "inputs", all);
    if (!front_few(f, "inputs", inputs, IR_ENTRIES_MAX))
        return;
    if (f->step[step].source == f->step[step].unit->root) {
        tied_inputs(f, step, all);
        return;
    }
    json_object_foreach ((json_t *)inputs, name, input) {
        front_at_step(f, step, "inputs", name, NULL);
        if (!front_plain_name(f, "input", name))
            continue;
        json_t *out = read_input(f, step, name, input);
        if (out)
            json_object_set_new(all, name, out);
    }
}

/* ---- of a component -------------------------------------------------------------------------- */

static void check_ties(struct front *f, size_t step)
{
    const json_t *declared = json_object_get(f->step[step].part->root, "inputs");
    const json_t *given = front_own(f, step, "inputs");
    const char *name;
    json_t *input;
    json_object_foreach ((json_t *)declared, name, input) {
        if (!json_object_get(given, name) && !json_get_bool(input, "optional", false))
            front_problem(f, "inputs: %s must be given: the component reads it", name);
    }
    json_object_foreach ((json_t *)given, name, input) {
        front_at_step(f, step, "inputs", name, NULL);
        if (!json_object_get(declared, name))
            front_key_problem(f, "inputs: the component declares no input %s", name);
        else if (json_object_get(input, "value"))
            front_problem(f, "input %s: text is given to a component by a parameter, under with",
                          name);
    }
}

void front_ties(struct front *f, size_t step)
{
    json_t *ties = json_object(), *input;
    const char *name;
    f->step[step].ties = ties;
    if (!f->step[step].part)
        return;
    check_ties(f, step);
    json_object_foreach (json_object_get(f->step[step].source, "inputs"), name, input) {
        front_at_step(f, step, "inputs", name, NULL);
        json_t *from = read_source(f, step, name, input);
        if (from)
            json_object_set_new(ties, name, from);
    }
}

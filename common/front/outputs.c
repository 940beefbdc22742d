/* The second pass: what each step gives. From the inside out, since a group gives what its steps
 * do. Whether a group's output may be absent is found out at the end, when needs are known. */
#include <string.h>

#include "common/base/mem.h"
#include "common/front/front.h"
#include "common/ir/value.h"
#include "common/text/json.h"

static json_t *output_of(const char *type, bool optional, int64_t list)
{
    json_t *out = json_pack("{s:s, s:b}", "type", type, "optional", optional);
    if (list > 0)
        json_object_set_new(out, "list", json_integer(list));
    return out;
}

/* ---- programs and what waits ----------------------------------------------------------------- */

static json_t *read_declared(struct front *f, const char *name, const json_t *value)
{
    json_t *path = json_object_get(value, "path");
    front_plain_name(f, "output", name);
    if (json_is_string(value)) {
        front_problem(f, "output %s: STEP.OUTPUT is for groups; a program's output is {type: …}",
                      name);
        return NULL;
    }
    if (!front_spend(f, strlen(name) + json_string_length(path)))
        return NULL;
    json_t *out = output_of(json_get_string(value, "type", "artifact"),
                            json_get_bool(value, "optional", false), 0);
    if (path) /* held against its rules by front_container, which knows what runs the step */
        json_object_set(out, "path", path);
    return out;
}

static json_t *declared_outputs(struct front *f, size_t step)
{
    const json_t *outputs = front_own(f, step, "outputs");
    const size_t mark = f->at.len;
    json_t *all = json_object(), *value;
    const char *name;
    front_few(f, "outputs", outputs, IR_ENTRIES_MAX);
    json_object_foreach ((json_t *)outputs, name, value) {
        json_pointer_add(&f->at, name);
        json_t *output = read_declared(f, name, value);
        if (output)
            json_object_set_new(all, name, output);
        front_at_cut(f, mark);
        if (front_is_spent(f))
            break;
    }
    return all;
}

/* run, state, and what the other pipeline is said to give. */
static json_t *start_outputs(struct front *f, size_t step)
{
    json_t *all = declared_outputs(f, step), *value;
    const char *name;
    const json_t *start = json_object_get(f->step[step].source, "start");
    const bool waits = json_get_bool(start, "wait", true);
    front_at_step(f, step, "outputs", NULL);
    if (json_object_size(all) > 0 && !waits)
        front_problem(f, "outputs: a run that is not waited for gives none; leave out wait: false");
    json_object_foreach (all, name, value) {
        if (json_object_get(value, "path"))
            front_problem(f, "output %s: path is of containers; a run gives its outputs by name",
                          name);
    }
    if (json_object_get(all, "run") || json_object_get(all, "state"))
        front_problem(f, "outputs: run and state are there already");
    json_object_set_new(all, "run", output_of("string", false, 0));
    json_object_set_new(all, "state", output_of("string", !waits, 0));
    return all;
}

static json_t *approval_outputs(void)
{
    return json_pack("{s:o, s:o, s:o}", "answer", output_of("string", false, 0), "by",
                     output_of("string", true, 0), "comment", output_of("string", true, 0));
}

/* ---- groups ---------------------------------------------------------------------------------- */

static json_t *collect_one(struct front *f, const struct front_dag *dag, const char *text)
{
    char label[IR_NAME_MAX + 1], hint[FRONT_HINT];
    const char *output;
    front_cut_output(text, label, &output);
    if (!label[0]) {
        front_problem(f, "'%s': write STEP.OUTPUT, the output of a step in it", text);
        return NULL;
    }
    const int32_t index = names_find(dag->steps, label);
    const struct front_step *from = index < 0 ? NULL : &f->step[index];
    if (!from)
        front_problem(f, "'%s': there is no step %s in it%s", text, label,
                      front_hint(f, dag->steps, label, hint));
    else if (from->finally)
        front_problem(f, "'%s': %s is a finally step: outputs are of the work", text, label);
    else if (!json_object_get(json_object_get(from->out, "outputs"), output))
        front_problem(f, "'%s': step %s declares no output %s%s", text, label, output,
                      front_key_hint(f, json_object_get(from->out, "outputs"), output, hint));
    else
        return json_pack("{s:s, s:s}", "step", from->name, "output", output);
    return NULL;
}

json_t *front_collect(struct front *f, int32_t dag, const json_t *outputs)
{
    const size_t mark = f->at.len;
    json_t *all = json_object(), *value;
    const char *name;
    front_few(f, "outputs", outputs, IR_ENTRIES_MAX);
    json_object_foreach ((json_t *)outputs, name, value) {
        json_pointer_add(&f->at, name);
        front_plain_name(f, "output", name);
        if (!json_is_string(value))
            front_problem(f, "output %s: of a group it is STEP.OUTPUT, the output of a step in it",
                          name);
        json_t *one =
            json_is_string(value) ? collect_one(f, &f->dags[dag], json_string_value(value)) : NULL;
        if (one)
            json_object_set_new(all, name, one);
        front_at_cut(f, mark);
    }
    return all;
}

static const json_t *declaration_of(const struct front *f, const json_t *from)
{
    const int32_t step = names_find(f->paths, json_get_string(from, "step", ""));
    return json_object_get(json_object_get(f->step[step].out, "outputs"),
                           json_get_string(from, "output", ""));
}

/* The type that both have, NULL when there is none. Whole numbers are numbers. */
static const char *join_types(const char *a, const char *b)
{
    const bool numbers = (strcmp(a, "integer") == 0 || strcmp(a, "number") == 0) &&
                         (strcmp(b, "integer") == 0 || strcmp(b, "number") == 0);
    if (strcmp(a, b) == 0)
        return a;
    return numbers ? "number" : NULL;
}

static void join(struct front *f, json_t *all, const char *name, const json_t *declared)
{
    json_t *there = json_object_get(all, name);
    const char *type = json_get_string(declared, "type", "");
    const int64_t list = json_get_int(declared, "list", 0);
    if (!there) {
        json_object_set_new(all, name, output_of(type, false, list));
        return;
    }
    const char *before = json_get_string(there, "type", "");
    const char *joined = join_types(before, type);
    if (!joined || json_get_int(there, "list", 0) != list)
        front_problem(f,
                      "output %s: is %s%s here and %s%s in a branch before: give them one type, or "
                      "names of their own",
                      name, list ? "a list of " : "", type,
                      json_get_int(there, "list", 0) ? "a list of " : "", before);
    else
        json_object_set_new(there, "type", json_string(joined));
}

/* What one DAG of a group gives, into the outputs of the group. */
static void join_branch(struct front *f, json_t *all, const json_t *collected)
{
    const size_t mark = f->at.len;
    const char *name;
    json_t *from;
    json_object_foreach ((json_t *)collected, name, from) {
        json_pointer_add(&f->at, name);
        join(f, all, name, declaration_of(f, from));
        front_at_cut(f, mark);
    }
}

static void add_branch(struct front *f, size_t step, json_t *collected)
{
    json_t *branches = json_object_get(f->step[step].out, "branches");
    if (!branches)
        front_put(f, f->step[step].out, "branches", branches = json_array());
    json_array_append_new(branches, json_pack("{s:o}", "outputs", collected));
}

static void switch_outputs(struct front *f, size_t step, json_t *all)
{
    const json_t *branches = json_object_get(f->step[step].source, "switch");
    for (size_t i = 0; i < json_array_size(branches); i++) {
        front_at_step(f, step, "switch", NULL);
        front_at_index(f, i);
        json_pointer_add(&f->at, "outputs");
        json_t *collected = front_collect(f, f->step[step].inside + (int32_t)i,
                                          json_object_get(json_array_get(branches, i), "outputs"));
        join_branch(f, all, collected);
        add_branch(f, step, collected);
    }
}

/* All that the one step inside gives, by the same names. */
static json_t *pass_on(const struct front *f, int32_t inner)
{
    json_t *all = json_object(), *value;
    const char *name;
    if (inner < 0)
        return all;
    json_object_foreach (json_object_get(f->step[inner].out, "outputs"), name, value)
        json_object_set_new(all, name,
                            json_pack("{s:s, s:s}", "step", f->step[inner].name, "output", name));
    return all;
}

static int32_t only_inside(const struct front *f, const struct front_step *s)
{
    return names_find(f->dags[s->inside].steps, s->label);
}

static json_t *collected_of(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    json_t *collected;
    if (!(s->parts & FRONT_BODY))
        return pass_on(f, only_inside(f, s));
    if (s->shape == FRONT_STEPS)
        return front_collect(f, s->inside, front_own(f, step, "outputs"));
    if (s->shape == FRONT_PIPELINE) /* front_graft has left them here */
        return json_incref(json_object_get(s->out, "collected"));
    if (!s->part)
        return json_object();
    if (!json_object_get(s->part->root, "steps"))
        return pass_on(f, only_inside(f, s));
    front_use(f, s->part);
    front_at(f, "outputs", NULL);
    collected = front_collect(f, s->inside, json_object_get(s->part->root, "outputs"));
    return collected;
}

static void group_outputs(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    json_t *all = json_object(), *value;
    const char *name;
    if (s->parts & FRONT_BODY && s->shape == FRONT_SWITCH) {
        switch_outputs(f, step, all);
    } else {
        json_t *collected = collected_of(f, step);
        join_branch(f, all, collected);
        add_branch(f, step, collected);
    }
    json_object_foreach (all, name, value) {
        if (s->parts & FRONT_FOR_EACH)
            json_object_set_new(value, "list", json_integer(json_get_int(value, "list", 0) + 1));
    }
    json_object_del(s->out, "collected");
    json_object_set_new(s->out, "outputs", all);
}

static json_t *plain_outputs(struct front *f, size_t step)
{
    switch (f->step[step].shape) {
    case FRONT_STEPS: /* too deep, and told */
    case FRONT_SWITCH:
    case FRONT_PIPELINE:
    case FRONT_USES:
        return json_object();
    case FRONT_WAIT:
        return json_pack("{s:o}", "event", output_of("json", false, 0));
    case FRONT_APPROVAL:
        return approval_outputs();
    case FRONT_START:
        return start_outputs(f, step);
    default:
        return declared_outputs(f, step);
    }
}

void front_outputs(struct front *f)
{
    for (size_t i = f->step_count; i-- > 0;) {
        const struct front_step *s = &f->step[i];
        if (s->shape == FRONT_MADE)
            continue;
        if (s->inside >= 0)
            group_outputs(f, i);
        else
            json_object_set_new(s->out, "outputs", plain_outputs(f, i));
    }
}

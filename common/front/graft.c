/* `pipeline:`: the steps of another pipeline's version, as they were compiled, put into a group.
 * Their texts stay as they are: names in them mean what stands beside them, and `params` the
 * group's. Only paths grow by the group's name. */
#include <string.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/base/text.h"
#include "common/front/front.h"
#include "common/text/json.h"

#define PIPELINE_MAX                                                                               \
    (256UL << 20) /* bytes of a version's JSON; it was compiled under our limits                   \
                   */

static char *within(const struct front_step *group, const char *path)
{
    return mem_printf("%s/%s", group->name, path);
}

static void grow(const struct front_step *group, json_t *object, const char *key)
{
    const char *path = json_get_string(object, key, NULL);
    cleanup_free char *grown = path ? within(group, path) : NULL;
    if (grown)
        json_object_set_new(object, key, json_string(grown));
}

/* {NAME: {step, output}} */
static void grow_outputs(const struct front_step *group, json_t *outputs)
{
    const char *name;
    json_t *from;
    json_object_foreach (outputs, name, from)
        grow(group, from, "step");
}

static void grow_paths(const struct front_step *group, json_t *out)
{
    const char *name;
    json_t *value;
    size_t i;
    grow(group, json_object_get(json_object_get(out, "for_each"), "from"), "step");
    json_object_foreach (json_object_get(out, "inputs"), name, value)
        grow(group, json_object_get(value, "from"), "step");
    json_array_foreach (json_object_get(out, "branches"), i, value)
        grow_outputs(group, json_object_get(value, "outputs"));
}

/* The DAG that a step of the other pipeline stands in here; -1 = none, which ir_load rules out. */
static int32_t dag_of(const struct front *f, size_t group, const json_t *from)
{
    const char *in = json_get_string(from, "in", NULL);
    if (!in)
        return f->step[group].inside;
    cleanup_free char *path = within(&f->step[group], in);
    const int32_t around = names_find(f->paths, path);
    if (around < 0 || f->step[around].inside < 0)
        return -1;
    return f->step[around].inside + (int32_t)json_get_int(from, "branch", 0);
}

static void add_one(struct front *f, size_t group, const json_t *from)
{
    const char *name = json_get_string(from, "name", "");
    const char *label = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    const int32_t dag = dag_of(f, group, from);
    if (dag < 0)
        return;
    const size_t step = front_add_step(f, dag, label, json_get_bool(from, "finally", false));
    struct front_step *s = &f->step[step];
    cleanup_json json_t *copy = json_deep_copy(from);
    json_object_update_missing(s->out, copy); /* name, in and branch are ours */
    if (plant_on(PLANT_PART_WITHOUT_ITS_RULES))
        json_object_set_new(s->out, "rule", json_string("all_succeeded"));
    grow_paths(&f->step[group], s->out);
    names_add(f->paths, s->name, (int32_t)step);
    names_add(f->dags[dag].steps, s->label, (int32_t)step);
    const size_t branches = json_array_size(json_object_get(from, "branches"));
    if (branches > 0)
        front_add_dags(f, step, branches, json_get_bool(from, "scope", false));
}

/* needs and sees by index, as ours are; they are written out again at the end. */
static void link_one(struct front *f, size_t group, const json_t *from)
{
    cleanup_free char *path = within(&f->step[group], json_get_string(from, "name", ""));
    const int32_t step = names_find(f->paths, path);
    const json_t *name;
    size_t i;
    json_array_foreach (json_object_get(from, "needs"), i, name) {
        cleanup_free char *need = within(&f->step[group], json_string_value(name));
        front_need(f, step, names_find(f->paths, need));
    }
    json_array_foreach (json_object_get(from, "sees"), i, name) {
        cleanup_free char *seen = within(&f->step[group], json_string_value(name));
        front_see(f, step, names_find(f->paths, seen));
    }
}

/* A group before what is in it: its steps may come in any order. */
static void add_all(struct front *f, size_t group, const json_t *steps)
{
    for (int32_t depth = 0; depth <= IR_DEPTH_MAX; depth++) {
        for (size_t i = 0; i < json_array_size(steps) && !front_is_spent(f); i++) {
            const json_t *from = json_array_get(steps, i);
            int32_t slashes = 0;
            for (const char *c = json_get_string(from, "name", ""); *c; c++)
                slashes += *c == '/';
            if (slashes == depth)
                add_one(f, group, from);
        }
    }
    for (size_t i = 0; i < json_array_size(steps) && !front_is_spent(f); i++)
        link_one(f, group, json_array_get(steps, i));
}

static int32_t deepest(const struct front *f, size_t from)
{
    int32_t depth = 0;
    for (size_t i = from; i < f->step_count; i++) {
        const int32_t at = f->dags[f->step[i].dag].depth;
        depth = at > depth ? at : depth;
    }
    return depth;
}

/* Unpinned it would be the version before, one level deeper with each apply. */
static bool is_itself(const struct front *f, const struct ir *other, const char *reference)
{
    return strcmp(other->name, f->pipeline) == 0 && !strchr(reference, '@');
}

json_t *front_pipeline(struct front *f, size_t step, enum ir_reference kind, const char *reference)
{
    struct err err = {0};
    struct ir_found found = {0};
    const struct json_limits limits = {.depth = 1000, .bytes = PIPELINE_MAX};
    if (!f->resolver && kind == IR_REFERENCE_START)
        return NULL; /* nobody to ask; it is looked for when it is started */
    if (!front_resolve(f, kind, reference, &found))
        return NULL;
    if (!found.bytes && kind == IR_REFERENCE_START)
        return NULL;
    cleanup_json json_t *ir = json_read(found.bytes, found.len, &limits, &err);
    struct ir *loaded = ir ? ir_load(ir, &err) : NULL;
    bool good = false;
    if (!loaded)
        front_problem(f, "pipeline %s: %s", reference, err.text);
    else if (kind == IR_REFERENCE_START)
        good = true;
    else if (is_itself(f, loaded, reference))
        front_problem(f, "pipeline %s: is this one: a pipeline cannot be a part of itself",
                      reference);
    else
        good = front_spend(f, found.len);
    if (good && kind == IR_REFERENCE_PIPELINE) {
        char hash[SHA256_HEX];
        ir_hash(ir, hash);
        cleanup_free char *origin = mem_printf("%s@%s", loaded->name, hash);
        front_put(f, f->step[step].out, "origin", json_string(origin));
    }
    ir_free(loaded);
    ir_found_free(&found);
    return good ? TAKE(ir) : NULL;
}

static void put_times(struct front *f, size_t step, const json_t *ir)
{
    static const char *const TIMES[] = {"timeout_us", "finally_timeout_us"};
    for (size_t i = 0; i < ARRAY_LEN(TIMES); i++) {
        json_t *value = json_object_get(ir, TIMES[i]);
        if (json_integer_value(value) > 0 && !(plant_on(PLANT_PART_WITHOUT_ITS_TIMEOUT) && i == 0))
            json_object_set(f->step[step].out, TIMES[i], value);
    }
}

void front_graft(struct front *f, size_t step)
{
    const char *reference = json_get_string(f->step[step].source, "pipeline", "");
    const size_t first = f->step_count;
    front_at_step(f, step, "pipeline", NULL);
    cleanup_json json_t *ir = front_pipeline(f, step, IR_REFERENCE_PIPELINE, reference);
    front_add_dags(f, step, 1, true);
    if (!ir)
        return;
    add_all(f, step, json_object_get(ir, "steps"));
    if (deepest(f, first) > IR_DEPTH_MAX)
        front_problem(f, "pipeline %s: with it there are %d groups inside one another: at most %d",
                      reference, deepest(f, first), IR_DEPTH_MAX);
    json_t *outputs = json_object_get(ir, "outputs");
    grow_outputs(&f->step[step], outputs);
    json_object_set_new(f->step[step].out, "collected",
                        outputs ? json_incref(outputs) : json_object());
    f->step[step].params = json_object_get(ir, "params");
    json_array_append(f->kept, ir);
    put_times(f, step, ir);
}

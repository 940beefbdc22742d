/* The first pass: every entry of the file as steps, with a name and a place. */
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/front/front.h"
#include "common/text/json.h"

/* What makes an entry more than a program, and which further keys such an entry may have. */
static const struct {
    enum front_shape shape;
    const char *key, *what;
} SHAPES[] = {
    {FRONT_STEPS, "steps", "a group of steps"},
    {FRONT_SWITCH, "switch", "a switch"},
    {FRONT_PIPELINE, "pipeline", "another pipeline"},
    {FRONT_USES, "uses", "a component"},
    {FRONT_WAIT, "wait", "a wait"},
    {FRONT_APPROVAL, "approval", "an approval"},
    {FRONT_START, "start", "a start"},
};

#define BIT(shape)   (1U << FRONT_##shape)
#define GROUPS       (BIT(STEPS) | BIT(SWITCH) | BIT(PIPELINE) | BIT(USES))
#define WRITTEN_ELSE (BIT(PIPELINE) | BIT(USES))

/* Keys that are not for every shape. What is not here goes with all. */
static const struct {
    const char *key;
    unsigned shapes;
} KEYS[] = {
    {"image", BIT(PROGRAM)},
    {"command", BIT(PROGRAM)},
    {"args", BIT(PROGRAM)},
    {"env", BIT(PROGRAM)},
    {"workdir", BIT(PROGRAM)},
    {"inputs", BIT(PROGRAM) | BIT(USES)},
    {"outputs", BIT(PROGRAM) | BIT(STEPS) | BIT(START)},
    {"lost_after", BIT(PROGRAM)},
    {"grace", BIT(PROGRAM)},
    {"executor", BIT(PROGRAM)},
    {"pool", BIT(PROGRAM)},
    {"resources", BIT(PROGRAM)},
    {"container", BIT(PROGRAM)},
    {"secrets", BIT(PROGRAM)},
    {"log_limit", BIT(PROGRAM)},
    {"queue_timeout", BIT(PROGRAM)},
    {"heartbeat", BIT(PROGRAM)},
    {"limits", BIT(PROGRAM)},
    {"priority", BIT(PROGRAM)},
    {"cache", BIT(PROGRAM)},
    {"at_most_once", BIT(PROGRAM)},
    {"retry", BIT(PROGRAM) | GROUPS | BIT(START)},
    {"finally", BIT(STEPS)},
    {"finally_timeout", BIT(STEPS)},
    {"with", WRITTEN_ELSE},
};

static const char *what_is(enum front_shape shape)
{
    for (size_t i = 0; i < ARRAY_LEN(SHAPES); i++) {
        if (SHAPES[i].shape == shape)
            return SHAPES[i].what;
    }
    return "a program";
}

static enum front_shape shape_of(struct front *f, const json_t *source)
{
    enum front_shape shape = FRONT_PROGRAM;
    const char *first = NULL;
    const size_t mark = f->at.len;
    for (size_t i = 0; i < ARRAY_LEN(SHAPES); i++) {
        if (!json_object_get(source, SHAPES[i].key))
            continue;
        json_pointer_add(&f->at, SHAPES[i].key);
        if (first)
            front_key_problem(f, "%s: the step has %s already: make two steps of it", SHAPES[i].key,
                              first);
        else
            shape = SHAPES[i].shape;
        first = first ? first : SHAPES[i].key;
        front_at_cut(f, mark);
    }
    return shape;
}

static const char *advice(const char *key, enum front_shape shape)
{
    if (strcmp(key, "outputs") == 0 && shape == FRONT_SWITCH)
        return ": write outputs in each branch";
    if (strcmp(key, "finally") == 0 && shape == FRONT_SWITCH)
        return ": write finally in a branch";
    if (strcmp(key, "with") == 0)
        return ": it is for pipeline and uses";
    if (BIT(STEPS) & (1U << shape) || shape == FRONT_SWITCH)
        return ": put it on the steps inside";
    if (WRITTEN_ELSE & (1U << shape))
        return ": it is said where that is written";
    return "";
}

void front_check_keys(struct front *f, const json_t *source, enum front_shape shape)
{
    const size_t mark = f->at.len;
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
        if (!json_object_get(source, KEYS[i].key) || KEYS[i].shapes & (1U << shape))
            continue;
        json_pointer_add(&f->at, KEYS[i].key);
        front_key_problem(f, "%s: %s has no %s%s", KEYS[i].key, what_is(shape), KEYS[i].key,
                          advice(KEYS[i].key, shape));
        front_at_cut(f, mark);
    }
}

/* as, parallelism and fail_fast are about items. */
static void check_items_keys(struct front *f, const json_t *source)
{
    static const char *const ITEMS[] = {"as", "parallelism", "fail_fast"};
    const size_t mark = f->at.len;
    for (size_t i = 0; i < ARRAY_LEN(ITEMS) && !json_object_get(source, "for_each"); i++) {
        if (!json_object_get(source, ITEMS[i]))
            continue;
        json_pointer_add(&f->at, ITEMS[i]);
        front_key_problem(f, "%s: there is no for_each here", ITEMS[i]);
        front_at_cut(f, mark);
    }
}

static void declare_branches(struct front *f, size_t step)
{
    const json_t *branches = json_object_get(f->step[step].source, "switch");
    const int32_t first = front_add_dags(f, step, json_array_size(branches), false);
    for (size_t i = 0; i < json_array_size(branches); i++) {
        front_at_step(f, step, "switch", NULL);
        front_at_index(f, i);
        front_declare_steps(f, first + (int32_t)i, json_array_get(branches, i));
    }
}

/* Names a step in its DAG; false, and told, when the name is taken. */
static bool enter(struct front *f, size_t step)
{
    struct front_step *s = &f->step[step];
    if (s->unit->origin && strcmp(s->label, "inputs") == 0)
        front_key_problem(f, "step inputs: in a component inputs.NAME is what its user gives; call "
                             "the step otherwise");
    const bool beside = names_add(f->dags[s->dag].steps, s->label, (int32_t)step) >= 0;
    const bool taken = names_add(f->paths, s->name, (int32_t)step) >= 0;
    if (beside)
        front_key_problem(f, "step %s: steps and finally of one group have names of their own",
                          s->label);
    else if (taken)
        front_key_problem(f, "step %s: another branch has a step of that name; call one otherwise",
                          s->label);
    return !beside && !taken;
}

static void declare_body(struct front *f, size_t step);

/* A component: a group that is closed, with its program, or its steps, in it. */
static void declare_part(struct front *f, size_t step)
{
    struct front_unit *part = front_open(f, step), *user = f->unit;
    const int32_t dag = front_add_dags(f, step, 1, true);
    f->step[step].part = part;
    if (!part)
        return;
    f->step[step].params = part->params_out;
    front_use(f, part);
    front_at(f, NULL);
    if (json_object_get(part->root, "steps")) {
        front_declare_steps(f, dag, part->root);
    } else {
        const size_t inner = front_add_step(f, dag, f->step[step].label, false);
        f->step[inner].source = part->root;
        f->step[inner].shape = FRONT_PROGRAM;
        f->step[inner].parts = FRONT_HEAD | FRONT_BODY;
        enter(f, inner);
    }
    front_use(f, user);
}

static void declare_body(struct front *f, size_t step)
{
    switch (f->step[step].shape) {
    case FRONT_STEPS:
        front_declare_steps(f, front_add_dags(f, step, 1, false), f->step[step].source);
        break;
    case FRONT_SWITCH:
        declare_branches(f, step);
        break;
    case FRONT_PIPELINE:
        front_graft(f, step);
        break;
    case FRONT_USES:
        declare_part(f, step);
        break;
    default:
        break;
    }
}

/* for_each around loop around the body; a body that is a group of its own takes in what is around
 * it. Returns how many steps that makes. */
static size_t layers_of(const json_t *source, enum front_shape shape, unsigned parts[3])
{
    const bool merges = shape == FRONT_STEPS || (WRITTEN_ELSE & (1U << shape));
    size_t count = 0;
    if (json_object_get(source, "for_each"))
        parts[count++] = FRONT_FOR_EACH;
    if (json_object_get(source, "loop"))
        parts[count++] = FRONT_LOOP;
    if (count > 0 && merges)
        parts[count - 1] |= FRONT_BODY;
    else
        parts[count++] = FRONT_BODY;
    parts[0] |= FRONT_HEAD;
    return count;
}

static bool too_deep(struct front *f, const struct front_step *s)
{
    const int32_t depth = f->dags[s->dag].depth;
    if (depth <= IR_DEPTH_MAX)
        return false;
    front_key_problem(f, "step %s: is in %d groups: at most %d inside one another", s->name, depth,
                      IR_DEPTH_MAX);
    return true;
}

static void declare_entry(struct front *f, int32_t dag, const char *label, const json_t *source,
                          bool finally)
{
    unsigned parts[3] = {0};
    const enum front_shape shape = shape_of(f, source);
    const size_t count = layers_of(source, shape, parts);
    front_check_keys(f, source, shape);
    check_items_keys(f, source);
    for (size_t i = 0; i < count; i++) {
        const size_t step = front_add_step(f, dag, label, finally && i == 0);
        struct front_step *s = &f->step[step];
        s->source = source;
        s->shape = shape;
        s->parts = parts[i];
        if (too_deep(f, s) || !enter(f, step))
            return;
        if (parts[i] & FRONT_BODY)
            declare_body(f, step);
        else
            dag = front_add_dags(f, step, 1, false);
    }
}

static void declare_map(struct front *f, int32_t dag, const json_t *map, bool finally)
{
    struct front_unit *unit = f->unit;
    const char *label;
    json_t *source;
    json_object_foreach ((json_t *)map, label, source) {
        if (front_is_spent(f))
            return; /* told at the end */
        cleanup_free char *at = mem_string(f->at.data);
        json_pointer_add(&f->at, label);
        front_plain_name(f, "step", label);
        declare_entry(f, dag, label, source, finally);
        front_use(f, unit);
        f->at.len = 0;
        text_puts(&f->at, at);
    }
}

void front_declare_steps(struct front *f, int32_t dag, const json_t *from)
{
    const size_t mark = f->at.len;
    const json_t *steps = json_object_get(from, "steps");
    const json_t *last = json_object_get(from, "finally");
    json_pointer_add(&f->at, "steps");
    if (json_object_size(steps) == 0)
        front_problem(f, "steps: there is none; write at least one");
    if (front_few(f, "steps", steps, IR_STEPS_MAX))
        declare_map(f, dag, steps, false);
    front_at_cut(f, mark);
    json_pointer_add(&f->at, "finally");
    if (front_few(f, "steps", last, IR_STEPS_MAX))
        declare_map(f, dag, last, true);
    front_at_cut(f, mark);
}

/* An inner name that hides an outer one: whoever reads the file would have to know which is meant.
 */
static void check_shadow(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    int32_t around = front_outward(f, (int32_t)step);
    if (!s->source || !(s->parts & FRONT_HEAD) || s->source == s->unit->root)
        return;
    for (; around >= 0; around = front_outward(f, around)) {
        const int32_t other = names_find(f->dags[f->step[around].dag].steps, s->label);
        if (other < 0)
            continue;
        front_at_step(f, step, NULL);
        front_key_problem(f, "step %s: a step around it is called %s too: call one otherwise",
                          s->name, f->step[other].name);
        return;
    }
}

void front_declare(struct front *f)
{
    front_at(f, NULL);
    front_declare_steps(f, 0, f->unit->root);
    for (size_t i = 0; i < f->step_count; i++)
        check_shadow(f, i);
}

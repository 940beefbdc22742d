/* Which step a name means, from where it stands, and what follows from that. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/front/front.h"
#include "common/text/json.h"

int32_t front_outward(const struct front *f, int32_t step)
{
    const struct front_dag *dag = &f->dags[f->step[step].dag];
    return dag->closed ? -1 : dag->group;
}

int32_t front_find(const struct front *f, int32_t step, const char *label, int32_t *by)
{
    for (*by = step; *by >= 0; *by = front_outward(f, *by)) {
        const int32_t found = names_find(f->dags[f->step[*by].dag].steps, label);
        if (found >= 0)
            return found;
    }
    return -1;
}

/* A step of that name inside some group, for one who looks from outside. */
static int32_t find_inside(const struct front *f, const char *label)
{
    for (size_t i = 0; i < f->step_count; i++) {
        const struct front_step *s = &f->step[i];
        if (s->source && s->unit == f->unit && s->parts & FRONT_HEAD &&
            f->dags[s->dag].group >= 0 && strcmp(s->label, label) == 0)
            return (int32_t)i;
    }
    return -1;
}

static bool is_around(const struct front *f, int32_t step, int32_t group)
{
    while (step >= 0 && step != group)
        step = f->dags[f->step[step].dag].group;
    return step == group;
}

static const char *nearest(struct front *f, int32_t step, const char *label, char hint[FRONT_HINT])
{
    hint[0] = '\0';
    for (; step >= 0 && !hint[0]; step = front_outward(f, step))
        front_hint(f, f->dags[f->step[step].dag].steps, label, hint);
    return hint;
}

static void tell_unknown(struct front *f, int32_t step, const char *label, const char *shown)
{
    char hint[FRONT_HINT];
    const bool told = f->problems.count < IR_PROBLEMS_MAX;
    const int32_t inside = told ? find_inside(f, label) : -1;
    const int32_t group = inside < 0 ? -1 : f->dags[f->step[inside].dag].group;
    if (inside >= 0 && group == step)
        front_problem(f,
                      "%s: step %s is inside %s and has not run by then; until looks at what the "
                      "outputs of %s name, outputs.NAME",
                      shown, label, f->step[group].name, f->step[group].label);
    else if (inside >= 0 && is_around(f, step, group))
        front_problem(f, "%s: step %s is in another branch: only one of them is run", shown, label);
    else if (inside >= 0)
        front_problem(f,
                      "%s: step %s is inside %s, which gives out only what its own outputs name: "
                      "write outputs: {NAME: %s.OUTPUT} there and look at %s",
                      shown, label, f->step[group].name, label, f->step[group].label);
    else
        front_problem(f, "%s: there is no step %s%s", shown, label, nearest(f, step, label, hint));
}

/* A step that would have to wait for itself, or for what comes after it. */
static bool tell_impossible(struct front *f, int32_t step, int32_t by, int32_t found,
                            const char *shown)
{
    const struct front_step *target = &f->step[found];
    if (found == by && by == step)
        front_problem(f, "%s: a step cannot wait for itself", shown);
    else if (found == by)
        front_problem(f, "%s: this is inside %s and cannot wait for it", shown, target->label);
    else if (target->finally && !f->step[by].finally)
        front_problem(f, "%s: %s is a finally step: it runs when all others are over", shown,
                      target->label);
    else
        return false;
    return true;
}

static void note(struct front *f, int32_t step, int32_t by, int32_t found)
{
    const bool later = f->step[by].finally && !f->step[found].finally;
    if (!later)
        front_need(f, by, found);
    if (later || by != step)
        front_see(f, step, found);
}

int32_t front_refer(struct front *f, int32_t step, const char *label, const char *shown)
{
    int32_t by;
    const int32_t found = front_find(f, step, label, &by);
    if (found < 0) {
        tell_unknown(f, step, label, shown);
        return -1;
    }
    if (tell_impossible(f, step, by, found, shown))
        return -1;
    note(f, step, by, found);
    return found;
}

void front_refer_need(struct front *f, int32_t step, const char *label)
{
    int32_t by;
    const int32_t found = front_find(f, step, label, &by);
    if (found >= 0 && f->step[by].finally && !f->step[found].finally)
        front_problem(f, "needs: %s comes before every finally step already: leave it out", label);
    else
        front_refer(f, step, label, "needs");
}

void front_cut_output(const char *text, char label[IR_NAME_MAX + 1], const char **output)
{
    const char *dot = strchr(text, '.');
    const size_t len = dot ? (size_t)(dot - text) : 0;
    label[0] = '\0';
    *output = "";
    if (len == 0 || len > IR_NAME_MAX || !dot[1])
        return;
    memcpy(label, text, len);
    label[len] = '\0';
    *output = dot + 1;
}

/* The component that the step is written in, as the step that uses it. */
static int32_t used_by(const struct front *f, int32_t step)
{
    for (;; step = f->dags[f->step[step].dag].group) {
        const struct front_dag *dag = &f->dags[f->step[step].dag];
        if (dag->closed || dag->group < 0)
            return dag->group;
    }
}

/* inputs.NAME in a component: what its user tied to it. */
static int32_t tied(struct front *f, size_t step, const char *text, const char **output,
                    const json_t **declared)
{
    const int32_t user = used_by(f, (int32_t)step);
    const json_t *inputs = json_object_get(f->unit->root, "inputs");
    if (!json_object_get(inputs, *output)) {
        front_problem(f, "'%s': this component declares no input %s", text, *output);
        return -1;
    }
    json_t *ties = user < 0 ? NULL : f->step[user].ties;
    const json_t *tie = plant_on(PLANT_TIED_TO_THE_FIRST)
                            ? json_object_iter_value(json_object_iter(ties))
                            : json_object_get(ties, *output);
    if (!tie)
        return -1; /* optional, or told where it is used */
    const int32_t index = names_find(f->paths, json_get_string(tie, "step", ""));
    *output = json_get_string(tie, "output", "");
    *declared = json_object_get(json_object_get(f->step[index].out, "outputs"), *output);
    return index;
}

int32_t front_output(struct front *f, size_t step, const char *text, const char **output,
                     const json_t **declared)
{
    char label[IR_NAME_MAX + 1], shown[160];
    snprintf(shown, sizeof shown, "'%.128s'", text);
    front_cut_output(text, label, output);
    if (!label[0]) {
        front_problem(f, "%s: write STEP.OUTPUT, the output of another step", shown);
        return -1;
    }
    if (strcmp(label, "inputs") == 0 && f->unit->origin)
        return tied(f, step, text, output, declared);
    const int32_t index = front_refer(f, (int32_t)step, label, shown);
    if (index < 0)
        return -1;
    *declared = json_object_get(json_object_get(f->step[index].out, "outputs"), *output);
    if (*declared)
        return index;
    char near[FRONT_HINT];
    front_problem(f, "%s: step %s declares no output %s%s", shown, label, *output,
                  front_key_hint(f, json_object_get(f->step[index].out, "outputs"), *output, near));
    return -1;
}

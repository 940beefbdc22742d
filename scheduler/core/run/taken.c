/* What a run of a few steps takes over: whether the old run has it. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/ir/value.h"
#include "scheduler/core/dag/listing.h"
#include "scheduler/core/run/learned.h"
#include "scheduler/core/run/only.h"

struct taken {
    const struct ir *ir, *old;
    const uint8_t *marks;
    const struct learned *from;
    uint8_t *met;   /* one a step: there is an instance to take over */
    int32_t *goers; /* the steps that run and go over the names in a folder */
    size_t goer_count;
    struct err *err;
};

/* As `leat show` names it. */
static const char *instance(const struct ir_step *def, int32_t iteration, char to[1024])
{
    if (iteration == 0)
        return def->name;
    snprintf(to, 1024, "%s[%d]", def->name, iteration);
    return to;
}
#define INSTANCE(def, iteration) instance(def, iteration, (char[1024]){0})

/* ---- one instance -------------------------------------------------------------------------- */

/* Lists keep what their elements are to themselves. */
static bool fits(const struct ir_output *output, const json_t *value)
{
    if (output->list)
        return json_typeof(value) == JSON_ARRAY;
    return output->type == IR_ARTIFACT ? json_object_get(value, "artifact") != NULL
                                       : ir_value_check(output->type, value, NULL) == 0;
}

/* Is it that output, or one that passes it on? */
static bool is_of(const struct taken *t, int32_t from, const char *given, int32_t step,
                  const char *output)
{
    if (from == step)
        return strcmp(given, output) == 0;
    const struct ir_group *group = t->marks[from] & ONLY_PART ? t->ir->steps[from].group : NULL;
    for (size_t b = 0; group && b < group->branch_count; b++) {
        const struct ir_dag *dag = &group->branches[b].dag;
        for (size_t i = 0; i < dag->output_count; i++)
            if (strcmp(dag->outputs[i].name, given) == 0 &&
                is_of(t, dag->outputs[i].step, dag->outputs[i].output, step, output))
                return true;
    }
    return false;
}

/* In the version of the old run nobody may have gone over the folder. */
static int check_names(const struct taken *t, int32_t step, const char *output, const json_t *value,
                       const char *name)
{
    if (!listing_unknown(value))
        return 0;
    for (size_t i = 0; i < t->goer_count; i++) {
        const struct ir_group *group = t->ir->steps[t->goers[i]].group;
        if (is_of(t, group->folder_step, group->folder_output, step, output))
            return err_set(t->err, LEAT_EREFUSED,
                           "the names in output %s of step %s are needed, and that run did not ask "
                           "for them: name %s too",
                           output, name, t->ir->steps[step].name);
    }
    return 0;
}

static int check_outputs(const struct taken *t, int32_t step, const struct learned_result *r,
                         const char *name)
{
    const struct ir_step *def = &t->ir->steps[step];
    for (size_t i = 0; i < def->output_count; i++) {
        const struct ir_output *output = &def->outputs[i];
        const json_t *value = json_object_get(r->outputs, output->name);
        if (!value && !output->optional && r->state == STEP_SUCCEEDED)
            return err_set(t->err, LEAT_EREFUSED,
                           "output %s of step %s is needed, and that run has none", output->name,
                           name);
        if (value && !fits(output, value))
            return err_set(t->err, LEAT_EREFUSED,
                           "output %s of step %s is needed as %s, and that run has it as "
                           "something else",
                           output->name, name,
                           output->list ? "a list" : ir_type_name(output->type));
        if (check_names(t, step, output->name, value, name) < 0)
            return t->err->code;
    }
    return 0;
}

static const struct learned_result *result_of(const struct taken *t, int32_t step,
                                              int32_t iteration)
{
    const int32_t was = ir_step_index(t->old, t->ir->steps[step].name);
    return was < 0 ? NULL : learned_result_of(t->from, was, iteration);
}

static int check_needed(const struct taken *t, int32_t step, int32_t iteration)
{
    const struct ir_step *def = &t->ir->steps[step];
    const struct learned_result *r = result_of(t, step, iteration);
    const char *name = INSTANCE(def, iteration);
    t->met[step] = 1;
    if (!r)
        return err_set(t->err, LEAT_EREFUSED, "step %s is needed, and that run has no such step",
                       name);
    if (learned_is_left_out(r))
        return err_set(t->err, LEAT_EREFUSED,
                       "step %s is needed, and that run left it out: take the inputs from one that "
                       "ran it",
                       name);
    if (!only_takes_over(def, t->marks[step], r->state))
        return err_set(t->err, LEAT_EREFUSED, "step %s is needed, and in that run it is %s", name,
                       machine_state_name(&MACHINE_STEP, r->state));
    return check_outputs(t, step, r, name);
}

/* ---- groups of which a part runs ----------------------------------------------------------- */

static int check_dag(const struct taken *t, const struct ir_dag *dag, int32_t iteration);

/* The try of the old run whose frames give what is taken over. `end`: not NULL. */
static const struct learned_group *try_of(const struct taken *t, int32_t step, int32_t iteration,
                                          const struct learned_result *end)
{
    const int32_t was = ir_step_index(t->old, t->ir->steps[step].name);
    return learned_group_of(t->from, was, iteration, end->attempt);
}

/* It has no try. Skipped and without items there is nothing in it, which may be so again. */
static int check_without_try(const struct taken *t, const struct ir_step *def, const char *name,
                             const struct learned_result *end)
{
    if (end && learned_is_adopted(end) && end->state == STEP_SUCCEEDED)
        return err_set(t->err, LEAT_EREFUSED,
                       "%s was %s as a whole: take the inputs from that run, or name %s", name,
                       end->reason, def->name);
    if (end && (end->state == STEP_SUCCEEDED || end->state == STEP_SKIPPED))
        return 0;
    return err_set(t->err, LEAT_EREFUSED,
                   "a part of %s is to run, and in that run it %s%s: name %s to run all of it",
                   name, end ? "never began: it is " : "never began",
                   end ? machine_state_name(&MACHINE_STEP, end->state) : "", def->name);
}

static int check_part(const struct taken *t, int32_t step, int32_t iteration)
{
    const struct ir_step *def = &t->ir->steps[step];
    const struct learned_result *end = result_of(t, step, iteration);
    const struct learned_group *try = end ? try_of(t, step, iteration, end) : NULL;
    if (!try)
        return check_without_try(t, def, INSTANCE(def, iteration), end);
    const int32_t branches = (int32_t)def->group->branch_count;
    for (int32_t o = 0; o < try->count && try->branch < branches; o++)
        if (check_dag(t, &def->group->branches[try->branch].dag, try->first + o) < 0)
            return t->err->code;
    return 0;
}

static int check_dag(const struct taken *t, const struct ir_dag *dag, int32_t iteration)
{
    for (size_t p = 0; p < dag->count; p++) {
        const int32_t step = dag->steps[p];
        if (t->marks[step] & ONLY_NEEDED && check_needed(t, step, iteration) < 0)
            return t->err->code;
        if (t->marks[step] & ONLY_TAKES && check_part(t, step, iteration) < 0)
            return t->err->code;
    }
    return 0;
}

/* ---- the versions -------------------------------------------------------------------------- */

/* A path says which group it stands in. In the same sort of group, and the same branch, instances
 * are known by their places. */
static int check_place(const struct taken *t, int32_t step)
{
    const struct ir_step *def = &t->ir->steps[step], *around = &t->ir->steps[def->parent];
    const int32_t was = ir_step_index(t->old, def->name);
    if (was < 0)
        return err_set(t->err, LEAT_EREFUSED, "step %s is needed, and that run has no such step",
                       def->name);
    const struct ir_step *old = &t->old->steps[was];
    if (old->branch == def->branch && t->old->steps[old->parent].group->mode == around->group->mode)
        return 0;
    return err_set(t->err, LEAT_EREFUSED,
                   "in the version of that run %s is another sort of group, or has %s in another "
                   "branch: name %s to run all of it",
                   around->name, def->name, around->name);
}

static int check_places(const struct taken *t)
{
    for (size_t i = 0; i < t->ir->step_count; i++)
        if (t->ir->steps[i].parent >= 0 && t->marks[i] & (ONLY_NEEDED | ONLY_TAKES) &&
            check_place(t, (int32_t)i) < 0)
            return t->err->code;
    return 0;
}

static int check_met(const struct taken *t)
{
    for (size_t i = 0; i < t->ir->step_count; i++) {
        const struct ir_step *def = &t->ir->steps[i];
        if (t->marks[i] & ONLY_NEEDED && !t->met[i])
            return err_set(t->err, LEAT_EREFUSED,
                           "step %s is needed, and %s was skipped in that run, had no items or "
                           "took another branch",
                           def->name, t->ir->steps[def->parent].name);
    }
    return 0;
}

int only_check(const struct ir *ir, const uint8_t *marks, const struct ir *old,
               const struct learned *from, struct err *err)
{
    cleanup_free uint8_t *met = mem_array(ir->step_count + 1, 1);
    cleanup_free int32_t *goers = mem_array(ir->step_count + 1, sizeof *goers);
    struct taken t = {ir, old, marks, from, met, goers, 0, err};
    for (size_t i = 0; i < ir->step_count; i++)
        if (!(marks[i] & (ONLY_LEFT_OUT | ONLY_NEEDED)) && ir->steps[i].group &&
            ir->steps[i].group->folder_step >= 0)
            goers[t.goer_count++] = (int32_t)i;
    if (check_places(&t) < 0 || check_dag(&t, &ir->root, 0) < 0 || check_met(&t) < 0)
        return err->code;
    return 0;
}

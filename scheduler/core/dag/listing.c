#include "scheduler/core/dag/listing.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/json.h"
#include "scheduler/core/dag/frames.h"

/* ---- whose names are wanted ----------------------------------------------------------------- */

static void want(struct version *v, int32_t step, const char *output)
{
    const struct ir_group *group = v->ir->steps[step].group;
    if (!group) {
        MEM_ROOM(v->listed, v->listed_count, v->listed_cap);
        v->listed[v->listed_count++] = (struct listed){step, output};
        return;
    }
    for (size_t b = 0; b < group->branch_count; b++) {
        const struct ir_dag *dag = &group->branches[b].dag;
        for (size_t i = 0; i < dag->output_count; i++)
            if (strcmp(dag->outputs[i].name, output) == 0)
                want(v, dag->outputs[i].step, dag->outputs[i].output);
    }
}

static int by_step(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    return strcmp(x->output, y->output);
}

void listing_look(struct version *v)
{
    size_t kept = 0;
    for (size_t i = 0; i < v->ir->step_count; i++) {
        const struct ir_group *group = v->ir->steps[i].group;
        if (group && group->folder_step >= 0)
            want(v, group->folder_step, group->folder_output);
    }
    if (v->listed_count)
        qsort(v->listed, v->listed_count, sizeof *v->listed, by_step);
    for (size_t i = 0; i < v->listed_count; i++)
        if (kept == 0 || by_step(&v->listed[kept - 1], &v->listed[i]) != 0)
            v->listed[kept++] = v->listed[i];
    v->listed_count = kept;
}

const struct listed *listing_of(const struct version *v, int32_t step, size_t *count)
{
    size_t low = 0, high = v->listed_count; /* the first that is not before it */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (v->listed[middle].step < step)
            low = middle + 1;
        else
            high = middle;
    }
    *count = 0;
    while (low + *count < v->listed_count && v->listed[low + *count].step == step)
        ++*count;
    return *count ? &v->listed[low] : NULL;
}

/* ---- the names ------------------------------------------------------------------------------ */

bool listing_unknown(const json_t *value)
{
    return json_is_true(json_object_get(value, "folder")) &&
           !json_get_string(value, "unlisted", NULL) &&
           !json_is_array(json_object_get(value, "names"));
}

json_t *listing_items(const struct group *g, struct err *err)
{
    const struct ir_group *def = g->def->group;
    const struct ir_step *from = step_ir(ref_run(g->at), def->folder_step);
    const struct frame *f = frame_of_step(g->at.frame, def->folder_step);
    const json_t *value = json_object_get(f->steps[from->place].outputs, def->folder_output);
    const char *unlisted = json_get_string(value, "unlisted", NULL);
    if (!json_is_object(value))
        err_set(err, LEAT_EINPUT, "step %s has not written output %s", from->name,
                def->folder_output);
    else if (!json_is_true(json_object_get(value, "folder")))
        err_set(err, LEAT_EINPUT, "output %s of step %s is a file, not a folder",
                def->folder_output, from->name);
    else if (unlisted)
        err_set(err, LEAT_ELIMIT, "output %s of step %s: %s", def->folder_output, from->name,
                unlisted);
    else if (listing_unknown(value))
        err_set(err, LEAT_EINPUT,
                "the names in output %s of step %s are not known: what wrote it was not asked",
                def->folder_output, from->name);
    else
        return json_object_get(value, "names");
    return NULL;
}

json_t *listing_leave_out(const struct ir_step *from, const char *output, json_t *value)
{
    const struct ir_output *declared = ir_output_find(from, output);
    if (declared->type != IR_ARTIFACT || !json_object_get(value, "names"))
        return json_incref(value);
    json_t *bare = json_copy(value);
    json_object_del(bare, "names");
    return bare;
}

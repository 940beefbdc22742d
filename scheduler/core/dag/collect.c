#include "scheduler/core/dag/collect.h"

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/text/json.h"
#include "scheduler/core/dag/groups.h"
#include "scheduler/core/dag/listing.h"
#include "scheduler/core/place/order.h"
#include "scheduler/core/run/only.h"
#include "scheduler/core/dag/view.h"

json_t *collect_dag(const struct frame *f)
{
    const struct ir *ir = f->run->version->ir;
    json_t *all = json_object();
    for (size_t i = 0; i < f->dag->output_count; i++) {
        const struct ir_collected *one = &f->dag->outputs[i];
        const struct step *from = &f->steps[ir->steps[one->step].place];
        json_t *value = json_object_get(from->outputs, one->output);
        if (f->group && f->group->def->group->mode == IR_GROUP_FOR_EACH)
            value = listing_leave_out(&ir->steps[one->step], one->output, value);
        else
            json_incref(value);
        json_object_set_new(all, one->name, value);
    }
    return all;
}

static int check_size(const struct ir_output *output, size_t bytes, struct err *err)
{
    const bool artifacts = output->type == IR_ARTIFACT;
    const int most = artifacts ? IR_ARTIFACTS_MAX : IR_COLLECTED_MAX;
    if (bytes <= (size_t)most)
        return 0;
    return err_set(err, LEAT_ELIMIT, "output %s: what was collected is over %d bytes; %s",
                   output->name, most,
                   artifacts ? "collect fewer artifacts, or folders of them"
                             : "pass large values as artifacts");
}

int collect_frame(struct group *g, const struct frame *f, struct err *err)
{
    json_t *all = f->failed || f->cancelled ? NULL : collect_dag(f);
    const bool loop = g->def->group->mode == IR_GROUP_LOOP;
    while (g->out_count <= (size_t)f->ordinal) {
        MEM_ROOM(g->outs, g->out_count, g->out_cap);
        g->outs[g->out_count++] = NULL;
    }
    g->outs[f->ordinal] = all;
    if (loop && f->ordinal > 1) { /* the last round counts, and its condition sees the one before */
        json_decref(g->outs[f->ordinal - 2]);
        g->outs[f->ordinal - 2] = NULL;
    }
    for (size_t i = 0; i < g->def->output_count; i++) {
        const json_t *value = json_object_get(all, g->def->outputs[i].name);
        const size_t bytes = value ? json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) : 4;
        g->sizes[i] = (loop ? 0 : g->sizes[i]) + bytes + 1;
        if (check_size(&g->def->outputs[i], g->sizes[i], err) < 0)
            return err->code;
    }
    return 0;
}

static json_t *list_of(const struct group *g, const char *name)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < g->count; i++) {
        json_t *value = json_object_get(group_gave(g, i), name);
        if (value)
            json_array_append(list, value);
        else if (!plant_on(PLANT_SKIPPED_ITEM_LEFT_OUT))
            json_array_append_new(list, json_null());
    }
    return list;
}

json_t *collect_all(const struct group *g)
{
    if (g->def->group->mode != IR_GROUP_FOR_EACH)
        return json_incref(group_gave(g, (int32_t)g->out_count - 1));
    const struct run *run = ref_run(g->at);
    json_t *all = json_object();
    for (size_t i = 0; i < g->def->output_count; i++) {
        const char *name = g->def->outputs[i].name;
        if (run->again != AGAIN_ONLY ||
            only_missing(run->version->ir, run->marks, ref_index(g->at), name) < 0)
            json_object_set_new(all, name, list_of(g, name));
    }
    return all;
}

int collect_until(const struct group *g, int32_t ordinal, bool *holds, struct err *err)
{
    struct view view;
    json_t *loop cleanup_json = view_loop(g, plant_on(PLANT_UNTIL_WITHOUT_PREVIOUS) ? 0 : ordinal);
    view_begin(&view);
    view_add(&view, "outputs", g->outs[ordinal]);
    view_add(&view, "loop", loop);
    view_fill(&view, g->at, g->at.frame, order_sees_cel(g->def->group->until), NULL);
    const int rc = cel_eval_bool(g->def->group->until, &view.vars, holds, err);
    view_close(&view);
    return rc;
}

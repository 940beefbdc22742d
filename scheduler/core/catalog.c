#include "scheduler/core/catalog.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "scheduler/core/run/concurrency.h"
#include "scheduler/core/place/limits.h"
#include "scheduler/core/dag/listing.h"
#include "scheduler/core/run/learned.h"
#include "scheduler/core/place/order.h"
#include "scheduler/core/place/place.h"
#include "scheduler/core/place/pools.h"

/* ---- versions ------------------------------------------------------------------------------ */

struct version *version_find(struct core *core, const char *pipeline, const char *hash)
{
    cleanup_free char *key = mem_printf("%s@%s", pipeline, hash);
    struct version *v = NULL;
    HASH_FIND_STR(core->versions, key, v);
    return v;
}

static struct version *version_new(struct core *core, const char *pipeline, const char *hash)
{
    struct version *v = mem_alloc(sizeof *v);
    v->key = mem_printf("%s@%s", pipeline, hash);
    v->pipeline = mem_string(pipeline);
    v->hash = mem_string(hash);
    HASH_ADD_KEYPTR(hh, core->versions, v->key, strlen(v->key), v);
    core->sweep_catalog = true;
    return v;
}

struct version *version_get(struct core *core, const char *pipeline, const char *hash)
{
    struct version *v = version_find(core, pipeline, hash);
    if (!v) {
        v = version_new(core, pipeline, hash);
        v->broken = mem_printf("version %.12s of %s is not in the catalog", hash, pipeline);
    }
    return v;
}

/* Whose outputs are looked at: by expressions, inputs, items, and by the DAG around it. */
static void mark_dag(const struct ir_dag *dag, uint8_t *looked_at)
{
    for (size_t i = 0; i < dag->output_count; i++)
        looked_at[dag->outputs[i].step] = 1;
}

static void mark_step(const struct ir_step *def, uint8_t *looked_at)
{
    for (size_t i = 0; i < def->see_count; i++)
        looked_at[def->sees[i]] = 1;
    for (size_t i = 0; i < def->input_count; i++)
        if (def->inputs[i].kind == IR_INPUT_OUTPUT)
            looked_at[def->inputs[i].step] = 1;
    const struct ir_group *group = def->group;
    if (group && group->folder_step >= 0)
        looked_at[group->folder_step] = 1;
    for (size_t b = 0; group && b < group->branch_count; b++)
        mark_dag(&group->branches[b].dag, looked_at);
}

static void version_look(struct version *v)
{
    const struct ir *ir = v->ir;
    v->lanes = mem_array(ir->step_count, sizeof *v->lanes);
    v->sees = mem_array(ir->step_count, 1);
    v->looked_at = mem_array(ir->step_count, 1);
    mark_dag(&ir->root, v->looked_at);
    for (size_t i = 0; i < ir->step_count; i++) {
        v->sees[i] = order_sees(&ir->steps[i]);
        mark_step(&ir->steps[i], v->looked_at);
    }
    listing_look(v);
}

static void version_learn(struct core *core, const struct snapshot_version *from)
{
    struct version *v = version_find(core, from->pipeline, from->hash);
    if (v && v->ir)
        return;
    if (!v)
        v = version_new(core, from->pipeline, from->hash);
    struct err err = {0};
    v->ir = ir_load(from->ir, &err);
    free(v->broken);
    v->broken = NULL;
    if (!v->ir) {
        v->broken = mem_printf("version %.12s of %s cannot be read: %s", from->hash, from->pipeline,
                               err.text);
        return;
    }
    ir_drop_json(v->ir); /* nobody here asks for it */
    version_look(v);
}

static void version_free(struct core *core, struct version *v)
{
    HASH_DEL(core->versions, v);
    ir_free(v->ir);
    free(v->lanes);
    free(v->sees);
    free(v->looked_at);
    free(v->listed);
    free(v->broken);
    free(v->hash);
    free(v->pipeline);
    free(v->key);
    free(v);
}

void version_unref(struct core *core, struct version *v)
{
    if (!v)
        return;
    assert(v->refs > 0);
    if (--v->refs == 0)
        core->sweep_catalog = true;
}

/* ---- pipelines ----------------------------------------------------------------------------- */

struct pipeline *pipeline_find(struct core *core, const char *name)
{
    struct pipeline *p = NULL;
    HASH_FIND_STR(core->pipelines, name, p);
    return p;
}

struct pipeline *pipeline_get(struct core *core, const char *name)
{
    struct pipeline *p = pipeline_find(core, name);
    if (!p) {
        p = mem_alloc(sizeof *p);
        p->name = mem_string(name);
        p->next_number = 1;
        p->deleted = true; /* until the catalog says otherwise */
        HASH_ADD_KEYPTR(hh, core->pipelines, p->name, strlen(p->name), p);
    }
    return p;
}

static void pipeline_learn(struct core *core, const struct snapshot_pipeline *from)
{
    struct pipeline *p = pipeline_get(core, from->name);
    p->paused = from->paused;
    json_decref(p->paused_triggers);
    p->paused_triggers = json_incref(from->paused_triggers);
    p->deleted = from->deleted;
    core->sweep_catalog |= p->deleted;
    if (from->next_number > p->next_number && !plant_on(PLANT_NUMBERS_BEGIN_ANEW))
        p->next_number = from->next_number;
    struct version *current = version_get(core, from->name, from->version);
    current->refs++;
    version_unref(core, p->current);
    p->current = current;
    concurrency_changed(core, p);
}

int64_t pipeline_take_number(struct core *core, struct pipeline *p)
{
    if (!p->number_dirty) {
        p->number_dirty = true;
        p->number_next = core->dirty_numbers;
        core->dirty_numbers = p;
    }
    return p->next_number++;
}

void pipelines_flush_numbers(struct core *core, struct batch *out)
{
    for (struct pipeline *p = core->dirty_numbers; p; p = p->number_next) {
        struct batch_number *row = batch_add_numbers(out);
        row->pipeline = batch_text(out, p->name);
        row->next = p->next_number;
        p->number_dirty = false;
    }
    core->dirty_numbers = NULL;
}

/* ---- all of it ----------------------------------------------------------------------------- */

void catalog_learn(struct core *core, const struct snapshot *delta)
{
    for (size_t i = 0; i < delta->versions_count; i++)
        version_learn(core, &delta->versions[i]);
    for (size_t i = 0; i < delta->pipelines_count; i++)
        pipeline_learn(core, &delta->pipelines[i]);
    limits_learn(core, delta);
    pools_learn(core, delta);
    learned_take(core, delta);
    if (delta->catalog_gen > core->catalog_gen)
        core->catalog_gen = delta->catalog_gen;
}

static void pipeline_free(struct core *core, struct pipeline *p)
{
    version_unref(core, p->current);
    HASH_DEL(core->pipelines, p);
    json_decref(p->paused_triggers);
    concurrency_free(core, p);
    free(p->name);
    free(p);
}

/* Deleted ones are known as deleted as long as there is room. Their rows stay, so that the numbers
 * of their runs go on when they are applied again. */
static void forget_deleted(struct core *core)
{
    struct pipeline *p, *next;
    int64_t over = (int64_t)HASH_COUNT(core->pipelines) - core->config.most_pipelines;
    HASH_ITER (hh, core->pipelines, p, next)
        if (over > 0 && (p->deleted || plant_on(PLANT_OPEN_PIPELINE_FORGOTTEN)) && p->runs == 0) {
            pipeline_free(core, p);
            over--;
        }
}

/* Versions and finished runs that nobody looks at any more. */
static void forget(struct core *core, bool lanes)
{
    struct version *v, *next;
    HASH_ITER (hh, core->versions, v, next)
        if (v->refs == 0) {
            if (lanes)
                place_forget(core, v);
            version_free(core, v);
        }
    learned_forget(core);
}

void catalog_forget(struct core *core)
{
    if (!core->sweep_catalog)
        return;
    forget_deleted(core);
    core->sweep_catalog = false;
    forget(core, true);
}

void catalog_free(struct core *core)
{
    struct pipeline *p, *next;
    HASH_ITER (hh, core->pipelines, p, next)
        pipeline_free(core, p);
    forget(core, false); /* lanes are freed with their pools, whoever waits in them */
}

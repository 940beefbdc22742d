#include "scheduler/core/dag/items.h"

#include "common/base/plant.h"
#include "scheduler/core/dag/listing.h"
#include "scheduler/core/place/order.h"
#include "scheduler/core/dag/view.h"

static int find_branch(struct group *g, struct err *err)
{
    const struct ir_group *def = g->def->group;
    for (size_t b = 0; b < def->branch_count; b++) {
        bool holds = true;
        if (def->branches[b].when && order_when(g->at, def->branches[b].when, &holds, err) < 0)
            return err_wrap(err, "switch: branch %zu", b + 1);
        if (!holds)
            continue;
        g->branch = (int32_t)b;
        g->count = plant_on(PLANT_SWITCH_RUNS_TWO_BRANCHES) ? 2 : 1;
        return 0;
    }
    return ITEMS_SKIPPED;
}

static int find_items(struct group *g, struct err *err)
{
    const struct ir_group *def = g->def->group;
    if (def->items_kind == IR_ITEMS_FOLDER) {
        g->items = json_incref(listing_items(g, err));
        if (!g->items)
            return err_wrap(err, "for_each");
    } else if (def->items_kind == IR_ITEMS_LITERAL) {
        g->items = json_incref(def->items);
    } else {
        struct view view;
        view_open(&view, g->at, order_sees_template(def->items_value), NULL);
        g->items = template_eval_value(def->items_value, &view.vars, err);
        view_close(&view);
        if (!g->items)
            return err_wrap(err, "for_each");
    }
    g->count = (int32_t)json_array_size(g->items);
    return ir_items_check(g->items, err);
}

int items_find(struct group *g, struct err *err)
{
    switch (g->def->group->mode) {
    case IR_GROUP_SWITCH:
        return find_branch(g, err);
    case IR_GROUP_FOR_EACH:
        return find_items(g, err);
    case IR_GROUP_LOOP:
        g->count = g->def->group->max;
        return 0;
    default:
        g->count = 1;
        return 0;
    }
}

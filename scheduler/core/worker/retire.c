#include "scheduler/core/worker/retire.h"

#include "common/base/plant.h"
#include "common/text/json.h"
#include "scheduler/core/place/place.h"
#include "scheduler/core/worker/workers.h"

void retire_note(struct worker *w)
{
    json_t *info = json_copy(w->info); /* it may be a snapshot's */
    json_object_del(info, "draining");
    json_object_del(info, "removed");
    if (w->draining)
        json_object_set_new(info, "draining", json_true());
    if (w->removed)
        json_object_set_new(info, "removed", json_true());
    json_decref(w->info);
    w->info = info;
    w->info_dirty = true;
}

void retire_recall(struct worker *w)
{
    w->draining = !plant_on(PLANT_DRAIN_FORGOTTEN_AT_TAKEOVER) &&
                  (w->state == WORKER_DRAINING || json_get_bool(w->info, "draining", false));
    w->removed = json_get_bool(w->info, "removed", false);
}

int64_t worker_orders_read(struct core *core, const char *id, int64_t forgotten_us)
{
    const struct worker *w = worker_find(core, id);
    if (!w || w->removed || (w->state == WORKER_GONE && w->heard_wall_us < forgotten_us))
        return CORE_NEVER;
    return w->orders_read;
}

static struct worker *wanted(struct core *core, const char *id, struct err *err)
{
    struct worker *w = id ? worker_find(core, id) : NULL;
    if (w && !w->removed)
        return w;
    err_set(err, LEAT_EREFUSED, "there is no worker %s", id ? id : "");
    return NULL;
}

static void mark(struct core *core, struct worker *w, bool draining)
{
    w->draining = draining;
    retire_note(w);
    worker_mark(core, w);
}

int worker_drain(struct core *core, const char *id, const struct core_now *now, struct err *err)
{
    struct worker *w = wanted(core, id, err);
    if (!w)
        return LEAT_EREFUSED;
    if (w->state == WORKER_ACTIVE) {
        place_release(core, w, now);
        worker_become(core, w, WORKER_DRAINING);
    }
    mark(core, w, true);
    return 0;
}

int worker_resume(struct core *core, const char *id, struct err *err)
{
    struct worker *w = wanted(core, id, err);
    if (!w)
        return LEAT_EREFUSED;
    mark(core, w, false);
    if (w->state == WORKER_DRAINING && !plant_on(PLANT_RESUMED_STAYS_DRAINED)) {
        worker_become(core, w, WORKER_ACTIVE);
        place_pool_changed(core, w->pool);
    }
    return 0;
}

int worker_remove(struct core *core, const char *id, const struct core_now *now, struct err *err)
{
    struct worker *w = wanted(core, id, err);
    if (!w)
        return LEAT_EREFUSED;
    if (w->attempts && !plant_on(PLANT_REMOVED_WITH_ATTEMPTS))
        return err_set(err, LEAT_EREFUSED,
                       "worker %s still has steps: drain it and wait, or until they are lost", id);
    if (w->state == WORKER_ACTIVE)
        return err_set(err, LEAT_EREFUSED, "worker %s is active: drain it first", id);
    place_release(core, w, now);
    w->removed = true;
    mark(core, w, false);
    if (w->state != WORKER_GONE)
        worker_become(core, w, WORKER_GONE);
    worker_forget_later(core, w, 0, now);
    w->suspect = 0;
    w->judged = false;
    return 0;
}

#include "scheduler/core/place/queued.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "scheduler/core/run/runs.h"
#include "scheduler/core/dag/steps.h"

static void arm(struct core *core, struct step_ref at, int64_t since_us, int64_t gone_us,
                const struct core_now *now)
{
    const int64_t length = ref_ir(at)->queue_timeout_us;
    assert(!ref_step(at)->queued);
    if (length <= 0)
        return;
    struct queued *q = mem_alloc(sizeof *q);
    core->bytes += (int64_t)sizeof *q;
    q->at = at;
    q->since_us = since_us;
    ref_step(at)->queued = q;
    timers_set(&core->timers, &q->timer, TIMER_STEP_QUEUED,
               now->mono_us + (gone_us > length ? 0 : length - gone_us));
}

void queued_arm(struct core *core, struct step_ref at, const struct core_now *now)
{
#ifdef LEAT_PLANTS
    const int64_t began = ref_run(at)->started_us;
    if (plant_on(PLANT_QUEUE_TIMEOUT_OVER_ALL_TRIES) && began < now->wall_us) {
        arm(core, at, began, now->wall_us - began, now);
        return;
    }
#endif
    arm(core, at, now->wall_us, 0, now);
}

void queued_recall(struct core *core, struct step_ref at, int64_t since_us,
                   const struct core_now *now)
{
    const int64_t gone = now->wall_us > since_us ? now->wall_us - since_us : 0;
    arm(core, at, since_us, gone, now);
    if (plant_on(PLANT_QUEUE_TIMEOUT_FORGOTTEN_AT_TAKEOVER) && ref_step(at)->queued)
        timers_set(&core->timers, &ref_step(at)->queued->timer, TIMER_STEP_QUEUED,
                   now->mono_us + ref_ir(at)->queue_timeout_us * 1000);
}

void queued_drop(struct core *core, struct step_ref at)
{
    struct queued *q = ref_step(at)->queued;
    if (!q)
        return;
    timers_clear(&core->timers, &q->timer);
    ref_step(at)->queued = NULL;
    core->bytes -= (int64_t)sizeof *q;
    free(q);
}

void queued_due(struct core *core, struct queued *q, const struct core_now *now, struct batch *out)
{
    const struct step_ref at = q->at;
    const struct ir_step *def = ref_ir(at);
    cleanup_free char *length = run_duration_text(def->queue_timeout_us);
    cleanup_free char *reason =
        mem_printf("waited longer than %s for %s", length,
                   def->limit_count ? "its limits and a worker" : "a worker");
    step_end(core, at,
             &(struct step_end){
                 .state = STEP_FAILED, .attempt = ref_step(at)->attempt, .reason = reason},
             now, out);
}

#include "scheduler/core/place/leave.h"

#include "common/base/plant.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/place/order.h"
#include "scheduler/core/dag/steps.h"

void leave_asked(struct core *core, struct attempt *a, struct batch *out)
{
    if (ref_step(a->at)->state != STEP_PLACED || frame_stops(a->at))
        return;
    if (!a->leave && !plant_on(PLANT_LEAVE_NOT_COMMITTED))
        step_mark(core, a->at);
    a->leave = true;
    order_leave(core, a, out); /* leaves with, or after, the commit that has the row */
}

bool leave_may_have_run(const struct attempt *a)
{
    if (plant_on(PLANT_TRIED_AGAIN_AFTER_LEAVE))
        return false;
    return ref_ir(a->at)->at_most_once && (a->leave || a->started_us);
}

bool leave_again(const struct attempt *a, int32_t lost, bool unstarted)
{
    return lost <= LEAVE_LOST_MOST && (unstarted || !leave_may_have_run(a));
}

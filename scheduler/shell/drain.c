/* Before the core may judge a silent worker's attempts lost, the reports have to be read up to an
 * end that was taken after the silence was noticed: the worker may have finished and said so. */
#include "scheduler/shell/internal.h"

#include <stdlib.h>
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/plant.h"

static bool drained(const struct shell *shell)
{
    for (size_t i = 0; i < shell->drain.count; i++)
        if (!intake_has_committed(&shell->intake, &shell->drain.ends[i]))
            return false;
    return true;
}

static void taken(void *arg, const struct err *err, const struct bus_position *ends, size_t n)
{
    struct shell *shell = arg;
    struct drain *drain = &shell->drain;
    drain->asking = false;
    if (shell->state != SHELL_LEADING || drain->life != shell->life)
        return;
    if (err) {
        log_warn("ends of the reports not read", LOG_ERR(err));
        return; /* the next tick asks again */
    }
    leader_bus_answered(shell);
    drain->ends = mem_array(n + 1, sizeof *ends);
    drain->count = n;
    for (size_t i = 0; i < n; i++)
        drain->ends[i] = ends[i];
    drain_look(shell);
}

static void ask(struct shell *shell)
{
    static const char *const topics[] = {TOPIC_REPORTS};
    shell->drain.asking = true;
    shell->drain.ticket = core_wants_drain(shell->core);
    shell->drain.life = shell->life;
    shell->bus->ops->ends(shell->bus, topics, 1, taken, shell);
}

void drain_look(struct shell *shell)
{
    struct drain *drain = &shell->drain;
    if (shell->state != SHELL_LEADING || shell->turn.phase != BATCH_IDLE || drain->asking)
        return;
    if (!core_wants_drain(shell->core)) {
        drain_forget(shell);
        return;
    }
    int64_t ticket = drain->ticket;
    if (plant_on(PLANT_LOST_BEFORE_DRAIN)) {
        ticket = core_wants_drain(shell->core);
    } else if (!drain->ends) {
        ask(shell);
        return;
    } else if (!drained(shell)) {
        return;
    }
    struct core_now now = shell_now(shell);
    drain_forget(shell);
    core_drained(shell->core, ticket, &now);
    turn_poke(shell);
}

void drain_forget(struct shell *shell)
{
    free(TAKE(shell->drain.ends));
    shell->drain.count = 0;
}

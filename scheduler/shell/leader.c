/* Who leads. A standby looks at the leader's beat once a second; when it has read it, without a
 * failure in between, and seen it stand still for three seconds of its own clock, or for little
 * more than one when the leader's backend has ended (a process that dies takes it along), it takes
 * over: the epoch stands between a leader that lives after all and the rows.
 * A leader writes that beat and, by the same tick, keeps account of the time in which it, the bus
 * and the database all answered: a silence of ours must not count against a worker. */
#include "scheduler/shell/internal.h"

#include <inttypes.h>
#include "common/base/failpoint.h"
#include "common/base/log.h"

static void taken(void *arg, const struct err *err, const struct db_leadership *now)
{
    struct shell *shell = arg;
    if (shell_is_over(shell))
        return;
    if (err && shell->leads_since_start) {
        shell_end(shell, err);
        return;
    }
    if (err) {
        log_info("leadership not taken", LOG_ERR(err));
        shell->standby.seen = false;
        shell_move(shell, SHELL_STANDBY);
        return;
    }
    shell->epoch = now->epoch;
    shell->tx_seq = now->tx_seq;
    shell->leads_since_start = true;
    log_info("leadership taken", LOG_I("epoch", shell->epoch));
    shell_move(shell, SHELL_MIGRATING);
    rebuild_migrate(shell);
}

static void take(struct shell *shell, int64_t epoch)
{
    shell_move(shell, SHELL_TAKING);
    shell->db->ops->take_over(shell->db, epoch, shell->at_least, shell->holder, taken, shell);
}

void leader_raise(struct shell *shell, int64_t at_least)
{
    log_warn("a worker has seen a higher epoch: raising ours above it",
             LOG_I("epoch", shell->epoch), LOG_I("at_least", at_least));
    shell->at_least = at_least;
    rebuild_forget(shell);
    take(shell, shell->epoch);
}

/* ---- standing by ---------------------------------------------------------------------------- */

/* How long the beat has stood still, by looks that followed each other without a failure. */
static int64_t still_us(struct standby *s, const struct db_leadership *now, int64_t asked_us,
                        int64_t answered_us)
{
    bool gap = s->seen && asked_us - s->last_us > 2 * TICK_US;
    if (!s->seen || gap || s->epoch != now->epoch || s->beat != now->beat) {
        s->seen = true;
        s->epoch = now->epoch;
        s->beat = now->beat;
        s->since_us = answered_us;
    }
    s->last_us = answered_us;
    return asked_us - s->since_us;
}

static void looked(void *arg, const struct err *err, const struct db_leadership *now)
{
    struct shell *shell = arg;
    shell->beating = false;
    if (shell->state != SHELL_STANDBY)
        return;
    if (err) {
        if (shell->standby.seen || !shell->standby.told)
            log_warn("the leader's beat cannot be read", LOG_ERR(err));
        shell->standby.told = true;
        shell->standby.seen = false;
        shell->world->ops->timer_set(shell->tick, LOOK_AGAIN_US);
        return;
    }
    const int64_t answered = shell_mono(shell);
    const int64_t still = still_us(&shell->standby, now, shell->standby.asked_us, answered);
    const int64_t enough = now->gone ? GONE_US : STILL_US;
    if (now->epoch == 0 || still >= enough) {
        take(shell, now->epoch);
        return;
    }
    /* Not at the tick after it: a look that comes a moment too soon would cost a whole second. */
    const int64_t left = shell->standby.since_us + enough - answered;
    if (left < TICK_US)
        shell->world->ops->timer_set(shell->tick, left > 0 ? left : 0);
}

static void look(struct shell *shell)
{
    shell->beating = true;
    shell->standby.asked_us = shell_mono(shell);
    shell->db->ops->look(shell->db, looked, shell);
}

/* ---- leading -------------------------------------------------------------------------------- */

void leader_db_answered(struct shell *shell)
{
    shell->answered.db_us = shell_mono(shell);
}

void leader_bus_answered(struct shell *shell)
{
    shell->answered.bus_us = shell_mono(shell);
}

static void account(struct shell *shell)
{
    struct answered *a = &shell->answered;
    int64_t now = shell_mono(shell), passed = now - a->last_us;
    a->last_us = now;
    bool fresh = now - a->db_us <= 2 * TICK_US && now - a->bus_us <= 2 * TICK_US;
    /* A longer pause between two ticks is time in which we ourselves stood still. */
    if (shell->state == SHELL_LEADING && fresh && passed <= 2 * TICK_US)
        a->total_us += passed;
}

static void bus_looked(void *arg, const struct err *err, const struct bus_position *ends, size_t n)
{
    (void)ends;
    (void)n;
    struct shell *shell = arg;
    shell->answered.bus_asked = false;
    if (!err && !shell_is_over(shell))
        leader_bus_answered(shell);
}

/* Records tell that the bus answers; without any we ask. */
static void ask_bus(struct shell *shell)
{
    static const char *const topics[] = {TOPIC_REPORTS};
    struct answered *a = &shell->answered;
    if (a->bus_asked || shell_mono(shell) - a->bus_us < TICK_US)
        return;
    a->bus_asked = true;
    shell->bus->ops->ends(shell->bus, topics, 1, bus_looked, shell);
}

/* Events and commands read the catalog with them. Where none comes a change would wait for ever: a
 * limit that is raised lets those go on that wait for it already. */
static void catalog_told(struct shell *shell, int64_t gen)
{
    shell->catalog_gen = gen;
    if (shell->state == SHELL_LEADING && gen > core_catalog_gen(shell->core))
        turn_poke(shell);
}

static void beaten(void *arg, const struct err *err, const struct db_leadership *now)
{
    struct shell *shell = arg;
    shell->beating = false;
    if (!shell_holds_epoch(shell) || shell->beat_epoch != shell->epoch)
        return;
    if (err && err->code == LEAT_EFENCED) {
        shell_end(shell, err);
        return;
    }
    if (err) {
        log_warn("beat not written", LOG_ERR(err));
        return;
    }
    if (!failpoint_hit(FAILPOINT_LEASE_RENEWED_AFTER))
        leader_db_answered(shell);
    catalog_told(shell, now->catalog_gen);
}

static void beat(struct shell *shell)
{
    if (failpoint_hit(FAILPOINT_LEASE_RENEWED_BEFORE))
        return;
    shell->beating = true;
    shell->beat_epoch = shell->epoch;
    shell->db->ops->beat(shell->db, shell->epoch, beaten, shell);
}

static void tick(void *arg)
{
    struct shell *shell = arg;
    shell->world->ops->timer_set(shell->tick, TICK_US);
    if (shell->state == SHELL_STANDBY && !shell->beating)
        look(shell);
    if (!shell_holds_epoch(shell))
        return;
    account(shell);
    if (!shell->beating)
        beat(shell);
    if (shell->state != SHELL_LEADING)
        return;
    ask_bus(shell);
    drain_look(shell);
}

void leader_start(struct shell *shell)
{
    shell->tick = shell->world->ops->timer_new(shell->world, tick, shell);
    shell->world->ops->timer_set(shell->tick, 0);
}

#include "scheduler/shell/internal.h"

#include <stdlib.h>
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define TO(id)          (1u << SHELL_##id)
#define S(id, name, to) {name, to},
static const struct machine_state states[] = {SHELL_STATES(S, TO)};
#undef S
#undef TO
static const struct machine machine = {"shell", states, SHELL_STATE_COUNT};

void shell_move(struct shell *shell, enum shell_state to)
{
    machine_move(&machine, &shell->state, to);
    log_debug("scheduler state", LOG_S("state", machine_state_name(&machine, to)),
              LOG_I("epoch", shell->epoch));
}

enum shell_state shell_state(const struct shell *shell)
{
    return shell->state;
}

bool shell_is_over(const struct shell *shell)
{
    return shell->state == SHELL_ENDED;
}

bool shell_holds_epoch(const struct shell *shell)
{
    return shell->state != SHELL_STANDBY && shell->state != SHELL_TAKING &&
           shell->state != SHELL_ENDED;
}

int64_t shell_mono(const struct shell *shell)
{
    return shell->world->ops->mono(shell->world);
}

struct core_now shell_now(const struct shell *shell)
{
    return (struct core_now){.mono_us = shell_mono(shell),
                             .wall_us = shell->world->ops->wall(shell->world),
                             .answered_us = shell->answered.total_us};
}

static void retry_now(void *arg)
{
    struct shell *shell = arg;
    if (shell->state == SHELL_WAITING)
        rebuild_migrate(shell);
    else if (shell->state == SHELL_PROBING)
        turn_probe(shell);
}

static void back_off(struct shell *shell)
{
    shell->world->ops->timer_set(shell->retry, shell->backoff_us);
    shell->backoff_us =
        shell->backoff_us * 2 < BACKOFF_MAX_US ? shell->backoff_us * 2 : BACKOFF_MAX_US;
}

void shell_probe_again(struct shell *shell)
{
    back_off(shell);
}

void shell_again(struct shell *shell)
{
    rebuild_forget(shell);
    shell_move(shell, SHELL_WAITING);
    back_off(shell);
}

static void outbox_drained(void *arg)
{
    turn_poke(arg);
}

static void deadline_reached(void *arg)
{
    turn_poke(arg);
}

void shell_defaults(struct shell_config *config)
{
    config->lease_us = 10 * US_PER_S;
    config->lost_after_us = 90 * US_PER_S;
    config->cancel_grace_us = 10 * US_PER_S;
    config->batch_rows = 2000;
    config->most_runs = 100000;
    config->most_pipelines = 10000;
    config->most_workers = 10000;
    config->worker_age_us = 30 * 24 * 3600 * US_PER_S;
    config->partitions = 4;
    config->event_age_us = 14 * 24 * 3600 * US_PER_S;
    config->message_age_us = 3600 * US_PER_S;
    config->ages.history_us = 90 * 24 * 3600 * US_PER_S;
    config->ages.keys_us = 30 * 24 * 3600 * US_PER_S;
}

struct shell *shell_new(const struct shell_config *config, struct world *world, struct db *db,
                        struct bus *bus, shell_ended *ended, void *arg)
{
    struct shell *shell = mem_alloc(sizeof *shell);
    shell->config = *config;
    shell->holder = mem_string(config->holder ? config->holder : "");
    shell->config.holder = shell->holder;
    shell->world = world;
    shell->db = db;
    shell->bus = bus;
    shell->ended = ended;
    shell->ended_arg = arg;
    shell->state = SHELL_STANDBY;
    shell->backoff_us = BACKOFF_MIN_US;
    shell->retry = world->ops->timer_new(world, retry_now, shell);
    shell->deadline = world->ops->timer_new(world, deadline_reached, shell);
    shell->minute = world->ops->timer_new(world, keep_house, shell);
    shell->turn.batch = batch_new();
    shell->keep = keep_new();
    outbox_init(&shell->outbox, bus, world, outbox_drained, shell);
    return shell;
}

void shell_start(struct shell *shell)
{
    leader_start(shell);
}

static void stop_timers(struct shell *shell)
{
    const struct world_ops *ops = shell->world->ops;
    struct world_timer *timers[] = {shell->tick, shell->retry, shell->deadline, shell->minute};
    for (size_t i = 0; i < ARRAY_LEN(timers); i++)
        if (timers[i])
            ops->timer_stop(timers[i]);
}

void shell_end(struct shell *shell, const struct err *why)
{
    if (shell_is_over(shell))
        return;
    struct err copy = *why; /* the caller's may go with what we drop */
    shell_move(shell, SHELL_ENDED);
    stop_timers(shell);
    readers_close(shell);
    shell->ended(shell->ended_arg, &copy);
}

void shell_end_because(struct shell *shell, int code, const char *why)
{
    struct err err = {0};
    err_set(&err, code, "%s", why);
    shell_end(shell, &err);
}

void shell_free(struct shell *shell)
{
    if (!shell)
        return;
    const struct world_ops *ops = shell->world->ops;
    readers_close(shell);
    rebuild_forget(shell);
    outbox_free(&shell->outbox);
    ops->timer_free(shell->tick);
    ops->timer_free(shell->retry);
    ops->timer_free(shell->deadline);
    ops->timer_free(shell->minute);
    intake_clear(&shell->intake);
    inputs_free(&shell->turn.inputs);
    planted_free(shell);
    batch_free(shell->turn.batch);
    free(shell->turn.held);
    free(shell->turn.ids);
    free(shell->turn.runs);
    free(shell->turn.versions);
    idset_free(&shell->turn.done);
    topics_free(&shell->topics);
    keep_free(shell->keep);
    free(shell->holder);
    free(shell);
}

void shell_stats(const struct shell *shell, struct shell_stats *out)
{
    *out = shell->stats;
    out->state = machine_state_name(&machine, shell->state);
    out->epoch = shell->epoch;
    out->tx_seq = shell->tx_seq;
    out->queued = (int64_t)intake_count(&shell->intake, true);
    out->held = (int64_t)intake_held(&shell->intake);
    out->unsent = (int64_t)shell->outbox.count;
    out->most_runs = shell->config.most_runs;
    out->most_pipelines = shell->config.most_pipelines;
    out->most_workers = shell->config.most_workers;
    out->answered_us = shell->answered.total_us;
}

const struct core *shell_core(const struct shell *shell)
{
    return shell->state == SHELL_LEADING && shell->turn.phase == BATCH_IDLE ? shell->core : NULL;
}

void shell_watch(struct shell *shell, shell_batch_seen *fn, void *arg)
{
    shell->watch = fn;
    shell->watch_arg = arg;
}

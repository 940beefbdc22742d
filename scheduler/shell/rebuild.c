/* From nothing to leading: migrate, load, make the topics, restore a new core, read on from the
 * committed offsets. Also the answer to every doubt: memory that may be wrong is thrown away. */
#include "scheduler/shell/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/mem.h"

static void fail(struct shell *shell, const char *what, const struct err *err)
{
    log_warn(what, LOG_ERR(err));
    if (err->code == LEAT_EFENCED)
        shell_end(shell, err);
    else
        shell_again(shell);
}

void rebuild_forget(struct shell *shell)
{
    shell->life++;
    shell->world->ops->timer_stop(shell->deadline);
    turn_drop(shell);
    drain_forget(shell);
    core_free(TAKE(shell->core));
    snapshot_free(TAKE(shell->loaded));
}

/* ---- readers -------------------------------------------------------------------------------- */

static void reader_records(void *arg, const struct bus_record *records, size_t n)
{
    struct reader *reader = arg;
    struct shell *shell = reader->shell;
    leader_bus_answered(shell);
    for (size_t i = 0; i < n; i++)
        if (!intake_push(&shell->intake, reader->kind, &records[i]))
            shell->stats.records_repeated++;
    if (!reader->paused && intake_is_full(&shell->intake, reader->kind)) {
        reader->paused = true;
        shell->bus->ops->pause(reader->bus, true);
    }
    turn_poke(shell);
}

static void reader_reset(void *arg)
{
    struct reader *reader = arg;
    struct shell *shell = reader->shell;
    log_info("the bus was reset: reading again from what is committed",
             LOG_S("topic", intake_topic(reader->kind)));
    if (shell->turn.phase == BATCH_TOPICS || shell->turn.phase == BATCH_FETCH) {
        shell->turn.spoiled = true; /* it may hold records that are no more */
        return;
    }
    if (shell->state != SHELL_LEADING || shell->turn.phase == BATCH_COMMIT) {
        reader->stale = true; /* where to go on follows from what is committed: not known now */
        intake_forget(&shell->intake, reader->kind);
        return;
    }
    intake_forget(&shell->intake, reader->kind);
    readers_assign(shell, reader->kind);
}

static void reader_failed(void *arg, const struct err *err)
{
    struct reader *reader = arg;
    log_error("reading has stopped", LOG_S("topic", intake_topic(reader->kind)), LOG_ERR(err));
    shell_end(reader->shell, err);
}

static const struct bus_reader_events reader_events = {
    .records = reader_records,
    .reset = reader_reset,
    .failed = reader_failed,
};

void readers_open(struct shell *shell)
{
    for (int kind = 0; kind < INTAKE_KINDS; kind++) {
        struct reader *reader = &shell->readers[kind];
        if (reader->bus)
            continue;
        *reader = (struct reader){.shell = shell, .kind = (enum intake_kind)kind};
        reader->bus = shell->bus->ops->reader_open(shell->bus, &reader_events, reader);
    }
}

void readers_close(struct shell *shell)
{
    for (int kind = 0; kind < INTAKE_KINDS; kind++)
        shell->bus->ops->reader_close(TAKE(shell->readers[kind].bus));
}

void readers_assign(struct shell *shell, enum intake_kind kind)
{
    struct reader *reader = &shell->readers[kind];
    const char *topic = intake_topic(kind);
    size_t count;
    const struct intake_mark *marks = intake_marks(&shell->intake, kind, &count);
    cleanup_free struct bus_position *positions = mem_array(count + 1, sizeof *positions);
    for (size_t i = 0; i < count; i++) {
        positions[i].partition = marks[i].partition;
        positions[i].offset = marks[i].read;
        snprintf(positions[i].topic, sizeof positions[i].topic, "%s", topic);
    }
    if (reader->paused)
        shell->bus->ops->pause(reader->bus, false);
    reader->paused = reader->stale = false;
    shell->bus->ops->assign(reader->bus, &topic, 1, positions, count, BUS_EARLIEST);
}

void readers_refresh(struct shell *shell)
{
    for (int kind = 0; kind < INTAKE_KINDS; kind++)
        if (shell->readers[kind].stale)
            readers_assign(shell, (enum intake_kind)kind);
}

void readers_resume(struct shell *shell)
{
    for (int kind = 0; kind < INTAKE_KINDS; kind++) {
        struct reader *reader = &shell->readers[kind];
        if (!reader->paused || !intake_has_room(&shell->intake, reader->kind))
            continue;
        reader->paused = false;
        shell->bus->ops->pause(reader->bus, false);
    }
}

/* ---- load, topics, restore ------------------------------------------------------------------ */

static void lead(struct shell *shell)
{
    struct snapshot *snapshot = shell->loaded;
    struct core_now now = shell_now(shell);
    struct core_config config = {
        .epoch = shell->epoch,
        .seed = shell->config.seed + (uint64_t)shell->life * 0x9e3779b97f4a7c15u,
        .lease_us = shell->config.lease_us,
        .lost_after_us = shell->config.lost_after_us,
        .cancel_grace_us = shell->config.cancel_grace_us,
        .batch_rows = shell->config.batch_rows,
        .most_runs = shell->config.most_runs,
        .most_pipelines = shell->config.most_pipelines,
        .most_workers = shell->config.most_workers,
        .worker_age_us = shell->config.worker_age_us,
        /* Also where the outbox is in the transaction: a worker that had seen a higher epoch (a
         * restored backup) dropped what was sent before ours was raised above it. */
        .resend_placed = true,
    };
    shell->tx_seq = snapshot->tx_seq;
    shell->core = core_new(&config);
    core_restore(shell->core, snapshot, &now);
    intake_restore(&shell->intake, snapshot->offsets, snapshot->offsets_count);
    snapshot_free(TAKE(shell->loaded));
    shell->stats.rebuilds++;
    shell->answered.last_us = now.mono_us;
    shell_move(shell, SHELL_LEADING);
    log_info("leading", LOG_I("epoch", shell->epoch), LOG_I("tx_seq", shell->tx_seq));
}

static void prepared(void *arg, const struct err *err)
{
    struct shell *shell = arg;
    if (shell->state != SHELL_PREPARING)
        return;
    struct err injected = {0};
    if (!err && failpoint_hit(FAILPOINT_REBUILD_BEFORE)) {
        err_set(&injected, LEAT_EIO, "failpoint");
        err = &injected;
    }
    if (err) {
        fail(shell, "topics not made", err);
        return;
    }
    leader_bus_answered(shell);
    lead(shell);
    if (failpoint_hit(FAILPOINT_REBUILD_AFTER) || failpoint_hit(FAILPOINT_OFFSET_READ_BEFORE)) {
        shell_again(shell);
        return;
    }
    readers_open(shell);
    for (int kind = 0; kind < INTAKE_KINDS; kind++)
        readers_assign(shell, (enum intake_kind)kind);
    if (failpoint_hit(FAILPOINT_OFFSET_READ_AFTER)) {
        shell_again(shell);
        return;
    }
    shell->world->ops->timer_set(shell->minute, 0);
    turn_poke(shell);
}

/* Fixed topics, and those of every worker known: the bus may be another than before. */
static void prepare(struct shell *shell)
{
    const struct snapshot *s = shell->loaded;
    size_t count = 0;
    cleanup_free char *names = NULL;
    cleanup_free const char **workers = mem_array(s->workers_count + 1, sizeof *workers);
    for (size_t i = 0; i < s->workers_count; i++) {
        workers[i] = s->workers[i].id;
        topics_add(&shell->topics, workers[i]);
    }
    cleanup_free struct bus_topic *list =
        topics_list(shell->config.partitions, true, workers, s->workers_count, &names, &count);
    shell_move(shell, SHELL_PREPARING);
    shell->bus->ops->topics_make(shell->bus, list, count, prepared, shell);
}

static void loaded(void *arg, const struct err *err, struct snapshot *snapshot)
{
    struct shell *shell = arg;
    if (shell->state != SHELL_LOADING) {
        snapshot_free(snapshot);
        return;
    }
    if (err) {
        fail(shell, "state not loaded", err);
        return;
    }
    leader_db_answered(shell);
    if (snapshot->epoch != shell->epoch) {
        snapshot_free(snapshot);
        shell_end_because(shell, LEAT_EFENCED, "another leader has taken over");
        return;
    }
    shell->loaded = snapshot;
    prepare(shell);
}

void rebuild_load(struct shell *shell)
{
    shell_move(shell, SHELL_LOADING);
    const struct uuid *bus_id = shell->bus->ops->id(shell->bus);
    if (bus_id)
        shell->db->ops->load(shell->db, bus_id, loaded, shell);
    else
        shell_again(shell); /* the bus has not been reached yet */
}

static void migrated(void *arg, const struct err *err)
{
    struct shell *shell = arg;
    if (shell->state != SHELL_MIGRATING)
        return;
    if (err)
        fail(shell, "migrations not applied", err);
    else
        rebuild_load(shell);
}

void rebuild_migrate(struct shell *shell)
{
    if (shell->state != SHELL_MIGRATING)
        shell_move(shell, SHELL_MIGRATING);
    shell->db->ops->migrate(shell->db, migrated, shell);
}

/* One batch after the other: gather, ask, feed the core, commit, send. One is in flight at a time;
 * what arrives meanwhile waits, so batches grow with the load, and an idle one leaves at once. */
#include "scheduler/shell/internal.h"

#include <stdlib.h>
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/plant.h"

#define EMPTY_TURN_US                                                                              \
    1000 /* a core that has work "now" but writes nothing is not asked in a spin */

static void turn_begin(void *arg);

void turn_poke(struct shell *shell)
{
    if (shell->state != SHELL_LEADING || shell->turn.phase != BATCH_IDLE || shell->turn.poked)
        return;
    shell->turn.poked = true;
    shell->world->ops->defer(shell->world, turn_begin, shell);
}

void turn_drop(struct shell *shell)
{
    struct turn *turn = &shell->turn;
    inputs_clear(&turn->inputs);
    batch_clear(turn->batch);
    turn->phase = BATCH_IDLE;
    turn->spoiled = false;
}

/* After a turn, committed or empty: begin the next at once, or when the core asks for it. */
static void turn_finish(struct shell *shell)
{
    turn_drop(shell);
    drain_look(shell);
    int64_t deadline = core_deadline(shell->core), now = shell_mono(shell);
    const bool room = core_room(shell->core) > 0;
    if (intake_count(&shell->intake, room) || (deadline <= now && !shell->turn.idle_last)) {
        turn_poke(shell);
        return;
    }
    if (deadline == CORE_NEVER)
        shell->world->ops->timer_stop(shell->deadline);
    else
        shell->world->ops->timer_set(
            shell->deadline, deadline - now > EMPTY_TURN_US ? deadline - now : EMPTY_TURN_US);
}

/* ---- after the commit ----------------------------------------------------------------------- */

static void send_messages(struct shell *shell)
{
    const struct batch *batch = shell->turn.batch;
    if (!batch->messages_count)
        return;
    bool skipped = failpoint_hit(FAILPOINT_ORDER_PUBLISH_BEFORE);
    if (!shell->bus->ops->outbox_in_transaction)
        outbox_publish(&shell->outbox, batch->messages, batch->messages_count);
    else if (!skipped) /* a ring is a hint: readers look by themselves */
        outbox_ring(shell->bus, batch->messages, batch->messages_count);
    failpoint_hit(FAILPOINT_ORDER_PUBLISH_AFTER);
}

static void tell_cost(struct shell *shell)
{
    const struct turn *turn = &shell->turn;
    struct shell_batch_cost cost = {
        .records = turn->inputs.count,
        .rows = turn->rows,
        .messages = turn->batch->messages_count,
        .build_us = turn->sent_us - turn->began_us,
        .commit_us = shell_mono(shell) - turn->sent_us,
    };
    shell->stats.batches++;
    shell->stats.rows_last = (int64_t)turn->rows;
    if (shell->watch)
        shell->watch(shell->watch_arg, &cost);
}

static void turn_is_in(struct shell *shell)
{
    shell->tx_seq = shell->turn.batch->tx_seq + !planted_unfenced(shell->turn.batch);
    shell->backoff_us = BACKOFF_MIN_US;
    intake_committed(&shell->intake);
    for (size_t i = 0; i < shell->turn.batch->forgets_count; i++)
        topics_forget(&shell->topics, shell->turn.batch->forgets[i].id);
    readers_refresh(shell);
    leader_db_answered(shell);
    tell_cost(shell);
    send_messages(shell);
    turn_finish(shell);
}

/* ---- was it in? ----------------------------------------------------------------------------- */

static db_committed committed;

static void probed(void *arg, const struct err *err, const struct db_leadership *now)
{
    struct shell *shell = arg;
    if (shell->state != SHELL_PROBING)
        return;
    if (err && err->code != LEAT_EFENCED) {
        shell_probe_again(shell);
        return;
    }
    if (err || !now->held_by_us || now->epoch != shell->epoch) {
        shell_end_because(shell, LEAT_EFENCED, "another leader has taken over");
        return;
    }
    if (plant_on(PLANT_UNKNOWN_COMMIT_RETRIED_BLINDLY) &&
        shell->turn.batch->tx_seq != now->tx_seq) {
        shell->turn.batch->tx_seq = shell->tx_seq = now->tx_seq;
        shell_move(shell, SHELL_LEADING);
        shell->db->ops->commit(shell->db, shell->bus->ops->id(shell->bus), shell->turn.batch,
                               committed, shell);
        return;
    }
    bool in = now->tx_seq == shell->turn.batch->tx_seq + 1;
    log_warn("commit looked up", LOG_S("result", in ? "in" : "not in"),
             LOG_I("tx_seq", now->tx_seq));
    if (!in) {
        shell_again(shell);
        return;
    }
    shell_move(shell, SHELL_LEADING);
    turn_is_in(shell);
}

void turn_probe(struct shell *shell)
{
    shell->db->ops->probe(shell->db, shell->epoch, probed, shell);
}

static void committed(void *arg, enum db_outcome outcome, const struct err *err)
{
    struct shell *shell = arg;
    if (shell_is_over(shell))
        return;
    switch (outcome) {
    case DB_COMMITTED:
        turn_is_in(shell);
        return;
    case DB_FENCED:
        shell_end_because(shell, LEAT_EFENCED, "another leader has taken over");
        return;
    case DB_NOT_IN:
        log_warn("batch not committed, rebuilding", LOG_ERR(err));
        shell_again(shell);
        return;
    case DB_UNKNOWN:
        log_warn("batch may be committed, looking", LOG_ERR(err));
        shell->stats.unknown_commits++;
        shell_move(shell, SHELL_PROBING);
        turn_probe(shell);
        return;
    }
}

/* ---- before it ------------------------------------------------------------------------------ */

static size_t rows_of(const struct batch *b)
{
    size_t rows = 0;
#define A(field, type) rows += b->field##_count;
    BATCH_ARRAYS(A)
#undef A
    return rows;
}

static void turn_commit(struct shell *shell)
{
    struct turn *turn = &shell->turn;
    struct core_now now = shell_now(shell);
    batch_clear(turn->batch);
    turn->batch->epoch = shell->epoch;
    turn->batch->tx_seq = shell->tx_seq;
    gather_apply(shell, &now);
    turn->idle_last = batch_is_empty(turn->batch);
    if (turn->idle_last) {
        turn_finish(shell);
        return;
    }
    if (failpoint_hit(FAILPOINT_BATCH_BEGIN_AFTER)) {
        shell_again(shell);
        return;
    }
    turn->phase = BATCH_COMMIT;
    turn->rows = rows_of(turn->batch);
    turn->sent_us = shell_mono(shell);
    if (!planted_commit(shell, committed))
        shell->db->ops->commit(shell->db, shell->bus->ops->id(shell->bus), turn->batch, committed,
                               shell);
}

/* The records are to be read anew; the core has not seen them. */
static void turn_rewind(struct shell *shell)
{
    turn_drop(shell);
    intake_rewind(&shell->intake);
    for (int kind = 0; kind < INTAKE_KINDS; kind++)
        readers_assign(shell, (enum intake_kind)kind);
    turn_finish(shell);
}

static void fetched(void *arg, const struct err *err, const struct db_found *found)
{
    struct shell *shell = arg;
    if (shell->state != SHELL_LEADING || shell->turn.phase != BATCH_FETCH) {
        if (found)
            snapshot_free(found->delta);
        return;
    }
    if (err) {
        log_warn("inbox not read, rebuilding", LOG_ERR(err));
        shell_again(shell);
        return;
    }
    leader_db_answered(shell);
    struct core_now now = shell_now(shell);
    if (found->delta)
        core_learn(shell->core, found->delta, &now);
    if (shell->turn.cached_count)
        core_cached(shell->core, found->delta);
    snapshot_free(found->delta);
    if (shell->turn.spoiled) {
        turn_rewind(shell);
        return;
    }
    gather_found(shell, found);
    turn_commit(shell);
}

static void turn_fetch(struct shell *shell)
{
    struct db_wanted wanted;
    if (!gather_wanted(shell, &wanted)) {
        turn_commit(shell);
        return;
    }
    shell->turn.phase = BATCH_FETCH;
    shell->db->ops->fetch(shell->db, &wanted, fetched, shell);
}

static void topics_made(void *arg, const struct err *err)
{
    struct shell *shell = arg;
    if (shell->state != SHELL_LEADING || shell->turn.phase != BATCH_TOPICS)
        return;
    if (err) {
        log_warn("orders topics not made, rebuilding", LOG_ERR(err));
        shell_again(shell);
        return;
    }
    size_t count;
    cleanup_free const char **workers = gather_new_workers(shell, &count);
    for (size_t i = 0; i < count; i++)
        topics_add(&shell->topics, workers[i]);
    if (shell->turn.spoiled)
        turn_rewind(shell);
    else
        turn_fetch(shell);
}

/* A worker that says hello for the first time: its orders topic must be there before an order can
 * be committed to it. */
static void turn_topics(struct shell *shell)
{
    size_t worker_count, count;
    cleanup_free const char **workers = gather_new_workers(shell, &worker_count);
    if (!worker_count) {
        turn_fetch(shell);
        return;
    }
    cleanup_free char *names = NULL;
    cleanup_free struct bus_topic *list =
        topics_list(0, false, workers, worker_count, &names, &count);
    shell->turn.phase = BATCH_TOPICS;
    shell->bus->ops->topics_make(shell->bus, list, count, topics_made, shell);
}

static void turn_begin(void *arg)
{
    struct shell *shell = arg;
    shell->turn.poked = false;
    if (shell->state != SHELL_LEADING || shell->turn.phase != BATCH_IDLE ||
        outbox_is_full(&shell->outbox))
        return;
    if (core_highest_epoch(shell->core) > shell->epoch) {
        leader_raise(shell, core_highest_epoch(shell->core) + 1);
        return;
    }
    if (failpoint_hit(FAILPOINT_BATCH_BEGIN_BEFORE)) {
        shell_again(shell);
        return;
    }
    shell->turn.began_us = shell_mono(shell);
    shell->world->ops->timer_stop(shell->deadline);
    gather_records(shell);
    turn_topics(shell);
}

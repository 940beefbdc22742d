/* What the planted bugs of the batch loop do instead of one transaction. */
#include "scheduler/shell/internal.h"

#ifdef LEAT_PLANTS
#include "common/base/plant.h"

bool planted_unfenced(const struct batch *batch)
{
    return batch->unfenced;
}

void planted_free(struct shell *shell)
{
    batch_free(shell->turn.apart);
}

/* The part that went ahead is in: now the rest. */
static void apart_committed(void *arg, enum db_outcome outcome, const struct err *err)
{
    struct shell *shell = arg;
    struct batch *batch = shell->turn.batch;
    if (outcome != DB_COMMITTED || shell->state != SHELL_LEADING) {
        shell->turn.committed(shell, outcome == DB_UNKNOWN ? DB_NOT_IN : outcome, err);
        return;
    }
    batch->tx_seq++;
    shell->db->ops->commit(shell->db, shell->bus->ops->id(shell->bus), batch, shell->turn.committed,
                           shell);
}

bool planted_commit(struct shell *shell, db_committed *committed)
{
    struct turn *turn = &shell->turn;
    struct batch *batch = turn->batch, *apart;
    bool offsets = plant_on(PLANT_OFFSET_OUTSIDE_TRANSACTION) && batch->offsets_count;
    bool inbox = plant_on(PLANT_INBOX_IN_ITS_OWN_TRANSACTION) && batch->inbox_count;
    batch->unfenced = plant_on(PLANT_TIMER_WITHOUT_FENCE) && !turn->inputs.count;
    if (!offsets && !inbox)
        return false;
    if (!turn->apart)
        turn->apart = batch_new();
    apart = turn->apart;
    batch_clear(apart);
    apart->epoch = batch->epoch;
    apart->tx_seq = batch->tx_seq;
    for (size_t i = 0; offsets && i < batch->offsets_count; i++)
        *batch_add_offsets(apart) = batch->offsets[i];
    for (size_t i = 0; inbox && i < batch->inbox_count; i++)
        *batch_add_inbox(apart) = batch->inbox[i];
    if (offsets)
        batch->offsets_count = 0;
    if (inbox)
        batch->inbox_count = 0;
    turn->committed = committed;
    shell->db->ops->commit(shell->db, shell->bus->ops->id(shell->bus), apart, apart_committed,
                           shell);
    return true;
}
#else
typedef int planted_nothing; /* not an empty file */
#endif

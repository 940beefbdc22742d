/* Housekeeping on the side connection: a bounded piece of each kind a call. */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "scheduler/shell/db_pg_internal.h"

#define DAY_US (24 * 3600 * US_PER_S)

/* What goes after how many days; 0: at the present time itself. */
static const struct {
    enum query_id query;
    int days;
} work[] = {
    {QUERY_KEEP_PARTITIONS, 0}, {QUERY_KEEP_EVENTS_DROP, 14}, {QUERY_KEEP_EVENTS, 14},
    {QUERY_KEEP_INBOX, 30},     {QUERY_KEEP_TOMBSTONES, 30},  {QUERY_KEEP_IDEMPOTENCY, 30},
    {QUERY_KEEP_COMMANDS, 30},
};

struct keeping {
    bus_done *done;
    void *arg;
    size_t left;
    struct err err; /* the first */
};

static void kept(void *arg, const struct pg_answer *answer)
{
    struct keeping *k = arg;
    if (answer->err && !k->err.code)
        k->err = *answer->err;
    if (--k->left > 0)
        return;
    cleanup_free struct keeping *gone = k;
    gone->done(gone->arg, gone->err.code ? &gone->err : NULL);
}

/* Each in a transaction of its own: one that fails does not hold up the others. */
void db_pg_housekeep(struct db *base, int64_t wall_us, bus_done *done, void *arg)
{
    struct keeping *k = mem_alloc(sizeof *k);
    *k = (struct keeping){.done = done, .arg = arg, .left = ARRAY_LEN(work)};
    cleanup_pg_params struct pg_params p = {0};
    for (size_t i = 0; i < ARRAY_LEN(work); i++) {
        pg_add_time(&p, wall_us - work[i].days * DAY_US);
        pg_call(db_pg_of(base)->side, work[i].query, &p, kept, k);
    }
}

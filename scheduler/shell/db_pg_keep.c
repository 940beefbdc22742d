/* Housekeeping on the side connection. One statement is open at a time, since the leader's beat
 * waits behind it; each is a transaction of its own and bounded, so dying between two loses nothing
 * and one that fails does not hold up the others. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "scheduler/shell/db_pg_internal.h"

#define ROUNDS 50 /* of one statement a call, while it still finds something */

enum age { AGE_NONE, AGE_HISTORY, AGE_KEYS };

static const struct {
    enum query_id query;
    enum age age;
    const char *what;
} work[] = {
    {QUERY_KEEP_PARTITIONS, AGE_NONE, "weeks made"},
    {QUERY_KEEP_HISTORY, AGE_HISTORY, "week dropped"},
    {QUERY_KEEP_REST, AGE_HISTORY, "rows of no week deleted"},
    {QUERY_KEEP_CACHED, AGE_HISTORY, "keys of earlier results deleted"},
    {QUERY_KEEP_STARTS, AGE_HISTORY, "ties of runs to steps deleted"},
    {QUERY_KEEP_CAUSES, AGE_HISTORY, "causes of runs deleted"},
    {QUERY_KEEP_INBOX, AGE_KEYS, "ids of events and commands deleted"},
    {QUERY_KEEP_TOMBSTONES, AGE_KEYS, "tombstones deleted"},
    {QUERY_KEEP_IDEMPOTENCY, AGE_KEYS, "idempotency keys deleted"},
    {QUERY_KEEP_COMMANDS, AGE_KEYS, "verdicts deleted"},
};

struct keeping {
    struct db_pg *db;
    int64_t wall_us;
    struct db_ages ages;
    bus_done *done;
    void *arg;
    size_t at;
    int rounds;
    struct err err; /* the first */
};

static void keep_next(struct keeping *k);

static bool found_something(const struct pg_answer *answer)
{
    return !answer->err && pg_row_count(answer->rows) > 0 &&
           pg_text_or_null(answer->rows, 0, 0) != NULL;
}

static void kept(void *arg, const struct pg_answer *answer)
{
    struct keeping *k = arg;
    if (answer->err && !k->err.code) {
        k->err = *answer->err;
        err_wrap(&k->err, "%s", work[k->at].what);
    }
    bool again = found_something(answer) && work[k->at].age != AGE_NONE;
    if (found_something(answer))
        log_info("housekeeping", LOG_S("what", work[k->at].what),
                 LOG_S("result", pg_text(answer->rows, 0, 0)));
    if (!again || ++k->rounds >= ROUNDS) {
        k->at++;
        k->rounds = 0;
    }
    keep_next(k);
}

static int64_t age_of(const struct keeping *k)
{
    switch (work[k->at].age) {
    case AGE_HISTORY:
        return k->ages.history_us;
    case AGE_KEYS:
        return k->ages.keys_us;
    case AGE_NONE:
        break;
    }
    return 0;
}

static void keep_next(struct keeping *k)
{
    cleanup_pg_params struct pg_params p = {0};
    if (k->at < ARRAY_LEN(work) && !k->db->closed) {
        pg_add_time(&p, k->wall_us - age_of(k));
        pg_call(k->db->side, work[k->at].query, &p, kept, k);
        return;
    }
    cleanup_free struct keeping *gone = k;
    gone->done(gone->arg, gone->err.code ? &gone->err : NULL);
}

void db_pg_housekeep(struct db *base, int64_t wall_us, const struct db_ages *ages, bus_done *done,
                     void *arg)
{
    struct keeping *k = mem_alloc(sizeof *k);
    *k = (struct keeping){
        .db = db_pg_of(base), .wall_us = wall_us, .ages = *ages, .done = done, .arg = arg};
    keep_next(k);
}

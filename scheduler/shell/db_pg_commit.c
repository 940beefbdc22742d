/* The one transaction: the fence, a statement an array, the messages, all in one round trip. The
 * group of pg.h is the transaction, so the sync is the COMMIT. */
#include <string.h>

#include "common/base/failpoint.h"
#include "common/base/mem.h"
#include "scheduler/shell/db_pg_internal.h"

static void end(struct db_pg *db, enum db_outcome outcome, const struct err *err)
{
    struct committing c = db->committing;
    db->committing = (struct committing){0};
    c.done(c.arg, outcome, err);
}

static enum db_outcome outcome_of(const struct err *err)
{
    if (!err)
        return DB_COMMITTED;
    if (err->code == LEAT_EFENCED)
        return DB_FENCED;
    return err->code == LEAT_EUNKNOWN ? DB_UNKNOWN : DB_NOT_IN;
}

static void answered(void *arg, const struct pg_answer *answer)
{
    struct db_pg *db = arg;
    struct err lost = {0};
    if (failpoint_hit(FAILPOINT_COMMIT_ANSWERED_BEFORE)) {
        err_set(&lost, LEAT_EUNKNOWN, "failpoint: the answer is lost");
        pg_drop(db->batch, lost.text);
        end(db, DB_UNKNOWN, &lost);
        return;
    }
    end(db, outcome_of(answer->err), answer->err);
    failpoint_hit(FAILPOINT_COMMIT_ANSWERED_AFTER);
}

/* ---- the outbox: appended to the embedded bus in the same transaction ------------------------ */

static void put_messages(struct db_pg *db, const struct batch *b)
{
    const size_t n = b->messages_count;
    size_t outlet_count = 0;
    cleanup_free const struct outlet **outlets = mem_array(n, sizeof *outlets);
    cleanup_free int64_t *counts = mem_array(n, sizeof *counts);
    cleanup_free struct append_record *records = mem_array(n, sizeof *records);
    for (struct outlet *o = db->outlets.all; o; o = o->hh.next)
        o->of = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct batch_message *m = &b->messages[i];
        struct outlet *o = outlets_find(&db->outlets, m->topic);
        if (!o->of) {
            o->of = &counts[outlet_count];
            outlets[outlet_count++] = o;
        }
        records[i] = (struct append_record){.outlet = o,
                                            .number = (*(int64_t *)o->of)++,
                                            .key = m->key,
                                            .key_len = m->key ? strlen(m->key) : 0,
                                            .value = m->value,
                                            .len = m->len};
    }
    cleanup_pg_params struct pg_params p = {0};
    append_params(&p, outlets, counts, outlet_count, records, n);
    pg_exec(db->batch, QUERY_BUS_APPEND, &p, NULL, NULL);
}

/* ---- sending -------------------------------------------------------------------------------- */

static void send_batch(struct db_pg *db)
{
    const struct batch *b = db->committing.batch;
    cleanup_pg_params struct pg_params p = {0};
    pg_add_int8(&p, b->epoch);
    pg_add_int8(&p, b->tx_seq);
    pg_exec(db->batch, QUERY_BATCH_FENCE, &p, answered, db);
    db_pg_put_batch(db->batch, &db->committing.bus, b);
    if (b->messages_count && !db->outbox_elsewhere)
        put_messages(db, b);
    pg_send(db->batch);
    if (failpoint_hit(FAILPOINT_COMMIT_SENT_BEFORE))
        pg_drop(db->batch, "failpoint: before COMMIT");
    pg_sync(db->batch);
    if (failpoint_hit(FAILPOINT_COMMIT_SENT_AFTER))
        pg_drop(db->batch, "failpoint: after COMMIT");
}

static void asked(struct db_pg *db)
{
    struct committing *c = &db->committing;
    if (--c->asked > 0)
        return;
    if (c->err.code) {
        struct err err = c->err;
        end(db, DB_NOT_IN, &err);
    } else {
        send_batch(db);
    }
}

static void outlet_answered(void *arg, struct outlet *outlet, const struct err *err, bool made)
{
    struct db_pg *db = arg;
    (void)outlet;
    (void)made; /* its readers look again before long */
    if (err && !db->committing.err.code)
        db->committing.err = *err;
    asked(db);
}

void db_pg_commit(struct db *base, const struct uuid *bus_id, const struct batch *batch,
                  db_committed *done, void *arg)
{
    struct db_pg *db = db_pg_of(base);
    db->committing =
        (struct committing){.batch = batch, .bus = *bus_id, .asked = 1, .done = done, .arg = arg};
    for (size_t i = 0; !db->outbox_elsewhere && i < batch->messages_count; i++) {
        struct outlet *outlet = outlets_add(&db->outlets, batch->messages[i].topic);
        if (outlet->known || outlet->asked)
            continue;
        db->committing.asked++;
        outlets_ask(&db->outlets, db->batch, outlet, outlet_answered, db);
    }
    asked(db);
}

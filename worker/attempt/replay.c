/* The journal, read at start and written anew when it has grown. */
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/attempt/attempt.h"
#include "worker/attempt/spool.h"
#include "worker/attempt/sweep.h"
#include "worker/worker.h"

/* ---- reading ------------------------------------------------------------------------------------
 */

static void keep_text(struct attempt *a, const struct journal_record *r)
{
    free(a->text);
    a->text = r->len ? mem_bytes(r->text, r->len) : NULL;
    a->len = r->len;
    a->nonce = r->number;
}

static void on_attempt(struct worker *w, const struct journal_record *r)
{
    struct attempt *a = attempt_find(w, &r->id);
    if (!a)
        a = attempt_known(w, &r->id);
    keep_text(a, r);
    if (r->kind == JOURNAL_ORDER)
        a->offset = r->offset;
    else if (a->state != WORK_FINISHED)
        machine_move(&MACHINE_WORK, &a->state, WORK_FINISHED);
}

static void on_over(struct worker *w, const struct journal_record *r)
{
    struct attempt *a = attempt_find(w, &r->id);
    if (a)
        attempt_free(a);
    tombstones_add(&w->over, &r->id, r->offset, r->kind == JOURNAL_REFUSE);
}

static void on_log(struct worker *w, const struct journal_record *r)
{
    struct attempt *a = attempt_find(w, &r->id);
    if (a)
        spool_known(a, r->number, r->offset);
}

static void on_asked(struct worker *w, const struct journal_record *r)
{
    struct attempt *a = attempt_find(w, &r->id);
    if (a)
        attempt_asked_before(a, r);
}

static void on_record(void *arg, const struct journal_record *r)
{
    struct worker *w = arg;
    switch (r->kind) {
    case JOURNAL_WORKER:
        free(w->id);
        w->id = mem_bytes(r->text, r->len);
        break;
    case JOURNAL_BUS:
        w->orders_bus = r->id;
        break;
    case JOURNAL_OFFSET:
        w->orders_next = r->number;
        break;
    case JOURNAL_EPOCH:
        w->epoch = r->number;
        break;
    case JOURNAL_NUMBERS:
        w->numbers = r->number;
        break;
    case JOURNAL_ORDER:
    case JOURNAL_FINISHED:
        on_attempt(w, r);
        break;
    case JOURNAL_OVER:
    case JOURNAL_REFUSE:
        on_over(w, r);
        break;
    case JOURNAL_LOG:
        on_log(w, r);
        break;
    case JOURNAL_ASKED:
        on_asked(w, r);
        break;
    }
}

static int check_name(struct worker *w, struct err *err)
{
    if (w->id && strcmp(w->id, w->config->name) != 0)
        return err_set(err, LEAT_EREFUSED,
                       "%s belongs to worker %s, not to %s: give that name, or another folder",
                       w->config->data, w->id, w->config->name);
    if (w->id)
        return 0;
    w->id = mem_string(w->config->name);
    journal_put(w->journal, &(struct journal_record){
                                .kind = JOURNAL_WORKER, .text = w->id, .len = strlen(w->id)});
    return journal_write(w->journal, err);
}

int replay_journal(struct worker *w, struct err *err)
{
    size_t torn = 0;
    const int rc = journal_open(w->config->data, on_record, w, &torn, &w->journal, err);
    if (rc != 0)
        return rc;
    if (torn > 0)
        log_warn("the journal's end was torn and is cut off", LOG_I("bytes", torn));
    tombstones_prune(&w->over, w->orders_next);
    return check_name(w, err);
}

/* ---- writing anew -------------------------------------------------------------------------------
 */

static void put_stone(void *arg, const struct tombstone *stone)
{
    journal_put(arg, &(struct journal_record){.kind = stone->refuse ? JOURNAL_REFUSE : JOURNAL_OVER,
                                              .id = stone->attempt,
                                              .offset = stone->offset});
}

static void put_attempt(struct journal *j, struct attempt *a)
{
    if (a->state != WORK_FINISHED) {
        attempt_put_order(a);
        spool_put_known(a);
        if (a->asked)
            attempt_put_asked(a, a->asked, a->asked_grace_us, a->asked_reason);
        return;
    }
    journal_put(j, &(struct journal_record){.kind = JOURNAL_FINISHED,
                                            .id = a->id,
                                            .number = a->nonce,
                                            .text = a->text,
                                            .len = a->len});
}

static void put_all(void *arg, struct journal *j)
{
    struct worker *w = arg;
    const struct journal_record heads[] = {
        {.kind = JOURNAL_WORKER, .text = w->id, .len = strlen(w->id)},
        {.kind = JOURNAL_BUS, .id = w->orders_bus},
        {.kind = JOURNAL_OFFSET, .number = w->orders_next},
        {.kind = JOURNAL_EPOCH, .number = w->epoch},
        {.kind = JOURNAL_NUMBERS, .number = w->numbers},
    };
    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        journal_put(j, &heads[i]);
    for (struct attempt *a = w->attempts; a; a = a->hh.next)
        put_attempt(j, a);
    tombstones_each(&w->over, put_stone, j);
}

void replay_rewrite(struct worker *w)
{
    struct err err = {0};
    if (!journal_wants_rewrite(w->journal) || journal_pending(w->journal) > 0)
        return;
    tombstones_prune(&w->over, w->orders_next);
    if (journal_rewrite(w->journal, put_all, w, &err) != 0)
        log_warn("the journal could not be written anew", LOG_ERR(&err));
}

/* ---- after a restart ----------------------------------------------------------------------------
 */

/* Journalled and known to nobody: it never started. The leader hears that from the hello, which
 * does not name it. */
static void give_up(struct attempt *a)
{
    a->workspace = true;
    log_info("an order had not been begun when the worker ended", LOG_S("attempt", a->id_text));
    attempt_over(a);
}

void replay_adopt(struct worker *w)
{
    struct attempt *a, *next;
    int adopted = 0;
    HASH_ITER (hh, w->attempts, a, next) {
        if (a->state == WORK_FINISHED)
            a->workspace = true; /* there may be one: removed when it is acknowledged */
        else if (attempt_adopt(a))
            adopted++;
        else
            give_up(a);
    }
    for (int i = 1; i < WORKER_EXECUTORS; i++)
        if (w->executors[i])
            w->executors[i]->ops->settle(w->executors[i]);
    worker_journal(w);
    sweep_leftovers(w);
    if (adopted > 0)
        log_info("running steps go on", LOG_I("attempts", adopted));
}

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/pg/pg_internal.h"

#define PARAMS_MAX 64

/* ---- sending -------------------------------------------------------------------------------- */

void pg_flush(struct pg *pg)
{
    const int left = PQflush(pg->conn);
    if (left < 0)
        pg_link_fail(pg, PQerrorMessage(pg->conn));
    else
        pg_link_watch(pg, left ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static int send_execute(struct pg *pg, const struct call *call)
{
    const struct pg_params *p = &call->params;
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
    for (size_t i = 0; i < p->count && i < PARAMS_MAX; i++) {
        values[i] = p->list[i].len < 0 ? NULL : p->data.data + p->list[i].at;
        lengths[i] = p->list[i].len;
        formats[i] = 1;
    }
    return PQsendQueryPrepared(pg->conn, QUERIES[call->query].name, (int)p->count, values, lengths,
                               formats, 1);
}

static int send_prepare(struct pg *pg, const struct call *call)
{
    Oid types[PARAMS_MAX];
    for (size_t i = 0; i < call->params.count && i < PARAMS_MAX; i++)
        types[i] = call->params.list[i].oid;
    const struct query *query = &QUERIES[call->query];
    return PQsendPrepare(pg->conn, query->name, query->text, query->nparams, types);
}

/* Hands to libpq what is gathered, and the sync when the group is ended. */
static int send_group(struct pg *pg, struct group *g)
{
    for (; g->sent < g->count; g->sent++) {
        const struct call *call = &g->calls[g->sent];
        const int ok = g->kind == GROUP_PREPARE ? send_prepare(pg, call) : send_execute(pg, call);
        if (!ok)
            return 0;
    }
    if (!g->ended)
        return PQsendFlushRequest(pg->conn);
    g->synced = true;
    return PQpipelineSync(pg->conn);
}

static int send_script(struct pg *pg, struct group *g)
{
    if (!PQexitPipelineMode(pg->conn))
        return 0;
    pg->in_script = true;
    g->sent = 1;
    g->synced = true;
    return PQsendQuery(pg->conn, g->script);
}

void pg_advance(struct pg *pg)
{
    bool any = false;
    while (pg->up && !pg->broken && pg->unsent && !pg->in_script) {
        struct group *g = pg->unsent;
        const bool script = g->kind == GROUP_SCRIPT;
        if (script && pg->first != g)
            break; /* waits for the groups before it */
        if (!(script ? send_script(pg, g) : send_group(pg, g))) {
            pg_link_fail(pg, PQerrorMessage(pg->conn));
            return;
        }
        any = true;
        if (!g->ended)
            break;
        pg->unsent = g->next;
    }
    if (any) {
        pg_link_heard(pg);
        pg_flush(pg);
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

/* An error before the end of the calls is certain: the sync then rolls back. One that comes when
 * all calls were answered may stand before or after the commit; the sync's answer tells. */
static void take_error(struct group *g, const PGresult *result)
{
    if (g->err.code == 0)
        pg_error_of(result, &g->err, g->state);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (g->answered < g->count && severity) {
        g->refused = true;
        g->fatal = strcmp(severity, "ERROR") != 0;
    }
}

static void take_result(struct group *g, PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_FATAL_ERROR:
    case PGRES_BAD_RESPONSE:
        take_error(g, result);
        break;
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        if (g->kind == GROUP_CALLS && g->answered < g->count) {
            g->calls[g->answered].result = result;
            return;
        }
        break;
    default: /* PGRES_PIPELINE_ABORTED: the error before it is what counts */
        break;
    }
    PQclear(result);
}

static void leave_failed_transaction(struct pg *pg)
{
    if (PQtransactionStatus(pg->conn) != PQTRANS_INERROR)
        return;
    struct group *g = mem_alloc(sizeof *g);
    g->kind = GROUP_SCRIPT;
    g->script = mem_string("ROLLBACK");
    g->ended = true;
    g->next = pg->first;
    if (!pg->first)
        pg->last = &g->next;
    pg->first = g;
    pg->unsent = g;
}

static void script_done(struct pg *pg)
{
    struct group *g = pg->first;
    pg->in_script = false;
    if (PQstatus(pg->conn) != CONNECTION_OK || !PQenterPipelineMode(pg->conn))
        return; /* judged when the connection is given up */
    g->refused = g->err.code != 0;
    pg_answer_first(pg);
}

/* One answer from libpq. Returns false when nothing more is expected now. */
static bool read_one(struct pg *pg)
{
    struct group *g = pg->first;
    if (!g || g->sent == 0)
        return false;
    PGresult *result = PQgetResult(pg->conn);
    if (result && PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        if (g->err.code)
            g->refused = true;
        pg_answer_first(pg);
    } else if (result) {
        take_result(g, result);
    } else if (pg->in_script) {
        script_done(pg);
    } else if (g->answered < g->count) {
        g->answered++;
    } else {
        return false;
    }
    return true;
}

static void read_notifies(struct pg *pg, PGconn *conn)
{
    PGnotify *n;
    while (pg->conn == conn && (n = PQnotifies(conn))) {
        if (pg->events.notified)
            pg->events.notified(pg->arg, n->relname, n->extra);
        PQfreemem(n);
    }
}

/* What was read may have ended a transaction, let a script go on, or made room to write. */
static void after_reading(struct pg *pg)
{
    if (!pg->first || pg->first == pg->unsent)
        leave_failed_transaction(pg);
    pg_advance(pg);
    if (!pg->broken)
        pg_flush(pg);
}

void pg_readable(struct pg *pg)
{
    pg_enter(pg);
    PGconn *conn = pg->conn;
    const bool alive = PQconsumeInput(conn);
    pg_link_heard(pg);
    while (pg->conn == conn && !PQisBusy(conn) && read_one(pg))
        ;
    read_notifies(pg, conn);
    if (pg->conn == conn && (!alive || PQstatus(conn) != CONNECTION_OK))
        pg_link_lost(pg, PQerrorMessage(conn));
    if (pg->conn == conn)
        after_reading(pg);
    pg_leave(pg);
}

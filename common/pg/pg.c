#include "common/pg/pg.h"

#include <assert.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/pg/pg_internal.h"

static void group_free(struct group *g)
{
    for (size_t i = 0; i < g->count; i++) {
        pg_params_free(&g->calls[i].params);
        PQclear(g->calls[i].result);
    }
    free(g->calls);
    free(g->script);
    free(g);
}

static struct group *group_new(enum group_kind kind)
{
    struct group *g = mem_alloc(sizeof *g);
    g->kind = kind;
    return g;
}

static void add_call(struct group *g, enum query_id query, struct pg_params *params, pg_done *done,
                     void *arg)
{
    MEM_ROOM(g->calls, g->count, g->cap);
    struct call *call = &g->calls[g->count++];
    *call = (struct call){.query = query, .done = done, .arg = arg};
    if (params) {
        assert(!params->open);
        call->params = *params;
        *params = (struct pg_params){0};
    }
}

/* ---- answers -------------------------------------------------------------------------------- */

void pg_enter(struct pg *pg)
{
    pg->depth++;
}

static void destroy(struct pg *pg)
{
    loop_timer_stop(&pg->refuse);
    free((char *)(uintptr_t)pg->options.conninfo);
    free((char *)(uintptr_t)pg->options.name);
    free(pg);
}

void pg_leave(struct pg *pg)
{
    if (--pg->depth == 0 && pg->closed)
        destroy(pg);
}

static void unlink_first(struct pg *pg)
{
    struct group *g = pg->first;
    pg->first = g->next;
    if (!pg->first)
        pg->last = &pg->first;
    if (pg->unsent == g)
        pg->unsent = g->next;
}

static void call_back(struct pg *pg, struct group *g)
{
    const bool failed = g->err.code != 0;
    for (size_t i = 0; i < g->count; i++) {
        struct call *call = &g->calls[i];
        const struct pg_answer answer = {
            .err = failed ? &g->err : NULL,
            .sqlstate = g->state,
            .rows = failed ? NULL : (const struct pg_rows *)call->result,
        };
        pg->open_calls--;
        if (call->done)
            call->done(call->arg, &answer);
    }
}

void pg_answer_first(struct pg *pg)
{
    struct group *g = pg->first;
    unlink_first(pg);
    if (g->kind != GROUP_PREPARE) {
        pg_enter(pg);
        call_back(pg, g);
        group_free(g);
        pg_leave(pg);
        return;
    }
    const enum query_id query = g->calls[0].query;
    pg->statements[query] = g->err.code ? STATEMENT_UNKNOWN : STATEMENT_READY;
    if (g->err.code && !g->of->err.code) { /* says more than "no such prepared statement" */
        g->of->err = g->err;
        memcpy(g->of->state, g->state, sizeof g->state);
    }
    group_free(g);
}

/* What can be said of a group whose connection is gone. */
static void judge(struct group *g, const struct err *why, bool ended_before)
{
    if (g->refused)
        return;
    g->state[0] = '\0';
    if (g->synced && !ended_before)
        err_set(&g->err, LEAT_EUNKNOWN, "the database may have done it or not: %s", why->text);
    else
        err_set(&g->err, LEAT_EUNREACHABLE, "%s", why->text);
}

void pg_answer_all(struct pg *pg, const struct err *why)
{
    /* Calls made by the callbacks come after what was open now. */
    struct group *end = mem_alloc(sizeof *end);
    end->kind = GROUP_CALLS;
    *pg->last = end;
    pg->last = &end->next;
    pg_enter(pg);
    bool ended = false;
    while (pg->first != end) {
        struct group *g = pg->first;
        if (g->kind != GROUP_PREPARE)
            judge(g, why, ended);
        ended = ended || g->fatal;
        pg_answer_first(pg);
    }
    unlink_first(pg);
    group_free(end);
    pg->unsent = pg->first;
    pg_leave(pg);
}

/* ---- calls ---------------------------------------------------------------------------------- */

void pg_group_push(struct pg *pg, struct group *g)
{
    g->queued = true;
    *pg->last = g;
    pg->last = &g->next;
    if (!pg->unsent)
        pg->unsent = g;
}

static void refuse_open(void *arg)
{
    struct pg *pg = arg;
    if (pg->up)
        return;
    struct err why = {0};
    err_set(&why, LEAT_EUNREACHABLE, "the database is not connected");
    pg_answer_all(pg, &why);
}

static void prepare_for(struct pg *pg, struct group *g)
{
    for (size_t i = 0; i < g->count; i++) {
        const enum query_id query = g->calls[i].query;
        if (pg->statements[query] != STATEMENT_UNKNOWN)
            continue;
        pg->statements[query] = STATEMENT_SENT;
        struct group *prepare = group_new(GROUP_PREPARE);
        prepare->of = g;
        prepare->ended = true;
        add_call(prepare, query, NULL, NULL, NULL);
        struct pg_params *types = &prepare->calls[0].params;
        for (size_t p = 0; p < g->calls[i].params.count; p++) {
            MEM_ROOM(types->list, types->count, types->cap);
            types->list[types->count++] = g->calls[i].params.list[p];
        }
        pg_group_push(pg, prepare);
    }
}

static void enqueue(struct pg *pg, struct group *g)
{
    if (pg->up) {
        if (g->kind == GROUP_CALLS)
            prepare_for(pg, g);
        pg_group_push(pg, g);
        return;
    }
    pg_group_push(pg, g);
    if (!loop_timer_armed(&pg->refuse))
        loop_timer_start(pg->loop, &pg->refuse, 0, 0, refuse_open, pg);
}

void pg_exec(struct pg *pg, enum query_id query, struct pg_params *params, pg_done *done, void *arg)
{
    assert((int)query >= 0 && query < QUERY_COUNT);
    assert((params ? (int)params->count : 0) == QUERIES[query].nparams);
    if (!pg->gathering)
        pg->gathering = group_new(GROUP_CALLS);
    assert(!pg->gathering->queued);
    add_call(pg->gathering, query, params, done, arg);
    pg->open_calls++;
}

void pg_send(struct pg *pg)
{
    struct group *g = pg->gathering;
    if (!g || g->queued || !pg->up || pg->broken || pg->unsent)
        return; /* something else has to go first: then all of it goes at the sync */
    enqueue(pg, g);
    pg_advance(pg);
}

void pg_sync(struct pg *pg)
{
    struct group *g = TAKE(pg->gathering);
    if (!g)
        return;
    g->ended = true;
    if (!g->queued)
        enqueue(pg, g);
    pg_advance(pg);
}

void pg_call(struct pg *pg, enum query_id query, struct pg_params *params, pg_done *done, void *arg)
{
    pg_exec(pg, query, params, done, arg);
    pg_sync(pg);
}

void pg_script(struct pg *pg, const char *text, pg_done *done, void *arg)
{
    assert(!pg->gathering);
    struct group *g = group_new(GROUP_SCRIPT);
    g->script = mem_string(text);
    g->ended = true;
    add_call(g, 0, NULL, done, arg);
    pg->open_calls++;
    enqueue(pg, g);
    pg_advance(pg);
}

/* ---- the object ----------------------------------------------------------------------------- */

struct pg *pg_open(struct loop *loop, const struct pg_options *options,
                   const struct pg_events *events, void *arg)
{
    struct pg *pg = mem_alloc(sizeof *pg);
    pg->loop = loop;
    pg->options = *options;
    pg->options.conninfo = mem_string(options->conninfo ? options->conninfo : "");
    pg->options.name = mem_string(options->name ? options->name : "leat");
    if (events)
        pg->events = *events;
    pg->arg = arg;
    pg->last = &pg->first;
    pg_link_start(pg);
    return pg;
}

void pg_close(struct pg *pg)
{
    if (!pg || pg->closed)
        return;
    pg->closed = true;
    pg->events = (struct pg_events){0};
    pg_enter(pg);
    pg_link_stop(pg);
    struct err why = {0};
    err_set(&why, LEAT_EUNREACHABLE, "the connection to the database is closed");
    do { /* callbacks may have made calls */
        pg_sync(pg);
        pg_answer_all(pg, &why);
    } while (pg->first || pg->gathering);
    pg_leave(pg);
}

bool pg_is_up(const struct pg *pg)
{
    return pg->up;
}

int pg_backend_pid(const struct pg *pg)
{
    return pg->up ? PQbackendPID(pg->conn) : 0;
}

size_t pg_open_calls(const struct pg *pg)
{
    return pg->open_calls;
}

void pg_drop(struct pg *pg, const char *why)
{
    if (pg->conn)
        pg_link_fail(pg, why);
}

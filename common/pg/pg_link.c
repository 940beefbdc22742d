#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/pg/pg_internal.h"

#define PAUSE_FIRST_US     (50 * US_PER_MS)
#define PAUSE_MOST_US      (2 * US_PER_S)
#define CONNECT_DEFAULT_US (5 * US_PER_S)

static void try_connect(void *arg);
static void on_silence(void *arg);

static void log_notice(void *arg, const PGresult *result)
{
    const struct pg *pg = arg;
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    log_debug("database notice", LOG_S("connection", pg->options.name), LOG_S("text", text));
}

static void add_setting(struct text *t, const char *name, int64_t us)
{
    if (us > 0)
        text_printf(t, " -c %s=%lldms", name, (long long)((us + US_PER_MS - 1) / US_PER_MS));
}

/* Session settings as the server's start-up options. No part of it comes from outside. */
static char *settings_of(const struct pg_options *o)
{
    struct text t = {0};
    text_puts(&t, "-c jit=off");
    add_setting(&t, "idle_in_transaction_session_timeout", o->idle_in_transaction_us);
    add_setting(&t, "lock_timeout", o->lock_timeout_us);
    add_setting(&t, "statement_timeout", o->statement_timeout_us);
    if (o->sync_commit_off)
        text_puts(&t, " -c synchronous_commit=off");
    if (o->generic_plans)
        text_puts(&t, " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off");
    if (o->whole_reads)
        text_puts(&t, " -c enable_nestloop=off -c jit=off");
    return text_take(&t);
}

static PGconn *start_connection(const struct pg *pg)
{
    cleanup_free char *settings = settings_of(&pg->options);
    const char *keys[] = {"dbname", "application_name", "options", "client_encoding", NULL};
    const char *values[] = {pg->options.conninfo, pg->options.name, settings, "UTF8", NULL};
    return PQconnectStartParams(keys, values, 1);
}

/* ---- the watch on the socket ---------------------------------------------------------------- */

static void unwatch(struct pg *pg)
{
    loop_fd_stop(&pg->watch);
    pg->watched_events = 0;
}

static void on_socket(void *arg, int events);

void pg_link_watch(struct pg *pg, int events)
{
    if (pg->broken || pg->watched_events == events)
        return;
    struct err err = {0};
    if (pg->watched_events)
        loop_fd_events(&pg->watch, events);
    else if (loop_fd_start(pg->loop, &pg->watch, PQsocket(pg->conn), events, on_socket, pg, &err) <
             0) {
        pg_link_fail(pg, err.text);
        return;
    }
    pg->watched_events = events;
}

void pg_link_heard(struct pg *pg)
{
    pg->heard_us = clock_monotonic_us();
    const int64_t limit = pg->options.answer_timeout_us;
    if (limit && pg->first && !pg->broken && !loop_timer_armed(&pg->silence))
        loop_timer_start(pg->loop, &pg->silence, limit, 0, on_silence, pg);
}

static void on_silence(void *arg)
{
    struct pg *pg = arg;
    if (pg->broken) {
        pg_link_lost(pg, pg->broken_why.text);
        return;
    }
    if (!pg->first)
        return;
    if (pg->in_script) /* a migration may take its time */
        pg->heard_us = clock_monotonic_us();
    const int64_t left = pg->heard_us + pg->options.answer_timeout_us - clock_monotonic_us();
    if (left > 0)
        loop_timer_start(pg->loop, &pg->silence, left, 0, on_silence, pg);
    else
        pg_link_lost(pg, "the database does not answer");
}

/* ---- connecting ----------------------------------------------------------------------------- */

static void connected(struct pg *pg)
{
    loop_timer_stop(&pg->timer);
    if (PQsetnonblocking(pg->conn, 1) != 0 || !PQenterPipelineMode(pg->conn)) {
        pg_link_lost(pg, PQerrorMessage(pg->conn));
        return;
    }
    struct err why = {0};
    err_set(&why, LEAT_EUNREACHABLE, "the database is not connected");
    pg_enter(pg);
    pg_answer_all(pg, &why); /* calls from before */
    if (!pg->closed) {
        pg->up = true;
        pg->pause_us = 0;
        memset(pg->statements, STATEMENT_UNKNOWN, sizeof pg->statements);
        pg_link_watch(pg, LOOP_READ);
        if (pg->events.up)
            pg->events.up(pg->arg);
    }
    pg_leave(pg);
}

static void poll_connection(struct pg *pg)
{
    unwatch(pg); /* libpq may close the socket and open another */
    switch (PQconnectPoll(pg->conn)) {
    case PGRES_POLLING_OK:
        connected(pg);
        break;
    case PGRES_POLLING_READING:
        pg_link_watch(pg, LOOP_READ);
        break;
    case PGRES_POLLING_WRITING:
        pg_link_watch(pg, LOOP_WRITE);
        break;
    default:
        pg_link_lost(pg, PQerrorMessage(pg->conn));
    }
}

static void on_socket(void *arg, int events)
{
    struct pg *pg = arg;
    (void)events;
    if (pg->up)
        pg_readable(pg);
    else
        poll_connection(pg);
}

static void took_too_long(void *arg)
{
    pg_link_lost(arg, "no connection in time");
}

static void try_connect(void *arg)
{
    struct pg *pg = arg;
    const int64_t limit = pg->options.connect_timeout_us;
    pg->conn = start_connection(pg);
    if (!pg->conn || PQstatus(pg->conn) == CONNECTION_BAD) {
        pg_link_lost(pg, pg->conn ? PQerrorMessage(pg->conn) : "out of memory");
        return;
    }
    PQsetNoticeReceiver(pg->conn, log_notice, pg);
    loop_timer_start(pg->loop, &pg->timer, limit ? limit : CONNECT_DEFAULT_US, 0, took_too_long,
                     pg);
    pg_link_watch(pg, LOOP_WRITE);
}

void pg_link_start(struct pg *pg)
{
    loop_timer_start(pg->loop, &pg->timer, 0, 0, try_connect, pg);
}

/* ---- the end of a connection ---------------------------------------------------------------- */

void pg_link_stop(struct pg *pg)
{
    unwatch(pg);
    loop_timer_stop(&pg->timer);
    loop_timer_stop(&pg->silence);
    PQfinish(pg->conn);
    pg->conn = NULL;
    pg->up = false;
    pg->broken = false;
    pg->in_script = false;
    if (pg->gathering && pg->gathering->queued)
        pg->gathering = NULL; /* it stands in the list of what is open */
}

/* Full pauses would let many clients come back in step; between half and all of it they do not. */
static int64_t next_pause(struct pg *pg)
{
    uint16_t random;
    random_bytes(&random, sizeof random);
    const int64_t pause = pg->pause_us ? pg->pause_us * 2 : PAUSE_FIRST_US;
    pg->pause_us = pause > PAUSE_MOST_US ? PAUSE_MOST_US : pause;
    return pg->pause_us / 2 + pg->pause_us / 2 * random / UINT16_MAX;
}

void pg_link_lost(struct pg *pg, const char *why)
{
    struct err err = {0};
    const size_t line = strcspn(why, "\n"); /* libpq's texts have several */
    err_set(&err, LEAT_EUNREACHABLE, "%.*s", (int)line, line ? why : "connection lost");
    if (line == 0)
        err_set(&err, LEAT_EUNREACHABLE, "the connection to the database is lost");
    pg_enter(pg);
    pg_link_stop(pg);
    pg_answer_all(pg, &err);
    if (!pg->closed)
        loop_timer_start(pg->loop, &pg->timer, next_pause(pg), 0, try_connect, pg);
    if (pg->events.down)
        pg->events.down(pg->arg, &err);
    pg_leave(pg);
}

void pg_link_fail(struct pg *pg, const char *why)
{
    if (pg->broken)
        return;
    pg->broken = true;
    err_set(&pg->broken_why, LEAT_EUNREACHABLE, "%s", why);
    unwatch(pg);
    loop_timer_start(pg->loop, &pg->silence, 0, 0, on_silence, pg);
}

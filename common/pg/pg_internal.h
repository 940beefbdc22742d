/* common/pg/pg_internal.h: shared by pg.c (calls and groups), pg_link.c (the connection) and
 * pg_io.c (what is sent and read). */
#pragma once
#include <libpq-fe.h>

#include "common/base/err.h"
#include "common/base/loop.h"
#include "common/pg/pg.h"

#define PG_STATE_SIZE 6 /* an SQLSTATE and its NUL */

struct call {
    enum query_id query;
    struct pg_params params;
    pg_done *done;
    void *arg;
    PGresult *result;
};

enum group_kind {
    GROUP_CALLS,   /* one transaction */
    GROUP_PREPARE, /* one Parse; `of` is the group that made it necessary */
    GROUP_SCRIPT,  /* text of several statements, outside of pipeline mode */
};

struct group {
    enum group_kind kind;
    struct group *next;
    struct group *of;
    char *script;
    struct call *calls;
    size_t count, cap;
    size_t sent;     /* calls handed to libpq */
    size_t answered; /* calls whose answer is complete */
    bool queued;     /* it stands in the list */
    bool ended;      /* pg_sync was called */
    bool synced;     /* its sync (or script) was handed to libpq: it may be done */
    bool refused;    /* the server refused it while it was under way: it is certainly not done */
    bool fatal;      /* and the server ended the connection by it: nothing after it ran */
    struct err err;
    char state[PG_STATE_SIZE];
};

enum statement { STATEMENT_UNKNOWN, STATEMENT_SENT, STATEMENT_READY };

struct pg {
    struct loop *loop;
    struct pg_options options; /* strings owned */
    struct pg_events events;
    void *arg;

    PGconn *conn; /* NULL between tries */
    bool up;
    struct loop_fd watch;
    int watched_events;        /* 0 = not watched */
    struct loop_timer timer;   /* next try, or the limit of the one under way */
    int64_t pause_us;          /* before the next try */
    struct loop_timer silence; /* the server says nothing; also ends a broken connection */
    bool broken;               /* to be given up from the loop, not from inside a call */
    struct err broken_why;
    int64_t heard_us; /* last byte from the server, or since calls are open */

    struct group *first, **last; /* sent and unsent, in order */
    struct group *unsent;        /* first that is not completely handed to libpq */
    struct group *gathering;     /* takes pg_exec; in the list once pg_send or pg_sync was called */
    size_t open_calls;
    bool in_script;
    struct loop_timer refuse; /* answers what was called while not up */
    uint8_t statements[QUERY_COUNT];

    int depth;   /* > 0: a callback of ours runs below us on the stack */
    bool closed; /* pg_close came from such a callback: free when it returns */
};

/* ---- pg.c ---- */
/* Takes the first group off and calls its callbacks. */
void pg_answer_first(struct pg *pg);
/* Answers every group with what its fate is when the connection is gone. */
void pg_answer_all(struct pg *pg, const struct err *why);
void pg_group_push(struct pg *pg, struct group *group);
void pg_enter(struct pg *pg);
void pg_leave(struct pg *pg); /* may free pg */

/* ---- pg_io.c ---- */
void pg_advance(struct pg *pg); /* sends what may be sent now */
void pg_readable(struct pg *pg);
void pg_flush(struct pg *pg);

/* ---- pg_link.c ---- */
void pg_link_start(struct pg *pg);
void pg_link_stop(struct pg *pg);
/* The connection is useless: answers what is open and tries again later. */
void pg_link_lost(struct pg *pg, const char *why);
/* The same from the loop: for what a caller of pg_exec or pg_sync ran into. */
void pg_link_fail(struct pg *pg, const char *why);
void pg_link_watch(struct pg *pg, int events);
void pg_link_heard(struct pg *pg); /* re-arms the watch on silence */

/* ---- pg_error.c ---- */
/* Fills err from a refused result or, without one, from the connection. */
void pg_error_of(const PGresult *result, struct err *err, char state[PG_STATE_SIZE]);

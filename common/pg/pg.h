/* common/pg/pg.h: one connection to Postgres, asynchronous on the loop (libpq, pipeline mode).
 *
 * Statements come from schema/queries/ only (QUERIES); each is prepared on its connection at first
 * use. Calls are gathered by pg_exec and leave as one group with pg_sync. A group is ONE
 * TRANSACTION: all of it commits at its sync or nothing does (do not put BEGIN or COMMIT into it).
 * Groups are sent without waiting for the ones before, and are answered in order.
 *
 * The callbacks of a group come when its fate is known, in the order of its calls, from the loop,
 * never from inside pg_exec or pg_sync, exactly once, also when the connection breaks or is closed.
 *   err NULL           the transaction of this call is committed
 *   LEAT_EUNREACHABLE  not connected, or the connection broke before the sync was sent: not done
 *   LEAT_EUNKNOWN      the connection broke after the sync was sent: done or not
 *   others             the server refused, nothing of the group is done; sqlstate says why. Each
 *                      call of the group gets the error of the one that failed.
 * A lost connection is made again with growing pauses (50 ms to 2 s); pg_up says when. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/loop.h"
#include "common/pg/params.h"
#include "common/pg/rows.h"
#include "schema/gen/queries.h"

struct pg;

struct pg_options {
    const char *conninfo; /* libpq's: "host=… dbname=…" or postgresql://…; "" = its environment.
                             A host name is resolved by the C library: it may block, an address
                             or a socket folder does not. */
    const char *name;     /* application_name */
    int64_t connect_timeout_us;     /* 0 = 5 s */
    int64_t answer_timeout_us;      /* no byte for so long while calls are open: the connection
                                       counts as lost (a script may take
                                       longer); 0 = waits for ever */
    int64_t idle_in_transaction_us; /* these three: 0 = the server's default */
    int64_t lock_timeout_us;
    int64_t statement_timeout_us;
    bool generic_plans;   /* plans are made once, over indexes: for few, short, hot statements */
    bool whole_reads;     /* for statements that read all of something large: the planner does not
                             see how large, and its nested loops would be quadratic */
    bool sync_commit_off; /* a commit does not wait for the disk: a power cut may lose the last */
};

struct pg_events {         /* each may be NULL */
    void (*up)(void *arg); /* connected; calls made here are the first on this connection */
    void (*down)(void *arg, const struct err *err); /* was up, is lost; or one more try failed */
    void (*notified)(void *arg, const char *channel, const char *payload);
};

struct pg_answer {
    const struct err *err;      /* NULL = committed */
    const char *sqlstate;       /* five characters; "" when the error is not the server's */
    const struct pg_rows *rows; /* NULL when err is set; valid during the callback */
};

typedef void pg_done(void *arg, const struct pg_answer *answer);

/* Begins to connect and keeps trying until pg_close. Copies the options. Never blocks, never
 * fails: what is wrong comes through `down`. */
struct pg *pg_open(struct loop *loop, const struct pg_options *options,
                   const struct pg_events *events, void *arg);
/* Answers what is open (LEAT_EUNREACHABLE or LEAT_EUNKNOWN) before it returns, then frees.
 * Takes NULL. */
void pg_close(struct pg *pg);

bool pg_is_up(const struct pg *pg);
int pg_backend_pid(const struct pg *pg); /* 0 while not up */
size_t pg_open_calls(const struct pg *pg);

/* Adds a call to the group being gathered. Takes the content of `params` (empty afterwards; NULL =
 * no parameters). `done` may be NULL. */
void pg_exec(struct pg *pg, enum query_id query, struct pg_params *params, pg_done *done,
             void *arg);
/* Sends what was gathered and lets the server begin with it, but not yet commit. */
void pg_send(struct pg *pg);
/* Ends the group: sends it with its sync. Nothing gathered: does nothing. */
void pg_sync(struct pg *pg);
/* pg_exec and pg_sync. */
void pg_call(struct pg *pg, enum query_id query, struct pg_params *params, pg_done *done,
             void *arg);

/* Runs a text of several statements (a migration; never one made from values) when all groups
 * before it are answered; groups after it wait. Unlike a group it may hold BEGIN and COMMIT; after
 * an error the transaction is rolled back before anything else runs. Answered without rows. */
void pg_script(struct pg *pg, const char *text, pg_done *done, void *arg);

/* Drops the connection as if the network had: from now on nothing is sent; open calls are answered
 * from the loop, then it connects again. */
void pg_drop(struct pg *pg, const char *why);

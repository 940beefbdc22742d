/* worker/worker.h: one leat-worker: what its parts share. Everything happens on one loop; what
 * blocks (copying, hashing) runs on the loop's threads. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/loop.h"
#include "common/base/uuid.h"
#include "common/bus/bus.h"
#include "common/http/client.h"
#include "common/store/store.h"
#include "schema/gen/messages.h"
#include "worker/attempt/journal.h"
#include "worker/attempt/lease.h"
#include "worker/attempt/tombstones.h"
#include "worker/config.h"
#include "worker/executor/executor.h"
#include "worker/keeper/table.h"
#include "worker/reports.h"

#define WORKER_EXECUTORS  5      /* by enum order_start_executor; [0] unused, others may be NULL */
#define WORKER_ATTEMPTS   12000  /* held at once; a start above it is refused */
#define WORKER_WORKSPACES "work" /* folders of the data folder */
#define WORKER_LOGS       "logs"

struct attempt;

struct worker {
    struct loop *loop;
    const struct worker_config *config;
    struct bus *bus;
    struct store *store;
    struct http_client *http;
    struct journal *journal;
    int lock_fd;
    char *workspaces, *logs, *secrets; /* absolute folders */
    struct uuid incarnation;
    char boot[TABLE_BOOT];
    char *token; /* shown to the API; NULL = none */

    /* From the journal. */
    char *id;
    struct uuid orders_bus; /* that orders_next is an offset of */
    int64_t orders_next, epoch, numbers;
    struct attempt *attempts; /* uthash by id */
    struct tombstones over;

    struct lease lease;
    bool fused; /* the executors know this life's lease */
    struct reports reports;
    struct loop_timer beat, reopen, log_tick;
    struct bus_reader *reader;
    struct executor *executors[WORKER_EXECUTORS];
    int executors_waited; /* that are not ready yet */
    int64_t beat_us;      /* when the last heartbeat left; CLOCK_MONOTONIC */
    size_t running;       /* attempts with a log that may grow */
    bool worked;          /* since memory was last given back */
    bool settled;         /* the first hello has been said */
    bool ending;          /* nothing new is taken in */
    bool ending_asked;    /* what runs was asked to end */
    int64_t ending_until_us;
    struct loop_timer ending_look;
};

/* ---- worker.c ----------------------------------------------------------------------------------
 */
/* Opens journal, store and executors; goes on by itself: adopts, says hello, takes orders. `bus` is
 * the caller's and is closed by the caller, before worker_close. Blocking: at start only. */
int worker_open(struct worker *w, struct loop *loop, const struct worker_config *config,
                struct bus *bus, struct err *err);
/* For tests, with nothing under way: a worker in production just ends, as by kill -9. */
void worker_close(struct worker *w);
/* Writes what was put into the journal; false when that failed (logged, and tried again by whoever
 * needs it). */
bool worker_journal(struct worker *w);

/* ---- hello.c -----------------------------------------------------------------------------------
 */
void hello_say(struct worker *w); /* once: hello, what is finished and unacknowledged, heartbeats */
void hello_beat(struct worker *w);  /* a heartbeat now */
void hello_again(struct worker *w); /* what it can run has changed: that is said, nothing judged */

/* ---- orders.c ----------------------------------------------------------------------------------
 */
void orders_open(struct worker *w); /* after the hello is on the bus */

/* ---- ending.c ----------------------------------------------------------------------------------
 */
/* The worker ends for good, and what it runs with it, as `leat down` wants it: what runs gets TERM,
 * after 2 s KILL, and is reported as lost, which costs none of its attempts. The loop stops when
 * all that is acknowledged and the containers are gone, or after 8 s: what was not done by then the
 * next life does. */
void ending_begin(struct worker *w);

/* ---- replay.c ----------------------------------------------------------------------------------
 */
/* Fills in what the journal of DATA says; makes it when it is new. */
int replay_journal(struct worker *w, struct err *err);
void replay_rewrite(struct worker *w); /* the journal anew, when that pays */
/* Follows what the executors still have, gives up what never started. Once, when all are ready. */
void replay_adopt(struct worker *w);

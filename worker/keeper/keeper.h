/* worker/keeper/keeper.h: the parts of leat-keeper. One thread, one epoll, no timers but one. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>
#include "common/base/err.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "worker/keeper/child.h"
#include "worker/keeper/table.h"
#include "worker/keeper/wire.h"

enum watch_kind { WATCH_LISTENER, WATCH_SIGNALS, WATCH_TIMER, WATCH_CONNECTION, WATCH_OUTPUT };

struct watch {
    enum watch_kind kind;
    int fd; /* -1 = closed */
};

/* An attempt from START to FORGET. */
struct held {
    struct uuid attempt;
    UT_hash_handle by_id, by_pid;
    size_t slot;         /* of its record */
    pid_t pid;           /* 0 once it has ended */
    struct watch output; /* read end of its standard output and error */
    int log_fd;          /* -1 until the first byte, and after the limit */
    char *log_path;
    int64_t log_limit, log_bytes;
    int64_t grace_us, fuse_slack_us;
    int64_t timeout_at_us, kill_at_us; /* CLOCK_BOOTTIME; INT64_MAX = never */
    int64_t started_us;                /* wall */
    uint32_t flags;                    /* enum keeper_flags, as they come to be known */
};

struct keeper {
    int epoll;
    struct watch listener, signals, timer, connection;
    struct text in, out;
    size_t in_taken; /* bytes of `in` that are done with */
    bool wants_write;
    struct table table;
    struct child_setup setup;
    struct held *by_id, *by_pid;
    int64_t lease_end_us; /* CLOCK_BOOTTIME; INT64_MAX = nobody told */
    int64_t timer_us;     /* what the timer is set to; INT64_MAX = nothing */
    int64_t sweep_at_us;  /* next look for processes that got away; INT64_MAX = none */
    bool quitting;        /* QUIT: when nothing is held */
    bool ending;          /* SIGTERM: when nothing runs */
};

/* ---- keeper.c: the loop -----------------------------------------------------------------------
 */
/* Opens DIR's table, buries what an earlier keeper left, listens. */
int keeper_open(struct keeper *k, const char *dir, struct err *err);
void keeper_run(struct keeper *k); /* until QUIT and nothing is held */
void keeper_close(struct keeper *k);
int keeper_watch(struct keeper *k, struct watch *watch, uint32_t events, struct err *err);
void keeper_unwatch(struct keeper *k, struct watch *watch); /* closes its fd */
void keeper_wake_at(struct keeper *k, int64_t boottime_us); /* at the latest */

/* ---- connection.c: the worker's end -----------------------------------------------------------
 */
void connection_accept(struct keeper *k);
void connection_read(struct keeper *k);
bool connection_has_frame(const struct keeper *k); /* a whole one is buffered */
void connection_frames(struct keeper *k, int most);
void connection_flush(struct keeper *k);
void connection_tell_started(struct keeper *k, const struct held *h);
void connection_tell_exited(struct keeper *k, const struct held *h);

/* ---- held.c: attempts -------------------------------------------------------------------------
 */
struct held *held_find(struct keeper *k, const struct uuid *attempt);
struct held *held_by_pid(struct keeper *k, pid_t pid);
void held_adopt(struct keeper *k, size_t slot); /* an exited one of an earlier keeper */
void held_start(struct keeper *k, const struct keeper_start *start);
void held_end(struct keeper *k, struct held *h, uint32_t why, int64_t grace_us);
void held_end_all(struct keeper *k); /* SIGTERM: all are lost */
void held_exits(struct keeper *k);   /* reaps whatever has ended */
void held_forget(struct keeper *k, struct held *h);
void held_deadlines(struct keeper *k, int64_t now_us); /* acts on what is due, wakes for the rest */
struct keeper_record *held_record(const struct keeper *k, const struct held *h);

/* ---- output.c: logs ---------------------------------------------------------------------------
 */
void output_read(struct keeper *k, struct held *h);  /* one read */
void output_close(struct keeper *k, struct held *h); /* takes what the pipe still holds */

/* ---- processes.c: /proc ------------------------------------------------------------------------
 */
/* Kills every process that belongs to a BEGUN record: its session, or whoever carries the
 * attempt's id in LEAT_ATTEMPT_ID. A recycled pid is told by its start time. */
void processes_kill_stale(const struct table *t);
/* Kills processes that left their attempt's group and outlived it; they became the keeper's
 * children when their parents ended. */
void processes_sweep(struct keeper *k);

#include "worker/keeper/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define ENDING_GRACE_US (2 * US_PER_S)   /* TERM to KILL when the keeper itself is ended */
#define SWEEP_US        (50 * US_PER_MS) /* after an exit: time for its orphans to become ours */

struct keeper_record *held_record(const struct keeper *k, const struct held *h)
{
    return table_at(&k->table, h->slot);
}

struct held *held_find(struct keeper *k, const struct uuid *attempt)
{
    struct held *h = NULL;
    HASH_FIND(by_id, k->by_id, attempt->b, sizeof attempt->b, h);
    return h;
}

struct held *held_by_pid(struct keeper *k, pid_t pid)
{
    struct held *h = NULL;
    HASH_FIND(by_pid, k->by_pid, &pid, sizeof pid, h);
    return h;
}

static struct held *held_new(struct keeper *k, const struct uuid *attempt, size_t slot)
{
    struct held *h = mem_alloc(sizeof *h);
    h->attempt = *attempt;
    h->slot = slot;
    h->output = (struct watch){WATCH_OUTPUT, -1};
    h->log_fd = -1;
    h->timeout_at_us = h->kill_at_us = INT64_MAX;
    HASH_ADD(by_id, k->by_id, attempt.b, sizeof h->attempt.b, h);
    return h;
}

void held_adopt(struct keeper *k, size_t slot)
{
    held_new(k, &table_at(&k->table, slot)->attempt, slot);
}

/* ---- the end -----------------------------------------------------------------------------------
 */

/* The record is whole before its state says so, and the worker is told last. */
static void record_exit(struct keeper *k, struct held *h, int exit_code)
{
    struct keeper_record *r = held_record(k, h);
    failpoint_hit(FAILPOINT_KEEPER_EXIT_BEFORE);
    r->exit.exit_code = exit_code;
    r->exit.flags = h->flags;
    r->exit.started_us = h->started_us;
    r->exit.finished_us = clock_wall_us();
    r->exit.log_bytes = h->log_bytes;
    record_move(r, RECORD_EXITED);
    failpoint_hit(FAILPOINT_KEEPER_EXIT_AFTER);
    connection_tell_exited(k, h);
}

static void ended(struct keeper *k, struct held *h, int exit_code)
{
    HASH_DELETE(by_pid, k->by_pid, h);
    h->pid = 0;
    output_close(k, h);
    record_exit(k, h, exit_code);
    if (k->sweep_at_us == INT64_MAX) {
        k->sweep_at_us = clock_boottime_us() + SWEEP_US;
        keeper_wake_at(k, k->sweep_at_us);
    }
}

/* The group is killed while the zombie still holds its number. */
void held_exits(struct keeper *k)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
            return;
        struct held *h = held_by_pid(k, info.si_pid);
        if (h)
            kill(-info.si_pid, SIGKILL);
        waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
        if (h)
            ended(k, h, info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status);
    }
}

void held_forget(struct keeper *k, struct held *h)
{
    table_remove(&k->table, h->slot);
    HASH_DELETE(by_id, k->by_id, h);
    free(h->log_path);
    free(h);
}

/* ---- the beginning -----------------------------------------------------------------------------
 */

static void could_not_start(struct keeper *k, struct held *h, const struct err *err)
{
    struct keeper_record *r = held_record(k, h);
    snprintf(r->exit.reason, sizeof r->exit.reason, "%.*s", KEEPER_REASON - 1, err->text);
    h->flags |= KEEPER_NO_EXEC;
    record_exit(k, h, -1);
}

static int run(struct keeper *k, struct held *h, const struct keeper_start *start, struct err *err)
{
    struct keeper_record *r = held_record(k, h);
    if (failpoint_hit(FAILPOINT_KEEPER_FORK_BEFORE))
        return err_set(err, LEAT_EIO, "failpoint");
    const pid_t pid = child_spawn(&k->setup, start, r, &h->output.fd, r->exit.reason, err);
    if (pid < 0)
        return LEAT_EIO;
    failpoint_hit(FAILPOINT_KEEPER_FORK_AFTER);
    h->pid = pid;
    HASH_ADD(by_pid, k->by_pid, pid, sizeof h->pid, h);
    if (r->exit.reason[0])
        h->flags |= KEEPER_NO_EXEC;
    if (keeper_watch(k, &h->output, EPOLLIN, err) != 0)
        log_warn("a log is read at its end only", LOG_ERR(err));
    return 0;
}

/* Earliest moment at which something is to be done about `h`. */
static int64_t due(const struct keeper *k, const struct held *h)
{
    if (h->kill_at_us != INT64_MAX)
        return h->kill_at_us;
    int64_t at = h->timeout_at_us;
    if (h->fuse_slack_us >= 0 && k->lease_end_us != INT64_MAX &&
        k->lease_end_us + h->fuse_slack_us < at)
        at = k->lease_end_us + h->fuse_slack_us;
    return at;
}

void held_start(struct keeper *k, const struct keeper_start *start)
{
    struct err err = {0};
    const int64_t slot = table_add(&k->table, &start->attempt, &err);
    if (slot < 0) { /* no record, so it is not begun: the worker is told and nothing is kept */
        const struct keeper_exit exit = {.exit_code = -1, .flags = KEEPER_NO_EXEC};
        struct keeper_exit told = exit;
        snprintf(told.reason, sizeof told.reason, "%.*s", KEEPER_REASON - 1, err.text);
        keeper_put_exit(&k->out, &start->attempt, &told);
        return;
    }
    struct held *h = held_new(k, &start->attempt, (size_t)slot);
    h->log_path = mem_string(start->log_path);
    h->log_limit = start->log_limit;
    h->grace_us = start->grace_us;
    h->fuse_slack_us = start->fuse_slack_us;
    h->started_us = clock_wall_us();
    if (run(k, h, start, &err) != 0) {
        could_not_start(k, h, &err);
        return;
    }
    if (start->timeout_us > 0)
        h->timeout_at_us = held_record(k, h)->begun_us + start->timeout_us;
    keeper_wake_at(k, due(k, h));
    if (!(h->flags & KEEPER_NO_EXEC))
        connection_tell_started(k, h);
}

/* ---- being ended -------------------------------------------------------------------------------
 */

void held_end(struct keeper *k, struct held *h, uint32_t why, int64_t grace_us)
{
    if (h->pid == 0)
        return;
    const int64_t kill_at = clock_boottime_us() + (grace_us > 0 ? grace_us : 0);
    if (h->kill_at_us == INT64_MAX) { /* the first reason is the one that is told */
        h->flags |= why;
        kill(-h->pid, grace_us > 0 ? SIGTERM : SIGKILL);
    }
    if (kill_at < h->kill_at_us)
        h->kill_at_us = kill_at;
    keeper_wake_at(k, h->kill_at_us);
}

void held_end_all(struct keeper *k)
{
    struct held *h, *next;
    k->ending = true;
    HASH_ITER (by_pid, k->by_pid, h, next) {
        struct keeper_record *r = held_record(k, h);
        snprintf(r->exit.reason, sizeof r->exit.reason, "its keeper was told to end");
        held_end(k, h, KEEPER_LOST, ENDING_GRACE_US);
    }
}

static void act(struct keeper *k, struct held *h, int64_t now_us)
{
    if (h->kill_at_us <= now_us) {
        kill(-h->pid, SIGKILL);
        h->kill_at_us = INT64_MAX - 1; /* once; its exit follows */
    } else if (h->timeout_at_us <= now_us) {
        held_end(k, h, KEEPER_TIMED_OUT, h->grace_us);
    } else {
        held_end(k, h, KEEPER_FUSED, h->grace_us);
    }
}

void held_deadlines(struct keeper *k, int64_t now_us)
{
    struct held *h, *next;
    HASH_ITER (by_pid, k->by_pid, h, next) {
        if (due(k, h) <= now_us)
            act(k, h, now_us);
        keeper_wake_at(k, due(k, h));
    }
}

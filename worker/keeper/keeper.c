#include "worker/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define FRAMES_A_TURN 16 /* a start takes part of a millisecond: exits and logs come in between */

int keeper_watch(struct keeper *k, struct watch *watch, uint32_t events, struct err *err)
{
    struct epoll_event ev = {.events = events, .data.ptr = watch};
    if (epoll_ctl(k->epoll, EPOLL_CTL_ADD, watch->fd, &ev) != 0)
        return err_errno(err, errno, "epoll");
    return 0;
}

void keeper_unwatch(struct keeper *k, struct watch *watch)
{
    if (watch->fd < 0)
        return;
    epoll_ctl(k->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    close(watch->fd);
    watch->fd = -1;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* What was ignored by whoever started us must not reach the children. Past the C library, which
 * hides two of them. */
static void reset_dispositions(void)
{
    static const struct {
        void *handler;
        unsigned long flags;
        void *restorer;
        uint64_t mask;
    } plain;
    for (int signo = 1; signo < NSIG; signo++)
        syscall(SYS_rt_sigaction, signo, &plain, NULL, sizeof plain.mask);
}

/* Everything is blocked for good; TERM, from whoever takes Leat down, ends all that runs. What the
 * processor raises cannot be blocked anyway. */
static int open_signals(void)
{
    sigset_t all, child;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    reset_dispositions();
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigaddset(&child, SIGTERM);
    return signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void raise_limit(struct rlimit *before)
{
    getrlimit(RLIMIT_NOFILE, before);
    const struct rlimit all = {.rlim_cur = before->rlim_max, .rlim_max = before->rlim_max};
    setrlimit(RLIMIT_NOFILE, &all);
}

static int open_watches(struct keeper *k, const char *dir, struct err *err)
{
    k->signals = (struct watch){WATCH_SIGNALS, open_signals()};
    k->timer =
        (struct watch){WATCH_TIMER, timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC)};
    k->setup.null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (k->signals.fd < 0 || k->timer.fd < 0 || k->setup.null_fd < 0)
        return err_errno(err, errno, "cannot open signals, timer or /dev/null");
    k->listener = (struct watch){WATCH_LISTENER, keeper_listen(dir, err)};
    if (k->listener.fd < 0)
        return LEAT_EIO;
    if (keeper_watch(k, &k->signals, EPOLLIN, err) != 0 ||
        keeper_watch(k, &k->timer, EPOLLIN, err) != 0)
        return LEAT_EIO;
    return keeper_watch(k, &k->listener, EPOLLIN, err);
}

/* What ran under an earlier keeper is dead (PDEATHSIG) or killed now: its status is lost. */
static void bury(struct keeper *k, bool same_boot)
{
    if (same_boot)
        processes_kill_stale(&k->table);
    for (size_t i = 0; i < k->table.capacity; i++) {
        struct keeper_record *r = table_at(&k->table, i);
        const enum record_state state = record_state(r);
        if (state == RECORD_FREE)
            continue;
        if (state != RECORD_EXITED) {
            r->exit = (struct keeper_exit){
                .exit_code = -1, .flags = KEEPER_LOST, .finished_us = clock_wall_us()};
            snprintf(r->exit.reason, sizeof r->exit.reason, "%s",
                     same_boot ? "the keeper that ran it died" : "the machine restarted");
            record_move(r, RECORD_EXITED);
        }
        held_adopt(k, i);
    }
}

int keeper_open(struct keeper *k, const char *dir, struct err *err)
{
    *k = (struct keeper){
        .table.fd = -1,
        .connection = {WATCH_CONNECTION, -1},
        .lease_end_us = INT64_MAX,
        .timer_us = INT64_MAX,
        .sweep_at_us = INT64_MAX,
    };
    bool same_boot = false;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    raise_limit(&k->setup.nofile);
    if (table_open(&k->table, dir, &same_boot, err) != 0)
        return LEAT_EIO;
    bury(k, same_boot);
    k->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (k->epoll < 0)
        return err_errno(err, errno, "epoll");
    return open_watches(k, dir, err);
}

void keeper_close(struct keeper *k)
{
    struct held *h, *next;
    HASH_ITER (by_id, k->by_id, h, next) {
        HASH_DELETE(by_id, k->by_id, h);
        if (h->pid)
            HASH_DELETE(by_pid, k->by_pid, h);
        free(h->log_path);
        free(h);
    }
    table_close(&k->table);
    text_free(&k->in);
    text_free(&k->out);
}

/* ---- time -------------------------------------------------------------------------------------
 */

static void set_timer(struct keeper *k, int64_t at_us)
{
    struct itimerspec spec = {0};
    if (at_us != INT64_MAX) {
        at_us = at_us > 0 ? at_us : 1; /* zero would disarm it */
        spec.it_value.tv_sec = at_us / US_PER_S;
        spec.it_value.tv_nsec = at_us % US_PER_S * 1000;
    }
    timerfd_settime(k->timer.fd, TFD_TIMER_ABSTIME, &spec, NULL);
    k->timer_us = at_us;
}

void keeper_wake_at(struct keeper *k, int64_t boottime_us)
{
    if (boottime_us < k->timer_us)
        set_timer(k, boottime_us);
}

static void timer_fired(struct keeper *k)
{
    uint64_t times;
    if (read(k->timer.fd, &times, sizeof times) < 0)
        return;
    k->timer_us = INT64_MAX;
    const int64_t now = clock_boottime_us();
    if (now >= k->sweep_at_us) {
        k->sweep_at_us = INT64_MAX;
        processes_sweep(k);
    }
    keeper_wake_at(k, k->sweep_at_us);
    held_deadlines(k, now);
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

static void signalled(struct keeper *k)
{
    struct signalfd_siginfo info;
    while (read(k->signals.fd, &info, sizeof info) == sizeof info)
        if (info.ssi_signo == SIGTERM)
            held_end_all(k);
    held_exits(k);
}

static void dispatch(struct keeper *k, struct watch *watch)
{
    if (watch->fd < 0)
        return; /* closed by an event of the same turn */
    switch (watch->kind) {
    case WATCH_LISTENER:
        connection_accept(k);
        break;
    case WATCH_SIGNALS:
        signalled(k);
        break;
    case WATCH_TIMER:
        timer_fired(k);
        break;
    case WATCH_CONNECTION:
        connection_read(k);
        break;
    case WATCH_OUTPUT:
        output_read(k, (struct held *)((char *)watch - offsetof(struct held, output)));
        break;
    }
}

void keeper_run(struct keeper *k)
{
    struct epoll_event events[64];
    while (!(k->quitting && !k->by_id) && !(k->ending && !k->by_pid)) {
        const int n =
            epoll_wait(k->epoll, events, ARRAY_LEN(events), connection_has_frame(k) ? 0 : -1);
        for (int i = 0; i < n; i++)
            dispatch(k, events[i].data.ptr);
        connection_frames(k, FRAMES_A_TURN);
        connection_flush(k);
    }
    processes_sweep(k);
}

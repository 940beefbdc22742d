/* common/base/loop.h: the one event loop of a process, a thin layer over libuv.
 * Everything here is called on the loop's thread, except where it says otherwise. An idle loop
 * sleeps; nothing in it polls.
 * Handles (loop_timer, loop_fd, loop_child) are embedded in their owner, zero-initialised, and
 * stopped before the owner is freed. Stopping is immediate: no callback comes after it and the
 * owner's memory may be freed at once (what libuv still has to close is kept behind the handle). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "common/base/err.h"

struct loop;
struct uv_loop_s;

typedef void loop_fn(void *arg);

struct loop *loop_new(void);
/* Stops every handle that is left and frees the loop. Owners must not use them afterwards.
 * Jobs of loop_work that run are waited for, their done callbacks are called. NULL is allowed. */
void loop_free(struct loop *loop);
/* Runs callbacks until loop_stop. May be called again afterwards. */
void loop_run(struct loop *loop);
/* loop_run returns after the present callback. Also before loop_run: then it returns at once. */
void loop_stop(struct loop *loop);
/* One iteration: with `wait` sleeps until something happens. For tests and blocking callers. */
void loop_step(struct loop *loop, bool wait);

/* fn(arg) at the end of this iteration, in the order of the calls: work that arrived in one
 * iteration is handled in one batch. What fn defers runs one iteration later (no sleep between). */
void loop_defer(struct loop *loop, loop_fn *fn, void *arg);

/* ---- timers: microseconds on CLOCK_MONOTONIC, never early ---------------------------------- */
struct loop_timer {
    struct loop *loop; /* NULL while not armed */
    loop_fn *fn;
    void *arg;
    int64_t due_us;   /* clock_monotonic_us() at which it fires */
    int64_t every_us; /* 0 = one shot */
    size_t slot;      /* place in the loop's heap */
};

/* Arms (again, when it is armed) to fire after `after_us` (below 0 counts as 0), then every
 * `every_us` where that is not 0. A repeating timer that fell behind skips the missed beats.
 * Arming costs no system call when the loop already wakes earlier. */
void loop_timer_start(struct loop *loop, struct loop_timer *timer, int64_t after_us,
                      int64_t every_us, loop_fn *fn, void *arg);
void loop_timer_stop(struct loop_timer *timer); /* also when it is not armed */
bool loop_timer_armed(const struct loop_timer *timer);

/* ---- file descriptors: sockets, pipes, eventfds (not regular files) ------------------------- */
enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HANGUP = 4 };

/* `events`: which of the asked ones are true. An error on the fd shows as all that was asked. */
typedef void loop_fd_fn(void *arg, int events);

struct loop_fd {
    struct fd_watch *watch; /* NULL while stopped */
};

/* Level-triggered. The fd stays the caller's, who stops the watch before closing it. One watch
 * for each fd. LEAT_EIO when the fd cannot be watched. */
int loop_fd_start(struct loop *loop, struct loop_fd *watch, int fd, int events, loop_fd_fn *fn,
                  void *arg, struct err *err);
void loop_fd_events(struct loop_fd *watch, int events); /* change what is asked; 0 = pause */
void loop_fd_stop(struct loop_fd *watch);               /* also when it is stopped */

/* ---- signals -------------------------------------------------------------------------------- */
/* SIGTERM and SIGINT stop the loop; SIGPIPE is ignored. Once, in main. */
void loop_stop_on_signals(struct loop *loop);
/* fn(arg) on the loop at each delivery (SIGHUP, SIGUSR1, …); stays until loop_free. */
void loop_on_signal(struct loop *loop, int signo, loop_fn *fn, void *arg);

/* ---- processes ------------------------------------------------------------------------------ */
/* `status` as from waitpid (WIFEXITED…); -1 when the process was no child of ours, so that only
 * its end is known. */
typedef void loop_child_fn(void *arg, pid_t pid, int status);

struct loop_child {
    struct loop_fd watch;
    pid_t pid;
    int pidfd;
    loop_child_fn *fn;
    void *arg;
};

/* Calls fn once when the process has ended, and reaps it where it is a child of ours (nobody
 * else may wait for it, and SIGCHLD must not be ignored). Works for any process that this one may
 * see. LEAT_ENOTFOUND when there is no such process. */
int loop_child_start(struct loop *loop, struct loop_child *child, pid_t pid, loop_child_fn *fn,
                     void *arg, struct err *err);
void loop_child_stop(struct loop_child *child); /* forget it: not killed, not reaped */

/* ---- blocking work -------------------------------------------------------------------------- */
/* work(arg) on a thread of the pool (4, or UV_THREADPOOL_SIZE), then done(arg) on the loop.
 * `arg` belongs to the job until done. Hashing, copying, fsync: what would hold up the loop. */
void loop_work(struct loop *loop, loop_fn *work, loop_fn *done, void *arg);

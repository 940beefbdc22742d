/* File descriptors and processes of the loop. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/loop_internal.h"
#include "common/base/mem.h"

/* Lives until libuv has closed it; the user's handle lets go of it at once. */
struct fd_watch {
    uv_poll_t uv; /* first: freed through it */
    loop_fd_fn *fn;
    void *arg;
    int asked;
};

static void on_poll(uv_poll_t *uv, int status, int events);

static int listen_for(struct fd_watch *watch, int events)
{
    watch->asked = events;
    if (events == 0)
        return uv_poll_stop(&watch->uv);
    const int flags = (events & LOOP_READ ? UV_READABLE : 0) |
                      (events & LOOP_WRITE ? UV_WRITABLE : 0) |
                      (events & LOOP_HANGUP ? UV_DISCONNECT : 0);
    return uv_poll_start(&watch->uv, flags, on_poll);
}

/* libuv stops a watch whose fd has an error. It goes on here: what the peer said last may have to
 * be read first, and whoever is told of that alone would wait for the error for ever. */
static void on_poll(uv_poll_t *uv, int status, int events)
{
    struct fd_watch *watch = (struct fd_watch *)uv;
    int seen = 0;
    if (status < 0) {
        seen = watch->asked;
        loop_must(listen_for(watch, watch->asked));
    }
    if (events & UV_READABLE)
        seen |= LOOP_READ;
    if (events & UV_WRITABLE)
        seen |= LOOP_WRITE;
    if (events & UV_DISCONNECT)
        seen |= LOOP_HANGUP;
    watch->fn(watch->arg, seen);
}

int loop_fd_start(struct loop *loop, struct loop_fd *handle, int fd, int events, loop_fd_fn *fn,
                  void *arg, struct err *err)
{
    loop_fd_stop(handle);
    struct fd_watch *watch = mem_alloc(sizeof *watch);
    watch->fn = fn;
    watch->arg = arg;
    const int rc = uv_poll_init(&loop->uv, &watch->uv, fd);
    if (rc != 0) {
        free(watch);
        return err_set(err, LEAT_EIO, "cannot watch file descriptor %d: %s", fd, uv_strerror(rc));
    }
    watch->uv.data = &watch->uv;
    loop_must(listen_for(watch, events));
    handle->watch = watch;
    return 0;
}

void loop_fd_events(struct loop_fd *handle, int events)
{
    if (handle->watch && handle->watch->asked != events)
        loop_must(listen_for(handle->watch, events));
}

void loop_fd_stop(struct loop_fd *handle)
{
    if (!handle->watch)
        return;
    uv_close((uv_handle_t *)&handle->watch->uv, loop_free_handle);
    handle->watch = NULL;
}

/* ---- processes ------------------------------------------------------------------------------ */

static void on_exit_seen(void *arg, int events)
{
    (void)events;
    struct loop_child *child = arg;
    int status = -1;
    const pid_t reaped = waitpid(child->pid, &status, WNOHANG);
    if (reaped == 0)
        return; /* a thread other than the first has ended by exec: not the end yet */
    if (reaped < 0)
        status = -1;
    loop_child_stop(child);
    child->fn(child->arg, child->pid, status); /* may free child */
}

int loop_child_start(struct loop *loop, struct loop_child *child, pid_t pid, loop_child_fn *fn,
                     void *arg, struct err *err)
{
    const int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return err_set(err, errno == ESRCH ? LEAT_ENOTFOUND : LEAT_EIO, "process %d: %s", (int)pid,
                       strerror(errno));
    *child = (struct loop_child){.pid = pid, .pidfd = pidfd, .fn = fn, .arg = arg};
    const int rc = loop_fd_start(loop, &child->watch, pidfd, LOOP_READ, on_exit_seen, child, err);
    if (rc != 0)
        close(pidfd);
    return rc;
}

void loop_child_stop(struct loop_child *child)
{
    if (!child->watch.watch)
        return;
    loop_fd_stop(&child->watch);
    close(child->pidfd);
}

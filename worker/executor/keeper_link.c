#include "worker/executor/keeper_link.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define READ_BYTES (128 * 1024)
#define RETRY_US   (200 * US_PER_MS)

struct keeper_link {
    struct loop *loop;
    char *dir, *program;
    const struct keeper_link_events *events;
    void *arg;
    int fd; /* -1 = down */
    struct loop_fd watch;
    struct loop_timer retry;
    struct loop_child starting;
    struct text in, out;
    bool flush_deferred;
    bool closed; /* freed by the flush that is still to come */
};

static void connect_or_start(void *arg);

static void try_again(struct keeper_link *link, int64_t after_us)
{
    loop_timer_start(link->loop, &link->retry, after_us, 0, connect_or_start, link);
}

static void hang_up(struct keeper_link *link)
{
    loop_fd_stop(&link->watch);
    close(link->fd);
    link->fd = -1;
    text_free(&link->in);
    text_free(&link->out);
}

static void lose(struct keeper_link *link, const char *why)
{
    log_warn("the keeper is gone", LOG_S("reason", why));
    hang_up(link);
    try_again(link, 0);
    link->events->down(link->arg);
}

/* ---- frames -----------------------------------------------------------------------------------
 */

/* Hands on every whole frame; false when the stream is broken. */
static bool hand_on(struct keeper_link *link)
{
    size_t taken = 0;
    while (link->fd >= 0) {
        struct keeper_frame frame;
        struct err err = {0};
        const int64_t n = keeper_get(link->in.data + taken, link->in.len - taken, &frame, &err);
        if (n < 0)
            return false;
        if (n == 0)
            break;
        taken += (size_t)n;
        link->events->frame(link->arg, &frame);
        keeper_start_clear(&frame.start);
    }
    memmove(link->in.data, link->in.data + taken, link->in.len - taken);
    link->in.len -= taken;
    return true;
}

static void send_out(struct keeper_link *link)
{
    size_t sent = 0;
    while (link->fd >= 0 && sent < link->out.len) {
        const ssize_t n = send(link->fd, link->out.data + sent, link->out.len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break; /* full, or gone: then the next read says so */
        sent += (size_t)n;
    }
    if (sent > 0) {
        memmove(link->out.data, link->out.data + sent, link->out.len - sent);
        link->out.len -= sent;
    }
    if (link->fd >= 0)
        loop_fd_events(&link->watch, LOOP_READ | (link->out.len > 0 ? LOOP_WRITE : 0));
}

static void on_socket(void *arg, int events)
{
    struct keeper_link *link = arg;
    static char buf[READ_BYTES];
    if (events & LOOP_WRITE)
        send_out(link);
    if (link->fd < 0 || !(events & LOOP_READ))
        return;
    const ssize_t n = read(link->fd, buf, sizeof buf);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        lose(link, n == 0 ? "it hung up" : strerror(errno));
        return;
    }
    text_append(&link->in, buf, (size_t)n);
    if (!hand_on(link))
        lose(link, "it said something else");
}

static void flush(void *arg)
{
    struct keeper_link *link = arg;
    link->flush_deferred = false;
    if (link->closed)
        free(link);
    else
        send_out(link);
}

void keeper_link_flush(struct keeper_link *link)
{
    if (link->fd >= 0)
        send_out(link);
}

bool keeper_link_up(const struct keeper_link *link)
{
    return link->fd >= 0;
}

struct text *keeper_link_out(struct keeper_link *link)
{
    if (link->fd < 0)
        return NULL;
    if (!link->flush_deferred) {
        link->flush_deferred = true;
        loop_defer(link->loop, flush, link);
    }
    return &link->out;
}

/* ---- starting a keeper -------------------------------------------------------------------------
 */

static void on_started(void *arg, pid_t pid, int status)
{
    (void)pid;
    struct keeper_link *link = arg;
    const bool listens = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!listens)
        log_warn("the keeper did not start", LOG_S("program", link->program),
                 LOG_I("status", WIFEXITED(status) ? WEXITSTATUS(status) : -1));
    try_again(link, listens ? 0 : RETRY_US);
}

/* Its environment is not ours: whoever may look at the keeper sees no setting of the worker. */
static char **keeper_environment(void)
{
    static const char *const kept[] = {"LEAT_FAILPOINT", "LEAT_FAILPOINT_LOG", "ASAN_OPTIONS",
                                       "UBSAN_OPTIONS"};
    char **env = mem_array(ARRAY_LEN(kept) + 1, sizeof *env);
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const char *value = getenv(kept[i]);
        if (value)
            env[n++] = mem_printf("%s=%s", kept[i], value);
    }
    return env;
}

static void start_keeper(struct keeper_link *link)
{
    char *argv[] = {link->program, link->dir, NULL};
    char **env = keeper_environment();
    pid_t pid = 0;
    const int rc = posix_spawn(&pid, link->program, NULL, NULL, argv, env);
    for (char **e = env; *e; e++)
        free(*e);
    free(env);
    struct err err = {0};
    if (rc != 0)
        log_error("cannot start the keeper", LOG_S("program", link->program),
                  LOG_S("error", strerror(rc)));
    else if (loop_child_start(link->loop, &link->starting, pid, on_started, link, &err) == 0)
        return;
    try_again(link, 5 * RETRY_US);
}

static void connect_or_start(void *arg)
{
    struct keeper_link *link = arg;
    struct err err = {0};
    link->fd = keeper_connect(link->dir, &err);
    if (link->fd < 0) {
        if (err.code != LEAT_EUNREACHABLE)
            log_error("cannot reach the keeper", LOG_ERR(&err));
        start_keeper(link);
        return;
    }
    if (loop_fd_start(link->loop, &link->watch, link->fd, LOOP_READ, on_socket, link, &err) == 0)
        return;
    log_error("cannot follow the keeper", LOG_ERR(&err));
    close(link->fd);
    link->fd = -1;
    try_again(link, RETRY_US);
}

struct keeper_link *keeper_link_open(struct loop *loop, const char *dir, const char *program,
                                     const struct keeper_link_events *events, void *arg)
{
    struct keeper_link *link = mem_alloc(sizeof *link);
    *link = (struct keeper_link){
        .loop = loop,
        .dir = mem_string(dir),
        .program = mem_string(program),
        .events = events,
        .arg = arg,
        .fd = -1,
    };
    try_again(link, 0);
    return link;
}

void keeper_link_close(struct keeper_link *link)
{
    if (!link)
        return;
    loop_timer_stop(&link->retry);
    loop_child_stop(&link->starting);
    if (link->fd >= 0) {
        send_out(link);
        hang_up(link);
    }
    free(link->dir);
    free(link->program);
    link->closed = true;
    if (!link->flush_deferred)
        free(link);
}

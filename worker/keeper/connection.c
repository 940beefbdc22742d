#include "worker/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"

#define READ_BYTES (256 * 1024)
#define IN_MOST    (2 * KEEPER_FRAME_MAX) /* beyond it the worker waits */

static void hang_up(struct keeper *k)
{
    keeper_unwatch(k, &k->connection);
    text_free(&k->in);
    text_free(&k->out);
    k->in_taken = 0;
    k->wants_write = false;
}

/* ---- what the worker says ----------------------------------------------------------------------
 */

static void tell(struct keeper *k, const struct held *h)
{
    if (h->pid)
        connection_tell_started(k, h);
    else
        connection_tell_exited(k, h);
}

static void on_start(struct keeper *k, struct keeper_frame *frame)
{
    struct held *known = held_find(k, &frame->start.attempt);
    if (k->lease_end_us == INT64_MAX || frame->start.lease_end_us > k->lease_end_us)
        k->lease_end_us = frame->start.lease_end_us;
    if (known)
        tell(k, known);
    else
        held_start(k, &frame->start);
    keeper_start_clear(&frame->start);
}

static void on_stop(struct keeper *k, struct keeper_frame *frame)
{
    struct held *h = held_find(k, &frame->attempt);
    if (h)
        held_end(k, h, KEEPER_STOPPED, frame->number);
}

static void on_lease(struct keeper *k, struct keeper_frame *frame)
{
    k->lease_end_us = frame->number;
}

static void on_forget(struct keeper *k, struct keeper_frame *frame)
{
    struct held *h = held_find(k, &frame->attempt);
    if (h && h->pid == 0)
        held_forget(k, h);
}

static void on_quit(struct keeper *k, struct keeper_frame *frame)
{
    (void)frame;
    k->quitting = true;
}

static void obey(struct keeper *k, struct keeper_frame *frame)
{
    static void (*const orders[])(struct keeper *, struct keeper_frame *) = {
        [KEEPER_START] = on_start,   [KEEPER_STOP] = on_stop, [KEEPER_LEASE] = on_lease,
        [KEEPER_FORGET] = on_forget, [KEEPER_QUIT] = on_quit,
    };
    if (frame->kind < ARRAY_LEN(orders) && orders[frame->kind])
        orders[frame->kind](k, frame);
}

bool connection_has_frame(const struct keeper *k)
{
    uint32_t body;
    const size_t left = k->in.len - k->in_taken;
    if (left < sizeof body)
        return false;
    memcpy(&body, k->in.data + k->in_taken, sizeof body);
    return left - sizeof body >= body;
}

/* Moves what is left to the front once that is little. */
static void compact(struct keeper *k)
{
    const size_t left = k->in.len - k->in_taken;
    if (k->in_taken == 0 || left > k->in_taken)
        return;
    memmove(k->in.data, k->in.data + k->in_taken, left);
    k->in.len = left;
    k->in_taken = 0;
}

void connection_frames(struct keeper *k, int most)
{
    while (most-- > 0 && k->connection.fd >= 0 && connection_has_frame(k)) {
        struct keeper_frame frame;
        struct err err = {0};
        const int64_t took =
            keeper_get(k->in.data + k->in_taken, k->in.len - k->in_taken, &frame, &err);
        if (took <= 0) {
            log_error("the worker said something else", LOG_ERR(&err));
            hang_up(k);
            return;
        }
        obey(k, &frame);
        k->in_taken += (size_t)took;
    }
    if (k->connection.fd >= 0)
        compact(k);
}

/* ---- the socket --------------------------------------------------------------------------------
 */

/* Room of READ_BYTES at the end of `in`, grown as text does. */
static char *room(struct text *in)
{
    if (in->cap - in->len < READ_BYTES + 1) {
        in->cap = in->cap * 2 > in->len + READ_BYTES + 1 ? in->cap * 2 : in->len + READ_BYTES + 1;
        in->data = mem_grow(in->data, in->cap, 1);
    }
    return in->data + in->len;
}

/* One read; false when there was nothing more or the worker has gone. */
static bool read_some(struct keeper *k)
{
    const ssize_t n = read(k->connection.fd, room(&k->in), READ_BYTES);
    if (n > 0) {
        k->in.len += (size_t)n;
        return true;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        connection_frames(k, INT_MAX); /* what a dying worker still said is heard */
        hang_up(k);
    }
    return false;
}

void connection_read(struct keeper *k)
{
    connection_flush(k); /* it may be that it can be written again */
    if (k->connection.fd >= 0 && k->in.len - k->in_taken < IN_MOST)
        read_some(k);
    else if (k->connection.fd >= 0)
        connection_frames(k, 1);
}

static void welcome(struct keeper *k)
{
    keeper_put(&k->out, KEEPER_WELCOME, NULL, KEEPER_VERSION, getpid());
    struct held *h, *next;
    HASH_ITER (by_id, k->by_id, h, next)
        tell(k, h);
    keeper_put(&k->out, KEEPER_LISTED, NULL, 0, 0);
}

void connection_accept(struct keeper *k)
{
    const int fd = accept4(k->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    /* The former worker is dead: what it said is done first, so that the list is true. */
    while (k->connection.fd >= 0 && read_some(k))
        connection_frames(k, INT_MAX);
    hang_up(k);
    k->quitting = false; /* the former worker said that, and this one wants a keeper */
    k->connection.fd = fd;
    struct err err = {0};
    if (keeper_watch(k, &k->connection, EPOLLIN, &err) != 0) {
        log_error("cannot serve the worker", LOG_ERR(&err));
        close(fd);
        k->connection.fd = -1;
        return;
    }
    welcome(k);
}

void connection_flush(struct keeper *k)
{
    size_t sent = 0;
    while (k->connection.fd >= 0 && sent < k->out.len) {
        const ssize_t n =
            send(k->connection.fd, k->out.data + sent, k->out.len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break; /* full, or gone: then the next read says so */
        sent += (size_t)n;
    }
    if (k->connection.fd < 0)
        return;
    if (sent > 0) {
        memmove(k->out.data, k->out.data + sent, k->out.len - sent);
        k->out.len -= sent;
    }
    const bool waits = k->out.len > 0;
    if (waits == k->wants_write)
        return;
    struct epoll_event ev = {.events = EPOLLIN | (waits ? EPOLLOUT : 0),
                             .data.ptr = &k->connection};
    epoll_ctl(k->epoll, EPOLL_CTL_MOD, k->connection.fd, &ev);
    k->wants_write = waits;
}

void connection_tell_started(struct keeper *k, const struct held *h)
{
    if (k->connection.fd >= 0)
        keeper_put(&k->out, KEEPER_STARTED, &h->attempt, h->started_us, h->pid);
}

void connection_tell_exited(struct keeper *k, const struct held *h)
{
    if (k->connection.fd >= 0)
        keeper_put_exit(&k->out, &h->attempt, &held_record(k, h)->exit);
}

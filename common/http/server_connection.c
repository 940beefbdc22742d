/* Connections: how many, and which of their clients are too slow. */
#include <stdlib.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/http/server_internal.h"

#define DRAIN_US (5 * US_PER_S) /* after an early answer, so that it is not lost to a reset */

/* Clients that are too slow. What is shut down here is closed by MHD, which tells on_completed. */
static void check_connection(struct http_server *server, struct http_connection *connection,
                             int64_t now)
{
    const struct http_options *o = &server->options;
    struct http_request *req = connection->req;
    bool late = false;
    if (!req)
        late = now - connection->idle_since_us > o->idle_us + o->header_us;
    else if (req->state == REQUEST_HEADER)
        late = now - req->received_us > o->header_us;
    else if (req->state == REQUEST_BODY && !req->paused)
        late = now - req->progress_us > o->body_us;
    else if (req->state == REQUEST_DISCARD)
        late = now - req->progress_us > DRAIN_US;
    if (!late || connection->shut)
        return;
    connection->shut = true;
    if (req && req->state == REQUEST_BODY) {
        static const char text[] = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
                                   "Connection: close\r\n\r\n";
        (void)!send(connection->fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (req && req->state == REQUEST_DISCARD && !req->raw_sent)
        answer_send_raw(req);
    shutdown(connection->fd, SHUT_RDWR);
}

static void sweep(void *arg)
{
    struct http_server *server = arg;
    const int64_t now = clock_monotonic_us();
    for (struct http_connection *c = server->connections; c; c = c->next)
        check_connection(server, c, now);
}

static int64_t sweep_period(const struct http_options *o)
{
    int64_t least = o->header_us < o->body_us ? o->header_us : o->body_us;
    least = o->idle_us < least ? o->idle_us : least;
    least /= 4;
    return least < 20 * US_PER_MS ? 20 * US_PER_MS : least;
}

static void connection_opened(struct http_server *server, struct MHD_Connection *mhd,
                              void **context)
{
    struct http_connection *c = mem_alloc(sizeof *c);
    c->mhd = mhd;
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    c->idle_since_us = clock_monotonic_us();
    c->next = server->connections;
    if (c->next)
        c->next->prev = c;
    server->connections = c;
    c->over_limit = ++server->count > server->options.max_connections;
    server_count_connections(1);
    if (server->count == 1) {
        const int64_t period = sweep_period(&server->options);
        loop_timer_start(server->loop, &server->sweep, period, period, sweep, server);
    }
    *context = c;
}

static void connection_closed(struct http_server *server, struct http_connection *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        server->connections = c->next;
    if (c->next)
        c->next->prev = c->prev;
    server_count_connections(-1);
    if (--server->count == 0)
        loop_timer_stop(&server->sweep);
    free(c);
}

void server_on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        connection_opened(cls, mhd, context);
    else
        connection_closed(cls, *context);
}

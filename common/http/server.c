#include "common/http/server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/http/server_internal.h"

#define POOL_BYTES    (80 * 1024) /* of a connection: header, read buffer, header of the answer */
#define BACKLOG       1024
#define SPARE         64           /* connections above the limit that are told so */
#define DRAIN_QUIETLY (256 * 1024) /* of a refused body: read it, then answer and keep alive */
#define DRAIN_MAX     (64 * 1024 * 1024)
#define RUNS_IN_A_ROW 8

/* ---- a request, as MHD reports it ----------------------------------------------------------- */

static struct http_connection *connection_of(struct MHD_Connection *mhd)
{
    return *(struct http_connection *const *)&MHD_get_connection_info(
                mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
                ->socket_context;
}

/* The first line is there. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct http_connection *connection = connection_of(mhd);
    connection->req = request_new(cls, connection, uri);
    return connection->req;
}

static void refuse(struct http_request *req, int status, const struct err *err)
{
    req->entered = true;
    http_problem(req, status, err);
    req->entered = false;
}

static int64_t announced_length(struct MHD_Connection *mhd)
{
    long long length = 0;
    if (MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Transfer-Encoding"))
        return -1;
    const char *text = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Content-Length");
    return text && text_to_int(text, 0, INT64_MAX, &length) ? length : 0;
}

static int check_limits(const struct http_request *req, int *status, struct err *err)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->connection->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (req->connection->over_limit) {
        *status = 503;
        return err_set(err, LEAT_EFULL, "too many connections, at most %lld",
                       (long long)req->server->options.max_connections);
    }
    if (info && info->header_size > HTTP_HEADER_MAX) {
        *status = 431;
        return err_set(err, LEAT_ELIMIT, "the header is over %d bytes", HTTP_HEADER_MAX);
    }
    return 0;
}

static int too_large(const struct http_request *req, struct err *err)
{
    return err_set(err, LEAT_ELIMIT, "the body is over %lld bytes",
                   (long long)req->route->max_body);
}

static void enter(struct http_request *req, http_handler *handler)
{
    req->entered = true;
    handler(req, req->server->arg);
    req->entered = false;
}

static void begin_body(struct http_request *req)
{
    req->state = REQUEST_BODY;
    if (req->route->upload)
        enter(req, req->route->upload->begin);
    else if (req->announced > 0 && req->announced <= DRAIN_QUIETLY)
        req->body =
            (struct text){mem_alloc((size_t)req->announced + 1), 0, (size_t)req->announced + 1};
}

/* The header is there, nothing of the body has been read. */
static enum MHD_Result on_header(struct http_request *req, const char *method)
{
    struct err err = {0};
    int status = 0;
    req->method = mem_string(method);
    req->announced = announced_length(req->connection->mhd);
    if (check_limits(req, &status, &err) != 0 || request_route(req, &status, &err) != 0)
        refuse(req, status, &err);
    else if (req->announced > req->route->max_body && too_large(req, &err) != 0)
        refuse(req, 413, &err);
    else
        begin_body(req);
    if (req->state != REQUEST_DISCARD || req->announced == 0)
        return MHD_YES;
    /* A client that waits for "100 Continue" gets the answer instead. */
    if (MHD_lookup_connection_value(req->connection->mhd, MHD_HEADER_KIND, "Expect"))
        return answer_queue(req);
    if (req->announced > DRAIN_QUIETLY)
        answer_send_raw(req);
    return MHD_YES;
}

/* A client that still sends reads the answer sooner when nobody resets its connection: what it
 * sends is read for a while. MHD_NO closes. */
static enum MHD_Result discard(struct http_request *req, size_t *len)
{
    req->discarded += (int64_t)*len;
    *len = 0;
    if (!req->raw_sent && req->discarded > DRAIN_QUIETLY) {
        answer_send_raw(req);
        req->progress_us = clock_monotonic_us();
    }
    return req->discarded > DRAIN_MAX ? MHD_NO : MHD_YES;
}

static void collect(struct http_request *req, const void *data, size_t len)
{
    struct err err = {0};
    if ((int64_t)(req->body.len + len) <= req->route->max_body) {
        text_append(&req->body, data, len);
        return;
    }
    text_free(&req->body);
    too_large(req, &err);
    refuse(req, 413, &err);
}

/* An upload without a Content-Length must not outgrow its limit either. */
static void hand_piece(struct http_request *req, const void *data, size_t len)
{
    struct err err = {0};
    req->discarded += (int64_t)len;
    if (req->discarded > req->route->max_body) {
        too_large(req, &err);
        http_handler *gone = req->route->upload->gone;
        req->state = REQUEST_DISCARD; /* before: the handler must not answer as well */
        if (gone)
            gone(req, req->server->arg);
        refuse(req, 413, &err);
    } else {
        req->entered = true;
        req->route->upload->piece(req, req->server->arg, data, len);
        req->entered = false;
    }
    if (req->state == REQUEST_DISCARD)
        req->discarded = 0;
}

static enum MHD_Result on_piece(struct http_request *req, const char *data, size_t *len)
{
    if (req->state == REQUEST_DISCARD)
        return discard(req, len);
    if (req->paused) {
        request_suspend(req); /* the piece stays with MHD */
        return MHD_YES;
    }
    if (req->route->upload) {
        req->progress_us = clock_monotonic_us();
        hand_piece(req, data, *len);
    } else {
        collect(req, data, *len);
    }
    *len = 0;
    if (req->paused && req->state == REQUEST_BODY)
        request_suspend(req);
    return MHD_YES;
}

/* The request is complete, or its connection was resumed afterwards. */
static enum MHD_Result on_complete(struct http_request *req)
{
    if (req->raw_sent)
        return MHD_NO; /* answered already; what is left is to close */
    if (req->state == REQUEST_BODY) {
        if (req->paused) {
            request_suspend(req);
            return MHD_YES;
        }
        req->state = REQUEST_HANDED;
        enter(req, req->route->upload ? req->route->upload->end : req->route->handle);
    }
    if (req->response)
        return answer_queue(req);
    request_suspend(req);
    return MHD_YES;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *mhd, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *len, void **con_cls)
{
    (void)cls, (void)mhd, (void)url, (void)version;
    struct http_request *req = *con_cls;
    if (req->state == REQUEST_HEADER)
        return on_header(req, method);
    return *len > 0 ? on_piece(req, data, len) : on_complete(req);
}

/* The handler owes an answer that nobody will read. It is told, where it asked to be. */
static void leave_to_handler(struct http_request *req)
{
    loop_fn *fn = req->on_gone;
    req->gone = true;
    req->on_gone = NULL;
    if (fn)
        fn(req->on_gone_arg); /* may free req */
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    (void)mhd, (void)code;
    struct http_server *server = cls;
    struct http_request *req = *con_cls;
    if (!req)
        return;
    *con_cls = NULL;
    req->connection->req = NULL;
    req->connection->idle_since_us = clock_monotonic_us();
    loop_fd_stop(&req->hangup);
    if (req->state == REQUEST_BODY && req->route->upload && req->route->upload->gone) {
        req->gone = true;
        req->route->upload->gone(req, server->arg);
    }
    req->connection = NULL;
    req->server = NULL;
    if (req->state == REQUEST_HANDED || (req->state == REQUEST_STREAM && !req->ended))
        leave_to_handler(req);
    else
        request_free(req);
}

/* ---- driving MHD ---------------------------------------------------------------------------- */

static void run(void *arg);

static void run_later(void *arg)
{
    struct http_server *server = arg;
    server->again = false;
    if (server->stopping)
        free(server);
    else
        run(server);
}

void server_wake(struct http_server *server)
{
    if (server->running || server->again || server->stopping)
        return; /* run looks again by itself */
    server->again = true;
    loop_defer(server->loop, run_later, server);
}

static void on_epoll(void *arg, int events)
{
    (void)events;
    run(arg);
}

/* Each pass takes every connection one step on; most requests need two or three. */
static void run(void *arg)
{
    struct http_server *server = arg;
    unsigned long long wait_ms = 0;
    enum MHD_Result pending = MHD_YES;
    server->running = true;
    for (int i = 0; i < RUNS_IN_A_ROW && pending == MHD_YES && wait_ms == 0; i++) {
        MHD_run(server->mhd);
        pending = MHD_get_timeout(server->mhd, &wait_ms);
    }
    server->running = false;
    if (pending != MHD_YES)
        loop_timer_stop(&server->timeout);
    else if (wait_ms == 0)
        server_wake(server);
    else
        loop_timer_start(server->loop, &server->timeout, (int64_t)wait_ms * US_PER_MS, 0, run,
                         server);
}

static void set_defaults(struct http_options *o)
{
    if (o->max_connections == 0)
        o->max_connections = 1000;
    if (o->idle_us == 0)
        o->idle_us = 60 * US_PER_S;
    if (o->header_us == 0)
        o->header_us = 20 * US_PER_S;
    if (o->body_us == 0)
        o->body_us = 60 * US_PER_S;
}

/* A connection is a file descriptor; the soft limit of 1,024 is often all there is. */
static void make_room_for_fds(int64_t connections)
{
    struct rlimit limit;
    const rlim_t wanted = (rlim_t)connections + SPARE + 256;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* MHD's own timeout is for clients that do nothing at all; sweep() is for slow ones. */
static struct MHD_Daemon *start_mhd(struct http_server *server, int fd)
{
    const unsigned idle_s = (unsigned)((server->options.idle_us + US_PER_S - 1) / US_PER_S);
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_access, server,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)server->options.max_connections + SPARE, MHD_OPTION_CONNECTION_TIMEOUT, idle_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        server, MHD_OPTION_NOTIFY_CONNECTION, server_on_connection, server, MHD_OPTION_END);
}

int http_server_start(struct loop *loop, const char *address, const struct http_route *routes,
                      void *arg, const struct http_options *options, struct http_server **out,
                      struct err *err)
{
    int fd = -1;
    uint16_t port = 0;
    const int rc = address_listen(address, BACKLOG, &fd, &port, err);
    if (rc != 0)
        return rc;
    struct http_server *server = mem_alloc(sizeof *server);
    server->loop = loop;
    server->routes = routes;
    server->arg = arg;
    if (options)
        server->options = *options;
    set_defaults(&server->options);
    make_room_for_fds(server->options.max_connections);
    server_metrics_register();
    server->mhd = start_mhd(server, fd);
    if (!server->mhd) {
        close(fd);
        free(server);
        return err_set(err, LEAT_EIO, "cannot serve HTTP on %s", address);
    }
    const int epoll = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    if (loop_fd_start(loop, &server->watch, epoll, LOOP_READ, on_epoll, server, err) != 0)
        abort(); /* an epoll descriptor can always be watched */
    *out = server;
    server_wake(server);
    return port;
}

void http_server_stop(struct http_server *server)
{
    if (!server)
        return;
    server->stopping = true;
    for (struct http_connection *c = server->connections; c; c = c->next)
        if (c->req)
            request_resume(c->req); /* MHD refuses to stop with suspended ones */
    loop_fd_stop(&server->watch);
    loop_timer_stop(&server->timeout);
    loop_timer_stop(&server->sweep);
    MHD_stop_daemon(server->mhd);
    if (!server->again)
        free(server); /* else run_later does */
}

int http_server_connections(const struct http_server *server)
{
    return server->count;
}

/* ---- what handlers ask of the connection ------------------------------------------------------
 */

void http_pause(struct http_request *req)
{
    if (req->state == REQUEST_BODY)
        req->paused = true;
}

void http_resume(struct http_request *req)
{
    req->paused = false;
    if (req->state == REQUEST_BODY)
        req->progress_us = clock_monotonic_us();
    request_resume(req);
}

static void on_hangup(void *arg, int events)
{
    (void)events;
    struct http_request *req = arg;
    loop_fd_stop(&req->hangup);
    loop_fn *fn = req->on_gone;
    req->on_gone = NULL;
    if (fn)
        fn(req->on_gone_arg);
}

void http_on_gone(struct http_request *req, loop_fn *fn, void *arg)
{
    req->on_gone = fn;
    req->on_gone_arg = arg;
    if (req->connection && !req->hangup.watch)
        (void)loop_fd_start(req->server->loop, &req->hangup, req->connection->fd, LOOP_HANGUP,
                            on_hangup, req, NULL);
}

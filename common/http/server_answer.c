/* Answers: whole, early and streamed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/http/server_internal.h"

#define STREAM_BLOCK 16384

void request_suspend(struct http_request *req)
{
    if (req->suspended)
        return;
    req->suspended = true;
    MHD_suspend_connection(req->connection->mhd);
}

void request_resume(struct http_request *req)
{
    if (!req->suspended || !req->connection)
        return;
    req->suspended = false;
    MHD_resume_connection(req->connection->mhd);
    server_wake(req->server);
}

/* ---- making one ----------------------------------------------------------------------------- */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (*value && MHD_add_response_header(response, name, value) != MHD_YES)
        log_error("defect: a header cannot be sent", LOG_S("header", name));
}

static void add_headers(const struct http_request *req, struct MHD_Response *response,
                        const struct http_header *headers)
{
    for (; headers && headers->name; headers++)
        add_header(response, headers->name, headers->value);
    if (req->server->options.server)
        add_header(response, "Server", req->server->options.server);
    if (req->connection->over_limit)
        add_header(response, "Connection", "close");
    if (req->allowed.len)
        add_header(response, "Allow", req->allowed.data);
}

/* The handler is done with the request: true when its client has gone, and it with it. */
static bool drop_if_gone(struct http_request *req)
{
    if (!req->gone)
        return false;
    request_free(req);
    return true;
}

/* An answer in the middle of a body is early: the rest of the body is thrown away. */
static void answer_with(struct http_request *req, int status, struct MHD_Response *response)
{
    if (req->state >= REQUEST_ANSWERED || req->response)
        abort(); /* answered twice */
    const bool early = req->state < REQUEST_HANDED;
    req->status = status;
    req->response = response;
    if (req->state != REQUEST_DISCARD)
        req->state = early ? REQUEST_DISCARD : REQUEST_ANSWERED;
    req->paused = false;
    loop_fd_stop(&req->hangup);
    server_count(req);
    if (!req->entered)
        request_resume(req);
}

static void answer_bytes(struct http_request *req, int status, const struct http_header *headers,
                         char *body, size_t len)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE);
    if (!response)
        abort(); /* out of memory */
    add_headers(req, response, headers);
    req->answer_body = body;
    req->answer_len = len;
    answer_with(req, status, response);
}

void http_answer(struct http_request *req, int status, const struct http_header *headers,
                 const void *body, size_t len)
{
    if (!drop_if_gone(req))
        answer_bytes(req, status, headers, mem_bytes(body, len), len);
}

void http_answer_take(struct http_request *req, int status, const char *type, char *body,
                      size_t len)
{
    const struct http_header headers[] = {{"Content-Type", type}, {NULL, NULL}};
    if (req->gone)
        free(body);
    if (!drop_if_gone(req))
        answer_bytes(req, status, headers, body, len);
}

void http_answer_fd(struct http_request *req, int status, const struct http_header *headers, int fd,
                    int64_t size)
{
    if (req->gone)
        close(fd);
    if (drop_if_gone(req))
        return;
    struct MHD_Response *response = MHD_create_response_from_fd64((uint64_t)size, fd);
    if (!response)
        abort();
    add_headers(req, response, headers);
    answer_with(req, status, response);
}

/* ---- errors --------------------------------------------------------------------------------- */

static const char *title_of(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < ARRAY_LEN(titles); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Error";
}

void http_problem(struct http_request *req, int status, const struct err *err)
{
    struct text body = {0};
    text_printf(&body, "{\"type\":\"urn:leat:error:%s\",\"title\":\"%s\",\"status\":%d,\"detail\":",
                err_name(err->code), title_of(status), status);
    text_quote(&body, err->text);
    text_printf(&body, ",\"code\":\"%s\"}", err_name(err->code));
    struct http_header headers[3] = {{"Content-Type", "application/problem+json"}};
    if (status == 503 || status == 429)
        headers[1] = (struct http_header){"Retry-After", "1"};
    if (status == 401)
        headers[1] = (struct http_header){"WWW-Authenticate", "Bearer"};
    const size_t len = body.len;
    char *bytes = text_take(&body);
    if (req->gone)
        free(bytes);
    if (!drop_if_gone(req))
        answer_bytes(req, status, headers, bytes, len);
}

void http_answer_err(struct http_request *req, const struct err *err)
{
    http_problem(req, err_http_status(err->code), err);
}

/* ---- sending -------------------------------------------------------------------------------- */

enum MHD_Result answer_queue(struct http_request *req)
{
    const enum MHD_Result queued =
        MHD_queue_response(req->connection->mhd, (unsigned)req->status, req->response);
    MHD_destroy_response(req->response); /* the connection has its own reference */
    req->response = NULL;
    req->answer_body = NULL;
    if (req->state != REQUEST_STREAM)
        req->state = REQUEST_ANSWERED;
    return queued;
}

static enum MHD_Result put_raw_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    (void)kind;
    text_printf(cls, "%s: %s\r\n", name, value);
    return MHD_YES;
}

void answer_send_raw(struct http_request *req)
{
    cleanup_text struct text raw = {0};
    req->raw_sent = true;
    text_printf(&raw, "HTTP/1.1 %d %s\r\n", req->status, title_of(req->status));
    MHD_get_response_headers(req->response, put_raw_header, &raw);
    text_printf(&raw, "Content-Length: %zu\r\nConnection: close\r\n\r\n", req->answer_len);
    text_append(&raw, req->answer_body, req->answer_len);
    /* Nothing was sent for this request, so that the socket takes these few hundred bytes. */
    (void)!send(req->connection->fd, raw.data, raw.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- streams -------------------------------------------------------------------------------- */

static ssize_t take_written(struct http_request *req, char *buf, size_t max)
{
    size_t n = req->out.len - req->out_taken;
    n = n < max ? n : max;
    memcpy(buf, req->out.data + req->out_taken, n);
    req->out_taken += n;
    if (req->out_taken == req->out.len)
        req->out.len = req->out_taken = 0;
    return (ssize_t)n;
}

/* MHD wants more of the body. Nothing there: it looks again when something is written. */
static ssize_t read_stream(void *cls, uint64_t pos, char *buf, size_t max)
{
    (void)pos;
    struct http_request *req = cls;
    if (req->out.len == 0 && req->wrote && !req->ended && req->drained) {
        req->wrote = false;
        req->entered = true;
        req->drained(req->drained_arg);
        req->entered = false;
    }
    if (req->out.len > 0)
        return take_written(req, buf, max);
    if (req->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    request_suspend(req);
    return 0;
}

void http_stream_start(struct http_request *req, int status, const struct http_header *headers,
                       loop_fn *drained, void *arg)
{
    if (req->gone)
        return; /* http_stream_end frees it */
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, req, NULL);
    if (!response || req->state != REQUEST_HANDED)
        abort();
    add_headers(req, response, headers);
    req->status = status;
    req->response = response;
    req->state = REQUEST_STREAM;
    req->drained = drained;
    req->drained_arg = arg;
    server_count(req);
    if (!req->entered)
        request_resume(req);
}

size_t http_stream_write(struct http_request *req, const void *data, size_t len)
{
    if (req->gone || len == 0)
        return 0;
    text_append(&req->out, data, len);
    req->wrote = true;
    if (!req->entered && !req->response)
        request_resume(req);
    return req->out.len - req->out_taken;
}

size_t http_stream_pending(const struct http_request *req)
{
    return req->gone ? 0 : req->out.len - req->out_taken;
}

void http_stream_cut(struct http_request *req)
{
    if (req->connection)
        shutdown(req->connection->fd, SHUT_RDWR);
}

void http_stream_end(struct http_request *req)
{
    if (drop_if_gone(req))
        return;
    req->ended = true;
    loop_fd_stop(&req->hangup);
    if (!req->entered && !req->response)
        request_resume(req);
}

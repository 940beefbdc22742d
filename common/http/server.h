/* common/http/server.h: HTTP/1.1 serving, libmicrohttpd driven from our loop; no threads.
 * A route's handler gets the complete request and answers it now or later: every request is
 * answered exactly once (http_answer… or http_stream_start … http_stream_end). The request stays
 * valid until then, even when its client has gone: answering is then a no-op that frees it.
 * Strings got from a request live as long as the request.
 *
 * Enforced here, before a handler sees anything: header size (431), body size (413, before all of
 * it is read), connections (503), time for header and body (408 or close), unknown path (404),
 * wrong method (405), broken percent-encoding or %00 (400). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/address.h"
#include "common/base/err.h"
#include "common/base/loop.h"

struct http_server;
struct http_request;

struct http_header {
    const char *name;
    const char *value; /* left out when empty, and (logged) when it holds a line break */
};

typedef void http_handler(struct http_request *req, void *arg);

/* A body that is taken in pieces as they arrive (PUT /buckets/…). */
struct http_upload {
    /* The header is there. May answer at once (a refusal): the body is then not read. */
    http_handler *begin;
    /* The next piece; all of it is consumed. Call http_pause when the next must wait. May answer:
     * the rest is then not read. */
    void (*piece)(struct http_request *req, void *arg, const void *data, size_t len);
    /* The body is complete: answer now or later. */
    http_handler *end;
    /* The client went away, or was too slow, before `end`, and nothing has been answered: drop
     * what was received. The request is gone after this returns. */
    http_handler *gone;
};

struct http_route {
    const char *method; /* "GET" also serves HEAD */
    /* "/healthz", "/hooks/:source", "/buckets/:bucket/ *key" (without the space): a parameter
     * takes one non-empty segment, a rest everything that follows, which may be empty. They are
     * matched on the raw path and decoded afterwards, so "%2F" is data; "." and ".." are NOT
     * resolved or refused: a handler that makes a file name of it checks it (store_name_ok). */
    const char *pattern;
    http_handler *handle;             /* NULL where `upload` is set */
    const struct http_upload *upload; /* NULL: the body is collected first */
    int64_t max_body;                 /* bytes; 0 = no body allowed */
};

struct http_options {
    int64_t max_connections; /* 0 = 1,000; above it a connection is answered 503 */
    int64_t idle_us;         /* 0 = 60 s; keep-alive without a request */
    int64_t header_us;       /* 0 = 20 s; longest time for a header to come in */
    int64_t body_us;         /* 0 = 60 s; for a collected body; an upload: between two pieces */
    const char *server;      /* Server: header; NULL = none */
};

/* Serves until http_server_stop. `address`: HOST:PORT, port 0 takes a free one. `routes` ends with
 * a row whose method is NULL and, like `arg` (given to every handler), outlives the server. The
 * first row that matches wins. `options` NULL = the defaults. Returns the bound port, or < 0. */
int http_server_start(struct loop *loop, const char *address, const struct http_route *routes,
                      void *arg, const struct http_options *options, struct http_server **out,
                      struct err *err);
/* Closes everything at once, not from within a handler. Requests that wait for their answer keep to
 * their rule: their clients are gone, they must still be answered to be freed. NULL is allowed. */
void http_server_stop(struct http_server *server);
int http_server_connections(const struct http_server *server);

/* ---- the request ---------------------------------------------------------------------------- */
const char *http_method(const struct http_request *req); /* as sent; HEAD stays HEAD */
const char *http_path(const struct http_request *req);   /* raw, without the query */
const char *http_route_pattern(const struct http_request *req);
/* Decoded value of :name or *name; NULL when the pattern has none. Holds no NUL byte. */
const char *http_param(const struct http_request *req, const char *name);
/* Decoded (also '+') first value of a query key; "" for a key alone, NULL when absent. */
const char *http_query(const struct http_request *req, const char *key);
/* The n-th pair (0 …) in order; false past the last. */
bool http_query_at(const struct http_request *req, size_t n, const char **key, const char **value);
/* First value of a header, name in any case; NULL when absent. */
const char *http_header(const struct http_request *req, const char *name);
/* NUL-terminated for convenience; may hold NULs. "" without a body. Not for uploads. */
const char *http_body(const struct http_request *req, size_t *len);
/* Content-Length, or -1 when chunked. */
int64_t http_body_announced(const struct http_request *req);
const char *http_peer(const struct http_request *req); /* "127.0.0.1:4711" */
/* Who asks, when whoever let the request in knows it (at most 63 bytes are kept); "" = not known.
 */
void http_set_caller(struct http_request *req, const char *name);
const char *http_caller(const struct http_request *req);

/* A pointer of the handler's own. */
void http_set_context(struct http_request *req, void *context);
void *http_context(const struct http_request *req);

/* Upload: no `piece` or `end` comes until http_resume. */
void http_pause(struct http_request *req);
void http_resume(struct http_request *req);

/* fn(arg) once, when the client closes while an answer or a stream is pending. A notice: the
 * request must still be answered (or its stream ended), not necessarily from within fn. */
void http_on_gone(struct http_request *req, loop_fn *fn, void *arg);
bool http_is_gone(const struct http_request *req);

/* ---- the answer ------------------------------------------------------------------------------ */
/* `headers` ends with a row whose name is NULL; NULL = none. The body is copied. */
void http_answer(struct http_request *req, int status, const struct http_header *headers,
                 const void *body, size_t len);
/* As above with a Content-Type and a malloc'd body that it takes. */
void http_answer_take(struct http_request *req, int status, const char *type, char *body,
                      size_t len);
/* The file from its start, `size` bytes; takes the fd. */
void http_answer_fd(struct http_request *req, int status, const struct http_header *headers, int fd,
                    int64_t size);
/* application/problem+json (RFC 9457) with the status that belongs to err->code; 503 and 429 carry
 * Retry-After: 1, 401 carries WWW-Authenticate: Bearer. */
void http_answer_err(struct http_request *req, const struct err *err);
/* The same with a status of the caller's choice. */
void http_problem(struct http_request *req, int status, const struct err *err);

/* An answer whose body comes in pieces (chunked): logs, server-sent events. The stream starts with
 * http_stream_start and must be ended. `drained` (may be NULL) is called when everything written
 * has gone to the socket. */
void http_stream_start(struct http_request *req, int status, const struct http_header *headers,
                       loop_fn *drained, void *arg);
/* Copies. Returns the bytes not yet taken by the socket; a caller that may write without end
 * stops at a limit of its own until `drained`. */
size_t http_stream_write(struct http_request *req, const void *data, size_t len);
/* Bytes written that the socket has not taken yet. */
size_t http_stream_pending(const struct http_request *req);
void http_stream_end(struct http_request *req); /* what was written still goes out; frees req */
/* For a client that does not read: its connection is shut down. It is then gone as one that closed
 * (http_on_gone tells); the stream must still be ended. */
void http_stream_cut(struct http_request *req);

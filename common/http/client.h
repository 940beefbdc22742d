/* common/http/client.h: HTTP calls, libcurl on our loop, and one blocking call for programs
 * without a loop. http, https (system certificates) and unix sockets. Redirects are not followed.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/loop.h"
#include "common/http/server.h"

struct http_client;
struct http_transfer;

/* Everything is copied by http_send and used in place by http_call. Zero-initialised = a GET with
 * the defaults. */
struct http_outgoing {
    const char *method;      /* NULL = GET */
    const char *url;         /* "http://host:port/path"; escape the parts with url_escape */
    const char *unix_socket; /* path: connect there, whatever the URL's host; NULL = no */
    const struct http_header *headers; /* ends with a NULL name; NULL = none */
    const void *body;                  /* NULL = none */
    size_t body_len;
    int64_t timeout_us;  /* whole call; 0 = 30 s; < 0 = none (streams) */
    int64_t silence_us;  /* > 0: a line that brings nothing for so long (whole seconds) is broken */
    int64_t connect_us;  /* 0 = 5 s */
    size_t max_answer;   /* of a collected body; 0 = 32 MiB; more is LEAT_ELIMIT */
    const char *ca_file; /* PEM, instead of the system's certificates; NULL = those */
    const char *cert_file, *key_file; /* what this side shows; NULL = nothing */
};

struct http_incoming {
    int status;       /* 200, 404, …: an HTTP status is not an error of the call */
    const char *body; /* NUL-terminated; "" when streamed */
    size_t len;
    struct http_headers *headers; /* see http_incoming_header */
};

/* First value of a header of the answer, name in any case; NULL when absent. */
const char *http_incoming_header(const struct http_incoming *answer, const char *name);

/* Exactly one call for each http_send that was not cancelled. `err` is NULL when an answer came;
 * else LEAT_EUNREACHABLE (connect, time, broken connection), LEAT_EUNKNOWN (a request other than
 * GET or HEAD went out whole, no answer came back), LEAT_ELIMIT, LEAT_EINPUT (bad URL). `answer` is
 * good during the call. */
typedef void http_done_fn(void *arg, const struct http_incoming *answer, const struct err *err);

/* Pieces of the body as they arrive (streams); `status` is that of the answer. Return false to end
 * the call, which is then done with err NULL. */
typedef bool http_piece_fn(void *arg, int status, const void *data, size_t len);

struct http_client *http_client_new(struct loop *loop);
void http_client_free(
    struct http_client *client); /* pending calls are dropped without a callback */

/* Never calls back before it returns. The transfer is good until `done` begins. */
struct http_transfer *http_send(struct http_client *client, const struct http_outgoing *call,
                                http_done_fn *done, void *arg);
struct http_transfer *http_send_streaming(struct http_client *client,
                                          const struct http_outgoing *call, http_piece_fn *piece,
                                          http_done_fn *done, void *arg);
void http_cancel(struct http_transfer *transfer); /* no callback comes after it */

/* Blocking. Returns 0 with *answer to be freed by http_incoming_free, or < 0 as for http_done_fn.
 * `piece` may be NULL; it sees the body instead of the answer. */
int http_call(const struct http_outgoing *call, http_piece_fn *piece, void *arg,
              struct http_incoming *answer, struct err *err);
void http_incoming_free(struct http_incoming *answer);

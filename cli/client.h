/* cli/client.h: calls of the API, blocking, with its errors as the CLI's. */
#pragma once
#include <jansson.h>
#include "cli/verb.h"
#include "common/base/text.h"
#include "common/http/client.h"

/* LEAT_URL, else http://127.0.0.1:8080. */
const char *client_url(void);

/* One call below the URL ("/api/v1/…", made with client_path). `body` NULL = none. A status that
 * is no 2xx becomes the error that it stands for; no answer is LEAT_EUNREACHABLE naming the URL.
 * `answer` may be NULL; a new reference otherwise (NULL for an empty body). Returns the status. */
int client_call(const char *method, const char *path, const json_t *body, json_t **answer,
                struct err *err);
/* The same with bytes as they are; *in is freed with http_incoming_free. */
int client_raw(const char *method, const char *path, const void *body, size_t len,
               struct http_incoming *in, struct err *err);

/* printf with %s only, each argument escaped as one segment or query value. malloc'd. */
char *client_path(const char *fmt, ...);

/* One line of server-sent events, until `piece` wants no more or it breaks. last_event_id
 * may be empty. What is answered with another status than 200 has to be put into `problem` by
 * `piece`. Errors and status as above. */
struct client_stream {
    const char *last_event_id;
    int64_t silence_us; /* longest time without a byte */
    http_piece_fn *piece;
    void *arg;
    const struct text *problem;
};
int client_stream(const char *path, const struct client_stream *stream, struct err *err);

/* worker/executor/docker/engine.h: a Docker engine, by its HTTP interface over a unix socket or
 * TLS: is it there, which version is spoken, calls, streams, its events. On the loop, never
 * blocking.
 *
 * The connection is the stream of events: while it lasts the engine is up. When it breaks the
 * engine is down, and it is looked for again, sooner at first. Between the end of one stream and
 * the beginning of the next things may have happened: who is told `up` looks at everything. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include "common/base/err.h"
#include "common/base/loop.h"
#include "common/http/client.h"

#define ENGINE_API_LEAST 41 /* 1.41: Docker 20.10 */
#define ENGINE_API_MOST  47

struct engine;
struct engine_call;

struct engine_event {
    const char *action;    /* "die", "kill", "oom", "destroy", … */
    const char *id, *name; /* of the container */
    const json_t *details; /* {"signal": "15", …} and the labels */
};

struct engine_events {
    /* It answers; `containers`: all of this worker, as GET /containers/json gives them. */
    void (*up)(void *arg, const json_t *containers);
    void (*down)(void *arg, const struct err *why); /* once until the next up; also at first */
    void (*event)(void *arg, const struct engine_event *event);
};

struct engine_site {
    const char *host;  /* unix:///PATH, tcp://HOST:PORT, as DOCKER_HOST */
    const char *certs; /* folder of ca.pem, cert.pem, key.pem; NULL = plain TCP or a socket */
    const char *label; /* NAME=VALUE: whose containers these are */
};

/* LEAT_EINPUT when the address is none. Tells up or down from the loop. Copies the site. */
int engine_open(struct loop *loop, const struct engine_site *site,
                const struct engine_events *events, void *arg, struct engine **out,
                struct err *err);
void engine_close(struct engine *e); /* takes NULL; calls under way are dropped */
bool engine_is_up(const struct engine *e);
const char *engine_version(const struct engine *e); /* "20.10.24 (API 1.41)"; "" before */

/* `err` NULL: it answered; `answer` is its JSON (NULL when there was none), `status` not an error
 * of the call. On 4xx and 5xx `message` is the engine's own word. */
struct engine_answer {
    int status;
    const json_t *json;
    const char *message;
};
typedef void engine_done_fn(void *arg, const struct engine_answer *answer, const struct err *err);

struct engine_request {
    const char *method; /* NULL = GET */
    const char *path;   /* "/containers/…", escaped */
    const json_t *body; /* NULL = none; borrowed during the call */
    const char *tar;    /* another body: an archive; copied; NULL = none */
    size_t tar_len;
    const char *auth;     /* X-Registry-Auth; NULL = none */
    int64_t timeout_us;   /* 0 = 30 s; < 0 = none */
    http_piece_fn *piece; /* a stream: pieces of a 200; NULL = collected */
};
/* `done` exactly once unless it was cancelled. `arg` is that of piece, too. */
struct engine_call *engine_ask(struct engine *e, const struct engine_request *request,
                               engine_done_fn *done, void *arg);
void engine_cancel(struct engine_call *call); /* takes NULL */

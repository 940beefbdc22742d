/* common/http/server_internal.h: what the files of the server share. */
#pragma once
#include <microhttpd.h>
#include "common/base/metrics.h"
#include "common/base/text.h"
#include "common/http/server.h"

#define HTTP_HEADER_MAX 32768 /* request line and header, bytes */
#define HTTP_PARAMS_MAX 8

/* Where a request is. One field moves forward only. */
enum request_state {
    REQUEST_HEADER,   /* made when its first line came */
    REQUEST_BODY,     /* the body is collected or handed on piece by piece */
    REQUEST_DISCARD,  /* answered early: what still comes of the body is thrown away */
    REQUEST_HANDED,   /* the handler has all of it and owes an answer */
    REQUEST_ANSWERED, /* the answer is there, waits to be queued or is being sent */
    REQUEST_STREAM,   /* as answered, but the handler still writes the body */
};

struct http_connection {
    struct http_connection *next, *prev;
    struct MHD_Connection *mhd;
    struct http_request *req; /* the one that is being read or answered */
    int64_t idle_since_us;    /* end of the last request */
    int fd;
    bool over_limit; /* to be answered 503 */
    bool shut;       /* shut down by us, MHD will notice */
};

struct http_server {
    struct loop *loop;
    struct MHD_Daemon *mhd;
    const struct http_route *routes;
    void *arg;
    struct http_options options;
    struct loop_fd watch;
    struct loop_timer timeout; /* MHD's next deadline */
    struct loop_timer sweep;   /* looks for slow clients while there are connections */
    struct http_connection *connections;
    int count;
    bool running; /* inside MHD_run */
    bool again;   /* a deferred run is on its way */
    bool stopping;
};

struct http_pair {
    char *key, *value;
};

struct http_request {
    struct http_server *server;         /* NULL once the client has gone */
    struct http_connection *connection; /* likewise */
    enum request_state state;
    char *uri; /* as sent, cut at '?' */
    const char *query_text;
    char *method;
    const struct http_route *route;
    struct http_pair params[HTTP_PARAMS_MAX];
    size_t param_count;
    struct http_pair *query;
    size_t query_count, query_cap;
    bool query_read;
    char **kept; /* copies of headers that were asked for */
    size_t kept_count, kept_cap;
    struct text body;
    struct text allowed; /* methods of a path that has no such one, for 405 */
    int64_t announced;   /* Content-Length, -1 = chunked */
    int64_t received_us, progress_us;
    char peer[64];
    char caller[64];
    void *context;

    bool entered;   /* inside a callback of MHD: no need to resume */
    bool suspended; /* MHD does not look at the connection */
    bool paused;    /* asked for by the upload's handler */
    bool gone;      /* the client has; the handler still owes the answer */
    bool raw_sent;  /* an early answer went out beside MHD */
    int64_t discarded;
    struct loop_fd hangup;
    loop_fn *on_gone;
    void *on_gone_arg;

    int status;
    struct MHD_Response *response; /* not yet queued */
    const char *answer_body;       /* of `response`, for the early answer */
    size_t answer_len;

    struct text out; /* stream: written, not yet taken */
    size_t out_taken;
    bool ended, wrote;
    loop_fn *drained;
    void *drained_arg;
};

/* server_request.c */
struct http_request *request_new(struct http_server *server, struct http_connection *connection,
                                 const char *uri);
void request_free(struct http_request *req);
/* Finds the route and reads the parameters; < 0 with the status to answer in *status. */
int request_route(struct http_request *req, int *status, struct err *err);

/* server_route.c */
struct route_match {
    const char *name;
    const char *raw; /* inside the path */
    size_t name_len, raw_len;
};
/* Number of parameters, or -1 when the path is not of this pattern. */
int route_match(const char *pattern, const char *path, struct route_match *params, size_t most);
/* The row, or NULL; *known tells whether the path exists under another method, whose names are
 * then in `allowed` ("GET, HEAD, POST"). */
const struct http_route *route_find(const struct http_route *routes, const char *method,
                                    const char *path, struct route_match *params, int *count,
                                    struct text *allowed);

/* server_answer.c */
/* Queues the answer that is ready; to be called from MHD's callback. */
enum MHD_Result answer_queue(struct http_request *req);
/* Writes the answer to the socket at once, because MHD takes none in the middle of a body. */
void answer_send_raw(struct http_request *req);
void request_suspend(struct http_request *req);
void request_resume(struct http_request *req);

/* server.c */
void server_wake(struct http_server *server);

/* server_connection.c: MHD tells of each that is opened and closed */
void server_on_connection(void *server, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code);

/* server_metrics.c */
void server_metrics_register(void);
void server_count(const struct http_request *req);
void server_count_connections(int by);

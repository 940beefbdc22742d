#include "worker/executor/docker/engine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/url.h"
#include "common/text/json.h"

#define WAIT_FIRST_US (100 * US_PER_MS)
#define WAIT_MOST_US  (5 * US_PER_S)
#define ANSWER_MOST   (32UL << 20)
#define LINE_MOST     (1UL << 20) /* of one event */
#define PAST_S        600         /* events of so long ago are asked for: the engine keeps 256 */

struct engine_call {
    struct engine *engine;
    struct engine_call *next, *prev;
    struct http_transfer *transfer;
    http_piece_fn *piece;
    engine_done_fn *done;
    void *arg;
    struct text refused; /* the body of a stream that was none */
};

struct engine {
    struct loop *loop;
    struct http_client *http;
    char *socket, *base, *label; /* base: "http://docker" */
    char *ca, *cert, *key;
    const struct engine_events *events;
    void *arg;
    char version[80];
    int api; /* 41 = 1.41 */
    bool up, told_down;
    int64_t wait_us;
    struct loop_timer again;
    struct engine_call *calls;
    struct engine_call *listening; /* the stream of events */
    struct text line;
};

/* ---- calls ---------------------------------------------------------------------------------- */

static void drop(struct engine_call *call)
{
    struct engine *e = call->engine;
    if (call->prev)
        call->prev->next = call->next;
    else
        e->calls = call->next;
    if (call->next)
        call->next->prev = call->prev;
    text_free(&call->refused);
    free(call);
}

static bool on_piece(void *arg, int status, const void *data, size_t len)
{
    struct engine_call *call = arg;
    if (status == 200 || status == 101)
        return call->piece(call->arg, status, data, len);
    if (call->refused.len < ANSWER_MOST)
        text_append(&call->refused, data, len);
    return true;
}

static void on_done(void *arg, const struct http_incoming *in, const struct err *err)
{
    struct engine_call *call = arg;
    struct engine_answer answer = {.message = ""};
    cleanup_json json_t *json = NULL;
    if (in) {
        const bool own = call->refused.len > 0;
        const char *body = own ? call->refused.data : in->body;
        const size_t len = own ? call->refused.len : in->len;
        const struct json_limits limits = {.depth = 64, .bytes = ANSWER_MOST};
        json = len > 0 ? json_read(body, len, &limits, NULL) : NULL;
        answer.status = in->status;
        answer.json = json;
        answer.message = json_get_string(json, "message", "no reason was given");
    }
    engine_done_fn *done = call->done;
    void *to = call->arg;
    drop(call);
    done(to, in ? &answer : NULL, err);
}

struct engine_call *engine_ask(struct engine *e, const struct engine_request *request,
                               engine_done_fn *done, void *arg)
{
    struct engine_call *call = mem_alloc(sizeof *call);
    *call = (struct engine_call){
        .engine = e, .next = e->calls, .piece = request->piece, .done = done, .arg = arg};
    if (call->next)
        call->next->prev = call;
    e->calls = call;
    cleanup_free char *url = e->api ? mem_printf("%s/v1.%d%s", e->base, e->api, request->path)
                                    : mem_printf("%s%s", e->base, request->path);
    cleanup_free char *body = request->body ? json_write(request->body) : NULL;
    const char *type = body ? "application/json" : request->tar ? "application/x-tar" : NULL;
    struct http_header headers[3] = {0};
    size_t n = 0;
    if (type)
        headers[n++] = (struct http_header){"Content-Type", type};
    if (request->auth)
        headers[n++] = (struct http_header){"X-Registry-Auth", request->auth};
    const struct http_outgoing out = {
        .method = request->method,
        .url = url,
        .unix_socket = e->socket,
        .headers = headers,
        .body = body ? body : request->tar,
        .body_len = body ? strlen(body) : request->tar_len,
        .timeout_us = request->timeout_us,
        .max_answer = ANSWER_MOST,
        .ca_file = e->ca,
        .cert_file = e->cert,
        .key_file = e->key,
    };
    call->transfer =
        http_send_streaming(e->http, &out, request->piece ? on_piece : NULL, on_done, call);
    return call;
}

void engine_cancel(struct engine_call *call)
{
    if (!call)
        return;
    http_cancel(call->transfer);
    drop(call);
}

/* ---- finding it ----------------------------------------------------------------------------- */

static void look(void *engine);

static void lost(struct engine *e, const struct err *why)
{
    const bool was_up = e->up;
    e->up = false;
    e->api = 0;
    engine_cancel(TAKE(e->listening));
    loop_timer_start(e->loop, &e->again, e->wait_us, 0, look, e);
    e->wait_us = e->wait_us * 2 > WAIT_MOST_US ? WAIT_MOST_US : e->wait_us * 2;
    if (!was_up && e->told_down)
        return;
    e->told_down = true;
    e->events->down(e->arg, why);
}

static void refuse(struct engine *e, const struct engine_answer *answer, const struct err *err)
{
    struct err why = {0};
    if (err)
        why = *err;
    else
        err_set(&why, LEAT_EREFUSED, "the engine answered %d: %s", answer->status, answer->message);
    lost(e, &why);
}

/* ---- its events ----------------------------------------------------------------------------- */

static void take_event(struct engine *e, const char *line, size_t len)
{
    cleanup_json json_t *json = json_read(line, len, NULL, NULL);
    const json_t *details = json_get_object(json_get_object(json, "Actor"), "Attributes");
    const struct engine_event event = {
        .action = json_get_string(json, "Action", ""),
        .id = json_get_string(json_get_object(json, "Actor"), "ID", ""),
        .name = json_get_string(details, "name", ""),
        .details = details,
    };
    if (strcmp(json_get_string(json, "Type", ""), "container") == 0)
        e->events->event(e->arg, &event);
}

static bool on_events(void *arg, int status, const void *data, size_t len)
{
    struct engine *e = arg;
    (void)status;
    text_append(&e->line, data, len);
    size_t from = 0;
    for (char *end;
         from < e->line.len && (end = memchr(e->line.data + from, '\n', e->line.len - from));) {
        const size_t n = (size_t)(end - e->line.data) - from;
        if (n > 0)
            take_event(e, e->line.data + from, n);
        from += n + 1;
    }
    memmove(e->line.data, e->line.data + from, e->line.len - from);
    e->line.len -= from;
    return e->line.len <= LINE_MOST;
}

static void events_ended(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct engine *e = arg;
    struct err why = {0};
    e->listening = NULL;
    if (err)
        why = *err;
    else
        err_set(&why, LEAT_EUNREACHABLE, "the engine ended its stream of events (%d)",
                answer->status);
    lost(e, &why);
}

static char *filters_of(const struct engine *e, bool events)
{
    cleanup_json json_t *filters = json_pack("{s:[s]}", "label", e->label);
    if (events)
        json_object_set_new(filters, "type", json_pack("[s]", "container"));
    cleanup_free char *json = json_write(filters);
    cleanup_text struct text out = {0};
    url_escape(&out, json, strlen(json), NULL);
    return text_take(&out);
}

static void listen_to(struct engine *e)
{
    cleanup_free char *filters = filters_of(e, true);
    cleanup_free char *path = mem_printf("/events?since=%lld&filters=%s",
                                         (long long)(clock_wall_us() / US_PER_S - PAST_S), filters);
    const struct engine_request request = {.path = path, .timeout_us = -1, .piece = on_events};
    e->line.len = 0;
    e->listening = engine_ask(e, &request, events_ended, e);
}

/* ---- coming up ------------------------------------------------------------------------------ */

static void listed(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct engine *e = arg;
    if (err || answer->status != 200 || !json_is_array(answer->json)) {
        refuse(e, answer, err);
        return;
    }
    if (!e->listening)
        return; /* it has gone in the meantime */
    e->up = true;
    e->told_down = false;
    e->wait_us = WAIT_FIRST_US;
    e->events->up(e->arg, answer->json);
}

/* The events first: nothing falls between them and the list. */
static void list(struct engine *e)
{
    listen_to(e);
    cleanup_free char *filters = filters_of(e, false);
    cleanup_free char *path = mem_printf("/containers/json?all=1&filters=%s", filters);
    const struct engine_request request = {.path = path};
    engine_ask(e, &request, listed, e);
}

static int api_number(const char *text)
{
    long long minor = 0;
    return text && text_starts_with(text, "1.") && text_to_int(text + 2, 0, 9999, &minor)
               ? (int)minor
               : 0;
}

static int choose_version(struct engine *e, const json_t *json, struct err *err)
{
    const int most = api_number(json_get_string(json, "ApiVersion", NULL));
    const int least = api_number(json_get_string(json, "MinAPIVersion", "1.12"));
    if (most < ENGINE_API_LEAST || least > ENGINE_API_MOST)
        return err_set(
            err, LEAT_EREFUSED,
            "the engine speaks API 1.%d to 1.%d, Leat 1.%d to 1.%d (Docker 20.10 or later)", least,
            most, ENGINE_API_LEAST, ENGINE_API_MOST);
    if (strcmp(json_get_string(json, "Os", "linux"), "linux") != 0)
        return err_set(err, LEAT_EREFUSED, "the engine runs %s containers, not linux",
                       json_get_string(json, "Os", ""));
    e->api = most < ENGINE_API_MOST ? most : ENGINE_API_MOST;
    snprintf(e->version, sizeof e->version, "%.40s (API 1.%d)",
             json_get_string(json, "Version", "?"), e->api);
    return 0;
}

static void versioned(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct engine *e = arg;
    struct err own = {0};
    if (err || answer->status != 200)
        refuse(e, answer, err);
    else if (choose_version(e, answer->json, &own) != 0)
        lost(e, &own);
    else
        list(e);
}

static void look(void *engine)
{
    struct engine *e = engine;
    struct stat st;
    if (e->socket && stat(e->socket, &st) != 0) {
        struct err why = {0};
        err_set(&why, LEAT_EUNREACHABLE, "no engine: there is no socket %s", e->socket);
        lost(e, &why);
        return;
    }
    const struct engine_request request = {.path = "/version", .timeout_us = 10 * US_PER_S};
    engine_ask(e, &request, versioned, e);
}

/* ---- opening -------------------------------------------------------------------------------- */

static int read_address(struct engine *e, const struct engine_site *site, struct err *err)
{
    const char *host = site->host;
    if (text_starts_with(host, "unix:///")) {
        e->socket = mem_string(host + strlen("unix://"));
        e->base = mem_string("http://docker");
        return 0;
    }
    if (!text_starts_with(host, "tcp://") || host[6] == '\0' || strpbrk(host + 6, "/?#@ "))
        return err_set(err, LEAT_EINPUT,
                       "docker-host: '%s' is neither unix:///PATH nor tcp://HOST:PORT", host);
    e->base = mem_printf("%s://%s", site->certs ? "https" : "http", host + 6);
    if (!site->certs)
        return 0;
    e->ca = mem_printf("%s/ca.pem", site->certs);
    e->cert = mem_printf("%s/cert.pem", site->certs);
    e->key = mem_printf("%s/key.pem", site->certs);
    return 0;
}

int engine_open(struct loop *loop, const struct engine_site *site,
                const struct engine_events *events, void *arg, struct engine **out, struct err *err)
{
    struct engine *e = mem_alloc(sizeof *e);
    e->loop = loop;
    e->events = events;
    e->arg = arg;
    e->wait_us = WAIT_FIRST_US;
    e->label = mem_string(site->label);
    if (read_address(e, site, err) != 0) {
        engine_close(e);
        return LEAT_EINPUT;
    }
    e->http = http_client_new(loop);
    loop_timer_start(loop, &e->again, 0, 0, look, e);
    *out = e;
    return 0;
}

void engine_close(struct engine *e)
{
    if (!e)
        return;
    loop_timer_stop(&e->again);
    while (e->calls)
        engine_cancel(e->calls);
    http_client_free(e->http);
    text_free(&e->line);
    free(e->socket);
    free(e->base);
    free(e->label);
    free(e->ca);
    free(e->cert);
    free(e->key);
    free(e);
}

bool engine_is_up(const struct engine *e)
{
    return e->up;
}

const char *engine_version(const struct engine *e)
{
    return e->version;
}

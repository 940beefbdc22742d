#include "cli/client.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/files.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/url.h"
#include "common/text/json.h"

#define TOKEN_FILE_MAX 4096

const char *client_url(void)
{
    const char *url = getenv("LEAT_URL");
    return url && *url ? url : "http://127.0.0.1:8080";
}

char *client_path(const char *fmt, ...)
{
    struct text out = {0};
    va_list ap;
    va_start(ap, fmt);
    for (const char *p = fmt; *p; p++) {
        if (p[0] == '%' && p[1] == 's') {
            const char *piece = va_arg(ap, const char *);
            url_escape(&out, piece, strlen(piece), "");
            p++;
        } else {
            text_append(&out, p, 1);
        }
    }
    va_end(ap);
    return text_take(&out);
}

static int code_of(int status)
{
    static const struct {
        int status, code;
    } codes[] = {{400, LEAT_EINPUT},    {401, LEAT_EAUTH},       {403, LEAT_EREFUSED},
                 {404, LEAT_ENOTFOUND}, {409, LEAT_EREFUSED},    {413, LEAT_ELIMIT},
                 {429, LEAT_EBUSY},     {503, LEAT_EUNREACHABLE}};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (codes[i].status == status)
            return codes[i].code;
    return LEAT_EINTERNAL;
}

static int refused(const struct http_incoming *in, struct err *err)
{
    cleanup_json json_t *problem = json_read(in->body, in->len, NULL, NULL);
    const char *detail = json_get_string(problem, "detail", NULL);
    if (detail)
        return err_set(err, code_of(in->status), "%s", detail);
    return err_set(err, code_of(in->status), "%s answers %d", client_url(), in->status);
}

/* "Bearer TOKEN" of the user, or of the step that this runs in; NULL = none. */
static char *authorization(void)
{
    const char *token = getenv("LEAT_TOKEN"), *path = getenv("LEAT_TOKEN_FILE");
    cleanup_free char *held = NULL;
    if (!token && path) {
        size_t len = 0;
        token = held = file_read(path, TOKEN_FILE_MAX, &len, NULL);
        if (held)
            held[strcspn(held, "\n")] = '\0';
    }
    return token && *token && !strpbrk(token, "\r\n") ? mem_printf("Bearer %s", token) : NULL;
}

int client_stream(const char *path, const struct client_stream *stream, struct err *err)
{
    cleanup_free char *url = mem_printf("%s%s", client_url(), path);
    cleanup_free char *bearer = authorization();
    const struct http_header headers[] = {{"Accept", "text/event-stream"},
                                          {"Last-Event-ID", stream->last_event_id},
                                          {bearer ? "Authorization" : NULL, bearer},
                                          {0}};
    const struct http_outgoing out = {
        .url = url, .headers = headers, .timeout_us = -1, .silence_us = stream->silence_us};
    struct http_incoming in = {0};
    struct err why = {0};
    if (http_call(&out, stream->piece, stream->arg, &in, &why) < 0)
        return err_set(err, LEAT_EUNREACHABLE, "cannot reach Leat at %s: %s", client_url(),
                       why.text);
    const struct text *problem = stream->problem;
    const struct http_incoming told = {
        .status = in.status, .body = problem->data ? problem->data : "", .len = problem->len};
    const int rc = in.status / 100 == 2 ? in.status : refused(&told, err);
    http_incoming_free(&in);
    return rc;
}

int client_raw(const char *method, const char *path, const void *body, size_t len,
               struct http_incoming *in, struct err *err)
{
    cleanup_free char *url = mem_printf("%s%s", client_url(), path);
    cleanup_free char *bearer = authorization();
    const struct http_header headers[] = {
        {"Content-Type", "application/json"}, {bearer ? "Authorization" : NULL, bearer}, {0}};
    const struct http_outgoing out = {.method = method,
                                      .url = url,
                                      .headers = headers,
                                      .body = body,
                                      .body_len = len,
                                      .max_answer = 1UL << 30};
    struct err why = {0};
    if (http_call(&out, NULL, NULL, in, &why) < 0)
        return err_set(err, LEAT_EUNREACHABLE, "cannot reach Leat at %s: %s", client_url(),
                       why.text);
    if (in->status / 100 == 2)
        return in->status;
    const int rc = refused(in, err);
    http_incoming_free(in);
    return rc;
}

int client_call(const char *method, const char *path, const json_t *body, json_t **answer,
                struct err *err)
{
    struct http_incoming in = {0};
    cleanup_free char *text = body ? json_write(body) : NULL;
    int rc = client_raw(method, path, text, text ? strlen(text) : 0, &in, err);
    if (rc < 0)
        return rc;
    if (answer)
        *answer = in.len ? json_read(in.body, in.len, NULL, err) : NULL;
    if (answer && in.len && !*answer)
        rc = err_set(err, LEAT_EINTERNAL, "the answer of %s is no JSON", client_url());
    http_incoming_free(&in);
    return rc;
}

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/metrics.h"
#include "common/base/text.h"
#include "common/text/json.h"

void api_refuse(struct http_request *req, int code, const char *fmt, ...)
{
    struct err err = {0};
    va_list ap;
    va_start(ap, fmt);
    err_vset(&err, code, fmt, ap);
    va_end(ap);
    http_answer_err(req, &err);
}

void api_answer_json(struct http_request *req, json_t *body)
{
    char *text = json_write(body);
    json_decref(body);
    http_answer_take(req, 200, "application/json", text, strlen(text));
}

static void answer_text(struct http_request *req, const char *json)
{
    http_answer(req, 200, (struct http_header[]){{"Content-Type", "application/json"}, {0}}, json,
                strlen(json));
}

/* By the names in the path, the innermost of them. */
static void refuse_missing(struct http_request *req)
{
    static const char *const things[] = {"event", "limit", "pool", "pipeline"};
    const char *pipeline = http_param(req, "pipeline"), *trigger = http_param(req, "trigger");
    const char *version = http_query(req, "version"), *name = NULL;
    size_t i = 0;
    while (i < ARRAY_LEN(things) && !(name = http_param(req, things[i])))
        i++;
    if (pipeline && trigger)
        api_refuse(req, LEAT_ENOTFOUND, "there is no trigger %s of a pipeline %s", trigger,
                   pipeline);
    else if (pipeline && version && *version)
        api_refuse(req, LEAT_ENOTFOUND, "there is no version %s of a pipeline %s", version,
                   pipeline);
    else if (name)
        api_refuse(req, LEAT_ENOTFOUND, "there is no %s %s", things[i], name);
    else
        api_refuse(req, LEAT_ENOTFOUND, "there is no such thing");
}

void api_answer_row(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    if (answer->err)
        http_answer_err(req, answer->err);
    else if (pg_row_count(answer->rows) == 0)
        refuse_missing(req);
    else
        answer_text(req, pg_text(answer->rows, 0, 0));
}

void api_answer_list(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    if (answer->err) {
        http_answer_err(req, answer->err);
        return;
    }
    cleanup_text struct text out = {0};
    text_printf(&out, "{\"items\":%s,\"next\":null}", pg_text(answer->rows, 0, 0));
    answer_text(req, out.data);
}

static void ask(struct pg *pg, enum query_id query, struct pg_params *params, pg_done *done,
                struct http_request *req)
{
    pg_call(pg, query, params, done, req);
    if (params)
        pg_params_free(params);
}

void api_ask(struct api *api, enum query_id query, struct pg_params *params, pg_done *done,
             struct http_request *req)
{
    ask(api->pg, query, params, done, req);
}

void api_ask_whole(struct api *api, enum query_id query, struct pg_params *params, pg_done *done,
                   struct http_request *req)
{
    ask(api->whole, query, params, done, req);
}

bool api_limit(struct http_request *req, int64_t *limit)
{
    long long n = API_LIST_USUAL;
    const char *text = http_query(req, "limit");
    const bool ok = !text || text_to_int(text, 1, API_LIST_MAX, &n);
    *limit = n;
    if (!ok)
        api_refuse(req, LEAT_EINPUT, "limit must be a number from 1 to %d", API_LIST_MAX);
    return ok;
}

bool api_since(struct http_request *req, int64_t *since_us)
{
    const char *text = http_query(req, "since");
    *since_us = 0;
    const bool ok = !text || !*text || clock_parse(text, since_us) == 0;
    if (!ok)
        api_refuse(req, LEAT_EINPUT, "since must be a time like 2026-01-31T12:00:00Z");
    return ok;
}

json_t *api_body(struct http_request *req)
{
    size_t len;
    struct err err = {0};
    const char *data = http_body(req, &len);
    json_t *body = len ? json_read(data, len, NULL, &err) : json_object();
    if (body && json_is_object(body))
        return body;
    json_decref(body);
    api_refuse(req, LEAT_EINPUT, "%s", err.code ? err.text : "the body must be a JSON object");
    return NULL;
}

void api_health(struct http_request *req, void *arg)
{
    const struct api *api = arg;
    if (pg_is_up(api->pg))
        answer_text(req, "{\"status\":\"ok\"}");
    else
        api_refuse(req, LEAT_EUNREACHABLE, "Postgres does not answer");
}

void api_metrics(struct http_request *req, void *arg)
{
    (void)arg;
    struct text out = {0};
    metrics_write(&out);
    const size_t len = out.len;
    http_answer_take(req, 200, METRICS_CONTENT_TYPE, text_take(&out), len);
}

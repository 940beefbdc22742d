/* Events, workers, sources: lists and single ones as Postgres tells them. */
#include <string.h>

#include "api/api.h"
#include "common/base/clock.h"

void api_events(struct http_request *req, void *arg)
{
    struct pg_params params = {0};
    int64_t limit, since_us, before_us = 0;
    const char *source = http_query(req, "source"), *cursor = http_query(req, "cursor");
    if (!api_limit(req, &limit) || !api_since(req, &since_us))
        return;
    if (cursor && clock_parse(cursor, &before_us) < 0) {
        api_refuse(req, LEAT_EINPUT, "cursor: the time 'received' of the last event seen");
        return;
    }
    pg_add_text(&params, source ? source : "");
    pg_add_time_or_null(&params, since_us);
    pg_add_time_or_null(&params, before_us);
    pg_add_int8(&params, limit);
    api_ask(arg, QUERY_API_EVENTS, &params, api_answer_list, req);
}

static void ask_event(struct http_request *req, struct api *api, enum query_id query)
{
    struct uuid id;
    struct pg_params params = {0};
    if (!uuid_parse(http_param(req, "event"), &id)) {
        api_refuse(req, LEAT_ENOTFOUND, "there is no such event: an event's id is a UUID");
        return;
    }
    pg_add_uuid(&params, &id);
    api_ask(api, query, &params, api_answer_row, req);
}

void api_event(struct http_request *req, void *arg)
{
    ask_event(req, arg, QUERY_API_EVENT);
}

void api_event_envelope(struct http_request *req, void *arg)
{
    ask_event(req, arg, QUERY_API_EVENT_ENVELOPE);
}

void api_workers(struct http_request *req, void *arg)
{
    api_ask(arg, QUERY_API_WORKERS, NULL, api_answer_list, req);
}

void api_sources(struct http_request *req, void *arg)
{
    api_ask(arg, QUERY_API_SOURCES, NULL, api_answer_list, req);
}

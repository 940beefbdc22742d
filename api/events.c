/* Events, workers, sources: lists and single ones as Postgres tells them. */
#include <string.h>

#include "api/api.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/text/json.h"

/* "RECEIVED,ID" of the last event of the page before: many can have come in one microsecond. */
static bool read_cursor(const char *text, int64_t *received_us, struct uuid *id)
{
    const char *comma = strchr(text, ',');
    cleanup_free char *time = mem_bytes(text, comma ? (size_t)(comma - text) : 0);
    return comma && clock_parse(time, received_us) == 0 && uuid_parse(comma + 1, id);
}

static void answer_page(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    int64_t limit;
    if (answer->err) {
        http_answer_err(req, answer->err);
        return;
    }
    const char *rows = pg_text(answer->rows, 0, 0);
    json_t *items = json_read(rows, strlen(rows), NULL, NULL);
    const size_t n = json_array_size(items);
    const json_t *last = n ? json_array_get(items, n - 1) : NULL;
    json_t *next = json_null();
    if (api_limit(req, &limit) && n == (size_t)limit)
        next = json_sprintf("%s,%s", json_get_string(last, "received", ""),
                            json_get_string(last, "id", ""));
    api_answer_json(req, json_pack("{s:o, s:o}", "items", items, "next", next));
}

void api_events(struct http_request *req, void *arg)
{
    struct pg_params params = {0};
    struct uuid before = {{0}};
    int64_t limit, since_us, before_us = 0;
    const char *source = http_query(req, "source"), *cursor = http_query(req, "cursor");
    if (!api_limit(req, &limit) || !api_since(req, &since_us))
        return;
    if (cursor && !read_cursor(cursor, &before_us, &before)) {
        api_refuse(req, LEAT_EINPUT, "cursor: take it from 'next' of the page before");
        return;
    }
    pg_add_text(&params, source ? source : "");
    pg_add_time_or_null(&params, since_us);
    pg_add_time_or_null(&params, before_us);
    pg_add_uuid(&params, &before);
    pg_add_int8(&params, limit);
    api_ask(arg, QUERY_API_EVENTS, &params, answer_page, req);
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

void api_sources(struct http_request *req, void *arg)
{
    api_ask(arg, QUERY_API_SOURCES, NULL, api_answer_list, req);
}

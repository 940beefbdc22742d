#include "api/api.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/text/cron.h"
#include "common/text/json.h"
#include "common/text/zone.h"

void api_pipelines(struct http_request *req, void *arg)
{
    api_ask(arg, QUERY_API_PIPELINES, NULL, api_answer_list, req);
}

void api_pipeline(struct http_request *req, void *arg)
{
    struct pg_params params = {0};
    const char *version = http_query(req, "version");
    pg_add_text(&params, http_param(req, "pipeline"));
    pg_add_text(&params, version ? version : "");
    api_ask(arg, QUERY_API_PIPELINE, &params, api_answer_row, req);
}

/* One statement: the answer comes after its commit, so that an event published later meets what
 * was asked for. Twice is once: the row only moves to where it is. */
static void move(struct http_request *req, struct api *api, bool paused, bool deleted)
{
    struct pg_params params = {0};
    pg_add_text(&params, http_param(req, "pipeline"));
    pg_add_bool(&params, paused);
    pg_add_bool(&params, deleted);
    api_ask(api, QUERY_API_PIPELINE_MOVE, &params, api_answer_row, req);
}

void api_pipeline_pause(struct http_request *req, void *arg)
{
    move(req, arg, true, false);
}

void api_pipeline_resume(struct http_request *req, void *arg)
{
    move(req, arg, false, false);
}

static void move_trigger(struct http_request *req, struct api *api, bool paused)
{
    struct pg_params params = {0};
    pg_add_text(&params, http_param(req, "pipeline"));
    pg_add_text(&params, http_param(req, "trigger"));
    pg_add_bool(&params, paused);
    api_ask(api, QUERY_API_TRIGGER_MOVE, &params, api_answer_row, req);
}

void api_trigger_pause(struct http_request *req, void *arg)
{
    move_trigger(req, arg, true);
}

void api_trigger_resume(struct http_request *req, void *arg)
{
    move_trigger(req, arg, false);
}

void api_pipeline_remove(struct http_request *req, void *arg)
{
    move(req, arg, false, true);
}

/* ---- triggers ------------------------------------------------------------------------------ */

static void add_next_tick(json_t *trigger, int64_t now_us)
{
    struct cron cron;
    char text[CLOCK_TEXT];
    cleanup_zone struct zone *zone = zone_load(json_get_string(trigger, "timezone", "UTC"), NULL);
    if (!zone || json_get_bool(trigger, "paused", false) ||
        cron_parse(json_get_string(trigger, "schedule", ""), &cron, NULL) < 0)
        return;
    const int64_t next_us = cron_next(&cron, zone, now_us);
    if (next_us <= 0)
        return;
    clock_format(next_us, text);
    json_object_set_new(trigger, "next", json_string(text));
}

static void answer_triggers(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    json_t *trigger;
    size_t i;
    if (answer->err) {
        http_answer_err(req, answer->err);
        return;
    }
    const char *rows = pg_text(answer->rows, 0, 0);
    json_t *items = json_read(rows, strlen(rows), NULL, NULL);
    const int64_t now_us = clock_wall_us();
    json_array_foreach (items, i, trigger)
        if (strcmp(json_get_string(trigger, "kind", ""), "cron") == 0)
            add_next_tick(trigger, now_us);
    api_answer_json(req, json_pack("{s:o, s:n}", "items", items, "next"));
}

void api_triggers(struct http_request *req, void *arg)
{
    api_ask(arg, QUERY_API_TRIGGERS, NULL, answer_triggers, req);
}

void api_experiments(struct http_request *req, void *arg)
{
    api_ask(arg, QUERY_API_EXPERIMENTS, NULL, api_answer_list, req);
}

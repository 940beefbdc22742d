/* retry, rerun, only: a new run that repeats a finished one. */
#include <stdlib.h>
#include <string.h>

#include "api/commands.h"
#include "api/pins.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

/* ["a", "b"] as "a,b"; NULL when it is something else. malloc'd. */
static char *steps_text(const json_t *steps)
{
    struct text out = {0};
    const json_t *step;
    size_t i;
    json_array_foreach (steps, i, step) {
        const char *name = json_string_value(step);
        if (!name || !*name || strchr(name, ',')) {
            text_free(&out);
            return NULL;
        }
        text_printf(&out, "%s%s", i ? "," : "", name);
    }
    return out.data;
}

/* Publishes it: a new run that repeats this one. Takes body and warnings (NULL = none). */
static void repeat(struct api *api, struct http_request *req, const struct uuid *run, int kind,
                   json_t *body, json_t *warnings)
{
    cleanup_free char *steps = steps_text(json_object_get(body, "steps"));
    struct command c = {.kind = kind,
                        .id = uuid_v7_now(clock_wall_us() / US_PER_MS),
                        .run = uuid_v7_now(clock_wall_us() / US_PER_MS),
                        .of = *run,
                        .from = json_get_string(body, "from", NULL),
                        .pipeline = json_get_string(body, "pipeline", NULL),
                        .version = json_get_string(body, "version", NULL),
                        .name = json_get_string(body, "name", NULL),
                        .experiment = json_get_string(body, "experiment", NULL),
                        .params = json_get_object(body, "params"),
                        .steps = steps,
                        .no_cache = json_get_bool(body, "no_cache", false),
                        .anyway = json_get_bool(body, "anyway", false)};
    if (kind == COMMAND_KIND_ONLY && (!steps || !c.pipeline))
        api_refuse(req, LEAT_EINPUT, "give 'pipeline', and 'steps', a list of names");
    else
        commands_submit(api, req, &c, &c.run, QUERY_API_RUN_BRIEF, warnings);
    json_decref(body);
}

static void retry_run(struct api *api, struct http_request *req, const struct uuid *run)
{
    json_t *body = api_body(req);
    if (body)
        repeat(api, req, run, COMMAND_KIND_RETRY, body, NULL);
}

void api_run_retry(struct http_request *req, void *arg)
{
    api_find_run(arg, req, retry_run);
}

static void only_run(struct api *api, struct http_request *req, const struct uuid *run)
{
    json_t *body = api_body(req);
    if (body)
        repeat(api, req, run, COMMAND_KIND_ONLY, body, NULL);
}

void api_run_only(struct http_request *req, void *arg)
{
    api_find_run(arg, req, only_run);
}

/* ---- rerun ---------------------------------------------------------------------------------- */

struct rerun {
    struct api *api;
    struct http_request *req;
    struct uuid run;
    json_t *body;
};

static void pins_seen(void *arg, const char *gone, const char *unlooked, const struct err *err)
{
    struct rerun *r = arg;
    json_t *warnings = unlooked ? json_pack("[s]", unlooked) : NULL;
    if (err)
        http_answer_err(r->req, err);
    else if (gone)
        api_refuse(
            r->req, LEAT_EREFUSED,
            "what that run pinned can no longer be had: %s (--anyway makes the run, and what "
            "wants it fails)%s%s",
            gone, unlooked ? "; " : "", unlooked ? unlooked : "");
    else
        repeat(r->api, r->req, &r->run, COMMAND_KIND_RERUN, json_incref(r->body),
               json_incref(warnings));
    json_decref(warnings);
    json_decref(r->body);
    free(r);
}

/* The scheduler knows whether pipeline and event are there still, and not what is in the store. */
static void rerun_run(struct api *api, struct http_request *req, const struct uuid *run)
{
    json_t *body = api_body(req);
    if (!body)
        return;
    if (json_get_bool(body, "anyway", false)) {
        repeat(api, req, run, COMMAND_KIND_RERUN, body, NULL);
        return;
    }
    struct rerun *r = mem_alloc(sizeof *r);
    *r = (struct rerun){api, req, *run, body};
    pins_look(api, run, pins_seen, r);
}

void api_run_rerun(struct http_request *req, void *arg)
{
    api_find_run(arg, req, rerun_run);
}

/* run, cancel: by hand, or by a step with its run's token. */
#include <stdlib.h>
#include <string.h>

#include "api/commands.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

struct start {
    struct api *api;
    json_t *body;
    struct uuid run;
    struct uuid attempt, by_run; /* the cause; nil = none */
};

static void start_over(struct start *s)
{
    json_decref(s->body);
    free(s);
}

static void publish_run(struct start *s, struct http_request *req)
{
    char attempt[UUID_TEXT], by[UUID_TEXT + 16];
    uuid_format(&s->attempt, attempt);
    snprintf(by, sizeof by, "attempt %s", attempt);
    struct command c = {
        .kind = COMMAND_KIND_RUN,
        .run = s->run,
        .id = uuid_v7_now(clock_wall_us() / US_PER_MS), /* its verdict is of now; what there is
                                                           once, whoever asks again, is the run */
        .pipeline = json_get_string(s->body, "pipeline", NULL),
        .version = json_get_string(s->body, "version", NULL),
        .name = json_get_string(s->body, "name", NULL),
        .experiment = json_get_string(s->body, "experiment", NULL),
        .params = json_get_object(s->body, "params"),
        .no_cache = json_get_bool(s->body, "no_cache", false),
        .by = uuid_is_nil(&s->attempt) ? NULL : by,
    };
    commands_submit(s->api, req, &c, &s->run, QUERY_API_RUN_BRIEF, NULL);
    start_over(s);
}

static void cause_kept(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    struct start *s = http_context(req);
    if (!answer->err) {
        publish_run(s, req);
        return;
    }
    http_answer_err(req, answer->err);
    start_over(s);
}

/* The cause is kept first: a run is never seen without it. */
static void start_run(struct start *s, struct http_request *req)
{
    struct pg_params params = {0};
    if (uuid_is_nil(&s->attempt)) {
        publish_run(s, req);
        return;
    }
    pg_add_uuid(&params, &s->run);
    pg_add_uuid(&params, &s->attempt);
    pg_add_uuid(&params, &s->by_run);
    api_ask(s->api, QUERY_API_RUN_CAUSE, &params, cause_kept, req);
}

static void run_named(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    struct start *s = http_context(req);
    if (answer->err) {
        http_answer_err(req, answer->err);
        start_over(s);
        return;
    }
    s->run = pg_uuid(answer->rows, 0, 0);
    start_run(s, req);
}

/* A step's keys are its run's own: they never name what others have started. */
static char *scoped_key(const struct start *s, const char *key)
{
    char run[UUID_TEXT];
    uuid_format(&s->by_run, run);
    return uuid_is_nil(&s->attempt) ? mem_string(key) : mem_printf("run/%s/%s", run, key);
}

void api_run_start_by(struct api *api, struct http_request *req, const struct uuid *attempt,
                      const struct uuid *by_run)
{
    json_t *body = api_body(req);
    if (!body)
        return;
    const char *key = json_get_string(body, "idempotency_key", NULL);
    if (!json_get_string(body, "pipeline", NULL) || (key && (!*key || strlen(key) > 256))) {
        json_decref(body);
        api_refuse(req, LEAT_EINPUT,
                   "give 'pipeline', and an idempotency_key of 1 to 256 characters or none");
        return;
    }
    struct start *s = mem_alloc(sizeof *s);
    *s = (struct start){api, body, uuid_v7_now(clock_wall_us() / US_PER_MS), *attempt, *by_run};
    http_set_context(req, s);
    if (!key) {
        start_run(s, req);
        return;
    }
    struct pg_params params = {0};
    cleanup_free char *scoped = scoped_key(s, key);
    pg_add_text(&params, scoped);
    pg_add_uuid(&params, &s->run);
    api_ask(api, QUERY_API_IDEMPOTENCY, &params, run_named, req);
}

void api_run_start(struct http_request *req, void *arg)
{
    static const struct uuid nobody = {{0}};
    api_run_start_by(arg, req, &nobody, &nobody);
}

static void cancel_run(struct api *api, struct http_request *req, const struct uuid *run)
{
    struct command c = {.kind = COMMAND_KIND_CANCEL, .run = *run};
    c.id = uuid_v7_now(clock_wall_us() / US_PER_MS);
    commands_submit(api, req, &c, run, QUERY_API_RUN_BRIEF, NULL);
}

void api_run_cancel(struct http_request *req, void *arg)
{
    api_find_run(arg, req, cancel_run);
}

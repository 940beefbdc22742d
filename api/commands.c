/* run, cancel, retry, rerun, only, approve: the command is published, then its verdict is awaited:
 * from the change records that the scheduler writes with each batch, and, as those are only quick,
 * by a look at command_done once a second. A command has one id however often it is published, so
 * that sending it again after doubt is harmless: the inbox drops the repeat. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/changes.h"
#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "schema/gen/messages.h"

#define VERDICT_US  (5 * US_PER_S)
#define LOOK_US     (1 * US_PER_S)
#define COMMENT_MAX 4096

struct waiting {
    struct commands *all;
    struct http_request *req;
    struct uuid id, run; /* of the command; of the run to show */
    char *worker;        /* to show instead; NULL = the run */
    enum query_id shown; /* the statement that shows it */
    char *body;
    size_t len;
    int64_t until_us;
    struct loop_timer timer;
    bool publishing; /* its delivery report is still to come: a verdict may be here before that */
    bool asking;     /* a look is under way */
    bool over;       /* answered; freed when report and look have come back */
    struct waiting *next;
};

struct commands {
    struct api *api;
    struct waiting *first;
};

static void unlink_waiting(struct waiting *w)
{
    for (struct waiting **at = &w->all->first; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    loop_timer_stop(&w->timer);
    w->over = true;
}

static void release(struct waiting *w)
{
    if (w->asking || w->publishing)
        return;
    free(w->body);
    free(w->worker);
    free(w);
}

static void show_accepted(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    if (answer->err || pg_row_count(answer->rows) == 0) {
        api_answer_row(arg, answer);
        return;
    }
    const char *json = pg_text(answer->rows, 0, 0);
    http_answer(req, 201, (struct http_header[]){{"Content-Type", "application/json"}, {0}}, json,
                strlen(json));
}

static void verdict(struct waiting *w, const char *status, const char *detail)
{
    struct pg_params params = {0};
    unlink_waiting(w);
    if (strcmp(status, "accepted") == 0) {
        if (w->worker)
            pg_add_text(&params, w->worker);
        else
            pg_add_uuid(&params, &w->run);
        api_ask(w->all->api, w->shown, &params, w->worker ? api_answer_row : show_accepted, w->req);
    } else {
        const bool busy = strcmp(status, "busy") == 0;
        const bool missing = strstr(detail, "there is no ") || strstr(detail, "unknown pipeline");
        const int code = busy ? LEAT_EBUSY : missing ? LEAT_ENOTFOUND : LEAT_EREFUSED;
        api_refuse(w->req, code, "%s", detail);
    }
}

static void give_up(struct waiting *w)
{
    char run[UUID_TEXT];
    uuid_format(&w->run, run);
    unlink_waiting(w);
    char *body = mem_printf("{\"id\":\"%s\",\"state\":\"unknown\"}", w->worker ? w->worker : run);
    http_answer_take(w->req, 202, "application/json", body, strlen(body));
}

static void look(void *arg);

static void looked(void *arg, const struct pg_answer *answer)
{
    struct waiting *w = arg;
    w->asking = false;
    if (!w->over && !answer->err && pg_row_count(answer->rows) > 0)
        verdict(w, pg_text(answer->rows, 0, 0), pg_text(answer->rows, 0, 1));
    else if (!w->over && clock_monotonic_us() >= w->until_us)
        give_up(w);
    if (w->over)
        release(w);
    else
        loop_timer_start(w->all->api->loop, &w->timer, LOOK_US, 0, look, w);
}

static void look(void *arg)
{
    struct waiting *w = arg;
    struct pg_params params = {0};
    pg_add_uuid(&params, &w->id);
    w->asking = true;
    pg_call(w->all->api->pg, QUERY_API_COMMAND_DONE, &params, looked, w);
    pg_params_free(&params);
}

static void take_change(void *arg, const struct change *change)
{
    struct commands *all = arg;
    for (size_t i = 0; i < change->commands_count; i++)
        for (struct waiting *w = all->first, *next; w; w = next) {
            next = w->next;
            if (uuid_compare(&w->id, &change->commands[i].id) != 0)
                continue;
            verdict(w, change->commands[i].status, change->commands[i].detail);
            release(w);
        }
}

static void missed(void *arg)
{
    (void)arg; /* each looks once a second anyway */
}

struct commands *commands_open(struct api *api)
{
    struct commands *all = mem_alloc(sizeof *all);
    all->api = api;
    changes_listen(api->changes, &(struct changes_listener){take_change, missed, all});
    return all;
}

static void delivered(void *arg, const struct err *err, int32_t partition, int64_t offset)
{
    struct waiting *w = arg;
    (void)partition, (void)offset;
    w->publishing = false;
    failpoint_hit(FAILPOINT_COMMAND_PUBLISH_AFTER);
    if (w->over) {
        release(w);
    } else if (err) {
        unlink_waiting(w);
        struct err unavailable = {0};
        err_set(&unavailable, LEAT_EUNREACHABLE, "the queue did not take the command: %s",
                err->text);
        http_answer_err(w->req, &unavailable);
        release(w);
    } else {
        loop_timer_start(w->all->api->loop, &w->timer, LOOK_US, 0, look, w);
    }
}

/* Publishes the command and waits. Strings of `c` are borrowed during the call only. */
static void submit(struct api *api, struct http_request *req, struct command *c,
                   const struct uuid *shown, enum query_id query)
{
    char at[CLOCK_TEXT];
    struct waiting *w = mem_alloc(sizeof *w);
    clock_format(clock_wall_us(), at);
    c->v = 1;
    c->at = at;
    if (*http_caller(req)) /* what a token says goes before what a body says */
        c->by = http_caller(req);
    c->by = c->by ? c->by : http_peer(req);
    *w = (struct waiting){
        .all = api->commands, .req = req, .id = c->id, .run = *shown, .publishing = true};
    w->shown = query;
    w->worker = mem_string(c->worker);
    w->until_us = clock_monotonic_us() + VERDICT_US;
    w->body = command_encode(c, &w->len);
    w->next = api->commands->first;
    api->commands->first = w;
    failpoint_hit(FAILPOINT_COMMAND_PUBLISH_BEFORE);
    bus_publish(api->bus, TOPIC_COMMANDS, c->run.b, sizeof c->run.b, w->body, w->len, 0, delivered,
                w);
}

/* ---- run ------------------------------------------------------------------------------------ */

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
    submit(s->api, req, &c, &s->run, QUERY_API_RUN_BRIEF);
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

/* ---- cancel, retry, rerun, only -------------------------------------------------------------- */

static void cancel_run(struct api *api, struct http_request *req, const struct uuid *run)
{
    struct command c = {.kind = COMMAND_KIND_CANCEL, .run = *run};
    c.id = uuid_v7_now(clock_wall_us() / US_PER_MS);
    submit(api, req, &c, run, QUERY_API_RUN_BRIEF);
}

void api_run_cancel(struct http_request *req, void *arg)
{
    api_find_run(arg, req, cancel_run);
}

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

/* A new run that repeats this one. */
static void repeat_run(struct api *api, struct http_request *req, const struct uuid *run, int kind)
{
    cleanup_json json_t *body = api_body(req);
    cleanup_free char *steps = body ? steps_text(json_object_get(body, "steps")) : NULL;
    if (!body)
        return;
    if (kind == COMMAND_KIND_ONLY && (!steps || !json_get_string(body, "pipeline", NULL))) {
        api_refuse(req, LEAT_EINPUT, "give 'pipeline', and 'steps', a list of names");
        return;
    }
    struct command c = {.kind = kind,
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
    c.id = uuid_v7_now(clock_wall_us() / US_PER_MS);
    submit(api, req, &c, &c.run, QUERY_API_RUN_BRIEF);
}

static void retry_run(struct api *api, struct http_request *req, const struct uuid *run)
{
    repeat_run(api, req, run, COMMAND_KIND_RETRY);
}

void api_run_retry(struct http_request *req, void *arg)
{
    api_find_run(arg, req, retry_run);
}

static void rerun_run(struct api *api, struct http_request *req, const struct uuid *run)
{
    repeat_run(api, req, run, COMMAND_KIND_RERUN);
}

void api_run_rerun(struct http_request *req, void *arg)
{
    api_find_run(arg, req, rerun_run);
}

static void only_run(struct api *api, struct http_request *req, const struct uuid *run)
{
    repeat_run(api, req, run, COMMAND_KIND_ONLY);
}

void api_run_only(struct http_request *req, void *arg)
{
    api_find_run(arg, req, only_run);
}

/* ---- approve -------------------------------------------------------------------------------- */

/* "train/ask[3]" -> 3, and the text ends before it; without a number 0. */
static int64_t cut_iteration(char *step)
{
    char *open = strrchr(step, '[');
    const size_t len = strlen(step);
    long long n = 0;
    if (!open || step[len - 1] != ']')
        return 0;
    step[len - 1] = '\0';
    if (!text_to_int(open + 1, 1, INT32_MAX, &n))
        step[len - 1] = ']';
    else
        *open = '\0';
    return n;
}

static int answer_parse(const char *text)
{
    static const int ALL[] = {COMMAND_ANSWER_APPROVED, COMMAND_ANSWER_REJECTED};
    for (size_t i = 0; i < ARRAY_LEN(ALL); i++)
        if (strcmp(text, command_answer_name(ALL[i])) == 0)
            return ALL[i];
    return COMMAND_ANSWER_NONE;
}

static int check_answer(const json_t *body, struct err *err)
{
    const char *comment = json_get_string(body, "comment", ""),
               *by = json_get_string(body, "by", "");
    if (!json_get_string(body, "step", NULL))
        return err_set(err, LEAT_EINPUT, "step: name the step that waits");
    if (strlen(comment) > COMMENT_MAX)
        return err_set(err, LEAT_EINPUT, "comment: at most %d bytes", COMMENT_MAX);
    return *by && !text_is_name(by, 63) ? err_set(err, LEAT_EINPUT, "by: 1 to 63 of a-z 0-9 . _ -")
                                        : 0;
}

/* Whom it is from: the holder of the token; a body may say so only where no token does. */
static bool is_own(struct http_request *req, const json_t *body)
{
    const char *caller = http_caller(req), *by = json_get_string(body, "by", caller);
    struct err err = {0};
    if (!*caller || strcmp(by, caller) == 0)
        return true;
    err_set(&err, LEAT_EREFUSED, "this token is %s's: nobody answers for another", caller);
    http_problem(req, 403, &err);
    return false;
}

static void approve_run(struct api *api, struct http_request *req, const struct uuid *run)
{
    cleanup_json json_t *body = api_body(req);
    struct err err = {0};
    if (!body)
        return;
    struct command c = {.kind = COMMAND_KIND_APPROVE,
                        .run = *run,
                        .answer = answer_parse(json_get_string(body, "answer", "approved")),
                        .comment = json_get_string(body, "comment", NULL),
                        .by = json_get_string(body, "by", NULL)};
    if (check_answer(body, &err) == 0 && c.answer == COMMAND_ANSWER_NONE)
        err_set(&err, LEAT_EINPUT, "answer: approved or rejected");
    if (err.code) {
        api_refuse(req, LEAT_EINPUT, "%s", err.text);
        return;
    }
    if (!is_own(req, body))
        return;
    cleanup_free char *step = mem_string(json_get_string(body, "step", ""));
    c.iteration = cut_iteration(step);
    c.step = step;
    c.id = uuid_v7_now(clock_wall_us() / US_PER_MS);
    submit(api, req, &c, run, QUERY_API_RUN_BRIEF);
}

void api_run_approve(struct http_request *req, void *arg)
{
    api_find_run(arg, req, approve_run);
}

/* ---- workers -------------------------------------------------------------------------------- */

/* Keyed by the worker, so that what is said of one stays in order. */
static void say_of_worker(struct api *api, struct http_request *req, int kind, enum query_id shown)
{
    const char *name = http_param(req, "worker");
    if (strlen(name) > 64 || strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                          "0123456789-_.") != strlen(name)) {
        api_refuse(req, LEAT_ENOTFOUND, "there is no such worker");
        return;
    }
    struct command c = {.kind = kind,
                        .id = uuid_v7_now(clock_wall_us() / US_PER_MS),
                        .run = uuid_v5(&UUID_LEAT, name, strlen(name)),
                        .worker = name};
    submit(api, req, &c, &c.run, shown);
}

void api_worker_drain(struct http_request *req, void *arg)
{
    say_of_worker(arg, req, COMMAND_KIND_DRAIN, QUERY_API_WORKER_BRIEF);
}

void api_worker_resume(struct http_request *req, void *arg)
{
    say_of_worker(arg, req, COMMAND_KIND_RESUME, QUERY_API_WORKER_BRIEF);
}

void api_worker_remove(struct http_request *req, void *arg)
{
    say_of_worker(arg, req, COMMAND_KIND_REMOVE, QUERY_API_WORKER_REMOVED);
}

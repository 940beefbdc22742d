/* A command is published, then its verdict is awaited:
 * from the change records that the scheduler writes with each batch, and, as those are only quick,
 * by a look at command_done once a second. A command has one id however often it is published, so
 * that sending it again after doubt is harmless: the inbox drops the repeat. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/commands.h"
#include "api/changes.h"
#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "schema/gen/messages.h"

#define VERDICT_US (5 * US_PER_S)
#define LOOK_US    (1 * US_PER_S)

struct waiting {
    struct commands *all;
    struct http_request *req;
    struct uuid id, run; /* of the command; of the run to show */
    char *worker;        /* to show instead; NULL = the run */
    enum query_id shown; /* the statement that shows it */
    json_t *warnings;    /* for the answer; NULL = none */
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
    json_decref(w->warnings);
    free(w->body);
    free(w->worker);
    free(w);
}

/* Takes `shown` and `warnings`. */
static void answer_with(struct http_request *req, int status, json_t *shown, json_t *warnings)
{
    if (warnings)
        json_object_set_new(shown, "warnings", warnings);
    char *body = json_write(shown);
    json_decref(shown);
    http_answer_take(req, status, "application/json", body, strlen(body));
}

static void show_accepted(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    json_t *warnings = http_context(req);
    if (answer->err || pg_row_count(answer->rows) == 0) {
        json_decref(warnings);
        api_answer_row(arg, answer);
        return;
    }
    const char *text = pg_text(answer->rows, 0, 0);
    answer_with(req, 201, json_read(text, strlen(text), NULL, NULL), warnings);
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
        http_set_context(w->req, TAKE(w->warnings));
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
    answer_with(w->req, 202,
                json_pack("{s:s, s:s}", "id", w->worker ? w->worker : run, "state", "unknown"),
                TAKE(w->warnings));
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

void commands_submit(struct api *api, struct http_request *req, struct command *c,
                     const struct uuid *shown, enum query_id query, json_t *warnings)
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
    w->warnings = warnings;
    w->worker = mem_string(c->worker);
    w->until_us = clock_monotonic_us() + VERDICT_US;
    w->body = command_encode(c, &w->len);
    w->next = api->commands->first;
    api->commands->first = w;
    failpoint_hit(FAILPOINT_COMMAND_PUBLISH_BEFORE);
    bus_publish(api->bus, TOPIC_COMMANDS, c->run.b, sizeof c->run.b, w->body, w->len, 0, delivered,
                w);
}

#include "worker/attempt/event.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/http/client.h"
#include "common/http/url.h"
#include "common/text/json.h"
#include "worker/attempt/attempt.h"
#include "worker/attempt/files.h"
#include "worker/worker.h"

#define TRIES       10
#define TRY_WAIT_US (3 * US_PER_S)

struct fetch {
    struct attempt *attempt;
    event_done *done;
    void *arg;
    char *url;
    int tries;
    struct loop_timer again;
};

static int write_event(const struct attempt *a, const char *text, size_t len, struct err *err)
{
    cleanup_free char *path = attempt_path(a, "event.json");
    return file_write(path, text, len, 0644, err);
}

static void finish(struct fetch *f, const struct err *err)
{
    f->done(f->arg, err);
    loop_timer_stop(&f->again);
    free(f->url);
    free(f);
}

static void ask(void *arg);

static void answered(void *arg, const struct http_incoming *in, const struct err *failed)
{
    struct fetch *f = arg;
    struct err err = {0};
    if (failed)
        err = *failed;
    else if (in->status != 200)
        err_set(&err, in->status >= 500 ? LEAT_EUNREACHABLE : LEAT_EREFUSED, "the API answered %d",
                in->status);
    else if (write_event(f->attempt, in->body, in->len, &err) == 0) {
        finish(f, NULL);
        return;
    }
    if (err.code == LEAT_EUNREACHABLE && ++f->tries < TRIES && !f->attempt->asked) {
        loop_timer_start(f->attempt->worker->loop, &f->again, TRY_WAIT_US, 0, ask, f);
        return;
    }
    err_wrap(&err, "the event could not be fetched");
    finish(f, &err);
}

static void ask(void *arg)
{
    struct fetch *f = arg;
    const struct worker *w = f->attempt->worker;
    cleanup_free char *authorization = w->token ? mem_printf("Bearer %s", w->token) : NULL;
    const struct http_header headers[] = {
        {authorization ? "Authorization" : NULL, authorization},
        {0},
    };
    const struct http_outgoing call = {.url = f->url, .headers = headers};
    http_send(f->attempt->worker->http, &call, answered, f);
}

static void fetch(struct attempt *a, const char *id, event_done *done, void *arg)
{
    cleanup_text struct text escaped = {0};
    url_escape(&escaped, id, strlen(id), NULL);
    struct fetch *f = mem_alloc(sizeof *f);
    *f = (struct fetch){
        .attempt = a,
        .done = done,
        .arg = arg,
        .url = mem_printf("%s/api/v1/events/%s/envelope", a->worker->config->api, escaped.data),
    };
    ask(f);
}

/* The scheduler leaves out the data of an event that would make the order too large. An event of
 * elsewhere that never had any looks the same, and the API's answer is right for it too. */
void event_put(struct attempt *a, event_done *done, void *arg)
{
    const json_t *event = a->order.start->event;
    const char *id = json_get_string(event, "id", NULL);
    const bool is_tick = strcmp(json_get_string(event, "type", ""), "dev.leat.cron") == 0;
    if (id && !is_tick && !json_object_get(event, "data")) {
        fetch(a, id, done, arg);
        return;
    }
    struct err err = {0};
    cleanup_free char *text = json_write_pretty(event);
    const int rc = write_event(a, text, strlen(text), &err);
    done(arg, rc == 0 ? NULL : &err);
}

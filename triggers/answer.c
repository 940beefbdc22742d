#include "triggers/answer.h"

#include <string.h>

#include "common/base/log.h"
#include "common/base/text.h"

void answer_event(struct http_request *req, int status, const struct uuid *event,
                  const char *version, const struct err *err)
{
    char id[UUID_TEXT];
    struct text body = {0};
    if (err) {
        log_warn("an event was not taken", LOG_ERR(err));
        struct err unavailable = {0};
        err_set(&unavailable, LEAT_EUNREACHABLE, "the queue did not take the event; send it again");
        http_answer_err(req, &unavailable);
        return;
    }
    uuid_format(event, id);
    text_printf(&body, "{\"event\":\"%s\"", id);
    if (version) /* digits and dashes */
        text_printf(&body, ",\"version\":\"%s\"", version);
    text_puts(&body, "}\n");
    const size_t len = body.len;
    http_answer_take(req, status, "application/json", text_take(&body), len);
}

void answer_health(struct http_request *req, void *arg)
{
    const struct triggers *t = arg;
    struct err err = {0};
    if (pg_is_up(t->pg)) {
        http_answer_take(req, 200, "application/json", strdup("{\"status\":\"ok\"}\n"), 16);
        return;
    }
    err_set(&err, LEAT_EUNREACHABLE, "Postgres does not answer");
    http_answer_err(req, &err);
}

void answer_metrics(struct http_request *req, void *arg)
{
    (void)arg;
    struct text out = {0};
    metrics_write(&out);
    const size_t len = out.len;
    http_answer_take(req, 200, METRICS_CONTENT_TYPE, text_take(&out), len);
}

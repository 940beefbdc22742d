#include "triggers/publish.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/text/json.h"
#include "schema/gen/messages.h"

#define DATA_INLINE_MAX (256 * 1024) /* bytes of JSON; more goes to the store */

struct pending {
    struct triggers *triggers;
    struct uuid id;
    char *source;
    char *body; /* the encoded event */
    size_t len;
    struct event event; /* only while its data is on the way to the store */
    json_t *keep;       /* what `event` borrows from */
    int64_t began_us;
    published_fn *done;
    void *arg;
};

struct uuid publish_id(const struct draft *draft)
{
    if (!draft->delivery)
        return uuid_v7_now(clock_wall_us() / US_PER_MS);
    const struct uuid space = uuid_v5(&UUID_LEAT, draft->source, strlen(draft->source));
    return uuid_v5(&space, draft->delivery, draft->delivery_len);
}

static void finish(struct pending *p, const struct err *err)
{
    p->done(p->arg, &p->id, err);
    json_decref(p->keep);
    free(p->source);
    free(p->body);
    free(p);
}

static void delivered(void *arg, const struct err *err, int32_t partition, int64_t offset)
{
    struct pending *p = arg;
    (void)partition, (void)offset;
    const struct err injected = {.code = LEAT_EUNKNOWN, .text = "failpoint"};
    if (failpoint_hit(FAILPOINT_DELIVERY_REPORT_BEFORE))
        err = &injected;
    if (!err) {
        series_add(metric_with(&TRIGGER_METRIC[TRIGGER_METRIC_PUBLISHED], p->source, NULL), 1);
        metric_observe(&TRIGGER_METRIC[TRIGGER_METRIC_PUBLISH], clock_monotonic_us() - p->began_us);
    }
    finish(p, err);
    failpoint_hit(FAILPOINT_DELIVERY_REPORT_AFTER);
}

static void send_body(struct pending *p)
{
    failpoint_hit(FAILPOINT_HOOK_PUBLISH_BEFORE);
    bus_publish(p->triggers->bus, TOPIC_EVENTS, p->id.b, sizeof p->id.b, p->body, p->len, 0,
                delivered, p);
    failpoint_hit(FAILPOINT_HOOK_PUBLISH_AFTER);
}

static void body_stored(void *arg, const struct store_object *object, const struct err *err)
{
    struct pending *p = arg;
    if (err) {
        finish(p, err);
        return;
    }
    p->event.data = NULL;
    p->event.dataref = object->hash;
    p->body = event_encode(&p->event, &p->len);
    send_body(p);
}

/* Fills the envelope; strings are borrowed from `keep`, which the pending publish holds. */
static void fill_event(struct pending *p, const struct draft *d, const char *time)
{
    json_t *k = p->keep = json_object();
    json_object_set_new(k, "source", json_string(d->origin));
    json_object_set_new(k, "type", json_string(d->type));
    json_object_set_new(k, "time", json_string(time));
    json_object_set_new(k, "leatsource", json_string(d->source));
    if (d->subject)
        json_object_set_new(k, "subject", json_string(d->subject));
    if (d->pipeline)
        json_object_set_new(k, "pipeline", json_string(d->pipeline));
    if (d->trigger)
        json_object_set_new(k, "trigger", json_string(d->trigger));
    json_object_set(k, "vars", d->vars);
    json_object_set(k, "data", d->data);
    p->event = (struct event){
        .specversion = "1.0",
        .id = p->id,
        .source = json_get_string(k, "source", NULL),
        .type = json_get_string(k, "type", NULL),
        .subject = json_get_string(k, "subject", NULL),
        .time = json_get_string(k, "time", NULL),
        .datacontenttype = d->data ? "application/json" : NULL,
        .leatsource = json_get_string(k, "leatsource", NULL),
        .leatpipeline = json_get_string(k, "pipeline", NULL),
        .leattrigger = json_get_string(k, "trigger", NULL),
        .vars = d->vars,
        .data = d->data,
    };
}

void publish_event(struct triggers *t, const struct draft *draft, published_fn *done, void *arg)
{
    struct pending *p = mem_alloc(sizeof *p);
    char time[CLOCK_TEXT];
    *p = (struct pending){.triggers = t, .done = done, .arg = arg};
    p->id = publish_id(draft);
    p->source = mem_string(draft->source);
    p->began_us = clock_monotonic_us();
    clock_format(draft->time_us ? draft->time_us : clock_wall_us(), time);
    fill_event(p, draft, time);
    cleanup_free char *data = draft->data ? json_write(draft->data) : NULL;
    const size_t len = data ? strlen(data) : 0;
    if (len > DATA_INLINE_MAX) {
        store_put_bytes(t->store, data, len, body_stored, p);
        return;
    }
    p->body = event_encode(&p->event, &p->len);
    send_body(p);
}

/* triggers/publish.h: an event leaves for the queue. */
#pragma once
#include <jansson.h>
#include "common/base/uuid.h"
#include "triggers/triggers.h"

struct draft {          /* borrowed until publish_event returns */
    const char *source; /* name of the declared source; "cron" */
    const char *origin; /* CloudEvent source */
    const char *type;
    const char *subject;  /* NULL = none */
    int64_t time_us;      /* 0 = now */
    const void *delivery; /* the provider's own key of this delivery; NULL = none: a fresh id */
    size_t delivery_len;
    const char *pipeline, *trigger; /* cron: the only ones meant */
    json_t *vars;                   /* NULL = none */
    json_t *data;                   /* NULL = none */
};

/* err NULL: the queue has it. `id` names the event in any case. */
typedef void published_fn(void *arg, const struct uuid *id, const struct err *err);

/* Calls back later from the loop, exactly once. Data over 256 KiB goes to the store first. */
void publish_event(struct triggers *t, const struct draft *draft, published_fn *done, void *arg);

/* The id that this draft gets: UUIDv5(UUIDv5(Leat, source), delivery). */
struct uuid publish_id(const struct draft *draft);

/* CloudEvents 1.0 over HTTP, structured (application/cloudevents+json) and binary (ce-… headers
 * with a JSON body). CloudEvents HTTP Protocol Binding v1.0.2, sections 3.1 and 3.2. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "triggers/hooks/provider.h"

#define EARLIEST_US (30LL * 24 * 3600 * US_PER_S) /* before now; */
#define LATEST_US   (3600 * US_PER_S)             /* after now: times outside are not believed */

static int check(const struct delivery *d, struct err *err)
{
    if (hook_bearer_matches(d))
        return 0;
    return err_set(err, LEAT_EAUTH, "needs 'Authorization: Bearer SECRET'");
}

static bool is_structured(const struct delivery *d)
{
    const char *type = http_header(d->request, "Content-Type");
    return type && text_starts_with(type, "application/cloudevents+json");
}

/* An attribute from the envelope or from its ce- header. */
static const char *attribute(const struct delivery *d, const json_t *envelope, const char *name)
{
    if (envelope)
        return json_get_string(envelope, name, NULL);
    cleanup_free char *header = mem_printf("ce-%s", name);
    return http_header(d->request, header);
}

static int need(const char *value, const char *name, size_t longest, struct err *err)
{
    if (!value || !*value)
        return err_set(err, LEAT_EINPUT, "the CloudEvent has no '%s'", name);
    if (strlen(value) > longest)
        return err_set(err, LEAT_EINPUT, "the CloudEvent's '%s' has over %zu characters", name,
                       longest);
    /* The specification's strings have none; source and id are also joined by one, below. */
    for (const unsigned char *p = (const unsigned char *)value; *p; p++)
        if (*p < ' ' || *p == 0x7f)
            return err_set(err, LEAT_EINPUT, "the CloudEvent's '%s' has a control character", name);
    return 0;
}

static int64_t believable_time(const char *text)
{
    int64_t at = 0;
    const int64_t now = clock_wall_us();
    if (!text || clock_parse(text, &at) < 0 || at < now - EARLIEST_US || at > now + LATEST_US)
        return 0;
    return at;
}

/* Source and id together name an event, by the specification. */
static void set_delivery(struct draft *draft, const char *source, const char *id, json_t *keep)
{
    cleanup_text struct text key = {0};
    text_puts(&key, source);
    text_append(&key, "\n", 1);
    text_puts(&key, id);
    json_object_set_new(keep, "delivery", json_string(key.data));
    draft->delivery = json_get_string(keep, "delivery", NULL);
    draft->delivery_len = key.len;
}

static int normalise(const struct delivery *d, json_t *body, struct draft *draft, json_t **keep,
                     struct err *err)
{
    const json_t *envelope = is_structured(d) ? body : NULL;
    if (is_structured(d) && !json_is_object(body))
        return err_set(err, LEAT_EINPUT, "the body must be a JSON object");
    const char *version = attribute(d, envelope, "specversion");
    const char *id = attribute(d, envelope, "id"), *source = attribute(d, envelope, "source");
    const char *type = attribute(d, envelope, "type"), *subject = attribute(d, envelope, "subject");
    if (need(version, "specversion", 8, err) < 0 || need(id, "id", 512, err) < 0 ||
        need(source, "source", 1024, err) < 0 || need(type, "type", 256, err) < 0)
        return LEAT_EINPUT;
    if (strcmp(version, "1.0") != 0)
        return err_set(err, LEAT_EINPUT, "specversion must be 1.0");
    if (text_starts_with(type, "dev.leat."))
        return err_set(err, LEAT_EINPUT, "types that begin with dev.leat. are Leat's own");
    if (envelope && json_object_get(envelope, "data_base64"))
        return err_set(err, LEAT_EINPUT, "data_base64 is not taken: send JSON data");
    *keep = json_object();
    set_delivery(draft, source, id, *keep);
    draft->origin = source;
    draft->type = type;
    draft->subject = subject && *subject && strlen(subject) <= 2048 ? subject : NULL;
    draft->time_us = believable_time(attribute(d, envelope, "time"));
    draft->data = envelope ? json_object_get(envelope, "data") : body;
    return 0;
}

static const char *const types[] = {"application/cloudevents+json", "application/json", NULL};

const struct hook_provider HOOK_CLOUDEVENTS = {SOURCE_CLOUDEVENTS, check, types,
                                               normalise,          NULL,  NULL};

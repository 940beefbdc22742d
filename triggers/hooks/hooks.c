#include "triggers/hooks/hooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/text/json.h"
#include "triggers/answer.h"
#include "triggers/hooks/provider.h"

static const struct hook_provider *const providers[] = {&HOOK_GITHUB, &HOOK_CLOUDEVENTS,
                                                        &HOOK_GENERIC, &HOOK_S3, &HOOK_MINIO};

static const struct hook_provider *provider_of(const struct source *source)
{
    for (size_t i = 0; i < ARRAY_LEN(providers); i++)
        if (providers[i]->id == source->provider)
            return providers[i];
    return NULL;
}

static void count(struct http_request *req, int status)
{
    char text[8];
    snprintf(text, sizeof text, "%d", status);
    /* Only declared sources get here with another status than 404: labels stay bounded. */
    const char *source = status == 404 ? "unknown" : http_param(req, "source");
    series_add(metric_with(&TRIGGER_METRIC[TRIGGER_METRIC_HOOKS], source, text), 1);
}

static void refuse(struct http_request *req, int status, const struct err *err)
{
    count(req, status);
    http_problem(req, status, err);
}

static void published(void *arg, const struct uuid *id, const struct err *err)
{
    struct http_request *req = arg;
    count(req, err ? 503 : 202);
    answer_event(req, 202, id, NULL, err);
}

/* "application/json; charset=utf-8" is application/json. */
static bool type_is(const char *header, const char *type)
{
    const size_t n = strlen(type);
    return header && strncasecmp(header, type, n) == 0 && (!header[n] || strchr("; \t", header[n]));
}

static bool takes_type(const struct hook_provider *p, const char *header)
{
    for (const char *const *type = p->types; *type; type++)
        if (type_is(header, *type))
            return true;
    return false;
}

static int check_type(const struct hook_provider *p, struct http_request *req, struct err *err)
{
    const char *encoding = http_header(req, "Content-Encoding");
    if (encoding && strcasecmp(encoding, "identity") != 0)
        return err_set(err, LEAT_EINPUT, "Content-Encoding: send the body as it is");
    if (takes_type(p, http_header(req, "Content-Type")))
        return 0;
    return err_set(err, LEAT_EINPUT, "Content-Type: this source takes %s", p->types[0]);
}

/* ---- several events in one body ---------------------------------------------------------------
 */

struct batch {
    struct http_request *request;
    size_t open; /* publishes not answered, and 1 while it is being filled */
    bool any;
    struct uuid first;
    struct err err; /* of the first that failed */
};

static void batch_release(struct batch *b)
{
    if (--b->open > 0)
        return;
    if (b->any || b->err.code) {
        published(b->request, &b->first, b->err.code ? &b->err : NULL);
    } else {
        count(b->request, 204);
        http_answer(b->request, 204, NULL, "", 0);
    }
    free(b);
}

static void one_published(void *arg, const struct uuid *id, const struct err *err)
{
    struct batch *b = arg;
    if (!b->any)
        b->first = *id;
    b->any = true;
    if (err && !b->err.code)
        b->err = *err;
    batch_release(b);
}

/* All are looked at before any is published: a body that is wrong somewhere is refused whole. */
static int check_parts(const struct hook_provider *p, const struct delivery *d, json_t *parts,
                       struct err *err)
{
    size_t i;
    json_t *part;
    json_array_foreach (parts, i, part) {
        struct draft draft = {.source = d->source->name};
        cleanup_json json_t *keep = NULL;
        if (p->normalise(d, part, &draft, &keep, err) < 0)
            return err_wrap(err, "record %zu", i + 1);
    }
    return 0;
}

static void publish_parts(struct triggers *t, const struct hook_provider *p,
                          const struct delivery *d, json_t *parts)
{
    size_t i;
    json_t *part;
    struct batch *b = mem_alloc(sizeof *b);
    *b = (struct batch){.request = d->request, .open = 1};
    json_array_foreach (parts, i, part) {
        struct draft draft = {.source = d->source->name};
        cleanup_json json_t *keep = NULL;
        if (p->normalise(d, part, &draft, &keep, NULL) != 0)
            continue;
        b->open++;
        p->publish(t, d->source, part, one_published, b);
    }
    batch_release(b);
}

static void receive_parts(struct triggers *t, const struct hook_provider *p,
                          const struct delivery *d, const json_t *body)
{
    struct err err = {0};
    cleanup_json json_t *parts = NULL;
    if (p->split(d, body, &parts, &err) < 0 || check_parts(p, d, parts, &err) < 0)
        refuse(d->request, 400, &err);
    else
        publish_parts(t, p, d, parts);
}

/* The secret first, over raw bytes; only then is anything of the body looked at. */
static void receive_for(struct triggers *t, const struct source *source, struct http_request *req)
{
    const struct hook_provider *p = provider_of(source);
    struct delivery d = {.source = source, .request = req};
    struct err err = {0};
    d.body = http_body(req, &d.len);
    if (!p) {
        err_set(&err, LEAT_ENOTFOUND, "source '%s' takes no requests", source->name);
        refuse(req, 404, &err);
    } else if (p->check(&d, &err) < 0) {
        refuse(req, 401, &err);
    } else if (check_type(p, req, &err) < 0) {
        refuse(req, 415, &err);
    } else {
        struct draft draft = {.source = source->name};
        cleanup_json json_t *body = d.len ? json_read(d.body, d.len, NULL, &err) : NULL;
        cleanup_json json_t *keep = NULL;
        if (p->split && (body || !d.len)) {
            receive_parts(t, p, &d, body);
            return;
        }
        const int rc = d.len && !body ? LEAT_EINPUT : p->normalise(&d, body, &draft, &keep, &err);
        if (rc < 0) {
            refuse(req, 400, &err);
        } else if (rc == 1) {
            count(req, 204);
            http_answer(req, 204, NULL, "", 0);
        } else {
            publish_event(t, &draft, published, req);
        }
    }
}

static void receive_after_reading(void *arg, const struct err *err)
{
    struct http_request *req = arg;
    struct triggers *t = http_context(req);
    const struct source *source = catalog_find(t->catalog, http_param(req, "source"));
    struct err unknown = {0};
    if (err) {
        refuse(req, 503, err);
    } else if (!source) {
        err_set(&unknown, LEAT_ENOTFOUND, "there is no source of that name");
        refuse(req, 404, &unknown);
    } else {
        receive_for(t, source, req);
    }
}

void hooks_receive(struct http_request *req, void *arg)
{
    struct triggers *t = arg;
    const struct source *source = catalog_find(t->catalog, http_param(req, "source"));
    http_set_context(req, t);
    if (source && (source->secret || !source->secret_name))
        receive_for(t, source, req);
    else
        catalog_read(t->catalog, receive_after_reading,
                     req); /* it may have been applied just now */
}

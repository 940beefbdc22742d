/* triggers/hooks/provider.h: what differs between those who call a hook. One file a provider, one
 * row in hooks.c. Pure: bytes in, a verdict or a draft out. */
#pragma once
#include <jansson.h>
#include "common/http/server.h"
#include "triggers/catalog.h"
#include "triggers/publish.h"

struct delivery { /* a request, as the provider sees it */
    const struct source *source;
    struct http_request *request;
    const char *body;
    size_t len;
};

struct hook_provider {
    enum source_provider id;
    /* Does the request prove to know the secret? Sees headers and raw bytes only; constant time in
     * the secret. LEAT_EAUTH. */
    int (*check)(const struct delivery *d, struct err *err);
    /* Media types of the body, ends with NULL. */
    const char *const *types;
    /* 0: *draft is filled, *keep owns what it borrows (besides the request). 1: a ping, answered
     * 204. LEAT_EINPUT: malformed, the text says where. `body` is NULL when the provider's events
     * may have none. */
    int (*normalise)(const struct delivery *d, json_t *body, struct draft *draft, json_t **keep,
                     struct err *err);
    /* NULL, or: one body may hold several events. How many; *parts is an array of them, each of
     * which goes through normalise. All are on the queue before the answer, which names the first.
     */
    int (*split)(const struct delivery *d, const json_t *body, json_t **parts, struct err *err);
    /* With split: publishes a part that normalise has found good; instead of publish_event. */
    void (*publish)(struct triggers *t, const struct source *source, const json_t *part,
                    published_fn *done, void *arg);
};

extern const struct hook_provider HOOK_GITHUB, HOOK_CLOUDEVENTS, HOOK_GENERIC, HOOK_S3, HOOK_MINIO;

/* ---- pieces that several need ---- */
/* `header` is "sha256=HEX", the HMAC-SHA256 of the body under the source's secret. */
bool hook_hmac_matches(const struct delivery *d, const char *header);
/* "Authorization: Basic BASE64(anybody:SECRET)": what a URL with a password becomes. */
bool hook_basic_matches(const struct delivery *d);
/* "Authorization: Bearer SECRET". */
bool hook_bearer_matches(const struct delivery *d);

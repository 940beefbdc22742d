/* tests/support/hook_call.h: one provider of triggers/hooks/provider.h, called by a real request to
 * a real server: its check, and where that passes, its normalise. Uses cmocka's asserts. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "triggers/hooks/provider.h"

struct hook_reply {
    int checked;    /* what check gave */
    int normalised; /* what normalise gave; of no meaning when the check failed */
    char error[640];
    char *type, *subject, *origin; /* NULL = not set */
    char *delivery;                /* delivery_len bytes and a NUL; NULL = none */
    size_t delivery_len;
    int64_t time_us;
    json_t *vars, *data;
};

/* `headers`: lines that end with \r\n. `body` NULL = a request without one. */
void hook_call(const struct hook_provider *provider, const struct source *source,
               const char *headers, const void *body, size_t len, struct hook_reply *reply);
void hook_reply_free(struct hook_reply *reply);
#define cleanup_reply __attribute__((cleanup(hook_reply_free)))

/* "NAME: sha256=HEX\r\n" of the body under the source's secret; to be freed. */
char *hook_signature(const struct source *source, const char *name, const void *body, size_t len);

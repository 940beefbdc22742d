/* One object: is it there, get, put, remove. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/s3/internal.h"

#define BREAKS 5 /* of a download, without a byte between them */

static char *version_query(const char *version)
{
    struct text query = {0};
    if (!version || !*version)
        return NULL;
    s3_query_add(&query, "versionId", version);
    return text_take(&query);
}

int s3_head(struct s3 *s3, const char *key, const char *version, struct s3_answer *answer,
            struct err *err)
{
    cleanup_s3_answer struct s3_answer own = {0};
    cleanup_free char *query = version_query(version);
    const struct s3_call call = {.method = "HEAD", .key = key, .query = query};
    return s3_request(s3, &call, answer ? answer : &own, err);
}

int s3_remove(struct s3 *s3, const char *key, struct err *err)
{
    cleanup_s3_answer struct s3_answer answer = {0};
    const struct s3_call call = {.method = "DELETE", .key = key};
    const int rc = s3_request(s3, &call, &answer, err);
    return rc == LEAT_ENOTFOUND ? 0 : rc;
}

/* ---- get ------------------------------------------------------------------------------------- */

struct getting {
    struct s3 *s3;
    const struct s3_get *get;
    const char *query;
    int64_t at; /* where the next byte is */
    char etag[S3_ETAG_MAX];
};

/* From g->at on. 416 = there is nothing there. */
static int get_rest(struct getting *g, s3_sink_fn *sink, void *arg, struct s3_answer *a,
                    struct err *err)
{
    const struct s3_get *get = g->get;
    const char *headers[3] = {0};
    char range[80], match[S3_ETAG_MAX + 32];
    size_t n = 0;
    if (get->max >= 0)
        snprintf(range, sizeof range, "range: bytes=%lld-%lld", (long long)g->at,
                 (long long)(get->offset + get->max - 1));
    else
        snprintf(range, sizeof range, "range: bytes=%lld-", (long long)g->at);
    if (g->at > 0 || get->max >= 0)
        headers[n++] = range;
    snprintf(match, sizeof match, "if-match: \"%s\"", g->etag);
    if (*g->etag)
        headers[n++] = match;
    const struct s3_call call = {.method = "GET",
                                 .key = get->key,
                                 .query = g->query,
                                 .headers = headers,
                                 .sink = sink,
                                 .arg = arg};
    const int rc = s3_request(g->s3, &call, a, err);
    return rc < 0 && a->status == 416 ? 0 : rc;
}

int s3_get(struct s3 *s3, const struct s3_get *get, s3_sink_fn *sink, void *arg,
           struct s3_answer *answer, struct err *err)
{
    cleanup_s3_answer struct s3_answer own = {0};
    cleanup_free char *query = version_query(get->version);
    struct s3_answer *a = answer ? answer : &own;
    struct getting g = {.s3 = s3, .get = get, .query = query, .at = get->offset};
    if (get->etag)
        s3_etag_copy(g.etag, get->etag);
    int64_t total = -1;
    for (int breaks = 0;;) {
        const int rc = get_rest(&g, sink, arg, a, err);
        if (a->total >= 0 && total < 0)
            total = a->total;
        g.at += a->got;
        breaks = a->got > 0 ? 0 : breaks + 1;
        /* s3_request has tried on its own where not a byte had come. */
        if (rc != LEAT_EUNREACHABLE || a->got == 0 || breaks > BREAKS) {
            a->got = g.at - get->offset;
            a->total = total;
            return rc;
        }
        if (!*g.etag && *a->etag)
            memcpy(g.etag, a->etag, sizeof g.etag);
    }
}

/* ---- put ------------------------------------------------------------------------------------- */

/* After a condition that failed on a repeat: was it our own first try that is there? */
static bool is_ours(struct s3 *s3, const char *key, const struct s3_body *body, const char *sha256)
{
    cleanup_s3_answer struct s3_answer there = {0};
    return s3_head(s3, key, NULL, &there, NULL) == 0 && there.length == body->len &&
           strcmp(there.sha256, sha256) == 0;
}

int s3_put(struct s3 *s3, const char *key, const struct s3_body *body, int flags,
           struct s3_answer *answer, struct err *err)
{
    cleanup_s3_answer struct s3_answer own = {0};
    struct s3_answer *a = answer ? answer : &own;
    char hash[SHA256_HEX], meta[SHA256_HEX + 32];
    const char *headers[4] = {0};
    size_t n = 0;
    struct s3_body hashed = *body;
    if (!hashed.sha256) {
        sha256_hex(body->data, (size_t)body->len, hash);
        hashed.sha256 = hash;
    }
    snprintf(meta, sizeof meta, "x-amz-meta-leat-sha256: %s", hashed.sha256);
    headers[n++] = "content-type: application/octet-stream";
    if (flags & S3_NAMED)
        headers[n++] = meta;
    if (flags & S3_IF_ABSENT)
        headers[n++] = "if-none-match: *";
    const struct s3_call call = {.method = "PUT", .key = key, .headers = headers, .body = &hashed};
    const int rc = s3_request(s3, &call, a, err);
    if (rc == LEAT_EEXISTS && (a->repeated || flags & S3_AGAIN) && (flags & S3_NAMED) &&
        is_ours(s3, key, &hashed, hashed.sha256))
        return 0;
    return rc;
}

/* Multipart uploads. Parts are sent one after the other, straight from the file; each is signed
 * with its hash, so that the server takes no other bytes. Death at any point leaves an upload that
 * the next one of the same key goes on with; a Complete whose answer was lost shows as an object
 * that is there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/s3/internal.h"

#define ROUNDS 3 /* when somebody else completed or aborted our upload */

struct part {
    bool there;
    char etag[S3_ETAG_MAX];
};

struct upload {
    struct s3 *s3;
    const char *key;
    int fd;
    const struct s3_parts *parts;
    int flags;
    char *id;
    struct part *have; /* by number, 0 = part 1 */
};

static void upload_free(struct upload *u)
{
    free(u->id);
    free(u->have);
}
#define cleanup_upload __attribute__((cleanup(upload_free)))

/* ---- what is there --------------------------------------------------------------------------- */

struct upload_listing {
    const char *key; /* exactly this one; NULL = all */
    char *at_key, *id, *found;
    int64_t began_us, before_us;
    struct text old; /* KEY NUL ID NUL … of those that began before before_us */
    int old_count;
    bool truncated;
    char *next_key, *next_id;
};

static void replace(char **field, const char *text)
{
    free(*field);
    *field = mem_string(text);
}

static void take_upload(struct upload_listing *l)
{
    if (!l->at_key || !l->id)
        return;
    if (l->key && strcmp(l->key, l->at_key) == 0)
        replace(&l->found, l->id);
    if (!l->key && l->began_us && l->began_us < l->before_us) {
        text_append(&l->old, l->at_key, strlen(l->at_key) + 1);
        text_append(&l->old, l->id, strlen(l->id) + 1);
        l->old_count++;
    }
}

static void read_uploads(void *arg, const char *name, const char *text)
{
    struct upload_listing *l = arg;
    if (strcmp(name, "Key") == 0)
        replace(&l->at_key, text);
    else if (strcmp(name, "UploadId") == 0)
        replace(&l->id, text);
    else if (strcmp(name, "Initiated") == 0)
        l->began_us = s3_time_parse(text);
    else if (strcmp(name, "Upload") == 0)
        take_upload(l);
    else if (strcmp(name, "IsTruncated") == 0)
        l->truncated = strcmp(text, "true") == 0;
    else if (strcmp(name, "NextKeyMarker") == 0)
        replace(&l->next_key, text);
    else if (strcmp(name, "NextUploadIdMarker") == 0)
        replace(&l->next_id, text);
}

static void listing_free(struct upload_listing *l)
{
    char *const texts[] = {l->at_key, l->id, l->found, l->next_key, l->next_id};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    text_free(&l->old);
}
#define cleanup_listing __attribute__((cleanup(listing_free)))

static int list_uploads(struct s3 *s3, const char *prefix, struct upload_listing *l,
                        struct err *err)
{
    do {
        cleanup_s3_answer struct s3_answer a = {0};
        cleanup_text struct text query = {0};
        if (l->next_key)
            s3_query_add(&query, "key-marker", l->next_key);
        s3_query_add(&query, "prefix", prefix);
        if (l->next_id && l->next_key)
            s3_query_add(&query, "upload-id-marker", l->next_id);
        s3_query_add(&query, "uploads", "");
        const struct s3_call call = {.method = "GET", .query = query.data};
        l->truncated = false;
        int rc = s3_request(s3, &call, &a, err);
        if (rc == 0)
            rc = s3_xml_read(a.body.data ? a.body.data : "", a.body.len, read_uploads, l, err);
        if (rc < 0)
            return rc;
    } while (l->truncated && l->next_key && !l->found);
    return 0;
}

struct part_listing {
    struct upload *upload;
    long long number, size;
    char etag[S3_ETAG_MAX];
    bool truncated;
    char *next;
};

static int64_t part_bytes(const struct s3_parts *parts, size_t index)
{
    const int64_t from = (int64_t)index * parts->part_size;
    return parts->size - from < parts->part_size ? parts->size - from : parts->part_size;
}

static void read_parts(void *arg, const char *name, const char *text)
{
    struct part_listing *l = arg;
    struct upload *u = l->upload;
    if (strcmp(name, "PartNumber") == 0) {
        l->number = strtoll(text, NULL, 10);
    } else if (strcmp(name, "Size") == 0) {
        l->size = strtoll(text, NULL, 10);
    } else if (strcmp(name, "ETag") == 0) {
        s3_etag_copy(l->etag, text);
    } else if (strcmp(name, "IsTruncated") == 0) {
        l->truncated = strcmp(text, "true") == 0;
    } else if (strcmp(name, "NextPartNumberMarker") == 0) {
        replace(&l->next, text);
    } else if (strcmp(name, "Part") == 0 && l->number >= 1 &&
               l->number <= (long long)u->parts->count &&
               l->size == part_bytes(u->parts, (size_t)l->number - 1)) {
        struct part *p = &u->have[l->number - 1];
        p->there = true;
        memcpy(p->etag, l->etag, sizeof p->etag);
    }
}

static int list_parts(struct upload *u, struct err *err)
{
    struct part_listing l = {.upload = u};
    int rc;
    do {
        cleanup_s3_answer struct s3_answer a = {0};
        cleanup_text struct text query = {0};
        if (l.next)
            s3_query_add(&query, "part-number-marker", l.next);
        s3_query_add(&query, "uploadId", u->id);
        const struct s3_call call = {.method = "GET", .key = u->key, .query = query.data};
        l.truncated = false;
        rc = s3_request(u->s3, &call, &a, err);
        if (rc == 0)
            rc = s3_xml_read(a.body.data ? a.body.data : "", a.body.len, read_parts, &l, err);
    } while (rc == 0 && l.truncated && l.next);
    free(l.next);
    return rc;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void read_id(void *arg, const char *name, const char *text)
{
    if (strcmp(name, "UploadId") == 0)
        replace(arg, text);
}

static int create(struct upload *u, struct err *err)
{
    cleanup_s3_answer struct s3_answer a = {0};
    static const char *const headers[] = {"content-type: application/octet-stream", NULL};
    const struct s3_body none = {.data = ""};
    const struct s3_call call = {
        .method = "POST", .key = u->key, .query = "uploads=", .headers = headers, .body = &none};
    int rc = s3_request(u->s3, &call, &a, err);
    if (rc == 0)
        rc = s3_xml_read(a.body.data ? a.body.data : "", a.body.len, read_id, &u->id, err);
    if (rc == 0 && !u->id)
        rc = err_set(err, LEAT_EIO, "%s began an upload without a name", u->s3->where);
    return rc;
}

static int begin(struct upload *u, bool resume, struct err *err)
{
    cleanup_listing struct upload_listing l = {.key = u->key};
    memset(u->have, 0, u->parts->count * sizeof *u->have);
    free(TAKE(u->id));
    /* A service that lists no uploads gets a new one: only bytes are lost by that. */
    if (resume && list_uploads(u->s3, u->key, &l, NULL) == 0 && l.found) {
        u->id = TAKE(l.found);
        if (list_parts(u, NULL) == 0)
            return 0;
        free(TAKE(u->id));
    }
    return create(u, err);
}

static int send_part(struct upload *u, size_t index, struct err *err)
{
    cleanup_s3_answer struct s3_answer a = {0};
    cleanup_text struct text query = {0};
    char number[24];
    snprintf(number, sizeof number, "%zu", index + 1);
    s3_query_add(&query, "partNumber", number);
    s3_query_add(&query, "uploadId", u->id);
    const struct s3_body body = {.fd = u->fd,
                                 .offset = (int64_t)index * u->parts->part_size,
                                 .len = part_bytes(u->parts, index),
                                 .sha256 = u->parts->sha256[index]};
    const struct s3_call call = {
        .method = "PUT", .key = u->key, .query = query.data, .body = &body};
    const int rc = s3_request(u->s3, &call, &a, err);
    if (rc == 0) {
        u->have[index].there = true;
        memcpy(u->have[index].etag, a.etag, sizeof a.etag);
    }
    return rc;
}

/* 200 may be followed by an error in the body (S3's documentation of CompleteMultipartUpload). */
struct completion {
    char code[64];
    bool error;
};

static void read_completion(void *arg, const char *name, const char *text)
{
    struct completion *c = arg;
    if (strcmp(name, "Code") == 0)
        snprintf(c->code, sizeof c->code, "%.60s", text);
    c->error |= strcmp(name, "Error") == 0;
}

static int complete(struct upload *u, struct err *err)
{
    cleanup_s3_answer struct s3_answer a = {0};
    cleanup_text struct text query = {0}, xml = {0};
    struct completion c = {{0}, false};
    const char *headers[] = {"content-type: application/xml",
                             u->flags & S3_IF_ABSENT ? "if-none-match: *" : NULL, NULL};
    s3_query_add(&query, "uploadId", u->id);
    text_puts(&xml, "<CompleteMultipartUpload>");
    for (size_t i = 0; i < u->parts->count; i++)
        text_printf(&xml, "<Part><PartNumber>%zu</PartNumber><ETag>\"%s\"</ETag></Part>", i + 1,
                    u->have[i].etag);
    text_puts(&xml, "</CompleteMultipartUpload>");
    const struct s3_body body = {.data = xml.data, .len = (int64_t)xml.len};
    const struct s3_call call = {
        .method = "POST", .key = u->key, .query = query.data, .headers = headers, .body = &body};
    int rc = s3_request(u->s3, &call, &a, err);
    if (rc == 0)
        rc = s3_xml_read(a.body.data ? a.body.data : "", a.body.len, read_completion, &c, err);
    if (rc == 0 && c.error) {
        memcpy(a.code, c.code, sizeof a.code);
        a.status = 500;
        rc = s3_error(u->s3, &call, &a, err);
    }
    return rc;
}

static void abort_upload(struct s3 *s3, const char *key, const char *id)
{
    cleanup_s3_answer struct s3_answer a = {0};
    cleanup_text struct text query = {0};
    s3_query_add(&query, "uploadId", id);
    const struct s3_call call = {.method = "DELETE", .key = key, .query = query.data};
    (void)s3_request(s3, &call, &a, NULL); /* it goes stale, then */
}

static int send_all(struct upload *u, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < u->parts->count; i++)
        if (!u->have[i].there)
            rc = send_part(u, i, err);
    return rc == 0 ? complete(u, err) : rc;
}

int s3_put_parts(struct s3 *s3, const char *key, int fd, const struct s3_parts *parts, bool resume,
                 int flags, struct err *err)
{
    cleanup_upload struct upload u = {.s3 = s3,
                                      .key = key,
                                      .fd = fd,
                                      .parts = parts,
                                      .flags = flags,
                                      .have = mem_array(parts->count, sizeof *u.have)};
    int rc = 0;
    for (int round = 0; round < ROUNDS; round++) {
        rc = begin(&u, resume, err);
        if (rc == 0)
            rc = send_all(&u, err);
        if (rc != LEAT_ENOTFOUND)
            break;
        /* The upload went away: another one of the same key completed it, as a rule. */
        if (resume && s3_head(s3, key, NULL, NULL, NULL) == 0)
            return 0;
    }
    /* What may be gone on with later is left. */
    const bool keep = resume && rc == LEAT_EUNREACHABLE;
    if (rc < 0 && u.id && !keep)
        abort_upload(s3, key, u.id);
    return rc;
}

int s3_abort_stale(struct s3 *s3, const char *prefix, int64_t before_us, int *count,
                   struct err *err)
{
    cleanup_listing struct upload_listing l = {.before_us = before_us};
    const int rc = list_uploads(s3, prefix, &l, err);
    *count = l.old_count;
    for (size_t at = 0; rc == 0 && at < l.old.len;) {
        const char *key = l.old.data + at, *id = key + strlen(key) + 1;
        abort_upload(s3, key, id);
        at += strlen(key) + strlen(id) + 2;
    }
    return rc;
}

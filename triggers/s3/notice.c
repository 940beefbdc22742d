#include "triggers/s3/notice.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/http/url.h"
#include "common/text/json.h"

#define KEY_MAX       1024
#define AWS_SEQUENCER 16 /* hexadecimal digits at least: a counter has fewer */
#define EARLIEST_US   (30LL * 24 * 3600 * US_PER_S) /* before now; */
#define LATEST_US     (3600 * US_PER_S)             /* after now: times outside are not believed */

void s3_notice_free(struct s3_notice *n)
{
    char *const texts[] = {n->bucket, n->key, n->version, n->etag, n->sequencer};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    *n = (struct s3_notice){0};
}

/* ---- shapes ---------------------------------------------------------------------------------- */

/* SNS: what S3 sent is a text inside. */
static json_t *unwrapped(const json_t *body)
{
    const char *message = json_get_string(body, "Message", NULL);
    return message ? json_read(message, strlen(message), NULL, NULL) : NULL;
}

static bool is_handshake(const json_t *body)
{
    const char *type = json_get_string(body, "Type", "");
    return strcmp(json_get_string(body, "Event", ""), "s3:TestEvent") == 0 ||
           strcmp(type, "SubscriptionConfirmation") == 0 ||
           strcmp(type, "UnsubscribeConfirmation") == 0;
}

int s3_records(const json_t *body, json_t **records, struct err *err)
{
    cleanup_json json_t *inner = unwrapped(body);
    const json_t *said = inner && !is_handshake(body) ? inner : body;
    const json_t *list = json_get_array(said, "Records");
    *records = json_array();
    if (list && json_array_size(list) > S3_NOTICE_RECORDS)
        return err_set(err, LEAT_EINPUT, "over %d Records", S3_NOTICE_RECORDS);
    if (list)
        json_array_extend(*records, (json_t *)(uintptr_t)list);
    else if (json_get_object(said, "detail") && json_get_string(said, "detail-type", NULL))
        json_array_append(*records, (json_t *)(uintptr_t)said);
    else if (!is_handshake(said))
        return err_set(err, LEAT_EINPUT,
                       "this is no notification of S3's: it has no member 'Records' (nor "
                       "EventBridge's 'detail')");
    return (int)json_array_size(*records);
}

/* ---- one record ------------------------------------------------------------------------------ */

static const struct {
    const char *prefix;
    bool deleted;
} KINDS[] = {
    {"ObjectCreated:", false},      {"ObjectRemoved:", true},
    {"LifecycleExpiration:", true}, /* AWS: the bucket's own rule removed it */
    {"Object Created", false},      /* EventBridge */
    {"Object Deleted", true},
};

/* "s3:ObjectCreated:Put" and "ObjectCreated:Put" are the same. */
static int kind_of(const char *name, bool *deleted)
{
    if (text_starts_with(name, "s3:"))
        name += 3;
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
        if (!text_starts_with(name, KINDS[i].prefix))
            continue;
        *deleted = KINDS[i].deleted;
        return 0;
    }
    return 1;
}

/* versitygw writes arn:aws:s3:::/BUCKET/KEY, the others arn:aws:s3:::BUCKET. */
static enum s3_vendor vendor_of(const json_t *record, const json_t *s3, const char *bucket,
                                const char *key)
{
    cleanup_free char *raw = mem_printf("arn:aws:s3:::/%s/%s", bucket, key);
    const char *arn = json_get_string(json_get_object(s3, "bucket"), "arn", "");
    if (strcmp(json_get_string(record, "eventSource", ""), "minio:s3") == 0)
        return S3_MINIO;
    return strcmp(arn, raw) == 0 ? S3_VERSITYGW : S3_AWS;
}

static char *unquoted(const char *etag)
{
    const size_t len = strlen(etag);
    const bool quoted = len >= 2 && etag[0] == '"' && etag[len - 1] == '"';
    return quoted ? mem_bytes(etag + 1, len - 2) : mem_string(etag);
}

/* MinIO's sequencer is the object's Last-Modified in nanoseconds, which a listing tells in
 * milliseconds. Of a removal it is the time of that. */
static int64_t modified_of(const struct s3_notice *n)
{
    char *end;
    const unsigned long long ns = strtoull(n->sequencer, &end, 16);
    if (n->vendor != S3_MINIO || !*n->sequencer || *end || ns > INT64_MAX)
        return 0;
    return (int64_t)(ns / 1000000) * US_PER_MS;
}

static int64_t believable_time(const char *text)
{
    int64_t at = 0;
    const int64_t now = clock_wall_us();
    if (!text || clock_parse(text, &at) < 0 || at < now - EARLIEST_US || at > now + LATEST_US)
        return 0;
    return at;
}

static int fill(struct s3_notice *n, const json_t *bucket, const json_t *object,
                const char *version, const char *etag, struct err *err)
{
    const char *name = json_get_string(bucket, "name", ""),
               *key = json_get_string(object, "key", "");
    if (!*name || strlen(name) > 255)
        return err_set(err, LEAT_EINPUT, "a record without the name of its bucket");
    n->bucket = mem_string(name);
    n->version = mem_string(strcmp(json_get_string(object, version, ""), "null") == 0
                                ? ""
                                : json_get_string(object, version, ""));
    n->etag = unquoted(json_get_string(object, etag, ""));
    n->sequencer = mem_string(json_get_string(object, "sequencer", ""));
    n->size = n->deleted ? -1 : json_get_int(object, "size", -1);
    n->modified_us = modified_of(n);
    return *key ? 0 : err_set(err, LEAT_EINPUT, "a record without the key of its object");
}

static int set_key(struct s3_notice *n, const char *key, bool plain, struct err *err)
{
    n->key = plain ? mem_string(key) : url_unescape(key, strlen(key), true);
    if (!n->key || strlen(n->key) > KEY_MAX)
        return err_set(err, LEAT_EINPUT, "'%.200s' is not the key of an object", key);
    return 0;
}

/* EventBridge: other names for the same, and keys as they are. */
static int read_bridge(const json_t *record, struct s3_notice *n, struct err *err)
{
    const json_t *detail = json_get_object(record, "detail");
    const json_t *object = json_get_object(detail, "object");
    if (kind_of(json_get_string(record, "detail-type", ""), &n->deleted) != 0)
        return 1;
    n->time_us = believable_time(json_get_string(record, "time", NULL));
    const int rc = fill(n, json_get_object(detail, "bucket"), object, "version-id", "etag", err);
    return rc ? rc : set_key(n, json_get_string(object, "key", ""), true, err);
}

int s3_notice_read(const json_t *record, struct s3_notice *out, struct err *err)
{
    *out = (struct s3_notice){.size = -1};
    if (json_get_object(record, "detail"))
        return read_bridge(record, out, err);
    const json_t *s3 = json_get_object(record, "s3"), *object = json_get_object(s3, "object");
    const json_t *bucket = json_get_object(s3, "bucket");
    const char *key = json_get_string(object, "key", "");
    if (kind_of(json_get_string(record, "eventName", ""), &out->deleted) != 0)
        return 1;
    out->vendor = vendor_of(record, s3, json_get_string(bucket, "name", ""), key);
    out->time_us = believable_time(json_get_string(record, "eventTime", NULL));
    const int rc = fill(out, bucket, object, "versionId", "eTag", err);
    return rc ? rc : set_key(out, key, out->vendor == S3_VERSITYGW, err);
}

/* ---- what becomes of it ---------------------------------------------------------------------- */

bool s3_notice_wanted(const struct source *source, const struct s3_notice *n)
{
    const char *bucket = json_get_string(source->config, "bucket", NULL);
    const char *events = json_get_string(source->config, "events", "all");
    return (!bucket || strcmp(bucket, n->bucket) == 0) &&
           (strcmp(events, "all") == 0 ||
            strcmp(events, n->deleted ? "deleted" : "created") == 0) &&
           text_starts_with(n->key, json_get_string(source->config, "prefix", "")) &&
           text_ends_with(n->key, json_get_string(source->config, "suffix", ""));
}

void s3_notice_delivery(const struct s3_notice *n, struct text *out)
{
    text_append(out, n->bucket, strlen(n->bucket) + 1);
    text_append(out, n->key, strlen(n->key) + 1);
    if (*n->version)
        text_printf(out, "v-%s", n->version);
    else if (n->vendor == S3_MINIO && !n->deleted && n->modified_us)
        text_printf(out, "m-%s-%" PRId64 "-%" PRId64, n->etag, n->size,
                    (int64_t)(n->modified_us / US_PER_MS));
    else if (strlen(n->sequencer) >= AWS_SEQUENCER)
        text_printf(out, "s-%s-%" PRId64 "-%s", n->etag, n->size, n->sequencer);
    else
        text_printf(out, "t-%s-%" PRId64 "-%" PRId64 "-%s", n->etag, n->size, n->time_us,
                    n->sequencer);
    if (n->deleted)
        text_puts(out, "-deleted");
}

/* Without versions the eTag stands for one: an object input is then pinned by it. */
static json_t *describe(const struct s3_notice *n)
{
    cleanup_free char *by_etag = *n->etag ? mem_printf("etag:%s", n->etag) : mem_string("");
    json_t *object = json_pack("{s:s, s:s, s:s}", "key", n->key, "version",
                               *n->version ? n->version : by_etag, "etag", n->etag);
    if (n->size >= 0)
        json_object_set_new(object, "size", json_integer(n->size));
    return json_pack("{s:s, s:o}", "bucket", n->bucket, "object", object);
}

void s3_notice_draft(const struct source *source, const struct s3_notice *n,
                     const struct text *delivery, struct draft *draft, json_t **keep)
{
    cleanup_text struct text own = {0};
    cleanup_free char *origin = mem_printf("/buckets/%s", n->bucket);
    if (!delivery)
        s3_notice_delivery(n, &own);
    const struct text *key = delivery ? delivery : &own;
    json_t *data = describe(n);
    /* The delivery has NULs: kept as bytes in hexadecimal digits would be longer than as a string
     * whose length is known. */
    *keep = json_pack("{s:o, s:s, s:s}", "data", data, "origin", origin, "key", n->key);
    json_object_set_new(*keep, "delivery", json_stringn_nocheck(key->data, key->len));
    *draft = (struct draft){
        .source = source->name,
        .origin = json_get_string(*keep, "origin", NULL),
        .type = n->deleted ? "dev.leat.object.deleted" : "dev.leat.object.created",
        .subject = json_get_string(*keep, "key", NULL),
        .time_us = n->time_us,
        .delivery = json_string_value(json_object_get(*keep, "delivery")),
        .delivery_len = key->len,
        .data = data,
    };
}

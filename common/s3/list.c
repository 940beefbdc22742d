/* Listing: ListObjectsV2, or ListObjectVersions where versions are asked for. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/http/url.h"
#include "common/s3/internal.h"

struct listing {
    s3_object_fn *each;
    void *arg;
    bool versions, latest, encoded, stop, truncated, bad;
    char *key, *version, *etag;
    int64_t size, modified_us;
    char *next, *next_key, *next_version;
    char *last_key, *last_version; /* of the last object told */
};

static void replace(char **field, const char *text)
{
    free(*field);
    *field = mem_string(text);
}

/* The names come encoded so that XML can carry each byte of them; not every service does it. */
static char *decoded(const struct listing *l, const char *text)
{
    return l->encoded ? url_unescape(text, strlen(text), true) : mem_string(text);
}

/* versitygw begins a page of versions with what the page before ended with. */
static bool is_repeated(struct listing *l, const char *key, const char *version)
{
    if (l->last_key && strcmp(l->last_key, key) == 0 && strcmp(l->last_version, version) == 0)
        return true;
    replace(&l->last_key, key);
    replace(&l->last_version, version);
    return false;
}

static void take_object(struct listing *l, bool deleted)
{
    cleanup_free char *key = l->key ? decoded(l, l->key) : NULL;
    char etag[S3_ETAG_MAX];
    s3_etag_copy(etag, l->etag ? l->etag : "");
    const bool nameless = !l->version || strcmp(l->version, "null") == 0;
    l->bad |= !key;
    const bool told = !l->versions || l->latest;
    if (key && told && !l->stop && (deleted || !is_repeated(l, key, nameless ? "" : l->version))) {
        const struct s3_object object = {.key = key,
                                         .version = nameless ? "" : l->version,
                                         .etag = etag,
                                         .size = l->size,
                                         .modified_us = l->modified_us,
                                         .deleted = deleted};
        l->stop = !l->each(l->arg, &object);
    }
    free(TAKE(l->version));
    free(TAKE(l->etag));
    l->size = 0;
    l->latest = false;
}

static void read_listing(void *arg, const char *name, const char *text)
{
    struct listing *l = arg;
    if (strcmp(name, "Key") == 0)
        replace(&l->key, text);
    else if (strcmp(name, "VersionId") == 0)
        replace(&l->version, text);
    else if (strcmp(name, "ETag") == 0)
        replace(&l->etag, text);
    else if (strcmp(name, "Size") == 0)
        l->size = strtoll(text, NULL, 10);
    else if (strcmp(name, "LastModified") == 0)
        l->modified_us = s3_time_parse(text);
    else if (strcmp(name, "IsLatest") == 0)
        l->latest = strcmp(text, "true") == 0;
    else if (strcmp(name, "Contents") == 0 || strcmp(name, "Version") == 0)
        take_object(l, false);
    else if (strcmp(name, "DeleteMarker") == 0)
        take_object(l, true);
    else if (strcmp(name, "IsTruncated") == 0)
        l->truncated = strcmp(text, "true") == 0;
    else if (strcmp(name, "NextContinuationToken") == 0)
        replace(&l->next, text);
    else if (strcmp(name, "NextKeyMarker") == 0)
        replace(&l->next_key, text);
    else if (strcmp(name, "NextVersionIdMarker") == 0)
        replace(&l->next_version, text);
}

/* It stands before or after the objects: looked for first. */
static void read_encoding(void *arg, const char *name, const char *text)
{
    struct listing *l = arg;
    l->encoded |= strcmp(name, "EncodingType") == 0 && strcmp(text, "url") == 0;
}

static void make_query(const struct listing *l, const char *prefix, struct text *query)
{
    if (!l->versions) {
        if (l->next)
            s3_query_add(query, "continuation-token", l->next);
        s3_query_add(query, "encoding-type", "url");
        s3_query_add(query, "list-type", "2");
        s3_query_add(query, "prefix", prefix);
        return;
    }
    cleanup_free char *marker = l->next_key ? decoded(l, l->next_key) : NULL;
    s3_query_add(query, "encoding-type", "url");
    if (marker)
        s3_query_add(query, "key-marker", marker);
    s3_query_add(query, "prefix", prefix);
    if (marker && l->next_version)
        s3_query_add(query, "version-id-marker", l->next_version);
    s3_query_add(query, "versions", "");
}

static int read_page(struct s3 *s3, struct listing *l, const char *prefix, struct err *err)
{
    cleanup_s3_answer struct s3_answer a = {0};
    cleanup_text struct text query = {0};
    make_query(l, prefix, &query);
    const struct s3_call call = {.method = "GET", .query = query.data};
    l->truncated = l->encoded = false;
    int rc = s3_request(s3, &call, &a, err);
    const char *xml = a.body.data ? a.body.data : "";
    if (rc == 0)
        rc = s3_xml_read(xml, a.body.len, read_encoding, l, err);
    if (rc == 0)
        rc = s3_xml_read(xml, a.body.len, read_listing, l, err);
    if (rc == 0 && l->bad)
        rc = err_set(err, LEAT_EIO, "%s listed a key that cannot be decoded", s3->where);
    return rc;
}

int s3_list(struct s3 *s3, const char *prefix, bool versions, s3_object_fn *each, void *arg,
            struct err *err)
{
    struct listing l = {.each = each, .arg = arg, .versions = versions};
    int rc;
    do
        rc = read_page(s3, &l, prefix, err);
    while (rc == 0 && l.truncated && !l.stop && (versions ? l.next_key : l.next));
    char *const texts[] = {l.key,      l.version,      l.etag,     l.next,
                           l.next_key, l.next_version, l.last_key, l.last_version};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    return rc;
}

#include "worker/executor/bucket_s3.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/s3/s3.h"
#include "common/store/store.h"
#include "common/text/json.h"

#define BY_ETAG "etag:"

struct bucket_s3 {
    struct s3 *s3;
};

int bucket_s3_open(const json_t *where, struct bucket_s3 **out, struct err *err)
{
    const char *style = json_get_string(where, "style", "auto");
    const struct s3_settings settings = {
        .bucket = json_get_string(where, "bucket", ""),
        .endpoint = json_get_string(where, "endpoint", NULL),
        .region = json_get_string(where, "region", NULL),
        .style = strcmp(style, "path") == 0   ? S3_PATH
                 : strcmp(style, "host") == 0 ? S3_HOST
                                              : S3_AUTO,
        .credentials_text = json_get_string(where, "credentials", ""),
    };
    struct s3 *s3 = NULL;
    const int rc = s3_open(&settings, &s3, err);
    if (rc < 0)
        return rc;
    *out = mem_alloc(sizeof **out);
    (*out)->s3 = s3;
    return 0;
}

void bucket_s3_close(struct bucket_s3 *bucket)
{
    if (bucket)
        s3_close(bucket->s3);
    free(bucket);
}

/* ---- listing --------------------------------------------------------------------------------- */

struct listing {
    const char *suffix;
    struct bucket_list *list;
    struct err *err;
    int rc;
};

static int set_version(struct bucket_object *o, const char *version, const char *etag,
                       struct err *err)
{
    const int n = *version ? snprintf(o->version, sizeof o->version, "%s", version)
                           : snprintf(o->version, sizeof o->version, BY_ETAG "%s", etag);
    if (n > 0 && (size_t)n < sizeof o->version)
        return 0;
    return err_set(err, LEAT_ELIMIT, "'%.200s': its versionId has over %zu characters", o->key,
                   sizeof o->version - 1);
}

static int add(struct listing *l, const struct s3_object *object)
{
    if (!store_name_ok(object->key))
        return err_set(l->err, LEAT_EINPUT, "'%.200s' cannot be the path of a file", object->key);
    if (l->list->count == BUCKET_OBJECTS)
        return err_set(l->err, LEAT_ELIMIT,
                       "there are more than %d objects; give a prefix or suffix", BUCKET_OBJECTS);
    bucket_add(l->list, object->key);
    struct bucket_object *o = &l->list->objects[l->list->count - 1];
    o->size = object->size;
    o->modified_us = object->modified_us;
    return set_version(o, object->version, object->etag, l->err);
}

/* Keys that end with '/' are what some tools write for a folder. */
static bool take(void *arg, const struct s3_object *object)
{
    struct listing *l = arg;
    const bool folder = text_ends_with(object->key, "/") && object->size == 0;
    if (!object->deleted && !folder && text_ends_with(object->key, l->suffix))
        l->rc = add(l, object);
    return l->rc == 0;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct bucket_object *)a)->key, ((const struct bucket_object *)b)->key);
}

int bucket_s3_list(struct bucket_s3 *bucket, const char *prefix, const char *suffix,
                   struct bucket_list *out, struct err *err)
{
    struct listing l = {.suffix = suffix, .list = out, .err = err};
    int rc = s3_list(bucket->s3, prefix, true, take, &l, err);
    if (rc == LEAT_EREFUSED || rc == LEAT_EINPUT) { /* it knows no versions */
        bucket_list_free(out);
        l.rc = 0;
        rc = s3_list(bucket->s3, prefix, false, take, &l, err);
    }
    if (rc == 0)
        rc = l.rc;
    if (rc == 0 && out->count > 0)
        qsort(out->objects, out->count, sizeof *out->objects, by_key);
    return rc;
}

int bucket_s3_look(struct bucket_s3 *bucket, const char *key, const char *version,
                   struct bucket_list *out, struct err *err)
{
    cleanup_s3_answer struct s3_answer a = {0};
    const bool by_etag = version && text_starts_with(version, BY_ETAG);
    const int rc = s3_head(bucket->s3, key, by_etag ? NULL : version, &a, err);
    if (rc == LEAT_ENOTFOUND && version)
        return err_set(err, rc, "version %.72s of %.200s is no longer in bucket %.100s", version,
                       key, s3_bucket(bucket->s3));
    if (rc == LEAT_ENOTFOUND)
        return err_set(err, rc, "%.200s is not in bucket %.100s", key, s3_bucket(bucket->s3));
    if (rc < 0)
        return rc;
    if (by_etag && strcmp(version + strlen(BY_ETAG), a.etag) != 0)
        return err_set(err, LEAT_ENOTFOUND,
                       "version %.72s of %.200s is no longer in bucket %.100s, it is now etag:%s",
                       version, key, s3_bucket(bucket->s3), a.etag);
    bucket_add(out, key);
    struct bucket_object *o = &out->objects[out->count - 1];
    o->size = a.length;
    o->modified_us = a.modified_us;
    const bool versioned = *a.version && strcmp(a.version, "null") != 0;
    return set_version(o, by_etag ? "" : versioned ? a.version : "", a.etag, err);
}

/* ---- fetching -------------------------------------------------------------------------------- */

struct saving {
    int fd, saved_errno;
    int64_t size;
};

static bool save(void *arg, const void *data, size_t len)
{
    struct saving *to = arg;
    to->size += (int64_t)len;
    if (fd_write(to->fd, data, len) < 0)
        to->saved_errno = errno;
    return to->saved_errno == 0;
}

int bucket_s3_fetch(struct bucket_s3 *bucket, struct bucket_object *o, const char *path,
                    struct err *err)
{
    const bool by_etag = text_starts_with(o->version, BY_ETAG);
    const struct s3_get get = {.key = o->key,
                               .version = by_etag ? NULL : o->version,
                               .etag = by_etag ? o->version + strlen(BY_ETAG) : NULL,
                               .max = -1};
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "%s", path);
    struct saving to = {.fd = fd};
    int rc = s3_get(bucket->s3, &get, save, &to, NULL, err);
    if (to.saved_errno)
        rc = err_errno(err, to.saved_errno, "%s", path);
    if (rc < 0)
        unlink(path);
    else
        o->size = to.size;
    return rc;
}

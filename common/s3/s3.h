/* common/s3/s3.h: one bucket of an S3 service: AWS, MinIO, versitygw and others that speak it.
 * Amazon S3 API Reference, version 2006-03-01; signatures (SigV4) are libcurl's.
 * Everything here blocks (network, with tries) and is for a thread of a pool; all of it may be
 * called by several threads at once. Nothing here logs a credential or puts one into an error. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/text.h"

#define S3_KEY_MAX     1024        /* bytes of a key: S3's own limit */
#define S3_VERSION_MAX 1024        /* of a versionId: S3's own limit */
#define S3_ETAG_MAX    128         /* longer ones are cut, then they match nothing */
#define S3_PART_MIN    (5LL << 20) /* S3's least, but for the last */
#define S3_PARTS_MAX   10000       /* S3's most */
#define S3_OBJECT_MAX  (5LL << 40) /* bytes of an object: S3's own limit */

enum s3_style { S3_AUTO, S3_PATH, S3_HOST };
extern const char *const S3_STYLES[]; /* "auto", "path", "host", NULL */

struct s3;

struct s3_settings {
    const char *bucket;
    const char *endpoint; /* "http[s]://HOST[:PORT]"; NULL = AWS's of the region */
    const char *region;   /* NULL = AWS_REGION, AWS_DEFAULT_REGION, us-east-1 */
    enum s3_style style;  /* AUTO: host style at AWS, path style at an endpoint of one's own */
    /* Where credentials come from: this text ("KEY:SECRET", "KEY:SECRET:TOKEN", or the form of
     * ~/.aws/credentials); else this file; else AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
     * AWS_SESSION_TOKEN; else AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials. */
    const char *credentials_text;
    const char *credentials_file;
};

/* Reads credentials, speaks to nobody. LEAT_EINPUT (a bad name, URL), LEAT_EAUTH (no credentials,
 * with where they were looked for). */
int s3_open(const struct s3_settings *settings, struct s3 **out, struct err *err);
void s3_close(struct s3 *s3); /* no call may be under way; NULL is allowed */
/* "s3://BUCKET at https://…", for messages. */
const char *s3_where(const struct s3 *s3);
const char *s3_bucket(const struct s3 *s3);

/* What came back. Zero-initialised; freed with s3_answer_free. */
struct s3_answer {
    int status;          /* 0 = none came */
    int64_t length;      /* Content-Length of the answer; -1 = not told */
    int64_t total;       /* bytes of the whole object (Content-Range, else length); -1 = not told */
    int64_t modified_us; /* Last-Modified, 0 = not told */
    int64_t got;         /* bytes that the sink took */
    char etag[S3_ETAG_MAX]; /* without its quotes */
    char version[S3_VERSION_MAX + 1];
    char sha256[SHA256_HEX]; /* x-amz-meta-leat-sha256: of what we wrote under a name */
    char code[64];           /* S3's own name of an error */
    bool repeated;           /* it was sent more than once: an earlier one may have taken effect */
    struct text body;        /* when there was no sink, or an error */
};
void s3_answer_free(struct s3_answer *answer);
#define cleanup_s3_answer __attribute__((cleanup(s3_answer_free)))

/* Pieces of an object; false = stop, which makes the call LEAT_EIO. */
typedef bool s3_sink_fn(void *arg, const void *data, size_t len);

/* Bytes to be sent: of memory, or of a file from `offset` on. */
struct s3_body {
    const void *data; /* NULL = of the file */
    int fd;
    int64_t offset, len;
    const char *sha256; /* of these bytes, in hex; NULL = reckoned here (memory only). Signed with
                           the request, so that the server refuses any other bytes */
};

/* All return 0, or < 0: LEAT_ENOTFOUND (no such key or version), LEAT_EEXISTS (a condition did not
 * hold), LEAT_EAUTH, LEAT_EREFUSED (no such bucket, and what else needs a person), LEAT_EFULL,
 * LEAT_ELIMIT, LEAT_EINPUT, LEAT_EIO (not the bytes that were announced), LEAT_EUNREACHABLE (after
 * tries with backoff; worth another try later). `answer` may be NULL. */
int s3_head(struct s3 *s3, const char *key, const char *version, struct s3_answer *answer,
            struct err *err);
int s3_remove(struct s3 *s3, const char *key, struct err *err);

struct s3_get {
    const char *key;
    const char *version; /* NULL = the present one */
    const char *etag;    /* If-Match: LEAT_EEXISTS when it is another by now; NULL = any */
    int64_t offset, max; /* at most max bytes from offset; max < 0 = to the end */
};
/* Goes on where a broken connection left off, with If-Match. Past the end: no bytes, no error. */
int s3_get(struct s3 *s3, const struct s3_get *get, s3_sink_fn *sink, void *arg,
           struct s3_answer *answer, struct err *err);

enum {
    S3_IF_ABSENT = 1, /* If-None-Match: *; LEAT_EEXISTS when something is there */
    S3_NAMED = 2,     /* keep the body's sha256 as metadata */
    S3_AGAIN = 4,     /* an earlier call may have put it: what is there may be ours */
};
int s3_put(struct s3 *s3, const char *key, const struct s3_body *body, int flags,
           struct s3_answer *answer, struct err *err);

/* Multipart. `parts`: sha256 of each part_size bytes of the file (the last may be shorter). With
 * `resume`, parts that an earlier upload of the same key left are not sent again: only right when
 * the key fixes the bytes, as a hash does. What fails for good is aborted. */
struct s3_parts {
    int64_t size, part_size;
    size_t count;
    char (*sha256)[SHA256_HEX];
};
int s3_put_parts(struct s3 *s3, const char *key, int fd, const struct s3_parts *parts, bool resume,
                 int flags, struct err *err);
/* Aborts uploads below the prefix that began before `before_us`. How many went: *count. */
int s3_abort_stale(struct s3 *s3, const char *prefix, int64_t before_us, int *count,
                   struct err *err);

/* ---- listing ---- */
struct s3_object {
    const char *key;
    const char *version; /* "" when the bucket has no versions, or they were not asked for */
    const char *etag;
    int64_t size, modified_us;
    bool deleted; /* a delete marker */
};
/* false = enough. */
typedef bool s3_object_fn(void *arg, const struct s3_object *object);
/* The present objects below a prefix ("" = all), in the order of their keys' bytes. `versions`:
 * with their versionId; a service that cannot tell answers LEAT_EREFUSED. Pages of 1,000. */
int s3_list(struct s3 *s3, const char *prefix, bool versions, s3_object_fn *each, void *arg,
            struct err *err);

/* worker/executor/bucket_s3.h: what lies in a bucket of an S3 service. Blocking: for a thread. */
#pragma once
#include <jansson.h>
#include "common/base/err.h"
#include "worker/executor/bucket.h"

struct bucket_s3;

/* `where`: {"bucket", "endpoint", "region", "style", "credentials"}, as leat-api tells it. */
int bucket_s3_open(const json_t *where, struct bucket_s3 **out, struct err *err);
void bucket_s3_close(struct bucket_s3 *bucket); /* takes NULL; the credentials are wiped */

/* Present objects with this prefix and suffix, sorted by byte, each with its version: the
 * versionId, or "etag:ETAG" where the bucket has none. As bucket_scan otherwise. */
int bucket_s3_list(struct bucket_s3 *bucket, const char *prefix, const char *suffix,
                   struct bucket_list *out, struct err *err);
/* One object; `version` NULL = the present one. */
int bucket_s3_look(struct bucket_s3 *bucket, const char *key, const char *version,
                   struct bucket_list *out, struct err *err);
/* Its bytes, of exactly its version, into the new file `path`; o->size is what came.
 * LEAT_EEXISTS: without versions, and another one is there by now. Nothing is left on failure. */
int bucket_s3_fetch(struct bucket_s3 *bucket, struct bucket_object *o, const char *path,
                    struct err *err);

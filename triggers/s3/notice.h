/* triggers/s3/notice.h: what S3 services say when an object comes or goes. Pure.
 *
 * Three speak, as they were seen (docs/sources.md has the bodies): MinIO (keys as in a form), AWS
 * (the same; also wrapped by EventBridge, keys plain, and by SNS), versitygw (keys plain, eTags in
 * quotes, sequencer a counter that begins anew). Amazon S3 User Guide, "Event message structure"
 * and "EventBridge event message structure". */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "common/base/err.h"
#include "common/base/text.h"
#include "triggers/catalog.h"
#include "triggers/publish.h"

#define S3_NOTICE_RECORDS 1000 /* in one body */

enum s3_vendor { S3_AWS, S3_MINIO, S3_VERSITYGW };

struct s3_notice {
    enum s3_vendor vendor;
    bool deleted;
    char *bucket, *key;
    char *version;       /* "" = the bucket has none */
    char *etag;          /* without quotes; "" = not told */
    char *sequencer;     /* "" = none */
    int64_t size;        /* -1 = not told */
    int64_t time_us;     /* when it happened, by the service's clock; 0 = not told */
    int64_t modified_us; /* Last-Modified to the millisecond, where the vendor tells it; 0 = not */
};
void s3_notice_free(struct s3_notice *notice);
#define cleanup_s3_notice __attribute__((cleanup(s3_notice_free)))

/* How many records a body holds, and the n-th. 0 for a body that is a test or a handshake.
 * LEAT_EINPUT (< 0) when it has none of the shapes. Records are new references. */
int s3_records(const json_t *body, json_t **records, struct err *err);

/* 0 = *out is filled. 1 = it says nothing of a coming or going (access, tags, restores). */
int s3_notice_read(const json_t *record, struct s3_notice *out, struct err *err);

/* Its bucket, prefix, suffix and events, as the source says them. */
bool s3_notice_wanted(const struct source *source, const struct s3_notice *notice);

/* The key of the delivery: bucket NUL key NUL what tells this state of the object from others:
 *   its versionId; else at MinIO eTag, size and Last-Modified in ms (which its sequencer is, and
 * which a listing says too); else at AWS eTag, size and sequencer; else eTag, size, time and
 * sequencer. */
void s3_notice_delivery(const struct s3_notice *notice, struct text *out);

/* The event; *keep (a new reference) owns what the draft borrows besides the source. `delivery`
 * NULL = s3_notice_delivery's. */
void s3_notice_draft(const struct source *source, const struct s3_notice *notice,
                     const struct text *delivery, struct draft *draft, json_t **keep);

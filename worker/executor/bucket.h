/* worker/executor/bucket.h: what lies in a directory bucket. Blocking: for a thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include "common/base/err.h"
#include "common/base/hash.h"

#define BUCKET_OBJECTS 100000 /* in one set */
#define BUCKET_VERSION 72

struct bucket_object {
    char *key;
    char version[BUCKET_VERSION]; /* "" until it is pinned */
    int64_t size, modified_us;
    char sha256[SHA256_HEX];
};

struct bucket_list {
    struct bucket_object *objects; /* by key */
    size_t count, cap;
};

/* mtime_ns-inode-size: what PUT fixed before the rename, a scan finds and inotify sees. */
void bucket_version(const struct stat *st, char out[BUCKET_VERSION]);

/* Keys of FOLDER with this prefix and suffix, sorted by byte. Names that begin with ".leat-" are
 * uploads under way; links and special files are no objects. LEAT_ENOTFOUND: no such bucket;
 * LEAT_EINPUT names a key that cannot be one; LEAT_ELIMIT. */
int bucket_scan(const char *folder, const char *prefix, const char *suffix, struct bucket_list *out,
                struct err *err);
void bucket_add(struct bucket_list *list, const char *key);
void bucket_list_free(struct bucket_list *list);
/* {"bucket", "objects": [{"key", "version", "size", "sha256", "modified"}]}; malloc'd. */
char *bucket_manifest(const char *bucket, const struct bucket_list *list);

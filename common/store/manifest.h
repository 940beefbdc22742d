/* common/store/manifest.h: what a folder in the store holds. Pure.
 * As JSON, one line, entries sorted by path, so that equal folders have equal hashes:
 *   {"kind":"folder","files":[{"path":"a/b.csv","mode":420,"size":12,"sha256":"…"}],
 *    "folders":["empty"]}
 * "folders" lists the empty ones only and is left out when there are none. Modes are 0644 or 0755.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/text.h"

#define MANIFEST_ENTRIES 100000
#define MANIFEST_BYTES   (64 << 20)

struct manifest_entry {
    char *path; /* as store_name_ok demands, "/" between the segments */
    int mode;   /* 0644, 0755; 0 = an empty folder */
    int64_t size;
    char sha256[SHA256_HEX];
};

struct manifest {
    struct manifest_entry *entries;
    size_t count, cap;
};

/* Copies the path. Checks nothing. */
void manifest_add(struct manifest *m, const char *path, int mode, int64_t size, const char *sha256);
void manifest_encode(struct manifest *m, struct text *out); /* sorts m */
/* Refuses (LEAT_EINPUT, with the entry) bad and repeated paths, hashes, modes, and sizes. */
int manifest_decode(const char *json, size_t len, struct manifest *out, struct err *err);
int64_t manifest_bytes(const struct manifest *m); /* sum of the sizes */
size_t manifest_files(const struct manifest *m);
void manifest_free(struct manifest *m); /* back to empty */
#define cleanup_manifest __attribute__((cleanup(manifest_free)))

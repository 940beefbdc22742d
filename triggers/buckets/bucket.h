/* triggers/buckets/bucket.h: directory buckets. A bucket is a folder, an object a regular file in
 * it by its key; a version is mtime_ns-inode-size, so that an upload, inotify and a scan give the
 * same one, and with it the same event id. What was announced is kept in Postgres: a scan at start
 * announces what appeared, changed or went away while nobody looked. */
#pragma once
#include <sys/stat.h>
#include "triggers/triggers.h"
#include "triggers/publish.h"

#define BUCKET_VERSION_TEXT 72
#define BUCKET_TEMPORARY    ".leat-" /* files and folders that begin with it are never objects */
#define BUCKET_OBJECT_MAX   (5LL * 1024 * 1024 * 1024)

struct bucket;

int buckets_open(struct triggers *t, struct buckets **out, struct err *err);
void buckets_close(struct buckets *buckets); /* takes NULL */
/* Follows the catalog: watches what is declared, forgets what is not. */
void buckets_follow(struct buckets *buckets);

struct bucket *buckets_find(struct buckets *buckets, const char *name); /* NULL = not declared */
const char *bucket_root(const struct bucket *bucket);
const char *bucket_source(const struct bucket *bucket);

/* Segments of letters that a file may have, none of them "." or ".." or temporary. */
bool bucket_key_ok(const char *key);
void bucket_version(const struct stat *st, char out[BUCKET_VERSION_TEXT]);

/* An object lies at `key` as `st` says. Announces it unless this version was announced; `done` (may
 * be NULL) is answered in any case. An announcement that fails is made up for by a scan. */
void bucket_seen(struct bucket *bucket, const char *key, const struct stat *st, published_fn *done,
                 void *arg);
/* Nothing lies at `key` any more. */
void bucket_gone(struct bucket *bucket, const char *key);
/* Looks at every file, off the loop's thread; one at a time. */
void bucket_scan(struct bucket *bucket);

/* inotify of one bucket's folders; calls bucket_seen, bucket_gone, and bucket_scan on overflow. */
struct watch;
int watch_open(struct bucket *bucket, struct loop *loop, struct watch **out, struct err *err);
void watch_close(struct watch *watch); /* takes NULL */
/* Watches a folder below the root ("" = the root) and those in it. Cheap when it is watched. */
void watch_folder(struct watch *watch, const char *relative);

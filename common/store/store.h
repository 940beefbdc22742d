/* common/store/store.h: where artifacts and logs lie: a directory, or a bucket of an S3 service.
 * Objects are addressed by the SHA-256 of their bytes (64 lower-case hex digits) and never change.
 * Named objects (logs/RUN/…/000001) have names that a reader can predict.
 * An object appears whole or not at all, also across a crash.
 *
 * Operations are asynchronous: they run on the loop's thread pool and call back on the loop.
 * Operations started together run side by side: wait for one before relying on it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/loop.h"

#define STORE_NAME_MAX 512 /* bytes of a name */

struct store;

struct store_options { /* zero-initialised = the usual */
    int64_t
        keep_free; /* directory: bytes of the file system that stay free; 0 = 64 MiB; < 0 = none */
    /* S3 (common/s3/s3.h says what they mean): */
    const char *endpoint, *region, *credentials;
    int style;         /* enum s3_style */
    int64_t part_size; /* larger files go in parts; 0 = 16 MiB; S3 wants 5 MiB at least */
    int64_t retry_us;  /* how long an operation goes on while the service is away; 0 = 10 s */
    const char *spool; /* folder for store_open_fd's files without a name; NULL = /tmp */
};

/* `where`: a directory, made when absent; or s3://BUCKET[/PREFIX], a bucket that exists. Cleans
 * what a crash left (temporary files older than an hour, uploads older than a week). Blocking: at
 * start only. `options` may be NULL. An S3 service that does not answer is no error here; wrong
 * credentials and a bucket that is missing are. */
int store_open(struct loop *loop, const char *where, const struct store_options *options,
               struct store **out, struct err *err);
/* After the last callback only. NULL is allowed. */
void store_close(struct store *store);

/* 1 to STORE_NAME_MAX bytes of UTF-8: segments joined by '/', no empty, "." or ".." segment, no
 * leading or trailing '/', no control character or backslash, no segment over 255 bytes. (Named
 * objects may besides not begin with "objects/" or "tmp/", the store's own.) */
bool store_name_ok(const char *name);
bool store_hash_ok(const char *hash);

struct store_object {
    char hash[SHA256_HEX]; /* "" for named objects */
    int64_t size;          /* bytes; of a folder: of its files together */
    int64_t files;         /* of a folder: how many; else 1 */
    char *data;            /* store_read: size bytes and a NUL; else NULL. Freed after the call */
    int64_t total;         /* store_read: bytes of the whole object */
    bool exists;           /* store_exists */
};

/* Exactly once for each operation. `err` is NULL on success; else LEAT_ENOTFOUND, LEAT_EFULL (with
 * the path and the bytes), LEAT_EINPUT (a bad name, a file that is none), LEAT_ELIMIT, LEAT_EIO;
 * S3 besides: LEAT_EUNREACHABLE (tried for retry_us), LEAT_EAUTH, LEAT_EREFUSED (no such bucket).
 */
typedef void store_done_fn(void *arg, const struct store_object *object, const struct err *err);

enum {
    STORE_MOVE = 1,    /* put: the source is ours to take (not hard-linked, nobody writes it) */
    STORE_DURABLE = 2, /* put_named: fsync before it counts as done; objects always are */
    STORE_REPLACE = 4, /* put_named: overwrite; without it an existing name is LEAT_EEXISTS */
    STORE_EXEC = 8,    /* get: mode 0755 instead of 0644 */
};

/* A regular file (a symbolic link is refused) to its hash, when absent. The source is copied,
 * since its owner may change it later, or moved with STORE_MOVE (it is gone afterwards). */
void store_put_file(struct store *store, const char *path, int flags, store_done_fn *done,
                    void *arg);
/* The same of bytes in memory; copied before this returns. */
void store_put_bytes(struct store *store, const void *data, size_t len, store_done_fn *done,
                     void *arg);
/* A folder: each file to its hash, then a manifest (common/store/manifest.h) whose hash is the
 * folder's. Symbolic links and special files inside are refused by name. */
void store_put_folder(struct store *store, const char *path, store_done_fn *done, void *arg);

/* Writes the object to `path`, which must not exist (its parent must), and checks its hash on the
 * way: LEAT_EIO names an object that is not what it should be, and leaves nothing. */
void store_get_file(struct store *store, const char *hash, const char *path, int flags,
                    store_done_fn *done, void *arg);
/* Writes a folder by its manifest's hash. `path` is made and must not exist. */
void store_get_folder(struct store *store, const char *hash, const char *path, store_done_fn *done,
                      void *arg);

/* The names at the top of a folder, files and folders alike, sorted by their bytes: `data` is a
 * JSON list of them, `files` how many. LEAT_ELIMIT when there are more than `most`. */
struct store_names {
    size_t count, bytes; /* of the list, as JSON */
};
void store_list_folder(struct store *store, const char *hash, struct store_names most,
                       store_done_fn *done, void *arg);

void store_put_named(struct store *store, const char *name, const void *data, size_t len, int flags,
                     store_done_fn *done, void *arg);
/* The file's content under a name (merged logs). STORE_MOVE as above. */
void store_put_named_file(struct store *store, const char *name, const char *path, int flags,
                          store_done_fn *done, void *arg);

/* `key` is a hash or a name. Read: at most `max` bytes from `offset` on; fewer at the end, none
 * past it. Exists also tells the size. Remove of what is absent succeeds. */
void store_read(struct store *store, const char *key, int64_t offset, size_t max,
                store_done_fn *done, void *arg);
void store_exists(struct store *store, const char *key, store_done_fn *done, void *arg);
void store_remove(struct store *store, const char *key, store_done_fn *done, void *arg);

/* A file descriptor (read-only, at its start) of an object, for http_answer_fd; the callback's to
 * close. A directory opens the file; S3 fetches the object into a file without a name below
 * `spool`, checked, and costs its size there until the descriptor is closed. fd < 0: err says why.
 */
typedef void store_fd_fn(void *arg, int fd, int64_t size, const struct err *err);
void store_open_fd(struct store *store, const char *key, store_fd_fn *done, void *arg);

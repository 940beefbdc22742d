/* common/store/store_internal.h: the table that every kind of store fills. */
#pragma once
#include "common/store/store.h"

/* All of these block, and are called on any thread, several at once. They return 0, or < 0 as
 * store_done_fn is told; LEAT_EUNREACHABLE is tried again by store.c, without a thread meanwhile.
 * Names and hashes are checked before. */
struct store_backend {
    const char *name;
    /* The bytes of an open regular file, from its start. `move`: its path, to be taken away, or
     * NULL. */
    int (*put_fd)(void *self, int fd, const char *move, struct store_object *out, struct err *err);
    int (*put_bytes)(void *self, const void *data, size_t len, struct store_object *out,
                     struct err *err);
    int (*get_file)(void *self, const char *hash, const char *path, int mode,
                    struct store_object *out, struct err *err);
    int (*put_named)(void *self, const char *name, const void *data, size_t len, int flags,
                     struct err *err);
    int (*put_named_fd)(void *self, const char *name, int fd, const char *move, int flags,
                        int64_t *size, struct err *err);
    int (*read)(void *self, const char *key, int64_t offset, size_t max, struct store_object *out,
                struct err *err);
    int (*exists)(void *self, const char *key, struct store_object *out, struct err *err);
    int (*remove)(void *self, const char *key, struct err *err);
    int (*open_fd)(void *self, const char *key, int64_t *size, struct err *err);
    void (*close)(void *self);
};

struct store {
    struct loop *loop;
    char *where;
    const struct store_backend *backend;
    void *self;
    int64_t retry_us;
    bool away; /* it did not answer when it was last spoken to */
};

#define S3_SCHEME   "s3://"
#define STORE_AGAIN 0x100 /* put_named: an earlier try may have taken effect */

/* s3.c */
extern const struct store_backend STORE_S3;
int s3_store_open(const char *where, const struct store_options *options, void **self,
                  struct err *err);

/* directory.c */
extern const struct store_backend STORE_DIRECTORY;
int directory_open(const char *where, const struct store_options *options, void **self,
                   struct err *err);

/* source.c: an open regular file, O_NOFOLLOW; LEAT_EINPUT when it is none. */
int source_open(int at, const char *name, const char *shown, struct err *err);

/* folder.c */
int folder_put(const struct store *store, const char *path, struct store_object *out,
               struct err *err);
struct manifest;
int folder_manifest(const struct store *store, const char *hash, struct manifest *out,
                    struct err *err);
int folder_get(const struct store *store, const char *hash, const char *path,
               struct store_object *out, struct err *err);

/* names.c */
int folder_names(const struct store *store, const char *hash, const struct store_names *most,
                 struct store_object *out, struct err *err);

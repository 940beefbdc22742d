/* common/store/directory_internal.h: what directory.c and directory_put.c share. */
#pragma once
#include <pthread.h>
#include <stdint.h>
#include "common/store/store_internal.h"

#define DIRECTORY_BLOCK (256 * 1024) /* of one read or write */

struct directory {
    char *where;
    int root, objects, tmp; /* folders */
    int64_t keep_free;
    pthread_mutex_t space_lock;
    int64_t space; /* free when last asked, less what was written since */
    int64_t space_seen_us;
};

/* As err_errno. */
int directory_error(const struct directory *d, int saved_errno, const char *what, struct err *err);
int directory_check_space(struct directory *d, int64_t bytes, struct err *err);

int directory_put_fd(void *self, int fd, const char *move, struct store_object *out,
                     struct err *err);
int directory_put_bytes(void *self, const void *data, size_t len, struct store_object *out,
                        struct err *err);
int directory_put_named(void *self, const char *name, const void *data, size_t len, int flags,
                        struct err *err);
int directory_put_named_fd(void *self, const char *name, int fd, const char *move, int flags,
                           int64_t *size, struct err *err);

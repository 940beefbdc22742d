/* common/store/s3_internal.h: what s3.c and s3_put.c share. */
#pragma once
#include <stdatomic.h>
#include "common/s3/s3.h"
#include "common/store/store_internal.h"

#define S3_STORE_PLACE (S3_KEY_MAX + 1)

enum { S3_NOT_KNOWN, S3_HONOURED, S3_NOT_HONOURED };

struct s3_store {
    struct s3 *s3;
    char *prefix; /* without a slash at its end; "" = none */
    char *spool;
    int64_t part_size;
    _Atomic int conditions; /* does the service honour If-None-Match? */
};

void s3_store_place(const struct s3_store *s, const char *key, char out[S3_STORE_PLACE]);
/* Asks the service when that is not known yet. Without: looked before it is written, which two
 * writers of one name at the same instant can both pass. */
bool s3_store_conditions(struct s3_store *s);

int s3_store_put_fd(void *self, int fd, const char *move, struct store_object *out,
                    struct err *err);
int s3_store_put_bytes(void *self, const void *data, size_t len, struct store_object *out,
                       struct err *err);
int s3_store_put_named(void *self, const char *name, const void *data, size_t len, int flags,
                       struct err *err);
int s3_store_put_named_fd(void *self, const char *name, int fd, const char *move, int flags,
                          int64_t *size, struct err *err);

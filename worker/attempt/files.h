/* worker/attempt/files.h: small things on the file system. Blocking unless it says otherwise. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "common/base/err.h"
#include "common/base/loop.h"

/* One segment of a path: not empty, not "." or "..", no '/', no control character, at most 255
 * bytes. What names a file in a workspace passes this first. */
bool file_name_ok(const char *name);

/* The folder; one that is there already is good. */
int folder_make(const char *path, mode_t mode, struct err *err);
/* Every missing folder above the file BASE/REST. */
int folder_make_above(const char *base, const char *rest, struct err *err);
/* A new file with this content; one that is there, also as a link, is refused. */
int file_write(const char *path, const void *data, size_t len, mode_t mode, struct err *err);
/* The whole of a regular file (a link is refused), NUL-terminated, malloc'd; LEAT_ENOTFOUND,
 * LEAT_ELIMIT when it has more than `most` bytes, LEAT_EINPUT when it is no regular file. */
int file_read(const char *path, size_t most, char **data, size_t *len, struct err *err);

/* Everybody may read what is at path, and enter its folders; links are left as they are. One that
 * is not there is good. */
int tree_readable(const char *path, struct err *err);

/* Removes whatever is at path, following no link; at once when that is quick (nothing, or an empty
 * folder), else on a thread. What cannot be removed is logged. */
void tree_remove(struct loop *loop, const char *path);
void tree_remove_now(const char *path);

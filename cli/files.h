/* cli/files.h: files that a person names. */
#pragma once
#include <stddef.h>
#include "common/base/err.h"

/* The whole file, NUL-terminated, malloc'd; "-" is standard input. LEAT_EINPUT, LEAT_ELIMIT. */
char *file_read(const char *path, size_t most, size_t *len, struct err *err);
/* Makes the folders above `path` that are not there, with this mode. */
int file_make_parents(const char *path, unsigned mode, struct err *err);
/* Writes all of it; "-" is standard output. */
int file_write(const char *path, const void *data, size_t len, struct err *err);

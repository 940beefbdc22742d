/* worker/executor/docker/unpack.h: what a container left in its outputs, as the engine's archive
 * gives it (a tar stream, pax and ustar: POSIX.1-2017, pax), made into files of the worker's own.
 * Reading the format is libarchive's; where a file lands is decided here, folder by folder, without
 * following a link. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"

#define UNPACK_DEPTH   64      /* folders below each other */
#define UNPACK_ENTRIES 1000000 /* files and folders */

struct unpack_place {
    const char *top;    /* the archive's one top */
    const char *folder; /* here; it is made */
    const char *name;   /* what the top becomes in it; NULL = what is below the top comes into it */
    int64_t most;       /* bytes of all files; 0 = any */
};

/* Blocks: for a thread. `fd` stands at the beginning of the archive. What was at the place before,
 * of an earlier try, is removed first. Regular files, folders and links among them keep their bytes
 * and their right to be run; each is readable by the worker. Symbolic links are made, never
 * followed. Sockets, pipes and devices are left out. LEAT_EINPUT: a path that leads elsewhere, or
 * no archive. LEAT_ELIMIT, LEAT_EFULL, LEAT_EIO. */
int unpack(int fd, const struct unpack_place *to, struct err *err);

/* An archive of one folder `name` that all may write to, for the engine to put into a container:
 * to be freed. */
char *unpack_open_folder(const char *name, size_t *len);

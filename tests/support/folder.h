/* tests/support/folder.h: a folder of a test's own. */
#pragma once
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FOLDER_PATH 32

static inline int folder_remove_one(const char *path, const struct stat *st, int kind,
                                    struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static inline void folder_make(char path[FOLDER_PATH])
{
    snprintf(path, FOLDER_PATH, "/tmp/leat-test-XXXXXX");
    if (!mkdtemp(path))
        abort();
}

static inline void folder_remove(const char *path)
{
    nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A directory as a store:
 *   objects/ab/cdef…   by hash, mode 0444
 *   NAME               named objects, as they are named
 *   tmp/               what is being written; renamed into place when it is whole
 * Nothing is visible before it is complete; what counts as durable has been fsynced, and so has
 * the folder that its name is in. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/store/directory_internal.h"

#define KEEP_FREE    (64LL << 20)
#define LEFTOVER_S   3600
#define SPACE_AGE_US US_PER_S

/* ---- free space ----------------------------------------------------------------------------- */

int directory_error(const struct directory *d, int saved_errno, const char *what, struct err *err)
{
    if (err_is_full(saved_errno))
        return err_set(err, LEAT_EFULL, "store %s is full: %s", d->where, strerror(saved_errno));
    return err_errno(err, saved_errno, "store %s: %s", d->where, what);
}

/* The file system is asked once a second, or when the last answer leaves no room. */
int directory_check_space(struct directory *d, int64_t bytes, struct err *err)
{
    if (d->keep_free < 0)
        return 0;
    struct statvfs fs;
    pthread_mutex_lock(&d->space_lock);
    const int64_t now = clock_monotonic_us();
    if (now - d->space_seen_us > SPACE_AGE_US || d->space < bytes + d->keep_free) {
        d->space_seen_us = now;
        d->space = fstatvfs(d->root, &fs) == 0 ? (int64_t)(fs.f_bavail * fs.f_frsize) : INT64_MAX;
    }
    const int64_t space = d->space;
    if (space != INT64_MAX)
        d->space -= bytes;
    pthread_mutex_unlock(&d->space_lock);
    if (space >= bytes + d->keep_free)
        return 0;
    return err_set(err, LEAT_EFULL,
                   "store %s is full: %lld bytes to write, %lld free, %lld are kept free", d->where,
                   (long long)bytes, (long long)space, (long long)d->keep_free);
}

/* ---- opening -------------------------------------------------------------------------------- */

static int make_folders(const char *path, struct err *err)
{
    cleanup_free char *copy = mem_string(path);
    for (char *p = copy + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        (void)!mkdir(copy, 0755); /* what is wrong shows at the last one */
        *p = '/';
    }
    if (mkdir(copy, 0755) != 0 && errno != EEXIST)
        return err_errno(err, errno, "store %s", path);
    return 0;
}

static int open_folder(int at, const char *name, const char *shown, struct err *err)
{
    if (at != AT_FDCWD)
        (void)!mkdirat(at, name, 0755);
    const int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : err_errno(err, errno, "store %s: %s", shown, name);
}

/* What a crash left in tmp/, old enough that nobody can still be writing it. */
static void clean_leftovers(int tmp)
{
    DIR *dir = fdopendir(dup(tmp));
    if (!dir)
        return;
    const time_t limit = (time_t)(clock_wall_us() / US_PER_S) - LEFTOVER_S;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        struct stat st;
        if (e->d_name[0] != '.' && fstatat(tmp, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtime < limit)
            unlinkat(tmp, e->d_name, 0);
    }
    closedir(dir);
}

static void close_directory(void *self)
{
    struct directory *d = self;
    if (d->root >= 0)
        close(d->root);
    if (d->objects >= 0)
        close(d->objects);
    if (d->tmp >= 0)
        close(d->tmp);
    pthread_mutex_destroy(&d->space_lock);
    free(d->where);
    free(d);
}

int directory_open(const char *where, const struct store_options *options, void **self,
                   struct err *err)
{
    struct directory *d = mem_alloc(sizeof *d);
    d->where = mem_string(where);
    d->keep_free = options && options->keep_free ? options->keep_free : KEEP_FREE;
    d->objects = d->tmp = d->root = -1;
    pthread_mutex_init(&d->space_lock, NULL);
    int rc = make_folders(where, err);
    if (rc == 0)
        rc = d->root = open_folder(AT_FDCWD, where, where, err);
    if (rc >= 0)
        rc = d->objects = open_folder(d->root, "objects", where, err);
    if (rc >= 0)
        rc = d->tmp = open_folder(d->root, "tmp", where, err);
    if (rc >= 0 && faccessat(d->tmp, ".", W_OK, AT_EACCESS) != 0)
        rc = err_errno(err, errno, "store %s cannot be written", where);
    if (rc < 0) {
        close_directory(d);
        return rc;
    }
    clean_leftovers(d->tmp);
    *self = d;
    return 0;
}

/* ---- places --------------------------------------------------------------------------------- */

/* Where a key lies below the root. */
static void place_of(const char *key, char out[STORE_NAME_MAX + 1])
{
    if (store_hash_ok(key))
        snprintf(out, STORE_NAME_MAX + 1, "objects/%.2s/%s", key, key + 2);
    else
        snprintf(out, STORE_NAME_MAX + 1, "%s", key);
}

static int no_such(const struct directory *d, const char *key, int saved_errno, struct err *err)
{
    if (saved_errno == ENOENT || saved_errno == ENOTDIR)
        return err_set(err, LEAT_ENOTFOUND, "the store has no %s", key);
    return directory_error(d, saved_errno, key, err);
}

static int open_key(const struct directory *d, const char *key, struct stat *st, struct err *err)
{
    char place[STORE_NAME_MAX + 1];
    place_of(key, place);
    cleanup_close int fd = openat(d->root, place, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, st) != 0)
        return no_such(d, key, errno, err);
    if (!S_ISREG(st->st_mode)) /* the folder of other names */
        return no_such(d, key, ENOENT, err);
    const int taken = fd;
    fd = -1;
    return taken;
}

static int read_key(void *self, const char *key, int64_t offset, size_t max,
                    struct store_object *out, struct err *err)
{
    struct directory *d = self;
    struct stat st;
    cleanup_close int fd = open_key(d, key, &st, err);
    if (fd < 0)
        return fd;
    const int64_t there = offset >= 0 && offset < st.st_size ? st.st_size - offset : 0;
    const size_t wanted = there < (int64_t)max ? (size_t)there : max;
    out->data = mem_alloc(wanted + 1);
    size_t got = 0;
    while (got < wanted) {
        const ssize_t n = pread(fd, out->data + got, wanted - got, offset + (int64_t)got);
        if (n < 0)
            return directory_error(d, errno, key, err);
        if (n == 0)
            break;
        got += (size_t)n;
    }
    out->size = (int64_t)got;
    out->total = st.st_size;
    out->exists = true;
    return 0;
}

static int key_exists(void *self, const char *key, struct store_object *out, struct err *err)
{
    struct directory *d = self;
    struct stat st;
    char place[STORE_NAME_MAX + 1];
    place_of(key, place);
    if (fstatat(d->root, place, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return 0;
        return directory_error(d, errno, key, err);
    }
    out->exists = S_ISREG(st.st_mode);
    out->size = out->exists ? st.st_size : 0;
    return 0;
}

static int remove_key(void *self, const char *key, struct err *err)
{
    struct directory *d = self;
    char place[STORE_NAME_MAX + 1];
    place_of(key, place);
    if (unlinkat(d->root, place, 0) == 0 || errno == ENOENT || errno == ENOTDIR)
        return 0;
    return directory_error(d, errno, key, err);
}

static int open_key_fd(void *self, const char *key, int64_t *size, struct err *err)
{
    struct stat st;
    const int fd = open_key(self, key, &st, err);
    if (fd >= 0)
        *size = st.st_size;
    return fd;
}

/* ---- out of the store ------------------------------------------------------------------------ */

/* Copies and hashes in one pass; *same tells whether the hash is the one that was asked for. */
static int copy_out(const struct directory *d, int from, int to, const char *hash, int64_t *size,
                    bool *same, struct err *err)
{
    cleanup_free char *buf = mem_bytes("", 0);
    buf = mem_grow(buf, DIRECTORY_BLOCK, 1);
    struct sha256_stream *stream = sha256_start();
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    int rc = 0;
    ssize_t n;
    while (rc == 0 && (n = read(from, buf, DIRECTORY_BLOCK)) > 0) {
        sha256_add(stream, buf, (size_t)n);
        rc = fd_write(to, buf, (size_t)n);
        *size += n;
    }
    const int saved = errno;
    sha256_end(stream, digest);
    hex_encode(digest, sizeof digest, hex);
    *same = strcmp(hex, hash) == 0;
    if (rc != 0 && err_is_full(saved))
        return err_set(err, LEAT_EFULL, "no space to write object %s", hash);
    if (rc != 0 || n < 0)
        return err_errno(err, saved, "store %s: object %s", d->where, hash);
    return 0;
}

static int get_file(void *self, const char *hash, const char *path, int mode,
                    struct store_object *out, struct err *err)
{
    struct directory *d = self;
    struct stat st;
    cleanup_close int from = open_key(d, hash, &st, err);
    if (from < 0)
        return from;
    cleanup_close int to =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
    if (to < 0 && errno == EEXIST)
        return err_set(err, LEAT_EEXISTS, "%s exists", path);
    if (to < 0)
        return err_errno(err, errno, "%s", path);
    bool same = false;
    int rc = copy_out(d, from, to, hash, &out->size, &same, err);
    if (rc == 0 && !same)
        rc = err_set(err, LEAT_EIO, "store %s: object %s is damaged, its bytes have another hash",
                     d->where, hash);
    if (rc != 0)
        unlink(path);
    memcpy(out->hash, hash, SHA256_HEX);
    return rc;
}

const struct store_backend STORE_DIRECTORY = {
    .name = "directory",
    .put_fd = directory_put_fd,
    .put_bytes = directory_put_bytes,
    .get_file = get_file,
    .put_named = directory_put_named,
    .put_named_fd = directory_put_named_fd,
    .read = read_key,
    .exists = key_exists,
    .remove = remove_key,
    .open_fd = open_key_fd,
    .close = close_directory,
};

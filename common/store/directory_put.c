/* Into a directory store: a temporary file, fsync, rename, fsync of the folder. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/store/directory_internal.h"

#define SMALL 65536 /* read whole, so that what is there already is not written again */

/* ---- temporary files ------------------------------------------------------------------------ */

/* Removed with its variable, unless it has been renamed: name[0] is then 0. */
struct temporary {
    const struct directory *d;
    int fd;
    char name[UUID_TEXT];
};

static void temporary_drop(struct temporary *t)
{
    if (t->fd >= 0)
        close(t->fd);
    if (t->name[0])
        unlinkat(t->d->tmp, t->name, 0);
}
#define cleanup_temporary __attribute__((cleanup(temporary_drop)))

static int temporary_open(struct temporary *t, mode_t mode, struct err *err)
{
    const struct uuid id = uuid_v7_now(0);
    uuid_format(&id, t->name);
    t->fd = openat(t->d->tmp, t->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (t->fd >= 0)
        return 0;
    t->name[0] = '\0';
    return directory_error(t->d, errno, "tmp", err);
}

static int sync_file(const struct directory *d, int fd, struct err *err)
{
    return fsync(fd) == 0 ? 0 : directory_error(d, errno, "fsync", err);
}

/* The folder of a name: its entry is durable only when it has been synced as well. */
static int sync_folder_of(const struct directory *d, const char *place, struct err *err)
{
    cleanup_free char *folder = mem_string(place);
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    cleanup_close int fd =
        openat(d->root, slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return directory_error(d, errno, "fsync of a folder", err);
    return 0;
}

/* Each folder above `place`; those that are new are synced into their own where it matters. */
static int make_parents(const struct directory *d, const char *place, bool durable, struct err *err)
{
    cleanup_free char *path = mem_string(place);
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const bool made = mkdirat(d->root, path, 0755) == 0;
        if (!made && errno != EEXIST)
            return directory_error(d, errno, place, err);
        const int rc = made && durable ? sync_folder_of(d, path, err) : 0;
        *slash = '/';
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int rename_into(int from_dir, const char *from, const struct directory *d, const char *place,
                       bool replace)
{
    return renameat2(from_dir, from, d->root, place, replace ? 0 : RENAME_NOREPLACE);
}

/* A name that is whole to its place. The folder is made when it is missed, which is rare. */
static int put_in_place(const struct directory *d, int from_dir, const char *from,
                        const char *place, bool replace, bool durable, struct err *err)
{
    int rc = rename_into(from_dir, from, d, place, replace);
    if (rc != 0 && errno == ENOENT) {
        const int made = make_parents(d, place, durable, err);
        if (made != 0)
            return made;
        rc = rename_into(from_dir, from, d, place, replace);
    }
    if (rc != 0 && errno == EEXIST)
        return err_set(err, LEAT_EEXISTS, "the store has %s already", place);
    if (rc != 0)
        return directory_error(d, errno, place, err);
    return durable ? sync_folder_of(d, place, err) : 0;
}

/* ---- objects -------------------------------------------------------------------------------- */

#define PLACE_BYTES (sizeof "objects/ab/" + SHA256_HEX)

static void place_of_hash(const char *hash, char place[PLACE_BYTES])
{
    snprintf(place, PLACE_BYTES, "objects/%.2s/%s", hash, hash + 2);
}

/* True when the object is there. Whoever put it may not have synced the folder yet. */
static bool have_object(const struct directory *d, const char *place)
{
    return faccessat(d->root, place, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
           sync_folder_of(d, place, NULL) == 0;
}

static int put_object(struct temporary *t, const char *hash, struct err *err)
{
    char place[PLACE_BYTES];
    place_of_hash(hash, place);
    int rc = sync_file(t->d, t->fd, err);
    if (rc == 0)
        rc = put_in_place(t->d, t->d->tmp, t->name, place, true, true, err);
    if (rc == 0)
        t->name[0] = '\0';
    return rc;
}

int directory_put_bytes(void *self, const void *data, size_t len, struct store_object *out,
                        struct err *err)
{
    struct directory *d = self;
    char place[PLACE_BYTES];
    sha256_hex(data, len, out->hash);
    out->size = (int64_t)len;
    place_of_hash(out->hash, place);
    if (have_object(d, place))
        return 0;
    int rc = directory_check_space(d, (int64_t)len, err);
    if (rc != 0)
        return rc;
    cleanup_temporary struct temporary t = {.d = d, .fd = -1};
    rc = temporary_open(&t, 0444, err);
    if (rc != 0)
        return rc;
    if (fd_write(t.fd, data, len) != 0)
        return directory_error(d, errno, "tmp", err);
    return put_object(&t, out->hash, err);
}

/* Reads `from` to its end, hashing and, where `to` is not -1, writing what was hashed: one pass,
 * because the owner may be changing it. */
static int copy_in(const struct directory *d, int from, int to, struct store_object *out,
                   struct err *err)
{
    uint8_t digest[SHA256_BYTES];
    cleanup_free char *buf = mem_grow(NULL, DIRECTORY_BLOCK, 1);
    struct sha256_stream *stream = sha256_start();
    int rc = 0;
    ssize_t n;
    out->size = 0;
    while (rc == 0 && (n = read(from, buf, DIRECTORY_BLOCK)) > 0) {
        sha256_add(stream, buf, (size_t)n);
        rc = to >= 0 ? fd_write(to, buf, (size_t)n) : 0;
        out->size += n;
    }
    const int saved = errno;
    sha256_end(stream, digest);
    hex_encode(digest, sizeof digest, out->hash);
    return rc != 0 || n < 0 ? directory_error(d, saved, "copy", err) : 0;
}

/* Nobody else can write it, and it can be renamed into the store. */
static bool is_movable(const struct directory *d, const struct stat *st)
{
    struct stat store;
    return st->st_uid == geteuid() && st->st_nlink == 1 && fstat(d->tmp, &store) == 0 &&
           store.st_dev == st->st_dev;
}

static int move_object(struct directory *d, int fd, const char *path, struct store_object *out,
                       struct err *err)
{
    char place[PLACE_BYTES];
    int rc = copy_in(d, fd, -1, out, err);
    if (rc != 0)
        return rc;
    place_of_hash(out->hash, place);
    if (have_object(d, place))
        return unlink(path) == 0 ? 0 : err_errno(err, errno, "%s", path);
    if (fchmod(fd, 0444) != 0)
        return err_errno(err, errno, "%s", path);
    rc = sync_file(d, fd, err);
    return rc ? rc : put_in_place(d, AT_FDCWD, path, place, true, true, err);
}

static int put_small(struct directory *d, int fd, size_t size, struct store_object *out,
                     struct err *err)
{
    cleanup_free char *data = mem_alloc(size + 1);
    size_t got = 0;
    ssize_t n;
    while ((n = pread(fd, data + got, size + 1 - got, (off_t)got)) > 0 && got <= size)
        got += (size_t)n;
    if (n < 0)
        return directory_error(d, errno, "read", err);
    if (got > size)
        return 1; /* it grew meanwhile: by pieces, then */
    return directory_put_bytes(d, data, got, out, err);
}

static int put_large(struct directory *d, int fd, int64_t size, struct store_object *out,
                     struct err *err)
{
    cleanup_temporary struct temporary t = {.d = d, .fd = -1};
    int rc = directory_check_space(d, size, err);
    if (rc == 0)
        rc = temporary_open(&t, 0444, err);
    if (rc == 0)
        rc = copy_in(d, fd, t.fd, out, err);
    return rc ? rc : put_object(&t, out->hash, err);
}

int directory_put_fd(void *self, int fd, const char *move, struct store_object *out,
                     struct err *err)
{
    struct directory *d = self;
    struct stat st;
    if (fstat(fd, &st) != 0)
        return directory_error(d, errno, "source", err);
    if (move && st.st_size > SMALL && is_movable(d, &st))
        return move_object(d, fd, move, out, err);
    int rc = st.st_size <= SMALL ? put_small(d, fd, (size_t)st.st_size, out, err) : 1;
    if (rc == 1)
        rc = put_large(d, fd, st.st_size, out, err);
    if (rc == 0 && move && unlink(move) != 0)
        rc = err_errno(err, errno, "%s", move);
    return rc;
}

/* ---- named objects -------------------------------------------------------------------------- */

static int put_named(struct temporary *t, const char *name, int flags, struct err *err)
{
    const bool durable = flags & STORE_DURABLE;
    int rc = durable ? sync_file(t->d, t->fd, err) : 0;
    if (rc == 0)
        rc = put_in_place(t->d, t->d->tmp, t->name, name, flags & STORE_REPLACE, durable, err);
    if (rc == 0)
        t->name[0] = '\0';
    return rc;
}

int directory_put_named(void *self, const char *name, const void *data, size_t len, int flags,
                        struct err *err)
{
    struct directory *d = self;
    cleanup_temporary struct temporary t = {.d = d, .fd = -1};
    int rc = directory_check_space(d, (int64_t)len, err);
    if (rc == 0)
        rc = temporary_open(&t, 0644, err);
    if (rc == 0 && fd_write(t.fd, data, len) != 0)
        rc = directory_error(d, errno, name, err);
    return rc ? rc : put_named(&t, name, flags, err);
}

int directory_put_named_fd(void *self, const char *name, int fd, const char *move, int flags,
                           int64_t *size, struct err *err)
{
    struct directory *d = self;
    struct stat st;
    struct store_object copied = {0};
    cleanup_temporary struct temporary t = {.d = d, .fd = -1};
    if (fstat(fd, &st) != 0)
        return directory_error(d, errno, "source", err);
    int rc = directory_check_space(d, st.st_size, err);
    if (rc == 0)
        rc = temporary_open(&t, 0644, err);
    if (rc == 0)
        rc = copy_in(d, fd, t.fd, &copied, err);
    if (rc == 0)
        rc = put_named(&t, name, flags, err);
    if (rc == 0 && move && unlink(move) != 0)
        rc = err_errno(err, errno, "%s", move);
    *size = copied.size;
    return rc;
}

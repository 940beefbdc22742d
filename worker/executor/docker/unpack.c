#include "worker/executor/docker/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "worker/attempt/files.h"

#define BLOCK_BYTES  65536
#define FOLDER_BYTES 4096 /* of an archive that holds one folder */

static int failed(struct err *err, const char *path)
{
    return err_errno(err, errno, "%.200s", path);
}

/* ---- where ---------------------------------------------------------------------------------- */

/* The path below the top, "" = the top itself; NULL = it is not below it. */
static const char *below(const char *path, const char *top)
{
    const size_t len = strlen(top);
    if (!path || strncmp(path, top, len) != 0 || (path[len] && path[len] != '/'))
        return NULL;
    path += len;
    return path + strspn(path, "/");
}

/* Where it goes, below the folder; malloc'd, "" = nowhere: it is the top. NULL = it leads out. */
static char *place(const struct unpack_place *to, const char *path)
{
    const char *where = below(path, to->top);
    if (!where)
        return NULL;
    char *out = !to->name ? mem_string(where)
                : *where  ? mem_printf("%s/%s", to->name, where)
                          : mem_string(to->name);
    for (size_t n = strlen(out); n > 0 && out[n - 1] == '/'; n--)
        out[n - 1] = '\0';
    return out;
}

static bool is_plain(const char *name)
{
    return name[0] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* The open folder that holds `path`'s last part, to which *name points. */
static int open_parent(int folder, char *path, const char **name, struct err *err)
{
    int at = dup(folder), depth = 0;
    char *part = path;
    for (char *slash; at >= 0 && (slash = strchr(part, '/')); part = slash + 1) {
        *slash = '\0';
        if (!is_plain(part) || ++depth > UNPACK_DEPTH) {
            close(at);
            return err_set(err, depth > UNPACK_DEPTH ? LEAT_ELIMIT : LEAT_EINPUT,
                           depth > UNPACK_DEPTH ? "%.200s: folders too deep"
                                                : "%.200s is no part of a path",
                           part);
        }
        if (mkdirat(at, part, 0755) != 0 && errno != EEXIST) {
            close(at);
            return failed(err, part);
        }
        const int next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(at);
        at = next;
    }
    if (at < 0)
        return failed(err, part);
    if (!is_plain(part)) {
        close(at);
        return err_set(err, LEAT_EINPUT, "%.200s is no part of a path", part);
    }
    *name = part;
    return at;
}

/* ---- what ----------------------------------------------------------------------------------- */

static int put_file(struct archive *a, struct archive_entry *entry, int at, const char *name,
                    struct err *err)
{
    cleanup_close int fd =
        openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(err, name);
    if (archive_read_data_into_fd(a, fd) < ARCHIVE_WARN)
        return err_set(err, err_is_full(archive_errno(a)) ? LEAT_EFULL : LEAT_EIO, "%.200s: %s",
                       name, archive_error_string(a));
    const mode_t runs = archive_entry_perm(entry) & 0100 ? 0755 : 0644;
    return fchmod(fd, runs) == 0 ? 0 : failed(err, name);
}

/* To a file that the same archive brought before. */
static int put_link(const struct unpack_place *to, int folder, const char *target, int at,
                    const char *name, struct err *err)
{
    cleanup_free char *path = place(to, target);
    const char *last;
    if (!path)
        return err_set(err, LEAT_EINPUT, "a link of the archive leads out of %s", to->top);
    cleanup_close int from = open_parent(folder, path, &last, err);
    if (from < 0)
        return err->code;
    return linkat(from, last, at, name, 0) == 0 ? 0 : failed(err, name);
}

static int put(struct archive *a, struct archive_entry *entry, const struct unpack_place *to,
               int folder, struct err *err)
{
    const char *link = archive_entry_hardlink(entry);
    const mode_t type = archive_entry_filetype(entry);
    cleanup_free char *path = place(to, archive_entry_pathname(entry));
    if (!path)
        return err_set(err, LEAT_EINPUT, "the engine's archive leads out of %s", to->top);
    if (!path[0]) /* the top itself: not a folder when the step has put something else there */
        return 0;
    const char *name;
    cleanup_close int at = open_parent(folder, path, &name, err);
    if (at < 0)
        return err->code;
    if (link)
        return put_link(to, folder, link, at, name, err);
    if (type == AE_IFREG)
        return put_file(a, entry, at, name, err);
    if (type == AE_IFDIR)
        return mkdirat(at, name, 0755) == 0 || errno == EEXIST ? 0 : failed(err, name);
    if (type == AE_IFLNK)
        return symlinkat(archive_entry_symlink(entry), at, name) == 0 ? 0 : failed(err, name);
    return 0;
}

static int read_all(struct archive *a, const struct unpack_place *to, int folder, struct err *err)
{
    struct archive_entry *entry;
    int64_t bytes = 0;
    for (size_t n = 0;; n++) {
        const int got = archive_read_next_header(a, &entry);
        if (got == ARCHIVE_EOF)
            return 0;
        if (got < ARCHIVE_WARN)
            return err_set(err, LEAT_EINPUT, "the engine's archive: %s", archive_error_string(a));
        if (n >= UNPACK_ENTRIES)
            return err_set(err, LEAT_ELIMIT, "there are more than %d files", UNPACK_ENTRIES);
        if (to->most > 0 && archive_entry_size(entry) > to->most - bytes)
            return err_set(err, LEAT_ELIMIT, "the files have more than %lld bytes",
                           (long long)to->most);
        bytes += archive_entry_size(entry) > 0 ? archive_entry_size(entry) : 0;
        if (put(a, entry, to, folder, err) != 0)
            return err->code;
    }
}

static void clear(const struct unpack_place *to)
{
    cleanup_free char *path =
        to->name ? mem_printf("%s/%s", to->folder, to->name) : mem_string(to->folder);
    tree_remove_now(path);
}

int unpack(int fd, const struct unpack_place *to, struct err *err)
{
    clear(to);
    if (folder_make(to->folder, 0755, err) != 0)
        return err->code;
    cleanup_close int at = open(to->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (at < 0)
        return failed(err, to->folder);
    struct archive *a = archive_read_new();
    archive_read_support_format_tar(a);
    archive_read_support_format_empty(a);             /* the step has removed its folder */
    archive_read_set_options(a, "hdrcharset=BINARY"); /* names are bytes */
    int rc = archive_read_open_fd(a, fd, BLOCK_BYTES) == ARCHIVE_OK
                 ? read_all(a, to, at, err)
                 : err_set(err, LEAT_EINPUT, "the engine's archive: %s", archive_error_string(a));
    archive_read_free(a);
    return rc;
}

char *unpack_open_folder(const char *name, size_t *len)
{
    char *out = mem_alloc(FOLDER_BYTES);
    struct archive *a = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    archive_write_set_format_ustar(a);
    archive_write_set_bytes_per_block(a, 512);
    archive_write_open_memory(a, out, FOLDER_BYTES, len);
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFDIR);
    archive_entry_set_perm(entry, 0777);
    archive_write_header(a, entry);
    archive_entry_free(entry);
    archive_write_close(a);
    archive_write_free(a);
    return out;
}

#include "worker/attempt/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define NAME_BYTES 255

bool file_name_ok(const char *name)
{
    const size_t len = strlen(name);
    if (len == 0 || len > NAME_BYTES || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c == '/' || *c < 0x20 || *c == 0x7f)
            return false;
    return true;
}

int folder_make(const char *path, mode_t mode, struct err *err)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return 0;
    return err_errno(err, errno, "%s", path);
}

int folder_make_above(const char *base, const char *rest, struct err *err)
{
    cleanup_free char *path = mem_printf("%s/%s", base, rest);
    for (char *slash = strchr(path + strlen(base) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const int rc = folder_make(path, 0755, err);
        *slash = '/';
        if (rc != 0)
            return rc;
    }
    return 0;
}

int file_write(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    return fd >= 0 && fd_write(fd, data, len) == 0 ? 0 : err_errno(err, errno, "%s", path);
}

int file_read(const char *path, size_t most, char **data, size_t *len, struct err *err)
{
    /* Not blocking: it could be a named pipe. */
    cleanup_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return err_set(err, LEAT_ENOTFOUND, "%s does not exist", path);
    if (fd < 0 && errno != ELOOP && errno != ENXIO)
        return err_errno(err, errno, "%s", path);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return err_set(err, LEAT_EINPUT, "%s is not a regular file", path);
    cleanup_free char *buf = mem_alloc(most + 2);
    size_t got = 0;
    while (got <= most) {
        const ssize_t n = read(fd, buf + got, most + 1 - got);
        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "%s", path);
        if (n == 0)
            break;
        got += n > 0 ? (size_t)n : 0;
    }
    if (got > most)
        return err_set(err, LEAT_ELIMIT, "%s has more than %zu bytes", path, most);
    *data = TAKE(buf);
    *len = got;
    return 0;
}

/* ---- reading by all -----------------------------------------------------------------------------
 */

static int readable_in(int folder, const char *name);

static int folder_readable(int fd)
{
    int failed = 0;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return errno;
    }
    for (const struct dirent *e; !failed && (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            failed = readable_in(fd, e->d_name);
    closedir(dir);
    return failed;
}

static int readable_in(int folder, const char *name)
{
    struct stat st;
    const int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ELOOP || errno == ENOENT || errno == ENXIO ? 0 : errno;
    int failed = fstat(fd, &st) == 0 ? 0 : errno;
    const bool runs = S_ISDIR(st.st_mode) || (st.st_mode & S_IXUSR);
    const mode_t mode = (st.st_mode & 07777) | (runs ? 0555 : 0444);
    if (!failed && mode != (st.st_mode & 07777) && fchmod(fd, mode) != 0)
        failed = errno;
    if (!failed && S_ISDIR(st.st_mode))
        return folder_readable(fd);
    close(fd);
    return failed;
}

int tree_readable(const char *path, struct err *err)
{
    const int why = readable_in(AT_FDCWD, path);
    return why ? err_errno(err, why, "%s", path) : 0;
}

/* ---- removing -----------------------------------------------------------------------------------
 */

static int remove_in(int folder, const char *name);

static int empty_folder(int parent, const char *name)
{
    const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno;
    fchmod(fd, 0700); /* the step may have taken its own right to write */
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return errno;
    }
    int failed = 0;
    for (const struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            const int why = remove_in(fd, e->d_name);
            failed = why ? why : failed;
        }
    closedir(dir);
    return failed;
}

static int remove_in(int folder, const char *name)
{
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return errno;
    const int failed = unlinkat(folder, name, AT_REMOVEDIR) == 0 ? 0 : empty_folder(folder, name);
    if (failed)
        return failed;
    return unlinkat(folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : errno;
}

void tree_remove_now(const char *path)
{
    const int why = remove_in(AT_FDCWD, path);
    if (why)
        log_warn("cannot be removed", LOG_S("path", path), LOG_S("error", strerror(why)));
}

static void removal(void *path)
{
    tree_remove_now(path);
}

void tree_remove(struct loop *loop, const char *path)
{
    if (rmdir(path) == 0 || errno == ENOENT)
        return;
    loop_work(loop, removal, free, mem_string(path));
}

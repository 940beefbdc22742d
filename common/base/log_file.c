#include "common/base/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

static struct {
    char *path; /* NULL: lines go to whatever standard error is */
    int64_t size, keep;
    int64_t again; /* after a failed turn: the size at which the next is tried */
} file;

static int turn(const char *path, int64_t keep, struct err *err)
{
    for (int64_t n = keep - 1; n >= 1; n--) {
        cleanup_free char *from = mem_printf("%s.%lld", path, (long long)n);
        cleanup_free char *to = mem_printf("%s.%lld", path, (long long)n + 1);
        if (rename(from, to) != 0 && errno != ENOENT)
            return err_errno(err, errno, "%s", from);
    }
    cleanup_free char *first = mem_printf("%s.1", path);
    if ((keep > 0 ? rename(path, first) : unlink(path)) != 0 && errno != ENOENT)
        return err_errno(err, errno, "%s", path);
    return 0;
}

int log_file_turn(const char *path, int64_t size, int64_t keep, struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0 || st.st_size <= size)
        return 0;
    const int rc = turn(path, keep, err);
    return rc < 0 ? rc : 1;
}

/* Standard error, and standard output with it, from now on. */
static int take_over(const char *path, struct err *err)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
        return err_errno(err, errno, "%s", path);
    return 0;
}

/* Does the path still name the file that we write? Another process of this name may have turned it
 * over, or a person moved it away. */
static bool is_ours(const struct stat *own)
{
    struct stat there;
    return stat(file.path, &there) == 0 && there.st_dev == own->st_dev &&
           there.st_ino == own->st_ino;
}

void log_file_room(size_t len)
{
    struct stat own;
    if (!file.path || fstat(STDERR_FILENO, &own) != 0 || own.st_size == 0)
        return;
    const int64_t after = own.st_size + (int64_t)len;
    if (after <= file.size || after <= file.again)
        return;
    if ((is_ours(&own) && turn(file.path, file.keep, NULL) < 0) || take_over(file.path, NULL) < 0)
        file.again = after + file.size / 4;
    else
        file.again = 0;
}

int log_to_file(const char *path, int64_t size, int64_t keep, struct err *err)
{
    if (!path)
        return 0;
    const int rc = take_over(path, err);
    if (rc < 0)
        return rc;
    free(file.path);
    file.path = mem_string(path);
    file.size = size;
    file.keep = keep;
    file.again = 0;
    return 0;
}

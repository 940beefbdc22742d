#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "cli/up/supervise.h"
#include "common/base/mem.h"
#include "common/base/text.h"

static pid_t read_pid(int fd)
{
    char text[32] = "";
    long long pid = 0;
    const ssize_t n = pread(fd, text, sizeof text - 1, 0);
    return n > 0 && text_to_int(text, 1, 1 << 30, &pid) ? (pid_t)pid : 0;
}

int up_lock(const struct up_settings *settings, struct err *err)
{
    cleanup_free char *path = mem_printf("%s/up.lock", settings->run);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* kept open on purpose */
    if (fd < 0)
        return err_errno(err, errno, "%s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const pid_t pid = read_pid(fd);
        close(fd);
        return err_set(err, LEAT_EREFUSED,
                       "Leat runs in %s already (process %d); `leat down --data %s` ends it",
                       settings->data, pid, settings->data);
    }
    char text[32];
    const int n = snprintf(text, sizeof text, "%d", getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return err_errno(err, errno, "%s", path);
    return 0;
}

pid_t up_running(const char *data)
{
    cleanup_free char *path = mem_printf("%s/run/up.lock", data);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0)
        return 0; /* nobody holds it; ours goes with the fd */
    return read_pid(fd);
}

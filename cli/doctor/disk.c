/* The disk of the data folder: room, and how long a write takes to be there after a power cut. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"
#include "common/base/mem.h"

#define MIB             (1024LL * 1024)
#define FREE_WRONG      (256 * MIB) /* the store keeps 64 MiB free; Postgres must be able to go on */
#define FREE_WARNING    (2048 * MIB)
#define FILES_WRONG     1000
#define FILES_WARNING   20000
#define SYNCS           9
#define SLOW_WARNING_US 20000 /* a step waits for about one such flush */

char *doctor_existing(const char *path)
{
    char *at = mem_string(path);
    struct stat st;
    while (stat(at, &st) != 0) {
        char *slash = strrchr(at, '/');
        if (!slash)
            break;
        slash[slash == at] = '\0'; /* "/" is always there */
    }
    return at;
}

void doctor_disk(const struct doctor *d, struct finding *f)
{
    cleanup_free char *at = doctor_existing(d->settings->data);
    struct statvfs fs;
    if (statvfs(at, &fs) != 0) {
        found(f, DOCTOR_WRONG, NULL, "%s: %s", at, strerror(errno));
        return;
    }
    const int64_t bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    const int64_t files = fs.f_files ? (int64_t)fs.f_favail : INT64_MAX; /* 0: it has no limit */
    const enum doctor_level level = bytes < FREE_WRONG || files < FILES_WRONG       ? DOCTOR_WRONG
                                    : bytes < FREE_WARNING || files < FILES_WARNING ? DOCTOR_WARNING
                                                                                    : DOCTOR_OK;
    cleanup_free char *count =
        fs.f_files ? mem_printf("%" PRId64, files) : mem_string("any number of");
    found(f, level,
          level == DOCTOR_OK ? NULL : "remove what is not needed, or give --data a larger disk",
          "%" PRId64 " MiB and %s files are free at %s", (int64_t)(bytes / MIB), count, at);
}

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Median of SYNCS times of write and fdatasync, or < 0. */
static int64_t sync_time(int fd)
{
    int64_t took[SYNCS];
    static const char page[8192];
    for (int i = 0; i < SYNCS; i++) {
        const int64_t began = clock_monotonic_us();
        if (write(fd, page, sizeof page) != (ssize_t)sizeof page || fdatasync(fd) != 0)
            return -1;
        took[i] = clock_monotonic_us() - began;
    }
    qsort(took, SYNCS, sizeof *took, by_size);
    return took[SYNCS / 2];
}

void doctor_disk_speed(const struct doctor *d, struct finding *f)
{
    cleanup_free char *at = doctor_existing(d->settings->data);
    if (strcmp(at, d->settings->data) != 0) {
        found(f, DOCTOR_OK, NULL, "not measured: %s is not there yet", d->settings->data);
        return;
    }
    cleanup_free char *path = mem_printf("%s/.doctor-%d", at, getpid());
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const int opened = errno;
    unlink(path); /* whatever happens to us, nothing is left */
    const int64_t median = fd >= 0 ? sync_time(fd) : -1;
    if (median < 0)
        found(f, DOCTOR_WRONG, "see `disk` and `user`", "%s: %s", at,
              strerror(fd < 0 ? opened : errno));
    else if (median > SLOW_WARNING_US)
        found(f, DOCTOR_WARNING, "put DATA on a disk of its own, an SSD",
              "fdatasync takes %.1f ms at %s: every step waits for it", (double)median / 1000.0,
              at);
    else
        found(f, DOCTOR_OK, NULL, "fdatasync takes %.2f ms at %s", (double)median / 1000.0, at);
}

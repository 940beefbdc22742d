#include "common/bus/doorbell.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/uuid.h"

#define TAG_MAX     49 /* of a topic in a file name, with its NUL */
#define SOCKET_NAME 80 /* of a socket's file, with its NUL */
#define SUFFIX      ".sock"

/* A folder's time has the coarse clock's grain: a listing that is not older than this may miss a
 * socket made in the same grain. */
#define GRAIN_US   (20 * US_PER_MS)
#define BINDING_US (2 * US_PER_S) /* a file that is older and answers nobody is a dead reader's */

struct doorbells {
    int folder; /* O_PATH: names are reached through it, so that the folder's path may be long */
    int sender;
    char (*names)[SOCKET_NAME];
    size_t count, cap;
    struct timespec listed; /* the folder's time when it was listed */
    bool stale;
};

/* A topic as a part of a file name: itself, or its hash when it is long or has another shape. */
static void tag_of(const char *topic, char out[TAG_MAX])
{
    if (strlen(topic) < TAG_MAX - 1 && text_is_name(topic, TAG_MAX - 1)) {
        snprintf(out, TAG_MAX, "%s", topic);
        return;
    }
    char digest[SHA256_HEX];
    sha256_hex(topic, strlen(topic), digest);
    snprintf(out, TAG_MAX, "%.40s", digest);
}

static void address_of(const struct doorbells *d, const char *name, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/%s", d->folder, name);
}

struct doorbells *doorbells_open(const char *folder, struct err *err)
{
    if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
        err_errno(err, errno, "doorbells: mkdir %s", folder);
        return NULL;
    }
    cleanup_close int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        err_errno(err, errno, "doorbells: open %s", folder);
        return NULL;
    }
    const int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sender < 0) {
        err_errno(err, errno, "doorbells: socket");
        return NULL;
    }
    struct doorbells *d = mem_alloc(sizeof *d);
    *d = (struct doorbells){.folder = fd, .sender = sender, .stale = true};
    fd = -1;
    return d;
}

void doorbells_close(struct doorbells *d)
{
    if (!d)
        return;
    close(d->folder);
    close(d->sender);
    free(d->names);
    free(d);
}

/* ---- ringing -------------------------------------------------------------------------------- */

static void list_folder(struct doorbells *d)
{
    d->count = 0;
    const int fd = openat(d->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        const size_t len = strlen(entry->d_name);
        if (len >= SOCKET_NAME || !text_ends_with(entry->d_name, SUFFIX))
            continue;
        MEM_ROOM(d->names, d->count, d->cap);
        memcpy(d->names[d->count++], entry->d_name, len + 1);
    }
    closedir(dir);
}

static void refresh(struct doorbells *d)
{
    struct stat now;
    if (fstat(d->folder, &now) < 0)
        return;
    if (!d->stale && now.st_mtim.tv_sec == d->listed.tv_sec &&
        now.st_mtim.tv_nsec == d->listed.tv_nsec)
        return;
    const int64_t changed_us = now.st_mtim.tv_sec * US_PER_S + now.st_mtim.tv_nsec / 1000;
    d->stale = clock_wall_us() - changed_us < GRAIN_US;
    d->listed = now.st_mtim;
    list_folder(d);
}

/* bind() makes the file a moment before the socket can be reached. */
static bool is_left_over(const struct doorbells *d, const char *name)
{
    struct stat st;
    return fstatat(d->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           clock_wall_us() - st.st_mtim.tv_sec * US_PER_S > BINDING_US;
}

void doorbells_ring(struct doorbells *d, const char *topic, char what)
{
    char tag[TAG_MAX];
    tag_of(topic, tag);
    const size_t len = strlen(tag);
    refresh(d);
    for (size_t i = 0; i < d->count; i++) {
        const char *name = d->names[i];
        if (strncmp(name, tag, len) != 0 || name[len] != ',')
            continue;
        struct sockaddr_un to;
        address_of(d, name, &to);
        if (sendto(d->sender, &what, 1, 0, (struct sockaddr *)&to, sizeof to) == 1)
            continue;
        if (errno == ECONNREFUSED && is_left_over(d, name))
            unlinkat(d->folder, name, 0);
        /* else its queue is full: it has been rung already */
    }
}

/* ---- listening ------------------------------------------------------------------------------ */

int doorbells_listen(struct doorbells *d, const char *topic, struct err *err)
{
    char tag[TAG_MAX], name[SOCKET_NAME], own[13];
    uint8_t random[6];
    struct sockaddr_un at;
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, own);
    tag_of(topic, tag);
    snprintf(name, sizeof name, "%s,%s" SUFFIX, tag, own);
    address_of(d, name, &at);
    cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, errno, "doorbell of %s: socket", topic);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
        return err_errno(err, errno, "doorbell of %s: bind", topic);
    const int bound = fd;
    fd = -1;
    return bound;
}

void doorbells_hang_up(int fd)
{
    struct sockaddr_un at = {0};
    socklen_t len = sizeof at - 1;
    if (getsockname(fd, (struct sockaddr *)&at, &len) == 0 && at.sun_path[0] == '/')
        unlink(at.sun_path);
    close(fd);
}

int doorbells_take(int fd)
{
    int what = 0;
    char byte;
    while (recv(fd, &byte, 1, 0) == 1)
        what |= byte == DOORBELL_PARTITION ? DOORBELL_HAS_PARTITION : DOORBELL_HAS_RECORDS;
    return what;
}

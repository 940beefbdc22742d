/* inotify(7): files that were closed after writing or moved in, folders that were made, what went
 * away. Names that were lost to an overflow are made up for by a scan. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "triggers/buckets/internal.h"

#define WANTED (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR)

struct folder {
    UT_hash_handle hh;
    int wd;
    char *relative;
};

struct watch {
    struct bucket *bucket;
    int fd;
    struct loop_fd ready;
    struct folder *folders;
};

void watch_folder(struct watch *w, const char *relative)
{
    if (!w)
        return;
    cleanup_free char *path = mem_printf("%s/%s", w->bucket->root, relative);
    const int wd = inotify_add_watch(w->fd, path, WANTED);
    struct folder *f;
    if (wd < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            log_warn("a folder of a bucket cannot be watched: changes by others are seen at the "
                     "next start",
                     LOG_S("folder", path), LOG_S("error", strerror(errno)));
        return;
    }
    HASH_FIND_INT(w->folders, &wd, f);
    if (f)
        return;
    f = mem_alloc(sizeof *f);
    f->wd = wd;
    f->relative = mem_string(relative);
    HASH_ADD_INT(w->folders, wd, f);
    DIR *dir = opendir(path);
    for (const struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        cleanup_free char *below =
            *relative ? mem_printf("%s/%s", relative, e->d_name) : mem_string(e->d_name);
        if (e->d_type == DT_DIR && bucket_key_ok(below))
            watch_folder(w, below);
    }
    if (dir)
        closedir(dir);
}

static void forget_folder(struct watch *w, struct folder *f)
{
    HASH_DEL(w->folders, f);
    free(f->relative);
    free(f);
}

static void file_changed(struct bucket *b, const char *key)
{
    cleanup_free char *path = mem_printf("%s/%s", b->root, key);
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
        bucket_seen(b, key, &st, NULL, NULL);
}

static void handle(struct watch *w, const struct inotify_event *e)
{
    struct folder *f;
    if (e->mask & IN_Q_OVERFLOW) {
        metric_add(&TRIGGER_METRIC[TRIGGER_METRIC_OVERFLOW], 1);
        bucket_scan(w->bucket);
        return;
    }
    HASH_FIND_INT(w->folders, &e->wd, f);
    if (!f)
        return;
    if (e->mask & IN_IGNORED) {
        forget_folder(w, f);
        return;
    }
    cleanup_free char *key =
        *f->relative ? mem_printf("%s/%s", f->relative, e->name) : mem_string(e->name);
    if (!bucket_key_ok(key))
        return;
    if (e->mask & IN_ISDIR) {
        watch_folder(w, key);
        bucket_scan(w->bucket); /* what was in it before the watch was */
    } else if (e->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) {
        file_changed(w->bucket, key);
    } else if (e->mask & (IN_DELETE | IN_MOVED_FROM)) {
        bucket_gone(w->bucket, key);
    }
}

static void readable(void *arg, int events)
{
    struct watch *w = arg;
    _Alignas(struct inotify_event) char buffer[16 * 1024];
    (void)events;
    const ssize_t n = read(w->fd, buffer, sizeof buffer);
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e = (const void *)(buffer + at);
        at += (ssize_t)sizeof *e + e->len;
        handle(w, e);
    }
}

int watch_open(struct bucket *bucket, struct loop *loop, struct watch **out, struct err *err)
{
    struct watch *w = mem_alloc(sizeof *w);
    w->bucket = bucket;
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int rc = w->fd < 0 ? err_errno(err, errno, "inotify") : 0;
    if (rc == 0)
        rc = loop_fd_start(loop, &w->ready, w->fd, LOOP_READ, readable, w, err);
    if (rc < 0) {
        watch_close(w);
        return rc;
    }
    watch_folder(w, "");
    *out = w;
    return 0;
}

void watch_close(struct watch *w)
{
    struct folder *f, *next;
    if (!w)
        return;
    loop_fd_stop(&w->ready);
    HASH_ITER (hh, w->folders, f, next) {
        forget_folder(w, f);
    }
    if (w->fd >= 0)
        close(w->fd);
    free(w);
}

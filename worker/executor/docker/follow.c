#include "worker/executor/docker/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/mem.h"
#include "worker/executor/docker/frames.h"

struct follow {
    struct engine_call *call;
    struct frames frames;
    struct text out; /* of the present piece */
    const char *path;
    int fd;
    int64_t skip; /* bytes that the file has already */
    int64_t left; /* that it may have more */
    bool truncated;
    struct err err; /* code 0 = none */
    follow_done_fn *done;
    void *arg;
};

static bool keep(struct follow *f, const char *data, size_t len)
{
    if (fd_write(f->fd, data, len) == 0) {
        f->left -= (int64_t)len;
        return true;
    }
    err_errno(&f->err, errno, "%s", f->path);
    return false;
}

static bool take(struct follow *f)
{
    const char *data = f->out.data;
    size_t len = f->out.len;
    const size_t over = (int64_t)len < f->skip ? len : (size_t)f->skip;
    f->skip -= (int64_t)over;
    data += over;
    len -= over;
    f->truncated = (int64_t)len > f->left;
    if (len > 0 && !keep(f, data, f->truncated ? (size_t)f->left : len))
        return false;
    f->out.len = 0;
    return !f->truncated;
}

static bool on_piece(void *arg, int status, const void *data, size_t len)
{
    struct follow *f = arg;
    (void)status;
    return frames_read(&f->frames, data, len, &f->out, &f->err) == 0 && take(f);
}

static void on_done(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct follow *f = arg;
    f->call = NULL;
    if (f->err.code == 0 && err)
        f->err = *err;
    else if (f->err.code == 0 && answer->status != 200)
        err_set(&f->err, answer->status == 404 ? LEAT_ENOTFOUND : LEAT_EREFUSED,
                "the engine refused the log: %s", answer->message);
    f->done(f->arg, f->err.code ? &f->err : NULL);
}

struct follow *follow_open(const struct follow_site *site, bool wait, follow_done_fn *done,
                           void *arg)
{
    struct follow *f = mem_alloc(sizeof *f);
    struct stat st = {0};
    f->path = site->log_path;
    f->done = done;
    f->arg = arg;
    f->fd = open(site->log_path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (f->fd < 0 || fstat(f->fd, &st) != 0)
        err_errno(&f->err, errno, "%s", site->log_path);
    f->skip = st.st_size > site->base ? st.st_size - site->base : 0;
    f->left = site->limit > st.st_size ? site->limit - st.st_size : 0;
    cleanup_free char *path = mem_printf("/containers/%s/logs?stdout=1&stderr=1&timestamps=1%s",
                                         site->name, wait ? "&follow=1" : "");
    const struct engine_request request = {.path = path, .timeout_us = -1, .piece = on_piece};
    f->call = engine_ask(site->engine, &request, on_done, f);
    return f;
}

void follow_close(struct follow *f)
{
    if (!f)
        return;
    engine_cancel(f->call);
    if (f->fd >= 0)
        close(f->fd);
    text_free(&f->out);
    free(f);
}

bool follow_truncated(const struct follow *f)
{
    return f->truncated;
}

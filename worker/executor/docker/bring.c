#include "worker/executor/docker/bring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "worker/executor/docker/unpack.h"

struct bring {
    struct engine_call *call;
    struct loop *loop;
    char *folder, *top;
    int fd; /* of the archive */
    bool empty;
    bool unpacking, closed; /* a thread has it: freed when it is back */
    struct err err;         /* code 0 = none */
    bring_done_fn *done;
    void *arg;
};

static void bring_free(struct bring *b)
{
    if (b->fd >= 0)
        close(b->fd);
    free(b->folder);
    free(b->top);
    free(b);
}

/* ---- unpacking, in a thread ----------------------------------------------------------------- */

static void work(void *arg)
{
    struct bring *b = arg;
    unpack(b->fd, b->top, b->folder, &b->err);
}

static void worked(void *arg)
{
    struct bring *b = arg;
    b->unpacking = false;
    if (b->closed)
        bring_free(b);
    else
        b->done(b->arg, b->err.code ? &b->err : NULL);
}

/* ---- its way here --------------------------------------------------------------------------- */

/* A file without a name, so that nothing is left of it whatever happens. */
static int open_file(struct bring *b)
{
    cleanup_free char *path = mem_printf("%s.tar", b->folder);
    b->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (b->fd < 0)
        return err_errno(&b->err, errno, "%s", path);
    unlink(path);
    return 0;
}

static bool on_piece(void *arg, int status, const void *data, size_t len)
{
    struct bring *b = arg;
    (void)status;
    for (const char *at = data; len > 0;) {
        const ssize_t n = write(b->fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err_set(&b->err, errno == ENOSPC ? LEAT_EFULL : LEAT_EIO, "%s", strerror(errno));
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static void judge(struct bring *b, const struct engine_answer *answer, const struct err *err)
{
    if (b->err.code)
        return;
    if (err)
        err_set(&b->err, LEAT_EUNREACHABLE, "%s", err->text);
    else if (answer->status == 404 && strstr(answer->message, "No such container"))
        err_set(&b->err, LEAT_ENOTFOUND, "its container was removed by somebody else");
    else if (answer->status == 404)
        b->empty = true;
    else if (answer->status != 200)
        err_set(&b->err, LEAT_EREFUSED, "%s", answer->message);
}

static void on_done(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct bring *b = arg;
    b->call = NULL;
    judge(b, answer, err);
    if (b->empty && ftruncate(b->fd, 0) != 0)
        err_errno(&b->err, errno, "%s", b->folder);
    if (b->err.code || lseek(b->fd, 0, SEEK_SET) < 0) {
        b->done(b->arg, &b->err);
        return;
    }
    b->unpacking = true;
    loop_work(b->loop, work, worked, b);
}

struct bring *bring_open(const struct bring_site *site, bring_done_fn *done, void *arg)
{
    struct bring *b = mem_alloc(sizeof *b);
    const char *slash = strrchr(site->from, '/');
    b->loop = site->loop;
    b->folder = mem_string(site->folder);
    b->top = mem_string(slash + 1);
    b->done = done;
    b->arg = arg;
    open_file(b); /* what went wrong is told when the engine has answered */
    cleanup_free char *path = mem_printf("/containers/%s/archive?path=%s", site->name, site->from);
    const struct engine_request request = {.path = path, .timeout_us = -1, .piece = on_piece};
    b->call = engine_ask(site->engine, &request, on_done, b);
    return b;
}

void bring_close(struct bring *b)
{
    if (!b)
        return;
    engine_cancel(TAKE(b->call));
    b->closed = true;
    if (!b->unpacking)
        bring_free(b);
}

#include "worker/executor/docker/bring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/url.h"
#include "worker/executor/docker/unpack.h"

struct part {
    char *from, *folder, *name;
};

struct bring {
    struct engine *engine;
    struct engine_call *call;
    struct loop *loop;
    char *container;
    struct part *parts;
    size_t count, next;     /* the one on its way */
    int fd;                 /* of the archive; -1 = none */
    int64_t most, left;     /* bytes */
    bool unpacking, closed; /* a thread has it: freed when it is back */
    struct err err;         /* code 0 = none */
    bring_done_fn *done;
    void *arg;
};

static void close_file(struct bring *b)
{
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
}

static void bring_free(struct bring *b)
{
    close_file(b);
    for (size_t i = 0; i < b->count; i++) {
        free(b->parts[i].from);
        free(b->parts[i].folder);
        free(b->parts[i].name);
    }
    free(b->parts);
    free(b->container);
    free(b);
}

static void next(struct bring *b);

static void end(struct bring *b)
{
    b->done(b->arg, b->err.code ? &b->err : NULL);
}

/* ---- unpacking, in a thread ----------------------------------------------------------------- */

static void work(void *arg)
{
    struct bring *b = arg;
    const struct part *part = &b->parts[b->next];
    const struct unpack_place to = {.top = strrchr(part->from, '/') + 1,
                                    .folder = part->folder,
                                    .name = part->name,
                                    .most = b->most};
    unpack(b->fd, &to, &b->err);
}

static void worked(void *arg)
{
    struct bring *b = arg;
    b->unpacking = false;
    close_file(b);
    b->next++;
    if (b->closed)
        bring_free(b);
    else if (b->err.code || b->next == b->count)
        end(b);
    else
        next(b);
}

/* ---- its way here --------------------------------------------------------------------------- */

/* A file without a name, so that nothing is left of it whatever happens. */
static int open_file(struct bring *b)
{
    cleanup_free char *path = mem_printf("%s.tar", b->parts[b->next].folder);
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
    if ((b->left -= (int64_t)len) < 0) {
        err_set(&b->err, LEAT_ELIMIT, "they have more than %lld bytes (docker-copy-limit)",
                (long long)b->most);
        return false;
    }
    if (fd_write(b->fd, data, len) == 0)
        return true;
    err_set(&b->err, err_is_full(errno) ? LEAT_EFULL : LEAT_EIO, "%s", strerror(errno));
    return false;
}

/* True = there is something to unpack. */
static bool judge(struct bring *b, const struct engine_answer *answer, const struct err *err)
{
    if (b->err.code)
        return false;
    if (err)
        err_set(&b->err, LEAT_EUNREACHABLE, "%s", err->text);
    else if (answer->status == 404 && strstr(answer->message, "No such container"))
        err_set(&b->err, LEAT_ENOTFOUND, "its container was removed by somebody else");
    else if (answer->status != 404 && answer->status != 200)
        err_set(&b->err, LEAT_EREFUSED, "%s", answer->message);
    return b->err.code == 0;
}

static void on_done(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct bring *b = arg;
    b->call = NULL;
    if (!judge(b, answer, err)) {
        end(b);
        return;
    }
    /* What is not there is as an archive of nothing: an earlier try's is removed all the same. */
    if ((answer->status == 404 && ftruncate(b->fd, 0) != 0) || lseek(b->fd, 0, SEEK_SET) < 0) {
        err_errno(&b->err, errno, "%s", b->parts[b->next].folder);
        end(b);
        return;
    }
    b->unpacking = true;
    loop_work(b->loop, work, worked, b);
}

static void next(struct bring *b)
{
    cleanup_text struct text path = {0};
    const struct part *part = &b->parts[b->next];
    open_file(b); /* what went wrong is told when the engine has answered */
    text_printf(&path, "/containers/%s/archive?path=", b->container);
    url_escape(&path, part->from, strlen(part->from), "/");
    const struct engine_request request = {.path = path.data, .timeout_us = -1, .piece = on_piece};
    b->call = engine_ask(b->engine, &request, on_done, b);
}

struct bring *bring_open(const struct bring_site *site, bring_done_fn *done, void *arg)
{
    struct bring *b = mem_alloc(sizeof *b);
    b->engine = site->engine;
    b->loop = site->loop;
    b->container = mem_string(site->name);
    b->count = site->count;
    b->parts = mem_array(site->count, sizeof *b->parts);
    for (size_t i = 0; i < site->count; i++)
        b->parts[i] = (struct part){.from = mem_string(site->parts[i].from),
                                    .folder = mem_string(site->parts[i].folder),
                                    .name = mem_string(site->parts[i].name)};
    b->most = b->left = site->most;
    b->fd = -1;
    b->done = done;
    b->arg = arg;
    next(b);
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

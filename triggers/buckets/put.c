/* The body goes into a temporary file of the bucket; it is synced, its version is fixed, it is
 * renamed to its key, its event is published, and only then the answer leaves. Death before the
 * rename leaves a temporary file that the next start removes; death after it leaves an object that
 * the next start's scan announces under the same id. */
#include "triggers/buckets/put.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/failpoint.h"
#include "common/base/fd.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/http/token.h"
#include "triggers/answer.h"
#include "triggers/buckets/bucket.h"

struct put {
    struct triggers *triggers;
    struct http_request *request;
    char *bucket, *root, *key, *temporary, *final;
    int fd;
    int64_t size;
    struct stat st;
    char version[BUCKET_VERSION_TEXT];
    struct err err; /* of the work off the loop */
};

static void put_free(struct put *p)
{
    if (p->fd >= 0)
        close(p->fd);
    unlink(p->temporary); /* gone already when it was renamed */
    free(p->bucket);
    free(p->root);
    free(p->key);
    free(p->temporary);
    free(p->final);
    free(p);
}

static void refuse(struct http_request *req, int status, int code, const char *text)
{
    struct err err = {0};
    err_set(&err, code, "%s", text);
    http_problem(req, status, &err);
}

static struct put *put_new(struct triggers *t, struct http_request *req, const struct bucket *b,
                           const char *key)
{
    uint8_t random[12];
    char name[2 * sizeof random + 1];
    struct put *p = mem_alloc(sizeof *p);
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, name);
    p->triggers = t;
    p->request = req;
    p->root = mem_string(bucket_root(b));
    p->bucket = mem_string(http_param(req, "bucket"));
    p->key = mem_string(key);
    p->temporary = mem_printf("%s/" BUCKET_TEMPORARY "%s", p->root, name);
    p->final = mem_printf("%s/%s", p->root, key);
    p->fd = open(p->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    return p;
}

static void begin(struct http_request *req, void *arg)
{
    struct triggers *t = arg;
    const char *key = http_param(req, "key");
    struct bucket *b = buckets_find(t->buckets, http_param(req, "bucket"));
    if (!token_fits(req, t->token)) {
        refuse(req, 401, LEAT_EAUTH, "needs 'Authorization: Bearer TOKEN'");
    } else if (!b) {
        refuse(req, 404, LEAT_ENOTFOUND,
               "there is no such bucket: apply a source with provider directory");
    } else if (!bucket_key_ok(key)) {
        refuse(
            req, 400, LEAT_EINPUT,
            "a key is 1 to 512 bytes of segments joined by '/', none of them empty, '.', '..' or "
            "beginning with '.leat-'");
    } else if (http_body_announced(req) > BUCKET_OBJECT_MAX) {
        refuse(req, 413, LEAT_ELIMIT, "an object may have 5 GiB");
    } else {
        struct put *p = put_new(t, req, b, key);
        http_set_context(req, p);
        if (p->fd < 0) {
            refuse(req, 503, LEAT_EIO, "the bucket's folder cannot be written");
            put_free(p);
        }
    }
}

static void fail(struct put *p, int saved_errno)
{
    const bool full = err_is_full(saved_errno);
    refuse(p->request, full ? 507 : 503, full ? LEAT_EFULL : LEAT_EIO,
           full ? "the bucket's disk is full: make room, then upload again"
                : "the bucket's folder cannot be written");
    put_free(p);
}

static void piece(struct http_request *req, void *arg, const void *data, size_t len)
{
    struct put *p = http_context(req);
    (void)arg;
    p->size += (int64_t)len;
    if (p->size > BUCKET_OBJECT_MAX) {
        refuse(req, 413, LEAT_ELIMIT, "an object may have 5 GiB");
        put_free(p);
        return;
    }
    if (fd_write(p->fd, data, len) < 0)
        fail(p, errno);
}

/* Folders of the key, below the bucket; a symbolic link among them is refused. */
static int make_folders(struct put *p, int *folder)
{
    int at = open(p->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char *save = NULL;
    cleanup_free char *copy = mem_string(p->key);
    for (char *name = strtok_r(copy, "/", &save); at >= 0 && *save;
         name = strtok_r(NULL, "/", &save)) {
        if (mkdirat(at, name, 0750) != 0 && errno != EEXIST) {
            close(at);
            return -1;
        }
        const int below = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        close(at);
        at = below;
    }
    *folder = at;
    return at < 0 ? -1 : 0;
}

static void store_work(void *arg)
{
    struct put *p = arg;
    const char *name = strrchr(p->key, '/') ? strrchr(p->key, '/') + 1 : p->key;
    cleanup_close int folder = -1;
    if (fsync(p->fd) != 0 || fstat(p->fd, &p->st) != 0 || make_folders(p, &folder) != 0) {
        err_errno(&p->err, errno, "storing");
        return;
    }
    bucket_version(&p->st, p->version);
    failpoint_hit(FAILPOINT_UPLOAD_RENAME_BEFORE);
    if (renameat(AT_FDCWD, p->temporary, folder, name) != 0 || fsync(folder) != 0)
        err_errno(&p->err, errno, "storing");
}

static void announced(void *arg, const struct uuid *id, const struct err *err)
{
    struct put *p = arg;
    answer_event(p->request, 201, id, p->version, err);
    put_free(p);
}

static void store_done(void *arg)
{
    struct put *p = arg;
    struct bucket *b = buckets_find(p->triggers->buckets, p->bucket);
    failpoint_hit(FAILPOINT_UPLOAD_RENAME_AFTER);
    if (p->err.code || !b) {
        refuse(p->request, 503, LEAT_EIO, p->err.code ? p->err.text : "the bucket was removed");
        put_free(p);
        return;
    }
    bucket_seen(b, p->key, &p->st, announced, p);
}

static void end(struct http_request *req, void *arg)
{
    struct put *p = http_context(req);
    (void)arg;
    loop_work(p->triggers->loop, store_work, store_done, p);
}

static void gone(struct http_request *req, void *arg)
{
    struct put *p = http_context(req);
    (void)arg;
    if (p)
        put_free(p);
}

const struct http_upload BUCKET_PUT = {begin, piece, end, gone};

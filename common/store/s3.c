/* An S3 bucket as a store, laid out as the directory is:
 *   PREFIX/objects/ab/cdef…   by hash
 *   PREFIX/NAME               named objects
 *   PREFIX/tmp/probe          what store_open asks the service with
 * S3 shows an object whole or not at all, and answers a PUT when it is durable. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/s3_internal.h"

#define PART_USUAL (16LL << 20)
#define STALE_US   (7LL * 24 * 3600 * US_PER_S) /* uploads that nobody went on with */
#define PREFIX_MAX 400

/* ---- places --------------------------------------------------------------------------------- */

void s3_store_place(const struct s3_store *s, const char *key, char out[S3_STORE_PLACE])
{
    const char *slash = *s->prefix ? "/" : "";
    if (store_hash_ok(key))
        snprintf(out, S3_STORE_PLACE, "%s%sobjects/%.2s/%s", s->prefix, slash, key, key + 2);
    else
        snprintf(out, S3_STORE_PLACE, "%s%s%s", s->prefix, slash, key);
}

/* S3's text says the place; a caller wants the key that it asked for. */
static int no_such(const char *key, int rc, struct err *err)
{
    return rc == LEAT_ENOTFOUND ? err_set(err, rc, "the store has no %s", key) : rc;
}

/* ---- what the service can do ----------------------------------------------------------------- */

/* "Put only when absent" on an object that then is there: 412 = the condition is honoured. A
 * service that ignores it answers 200 twice; one that knows it not, 501. */
static int probe(struct s3_store *s, struct err *err)
{
    char place[S3_STORE_PLACE];
    struct err why = {0};
    s3_store_place(s, "tmp/probe", place);
    const struct s3_body body = {.data = "leat\n", .len = 5};
    int rc = 0;
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = s3_put(s->s3, place, &body, S3_IF_ABSENT, NULL, &why);
    if (rc == 0 || rc == LEAT_EEXISTS || rc == LEAT_EREFUSED) {
        const bool refused_whole = rc == LEAT_EREFUSED && strstr(why.text, "NoSuchBucket");
        if (!refused_whole) {
            atomic_store(&s->conditions, rc == LEAT_EEXISTS ? S3_HONOURED : S3_NOT_HONOURED);
            return 0;
        }
    }
    return err_set(err, rc, "%s", why.text);
}

bool s3_store_conditions(struct s3_store *s)
{
    if (atomic_load(&s->conditions) == S3_NOT_KNOWN)
        (void)probe(s, NULL);
    return atomic_load(&s->conditions) == S3_HONOURED;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void close_s3(void *self)
{
    struct s3_store *s = self;
    s3_close(s->s3);
    free(s->prefix);
    free(s->spool);
    free(s);
}

/* What cannot be mended by waiting ends the start; a service that is away does not. */
static int look(struct s3_store *s, struct err *err)
{
    struct err why = {0};
    int stale = 0;
    const int rc = probe(s, &why);
    if (rc == LEAT_EUNREACHABLE) {
        log_warn("the store does not answer yet", LOG_ERR(&why));
        return 0;
    }
    if (rc < 0)
        return err_set(err, rc, "%s", why.text);
    cleanup_free char *below = mem_printf("%s%sobjects/", s->prefix, *s->prefix ? "/" : "");
    if (s3_abort_stale(s->s3, below, clock_wall_us() - STALE_US, &stale, NULL) == 0 && stale > 0)
        log_info("gave up uploads that nobody went on with", LOG_I("count", stale));
    return 0;
}

int s3_store_open(const char *where, const struct store_options *options, void **self,
                  struct err *err)
{
    static const struct store_options usual = {0};
    const struct store_options *o = options ? options : &usual;
    const char *bucket = where + strlen(S3_SCHEME), *slash = strchr(bucket, '/');
    const char *prefix = slash ? slash + 1 : "";
    cleanup_free char *name = mem_bytes(bucket, strcspn(bucket, "/"));
    if (*prefix && (!store_name_ok(prefix) || strlen(prefix) > PREFIX_MAX))
        return err_set(err, LEAT_EINPUT,
                       "store %.200s: it is written s3://BUCKET[/PREFIX], the prefix of segments "
                       "joined by '/', at most %d bytes",
                       where, PREFIX_MAX);
    struct s3_store *s = mem_alloc(sizeof *s);
    s->prefix = mem_string(prefix);
    s->spool = mem_string(o->spool ? o->spool : "/tmp");
    s->part_size = o->part_size ? o->part_size : PART_USUAL;
    int rc = s3_open(&(struct s3_settings){.bucket = name,
                                           .endpoint = o->endpoint,
                                           .region = o->region,
                                           .style = (enum s3_style)o->style,
                                           .credentials_file = o->credentials},
                     &s->s3, err);
    if (rc == 0)
        rc = look(s, err);
    if (rc < 0) {
        close_s3(s);
        return err_wrap(err, "store");
    }
    *self = s;
    return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct collecting {
    struct text text;
};

static bool collect(void *arg, const void *data, size_t len)
{
    text_append(&((struct collecting *)arg)->text, data, len);
    return true;
}

static int read_key(void *self, const char *key, int64_t offset, size_t max,
                    struct store_object *out, struct err *err)
{
    struct s3_store *s = self;
    cleanup_s3_answer struct s3_answer a = {0};
    struct collecting c = {0};
    char place[S3_STORE_PLACE];
    s3_store_place(s, key, place);
    const struct s3_get get = {.key = place, .offset = offset, .max = (int64_t)max};
    const int rc =
        max == 0 ? s3_head(s->s3, place, NULL, &a, err) : s3_get(s->s3, &get, collect, &c, &a, err);
    out->size = (int64_t)c.text.len;
    out->total = a.total;
    if (rc == 0 && a.total < 0 && s3_head(s->s3, place, NULL, &a, NULL) == 0)
        out->total = a.total; /* "past the end" need not say where the end is */
    out->data = text_take(&c.text);
    out->exists = true;
    return no_such(key, rc, err);
}

static int key_exists(void *self, const char *key, struct store_object *out, struct err *err)
{
    struct s3_store *s = self;
    cleanup_s3_answer struct s3_answer a = {0};
    char place[S3_STORE_PLACE];
    s3_store_place(s, key, place);
    const int rc = s3_head(s->s3, place, NULL, &a, err);
    out->exists = rc == 0;
    out->size = rc == 0 ? a.length : 0;
    return rc == LEAT_ENOTFOUND ? 0 : rc;
}

static int remove_key(void *self, const char *key, struct err *err)
{
    struct s3_store *s = self;
    char place[S3_STORE_PLACE];
    s3_store_place(s, key, place);
    return s3_remove(s->s3, place, err);
}

/* ---- into files ------------------------------------------------------------------------------ */

struct saving {
    int fd, saved_errno;
    struct sha256_stream *stream;
    int64_t size;
};

static bool save(void *arg, const void *data, size_t len)
{
    struct saving *to = arg;
    sha256_add(to->stream, data, len);
    to->size += (int64_t)len;
    if (fd_write(to->fd, data, len) < 0)
        to->saved_errno = errno;
    return to->saved_errno == 0;
}

/* The object's bytes to fd, checked where the key is their hash. */
static int save_key(struct s3_store *s, const char *key, int fd, int64_t *size, struct err *err)
{
    struct saving to = {.fd = fd, .stream = sha256_start()};
    uint8_t digest[SHA256_BYTES];
    char place[S3_STORE_PLACE], hex[SHA256_HEX];
    s3_store_place(s, key, place);
    const struct s3_get get = {.key = place, .max = -1};
    const int rc = s3_get(s->s3, &get, save, &to, NULL, err);
    sha256_end(to.stream, digest);
    hex_encode(digest, sizeof digest, hex);
    *size = to.size;
    if (err_is_full(to.saved_errno))
        return err_set(err, LEAT_EFULL, "no space to write object %s", key);
    if (to.saved_errno)
        return err_errno(err, to.saved_errno, "object %s", key);
    if (rc < 0)
        return no_such(key, rc, err);
    if (store_hash_ok(key) && strcmp(hex, key) != 0)
        return err_set(err, LEAT_EIO, "%s: object %s is damaged, its bytes have another hash",
                       s3_where(s->s3), key);
    return 0;
}

static int get_file(void *self, const char *hash, const char *path, int mode,
                    struct store_object *out, struct err *err)
{
    cleanup_close int to =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
    if (to < 0 && errno == EEXIST)
        return err_set(err, LEAT_EEXISTS, "%s exists", path);
    if (to < 0)
        return err_errno(err, errno, "%s", path);
    const int rc = save_key(self, hash, to, &out->size, err);
    if (rc != 0)
        unlink(path);
    memcpy(out->hash, hash, SHA256_HEX);
    return rc;
}

/* A file without a name: gone with its descriptor, whatever happens to the process. */
static int open_key_fd(void *self, const char *key, int64_t *size, struct err *err)
{
    struct s3_store *s = self;
    cleanup_close int fd = open(s->spool, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "spool folder %s", s->spool);
    const int rc = save_key(s, key, fd, size, err);
    if (rc < 0)
        return rc;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(err, errno, "spool folder %s", s->spool);
    const int taken = fd;
    fd = -1;
    return taken;
}

const struct store_backend STORE_S3 = {
    .name = "s3",
    .put_fd = s3_store_put_fd,
    .put_bytes = s3_store_put_bytes,
    .get_file = get_file,
    .put_named = s3_store_put_named,
    .put_named_fd = s3_store_put_named_fd,
    .read = read_key,
    .exists = key_exists,
    .remove = remove_key,
    .open_fd = open_key_fd,
    .close = close_s3,
};

/* Into an S3 store. A file is read twice: once for its hash (and those of its parts), once to be
 * sent; each request is signed with the hash, so the service refuses bytes that changed between.
 * Death before the PUT is whole leaves nothing that shows; after it, the next put of the same hash
 * finds it there. Twice at once writes the same bytes twice. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/store/s3_internal.h"

#define BLOCK       (256 * 1024)
#define SMALL       (256 * 1024) /* sent without a look whether it is there */
#define PARTS_USUAL 9000         /* more make larger parts */
#define ROUND       (1LL << 20)

/* ---- hashes ---------------------------------------------------------------------------------- */

struct hashes {
    char whole[SHA256_HEX];
    struct s3_parts parts; /* count 0 = it goes in one piece */
};

static void hashes_free(struct hashes *h)
{
    free(h->parts.sha256);
}
#define cleanup_hashes __attribute__((cleanup(hashes_free)))

static int64_t part_size(const struct s3_store *s, int64_t size)
{
    int64_t part = s->part_size;
    if (size / part >= PARTS_USUAL)
        part = (size / PARTS_USUAL / ROUND + 1) * ROUND;
    return part;
}

static void finish(struct sha256_stream *stream, char out[SHA256_HEX])
{
    uint8_t digest[SHA256_BYTES];
    sha256_end(stream, digest);
    hex_encode(digest, sizeof digest, out);
}

/* One pass over the first `size` bytes. */
static int hash_file(int fd, int64_t size, struct hashes *h, struct err *err)
{
    cleanup_free char *buf = mem_grow(NULL, BLOCK, 1);
    struct sha256_stream *whole = sha256_start(), *part = sha256_start();
    const int64_t each = h->parts.part_size;
    int64_t at = 0;
    ssize_t n = 1;
    while (at < size && n > 0) {
        const int64_t stop = each - at % each < size - at ? each - at % each : size - at;
        n = pread(fd, buf, stop < BLOCK ? (size_t)stop : BLOCK, at);
        if (n <= 0)
            break;
        sha256_add(whole, buf, (size_t)n);
        if (h->parts.count)
            sha256_add(part, buf, (size_t)n);
        at += n;
        if (h->parts.count && (at % each == 0 || at == size)) {
            finish(part, h->parts.sha256[(at - 1) / each]);
            part = sha256_start();
        }
    }
    char unused[SHA256_HEX];
    const int saved = errno;
    finish(part, unused);
    finish(whole, h->whole);
    if (n < 0)
        return err_errno(err, saved, "reading what is to be stored");
    return at < size ? err_set(err, LEAT_EINPUT, "the file became shorter while it was read") : 0;
}

static int measure(const struct s3_store *s, int fd, struct hashes *h, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_errno(err, errno, "reading what is to be stored");
    if (st.st_size > S3_OBJECT_MAX)
        return err_set(err, LEAT_ELIMIT, "an object of an S3 store may have 5 TiB");
    h->parts.size = st.st_size;
    h->parts.part_size = part_size(s, st.st_size);
    if (st.st_size > s->part_size) {
        h->parts.count = (size_t)((st.st_size + h->parts.part_size - 1) / h->parts.part_size);
        h->parts.sha256 = mem_array(h->parts.count, SHA256_HEX);
    }
    return hash_file(fd, st.st_size, h, err);
}

static int taken(const char *move, int rc, struct err *err)
{
    return rc == 0 && move && unlink(move) != 0 ? err_errno(err, errno, "%s", move) : rc;
}

/* ---- objects --------------------------------------------------------------------------------- */

/* 1 = it is there, whole. */
static int have(struct s3_store *s, const char *place, int64_t size, struct err *err)
{
    cleanup_s3_answer struct s3_answer a = {0};
    const int rc = s3_head(s->s3, place, NULL, &a, err);
    if (rc < 0)
        return rc == LEAT_ENOTFOUND ? 0 : rc;
    return a.length == size;
}

/* Small ones are sent under the condition that they are absent: one request either way. */
static int put_object(struct s3_store *s, const char *place, const struct s3_body *body,
                      struct err *err)
{
    const bool small = body->len <= SMALL && s3_store_conditions(s);
    int rc = small ? 0 : have(s, place, body->len, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = s3_put(s->s3, place, body, small ? S3_IF_ABSENT : 0, NULL, err);
    return rc == LEAT_EEXISTS ? 0 : rc;
}

int s3_store_put_bytes(void *self, const void *data, size_t len, struct store_object *out,
                       struct err *err)
{
    struct s3_store *s = self;
    char place[S3_STORE_PLACE];
    sha256_hex(data, len, out->hash);
    out->size = (int64_t)len;
    s3_store_place(s, out->hash, place);
    const struct s3_body body = {
        .data = data ? data : "", .len = (int64_t)len, .sha256 = out->hash};
    return put_object(s, place, &body, err);
}

int s3_store_put_fd(void *self, int fd, const char *move, struct store_object *out, struct err *err)
{
    struct s3_store *s = self;
    cleanup_hashes struct hashes h = {0};
    char place[S3_STORE_PLACE];
    int rc = measure(s, fd, &h, err);
    if (rc < 0)
        return rc;
    memcpy(out->hash, h.whole, sizeof out->hash);
    out->size = h.parts.size;
    s3_store_place(s, out->hash, place);
    if (h.parts.count == 0) {
        const struct s3_body body = {.fd = fd, .len = h.parts.size, .sha256 = h.whole};
        rc = put_object(s, place, &body, err);
    } else {
        rc = have(s, place, h.parts.size, err);
        rc = rc == 0 ? s3_put_parts(s->s3, place, fd, &h.parts, true, 0, err) : rc < 0 ? rc : 0;
    }
    return taken(move, rc, err);
}

/* ---- named objects --------------------------------------------------------------------------- */

/* May it be written? The condition that goes with the PUT decides; where the service knows none,
 * this look does. */
static int check_absent(struct s3_store *s, const char *place, int flags, int *put_flags,
                        struct err *err)
{
    *put_flags = S3_NAMED | (flags & STORE_AGAIN ? S3_AGAIN : 0);
    if (flags & STORE_REPLACE)
        return 0;
    if (s3_store_conditions(s)) {
        *put_flags |= S3_IF_ABSENT;
        return 0;
    }
    const int rc = s3_head(s->s3, place, NULL, NULL, err);
    if (rc == 0)
        return err_set(err, LEAT_EEXISTS, "the store has %s already", place);
    return rc == LEAT_ENOTFOUND ? 0 : rc;
}

static int told(const char *name, int rc, struct err *err)
{
    return rc == LEAT_EEXISTS ? err_set(err, rc, "the store has %s already", name) : rc;
}

int s3_store_put_named(void *self, const char *name, const void *data, size_t len, int flags,
                       struct err *err)
{
    struct s3_store *s = self;
    char place[S3_STORE_PLACE];
    int put_flags;
    s3_store_place(s, name, place);
    const struct s3_body body = {.data = data ? data : "", .len = (int64_t)len};
    int rc = check_absent(s, place, flags, &put_flags, err);
    if (rc == 0)
        rc = s3_put(s->s3, place, &body, put_flags, NULL, err);
    return told(name, rc, err);
}

/* A large one is looked for first in any case: not every service knows the condition when it puts
 * parts together. */
static int put_named_parts(struct s3_store *s, const char *place, int fd, const struct hashes *h,
                           int flags, struct err *err)
{
    const int rc = flags & STORE_REPLACE ? LEAT_ENOTFOUND : s3_head(s->s3, place, NULL, NULL, err);
    if (rc == 0)
        return LEAT_EEXISTS;
    return rc == LEAT_ENOTFOUND ? s3_put_parts(s->s3, place, fd, &h->parts, false, 0, err) : rc;
}

int s3_store_put_named_fd(void *self, const char *name, int fd, const char *move, int flags,
                          int64_t *size, struct err *err)
{
    struct s3_store *s = self;
    cleanup_hashes struct hashes h = {0};
    char place[S3_STORE_PLACE];
    int put_flags = 0;
    s3_store_place(s, name, place);
    int rc = measure(s, fd, &h, err);
    *size = h.parts.size;
    if (rc == 0 && h.parts.count > 0) {
        rc = put_named_parts(s, place, fd, &h, flags, err);
    } else if (rc == 0) {
        const struct s3_body body = {.fd = fd, .len = h.parts.size, .sha256 = h.whole};
        rc = check_absent(s, place, flags, &put_flags, err);
        if (rc == 0)
            rc = s3_put(s->s3, place, &body, put_flags, NULL, err);
    }
    return taken(move, told(name, rc, err), err);
}

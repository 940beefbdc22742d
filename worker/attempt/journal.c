#include "worker/attempt/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define MAGIC         "LEATJNL1"
#define MAGIC_BYTES   8
#define RECORD_MOST   (2 * 1024 * 1024)
#define REWRITE_BYTES (16 * 1024 * 1024)

/* On disk: uint32 length of the body, uint32 CRC of the body, body = kind, id, number, offset,
 * text. */
struct body_head {
    uint8_t kind;
    uint8_t id[16];
    int64_t number, offset;
} __attribute__((packed));

struct frame_head {
    uint32_t len, crc;
};

struct journal {
    int fd;
    char *path;
    off_t size;      /* of the file: all of it whole records */
    off_t rewritten; /* its size after the last rewrite */
    struct text pending;
};

/* ---- CRC-32 (IEEE), by table -------------------------------------------------------------------
 */

static uint32_t crc32(const void *data, size_t len)
{
    static uint32_t table[256];
    if (!table[1])
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int bit = 0; bit < 8; bit++)
                c = c & 1 ? 0xEDB88320U ^ (c >> 1) : c >> 1;
            table[i] = c;
        }
    uint32_t crc = ~0U;
    for (const uint8_t *p = data, *end = p + len; p < end; p++)
        crc = table[(crc ^ *p) & 0xff] ^ (crc >> 8);
    return ~crc;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

/* Bytes of the record at data, 0 when there is no whole and sound one. */
static size_t read_record(const char *data, size_t len, struct journal_record *out)
{
    struct frame_head frame;
    struct body_head head;
    if (len < sizeof frame)
        return 0;
    memcpy(&frame, data, sizeof frame);
    const char *body = data + sizeof frame;
    if (frame.len < sizeof head || frame.len > RECORD_MOST || frame.len > len - sizeof frame ||
        crc32(body, frame.len) != frame.crc)
        return 0;
    memcpy(&head, body, sizeof head);
    *out = (struct journal_record){
        .kind = (enum journal_kind)head.kind,
        .number = head.number,
        .offset = head.offset,
        .text = body + sizeof head,
        .len = frame.len - sizeof head,
    };
    memcpy(out->id.b, head.id, sizeof head.id);
    return sizeof frame + frame.len;
}

static int read_file(int fd, struct text *out, struct err *err)
{
    char buf[64 * 1024];
    for (;;) {
        const ssize_t n = read(fd, buf, sizeof buf);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "%s", JOURNAL_FILE);
        if (n == 0)
            return 0;
        text_append(out, buf, (size_t)n);
    }
}

static int replay(struct journal *j, void (*take)(void *arg, const struct journal_record *record),
                  void *arg, size_t *torn, struct err *err)
{
    cleanup_text struct text all = {0};
    if (read_file(j->fd, &all, err) != 0)
        return LEAT_EIO;
    if (all.len >= MAGIC_BYTES && memcmp(all.data, MAGIC, MAGIC_BYTES) != 0)
        return err_set(err, LEAT_EINPUT, "%s is not a journal of this version", j->path);
    size_t at = all.len < MAGIC_BYTES ? 0 : MAGIC_BYTES;
    struct journal_record record;
    for (size_t n; at > 0 && (n = read_record(all.data + at, all.len - at, &record)) > 0; at += n)
        take(arg, &record);
    *torn = all.len - at;
    j->size = (off_t)at;
    if (*torn > 0 && ftruncate(j->fd, j->size) != 0)
        return err_errno(err, errno, "%s", j->path);
    return 0;
}

int journal_open(const char *dir, void (*take)(void *arg, const struct journal_record *record),
                 void *arg, size_t *torn, struct journal **out, struct err *err)
{
    struct journal *j = mem_alloc(sizeof *j);
    j->path = mem_printf("%s/%s", dir, JOURNAL_FILE);
    j->fd = open(j->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (j->fd < 0) {
        err_errno(err, errno, "%s", j->path);
        journal_close(j);
        return LEAT_EIO;
    }
    const int rc = replay(j, take, arg, torn, err);
    if (rc != 0) {
        journal_close(j);
        return rc;
    }
    if (j->size == 0)
        text_append(&j->pending, MAGIC, MAGIC_BYTES);
    j->rewritten = j->size;
    *out = j;
    return 0;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    if (j->fd >= 0)
        close(j->fd);
    text_free(&j->pending);
    free(j->path);
    free(j);
}

/* ---- writing -----------------------------------------------------------------------------------
 */

void journal_put(struct journal *j, const struct journal_record *r)
{
    const size_t at = j->pending.len;
    struct frame_head frame = {.len = (uint32_t)(sizeof(struct body_head) + r->len)};
    struct body_head head = {.kind = (uint8_t)r->kind, .number = r->number, .offset = r->offset};
    memcpy(head.id, r->id.b, sizeof head.id);
    text_append(&j->pending, &frame, sizeof frame);
    text_append(&j->pending, &head, sizeof head);
    text_append(&j->pending, r->text, r->len);
    frame.crc = crc32(j->pending.data + at + sizeof frame, frame.len);
    memcpy(j->pending.data + at, &frame, sizeof frame);
}

size_t journal_pending(const struct journal *j)
{
    return j->pending.len;
}

void journal_take_back(struct journal *j, size_t pending)
{
    if (j->pending.len > pending)
        j->pending.len = pending;
}

int journal_write(struct journal *j, struct err *err)
{
    if (j->pending.len == 0)
        return 0;
    if (fd_write(j->fd, j->pending.data, j->pending.len) < 0) {
        const int why = errno;
        (void)!ftruncate(j->fd, j->size); /* part of it may be there */
        return err_errno(err, why, "%s", j->path);
    }
    j->size += (off_t)j->pending.len;
    j->pending.len = 0;
    return 0;
}

int journal_sync(struct journal *j, struct err *err)
{
    if (fdatasync(j->fd) == 0)
        return 0;
    return err_errno(err, errno, "%s", j->path);
}

bool journal_wants_rewrite(const struct journal *j)
{
    return j->size > REWRITE_BYTES && j->size > 2 * j->rewritten;
}

/* The new file is on disk before it takes the old one's name: a rename may come through a power
 * cut before the bytes do. */
static int put_in_place(int fd, const char *from, const char *to, const struct text *bytes)
{
    if (fd_write(fd, bytes->data, bytes->len) < 0)
        return errno;
    return fdatasync(fd) == 0 && rename(from, to) == 0 ? 0 : errno;
}

int journal_rewrite(struct journal *j, void (*put_all)(void *arg, struct journal *j), void *arg,
                    struct err *err)
{
    cleanup_free char *path = mem_printf("%s.new", j->path);
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "%s", path);
    text_append(&j->pending, MAGIC, MAGIC_BYTES);
    put_all(arg, j);
    const int why = put_in_place(fd, path, j->path, &j->pending);
    const off_t size = (off_t)j->pending.len;
    j->pending.len = 0;
    if (why != 0) {
        close(fd);
        unlink(path);
        j->rewritten = j->size; /* not at every write again */
        return err_errno(err, why, "%s", path);
    }
    close(j->fd);
    j->fd = fd;
    j->size = j->rewritten = size;
    return 0;
}

#include "worker/executor/docker/frames.h"

#include <string.h>

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static struct frames_stream *stream_of(struct frames *f)
{
    return &f->streams[f->head[0] == 2];
}

static int begin(struct frames *f, struct err *err)
{
    f->left = (size_t)f->head[4] << 24 | (size_t)f->head[5] << 16 | (size_t)f->head[6] << 8 |
              (size_t)f->head[7];
    f->stamp_len = 0;
    f->any = false;
    if ((f->head[0] != 1 && f->head[0] != 2) || f->head[1] || f->head[2] || f->head[3])
        return err_set(err, LEAT_EINPUT, "the engine's log is no stream of frames");
    if (f->left < FRAMES_STAMP || f->left > FRAMES_MOST)
        return err_set(err, LEAT_EINPUT, "a frame of the engine's log has %zu bytes", f->left);
    return 0;
}

/* The time of the frame is known: another one than that of an open line ends it. */
static int stamped(struct frames *f, struct text *out, struct err *err)
{
    struct frames_stream *s = stream_of(f);
    if (f->stamp[FRAMES_STAMP - 1] != ' ' || f->stamp[4] != '-' || f->stamp[10] != 'T')
        return err_set(err, LEAT_EINPUT, "a frame of the engine's log has no time");
    if (s->open && memcmp(s->stamp, f->stamp, FRAMES_STAMP) != 0)
        text_append(out, "\n", 1);
    memcpy(s->stamp, f->stamp, FRAMES_STAMP);
    return 0;
}

static void end(struct frames *f)
{
    stream_of(f)->open = !f->any || f->last != '\n';
    f->head_len = 0;
}

static size_t take_payload(struct frames *f, const char *data, size_t len, struct text *out)
{
    const size_t n = min_size(len, f->left);
    if (n > 0) {
        text_append(out, data, n);
        f->any = true;
        f->last = data[n - 1];
    }
    f->left -= n;
    return n;
}

int frames_read(struct frames *f, const void *data, size_t len, struct text *out, struct err *err)
{
    const char *at = data;
    while (len > 0) {
        size_t n;
        if (f->head_len < sizeof f->head) {
            n = min_size(len, sizeof f->head - f->head_len);
            memcpy(f->head + f->head_len, at, n);
            f->head_len += n;
            if (f->head_len == sizeof f->head && begin(f, err) != 0)
                return LEAT_EINPUT;
        } else if (f->stamp_len < FRAMES_STAMP) {
            n = min_size(len, FRAMES_STAMP - f->stamp_len);
            memcpy(f->stamp + f->stamp_len, at, n);
            f->stamp_len += n;
            f->left -= n;
            if (f->stamp_len == FRAMES_STAMP && stamped(f, out, err) != 0)
                return LEAT_EINPUT;
        } else {
            n = take_payload(f, at, len, out);
        }
        at += n;
        len -= n;
        if (f->head_len == sizeof f->head && f->stamp_len == FRAMES_STAMP && f->left == 0)
            end(f);
    }
    return 0;
}

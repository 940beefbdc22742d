/* worker/executor/docker/frames.h: the engine's stream of a container's log, back into the bytes
 * that the container wrote. Pure.
 *
 * The stream (Engine API, "ContainerAttach", stream format): frames of 8 bytes {stream, 0, 0, 0,
 * length, big-endian} and a payload. With timestamps=1 the payload is 30 characters of RFC 3339
 * with nanoseconds, a space, and at most 16 KiB of one line. A line that is longer comes in parts
 * that share the time of the first. Engines up to 20.10 at least leave out the line end after the
 * last of several parts (driver `local`); so a frame without one that is followed, in its stream,
 * by another time had one. What that cannot tell: whether the very last line of a log had a line
 * end, when it has 16 KiB or more and such an engine is asked; none is added then. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/text.h"

#define FRAMES_STAMP 31        /* "2026-11-25T02:14:57.768913361Z " */
#define FRAMES_MOST  (4 << 20) /* longest payload that is believed */

struct frames {
    uint8_t head[8];
    size_t head_len;
    size_t left; /* of the payload */
    char stamp[FRAMES_STAMP];
    size_t stamp_len;
    struct frames_stream {
        char stamp[FRAMES_STAMP];
        bool open; /* its last frame had no line end */
    } streams[2];
    bool any;  /* the frame under way has a payload byte */
    char last; /* which */
};

/* Appends what is written by the pieces of the stream in `data` to *out. LEAT_EINPUT when it is no
 * such stream. */
int frames_read(struct frames *f, const void *data, size_t len, struct text *out, struct err *err);

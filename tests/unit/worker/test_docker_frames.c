/* The engine's log stream, back into bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "worker/executor/docker/frames.h"

/* One frame: `n` is the nanosecond of its time. */
static void frame(struct text *t, int stream, int n, const char *data, size_t len)
{
    char stamp[FRAMES_STAMP + 1];
    snprintf(stamp, sizeof stamp, "2026-11-25T02:14:57.%09dZ ", n);
    const size_t all = len + FRAMES_STAMP;
    const uint8_t head[8] = {(uint8_t)stream,     0,           0, 0, 0, (uint8_t)(all >> 16),
                             (uint8_t)(all >> 8), (uint8_t)all};
    text_append(t, head, sizeof head);
    text_append(t, stamp, FRAMES_STAMP);
    text_append(t, data, len);
}

static void assert_reads(const struct text *stream, const char *want, size_t len)
{
    for (size_t step = 1; step <= stream->len; step = step < 50 ? step + 1 : step * 2) {
        struct frames f = {0};
        struct text out = {0};
        struct err err = {0};
        for (size_t at = 0; at < stream->len; at += step) {
            const size_t n = stream->len - at < step ? stream->len - at : step;
            assert_int_equal(frames_read(&f, stream->data + at, n, &out, &err), 0);
        }
        assert_int_equal(out.len, len);
        assert_memory_equal(out.data, want, len);
        text_free(&out);
    }
}

#define READS(stream, want) assert_reads(stream, want, sizeof(want) - 1)

static void lines_and_parts(void **state)
{
    (void)state;
    struct text t = {0};
    frame(&t, 1, 1, "one\n", 4);
    frame(&t, 2, 2, "\0\377\n", 3);
    frame(&t, 1, 3, "\n", 1);
    frame(&t, 1, 4, "no end", 6);
    READS(&t, "one\n\0\377\n\nno end");
    text_free(&t);
}

/* Parts of one line share its time; the line end after the last is the one that engines leave out.
 */
static void a_line_in_parts(void **state)
{
    (void)state;
    struct text t = {0};
    frame(&t, 1, 1, "aaaa", 4);
    frame(&t, 1, 1, "bb", 2);
    frame(&t, 2, 2, "err\n", 4); /* the other stream ends nothing */
    frame(&t, 1, 3, "next\n", 5);
    READS(&t, "aaaabberr\n\nnext\n");
    text_free(&t);
    frame(&t, 1, 1, "aaaa", 4);
    frame(&t, 1, 1, "", 0); /* the line ended with its buffer */
    frame(&t, 1, 2, "b\n", 2);
    READS(&t, "aaaa\nb\n");
    text_free(&t);
    frame(&t, 1, 1, "aaaa", 4);
    frame(&t, 1, 1, "bb\n", 3); /* an engine that does not leave it out */
    frame(&t, 1, 2, "c\n", 2);
    READS(&t, "aaaabb\nc\n");
    text_free(&t);
}

static void what_is_no_stream(void **state)
{
    (void)state;
    static const char *const BAD[] = {"plain text, and more of it than a head has",
                                      "\3\0\0\0\0\0\0\50", "\1\1\0\0\0\0\0\50"};
    static const size_t LEN[] = {42, 8, 8};
    for (size_t i = 0; i < 3; i++) {
        struct frames f = {0};
        struct text out = {0};
        struct err err = {0};
        assert_int_equal(frames_read(&f, BAD[i], LEN[i], &out, &err), LEAT_EINPUT);
        text_free(&out);
    }
    const struct {
        uint8_t size[4];
        int rc;
    } sizes[] = {{{0, 0, 0, FRAMES_STAMP - 1}, LEAT_EINPUT},
                 {{0, 0, 0, FRAMES_STAMP}, 0},
                 {{0, 0x40, 0, 0}, 0},
                 {{0, 0x40, 0, 1}, LEAT_EINPUT}};
    for (size_t i = 0; i < 4; i++) {
        struct frames f = {0};
        struct text out = {0};
        struct err err = {0};
        uint8_t head[8] = {1};
        memcpy(head + 4, sizes[i].size, 4);
        assert_int_equal(frames_read(&f, head, 8, &out, &err), sizes[i].rc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_and_parts),
                                       cmocka_unit_test(a_line_in_parts),
                                       cmocka_unit_test(what_is_no_stream)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

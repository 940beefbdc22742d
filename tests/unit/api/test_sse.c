/* The text of server-sent events, and how a log is cut into them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/live/sse.h"
#include "common/base/mem.h"
#include "common/text/json.h"
#include "common/text/utf8.h"

static void an_event_is_three_lines_and_an_empty_one(void **state)
{
    (void)state;
    cleanup_text struct text out = {0};
    cleanup_json json_t *data = json_pack("{s:s}", "text", "a\nb\r\n: id: 7\n\n");
    sse_event(&out, "log", "1;;", data);
    assert_string_equal(out.data,
                        "id: 1;;\nevent: log\ndata: {\"text\":\"a\\nb\\r\\n: id: 7\\n\\n\"}\n\n");
}

static void without_a_position_there_is_no_id(void **state)
{
    (void)state;
    cleanup_text struct text out = {0};
    cleanup_json json_t *data = json_object();
    sse_event(&out, "step", "", data);
    sse_event(&out, "step", NULL, data);
    assert_null(strstr(out.data, "id:"));
    sse_heartbeat(&out);
    assert_string_equal(out.data + out.len - 3, ":\n\n");
}

static size_t piece(const char *data, size_t len, bool more, bool expect_text)
{
    bool is_text;
    const size_t n = sse_log_piece(data, len, more, &is_text);
    assert_int_equal(is_text, expect_text);
    return n;
}

static void a_piece_ends_with_a_line_where_more_follows(void **state)
{
    (void)state;
    assert_int_equal(piece("one\ntwo", 7, true, true), 4);
    assert_int_equal(piece("one\ntwo", 7, false, true), 7);
    assert_int_equal(piece("onetwo", 6, true, true), 6);
    assert_int_equal(piece("", 0, false, false), 0);
}

static void characters_are_not_cut(void **state)
{
    (void)state;
    assert_int_equal(piece("ab\xc3", 3, true, true), 2);
    assert_int_equal(piece("\xc3", 1, true, false), 0); /* give more */
    assert_int_equal(piece("\xc3", 1, false, false), 1);
    assert_int_equal(piece("\xe2\x82", 2, true, false), 0);
    assert_int_equal(piece("\xe2\x82\xac", 3, false, true), 3);
}

static void bytes_that_are_no_text_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(piece("ab\xff\xfe"
                           "cd",
                           6, false, true),
                     2);
    assert_int_equal(piece("\xff\xfe"
                           "cd",
                           4, false, false),
                     2);
    assert_int_equal(piece("\0\0a", 3, false, false), 2);
    assert_int_equal(piece("\xed\xa0\x80x", 4, false, false), 3); /* a surrogate */
}

static void a_piece_has_at_most_its_limit(void **state)
{
    (void)state;
    cleanup_free char *data = mem_alloc(SSE_LOG_MAX + 2);
    memset(data, 'x', SSE_LOG_MAX + 1);
    assert_int_equal(piece(data, SSE_LOG_MAX, false, true), SSE_LOG_MAX);
    assert_int_equal(piece(data, SSE_LOG_MAX + 1, false, true), SSE_LOG_MAX);
    memcpy(data + SSE_LOG_MAX - 1, "\xc3\xa9", 2);
    assert_int_equal(piece(data, SSE_LOG_MAX + 1, false, true), SSE_LOG_MAX - 1);
    memset(data, 0xff, SSE_LOG_MAX + 1);
    assert_int_equal(piece(data, SSE_LOG_MAX + 1, false, false), SSE_LOG_MAX);
}

/* All pieces together are the log, each is what it says, and it always goes on. */
static void any_bytes_come_through(void **state)
{
    (void)state;
    uint32_t mix = 3;
    char data[64];
    for (int round = 0; round < 20000; round++) {
        const size_t len = (mix >> 8) % sizeof data;
        for (size_t i = 0; i < len; i++) {
            static const char some[] = "a\n\0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xff";
            mix = mix * 1664525u + 1013904223u;
            data[i] = some[(mix >> 16) % (sizeof some - 1)];
        }
        mix = mix * 1664525u + 1013904223u;
        for (size_t at = 0; at < len;) {
            bool is_text;
            const size_t n = sse_log_piece(data + at, len - at, false, &is_text);
            assert_true(n > 0 && n <= len - at);
            if (is_text)
                assert_true(utf8_valid(data + at, n) && !memchr(data + at, 0, n));
            at += n;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_three_lines_and_an_empty_one),
        cmocka_unit_test(without_a_position_there_is_no_id),
        cmocka_unit_test(a_piece_ends_with_a_line_where_more_follows),
        cmocka_unit_test(characters_are_not_cut),
        cmocka_unit_test(bytes_that_are_no_text_are_told_apart),
        cmocka_unit_test(a_piece_has_at_most_its_limit),
        cmocka_unit_test(any_bytes_come_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Server-sent events as the command line reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/stream.h"
#include "common/base/mem.h"
#include "common/text/json.h"

struct got {
    struct text text;
    int count, most;
};

static bool on_event(void *arg, const char *event, const json_t *data)
{
    struct got *g = arg;
    text_printf(&g->text, "%s=%lld ", event, (long long)json_get_int(data, "n", -1));
    return ++g->count < g->most;
}

static const char STREAM[] =
    "retry: 1000\n\n:\n\nid: a;1\nevent: run\ndata: {\"n\":1}\n\n"
    "event: log\r\ndata:{\"n\":2}\r\n\r\nid: b\nevent: end\ndata: {\"n\":3}";

static void in_any_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < sizeof STREAM; piece++) {
        struct got g = {.most = 9};
        struct stream_parser p = {.event = on_event, .arg = &g};
        for (size_t at = 0; at < sizeof STREAM - 1; at += piece) {
            const size_t left = sizeof STREAM - 1 - at;
            assert_true(stream_take(&p, STREAM + at, left < piece ? left : piece));
        }
        assert_string_equal(g.text.data, "run=1 log=2 "); /* the last one is not whole */
        assert_string_equal(p.id.data, "a;1");
        assert_true(stream_take(&p, "\n\n", 2));
        assert_string_equal(g.text.data, "run=1 log=2 end=3 ");
        assert_string_equal(p.id.data, "b");
        stream_free(&p);
        text_free(&g.text);
    }
}

static void a_broken_line_forgets_what_was_begun(void **state)
{
    (void)state;
    struct got g = {.most = 9};
    struct stream_parser p = {.event = on_event, .arg = &g};
    assert_true(stream_take(&p, STREAM, sizeof STREAM - 1));
    stream_again(&p);
    assert_string_equal(p.id.data, "a;1");
    assert_true(stream_take(&p, "data: {\"n\":7}\n\n", 15));
    assert_string_equal(g.text.data, "run=1 log=2 message=7 ");
    stream_free(&p);
    text_free(&g.text);
}

static void the_callback_ends_it(void **state)
{
    (void)state;
    struct got g = {.most = 1};
    struct stream_parser p = {.event = on_event, .arg = &g};
    assert_false(stream_take(&p, STREAM, sizeof STREAM - 1));
    assert_int_equal(g.count, 1);
    assert_true(p.ended);
    stream_free(&p);
    text_free(&g.text);
}

static void what_is_no_stream_is_broken(void **state)
{
    (void)state;
    struct got g = {.most = 9};
    struct stream_parser p = {.event = on_event, .arg = &g}, q = p;
    assert_false(stream_take(&p, "data: {no\n\n", 11));
    assert_true(p.broken);
    stream_free(&p);
    cleanup_free char *line = mem_alloc(STREAM_LINE_MAX + 1);
    memset(line, 'x', STREAM_LINE_MAX + 1);
    assert_true(stream_take(&q, line, STREAM_LINE_MAX));
    assert_false(stream_take(&q, line, 1));
    assert_true(q.broken);
    stream_free(&q);
    text_free(&g.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_any_pieces),
        cmocka_unit_test(a_broken_line_forgets_what_was_begun),
        cmocka_unit_test(the_callback_ends_it),
        cmocka_unit_test(what_is_no_stream_is_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

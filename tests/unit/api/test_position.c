/* Where a reader of a run's stream stands: what is done, as spans; what is begun; the text of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/live/position.h"
#include "common/base/mem.h"

static void writes(const struct position *p, const char *expected)
{
    cleanup_text struct text out = {0};
    assert_true(position_write(p, &out));
    assert_string_equal(out.data, expected);
}

static void spans_grow_and_join(void **state)
{
    (void)state;
    struct position p = {0};
    writes(&p, "1;;");
    const int steps[] = {4, 2, 0, 1, 3, 9, 3};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        position_add_done(&p, steps[i], 0);
    writes(&p, "1;0-4,9;");
    assert_true(position_done(&p, 3, 0));
    assert_false(position_done(&p, 5, 0));
    assert_false(position_done(&p, 3, 1));
    position_free(&p);
}

static void iterations_are_spans_of_their_step(void **state)
{
    (void)state;
    struct position p = {0};
    position_add_done(&p, 6, 0);
    for (int i = 99; i >= 0; i--)
        position_add_done(&p, 7, i);
    position_add_done(&p, 8, 0);
    for (int i = 0; i < 100; i++)
        assert_true(position_done(&p, 7, i));
    assert_false(position_done(&p, 7, 100));
    assert_true(position_done(&p, 8, 0));
    assert_false(position_done(&p, 8, 1));
    assert_true(p.span_count <= 3);
    position_free(&p);
}

/* Against the plain truth: a set of flags. */
static void any_order_is_the_same_set(void **state)
{
    (void)state;
    static bool truth[40][6];
    uint32_t mix = 7;
    struct position p = {0}, back;
    for (int n = 0; n < 400; n++) {
        mix = mix * 1103515245u + 12345u;
        const int step = (int)(mix >> 16 & 1023) % 40, iteration = (int)(mix >> 26) % 6;
        truth[step][iteration] = true;
        position_add_done(&p, step, iteration);
        cleanup_text struct text out = {0};
        assert_true(position_write(&p, &out));
        assert_int_equal(position_read(out.data, &back, NULL), 0);
        for (int s = 0; s < 40; s++)
            for (int i = 0; i < 6; i++) {
                assert_int_equal(position_done(&p, s, i), truth[s][i]);
                assert_int_equal(position_done(&back, s, i), truth[s][i]);
            }
        position_free(&back);
    }
    position_free(&p);
}

static void a_begun_log_comes_back(void **state)
{
    (void)state;
    struct position p = {0}, back;
    struct begun *b = position_begin(&p, 43, 0, 2);
    writes(&p, "1;;43/0:2:1:0:0");
    position_begin(&p, 44, 0, 1); /* of which nothing was read: the beginning needs no words */
    writes(&p, "1;;43/0:2:1:0:0");
    b = position_begun(&p, 43, 0);
    b->chunk = 5;
    b->inside = 100;
    b->total = 9000;
    position_add_done(&p, 1, 0);
    writes(&p, "1;1;43/0:2:5:100:9000");
    assert_int_equal(position_read("1;1;43/0:2:5:100:9000,44/3:1:1:0:0", &back, NULL), 0);
    assert_int_equal(back.begun_count, 2);
    assert_int_equal(position_begun(&back, 43, 0)->total, 9000);
    assert_int_equal(position_begun(&back, 44, 3)->chunk, 1);
    assert_null(position_begun(&back, 43, 1));
    position_add_done(&back, 43, 0);
    assert_null(position_begun(&back, 43, 0));
    position_free(&back);
    position_free(&p);
}

static void what_was_never_written_is_refused(void **state)
{
    (void)state;
    const char *const bad[] = {"x",
                               "1",
                               "1;",
                               "2;;",
                               "1;;;",
                               "1;1",
                               "1;2,1;",
                               "1;1,1;",
                               "1;3-2;",
                               "1;-1;",
                               "1;1/;",
                               "1;1/2-1;",
                               "1;1,;x",
                               "1;;1/0",
                               "1;;1/0:1:0:0:0",
                               "1;;1/0:1:1:0:0,",
                               "1;99999999999;",
                               "1;;1/0:1:1:99999999999999999999:0",
                               "1;1 ;",
                               "7"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct position p;
        struct err err = {0};
        if (position_read(bad[i], &p, &err) == 0)
            fail_msg("%s was read", bad[i]);
        assert_int_equal(err.code, LEAT_EINPUT);
        assert_null(p.spans);
    }
}

static void the_beginning_is_empty(void **state)
{
    (void)state;
    struct position p;
    assert_int_equal(position_read("", &p, NULL), 0);
    assert_false(position_done(&p, 0, 0));
    position_free(&p);
}

static void a_text_that_grows_too_long_is_not_written(void **state)
{
    (void)state;
    struct position p = {0};
    size_t before = 0;
    for (int i = 0;; i++) {
        cleanup_text struct text out = {0};
        position_add_done(&p, 2 * i, 0); /* every other: nothing joins */
        if (!position_write(&p, &out)) {
            assert_null(out.data);
            break;
        }
        assert_true(out.len > before && out.len <= POSITION_WRITE_MAX);
        before = out.len;
    }
    assert_true(before > POSITION_WRITE_MAX - 8);
    position_free(&p);
}

static void a_text_that_is_too_long_is_not_read(void **state)
{
    (void)state;
    struct position p;
    struct err err = {0};
    cleanup_free char *text = mem_alloc(POSITION_READ_MAX + 2);
    memset(text, '0', POSITION_READ_MAX + 1);
    memcpy(text, "1;", 2);
    text[POSITION_READ_MAX] = ';';
    assert_int_equal(position_read(text, &p, &err), LEAT_EINPUT);
    text[POSITION_READ_MAX - 1] = ';';
    text[POSITION_READ_MAX] = '\0';
    assert_int_equal(position_read(text, &p, &err), 0); /* "000…0" is a step */
    position_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_grow_and_join),
        cmocka_unit_test(iterations_are_spans_of_their_step),
        cmocka_unit_test(any_order_is_the_same_set),
        cmocka_unit_test(a_begun_log_comes_back),
        cmocka_unit_test(what_was_never_written_is_refused),
        cmocka_unit_test(the_beginning_is_empty),
        cmocka_unit_test(a_text_that_grows_too_long_is_not_written),
        cmocka_unit_test(a_text_that_is_too_long_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

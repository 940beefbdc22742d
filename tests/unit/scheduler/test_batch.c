#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "scheduler/core/place/backoff.h"
#include "scheduler/core/batch.h"
#include "scheduler/core/change.h"
#include "scheduler/core/timers.h"

static void adds_zeroed_and_clears(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    assert_true(batch_is_empty(b));
    for (int i = 0; i < 100; i++) {
        struct batch_step *s = batch_add_steps(b);
        assert_int_equal(s->attempt, 0);
        s->attempt = 9;
        s->reason = batch_printf(b, "reason %d", i);
    }
    assert_string_equal(b->steps[99].reason, "reason 99");
    assert_false(batch_is_empty(b));
    batch_clear(b);
    assert_true(batch_is_empty(b));
    assert_int_equal(batch_add_steps(b)->attempt, 0);
    assert_null(batch_text(b, NULL));
    batch_free(b);
    batch_free(NULL);
}

/* Whatever it holds, it has to be committed. */
static void one_row_of_any_kind_makes_it_a_batch(void **state)
{
    (void)state;
    struct batch *b = batch_new();
#define A(field, type)                                                                             \
    batch_add_##field(b);                                                                          \
    assert_false(batch_is_empty(b));                                                               \
    batch_clear(b);                                                                                \
    assert_true(batch_is_empty(b));
    BATCH_ARRAYS(A)
#undef A
    batch_free(b);
}

static void no_change_no_record(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    change_append(b);
    batch_add_offsets(b);
    batch_add_inbox(b);
    change_append(b);
    assert_int_equal(b->messages_count, 0);
    batch_add_workers(b)->id = "w";
    change_append(b);
    assert_int_equal(b->messages_count, 1);
    batch_free(b);
}

static void timers_come_in_order(void **state)
{
    (void)state;
    struct timers t = {0};
    struct timer all[200] = {0};
    uint32_t mix = 1; /* any order will do, the same each time */
    for (int i = 0; i < 200; i++)
        timers_set(&t, &all[i], TIMER_BACKOFF, (mix = mix * 1103515245u + 12345u) >> 16 & 1023);
    for (int i = 0; i < 200; i += 3)
        timers_clear(&t, &all[i]);
    for (int i = 1; i < 200; i += 3)
        timers_set(&t, &all[i], TIMER_ATTEMPT,
                   (mix = mix * 1103515245u + 12345u) >> 16 & 1023); /* moves it */
    timers_clear(&t, &all[0]);                                       /* not armed: nothing */
    int64_t before = 0;
    size_t count = 0;
    for (struct timer *one; (one = timers_take(&t, 2000)); count++) {
        assert_true(one->at >= before);
        assert_int_equal(one->place, 0);
        before = one->at;
    }
    assert_int_equal(count, 200 - 67);
    assert_int_equal(timers_next(&t), INT64_MAX);
    timers_free(&t);
}

static void a_timer_is_due_at_its_instant(void **state)
{
    (void)state;
    struct timers t = {0};
    struct timer one = {0};
    timers_set(&t, &one, TIMER_BACKOFF, 10);
    assert_null(timers_take(&t, 9));
    assert_ptr_equal(timers_take(&t, 10), &one);
    timers_free(&t);
}

static void backoff_grows_to_its_cap(void **state)
{
    (void)state;
    struct backoff p = {5, 1000, 5000, 2};
    static const struct {
        uint32_t next;
        double random;
        int64_t wait;
    } cases[] = {{2, 0, 0},      {2, 0.5, 500}, {3, 0.5, 1000}, {4, 0.5, 2000},
                 {5, 0.5, 2500}, {6, 0.5, -1},  {1, 0.5, -1},   {0, 0.5, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(backoff_wait_us(&p, cases[i].next, cases[i].random), cases[i].wait);
    struct backoff huge = {200, 1000, INT64_MAX / 2, 100};
    assert_true(backoff_wait_us(&huge, 200, 0.999) > 0); /* infinity is held to the cap */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_zeroed_and_clears),
        cmocka_unit_test(one_row_of_any_kind_makes_it_a_batch),
        cmocka_unit_test(no_change_no_record),
        cmocka_unit_test(timers_come_in_order),
        cmocka_unit_test(a_timer_is_due_at_its_instant),
        cmocka_unit_test(backoff_grows_to_its_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

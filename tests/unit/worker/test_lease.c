/* Leases on a clock of the test's own, tombstones, states, reasons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "worker/attempt/lease.h"
#include "worker/attempt/reason.h"
#include "worker/attempt/states.h"
#include "worker/attempt/tombstones.h"

#define S 1000000LL

static void test_lease_counts_from_the_sending(void **state)
{
    (void)state;
    struct lease lease = {0};
    assert_false(lease_live(&lease, 0));
    lease_begin(&lease, 100 * S);
    assert_true(lease_live(&lease, 110 * S - 1));
    assert_false(lease_live(&lease, 110 * S));
    lease_sent(&lease, 7, 102 * S);
    lease_sent(&lease, 8, 104 * S);
    assert_true(lease_granted(&lease, 8)); /* however late it is answered */
    assert_int_equal(lease.end_us, 114 * S);
    assert_false(lease_granted(&lease, 7)); /* an older answer shortens nothing */
    assert_int_equal(lease.end_us, 114 * S);
}

static void test_lease_ignores_what_was_not_sent(void **state)
{
    (void)state;
    struct lease lease = {0};
    assert_false(lease_granted(&lease, 0)); /* a grant that only acknowledges */
    assert_false(lease_granted(&lease, 1));
    for (int64_t n = 1; n <= LEASE_SENT + 1; n++)
        lease_sent(&lease, n, n * S);
    assert_false(lease_granted(&lease, 1)); /* too long ago to be remembered */
    assert_true(lease_granted(&lease, 2));
    assert_true(lease_granted(&lease, LEASE_SENT + 1));
    assert_int_equal(lease.end_us, (LEASE_SENT + 1) * S + LEASE_US);
}

static void test_lease_begin_never_shortens(void **state)
{
    (void)state;
    struct lease lease = {0};
    lease_sent(&lease, 1, 50 * S);
    lease_granted(&lease, 1);
    lease_begin(&lease, 40 * S);
    assert_int_equal(lease.end_us, 60 * S);
}

static void test_fuse_slack(void **state)
{
    (void)state;
    assert_int_equal(lease_fuse_slack(90 * S, 10 * S), 75 * S);
    assert_int_equal(lease_fuse_slack(15 * S, 10 * S), 0);
    assert_int_equal(lease_fuse_slack(10 * S, 30 * S), 0); /* at the lease's end, not before */
}

static struct uuid id(int n)
{
    struct uuid u = {{0}};
    memcpy(u.b, &n, sizeof n);
    return u;
}

static void count(void *arg, const struct tombstone *stone)
{
    *(int *)arg += stone->refuse ? 100 : 1;
}

static void test_tombstones_are_left_behind(void **state)
{
    (void)state;
    struct tombstones t = {0};
    for (int i = 0; i < 10; i++) {
        const struct uuid u = id(i);
        tombstones_add(&t, &u, i, i == 3);
    }
    const struct uuid three = id(3), ten = id(10);
    assert_true(tombstones_find(&t, &three)->refuse);
    assert_null(tombstones_find(&t, &ten));
    int n = 0;
    tombstones_each(&t, count, &n);
    assert_int_equal(n, 109);
    tombstones_add(&t, &three, 3, false); /* its start came and was refused */
    assert_false(tombstones_find(&t, &three)->refuse);
    assert_int_equal(tombstones_count(&t), 10);
    tombstones_prune(&t, TOMBSTONES_ORDERS); /* nothing is that far behind */
    assert_int_equal(tombstones_count(&t), 10);
    tombstones_prune(&t, TOMBSTONES_ORDERS + 4);
    assert_int_equal(tombstones_count(&t), 6);
    assert_null(tombstones_find(&t, &three));
    tombstones_free(&t);
    tombstones_free(&t);
}

static void test_states(void **state)
{
    (void)state;
    assert_true(machine_is_terminal(&MACHINE_WORK, WORK_FINISHED));
    assert_true(machine_allows(&MACHINE_WORK, WORK_JOURNALLED, WORK_RUNNING)); /* adopted */
    assert_false(machine_allows(&MACHINE_WORK, WORK_RUNNING, WORK_PREPARING));
    for (int s = 0; s < WORK_FINISHED; s++)
        assert_true(machine_allows(&MACHINE_WORK, s, WORK_FINISHED));
}

static void check_reason(const char *from, const char *expected)
{
    char out[64];
    reason_clean(from, out, sizeof out);
    assert_string_equal(out, expected);
}

static void test_reasons_are_text(void **state)
{
    (void)state;
    check_reason("", "");
    check_reason("plain\ttext\nand ü€😀", "plain\ttext\nand ü€😀");
    check_reason("\x1b[31mred\x07", "?[31mred?");
    check_reason("cut \xe2\x82", "cut ??");
    check_reason("\xff\xc0\x80\xed\xa0\x80", "??????");
    check_reason("\xf4\x90\x80\x80", "????");
    char small[4];
    reason_clean("ab€", small, sizeof small); /* no room for a whole character */
    assert_string_equal(small, "ab");
    reason_clean("abcdef", small, sizeof small);
    assert_string_equal(small, "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lease_counts_from_the_sending),
        cmocka_unit_test(test_lease_ignores_what_was_not_sent),
        cmocka_unit_test(test_lease_begin_never_shortens),
        cmocka_unit_test(test_fuse_slack),
        cmocka_unit_test(test_tombstones_are_left_behind),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_reasons_are_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

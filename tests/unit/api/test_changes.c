/* What a change record is after the ones before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "api/changes.h"

static void the_first_one_follows(void **state)
{
    (void)state;
    struct changes_seen seen = {0};
    assert_int_equal(changes_next(&seen, 3, 700), CHANGES_FOLLOWS);
    assert_int_equal(changes_next(&seen, 3, 701), CHANGES_FOLLOWS);
}

static void a_gap_is_told_once(void **state)
{
    (void)state;
    struct changes_seen seen = {3, 700};
    assert_int_equal(changes_next(&seen, 3, 702), CHANGES_GAP);
    assert_int_equal(changes_next(&seen, 3, 703), CHANGES_FOLLOWS);
}

static void repeats_and_zombies_are_left_out(void **state)
{
    (void)state;
    struct changes_seen seen = {3, 700};
    assert_int_equal(changes_next(&seen, 3, 700), CHANGES_REPEAT);
    assert_int_equal(changes_next(&seen, 2, 701), CHANGES_REPEAT);
    assert_int_equal(changes_next(&seen, 3, 701), CHANGES_FOLLOWS);
}

static void a_takeover_goes_on_where_the_last_leader_was(void **state)
{
    (void)state;
    struct changes_seen seen = {3, 700};
    assert_int_equal(changes_next(&seen, 4, 701), CHANGES_FOLLOWS);
}

static void a_restored_backup_is_read_again(void **state)
{
    (void)state;
    struct changes_seen seen = {3, 700};
    assert_int_equal(changes_next(&seen, 9, 120), CHANGES_GAP);
    assert_int_equal(changes_next(&seen, 9, 121), CHANGES_FOLLOWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_one_follows),
        cmocka_unit_test(a_gap_is_told_once),
        cmocka_unit_test(repeats_and_zombies_are_left_out),
        cmocka_unit_test(a_takeover_goes_on_where_the_last_leader_was),
        cmocka_unit_test(a_restored_backup_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Who leads: when a standby may take over, when a leader ends, which time counts as answered. */
#include "tests/unit/scheduler/shell_harness.h"

static void a_cluster_without_a_leader_is_taken_at_once(void **state)
{
    struct shell_harness *h = *state;
    harness_lead(h);
    assert_int_equal(h->db.looks, 1);
    assert_int_equal(h->db.took_epoch, 0);
}

static void a_beat_that_stands_still_for_three_seconds_is_taken_over(void **state)
{
    struct shell_harness *h = *state;
    harness_wait(h, 10000);
    for (int i = 0; i < 3; i++) {
        harness_look_answers(h, 4, 17);
        assert_int_equal(h->db.takes, 0);
        harness_wait(h, US_PER_S);
    }
    harness_look_answers(h, 4, 17); /* asked not quite 3 s after the first answer */
    assert_int_equal(h->db.takes, 0);
    harness_wait(h, 20000); /* then at once, not a second later */
    harness_look_answers(h, 4, 17);
    assert_int_equal(h->db.takes, 1);
    assert_int_equal(h->db.took_epoch, 4);
}

static void one_whose_backend_is_gone_is_waited_for_a_little_more_than_a_beat(void **state)
{
    struct shell_harness *h = *state;
    harness_wait(h, 10000);
    harness_look_answers_gone(h, 4, 17);
    assert_int_equal(h->db.takes, 0);
    harness_wait(h, US_PER_S);
    harness_look_answers_gone(h, 4, 17);
    assert_int_equal(h->db.takes, 0);
    harness_wait(h, 220000); /* then at once */
    harness_look_answers_gone(h, 4, 17);
    assert_int_equal(h->db.takes, 1);
    assert_int_equal(h->db.took_epoch, 4);
}

/* It has lost its connection and has a new one, or will have: it lives. */
static void one_that_beats_without_its_backend_is_left_alone(void **state)
{
    struct shell_harness *h = *state;
    harness_wait(h, 10000);
    for (int beat = 1; beat < 20; beat++) {
        harness_look_answers_gone(h, 4, beat);
        harness_wait(h, US_PER_S);
    }
    assert_int_equal(h->db.takes, 0);
}

static void a_beat_that_moves_is_left_alone(void **state)
{
    struct shell_harness *h = *state;
    harness_wait(h, 10000);
    for (int beat = 1; beat < 20; beat++) {
        harness_look_answers(h, 4, beat);
        harness_wait(h, US_PER_S);
    }
    assert_int_equal(h->db.takes, 0);
}

/* What could not be read may have moved meanwhile. */
static void a_look_that_fails_begins_the_count_anew(void **state)
{
    struct shell_harness *h = *state;
    struct err err = {0};
    err_set(&err, LEAT_EUNREACHABLE, "away");
    harness_wait(h, 10000);
    for (int i = 0; i < 12; i++) {
        if (i % 3 == 2)
            TAKE(h->db.looked)(h->db.arg, &err, NULL);
        else
            harness_look_answers(h, 4, 17);
        harness_wait(h, US_PER_S);
    }
    assert_int_equal(h->db.takes, 0);
}

/* At start the connection is not there yet: that must not cost a second. */
static void a_look_that_fails_is_repeated_soon(void **state)
{
    struct shell_harness *h = *state;
    struct err err = {0};
    err_set(&err, LEAT_EUNREACHABLE, "away");
    harness_wait(h, 10000);
    const int before = h->db.looks;
    for (int i = 0; i < 5; i++) {
        TAKE(h->db.looked)(h->db.arg, &err, NULL);
        harness_wait(h, 110000);
    }
    assert_int_equal(h->db.looks, before + 5);
}

/* The standby itself stood still, and with it perhaps the machine that the leader is on. */
static void a_gap_between_looks_begins_the_count_anew(void **state)
{
    struct shell_harness *h = *state;
    harness_wait(h, 10000);
    harness_look_answers(h, 4, 17);
    h->hand.now += 10 * US_PER_S; /* nothing ran */
    for (int i = 0; i < 3; i++) {
        harness_wait(h, US_PER_S);
        harness_look_answers(h, 4, 17);
        assert_int_equal(h->db.takes, 0);
    }
    harness_wait(h, US_PER_S);
    harness_look_answers(h, 4, 17);
    assert_int_equal(h->db.takes, 1);
}

static void who_was_slower_stands_by_again(void **state)
{
    struct shell_harness *h = *state;
    struct err err = {0};
    err_set(&err, LEAT_EFENCED, "somebody else was quicker");
    harness_wait(h, 10000);
    harness_look_answers(h, 0, 0);
    TAKE(h->db.taken)(h->db.arg, &err, NULL);
    assert_int_equal(shell_state(h->shell), SHELL_STANDBY);
    harness_wait(h, US_PER_S);
    assert_int_equal(h->db.looks, 2);
    assert_int_equal(h->ended, 0);
}

static void a_fenced_beat_ends_it(void **state)
{
    struct shell_harness *h = *state;
    struct err err = {0};
    err_set(&err, LEAT_EFENCED, "another leader has taken over");
    harness_lead(h);
    h->beats_answered = false;
    harness_wait(h, 2 * US_PER_S);
    assert_int_equal(h->db.beat_epoch, 1);
    TAKE(h->db.beaten)(h->db.arg, &err, NULL);
    assert_int_equal(h->ended, LEAT_EFENCED);
    assert_int_equal(shell_state(h->shell), SHELL_ENDED);
    int beats = h->db.beats;
    harness_wait(h, 10 * US_PER_S);
    assert_int_equal(h->db.beats, beats);
}

/* A beat that fails otherwise ends nothing. */
static void a_lost_beat_is_tried_again(void **state)
{
    struct shell_harness *h = *state;
    struct err err = {0};
    err_set(&err, LEAT_EUNREACHABLE, "away");
    harness_lead(h);
    h->beats_answered = false;
    harness_wait(h, 2 * US_PER_S);
    TAKE(h->db.beaten)(h->db.arg, &err, NULL);
    int beats = h->db.beats;
    harness_wait(h, 2 * US_PER_S);
    assert_int_equal(h->db.beats, beats + 1);
    assert_int_equal(shell_state(h->shell), SHELL_LEADING);
}

static int64_t answered_in(struct shell_harness *h, int64_t us)
{
    int64_t before = harness_stats(h).answered_us;
    harness_wait(h, us);
    return harness_stats(h).answered_us - before;
}

static void time_counts_while_all_answer(void **state)
{
    struct shell_harness *h = *state;
    harness_lead(h);
    assert_in_range(answered_in(h, 10 * US_PER_S), 9 * US_PER_S, 10 * US_PER_S);
}

static void time_without_the_database_does_not_count(void **state)
{
    struct shell_harness *h = *state;
    harness_lead(h);
    h->beats_answered = false;
    assert_in_range(answered_in(h, 30 * US_PER_S), 0, 4 * US_PER_S);
}

static void time_without_the_bus_does_not_count(void **state)
{
    struct shell_harness *h = *state;
    harness_lead(h);
    memory_log_set_down(h->log, true);
    assert_in_range(answered_in(h, 30 * US_PER_S), 0, 4 * US_PER_S);
    memory_log_set_down(h->log, false);
    answered_in(h, 2 * US_PER_S);
    assert_in_range(answered_in(h, 10 * US_PER_S), 9 * US_PER_S, 10 * US_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, shell_setup, shell_teardown)
        T(a_cluster_without_a_leader_is_taken_at_once),
        T(a_beat_that_stands_still_for_three_seconds_is_taken_over),
        T(one_whose_backend_is_gone_is_waited_for_a_little_more_than_a_beat),
        T(one_that_beats_without_its_backend_is_left_alone),
        T(a_beat_that_moves_is_left_alone),
        T(a_look_that_fails_begins_the_count_anew),
        T(a_look_that_fails_is_repeated_soon),
        T(a_gap_between_looks_begins_the_count_anew),
        T(who_was_slower_stands_by_again),
        T(a_fenced_beat_ends_it),
        T(a_lost_beat_is_tried_again),
        T(time_counts_while_all_answer),
        T(time_without_the_database_does_not_count),
        T(time_without_the_bus_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A run as the readers of its stream see it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/live/view.h"

static const struct uuid FIRST = {{1}}, SECOND = {{2}};

static struct told step(int n, int state, int attempt, struct uuid id)
{
    return (struct told){
        .step = n, .state = state, .attempt = attempt, .attempt_id = id, .chunks = -1};
}

static bool tell(struct view *v, int64_t tx_seq, struct told told)
{
    return view_step(v, tx_seq, &told);
}

static void what_is_older_changes_nothing(void **state)
{
    (void)state;
    struct view v = {0};
    assert_true(tell(&v, 10, step(0, STEP_RUNNING, 1, FIRST)));
    assert_false(tell(&v, 9, step(0, STEP_PLACED, 1, FIRST)));
    assert_false(tell(&v, 10, step(0, STEP_RUNNING, 1, FIRST)));
    assert_int_equal(view_cell(&v, 0, 0)->state, STEP_RUNNING);
    assert_true(tell(&v, 11, step(0, STEP_SUCCEEDED, 1, FIRST)));
    view_free(&v);
}

static void a_terminal_state_stays(void **state)
{
    (void)state;
    struct view v = {0};
    tell(&v, 1, step(0, STEP_FAILED, 1, FIRST));
    assert_false(tell(&v, 2, step(0, STEP_RUNNING, 1, FIRST)));
    assert_int_equal(view_cell(&v, 0, 0)->state, STEP_FAILED);
    assert_true(view_run(&v, 1, RUN_FAILED, "why"));
    assert_false(view_run(&v, 2, RUN_RUNNING, ""));
    assert_int_equal(v.state, RUN_FAILED);
    view_free(&v);
}

static void cells_come_in_the_order_of_their_changes(void **state)
{
    (void)state;
    struct view v = {0};
    for (int i = 0; i < 3; i++)
        tell(&v, 1, step(i, STEP_PLACED, 1, FIRST));
    const uint64_t seen = v.version;
    assert_null(view_after(&v, seen));
    tell(&v, 2, step(1, STEP_RUNNING, 1, FIRST));
    assert_int_equal(view_after(&v, seen)->key.step, 1);
    tell(&v, 2, step(0, STEP_RUNNING, 1, FIRST));
    const struct cell *c = view_after(&v, seen);
    assert_int_equal(c->key.step, 1);
    assert_int_equal(c->next->key.step, 0);
    assert_null(c->next->next);
    assert_int_equal(view_after(&v, 0)->key.step, 2); /* from the beginning */
    view_free(&v);
}

static void an_attempt_ends_when_the_next_begins(void **state)
{
    (void)state;
    struct view v = {0};
    tell(&v, 1, step(0, STEP_RUNNING, 1, FIRST));
    const struct cell *c = view_cell(&v, 0, 0);
    assert_false(c->tries[0].over);
    tell(&v, 2, step(0, STEP_WAITING, 1, FIRST));
    assert_true(c->tries[0].over);
    tell(&v, 3, step(0, STEP_PLACED, 2, SECOND));
    assert_int_equal(c->try_count, 2);
    assert_false(c->tries[1].over);
    assert_ptr_equal(cell_try(c, 2), &c->tries[1]);
    assert_ptr_equal(cell_try(c, 1), &c->tries[0]);
    assert_null(cell_try(c, 3));
    view_free(&v);
}

/* Postgres tells of attempts that did not become the result, in any order. */
static void earlier_attempts_stand_before_later_ones(void **state)
{
    (void)state;
    struct view v = {0};
    struct told early = step(0, -1, 1, FIRST);
    early.chunks = 4;
    tell(&v, 5, step(0, STEP_RUNNING, 2, SECOND));
    assert_true(tell(&v, 4, early)); /* older, but an attempt that is over stays so */
    const struct cell *c = view_cell(&v, 0, 0);
    assert_int_equal(c->tries[0].attempt, 1);
    assert_int_equal(c->tries[0].last, 4);
    assert_true(c->tries[0].over);
    assert_false(c->tries[1].over);
    assert_int_equal(c->state, STEP_RUNNING);
    view_free(&v);
}

static const char *reason_after(struct view *v, int64_t tx_seq, const char *reason, bool is_told)
{
    struct told told = step(0, STEP_PLACED, 1, FIRST);
    told.reason = reason;
    assert_int_equal(tell(v, tx_seq, told), is_told);
    return view_cell(v, 0, 0)->reason;
}

/* Why a step waits changes while its state stays. */
static void the_later_reason_is_told(void **state)
{
    (void)state;
    struct view v = {0};
    assert_string_equal(reason_after(&v, 1, "fetches image a", true), "fetches image a");
    assert_string_equal(reason_after(&v, 2, "fetches image", true), "fetches image");
    assert_string_equal(reason_after(&v, 3, "fetches image", false), "fetches image");
    assert_string_equal(reason_after(&v, 2, "fetches image a", false), "fetches image");
    assert_string_equal(reason_after(&v, 4, NULL, true), "");
    view_free(&v);
}

/* A change record has the beginning of one, Postgres all of it: the same reason. */
static void a_reason_that_is_cut_is_not_another(void **state)
{
    (void)state;
    struct view v = {0};
    char whole[300], cut[199], other[300];
    memset(whole, 'a', sizeof whole);
    whole[sizeof whole - 1] = '\0';
    memcpy(other, whole, sizeof other);
    other[0] = 'b';
    memcpy(cut, whole, sizeof cut);
    cut[sizeof cut - 1] = '\0'; /* a character of more than one byte stood at the edge */
    assert_string_equal(reason_after(&v, 1, cut, true), cut);
    assert_string_equal(reason_after(&v, 1, whole, false), whole); /* known, and not told again */
    assert_string_equal(reason_after(&v, 2, cut, false), whole);
    assert_string_equal(reason_after(&v, 3, other, true), other);
    view_free(&v);
}

/* Its attempt may have run in an earlier run, whose log that is: only Postgres says. */
static void where_the_log_of_a_result_that_comes_at_once_lies_is_asked(void **state)
{
    (void)state;
    struct view v = {.run = {{7}}};
    struct told own = step(0, STEP_PLACED, 1, FIRST), adopted = step(1, STEP_SUCCEEDED, 1, SECOND);
    tell(&v, 1, own);
    own.state = STEP_SUCCEEDED;
    tell(&v, 2, own);
    assert_false(v.stale);
    assert_memory_equal(&view_cell(&v, 0, 0)->tries[0].run, &v.run, sizeof v.run);
    tell(&v, 2, adopted);
    assert_true(v.stale);
    assert_true(uuid_is_nil(&view_cell(&v, 1, 0)->tries[0].run));
    v.stale = false;
    adopted.log_run = (struct uuid){{6}};
    tell(&v, 2, adopted);
    assert_false(v.stale);
    assert_memory_equal(&view_cell(&v, 1, 0)->tries[0].run, &adopted.log_run, sizeof v.run);
    view_free(&v);
}

static void a_step_of_which_only_an_attempt_is_known_is_not_over(void **state)
{
    (void)state;
    struct view v = {0};
    tell(&v, 1, step(0, -1, 1, FIRST));
    assert_int_equal(view_cell(&v, 0, 0)->state, -1);
    assert_false(cell_is_over(view_cell(&v, 0, 0)));
    view_free(&v);
}

static void iterations_are_apart(void **state)
{
    (void)state;
    struct view v = {0};
    struct told one = step(0, STEP_RUNNING, 1, FIRST), two = step(0, STEP_SUCCEEDED, 1, SECOND);
    two.iteration = 1;
    tell(&v, 1, one);
    tell(&v, 1, two);
    assert_int_equal(view_cell(&v, 0, 0)->state, STEP_RUNNING);
    assert_int_equal(view_cell(&v, 0, 1)->state, STEP_SUCCEEDED);
    assert_null(view_cell(&v, 0, 2));
    view_free(&v);
}

static void the_first_state_of_a_run_is_news_even_if_it_is_pending(void **state)
{
    (void)state;
    struct view v = {0};
    tell(&v, 3, step(0, STEP_PLACED, 1, FIRST)); /* a record before Postgres was read */
    assert_true(view_run(&v, 3, RUN_PENDING, ""));
    assert_false(view_run(&v, 3, RUN_PENDING, ""));
    assert_true(v.state_version > 0);
    view_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_older_changes_nothing),
        cmocka_unit_test(a_terminal_state_stays),
        cmocka_unit_test(cells_come_in_the_order_of_their_changes),
        cmocka_unit_test(an_attempt_ends_when_the_next_begins),
        cmocka_unit_test(earlier_attempts_stand_before_later_ones),
        cmocka_unit_test(the_later_reason_is_told),
        cmocka_unit_test(a_reason_that_is_cut_is_not_another),
        cmocka_unit_test(where_the_log_of_a_result_that_comes_at_once_lies_is_asked),
        cmocka_unit_test(a_step_of_which_only_an_attempt_is_known_is_not_over),
        cmocka_unit_test(iterations_are_apart),
        cmocka_unit_test(the_first_state_of_a_run_is_news_even_if_it_is_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Pools that a file speaks of: their slots and their PATH. docs/pipelines.md, pool files. */
#include "scheduler/core/state.h"
#include "tests/unit/scheduler/limits_harness.h"

#define ANY  (-1) /* slots */
#define NONE (-2) /* no file */

/* The file of that pool says this now. */
static void harness_pool(struct harness *h, const char *name, int64_t slots, const char *path)
{
    struct snapshot_pool *to = NULL;
    for (size_t i = 0; i < h->rows->pools_count; i++)
        if (strcmp(h->rows->pools[i].name, name) == 0)
            to = &h->rows->pools[i];
    if (!to)
        to = snapshot_add_pools(h->rows);
    *to = (struct snapshot_pool){snapshot_text(h->rows, name), slots,
                                 path ? snapshot_text(h->rows, path) : NULL};
    if (slots == NONE)
        *to = h->rows->pools[--h->rows->pools_count];
    harness_learn_limits(h);
    harness_settle(h);
}

/* At the edge and over it, over all workers of the pool together. */
static void slots_are_of_all_workers_together(void **state)
{
    struct harness *h = *state;
    harness_pool(h, "default", 3, NULL);
    harness_hello(h, 0, 2, NULL, 0);
    harness_hello(h, 1, 2, NULL, 0);
    apply_step(h, "p", "resources: {slots: 1}");
    struct uuid runs[5];
    for (int i = 0; i < 4; i++)
        runs[i] = run_of(h, "p", i + 1);
    assert_string_equal(step_is(h, runs[2], 0), "placed");
    assert_string_equal(step_is(h, runs[3], 0), "-"); /* ready: it has no row */
    assert_int_equal(stats_of(h).ready, 1);
    assert_string_equal(row_of_step(h, runs[0], 0)->pool, "default");
    assert_int_equal(row_of_step(h, runs[0], 0)->slots, 1);
    assert_null(row_of_step(h, runs[0], 0)->limits); /* they are no limit with a name */
    end_run(h, runs[1], SUCCEEDED);
    assert_string_equal(step_is(h, runs[3], 0), "placed");
    assert_int_equal(stats_of(h).ready, 0);
}

static void a_step_that_wants_several_gets_its_turn(void **state)
{
    struct harness *h = *state;
    harness_pool(h, "default", 2, NULL);
    apply_step(h, "greedy", "resources: {slots: 3}, priority: 100");
    struct uuid greedy = run_of(h, "greedy", 3);
    who_wants_both_gets_its_turn(h, "resources: {slots: 1}", "resources: {slots: 2}", "-");
    assert_string_equal(step_is(h, greedy, 0), "-"); /* more than there is holds nobody up */
    harness_pool(h, "default", 4, NULL);
    assert_string_equal(step_is(h, greedy, 0), "placed");
}

/* Other pools go on. */
static void none_holds_everything_back(void **state)
{
    struct harness *h = *state;
    h->pools[1] = "side";
    harness_pool(h, "side", 0, NULL);
    harness_hello(h, 0, 8, NULL, 0);
    harness_hello(h, 1, 8, NULL, 0);
    apply_step(h, "here", "timeout: 1m");
    apply_step(h, "there", "pool: side");
    struct uuid there = run_of(h, "there", 1), here = run_of(h, "here", 2);
    assert_string_equal(step_is(h, here, 0), "placed");
    assert_string_equal(step_is(h, there, 0), "-");
    harness_pool(h, "side", 1, NULL);
    assert_string_equal(step_is(h, there, 0), "placed");
}

/* Those that run count, also when they began while there was no size. */
static void a_size_that_comes_later_counts_what_runs(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", "resources: {slots: 1}");
    struct uuid runs[5];
    for (int i = 0; i < 3; i++)
        runs[i] = run_of(h, "p", i + 1);
    harness_pool(h, "default", 2, NULL);
    assert_string_equal(step_is(h, runs[2], 0), "placed"); /* nobody is ended */
    runs[3] = run_of(h, "p", 4);
    end_run(h, runs[0], SUCCEEDED);
    assert_string_equal(step_is(h, runs[3], 0), "-"); /* two are in use, which is all */
    end_run(h, runs[1], SUCCEEDED);
    assert_string_equal(step_is(h, runs[3], 0), "placed");
    runs[4] = run_of(h, "p", 5);
    assert_string_equal(step_is(h, runs[4], 0), "-");
    harness_pool(h, "default", ANY, NULL); /* the file says nothing of slots any more */
    assert_string_equal(step_is(h, runs[4], 0), "placed");
}

static void a_file_that_goes_takes_its_size_along(void **state)
{
    struct harness *h = *state;
    harness_pool(h, "default", 0, "/opt/bin");
    harness_pool(h, "nobody", 3, NULL);
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", "timeout: 1m");
    struct uuid run = run_of(h, "p", 1);
    assert_string_equal(step_is(h, run, 0), "-");
    harness_pool(h, "nobody", NONE, NULL);
    harness_pool(h, "default", NONE, NULL);
    assert_string_equal(step_is(h, run, 0), "placed");
    int worker;
    assert_int_equal(start_of(h, run, &worker)->start->env_count, 0);
}

static void a_takeover_counts_what_rows_hold(void **state)
{
    struct harness *h = *state;
    harness_pool(h, "default", 3, NULL);
    takeover_counts_what_rows_hold(h, "resources: {slots: 2}", "-");
}

/* Of a run whose version cannot be read only its row says what it uses; one that is older than that
 * says nothing. */
static void a_run_that_cannot_be_read_holds_what_its_row_says(void **state)
{
    struct harness *h = *state;
    harness_pool(h, "default", 2, NULL);
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", "resources: {slots: 2}");
    apply_step(h, "q", "resources: {slots: 1}");
    struct uuid first = run_of(h, "p", 1);
    for (size_t i = 0; i < h->rows->versions_count; i++)
        if (strcmp(h->rows->versions[i].pipeline, "p") == 0)
            json_object_set_new(h->rows->versions[i].ir, "steps", json_null());
    harness_restart(h, 0);
    harness_settle(h);
    struct uuid second = run_of(h, "q", 2);
    assert_string_equal(step_is(h, first, 0), "cancelling");
    assert_string_equal(step_is(h, second, 0), "-");
    row_of_step(h, first, 0)->pool = NULL;
    harness_restart(h, 0);
    harness_settle(h);
    assert_string_equal(step_is(h, second, 0), "placed");
}

/* The next batch writes its row anew, and has no more to say than the row had. */
static void a_row_without_a_pool_stays_without(void **state)
{
    static const char *const KEYS[] = {"timeout: 1m", "limits: [gpu]"};
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
        struct harness *h = i ? harness_new() : *state;
        struct snapshot_limit *gpu = snapshot_add_limits(h->rows);
        *gpu = (struct snapshot_limit){snapshot_text(h->rows, "gpu"), 1};
        harness_pool(h, "default", 2, NULL);
        harness_hello(h, 0, 8, NULL, 0);
        apply_step(h, "p", KEYS[i]);
        struct uuid run = run_of(h, "p", 1);
        json_object_set_new(h->rows->versions[0].ir, "steps", json_null());
        row_of_step(h, run, 0)->pool = NULL;
        harness_restart(h, 0);
        harness_settle(h);
        const struct snapshot_step *row = row_of_step(h, run, 0);
        assert_int_equal(row->state, STEP_CANCELLING);
        assert_null(row->pool);
        assert_int_equal(json_object_size(row->limits), i);
        if (i)
            harness_free(h);
    }
}

/* The file keeps it, whoever comes and goes. */
static void a_pool_outlives_who_leaves_it(void **state)
{
    struct harness *h = *state;
    harness_pool(h, "moon", 1, NULL);
    h->pools[0] = "moon";
    harness_hello(h, 0, 8, NULL, 0);
    h->pools[0] = "earth";
    harness_hello(h, 0, 8, NULL, 0);
    assert_int_equal(HASH_COUNT(h->core->pools), 2);
    harness_pool(h, "moon", NONE, NULL);
    assert_int_equal(HASH_COUNT(h->core->pools), 1);
}

/* It is in use until the worker has let go, also while a cancel is under way. */
static void a_cancelled_attempt_holds_them_until_it_ends(void **state)
{
    struct harness *h = *state;
    harness_pool(h, "default", 1, NULL);
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", "timeout: 1m");
    struct uuid first = run_of(h, "p", 1), second = run_of(h, "p", 2);
    harness_cancel(h, first);
    assert_string_equal(step_is(h, first, 0), "cancelling");
    assert_string_equal(step_is(h, second, 0), "-");
    end_run(h, first, REPORT_RESULT_OUTCOME_CANCELLED);
    assert_string_equal(step_is(h, second, 0), "placed");
}

/* Slots and a limit with a name are taken together or not at all; the row has only the latter. */
static void slots_and_limits_are_taken_together(void **state)
{
    struct harness *h = *state;
    struct snapshot_limit *gpu = snapshot_add_limits(h->rows);
    *gpu = (struct snapshot_limit){snapshot_text(h->rows, "gpu"), 1};
    harness_pool(h, "default", 1, NULL);
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", "timeout: 1m");
    apply_step(h, "both", "limits: [gpu]");
    struct uuid first = run_of(h, "p", 1), both = run_of(h, "both", 2);
    assert_string_equal(step_is(h, both, 0), "waiting");
    end_run(h, first, SUCCEEDED);
    assert_string_equal(step_is(h, both, 0), "placed");
    assert_int_equal(json_object_size(row_of_step(h, both, 0)->limits), 1);
    assert_string_equal(row_of_step(h, both, 0)->pool, "default");
}

/* Of the catalog, before anybody works there or asks for it, and after the last of them. */
static void a_pool_stays_as_long_as_somebody_names_it(void **state)
{
    struct harness *h = *state;
    harness_pool(h, "moon", 1, "/moon/bin");
    assert_int_equal(HASH_COUNT(h->core->pools), 1);
    assert_int_equal(HASH_COUNT(h->core->limits), 1);
    h->pools[0] = "moon";
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "p", "pool: moon, limits: [air]");
    struct snapshot_limit *air = snapshot_add_limits(h->rows);
    *air = (struct snapshot_limit){snapshot_text(h->rows, "air"), 1};
    harness_pool(h, "moon", 1, "/moon/bin"); /* with the limit */
    struct uuid run = run_of(h, "p", 1);
    assert_int_equal(HASH_COUNT(h->core->limits), 2);
    end_run(h, run, SUCCEEDED);
    h->pools[0] = "earth";
    harness_hello(h, 0, 8, NULL, 0);
    assert_int_equal(HASH_COUNT(h->core->pools), 2);
    h->rows->limits_count = 0;
    apply_step(h, "p", "pool: earth"); /* nobody names the other any more */
    harness_pool(h, "moon", NONE, NULL);
    assert_int_equal(HASH_COUNT(h->core->pools), 1);
    assert_int_equal(HASH_COUNT(h->core->limits), 1);
}

static const char *path_of(struct harness *h, struct uuid run)
{
    int worker;
    const struct order_start *start = start_of(h, run, &worker)->start;
    const char *path = NULL;
    for (size_t i = 0; i < start->env_count; i++)
        if (strcmp(start->env[i].name, "PATH") == 0) {
            assert_null(path);
            path = start->env[i].value;
        }
    return path ? path : "-";
}

static void its_path_is_that_of_processes(void **state)
{
    struct harness *h = *state;
    harness_hello(h, 0, 8, NULL, 0);
    apply_step(h, "plain", "env: {A: b}");
    apply_step(h, "own", "env: {A: b, PATH: /own}");
    apply_step(h, "noop", "executor: noop");
    assert_string_equal(path_of(h, run_of(h, "plain", 1)), "-");
    harness_pool(h, "default", ANY, "/pool/bin:/bin");
    assert_string_equal(path_of(h, run_of(h, "plain", 2)), "/pool/bin:/bin");
    assert_string_equal(path_of(h, run_of(h, "own", 3)), "/own");
    assert_string_equal(path_of(h, run_of(h, "noop", 4)), "-");
    harness_restart(h, 0);
    harness_settle(h);
    assert_string_equal(path_of(h, run_of(h, "plain", 5)), "/pool/bin:/bin");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
        T(slots_are_of_all_workers_together),
        T(a_step_that_wants_several_gets_its_turn),
        T(none_holds_everything_back),
        T(a_size_that_comes_later_counts_what_runs),
        T(a_file_that_goes_takes_its_size_along),
        T(a_takeover_counts_what_rows_hold),
        T(a_run_that_cannot_be_read_holds_what_its_row_says),
        T(a_row_without_a_pool_stays_without),
        T(a_pool_outlives_who_leaves_it),
        T(a_cancelled_attempt_holds_them_until_it_ends),
        T(slots_and_limits_are_taken_together),
        T(a_pool_stays_as_long_as_somebody_names_it),
        T(its_path_is_that_of_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A retry takes results over in bounded batches, and a leader that takes over goes on with it. */
#include "common/base/text.h"
#include "tests/unit/scheduler/core_harness.h"

#define ROWS 100        /* of a batch */
#define FITS (ROWS - 3) /* with the run's row and the verdict; the last look needs room, too */
#define MANY (10 * ROWS)

static int setup(void **state)
{
    struct harness *h = *state = harness_new();
    h->config.batch_rows = ROWS;
    core_free(h->core);
    h->core = core_new(&h->config);
    harness_hello(h, 0, 4, NULL, 0);
    return 0;
}

/* A finished run of `count` steps that succeeded and one after them that failed: its rows, as if
 * they were committed long ago. */
static struct uuid finished_run(struct harness *h, int count)
{
    cleanup_text struct text yaml = {0};
    text_puts(&yaml, "name: wide\nsteps:\n");
    for (int i = 0; i < count; i++)
        text_printf(&yaml, "  s%05d: {executor: noop}\n", i);
    text_puts(&yaml, "  zlast: {command: [x], needs: s00000}\n");
    const char *hash = harness_apply(h, yaml.data);
    struct snapshot_run *run = snapshot_add_runs(h->rows);
    *run = (struct snapshot_run){.id = id_of(90),
                                 .pipeline = "wide",
                                 .version = hash,
                                 .name = "old",
                                 .experiment = "wide",
                                 .state = RUN_FAILED,
                                 .reason = "",
                                 .trigger = "",
                                 .params = json_object(),
                                 .vars = json_object(),
                                 .created_us = h->now.wall_us};
    for (int i = 0; i <= count; i++)
        *snapshot_add_results(h->rows) =
            (struct snapshot_result){.run = run->id,
                                     .step = i,
                                     .state = i < count ? STEP_SUCCEEDED : STEP_FAILED,
                                     .attempt = 1,
                                     .attempt_id = id_of(91),
                                     .reason = ""};
    return run->id;
}

/* Takes the command in, without any turn. */
static struct uuid ask(struct harness *h, enum command_kind kind, struct uuid of, int byte)
{
    struct command c = {.v = 1, .kind = kind, .id = id_of(byte + 100), .run = id_of(byte)};
    if (kind == COMMAND_KIND_RETRY)
        c.of = of;
    core_command(h->core, &c, false, &h->now, h->out);
    return c.run;
}

static struct uuid retry(struct harness *h, int count)
{
    struct uuid old = finished_run(h, count);
    harness_learn_run(h, old, NULL);
    return ask(h, COMMAND_KIND_RETRY, old, 1);
}

static int adopted(struct harness *h, struct uuid run)
{
    int count = 0;
    for (size_t i = 0; i < h->rows->results_count; i++)
        count += same_id(&h->rows->results[i].run, &run);
    return count;
}

static void what_fits_is_one_batch(void **state)
{
    struct harness *h = *state;
    struct uuid run = retry(h, FITS);
    harness_turn(h);
    assert_true(h->accepted);
    assert_int_equal(adopted(h, run), FITS);
    assert_string_equal(run_is(h, run), "running");
}

static void one_more_is_two(void **state)
{
    struct harness *h = *state;
    struct uuid run = retry(h, FITS + 1);
    harness_turn(h);
    assert_string_equal(run_is(h, run), "pending");
    assert_int_equal(core_deadline(h->core), 0); /* it goes on at once */
    harness_turn(h);
    assert_int_equal(adopted(h, run), FITS + 1);
    assert_string_equal(run_is(h, run), "running");
}

static void each_batch_is_bounded(void **state)
{
    struct harness *h = *state;
    struct uuid run = retry(h, MANY);
    h->most_rows = 0;
    size_t turns = h->turns;
    harness_settle(h);
    assert_int_equal(adopted(h, run), MANY);
    assert_true(h->most_rows <= ROWS * 5 / 4);
    assert_true(h->turns - turns >= MANY / ROWS);
    assert_string_equal(step_is(h, run, MANY), "placed"); /* what had failed */
}

static void nothing_begins_before_the_last_is_in(void **state)
{
    struct harness *h = *state;
    struct uuid run = retry(h, MANY);
    harness_turn(h);
    harness_turn(h);
    assert_string_equal(run_is(h, run), "pending");
    assert_string_equal(step_is(h, run, MANY), "-"); /* its need was adopted in the first batch */
}

static void the_next_leader_goes_on(void **state)
{
    struct harness *h = *state;
    struct uuid run = retry(h, MANY);
    harness_turn(h);
    harness_turn(h);
    int before = adopted(h, run);
    assert_true(before > 0 && before < MANY);
    harness_restart(h, 0); /* a second row of a result would be caught by the mirror */
    harness_settle(h);
    assert_int_equal(adopted(h, run), MANY);
    assert_string_equal(step_is(h, run, MANY), "placed");
}

/* Rows of the old run that are no step's; and of the retry, a step to begin from that there is
 * not: what succeeded is taken over. */
static void rows_that_name_nothing_are_passed_over(void **state)
{
    struct harness *h = *state;
    struct uuid old = finished_run(h, MANY);
    for (int step = -1; step < 100000; step += 100000)
        *snapshot_add_results(h->rows) = (struct snapshot_result){
            .run = old, .step = step, .state = STEP_SUCCEEDED, .attempt = 1, .reason = ""};
    harness_learn_run(h, old, NULL);
    struct uuid run = ask(h, COMMAND_KIND_RETRY, old, 1);
    harness_turn(h);
    row_of_run(h, run)->retry_from = "nowhere";
    harness_restart(h, 0);
    harness_settle(h);
    assert_int_equal(adopted(h, run), MANY);
    assert_string_equal(step_is(h, run, MANY), "placed");
}

/* Its history was dropped meanwhile. */
static void without_the_old_run_the_rest_runs_anew(void **state)
{
    struct harness *h = *state;
    struct uuid run = retry(h, MANY);
    harness_turn(h);
    int before = adopted(h, run);
    row_of_run(h, run)->retry_of = id_of(99);
    harness_restart(h, 0);
    harness_settle(h);
    assert_string_equal(run_is(h, run), "running");
    assert_int_equal(adopted(h, run), before);
    assert_true(stats_of(h).live_steps == MANY + 1 - before);
}

static void a_cancel_ends_it_at_once(void **state)
{
    struct harness *h = *state;
    struct uuid run = retry(h, MANY);
    harness_turn(h);
    ask(h, COMMAND_KIND_CANCEL, run, 1);
    harness_settle(h);
    assert_string_equal(run_is(h, run), "cancelled");
    assert_true(adopted(h, run) < MANY);
    assert_int_equal(stats_of(h).live_steps, 0);
}

/* Two retries of one run, at once and a third that is learned while they adopt. */
static void one_run_serves_several_retries(void **state)
{
    struct harness *h = *state;
    struct uuid first = retry(h, MANY), old = id_of(90);
    struct uuid second = ask(h, COMMAND_KIND_RETRY, old, 2);
    harness_turn(h);
    harness_learn_run(h, old, NULL);
    struct uuid third = ask(h, COMMAND_KIND_RETRY, old, 3);
    harness_settle(h);
    assert_int_equal(adopted(h, first), MANY);
    assert_int_equal(adopted(h, second), MANY);
    assert_int_equal(adopted(h, third), MANY);
}

/* It has taken everything over, and waits for its turn. */
static void one_that_is_queued_keeps_what_it_has(void **state)
{
    struct harness *h = *state;
    harness_apply(
        h, "name: p\nconcurrency: {limit: 1}\nsteps: {a: {command: [x]}, b: {command: [x]}}\n");
    struct uuid old = harness_run(h, "p", 1);
    finish(h, 0, "a", SUCCEEDED, NULL);
    finish(h, 0, "b", FAILED, NULL);
    struct uuid other = harness_run(h, "p", 2);
    harness_learn_run(h, old, NULL);
    struct uuid run = ask(h, COMMAND_KIND_RETRY, old, 3);
    harness_settle(h);
    assert_string_equal(run_is(h, run), "queued");
    harness_restart(h, 0);
    harness_settle(h);
    harness_cancel(h, other);
    finish(h, 0, "a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    finish(h, 0, "b", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, run), "running");
    assert_int_equal(adopted(h, run), 1);
    assert_string_equal(step_is(h, run, 1), "placed");
}

/* The database is asked before the batch, so it does not know of an end in the batch itself. */
static void a_cancel_behind_the_end_in_one_batch_is_refused(void **state)
{
    struct harness *h = *state;
    struct uuid run = retry(h, MANY);
    harness_turn(h);
    ask(h, COMMAND_KIND_CANCEL, run, 1);
    ask(h, COMMAND_KIND_CANCEL, run, 1);
    assert_int_equal(h->out->tombstones_count, 0);
    harness_settle(h);
    assert_false(h->accepted);
    assert_string_equal(h->detail, "the run is over already: cancelled");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, harness_teardown)
        T(what_fits_is_one_batch),
        T(one_more_is_two),
        T(each_batch_is_bounded),
        T(nothing_begins_before_the_last_is_in),
        T(the_next_leader_goes_on),
        T(rows_that_name_nothing_are_passed_over),
        T(without_the_old_run_the_rest_runs_anew),
        T(a_cancel_ends_it_at_once),
        T(one_that_is_queued_keeps_what_it_has),
        T(one_run_serves_several_retries),
        T(a_cancel_behind_the_end_in_one_batch_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

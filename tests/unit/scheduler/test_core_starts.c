/* Steps that start a run of another pipeline. */
#include "tests/unit/scheduler/starts_harness.h"

static void it_ends_with_its_run(void **state)
{
    struct harness *h = *state;
    struct uuid run = started(h);
    assert_string_equal(row_of_run(h, child(h, 0))->name, "report of p-1");
    assert_string_equal(order_of(h, ORDER_KIND_START, "count")->start->argv[1], "monday");
    assert_non_null(strstr(row_of_step(h, run, 0)->reason, "of report"));
    assert_int_equal(h->rows->starts[0].depth, 1);
    harness_restart(h, 0);
    finish(h, 0, "count", SUCCEEDED, "{\"pages\": 7}");
    assert_string_equal(run_is(h, child(h, 0)), "succeeded");
    assert_string_equal(step_is(h, run, 0), "succeeded");
    assert_string_equal(order_of(h, ORDER_KIND_START, "then")->start->argv[1], "7");
    assert_string_equal(order_of(h, ORDER_KIND_START, "then")->start->argv[2], "succeeded");
    finish(h, 0, "then", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void it_fails_with_its_run(void **state)
{
    struct harness *h = *state;
    struct uuid run = started(h);
    finish(h, 0, "count", FAILED, NULL);
    assert_string_equal(run_is(h, child(h, 0)), "failed");
    reason_has(h, run, 0, "failed: step count failed");
    assert_string_equal(json_string_value(json_object_get(result(h, run, 0)->outputs, "state")),
                        "failed");
    assert_string_equal(run_is(h, run), "failed");
}

static void a_cancel_goes_down(void **state)
{
    struct harness *h = *state;
    struct uuid run = started(h);
    harness_cancel(h, run);
    assert_string_equal(step_is(h, run, 0), "cancelling");
    assert_string_equal(run_is(h, child(h, 0)), "cancelling");
    harness_restart(h, 0);
    finish(h, 0, "count", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, child(h, 0)), "cancelled");
    assert_string_equal(step_is(h, run, 0), "cancelled");
    assert_string_equal(run_is(h, run), "cancelled");
}

static void a_run_that_ended_before_the_cancel_counts(void **state)
{
    struct harness *h = *state;
    struct uuid run = started(h);
    struct order *o = order_of(h, ORDER_KIND_START, "count");
    harness_finished(h, 0, o, SUCCEEDED, "{\"pages\": 1}"); /* in one batch with the cancel */
    struct command c = {.kind = COMMAND_KIND_CANCEL, .run = run, .id = id_of(9)};
    core_command(h->core, &c, false, &h->now, h->out);
    harness_settle(h);
    assert_string_equal(run_is(h, child(h, 0)), "succeeded");
    assert_string_equal(step_is(h, run, 0), "succeeded");
    assert_string_equal(run_is(h, run), "cancelled");
}

static void a_cancel_of_its_run_alone_fails_it(void **state)
{
    struct harness *h = *state;
    struct uuid run = started(h);
    harness_cancel(h, child(h, 0));
    finish(h, 0, "count", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    reason_has(h, run, 0, "was cancelled");
    assert_string_equal(run_is(h, run), "failed");
}

static void what_is_not_waited_for_goes_its_way(void **state)
{
    struct harness *h = *state;
    harness_apply(h, REPORT);
    struct uuid run =
        begin(h, "  child: {start: {pipeline: report, params: {day: x}, wait: false}}\n");
    assert_string_equal(run_is(h, run), "succeeded");
    assert_string_equal(run_is(h, child(h, 0)), "running");
    char id[UUID_TEXT];
    struct uuid made = child(h, 0);
    uuid_format(&made, id);
    assert_string_equal(json_string_value(json_object_get(result(h, run, 0)->outputs, "run")), id);
    harness_restart(h, 0);
    finish(h, 0, "count", FAILED, NULL);
    assert_string_equal(run_is(h, child(h, 0)), "failed");
    assert_string_equal(run_is(h, run), "succeeded");
}

/* What the run gives against what the step that started it declares. */
static void outputs_are_checked(void **state)
{
    struct harness *h = *state;
    static const struct {
        const char *gives, *wants, *says; /* NULL = it succeeds */
    } TABLE[] = {
        {"pages", "n: {type: integer}", NULL},
        {"pages", "n: {type: number}", NULL},
        {"pages", "n: {type: json}", NULL},
        {"pages", "n: {type: string}", "output n is a integer there, and not a string"},
        {"text", "n: {type: number}", "output n is a string there, and not a number"},
        {"file", "n: {type: json}", "output n is a artifact there, and not a json"},
        {"each", "n: {type: json}", NULL},
        {"each", "n: {type: integer}", "output n is a list of integer there, and not a integer"},
        {"files", "n: {type: json}", "output n is a list of artifact there, and not a json"},
        {"pages", "other: {type: integer}", "it gave no output other"},
    };
    for (size_t i = 0; i < ARRAY_LEN(TABLE); i++) {
        cleanup_free char *gives =
            mem_printf("name: gives%zu\nsteps:\n"
                       "  a: {command: [a], outputs: {pages: {type: integer}, text: {type: "
                       "string}, file: {}}}\n"
                       "  e: {for_each: [1], steps: {b: {command: [b], outputs: {n: {type: "
                       "integer}, f: {}}}}, outputs: {each: b.n, files: b.f}}\n"
                       "outputs: {m: a.text, n: %s}\n",
                       i,
                       strcmp(TABLE[i].gives, "each") == 0    ? "e.each"
                       : strcmp(TABLE[i].gives, "files") == 0 ? "e.files"
                       : strcmp(TABLE[i].gives, "text") == 0  ? "a.text"
                       : strcmp(TABLE[i].gives, "file") == 0  ? "a.file"
                                                              : "a.pages");
        cleanup_free char *wants =
            mem_printf("name: wants%zu\nsteps: {child: {start: {pipeline: gives%zu}, outputs: "
                       "{%s}}}\n",
                       i, i, TABLE[i].wants);
        cleanup_free char *name = mem_printf("wants%zu", i);
        harness_apply(h, gives);
        harness_apply(h, wants);
        struct uuid run = harness_run(h, name, (int)i + 1);
        finish(h, 0, "a", SUCCEEDED,
               "{\"pages\": 7, \"text\": \"t\", \"file\": {\"artifact\": \"x\"}}");
        finish(h, 0, "e/b", SUCCEEDED, "{\"n\": 1, \"f\": {\"artifact\": \"x\"}}");
        assert_string_equal(step_is(h, run, 0), TABLE[i].says ? "failed" : "succeeded");
        if (TABLE[i].says)
            reason_has(h, run, 0, TABLE[i].says);
    }
}

static void an_output_that_is_not_there_fails_it(void **state)
{
    struct harness *h = *state;
    harness_apply(h, REPORT);
    struct uuid run = begin(
        h, "  child: {start: {pipeline: report, params: {day: x}}, outputs: {text: {type: "
           "string}}}\n"
           "  other: {start: {pipeline: report, params: {day: x}}, outputs: {text: {type: string, "
           "optional: true}, pages: {type: json}}}\n");
    finish(h, 0, "count", SUCCEEDED, "{\"pages\": 7}");
    for (size_t i = 0; i < h->order_count; i++)
        if (h->orders[i].kind == ORDER_KIND_START)
            harness_finished(h, 0, &h->orders[i], SUCCEEDED, "{\"pages\": 7}");
    harness_settle(h);
    reason_has(h, run, 0, "it gave no output text");
    assert_string_equal(step_is(h, run, 1), "succeeded");
}

static void it_waits_in_the_queue_of_its_pipeline(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: one\nconcurrency: {limit: 1}\nsteps: {a: {command: [a]}}\n");
    struct uuid first = harness_run(h, "one", 5);
    struct uuid run = begin(h, "  child: {start: {pipeline: one}}\n");
    assert_string_equal(run_is(h, child(h, 0)), "queued");
    assert_string_equal(step_is(h, run, 0), "running");
    harness_restart(h, 0);
    finish(h, 0, "a", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, first), "succeeded");
    assert_string_equal(run_is(h, child(h, 0)), "running");
    harness_cancel(h, run);
    finish(h, 0, "a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, run), "cancelled");
}

/* Two runs are too late in one moment, and the batch has room for hardly anything: each ends in one
 * batch with the step that waits for it. */
static void they_end_together_however_full_the_batch(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: one\nconcurrency: {limit: 1}\nqueue_timeout: 5s\n"
                     "steps: {a: {command: [a]}}\n");
    harness_run(h, "one", 5);
    struct uuid run = begin(h, "  x: {start: {pipeline: one}, allow_failure: true}\n"
                               "  y: {start: {pipeline: one}, allow_failure: true}\n");
    h->config.batch_rows = 1;
    harness_restart(h, 0);
    harness_settle(h);
    h->now.mono_us += 6 * US_PER_S;
    h->now.wall_us += 6 * US_PER_S;
    for (size_t ended = 1; ended <= 2; ended++) {
        harness_turn(h);
        size_t steps = 0, runs = 0;
        for (int step = 0; step < 2; step++) {
            steps += strcmp(step_is(h, run, step), "failed") == 0;
            runs += strcmp(run_is(h, child(h, (size_t)step)), "failed") == 0;
        }
        assert_int_equal(steps, ended);
        assert_int_equal(runs, ended);
    }
    harness_settle(h);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void one_that_is_skipped_skips_it(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: one\nconcurrency: {policy: skip}\nsteps: {a: {command: [a]}}\n");
    harness_run(h, "one", 5);
    struct uuid run = begin(h, "  child: {start: {pipeline: one}}\n");
    assert_string_equal(step_is(h, run, 0), "skipped");
    reason_has(h, run, 0, "was skipped: 1 of 1 runs");
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_queued_one_is_cancelled_at_once(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: one\nconcurrency: {limit: 1}\nsteps: {a: {command: [a]}}\n");
    harness_run(h, "one", 5);
    struct uuid run = begin(h, "  child: {start: {pipeline: one}}\n");
    harness_cancel(h, run);
    assert_string_equal(run_is(h, child(h, 0)), "cancelled");
    assert_string_equal(run_is(h, run), "cancelled");
}

/* It is late already when its own run is cancelled: the run that it started is asked once. */
static void a_cancel_after_its_timeout_changes_nothing(void **state)
{
    struct harness *h = *state;
    harness_apply(h, ONE);
    struct uuid run = begin(h, "  child: {start: {pipeline: one}, timeout: 5s}\n");
    harness_pass(h, 6 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "cancelling");
    harness_cancel(h, run);
    assert_int_equal(orders_of(h, ORDER_KIND_CANCEL), 1);
    finish(h, 0, "a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(step_is(h, run, 0), "cancelled");
    assert_string_equal(run_is(h, run), "cancelled");
}

/* A row of an older version may have no reason. */
static void a_run_without_a_reason_fails_it_all_the_same(void **state)
{
    struct harness *h = *state;
    struct uuid run = started(h);
    harness_cancel(h, child(h, 0));
    row_of_run(h, child(h, 0))->reason = "";
    harness_restart(h, 0);
    finish(h, 0, "count", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, child(h, 0)), "cancelled");
    reason_has(h, run, 0, "was cancelled");
}

/* Rows that were lost: no run is there any more to be waited for, and its time is up as well. */
static void a_run_that_is_not_in_the_database_fails_it(void **state)
{
    struct harness *h = *state;
    harness_apply(h, ONE);
    struct uuid run = begin(h, "  child: {start: {pipeline: one}, timeout: 5s}\n");
    h->rows->starts_count = 0;
    harness_restart(h, 60 * US_PER_S);
    harness_settle(h);
    reason_has(h, run, 0, "its run is not in the database");
    assert_string_equal(run_is(h, run), "failed");
}

/* Whichever of the two is freed first; the rows of a table have no order. */
static void a_leader_that_stops_lets_go_of_both(void **state)
{
    struct harness *h = *state;
    started(h);
    const struct snapshot_run parent = h->rows->runs[0];
    h->rows->runs[0] = h->rows->runs[1];
    h->rows->runs[1] = parent;
    harness_restart(h, 0);
    assert_int_equal(stats_of(h).live_runs, 2);
}

static void it_has_a_timeout(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: one\nsteps: {a: {wait: {type: dev.never}}}\n");
    struct uuid run = begin(h, "  child: {start: {pipeline: one}, timeout: 10s}\n");
    harness_restart(h, 4 * US_PER_S);
    harness_pass(h, 7 * US_PER_S);
    assert_string_equal(run_is(h, child(h, 0)), "cancelled");
    reason_has(h, run, 0, "timed out after 10 s");
    assert_string_equal(run_is(h, run), "failed");
}

static void a_takeover_while_the_timeout_ends_it(void **state)
{
    struct harness *h = *state;
    harness_apply(h, ONE);
    struct uuid run = begin(h, "  child: {start: {pipeline: one}, timeout: 5s}\n");
    harness_pass(h, 6 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "cancelling");
    harness_restart(h, 0);
    finish(h, 0, "a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(run_is(h, child(h, 0)), "cancelled");
    assert_string_equal(step_is(h, run, 0), "failed");
    reason_has(h, run, 0, "timed out after 5 s");
}

static void items_start_each_its_run(void **state)
{
    struct harness *h = *state;
    harness_apply(h, REPORT);
    struct uuid run = begin(h, "  e:\n    for_each: [x, y]\n    steps:\n"
                               "      child: {start: {pipeline: report, params: {day: \"${{ item "
                               "}}\"}}, outputs: {pages: {type: integer}}}\n"
                               "    outputs: {pages: child.pages}\n");
    assert_int_equal(h->rows->starts_count, 2);
    harness_restart(h, 0);
    for (size_t i = 0; i < h->order_count; i++)
        if (h->orders[i].kind == ORDER_KIND_START)
            harness_finished(h, 0, &h->orders[i], SUCCEEDED,
                             strcmp(h->orders[i].start->argv[1], "x") ? "{\"pages\": 2}"
                                                                      : "{\"pages\": 1}");
    harness_settle(h);
    char *text = json_write(result(h, run, 0)->outputs);
    assert_string_equal(text, "{\"pages\":[1,2]}");
    free(text);
    assert_string_equal(run_is(h, run), "succeeded");
}

static void the_first_failed_item_cancels_the_other_runs(void **state)
{
    struct harness *h = *state;
    harness_apply(h, REPORT);
    struct uuid run = begin(h, "  e: {for_each: [x, y], steps: {child: {start: {pipeline: report, "
                               "params: {day: \"${{ item }}\"}}}}}\n");
    harness_finished(h, 0, order_of(h, ORDER_KIND_START, "count"), FAILED, NULL);
    harness_settle(h);
    assert_int_equal(orders_of(h, ORDER_KIND_CANCEL), 1);
    for (size_t i = 0; i < h->order_count; i++)
        if (h->orders[i].kind == ORDER_KIND_START)
            harness_finished(h, 0, &h->orders[i], REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    harness_settle(h);
    assert_string_equal(run_is(h, run), "failed");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, harness_setup_worker, harness_teardown)
    const struct CMUnitTest tests[] = {
        T(it_ends_with_its_run),
        T(it_fails_with_its_run),
        T(a_cancel_goes_down),
        T(a_run_that_ended_before_the_cancel_counts),
        T(a_cancel_of_its_run_alone_fails_it),
        T(what_is_not_waited_for_goes_its_way),
        T(outputs_are_checked),
        T(an_output_that_is_not_there_fails_it),
        T(it_waits_in_the_queue_of_its_pipeline),
        T(they_end_together_however_full_the_batch),
        T(one_that_is_skipped_skips_it),
        T(a_queued_one_is_cancelled_at_once),
        T(a_cancel_after_its_timeout_changes_nothing),
        T(a_run_without_a_reason_fails_it_all_the_same),
        T(a_run_that_is_not_in_the_database_fails_it),
        T(a_leader_that_stops_lets_go_of_both),
        T(it_has_a_timeout),
        T(a_takeover_while_the_timeout_ends_it),
        T(items_start_each_its_run),
        T(the_first_failed_item_cancels_the_other_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Events and their verdicts, retries of finished runs: docs/walk.md section 2. */
#include "scheduler/core/events.h"
#include "tests/unit/scheduler/core_harness.h"

static const char DRIFT[] =
    "name: p\n"
    "on:\n"
    "  event: {type: dev.example.drift, filter: event.data.psi > 0.2,\n"
    "          run_name: \"${{ event.data.who }} drifts\", params: {n: \"${{ event.data.n }}\"},\n"
    "          vars: {_SITE: \"${{ event.data.who }}\"}}\n"
    "params:\n  n: {type: integer, default: 1}\n"
    "steps:\n  only: {command: [x, \"${{ params.n }}\", \"${{ vars._SITE }}\"]}\n";

static struct uuid send_event(struct harness *h, int byte, const char *data)
{
    char id[UUID_TEXT];
    struct uuid event_id = id_of(byte);
    uuid_format(&event_id, id);
    cleanup_free char *envelope =
        mem_printf("{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"/x\",\"type\":"
                   "\"dev.example.drift\",\"time\":\"2026-11-23T08:00:00Z\","
                   "\"leatsource\":\"site\",\"data\":%s}",
                   id, data);
    struct event event;
    struct err err = {0};
    if (event_decode(envelope, strlen(envelope), &event, &err) < 0)
        fail_msg("%s", err.text);
    core_event(h->core, &event, envelope, &h->now, h->out);
    struct uuid run = event_run_id(&event, "p", "event");
    event_clear(&event);
    harness_settle(h);
    return run;
}

static void a_fitting_event_makes_its_run(void **state)
{
    struct harness *h = *state;
    harness_apply(h, DRIFT);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = send_event(h, 1, "{\"psi\": 0.3, \"who\": \"north\", \"n\": 12}");
    assert_string_equal(run_is(h, run), "running");
    assert_string_equal(row_of_run(h, run)->name, "north drifts");
    assert_string_equal(row_of_run(h, run)->trigger, "event");
    assert_non_null(strstr(h->verdicts, "\"verdict\":\"run\""));
    const struct order_start *start = order_of(h, ORDER_KIND_START, "only")->start;
    assert_string_equal(start->argv[1], "12");
    assert_string_equal(start->argv[2], "north");
    assert_non_null(json_object_get(start->event, "data"));
}

static void the_same_event_names_the_same_run(void **state)
{
    struct harness *h = *state;
    harness_apply(h, DRIFT);
    struct uuid first = send_event(h, 1, "{\"psi\": 0.3, \"who\": \"a\", \"n\": 1}");
    size_t runs = h->rows->runs_count;
    struct uuid again = send_event(h, 1, "{\"psi\": 0.3, \"who\": \"a\", \"n\": 1}");
    assert_true(same_id(&first, &again));
    assert_int_equal(h->rows->runs_count, runs);
}

static void verdicts_without_a_run(void **state)
{
    struct harness *h = *state;
    harness_apply(h, DRIFT);
    send_event(h, 1, "{\"psi\": 0.1}");
    assert_non_null(strstr(h->verdicts, "\"verdict\":\"filtered\""));
    send_event(h, 2, "{}"); /* the filter cannot be evaluated */
    assert_non_null(strstr(h->verdicts, "\"verdict\":\"failed\""));
    struct snapshot *delta = snapshot_new();
    *snapshot_add_pipelines(delta) = h->rows->pipelines[0];
    delta->pipelines[0].paused = true;
    core_learn(h->core, delta, &h->now);
    snapshot_free(delta);
    send_event(h, 3, "{\"psi\": 0.3, \"who\": \"a\", \"n\": 1}");
    assert_non_null(strstr(h->verdicts, "\"verdict\":\"paused\""));
    assert_int_equal(h->rows->runs_count, 0);
    harness_run(h, "p", 1); /* a person still may */
    assert_true(h->accepted);
}

/* Each pipeline is looked at; the catalog may have moved meanwhile. */
static void an_event_meets_every_pipeline(void **state)
{
    struct harness *h = *state;
    harness_apply(h, DRIFT);
    harness_apply(h,
                  "name: q\non: {event: {type: dev.example.other}}\nsteps: {a: {command: [x]}}\n");
    harness_apply(h, "name: r\non: {event: {type: dev.example.*}}\nsteps: {a: {command: [x]}}\n");
    struct snapshot *delta = snapshot_new();
    delta->catalog_gen = 5;
    core_learn(h->core, delta, &h->now);
    delta->catalog_gen = 4; /* asked for before that */
    core_learn(h->core, delta, &h->now);
    snapshot_free(delta);
    assert_int_equal(core_catalog_gen(h->core), 5);
    send_event(h, 1, "{\"psi\": 0.3, \"who\": \"a\", \"n\": 1}");
    assert_int_equal(h->rows->runs_count, 2);
    assert_non_null(strstr(h->verdicts, "\"pipeline\":\"p\""));
    assert_non_null(strstr(h->verdicts, "\"pipeline\":\"r\""));
}

static void learn_paused(struct harness *h, json_t *triggers)
{
    struct snapshot *delta = snapshot_new();
    *snapshot_add_pipelines(delta) = h->rows->pipelines[0];
    delta->pipelines[0].paused_triggers = triggers;
    core_learn(h->core, delta, &h->now);
    snapshot_free(delta);
}

static void a_trigger_is_paused_alone(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\non:\n  event:\n    - {name: one, type: dev.example.drift}\n"
                     "    - {name: two, type: dev.example.drift}\nsteps:\n  a: {command: [x]}\n");
    learn_paused(h, json_pack("[s, s]", "of-another-version", "two"));
    send_event(h, 1, "{}");
    assert_non_null(strstr(h->verdicts, "\"trigger\":\"one\",\"verdict\":\"run\""));
    assert_non_null(strstr(h->verdicts, "\"trigger\":\"two\",\"verdict\":\"paused\""));
    assert_int_equal(h->rows->runs_count, 1);
    learn_paused(h, NULL);
    send_event(h, 2, "{}");
    assert_null(strstr(h->verdicts, "paused"));
    assert_int_equal(h->rows->runs_count, 3);
}

static void what_cannot_be_resolved_is_born_failed(void **state)
{
    struct harness *h = *state;
    harness_apply(h, DRIFT);
    const char *data[] = {"{\"psi\": 0.3, \"who\": \"a\"}",                  /* no n */
                          "{\"psi\": 0.3, \"who\": \"a\", \"n\": \"many\"}", /* no integer */
                          "{\"psi\": 0.3, \"n\": 1}"};                       /* no name */
    for (int i = 0; i < 3; i++) {
        struct uuid run = send_event(h, i + 1, data[i]);
        assert_string_equal(run_is(h, run), "failed");
        assert_true(strlen(row_of_run(h, run)->reason) > 0);
        assert_true(strncmp(row_of_run(h, run)->name, "p-", 2) == 0);
        assert_non_null(strstr(h->verdicts, "\"verdict\":\"failed\""));
        assert_non_null(strstr(h->verdicts, "\"run\""));
    }
}

/* Its triggers alone, and its run is of that version. */
static void an_event_meets_the_current_version(void **state)
{
    static const char OTHER[] = "name: p\n"
                                "on:\n"
                                "  event: {type: dev.example.drift, filter: event.data.psi > 0.5,\n"
                                "          params: {n: 7}}\n"
                                "params:\n  n: {type: integer, default: 1}\n"
                                "steps:\n  other: {command: [y, \"${{ params.n }}\"]}\n";
    struct harness *h = *state;
    harness_apply(h, DRIFT);
    harness_hello(h, 0, 1, NULL, 0);
    send_event(h, 1, "{\"psi\": 0.3, \"who\": \"a\", \"n\": 1}");
    const char *second = harness_apply(h, OTHER);
    send_event(h, 2, "{\"psi\": 0.3, \"who\": \"a\", \"n\": 1}");
    assert_non_null(strstr(h->verdicts, "\"verdict\":\"filtered\""));
    struct uuid run = send_event(h, 3, "{\"psi\": 0.6, \"who\": \"a\", \"n\": 1}");
    assert_string_equal(row_of_run(h, run)->version, second);
    json_t *n = json_object_get(row_of_run(h, run)->params, "n");
    assert_int_equal(json_integer_value(n), 7);
    harness_apply(h, "name: p\nsteps: {a: {command: [a]}}\n");
    send_event(h, 4, "{\"psi\": 0.6, \"who\": \"a\", \"n\": 1}");
    assert_string_equal(h->verdicts, "[]");
    assert_int_equal(h->rows->runs_count, 2);
}

static void an_event_that_nobody_wants_is_kept(void **state)
{
    struct harness *h = *state;
    send_event(h, 1, "{}");
    assert_string_equal(h->verdicts, "[]");
    assert_int_equal(stats_of(h).events_unmatched, 1);
}

/* ---- retry --------------------------------------------------------------------------------- */

static const char CHAIN[] = "name: chain\nsteps:\n"
                            "  a: {command: [x], outputs: {n: {type: integer}}}\n"
                            "  b: {command: [\"${{ steps.a.outputs.n }}\"]}\n"
                            "  c: {command: [x], needs: b}\n";

static void retry(struct harness *h, struct uuid of, int byte, const char *from)
{
    harness_learn_run(h, of, NULL);
    harness_command(
        h, (struct command){.kind = COMMAND_KIND_RETRY, .run = id_of(byte), .of = of, .from = from},
        false);
}

static struct uuid failed_chain(struct harness *h)
{
    harness_apply(h, CHAIN);
    harness_hello(h, 0, 1, NULL, 0);
    struct uuid run = harness_run(h, "chain", 1);
    finish(h, 0, "a", SUCCEEDED, "{\"n\": 5}");
    finish(h, 0, "b", FAILED, NULL);
    assert_string_equal(run_is(h, run), "failed");
    return run;
}

static void retry_adopts_what_succeeded(void **state)
{
    struct harness *h = *state;
    struct uuid old = failed_chain(h), run = id_of(2);
    retry(h, old, 2, NULL);
    assert_true(h->accepted);
    assert_string_equal(step_is(h, run, 0), "succeeded");
    assert_non_null(strstr(row_of_result(h, run, 0)->reason, "adopted from "));
    assert_true(
        same_id(&row_of_result(h, run, 0)->attempt_id, &row_of_result(h, old, 0)->attempt_id));
    assert_string_equal(step_is(h, run, 1), "placed");
    assert_string_equal(order_of(h, ORDER_KIND_START, "b")->start->argv[0], "5");
    harness_restart(h, 0); /* the adopted outputs are its own now */
    harness_settle(h);
    finish(h, 0, "b", SUCCEEDED, NULL);
    finish(h, 0, "c", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    retry(h, run, 3, NULL);
    assert_false(h->accepted);
    retry(h, run, 3, "nobody");
    assert_string_equal(h->detail, "pipeline chain has no step nobody in that version");
    retry(h, run, 3, "b");
    assert_true(h->accepted);
    assert_string_equal(step_is(h, id_of(3), 0), "succeeded");
    assert_string_equal(step_is(h, id_of(3), 1), "placed");
    assert_string_equal(step_is(h, id_of(3), 2), "-");
}

static void retry_from_the_first_step_runs_all(void **state)
{
    struct harness *h = *state;
    struct uuid old = failed_chain(h);
    retry(h, old, 2, "a");
    assert_string_equal(step_is(h, id_of(2), 0), "placed");
    assert_int_equal(row_of_step(h, id_of(2), 0)->attempt, 1);
}

static void a_cancel_that_comes_too_late_is_refused(void **state)
{
    struct harness *h = *state;
    struct uuid old = failed_chain(h);
    harness_learn_run(h, old, NULL);
    harness_cancel(h, old);
    assert_false(h->accepted);
    assert_string_equal(h->detail, "the run is over already: failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
        T(a_fitting_event_makes_its_run),
        T(the_same_event_names_the_same_run),
        T(verdicts_without_a_run),
        T(an_event_meets_every_pipeline),
        T(a_trigger_is_paused_alone),
        T(what_cannot_be_resolved_is_born_failed),
        T(an_event_meets_the_current_version),
        T(an_event_that_nobody_wants_is_kept),
        T(retry_adopts_what_succeeded),
        T(retry_from_the_first_step_runs_all),
        T(a_cancel_that_comes_too_late_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Steps that wait for an event. */
#include "tests/unit/scheduler/core_harness.h"

static void feed(struct harness *h, int byte, const char *type, const char *source,
                 const char *data)
{
    char id[UUID_TEXT];
    struct uuid event_id = id_of(byte);
    struct event event;
    struct err err = {0};
    uuid_format(&event_id, id);
    cleanup_free char *envelope = mem_printf(
        "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"/x\",\"type\":\"%s\",\"time\":"
        "\"2026-11-23T08:00:00Z\",\"leatsource\":\"%s\",\"data\":%s}",
        id, type, source, data);
    if (event_decode(envelope, strlen(envelope), &event, &err) < 0)
        fail_msg("%s", err.text);
    core_event(h->core, &event, envelope, &h->now, h->out);
    event_clear(&event);
}

static void send(struct harness *h, int byte, const char *type, const char *data)
{
    feed(h, byte, type, "site", data);
    harness_settle(h);
}

static struct uuid begin(struct harness *h, const char *steps)
{
    cleanup_free char *yaml = mem_printf("name: p\nsteps:\n%s", steps);
    harness_apply(h, yaml);
    return harness_run(h, "p", 1);
}

static int64_t n_of(const struct snapshot_result *r)
{
    json_t *event = json_object_get(r->outputs, "event");
    return json_integer_value(json_object_get(json_object_get(event, "data"), "n"));
}

static const char HOLD[] = "  hold: {wait: {type: dev.checked, filter: event.data.n > 3}}\n"
                           "  then: {command: [x, \"${{ steps.hold.outputs.event.data.n }}\"]}\n";

static void the_first_event_that_fits_ends_it(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, HOLD);
    assert_string_equal(step_is(h, run, 0), "waiting");
    assert_string_equal(row_of_step(h, run, 0)->reason, "waits for an event of type dev.checked");
    assert_true(row_of_step(h, run, 0)->due_us == 7 * 86400 * US_PER_S);
    send(h, 1, "dev.checked", "{\"n\": 3}");
    send(h, 2, "dev.other", "{\"n\": 9}");
    assert_string_equal(step_is(h, run, 0), "waiting");
    assert_string_equal(h->verdicts, "[]");
    send(h, 3, "dev.checked", "{\"n\": 4}");
    assert_int_equal(n_of(result(h, run, 0)), 4);
    says(h->verdicts, "\"verdict\":\"ended\"");
    says(h->verdicts, "\"step\":\"hold\"");
    send(h, 4, "dev.checked", "{\"n\": 5}");
    assert_string_equal(h->verdicts, "[]"); /* one event, once */
    assert_string_equal(order_of(h, ORDER_KIND_START, "then")->start->argv[1], "4");
    finish(h, 0, "then", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    assert_int_equal(stats_of(h).waiting, 0);
}

static void it_holds_no_slot_and_no_attempt(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, HOLD);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 0);
    assert_int_equal(stats_of(h).waiting, 1);
    assert_int_equal(stats_of(h).placed, 0);
    assert_true(uuid_is_nil(&row_of_step(h, run, 0)->attempt_id));
}

static void one_event_ends_all_that_it_fits(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "  a: {wait: {type: dev.x.checked}}\n"
                               "  b: {wait: {type: \"dev.x.*\"}}\n"
                               "  c: {wait: {type: \"dev.*\"}}\n"
                               "  d: {wait: {type: \"dev.x.checked.*\"}}\n"
                               "  e: {wait: {type: dev.x}}\n"
                               "  f: {wait: {type: dev.x.checked, source: other}}\n");
    send(h, 1, "dev.x.checked", "{\"n\": 1}");
    for (int step = 0; step < 3; step++)
        assert_string_equal(step_is(h, run, step), "succeeded");
    for (int step = 3; step < 6; step++)
        assert_string_equal(step_is(h, run, step), "waiting");
    feed(h, 2, "dev.x.checked", "other", "{}");
    harness_settle(h);
    assert_string_equal(step_is(h, run, 5), "succeeded");
    send(h, 3, "dev.x.checked.twice", "{}");
    send(h, 4, "dev.x", "{}");
    assert_string_equal(run_is(h, run), "succeeded");
}

/* Types are as they come: a name of one letter, an end that is a dot, what looks like a pattern. */
static void odd_types_of_events_are_met_once(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "  a: {wait: {type: x}}\n"
                               "  b: {wait: {type: \"dev.*\"}}\n"
                               "  c: {wait: {type: \"dev.x.*\"}}\n");
    send(h, 1, "y", "{}");
    send(h, 2, ".", "{}");
    send(h, 3, "dev.", "{}");
    for (int step = 0; step < 3; step++)
        assert_string_equal(step_is(h, run, step), "waiting");
    send(h, 4, "dev.*", "{}");
    json_t *verdicts = json_of(h->verdicts);
    assert_int_equal(json_array_size(verdicts), 1);
    json_decref(verdicts);
    assert_string_equal(step_is(h, run, 1), "succeeded");
    send(h, 5, "dev.x.", "{}");
    assert_string_equal(step_is(h, run, 2), "waiting");
    send(h, 6, "x", "{}");
    assert_string_equal(step_is(h, run, 0), "succeeded");
}

static void an_event_of_the_same_batch_is_not_seen(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n  hold: {wait: {type: dev.checked}}\n");
    feed(h, 1, "dev.checked", "site", "{\"n\": 1}"); /* committed with what begins the step */
    struct uuid run = harness_run(h, "p", 1);
    assert_string_equal(step_is(h, run, 0), "waiting");
    send(h, 2, "dev.checked", "{\"n\": 2}");
    assert_int_equal(n_of(result(h, run, 0)), 2);
}

static void a_filter_that_fails_is_no_match_and_is_shown(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, HOLD);
    send(h, 1, "dev.checked", "{\"m\": 1}");
    assert_string_equal(step_is(h, run, 0), "waiting");
    says(h->verdicts, "\"verdict\":\"failed\"");
    says(row_of_step(h, run, 0)->reason, "its filter failed on event");
    send(h, 2, "dev.checked", "{\"n\": 4}");
    assert_int_equal(n_of(result(h, run, 0)), 4);
}

static void the_filter_sees_the_run_and_its_steps(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(
        h, "  a: {command: [a], outputs: {n: {type: integer}}}\n"
           "  hold: {wait: {type: dev.checked, filter: \"event.data.run == run.id && event.data.n "
           "> steps.a.outputs.n\"}}\n");
    char id[UUID_TEXT];
    finish(h, 0, "a", SUCCEEDED, "{\"n\": 7}");
    uuid_format(&run, id);
    send(h, 1, "dev.checked", "{\"n\": 8, \"run\": \"another\"}");
    assert_string_equal(step_is(h, run, 1), "waiting");
    harness_restart(h, 0);
    cleanup_free char *low = mem_printf("{\"n\": 7, \"run\": \"%s\"}", id);
    cleanup_free char *high = mem_printf("{\"n\": 8, \"run\": \"%s\"}", id);
    send(h, 2, "dev.checked", low);
    assert_string_equal(step_is(h, run, 1), "waiting");
    send(h, 3, "dev.checked", high);
    assert_int_equal(n_of(result(h, run, 1)), 8);
}

static void nothing_waits_for_ever(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "  hold: {wait: {type: dev.checked}, timeout: 10s}\n");
    harness_pass(h, 9 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "waiting");
    harness_pass(h, 2 * US_PER_S);
    says(result(h, run, 0)->reason, "timed out after 10 s: no event of type dev.checked");
    assert_string_equal(run_is(h, run), "failed");
}

static void a_takeover_takes_the_time_gone_by_off(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "  hold: {wait: {type: dev.checked}, timeout: 10s}\n");
    harness_restart(h, 6 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "waiting");
    harness_pass(h, 3 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "waiting");
    harness_restart(h, -3600 * US_PER_S); /* a wall clock that went back: never more than all */
    harness_pass(h, 9 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "waiting");
    harness_pass(h, 2 * US_PER_S);
    assert_string_equal(run_is(h, run), "failed");
}

static void an_event_right_after_a_takeover_ends_it(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "  l:\n    loop: {until: \"outputs.n > 1\", max: 3}\n    steps:\n"
                               "      a: {command: [a], outputs: {n: {type: integer}}}\n"
                               "      hold: {wait: {type: dev.checked, filter: \"event.data.n == "
                               "default(loop.previous.n, 0)\"}, needs: a}\n"
                               "    outputs: {n: a.n}\n");
    finish(h, 0, "l/a", SUCCEEDED, "{\"n\": 1}");
    send(h, 1, "dev.checked", "{\"n\": 0}");
    finish(h, 0, "l/a", SUCCEEDED, "{\"n\": 2}");
    harness_restart(h, 0);
    send(h, 2, "dev.checked", "{\"n\": 0}");
    assert_string_equal(run_is(h, run), "running");
    harness_restart(h, 0);
    send(h, 3, "dev.checked", "{\"n\": 1}");
    assert_string_equal(run_is(h, run), "succeeded");
}

static void a_cancel_ends_it(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, HOLD);
    harness_cancel(h, run);
    assert_string_equal(step_is(h, run, 0), "cancelled");
    assert_string_equal(run_is(h, run), "cancelled");
    send(h, 1, "dev.checked", "{\"n\": 4}");
    assert_string_equal(h->verdicts, "[]");
}

static void a_cancel_before_the_event_wins(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, HOLD);
    struct command c = {.kind = COMMAND_KIND_CANCEL, .run = run, .id = id_of(9)};
    core_command(h->core, &c, false, &h->now, h->out);
    send(h, 1, "dev.checked", "{\"n\": 4}");
    assert_string_equal(step_is(h, run, 0), "cancelled");
}

static void what_is_stopped_is_cancelled_and_not_too_late(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "  hold: {wait: {type: dev.checked}, timeout: 10s}\n");
    harness_pass(h, 9 * US_PER_S);
    h->now.mono_us += 2 * US_PER_S; /* its time is up, and in the same batch a cancel comes */
    h->now.wall_us += 2 * US_PER_S;
    harness_cancel(h, run);
    assert_string_equal(step_is(h, run, 0), "cancelled");
    assert_string_equal(run_is(h, run), "cancelled");
}

static void items_wait_each_for_its_own(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "  e:\n    for_each: [1, 2, 3]\n    fail_fast: false\n    steps:\n"
                               "      hold: {wait: {type: dev.checked, filter: event.data.n == "
                               "item}, timeout: 20s}\n"
                               "    outputs: {event: hold.event}\n");
    assert_int_equal(stats_of(h).waiting, 3);
    send(h, 1, "dev.checked", "{\"n\": 2}");
    assert_int_equal(stats_of(h).waiting, 2);
    harness_restart(h, 0);
    send(h, 2, "dev.checked", "{\"n\": 1}");
    send(h, 3, "dev.checked", "{\"n\": 3}");
    assert_string_equal(run_is(h, run), "succeeded");
    json_t *events = json_object_get(result(h, run, 0)->outputs, "event");
    for (size_t i = 0; i < 3; i++) {
        const json_t *event = json_array_get(events, i);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(event, "data"), "n")),
                         i + 1);
    }
}

static void a_group_around_is_tried_again(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "  g:\n    steps: {hold: {wait: {type: dev.checked}, timeout: 5s}}\n"
                               "    retry: {attempts: 2, backoff: {first: 1s}}\n");
    harness_pass(h, 6 * US_PER_S);
    harness_pass(h, 2 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "running");
    send(h, 1, "dev.checked", "{}");
    assert_string_equal(run_is(h, run), "succeeded");
}

static void finally_waits_too_and_its_time_ends_it(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\ntimeout: 30s\nsteps: {a: {wait: {type: dev.a}}}\n"
                     "finally: {f: {wait: {type: dev.f}}}\nfinally_timeout: 5s\n");
    struct uuid run = harness_run(h, "p", 1);
    harness_pass(h, 31 * US_PER_S);
    assert_string_equal(step_is(h, run, 0), "cancelled");
    assert_string_equal(step_is(h, run, 1), "waiting");
    harness_pass(h, 6 * US_PER_S);
    assert_string_equal(run_is(h, run), "failed");
}

static void a_thousand_waits_are_told_and_the_rest_counted(void **state)
{
    struct harness *h = *state;
    cleanup_text struct text list = {0};
    text_puts(&list, "  e:\n    for_each: [");
    for (int i = 0; i < 1200; i++)
        text_printf(&list, "%s%d", i ? ", " : "", i);
    text_puts(&list, "]\n    steps: {hold: {wait: {type: dev.checked}}}\n");
    struct uuid run = begin(h, list.data);
    send(h, 1, "dev.checked", "{}");
    assert_string_equal(run_is(h, run), "succeeded");
    json_t *verdicts = json_of(h->verdicts);
    assert_int_equal(json_array_size(verdicts), 1001);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(verdicts, 1000), "count")),
                     200);
    json_decref(verdicts);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, harness_setup_worker, harness_teardown)
    const struct CMUnitTest tests[] = {
        T(the_first_event_that_fits_ends_it),
        T(it_holds_no_slot_and_no_attempt),
        T(one_event_ends_all_that_it_fits),
        T(odd_types_of_events_are_met_once),
        T(an_event_of_the_same_batch_is_not_seen),
        T(a_filter_that_fails_is_no_match_and_is_shown),
        T(the_filter_sees_the_run_and_its_steps),
        T(nothing_waits_for_ever),
        T(a_takeover_takes_the_time_gone_by_off),
        T(an_event_right_after_a_takeover_ends_it),
        T(a_cancel_ends_it),
        T(a_cancel_before_the_event_wins),
        T(what_is_stopped_is_cancelled_and_not_too_late),
        T(items_wait_each_for_its_own),
        T(a_group_around_is_tried_again),
        T(finally_waits_too_and_its_time_ends_it),
        T(a_thousand_waits_are_told_and_the_rest_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

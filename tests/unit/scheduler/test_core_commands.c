/* Commands and events at the edges of what may be asked, and the names of what comes of it. */
#include "scheduler/core/events.h"
#include "scheduler/core/run/runs.h"
#include "tests/unit/scheduler/core_harness.h"

static int setup(void **state)
{
    struct harness *h = *state = harness_new();
    harness_apply(h, "name: p\non: {event: {type: a.b}}\nsteps: {a: {command: [a]}}\n");
    harness_hello(h, 0, 4, NULL, 0);
    return 0;
}

static void refused(struct harness *h, struct command c, const char *detail)
{
    harness_command(h, c, false);
    if (h->accepted || !strstr(h->detail, detail))
        fail_msg("'%s' does not say '%s'", h->detail, detail);
}

static void learn_pipeline(struct harness *h, struct snapshot_pipeline p)
{
    struct snapshot *delta = snapshot_new();
    *snapshot_add_pipelines(delta) = p;
    core_learn(h->core, delta, &h->now);
    snapshot_free(delta);
}

/* ---- run ---------------------------------------------------------------------------------------
 */

static void what_cannot_be_run_is_refused(void **state)
{
    struct harness *h = *state;
    refused(h, (struct command){.kind = COMMAND_KIND_RUN, .run = id_of(1)}, "there is no pipeline");
    refused(h, (struct command){.kind = COMMAND_KIND_RUN, .pipeline = "p"}, "such a run already");
    refused(h, (struct command){.kind = COMMAND_KIND_NONE}, "does not know such a command");
    refused(h, (struct command){.kind = COMMAND_KIND_RETRY, .run = id_of(1), .of = id_of(9)},
            "there is no such run");
    struct snapshot_pipeline *p = &h->rows->pipelines[0];
    learn_pipeline(
        h,
        (struct snapshot_pipeline){
            .name = p->name, .version = p->version, .deleted = true, .next_number = 1, .gen = 2});
    refused(h, (struct command){.kind = COMMAND_KIND_RUN, .run = id_of(1), .pipeline = "p"},
            "pipeline p was deleted");
}

static void a_version_may_be_named(void **state)
{
    struct harness *h = *state;
    const char *first = h->rows->pipelines[0].version;
    harness_apply(h, "name: p\nsteps: {b: {command: [b]}}\n");
    harness_command(
        h,
        (struct command){
            .kind = COMMAND_KIND_RUN, .run = id_of(1), .pipeline = "p", .version = first},
        false);
    assert_true(h->accepted);
    assert_non_null(order_of(h, ORDER_KIND_START, "a"));
    harness_command(
        h,
        (struct command){.kind = COMMAND_KIND_RUN, .run = id_of(2), .pipeline = "p", .version = ""},
        false);
    assert_non_null(order_of(h, ORDER_KIND_START, "b"));
}

static void a_version_that_cannot_be_read_is_refused(void **state)
{
    struct harness *h = *state;
    harness_apply_ir(h, json_pack("{s:s}", "name", "q"));
    refused(h, (struct command){.kind = COMMAND_KIND_RUN, .run = id_of(1), .pipeline = "q"},
            "cannot be read");
}

static void a_version_that_is_nowhere_fails_its_run(void **state)
{
    struct harness *h = *state;
    struct uuid run = harness_run(h, "p", 1);
    json_decref(h->rows->versions[0].ir);
    h->rows->versions_count = 0; /* somebody has deleted it from the catalog */
    h->rows->pipelines_count = 0;
    harness_restart(h, 0);
    harness_settle(h);
    harness_hello(h, 0, 4, NULL, 0);
    assert_string_equal(run_is(h, run), "failed");
    assert_non_null(strstr(row_of_run(h, run)->reason, "is not in the catalog"));
}

/* 200 bytes and never half a character. */
static void a_long_name_is_cut_at_a_character(void **state)
{
    struct harness *h = *state;
    char name[400] = "x"; /* so that the limit is inside a character */
    for (size_t i = 1; i < 301; i += 2)
        memcpy(name + i, "\xc3\xa4", 2);
    harness_command(h,
                    (struct command){.kind = COMMAND_KIND_RUN,
                                     .run = id_of(1),
                                     .pipeline = "p",
                                     .name = name,
                                     .experiment = "e"},
                    false);
    const char *kept = row_of_run(h, id_of(1))->name;
    const size_t len = strlen(kept);
    assert_true(len < strlen(name));
    assert_int_equal(len % 2, 1);
    assert_memory_equal(kept, name, len);
    assert_string_equal(row_of_run(h, id_of(1))->experiment, "e");
}

static void an_experiment_is_the_files_or_the_pipelines(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: q\nexperiment: lab\nsteps: {a: {command: [a]}}\n");
    harness_command(h,
                    (struct command){.kind = COMMAND_KIND_RUN,
                                     .run = id_of(1),
                                     .pipeline = "q",
                                     .name = "",
                                     .experiment = ""},
                    false);
    assert_string_equal(row_of_run(h, id_of(1))->experiment, "lab");
    assert_string_equal(row_of_run(h, id_of(1))->name, "q-1");
    harness_run(h, "p", 2);
    assert_string_equal(row_of_run(h, id_of(2))->experiment, "p");
}

static void lengths_are_told_in_words(void **state)
{
    static const struct {
        int64_t us;
        const char *says;
    } ROWS[] = {{5 * US_PER_S, "5 s"},
                {1500000, "1.5 s"},
                {599 * US_PER_S, "599 s"},
                {600 * US_PER_S, "10 min"},
                {90 * 60 * US_PER_S + 1, "90 min"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        cleanup_free char *text = run_duration_text(ROWS[i].us);
        assert_string_equal(text, ROWS[i].says);
    }
}

/* ---- cancel, retry -----------------------------------------------------------------------------
 */

static void a_cancel_says_who(void **state)
{
    struct harness *h = *state;
    struct uuid run = harness_run(h, "p", 1);
    harness_command(h, (struct command){.kind = COMMAND_KIND_CANCEL, .run = run, .by = "anna"},
                    false);
    assert_string_equal(row_of_run(h, run)->reason, "cancelled by anna");
    run = harness_run(h, "p", 2);
    harness_command(h, (struct command){.kind = COMMAND_KIND_CANCEL, .run = run, .by = ""}, false);
    assert_string_equal(row_of_run(h, run)->reason, "cancelled");
    harness_command(h, (struct command){.kind = COMMAND_KIND_CANCEL, .run = run, .by = "bo"},
                    false); /* the first to ask decides */
    assert_true(h->accepted);
    assert_string_equal(row_of_run(h, run)->reason, "cancelled");
}

/* Born cancelled and cancelled again before any commit: the database knows of neither. */
static void a_cancel_in_the_batch_in_which_it_ended_is_refused(void **state)
{
    struct harness *h = *state;
    for (int i = 1; i <= 2; i++) {
        struct command c = {.v = 1,
                            .id = id_of(100 + i),
                            .kind = COMMAND_KIND_RUN,
                            .run = id_of(i),
                            .pipeline = "p"};
        core_command(h->core, &c, true, &h->now, h->out);
    }
    struct command c = {.v = 1, .id = id_of(103), .kind = COMMAND_KIND_CANCEL, .run = id_of(2)};
    core_command(h->core, &c, false, &h->now, h->out);
    harness_settle(h);
    assert_false(h->accepted);
    assert_string_equal(h->detail, "the run is over already: cancelled");
}

static void a_retry_names_a_step_that_there_is(void **state)
{
    struct harness *h = *state;
    struct uuid run = harness_run(h, "p", 1);
    finish(h, 0, "a", SUCCEEDED, NULL);
    harness_learn_run(h, run, NULL);
    struct command c = {
        .v = 1, .id = id_of(101), .kind = COMMAND_KIND_RETRY, .run = id_of(2), .of = run};
    core_command(h->core, &c, false, &h->now, h->out);
    c.from = "";
    c.id = id_of(102);
    core_command(h->core, &c, false, &h->now, h->out);
    c.from = "nowhere";
    c.id = id_of(103);
    core_command(h->core, &c, false, &h->now, h->out);
    assert_int_equal(h->out->commands_count, 3);
    assert_non_null(strstr(h->out->commands[0].detail, "name a step to begin from"));
    assert_non_null(strstr(h->out->commands[1].detail, "name a step to begin from"));
    assert_non_null(strstr(h->out->commands[2].detail, "no step nowhere in that version"));
    harness_settle(h);
}

/* ---- events ------------------------------------------------------------------------------------
 */

static struct uuid send(struct harness *h, int byte, const char *time, const char *leatsource)
{
    struct event event = {.specversion = "1.0",
                          .id = id_of(byte),
                          .source = "/t",
                          .type = "a.b",
                          .time = time,
                          .leatsource = leatsource};
    size_t len;
    cleanup_free char *envelope = event_encode(&event, &len);
    core_event(h->core, &event, envelope, &h->now, h->out);
    harness_settle(h);
    return event_run_id(&event, "p", "event");
}

/* A run's id is made of the event's time, where it says one that can be. */
static void an_event_makes_its_run_whatever_its_time(void **state)
{
    static const char *const TIMES[] = {NULL, "yesterday", "1969-01-01T00:00:00Z",
                                        "2026-11-23T08:00:00Z"};
    struct harness *h = *state;
    for (size_t i = 0; i < ARRAY_LEN(TIMES); i++) {
        struct uuid run = send(h, 60 + (int)i, TIMES[i], i ? "s" : NULL);
        assert_string_equal(run_is(h, run), "running");
        assert_int_equal(run.b[0] == 0 && run.b[1] == 0, i < 3);
    }
}

static void another_trigger_that_is_paused_holds_nothing(void **state)
{
    struct harness *h = *state;
    struct snapshot_pipeline *p = &h->rows->pipelines[0];
    learn_pipeline(h, (struct snapshot_pipeline){.name = p->name,
                                                 .version = p->version,
                                                 .next_number = 1,
                                                 .gen = 2,
                                                 .paused_triggers = json_pack("[s]", "other")});
    assert_string_equal(run_is(h, send(h, 60, NULL, "s")), "running");
}

static void a_pipeline_that_was_deleted_makes_no_run(void **state)
{
    struct harness *h = *state;
    struct snapshot_pipeline *p = &h->rows->pipelines[0];
    learn_pipeline(
        h,
        (struct snapshot_pipeline){
            .name = p->name, .version = p->version, .deleted = true, .next_number = 1, .gen = 2});
    assert_string_equal(run_is(h, send(h, 60, NULL, "s")), "-");
    assert_string_equal(h->verdicts, "[]");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        T(what_cannot_be_run_is_refused),
        T(a_version_may_be_named),
        T(a_version_that_cannot_be_read_is_refused),
        T(a_version_that_is_nowhere_fails_its_run),
        T(a_long_name_is_cut_at_a_character),
        T(an_experiment_is_the_files_or_the_pipelines),
        T(lengths_are_told_in_words),
        T(a_cancel_says_who),
        T(a_cancel_in_the_batch_in_which_it_ended_is_refused),
        T(a_retry_names_a_step_that_there_is),
        T(an_event_makes_its_run_whatever_its_time),
        T(another_trigger_that_is_paused_holds_nothing),
        T(a_pipeline_that_was_deleted_makes_no_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

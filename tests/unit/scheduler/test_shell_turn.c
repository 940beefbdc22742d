/* The batch loop: one transaction at a time, what is asked of the database before it, and what
 * follows each of its four outcomes. */
#include "schema/gen/messages.h"
#include "tests/unit/scheduler/shell_harness.h"

static struct uuid id_of(int n)
{
    return (struct uuid){{0x01, 0x9a, 0xb0, 0, 0, (uint8_t)n, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}};
}

static bool same_id(struct uuid a, struct uuid b)
{
    return uuid_compare(&a, &b) == 0;
}

static void send_command(struct shell_harness *h, struct command command)
{
    size_t len;
    command.v = 1;
    command.at = "2026-01-01T00:00:00Z";
    cleanup_free char *text = command_encode(&command, &len);
    harness_append(h, TOPIC_COMMANDS, text);
}

/* One whose verdict is a refusal: there is no such pipeline. */
static void send_any(struct shell_harness *h, int n)
{
    send_command(h, (struct command){.kind = COMMAND_KIND_RUN,
                                     .id = id_of(n),
                                     .run = id_of(n + 100),
                                     .pipeline = "nobody"});
}

static int64_t offset_in(const struct batch *batch, const char *topic)
{
    for (size_t i = 0; i < batch->offsets_count; i++)
        if (strcmp(batch->offsets[i].topic, topic) == 0)
            return batch->offsets[i].offset;
    return -1;
}

/* ---- what is asked of the database ------------------------------------------------------------
 */

static bool wants_id(const struct shell_harness *h, struct uuid id)
{
    for (size_t i = 0; i < h->db.wanted.id_count; i++)
        if (uuid_compare(&h->db.wanted.ids[i], &id) == 0)
            return true;
    return false;
}

static bool wants_run(const struct shell_harness *h, struct uuid id)
{
    for (size_t i = 0; i < h->db.wanted.run_count; i++)
        if (uuid_compare(&h->db.wanted.runs[i], &id) == 0)
            return true;
    return false;
}

static void a_cancel_asks_for_the_run_that_it_means(void **state)
{
    struct shell_harness *h = *state;
    harness_lead(h);
    send_command(h, (struct command){.kind = COMMAND_KIND_CANCEL, .id = id_of(1), .run = id_of(2)});
    assert_true(wants_id(h, id_of(1)));
    assert_true(wants_run(h, id_of(2)));
}

static void a_retry_asks_for_the_run_that_it_repeats(void **state)
{
    struct shell_harness *h = *state;
    harness_lead(h);
    send_command(h,
                 (struct command){
                     .kind = COMMAND_KIND_RETRY, .id = id_of(1), .run = id_of(2), .of = id_of(3)});
    assert_true(wants_id(h, id_of(1)));
    assert_true(wants_id(h, id_of(2))); /* does it exist already? */
    assert_true(wants_run(h, id_of(3)));
    assert_false(wants_run(h, id_of(2)));
}

static void a_run_asks_for_the_version_that_it_names(void **state)
{
    struct shell_harness *h = *state;
    harness_lead(h);
    send_command(h, (struct command){.kind = COMMAND_KIND_RUN,
                                     .id = id_of(1),
                                     .run = id_of(2),
                                     .pipeline = "p",
                                     .version = "h1"});
    assert_int_equal(h->db.wanted.version_count, 1);
    assert_string_equal(h->db.wanted.versions[0].pipeline, "p");
    assert_string_equal(h->db.wanted.versions[0].hash, "h1");
    assert_int_equal(h->db.wanted.run_count, 0);
}

/* The database says that it is over: refused, and no tombstone is left for it. */
static void a_cancel_of_a_finished_run_is_refused(void **state)
{
    static const bool none[8];
    struct shell_harness *h = *state;
    harness_lead(h);
    send_command(h, (struct command){.kind = COMMAND_KIND_CANCEL, .id = id_of(1), .run = id_of(2)});
    struct snapshot *delta = snapshot_new();
    *snapshot_add_runs(delta) = (struct snapshot_run){.id = id_of(2),
                                                      .pipeline = "p",
                                                      .version = "h1",
                                                      .name = "n",
                                                      .experiment = "e",
                                                      .trigger = "",
                                                      .state = RUN_SUCCEEDED};
    TAKE(h->db.fetched)(h->db.arg, NULL, &(struct db_found){none, none, delta});
    assert_int_equal(h->db.batch->commands_count, 1);
    assert_false(h->db.batch->commands[0].accepted);
    assert_string_equal(h->db.batch->commands[0].detail, "the run is over already: succeeded");
    assert_int_equal(h->db.batch->tombstones_count, 0);
    assert_int_equal(h->db.batch->inbox_count, 1);
}

static void a_cancel_of_an_unknown_run_is_remembered(void **state)
{
    struct shell_harness *h = *state;
    harness_lead(h);
    send_command(h, (struct command){.kind = COMMAND_KIND_CANCEL, .id = id_of(1), .run = id_of(2)});
    harness_fetch_answers(h);
    assert_true(h->db.batch->commands[0].accepted);
    assert_int_equal(h->db.batch->tombstones_count, 1);
}

/* ---- one batch at a time ----------------------------------------------------------------------
 */

static void what_comes_meanwhile_waits_for_the_next_batch(void **state)
{
    struct shell_harness *h = *state;
    harness_lead(h);
    send_any(h, 1);
    harness_fetch_answers(h);
    assert_int_equal(h->db.commits, 1);
    send_any(h, 2);
    send_any(h, 3);
    assert_int_equal(h->db.fetches, 1);
    assert_int_equal(h->db.commits, 1);
    assert_int_equal(harness_stats(h).queued, 2);
    harness_commit_answers(h, DB_COMMITTED);
    assert_int_equal(h->db.fetches, 2);
    harness_fetch_answers(h);
    assert_int_equal(h->db.commits, 2);
    assert_int_equal(h->db.batch->tx_seq, 1);
    assert_int_equal(h->db.batch->commands_count, 2); /* both in one */
    assert_int_equal(offset_in(h->db.batch, TOPIC_COMMANDS), 3);
}

static void a_record_that_cannot_be_read_only_moves_the_offset(void **state)
{
    struct shell_harness *h = *state;
    harness_lead(h);
    harness_append(h, TOPIC_COMMANDS, "{ not json");
    assert_int_equal(h->db.fetches, 0); /* nothing to ask */
    assert_int_equal(h->db.commits, 1);
    assert_int_equal(h->db.batch->commands_count, 0);
    assert_int_equal(offset_in(h->db.batch, TOPIC_COMMANDS), 1);
    assert_int_equal(harness_stats(h).records_bad, 1);
}

static void the_same_command_twice_in_one_batch_is_taken_once(void **state)
{
    struct shell_harness *h = *state;
    harness_lead(h);
    send_any(h, 1);
    harness_fetch_answers(h);
    send_any(h, 2);
    send_any(h, 2);
    harness_commit_answers(h, DB_COMMITTED);
    harness_fetch_answers(h);
    assert_int_equal(h->db.batch->commands_count, 1);
    assert_int_equal(h->db.batch->inbox_count, 1);
    assert_int_equal(harness_stats(h).records_repeated, 1);
}

/* ---- the outcomes -----------------------------------------------------------------------------
 */

static void commit_one(struct shell_harness *h)
{
    harness_lead(h);
    send_any(h, 1);
    harness_fetch_answers(h);
    assert_int_equal(h->db.commits, 1);
}

static void not_in_begins_with_a_new_memory_and_the_same_records(void **state)
{
    struct shell_harness *h = *state;
    commit_one(h);
    harness_commit_answers(h, DB_NOT_IN);
    assert_int_equal(shell_state(h->shell), SHELL_WAITING);
    harness_wait(h, 3 * US_PER_S);
    TAKE(h->db.migrated)(h->db.arg, NULL);
    assert_int_equal(h->db.loads, 2);
    harness_load_answers(h);
    assert_int_equal(shell_state(h->shell), SHELL_LEADING);
    harness_fetch_answers(h);
    assert_int_equal(h->db.batch->commands_count, 1);
    assert_int_equal(h->db.batch->tx_seq, 0);
}

static void fenced_ends_it(void **state)
{
    struct shell_harness *h = *state;
    commit_one(h);
    harness_commit_answers(h, DB_FENCED);
    assert_int_equal(h->ended, LEAT_EFENCED);
    harness_wait(h, 10 * US_PER_S);
    assert_int_equal(h->db.commits, 1);
}

static void probe_answers(struct shell_harness *h, int64_t epoch, int64_t tx_seq)
{
    assert_non_null(h->db.probed);
    TAKE(h->db.probed)
    (h->db.arg, NULL,
     &(struct db_leadership){.epoch = epoch, .tx_seq = tx_seq, .held_by_us = epoch == h->epoch});
    harness_wait(h, 20000);
}

static void unknown_that_is_in_goes_on(void **state)
{
    struct shell_harness *h = *state;
    commit_one(h);
    harness_commit_answers(h, DB_UNKNOWN);
    assert_int_equal(shell_state(h->shell), SHELL_PROBING);
    send_any(h, 2); /* waits */
    assert_int_equal(h->db.fetches, 1);
    probe_answers(h, 1, 1);
    assert_int_equal(shell_state(h->shell), SHELL_LEADING);
    assert_int_equal(h->db.loads, 1);
    harness_fetch_answers(h);
    assert_int_equal(h->db.batch->tx_seq, 1);
    assert_int_equal(offset_in(h->db.batch, TOPIC_COMMANDS), 2);
}

static void unknown_that_is_not_in_is_never_sent_again(void **state)
{
    struct shell_harness *h = *state;
    commit_one(h);
    harness_commit_answers(h, DB_UNKNOWN);
    probe_answers(h, 1, 0);
    assert_int_equal(h->db.commits, 1);
    assert_int_equal(shell_state(h->shell), SHELL_WAITING);
    harness_wait(h, 3 * US_PER_S);
    assert_non_null(h->db.migrated); /* all memory is thrown away */
}

static void a_probe_without_an_answer_is_asked_again(void **state)
{
    struct shell_harness *h = *state;
    struct err err = {0};
    err_set(&err, LEAT_EUNREACHABLE, "away");
    commit_one(h);
    harness_commit_answers(h, DB_UNKNOWN);
    for (int i = 1; i <= 4; i++) {
        assert_int_equal(h->db.probes, i);
        TAKE(h->db.probed)(h->db.arg, &err, NULL);
        assert_int_equal(shell_state(h->shell), SHELL_PROBING);
        harness_wait(h, 3 * US_PER_S);
    }
    probe_answers(h, 1, 1);
    assert_int_equal(shell_state(h->shell), SHELL_LEADING);
}

static void a_probe_that_finds_another_leader_ends_it(void **state)
{
    struct shell_harness *h = *state;
    commit_one(h);
    harness_commit_answers(h, DB_UNKNOWN);
    probe_answers(h, 2, 1);
    assert_int_equal(h->ended, LEAT_EFENCED);
}

/* ---- a bus that forgets -----------------------------------------------------------------------
 */

static void a_reset_while_it_asks_drops_what_was_read(void **state)
{
    struct shell_harness *h = *state;
    harness_lead(h);
    send_any(h, 1);
    assert_int_equal(h->db.fetches, 1);
    memory_bus_reset(h->bus);
    harness_fetch_answers(h);
    assert_int_equal(h->db.commits, 0);
    assert_int_equal(h->db.fetches, 2); /* read again from what is committed, asked again */
    harness_fetch_answers(h);
    assert_int_equal(h->db.batch->commands_count, 1);
    assert_int_equal(offset_in(h->db.batch, TOPIC_COMMANDS), 1);
}

static void a_reset_while_it_commits_reads_on_from_there(void **state)
{
    struct shell_harness *h = *state;
    commit_one(h);
    send_any(h, 2);
    memory_bus_reset(h->bus);
    harness_commit_answers(h, DB_COMMITTED);
    harness_fetch_answers(h);
    assert_int_equal(h->db.batch->commands_count, 1);
    assert_true(same_id(h->db.batch->commands[0].id, id_of(2)));
    assert_int_equal(offset_in(h->db.batch, TOPIC_COMMANDS), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, shell_setup, shell_teardown)
        T(a_cancel_asks_for_the_run_that_it_means),
        T(a_retry_asks_for_the_run_that_it_repeats),
        T(a_run_asks_for_the_version_that_it_names),
        T(a_cancel_of_a_finished_run_is_refused),
        T(a_cancel_of_an_unknown_run_is_remembered),
        T(what_comes_meanwhile_waits_for_the_next_batch),
        T(a_record_that_cannot_be_read_only_moves_the_offset),
        T(the_same_command_twice_in_one_batch_is_taken_once),
        T(not_in_begins_with_a_new_memory_and_the_same_records),
        T(fenced_ends_it),
        T(unknown_that_is_in_goes_on),
        T(unknown_that_is_not_in_is_never_sent_again),
        T(a_probe_without_an_answer_is_asked_again),
        T(a_probe_that_finds_another_leader_ends_it),
        T(a_reset_while_it_asks_drops_what_was_read),
        T(a_reset_while_it_commits_reads_on_from_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

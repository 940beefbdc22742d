/* What the leader has read: order of the queues, offsets, forgetting, back-pressure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "scheduler/shell/idset.h"
#include "scheduler/shell/input.h"
#include "scheduler/shell/intake.h"

static bool push_to(struct intake *in, enum intake_kind kind, int32_t partition, int64_t offset,
                    const char *text)
{
    struct bus_record record = {.topic = intake_topic(kind),
                                .partition = partition,
                                .offset = offset,
                                .value = text,
                                .len = strlen(text)};
    return intake_push(in, kind, &record);
}

static bool push(struct intake *in, enum intake_kind kind, int64_t offset, const char *text)
{
    return push_to(in, kind, 0, offset, text);
}

static void take(struct intake *in, const char *expected)
{
    struct intake_record *record = intake_take(in, true);
    assert_non_null(record);
    assert_string_equal(record->value, expected);
    free(record);
}

static void commands_come_before_reports_before_events(void **state)
{
    (void)state;
    struct intake in = {0};
    push(&in, INTAKE_EVENTS, 0, "event");
    push(&in, INTAKE_REPORTS, 0, "report");
    push(&in, INTAKE_COMMANDS, 0, "command");
    push(&in, INTAKE_COMMANDS, 1, "second");
    take(&in, "command");
    take(&in, "second");
    take(&in, "report");
    take(&in, "event");
    assert_null(intake_take(&in, true));
    intake_clear(&in);
}

static void what_was_read_before_is_left_out(void **state)
{
    (void)state;
    struct intake in = {0};
    struct bus_position at = {.topic = TOPIC_EVENTS, .partition = 0, .offset = 5};
    intake_restore(&in, &at, 1);
    assert_false(push(&in, INTAKE_EVENTS, 4, "old"));
    assert_true(push(&in, INTAKE_EVENTS, 5, "new"));
    assert_false(push(&in, INTAKE_EVENTS, 5, "new"));
    assert_int_equal(intake_count(&in, false), 1);
    intake_clear(&in);
}

static int64_t committed(const struct intake *in)
{
    size_t count;
    const struct intake_mark *marks = intake_marks(in, INTAKE_REPORTS, &count);
    assert_int_equal(count, 1);
    return marks[0].committed;
}

static void forgetting_keeps_the_open_batch_and_rewinding_does_not(void **state)
{
    (void)state;
    struct intake in = {0};
    push(&in, INTAKE_REPORTS, 0, "a");
    push(&in, INTAKE_REPORTS, 1, "b");
    take(&in, "a");
    intake_forget(&in, INTAKE_REPORTS);
    assert_false(push(&in, INTAKE_REPORTS, 0, "a"));
    assert_true(push(&in, INTAKE_REPORTS, 1, "b"));
    intake_rewind(&in);
    assert_true(push(&in, INTAKE_REPORTS, 0, "a"));
    take(&in, "a");
    assert_int_equal(committed(&in), 0);
    intake_settle(&in);
    intake_committed(&in);
    assert_int_equal(committed(&in), 1);
    struct bus_position end = {.topic = TOPIC_REPORTS, .partition = 0, .offset = 1};
    assert_true(intake_has_committed(&in, &end));
    end.offset = 2;
    assert_false(intake_has_committed(&in, &end));
    end.partition = 7; /* never seen */
    assert_false(intake_has_committed(&in, &end));
    intake_clear(&in);
}

/* Takes all that there are without room, and holds those that begin with "h". */
static void take_and_hold(struct intake *in)
{
    struct intake_record *held[16], *record;
    size_t count = 0;
    while ((record = intake_take(in, false))) {
        if (record->value[0] == 'h')
            held[count++] = record;
        else
            free(record);
    }
    intake_hold(in, held, count);
    intake_settle(in);
}

static int64_t next_of(const struct intake *in, int32_t partition)
{
    size_t count;
    const struct intake_mark *marks = intake_marks(in, INTAKE_EVENTS, &count);
    for (size_t i = 0; i < count; i++)
        if (marks[i].partition == partition)
            return marks[i].next;
    fail_msg("no such partition");
    return -1;
}

/* Others pass it; its partition goes no further than to the first that is held. */
static void what_is_held_is_passed_and_not_committed(void **state)
{
    (void)state;
    struct intake in = {0};
    push_to(&in, INTAKE_EVENTS, 0, 0, "a");
    push_to(&in, INTAKE_EVENTS, 0, 1, "h1");
    push_to(&in, INTAKE_EVENTS, 1, 0, "h2");
    push_to(&in, INTAKE_EVENTS, 1, 1, "b");
    push_to(&in, INTAKE_EVENTS, 2, 0, "c");
    push_to(&in, INTAKE_EVENTS, 0, 2, "h3");
    take_and_hold(&in);
    assert_int_equal(intake_held(&in), 3);
    assert_int_equal(intake_count(&in, false), 0);
    assert_int_equal(intake_count(&in, true), 3);
    assert_int_equal(next_of(&in, 0), 1);
    assert_int_equal(next_of(&in, 1), 0);
    assert_int_equal(next_of(&in, 2), 1);
    assert_null(intake_take(&in, false));
    push_to(&in, INTAKE_EVENTS, 2, 1, "h4"); /* one that comes later stays behind them */
    take_and_hold(&in);
    take(&in, "h1");
    intake_settle(&in);
    assert_int_equal(next_of(&in, 0), 2);
    assert_int_equal(next_of(&in, 2), 1);
    intake_committed(&in);
    take(&in, "h2");
    take(&in, "h3");
    take(&in, "h4");
    intake_settle(&in);
    for (int32_t partition = 0; partition < 3; partition++)
        assert_int_equal(next_of(&in, partition), partition == 0 ? 3 : 2);
    intake_clear(&in);
}

/* Those that were taken again and found no room come before those that still wait. */
static void what_is_held_again_keeps_its_place(void **state)
{
    (void)state;
    struct intake in = {0};
    static const char *const names[] = {"h1", "h2", "h3", "h4"};
    for (int i = 0; i < 4; i++)
        push(&in, INTAKE_EVENTS, i, names[i]);
    take_and_hold(&in);
    push(&in, INTAKE_EVENTS, 4, "h5");
    struct intake_record *again[3];
    again[0] = intake_take(&in, true);
    again[1] = intake_take(&in, true);
    again[2] = intake_take(&in, false);
    assert_true(again[0]->again && again[1]->again && !again[2]->again);
    intake_hold(&in, again, 3);
    intake_settle(&in);
    assert_int_equal(next_of(&in, 0), 0);
    for (int i = 0; i < 4; i++)
        take(&in, names[i]);
    take(&in, "h5");
    intake_clear(&in);
}

/* Those that passed are read again; the inbox knows them. */
static void a_reader_that_is_reset_begins_with_what_is_held(void **state)
{
    (void)state;
    struct intake in = {0};
    push(&in, INTAKE_EVENTS, 0, "a");
    push(&in, INTAKE_EVENTS, 1, "h");
    push(&in, INTAKE_EVENTS, 2, "b");
    take_and_hold(&in);
    intake_forget(&in, INTAKE_EVENTS);
    assert_int_equal(intake_held(&in), 0);
    assert_false(push(&in, INTAKE_EVENTS, 0, "a"));
    assert_true(push(&in, INTAKE_EVENTS, 1, "h"));
    assert_true(push(&in, INTAKE_EVENTS, 2, "b"));
    take_and_hold(&in);
    intake_committed(&in);
    intake_rewind(&in);
    assert_int_equal(intake_held(&in), 0);
    assert_false(push(&in, INTAKE_EVENTS, 0, "a"));
    assert_true(push(&in, INTAKE_EVENTS, 1, "h"));
    intake_clear(&in);
}

static void a_queue_is_full_at_its_limit(void **state)
{
    (void)state;
    struct intake in = {0};
    for (int64_t i = 0; i < INTAKE_RECORDS_MAX - 1; i++)
        push(&in, INTAKE_EVENTS, i, "x");
    assert_false(intake_is_full(&in, INTAKE_EVENTS));
    push(&in, INTAKE_EVENTS, INTAKE_RECORDS_MAX - 1, "x");
    assert_true(intake_is_full(&in, INTAKE_EVENTS));
    assert_false(intake_is_full(&in, INTAKE_REPORTS));
    assert_false(intake_has_room(&in, INTAKE_EVENTS));
    struct intake_record *first = intake_take(&in, true);
    intake_hold(&in, &first, 1); /* held ones count */
    assert_true(intake_is_full(&in, INTAKE_EVENTS));
    for (int i = 0; i < INTAKE_RECORDS_MAX / 2; i++)
        take(&in, "x");
    assert_true(intake_has_room(&in, INTAKE_EVENTS));
    intake_clear(&in);
}

static void a_set_knows_its_members_beyond_its_first_size(void **state)
{
    (void)state;
    struct idset set = {0};
    for (uint8_t i = 1; i < 200; i++) {
        struct uuid id = {{i, 7}};
        assert_false(idset_has(&set, &id));
        assert_true(idset_add(&set, &id));
        assert_false(idset_add(&set, &id));
    }
    for (uint8_t i = 1; i < 200; i++)
        assert_true(idset_has(&set, &(struct uuid){{i, 7}}));
    idset_clear(&set);
    assert_false(idset_has(&set, &(struct uuid){{1, 7}}));
    idset_free(&set);
}

static int add(struct inputs *in, enum intake_kind kind, const char *text)
{
    struct err err = {0};
    struct intake_record *record = calloc(1, sizeof *record + strlen(text) + 1);
    record->kind = kind;
    record->len = strlen(text);
    memcpy(record->value, text, record->len);
    return inputs_add(in, record, &err);
}

#define HEAD "{\"v\":1,\"n\":1,\"incarnation\":\"0198c0de-0000-7000-8000-000000000001\",\"worker\":"

static void bad_records_are_kept_as_bad(void **state)
{
    (void)state;
    struct inputs in = {0};
    assert_int_equal(add(&in, INTAKE_REPORTS, HEAD "\"w1\",\"kind\":\"heartbeat\"}"), 0);
    assert_int_equal(add(&in, INTAKE_REPORTS, "{"), LEAT_EINPUT);
    assert_int_equal(add(&in, INTAKE_REPORTS, HEAD "\"../w1\",\"kind\":\"heartbeat\"}"),
                     LEAT_EINPUT);
    assert_int_equal(add(&in, INTAKE_REPORTS, HEAD "\"w1\",\"kind\":\"hello\"}"), LEAT_EINPUT);
    assert_int_equal(add(&in, INTAKE_REPORTS, HEAD "\"w1\",\"kind\":\"finished\"}"), LEAT_EINPUT);
    assert_int_equal(add(&in, INTAKE_EVENTS, "{}"), LEAT_EINPUT);
    assert_int_equal(add(&in, INTAKE_COMMANDS, "[]"), LEAT_EINPUT);
    assert_int_equal(in.count, 7);
    assert_false(in.items[0].bad);
    for (size_t i = 1; i < in.count; i++)
        assert_true(in.items[i].bad);
    inputs_free(&in);
}

static void a_worker_id_fits_into_a_topic(void **state)
{
    (void)state;
    char longest[66];
    memset(longest, 'w', sizeof longest);
    longest[64] = '\0';
    assert_true(input_worker_ok(longest));
    longest[64] = 'w';
    longest[65] = '\0';
    assert_false(input_worker_ok(longest));
    assert_true(input_worker_ok("Node-1.example_a"));
    assert_false(input_worker_ok(""));
    assert_false(input_worker_ok(NULL));
    assert_false(input_worker_ok("a b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_come_before_reports_before_events),
        cmocka_unit_test(what_was_read_before_is_left_out),
        cmocka_unit_test(forgetting_keeps_the_open_batch_and_rewinding_does_not),
        cmocka_unit_test(what_is_held_is_passed_and_not_committed),
        cmocka_unit_test(what_is_held_again_keeps_its_place),
        cmocka_unit_test(a_reader_that_is_reset_begins_with_what_is_held),
        cmocka_unit_test(a_queue_is_full_at_its_limit),
        cmocka_unit_test(a_set_knows_its_members_beyond_its_first_size),
        cmocka_unit_test(bad_records_are_kept_as_bad),
        cmocka_unit_test(a_worker_id_fits_into_a_topic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

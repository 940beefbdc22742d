/* The fake bus keeps bus.h's promises, so that what is tested on it is tested on a bus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/base/loop.h"
#include "tests/support/bus_memory.h"

struct fixture {
    struct loop *loop;
    struct memory_log *log;
    struct bus *bus;
    struct bus_reader *reader;
    char read[512];
    int64_t next;
    int resets, failures, delivered, last_error;
    int64_t last_offset;
    bool stop;
};

static void on_records(void *arg, const struct bus_record *records, size_t n)
{
    struct fixture *f = arg;
    for (size_t i = 0; i < n; i++) {
        const size_t used = strlen(f->read);
        assert_true(used + records[i].len < sizeof f->read);
        memcpy(f->read + used, records[i].value, records[i].len);
        f->read[used + records[i].len] = '\0';
        f->next = records[i].offset + 1;
    }
}

static void on_reset(void *arg)
{
    ((struct fixture *)arg)->resets++;
}

static void on_failed(void *arg, const struct err *err)
{
    (void)err;
    ((struct fixture *)arg)->failures++;
}

static const struct bus_reader_events events = {on_records, on_reset, on_failed};

static void on_delivered(void *arg, const struct err *err, int32_t partition, int64_t offset)
{
    (void)partition;
    struct fixture *f = arg;
    f->delivered++;
    f->last_error = err ? err->code : 0;
    f->last_offset = offset;
}

static void on_done(void *arg, const struct err *err)
{
    struct fixture *f = arg;
    f->last_error = err ? err->code : 0;
    f->delivered++;
}

static void run(struct fixture *f)
{
    for (int i = 0; i < 20; i++)
        loop_step(f->loop, false);
}

static void say(struct fixture *f, const char *text)
{
    bus_publish(f->bus, "t", "k", 1, text, strlen(text), 0, on_delivered, f);
}

static void begin_at(struct fixture *f, int64_t offset)
{
    const char *topic = "t";
    struct bus_position at = {.topic = "t", .partition = 0, .offset = offset};
    f->bus->ops->assign(f->reader, &topic, 1, &at, 1, BUS_EARLIEST);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->loop = loop_new();
    f->log = memory_log_new(memory_clock_of_loop(f->loop), NULL);
    f->bus = memory_bus_open(
        f->log, &(struct memory_bus_options){.producer = "p", .outbox_in_transaction = true});
    f->reader = f->bus->ops->reader_open(f->bus, &events, f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    f->bus->ops->close(f->bus);
    run(f);
    memory_log_free(f->log);
    loop_free(f->loop);
    free(f);
    return 0;
}

static void make_topic(struct fixture *f)
{
    f->bus->ops->topics_make(f->bus, &(struct bus_topic){"t", 1}, 1, on_done, f);
    run(f);
    assert_int_equal(f->last_error, 0);
    f->delivered = 0;
}

static void a_topic_that_is_not_there_is_said_so(void **state)
{
    struct fixture *f = *state;
    say(f, "a");
    assert_int_equal(f->delivered, 0); /* never from inside the call */
    run(f);
    assert_int_equal(f->delivered, 1);
    assert_int_equal(f->last_error, LEAT_ENOTFOUND);
}

static void records_come_in_order_from_the_position(void **state)
{
    struct fixture *f = *state;
    make_topic(f);
    say(f, "a");
    say(f, "b");
    say(f, "c");
    run(f);
    assert_int_equal(f->last_offset, 2);
    begin_at(f, 1);
    run(f);
    assert_string_equal(f->read, "bc");
    say(f, "d");
    run(f);
    assert_string_equal(f->read, "bcd");
}

static void a_paused_reader_gets_nothing(void **state)
{
    struct fixture *f = *state;
    make_topic(f);
    begin_at(f, BUS_EARLIEST);
    f->bus->ops->pause(f->reader, true);
    say(f, "a");
    run(f);
    assert_string_equal(f->read, "");
    f->bus->ops->pause(f->reader, false);
    run(f);
    assert_string_equal(f->read, "a");
}

static void a_reset_reader_waits_for_its_assignment(void **state)
{
    struct fixture *f = *state;
    make_topic(f);
    begin_at(f, BUS_EARLIEST);
    say(f, "a");
    say(f, "b");
    run(f);
    memory_log_cut(f->log, "t", 0, 1); /* "b" was never on disk */
    memory_bus_reset(f->bus);
    assert_int_equal(f->resets, 1);
    say(f, "c");
    run(f);
    assert_string_equal(f->read, "ab");
    begin_at(f, 1);
    run(f);
    assert_string_equal(f->read, "abc");
    assert_int_equal(f->next, 2);
}

static void an_offset_out_of_range_stops_and_skips_nothing(void **state)
{
    struct fixture *f = *state;
    make_topic(f);
    say(f, "a");
    say(f, "b");
    f->bus->ops->trim(f->bus, "t", 0, 1, on_done, f);
    run(f);
    begin_at(f, 0);
    run(f);
    assert_int_equal(f->failures, 1);
    assert_string_equal(f->read, "");
}

static void while_it_is_down_nothing_is_there(void **state)
{
    struct fixture *f = *state;
    make_topic(f);
    memory_log_set_down(f->log, true);
    say(f, "a");
    run(f);
    assert_int_equal(f->last_error, LEAT_EUNREACHABLE);
    assert_int_equal(memory_log_end(f->log, "t", 0), 0);
}

static void closing_answers_what_is_open(void **state)
{
    struct fixture *f = *state;
    struct bus *other = memory_bus_open(f->log, &(struct memory_bus_options){.producer = "q"});
    make_topic(f);
    bus_publish(other, "t", NULL, 0, "x", 1, 0, on_delivered, f);
    other->ops->close(other);
    assert_int_equal(f->delivered, 1);
    assert_int_equal(f->last_error, LEAT_EUNREACHABLE);
    run(f);
    assert_int_equal(f->delivered, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_topic_that_is_not_there_is_said_so),
        T(records_come_in_order_from_the_position),
        T(a_paused_reader_gets_nothing),
        T(a_reset_reader_waits_for_its_assignment),
        T(an_offset_out_of_range_stops_and_skips_nothing),
        T(while_it_is_down_nothing_is_there),
        T(closing_answers_what_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Messages of committed batches on a bus that is no part of the transaction: none is lost, none
 * overtakes, and a full queue holds batches back. */
#include "scheduler/shell/outbox.h"
#include "tests/unit/scheduler/shell_harness.h"

struct fixture {
    struct shell_harness h; /* its clock, log and fates */
    struct outbox outbox;
    int drained;
};

static void on_drained(void *arg)
{
    ((struct fixture *)arg)->drained++;
}

static int setup(void **state)
{
    struct fixture *f = *state = mem_alloc(sizeof *f);
    log_setup("test", (enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
    f->h.world = (struct hand_world){{&hand_world_ops}, &f->h.hand};
    f->h.log = memory_log_new(hand_clock(&f->h.hand), NULL);
    memory_log_make_topic(f->h.log, "t", 1);
    f->h.bus = memory_bus_open(f->h.log,
                               &(struct memory_bus_options){.fate = harness_fate, .fate_ctx = f});
    outbox_init(&f->outbox, f->h.bus, &f->h.world.base, on_drained, f);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    memory_bus_kill(f->h.bus);
    outbox_free(&f->outbox);
    hand_empty(&f->h.hand);
    memory_log_free(f->h.log);
    free(f);
    return 0;
}

static void publish(struct fixture *f, const char *value)
{
    struct batch_message message = {.topic = "t", .key = "k", .value = value, .len = strlen(value)};
    outbox_publish(&f->outbox, &message, 1);
}

/* What the log holds, in order, between blanks. */
static const char *logged(struct fixture *f)
{
    static char all[512];
    all[0] = '\0';
    for (int64_t i = 0; i < memory_log_end(f->h.log, "t", 0); i++) {
        size_t len;
        const char *value = memory_log_value(f->h.log, "t", 0, i, &len);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%.*s", i ? " " : "", (int)len,
                 value);
    }
    return all;
}

static void messages_leave_in_order(void **state)
{
    struct fixture *f = *state;
    publish(f, "a");
    publish(f, "b");
    hand_pass(&f->h.hand, US_PER_S);
    assert_string_equal(logged(f), "a b");
    assert_int_equal(f->outbox.count, 0);
}

static void what_is_not_delivered_is_tried_again(void **state)
{
    struct fixture *f = *state;
    f->h.publish_fails = 3;
    publish(f, "a");
    hand_pass(&f->h.hand, 200000);
    assert_int_equal(f->outbox.count, 1);
    assert_string_equal(logged(f), "");
    hand_pass(&f->h.hand, 10 * US_PER_S);
    assert_string_equal(logged(f), "a");
    assert_int_equal(f->outbox.count, 0);
}

/* A grant must not overtake the cancel before it. */
static void later_ones_wait_behind_those_that_are_tried_again(void **state)
{
    struct fixture *f = *state;
    f->h.publish_fails = 1;
    publish(f, "cancel");
    hand_pass(&f->h.hand, 1000); /* it has failed, its retry is due later */
    publish(f, "grant");
    hand_pass(&f->h.hand, 1000);
    assert_string_equal(logged(f), "");
    hand_pass(&f->h.hand, US_PER_S);
    assert_string_equal(logged(f), "cancel grant");
}

static void a_full_queue_says_so_and_when_there_is_room(void **state)
{
    struct fixture *f = *state;
    memory_log_set_down(f->h.log, true);
    for (int i = 0; i < OUTBOX_MAX - 1; i++)
        publish(f, "x");
    assert_false(outbox_is_full(&f->outbox));
    publish(f, "x");
    assert_true(outbox_is_full(&f->outbox));
    hand_pass(&f->h.hand, 5 * US_PER_S);
    assert_int_equal(f->outbox.count, OUTBOX_MAX); /* nothing is dropped */
    assert_int_equal(f->drained, 0);
    memory_log_set_down(f->h.log, false);
    hand_pass(&f->h.hand, 5 * US_PER_S);
    assert_int_equal(f->drained, 1);
    assert_int_equal(f->outbox.count, 0);
    assert_int_equal(memory_log_end(f->h.log, "t", 0), OUTBOX_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(messages_leave_in_order),
        T(what_is_not_delivered_is_tried_again),
        T(later_ones_wait_behind_those_that_are_tried_again),
        T(a_full_queue_says_so_and_when_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

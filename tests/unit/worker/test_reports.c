/* The publisher of reports on a bus in memory: order, outages, lost deliveries, acknowledgements.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/support/bus_memory.h"
#include "tests/support/waiting.h"
#include "worker/reports.h"

static struct loop *loop;
static struct memory_log *bus_log;
static struct bus *bus;
static struct reports reports;
static int hellos, acknowledged;
static int64_t set_aside;
static bool may;
static int fail_next; /* publishes that are answered so, in turn */
static bool fail_took_effect;

static bool may_publish(void *arg)
{
    (void)arg;
    return may;
}

static void numbers(void *arg, int64_t last)
{
    (void)arg;
    set_aside = last;
}

static void on_acknowledged(void *arg, const struct uuid *attempt)
{
    (void)arg;
    assert_int_equal(attempt->b[0], 9);
    acknowledged++;
}

static void on_hello(void *arg)
{
    (void)arg;
    hellos++;
}

static void fate(void *ctx, enum memory_op op, const char *topic, struct memory_fate *f)
{
    (void)ctx;
    (void)topic;
    if (op != MEMORY_PUBLISH || fail_next == 0)
        return;
    fail_next--;
    f->error = LEAT_EUNKNOWN;
    f->took_effect = fail_took_effect;
}

static int setup(void **state)
{
    (void)state;
    static const struct reports_owner owner = {may_publish, numbers, on_acknowledged, on_hello,
                                               NULL};
    const struct uuid life = {{5}};
    hellos = acknowledged = fail_next = 0;
    may = true;
    loop = loop_new();
    bus_log = memory_log_new(memory_clock_of_loop(loop), NULL);
    bus = memory_bus_open(bus_log, &(struct memory_bus_options){.producer = "w1", .fate = fate});
    reports_open(&reports, loop, bus, "w1", &life, 100, &owner);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bus->ops->close(bus);
    wait_ms(loop, 5);
    reports.bus = NULL;
    reports_close(&reports);
    memory_log_free(bus_log);
    loop_free(loop);
    return 0;
}

static void push(int kind)
{
    struct report_hello hello = {.boot = "b", .slots = 1, .workspace = "/w"};
    static const char *executors[] = {"noop"};
    hello.executors = executors;
    hello.executors_count = 1;
    struct report_result result = {.outcome = REPORT_RESULT_OUTCOME_SUCCEEDED};
    struct report report = {.kind = kind, .attempt = {{9}}, .nonce = 1};
    report.hello = kind == REPORT_KIND_HELLO ? &hello : NULL;
    report.result = kind == REPORT_KIND_FINISHED ? &result : NULL;
    reports_push(&reports, &report, NULL);
}

static int64_t on_bus(void)
{
    return memory_log_end(bus_log, TOPIC_REPORTS, 0);
}

static int64_t number_at(int64_t offset)
{
    size_t len;
    const void *value = memory_log_value(bus_log, TOPIC_REPORTS, 0, offset, &len);
    struct report report;
    assert_non_null(value);
    assert_int_equal(report_decode(value, len, &report, NULL), 0);
    const int64_t n = report.n;
    report_clear(&report);
    return n;
}

static void wait_for_records(int64_t least)
{
    for (int i = 0; i < 6000 && on_bus() < least; i++)
        wait_ms(loop, 10);
    assert_true(on_bus() >= least);
}

static void test_numbers_follow_those_of_earlier_lives(void **state)
{
    (void)state;
    memory_log_make_topic(bus_log, TOPIC_REPORTS, 1);
    push(REPORT_KIND_HELLO);
    push(REPORT_KIND_HEARTBEAT);
    wait_for_records(2);
    assert_int_equal(number_at(0), 101);
    assert_int_equal(number_at(1), 102);
    assert_true(set_aside >= 101 + REPORTS_AHEAD);
    assert_int_equal(hellos, 1);
    assert_int_equal(reports_heartbeats(&reports), 1);
    reports_granted(&reports, 102, 102);
    assert_int_equal(reports_unacknowledged(&reports), 0);
    assert_int_equal(reports_heartbeats(&reports), 0);
    reports_granted(&reports, 102, 0); /* again */
}

static void test_hello_waits_for_the_topic(void **state)
{
    (void)state;
    push(REPORT_KIND_HELLO);
    wait_ms(loop, 250);
    assert_int_equal(hellos, 0);
    memory_log_make_topic(bus_log, TOPIC_REPORTS, 1);
    wait_for_records(1);
    assert_int_equal(number_at(0), 101);
    wait_ms(loop, 20);
    assert_int_equal(hellos, 1);
}

static void test_failed_delivery_sends_all_behind_it_again(void **state)
{
    (void)state;
    memory_log_make_topic(bus_log, TOPIC_REPORTS, 1);
    push(REPORT_KIND_HELLO);
    wait_for_records(1);
    fail_next = 1; /* 102 is lost, 103 overtakes it */
    push(REPORT_KIND_FINISHED);
    push(REPORT_KIND_FINISHED);
    wait_for_records(4);
    assert_int_equal(number_at(1), 103);
    assert_int_equal(number_at(2), 102);
    assert_int_equal(number_at(3), 103);
    reports_granted(&reports, 103, 0);
    assert_int_equal(acknowledged, 2);
}

static void test_unknown_outcome_may_double_and_is_acknowledged_once(void **state)
{
    (void)state;
    memory_log_make_topic(bus_log, TOPIC_REPORTS, 1);
    fail_next = 1;
    fail_took_effect = true;
    push(REPORT_KIND_FINISHED);
    wait_for_records(2);
    assert_int_equal(number_at(0), 101);
    assert_int_equal(number_at(1), 101);
    reports_granted(&reports, 101, 0);
    assert_int_equal(acknowledged, 1);
}

static void test_three_grants_without_progress(void **state)
{
    (void)state;
    memory_log_make_topic(bus_log, TOPIC_REPORTS, 1);
    push(REPORT_KIND_FINISHED);
    push(REPORT_KIND_HEARTBEAT);
    wait_for_records(2);
    reports_granted(&reports, 100, 102);
    reports_granted(&reports, 100, 0); /* answers nothing: does not count */
    reports_granted(&reports, 100, 102);
    wait_ms(loop, 20);
    assert_int_equal(on_bus(), 2);
    reports_granted(&reports, 100, 102);
    wait_for_records(4);
    assert_int_equal(number_at(2), 101);
    assert_int_equal(number_at(3), 102);
}

static void test_silence_sends_again_ever_more_rarely(void **state)
{
    (void)state;
    memory_log_make_topic(bus_log, TOPIC_REPORTS, 1);
    push(REPORT_KIND_HELLO);
    wait_for_records(1);
    const int64_t now = clock_monotonic_us();
    reports_look(&reports, now + 10 * US_PER_S);
    wait_ms(loop, 20);
    assert_int_equal(on_bus(), 1);
    reports_look(&reports, now + 20 * US_PER_S);
    wait_for_records(2);
    reports_look(&reports, now + 40 * US_PER_S); /* the wait has doubled */
    wait_ms(loop, 20);
    assert_int_equal(on_bus(), 2);
    reports_look(&reports, now + 60 * US_PER_S);
    wait_for_records(3);
}

static void test_nothing_leaves_before_the_journal(void **state)
{
    (void)state;
    memory_log_make_topic(bus_log, TOPIC_REPORTS, 1);
    may = false;
    push(REPORT_KIND_FINISHED);
    wait_ms(loop, 100);
    assert_int_equal(on_bus(), 0);
    may = true;
    wait_for_records(1);
}

static void test_acknowledged_while_on_its_way(void **state)
{
    (void)state;
    memory_log_make_topic(bus_log, TOPIC_REPORTS, 1);
    push(REPORT_KIND_FINISHED);
    reports_granted(&reports, 101, 0); /* nothing was published yet: a copy of an earlier try */
    assert_int_equal(acknowledged, 1);
    push(REPORT_KIND_FINISHED);
    wait_for_records(1);
    for (int i = 0; i < 3000; i++) { /* the sliding array slides */
        push(REPORT_KIND_FINISHED);
        if (i % 100 == 99) {
            wait_ms(loop, 2);
            reports_granted(&reports, 101 + i - 20, 0);
        }
    }
    reports_granted(&reports, 100000, 0);
    assert_int_equal(acknowledged, 3002);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_numbers_follow_those_of_earlier_lives),
        T(test_hello_waits_for_the_topic),
        T(test_failed_delivery_sends_all_behind_it_again),
        T(test_unknown_outcome_may_double_and_is_acknowledged_once),
        T(test_three_grants_without_progress),
        T(test_silence_sends_again_ever_more_rarely),
        T(test_nothing_leaves_before_the_journal),
        T(test_acknowledged_while_on_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

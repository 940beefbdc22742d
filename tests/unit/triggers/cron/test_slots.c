/* Which slots fire: on time, late by each policy, over both changes of the clocks, and when the
 * wall clock itself is set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "tests/support/cpu.h"
#include "triggers/cron/slots.h"

#define MINUTE (60 * US_PER_S)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static int64_t at(const char *text)
{
    int64_t us = 0;
    assert_int_equal(clock_parse(text, &us), 0);
    return us;
}

struct watch {
    struct slots slots;
    struct zone *zone;
    struct text fired; /* "HH:MM " of each, in UTC; or with the day */
    int count;
    bool days;
};

static struct watch begin(const char *schedule, const char *zone, enum missed missed,
                          const char *last)
{
    struct watch w = {.slots = {.missed = missed, .last_us = at(last)}};
    w.slots.zone = w.zone = zone_load(zone, NULL);
    assert_non_null(w.zone);
    assert_int_equal(cron_parse(schedule, &w.slots.cron, NULL), 0);
    return w;
}

static void end(struct watch *w)
{
    zone_free(w->zone);
    text_free(&w->fired);
}
#define cleanup_watch __attribute__((cleanup(end)))

/* One look at that instant, as the clock does it; false when there was nothing to do. */
static bool look_once(struct watch *w, int64_t now_us)
{
    char text[CLOCK_TEXT];
    const struct slot_due due = slots_due(&w->slots, now_us);
    assert_true(due.fire_us == 0 || due.passed_us == 0);
    assert_true(due.fire_us <= now_us && due.passed_us <= now_us);
    if (due.passed_us)
        w->slots.last_us = due.passed_us;
    if (!due.fire_us)
        return due.passed_us != 0;
    assert_true(due.fire_us > w->slots.last_us); /* never one twice, never one before another */
    w->slots.last_us = due.fire_us;
    clock_format(due.fire_us, text);
    text[16] = '\0';
    text_printf(&w->fired, "%s ", text + (w->days ? 5 : 11));
    w->count++;
    return true;
}

/* Looks until nothing is left to do. */
static void look(struct watch *w, const char *now)
{
    while (look_once(w, at(now)))
        continue;
}

/* Looks once a minute, from one instant to another. */
static void follow(struct watch *w, const char *from, const char *to)
{
    for (int64_t now = at(from); now <= at(to); now += MINUTE)
        while (look_once(w, now))
            continue;
}

static void fired(const struct watch *w, const char *expected)
{
    assert_string_equal(w->fired.data ? w->fired.data : "", expected);
}

/* ---- on time --------------------------------------------------------------------------------- */

static void test_nothing_before_the_slot_and_then_once(void **state)
{
    (void)state;
    cleanup_watch struct watch w = begin("0 3 * * *", "UTC", MISSED_LATEST, "2026-01-10T03:00:00Z");
    struct slot_due due = slots_due(&w.slots, at("2026-01-11T02:59:59.999999Z"));
    assert_true(due.fire_us == 0 && due.passed_us == 0);
    assert_true(due.next_us == at("2026-01-11T03:00:00Z"));
    due = slots_due(&w.slots, at("2026-01-11T03:00:00Z"));
    assert_true(due.fire_us == at("2026-01-11T03:00:00Z"));
    assert_true(due.next_us == at("2026-01-12T03:00:00Z"));
    follow(&w, "2026-01-11T02:00:00Z", "2026-01-11T05:00:00Z");
    fired(&w, "03:00 ");
}

static void test_a_schedule_that_never_comes(void **state)
{
    (void)state;
    /* 29 February of a year within 28 is the rarest that there is; it is waited for. */
    cleanup_watch struct watch w = begin("0 0 29 2 *", "UTC", MISSED_ALL, "2026-03-01T00:00:00Z");
    const struct slot_due due = slots_due(&w.slots, at("2026-03-02T00:00:00Z"));
    assert_true(due.fire_us == 0);
    assert_true(due.next_us == at("2028-02-29T00:00:00Z"));
}

/* ---- late -------------------------------------------------------------------------------------
 */

static void test_missed_latest_fires_the_last_alone(void **state)
{
    (void)state;
    cleanup_watch struct watch w = begin("0 * * * *", "UTC", MISSED_LATEST, "2026-01-10T03:00:00Z");
    look(&w, "2026-01-10T09:30:00Z");
    fired(&w, "09:00 ");
    follow(&w, "2026-01-10T09:31:00Z", "2026-01-10T11:00:00Z");
    fired(&w, "09:00 10:00 11:00 ");
}

static void test_missed_all_fires_each_in_order(void **state)
{
    (void)state;
    cleanup_watch struct watch w = begin("0 * * * *", "UTC", MISSED_ALL, "2026-01-10T03:00:00Z");
    look(&w, "2026-01-10T07:30:00Z");
    fired(&w, "04:00 05:00 06:00 07:00 ");
}

static void test_missed_none_fires_what_is_fresh(void **state)
{
    (void)state;
    cleanup_watch struct watch w = begin("0 * * * *", "UTC", MISSED_NONE, "2026-01-10T03:00:00Z");
    look(&w, "2026-01-10T07:30:00Z");
    fired(&w, "");
    assert_true(w.slots.last_us == at("2026-01-10T07:00:00Z"));
    follow(&w, "2026-01-10T07:31:00Z", "2026-01-10T08:10:00Z");
    fired(&w, "08:00 ");
}

/* The edge of "fresh": 60 s late still fires, a microsecond later it does not. */
static void test_missed_none_at_the_limit_and_over(void **state)
{
    (void)state;
    cleanup_watch struct watch at_it =
        begin("0 * * * *", "UTC", MISSED_NONE, "2026-01-10T03:00:00Z");
    cleanup_watch struct watch over =
        begin("0 * * * *", "UTC", MISSED_NONE, "2026-01-10T03:00:00Z");
    look(&at_it, "2026-01-10T04:01:00Z");
    look(&over, "2026-01-10T04:01:00.000001Z");
    fired(&at_it, "04:00 ");
    fired(&over, "");
}

static void test_policies_by_name(void **state)
{
    (void)state;
    assert_int_equal(missed_parse("all"), MISSED_ALL);
    assert_int_equal(missed_parse("none"), MISSED_NONE);
    assert_int_equal(missed_parse("latest"), MISSED_LATEST);
    assert_int_equal(missed_parse("a newer version's"), MISSED_LATEST);
}

/* Five years of a schedule of every minute are passed over within a second. */
static void test_a_long_absence_is_passed_over_quickly(void **state)
{
    (void)state;
    cleanup_watch struct watch w =
        begin("* * * * *", "Europe/Rome", MISSED_LATEST, "2021-01-01T00:00:00Z");
    const int64_t began = cpu_us();
    look(&w, "2026-01-01T00:00:30Z");
    fired(&w, "00:00 ");
    assert_true(cpu_us() - began < 20 * US_PER_S); /* under sanitizers */
}

/* ---- the clocks change: Rome, 2026-03-29 02:00 -> 03:00 and 2026-10-25 03:00 -> 02:00 ----------
 */

/* What the local clock skips fires at the end of the gap, once; the day after is as usual. */
static void test_spring_a_skipped_slot_fires_after_the_gap(void **state)
{
    (void)state;
    static const enum missed policies[] = {MISSED_LATEST, MISSED_ALL, MISSED_NONE};
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        cleanup_watch struct watch w =
            begin("30 2 * * *", "Europe/Rome", policies[i], "2026-03-28T01:30:00Z");
        w.days = true;
        follow(&w, "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z");
        fired(&w, "03-29T01:00 03-30T00:30 ");
    }
}

static void test_autumn_a_doubled_slot_fires_once(void **state)
{
    (void)state;
    static const enum missed policies[] = {MISSED_LATEST, MISSED_ALL, MISSED_NONE};
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        cleanup_watch struct watch w =
            begin("30 2 * * *", "Europe/Rome", policies[i], "2026-10-24T00:30:00Z");
        w.days = true;
        follow(&w, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");
        fired(&w, "10-25T00:30 10-26T01:30 ");
    }
}

static void test_every_half_hour_ticks_through_both(void **state)
{
    (void)state;
    cleanup_watch struct watch spring =
        begin("*/30 * * * *", "Europe/Rome", MISSED_ALL, "2026-03-29T00:00:00Z");
    follow(&spring, "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z");
    fired(&spring, "00:30 01:00 01:30 02:00 ");
    cleanup_watch struct watch autumn =
        begin("*/30 * * * *", "Europe/Rome", MISSED_ALL, "2026-10-25T00:00:00Z");
    follow(&autumn, "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z");
    fired(&autumn, "00:30 01:00 01:30 02:00 ");
}

/* Absent while the clocks changed. */
static void test_absent_over_a_change(void **state)
{
    (void)state;
    cleanup_watch struct watch spring =
        begin("30 2 * * *", "Europe/Rome", MISSED_ALL, "2026-03-27T01:30:00Z");
    spring.days = true;
    look(&spring, "2026-03-30T12:00:00Z");
    fired(&spring, "03-28T01:30 03-29T01:00 03-30T00:30 ");
    cleanup_watch struct watch autumn =
        begin("30 2 * * *", "Europe/Rome", MISSED_LATEST, "2026-10-23T00:30:00Z");
    autumn.days = true;
    look(&autumn, "2026-10-25T00:45:00Z"); /* between the two comings of 02:30 */
    fired(&autumn, "10-25T00:30 ");
    look(&autumn, "2026-10-25T01:45:00Z"); /* after the second */
    fired(&autumn, "10-25T00:30 ");
}

/* A year of days is a year of firings: none lost, none doubled, in zones with and without summer
 * time, with a change at midnight and with one of half an hour. */
static void test_a_year_has_its_days(void **state)
{
    (void)state;
    static const char *const zones[] = {"UTC",         "Europe/Rome",         "America/New_York",
                                        "Asia/Beirut", "Australia/Lord_Howe", "Asia/Kolkata"};
    static const char *const times[] = {"0 0 * * *", "30 1 * * *", "15 2 * * *", "59 2 * * *"};
    for (size_t z = 0; z < ARRAY_LEN(zones); z++)
        for (size_t t = 0; t < ARRAY_LEN(times); t++) {
            cleanup_watch struct watch w =
                begin(times[t], zones[z], MISSED_ALL, "2026-01-01T12:00:00Z");
            look(&w, "2027-01-01T12:00:00Z");
            if (w.count != 365)
                fail_msg("%s %s: %d", zones[z], times[t], w.count);
        }
}

/* ---- the wall clock is set ---------------------------------------------------------------------
 */

static void test_set_back_nothing_fires_again(void **state)
{
    (void)state;
    cleanup_watch struct watch w = begin("*/10 * * * *", "UTC", MISSED_ALL, "2026-01-10T03:00:00Z");
    follow(&w, "2026-01-10T03:00:00Z", "2026-01-10T03:30:00Z");
    follow(&w, "2026-01-10T01:30:00Z", "2026-01-10T03:40:00Z"); /* two hours back */
    fired(&w, "03:10 03:20 03:30 03:40 ");
}

static void test_set_forward_is_an_absence(void **state)
{
    (void)state;
    cleanup_watch struct watch w = begin("0 * * * *", "UTC", MISSED_LATEST, "2026-01-10T03:00:00Z");
    look(&w, "2026-01-10T03:10:00Z");
    look(&w, "2026-01-11T03:10:00Z"); /* a day ahead */
    fired(&w, "03:00 ");
    assert_int_equal(w.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_before_the_slot_and_then_once),
        cmocka_unit_test(test_a_schedule_that_never_comes),
        cmocka_unit_test(test_missed_latest_fires_the_last_alone),
        cmocka_unit_test(test_missed_all_fires_each_in_order),
        cmocka_unit_test(test_missed_none_fires_what_is_fresh),
        cmocka_unit_test(test_missed_none_at_the_limit_and_over),
        cmocka_unit_test(test_policies_by_name),
        cmocka_unit_test(test_a_long_absence_is_passed_over_quickly),
        cmocka_unit_test(test_spring_a_skipped_slot_fires_after_the_gap),
        cmocka_unit_test(test_autumn_a_doubled_slot_fires_once),
        cmocka_unit_test(test_every_half_hour_ticks_through_both),
        cmocka_unit_test(test_absent_over_a_change),
        cmocka_unit_test(test_a_year_has_its_days),
        cmocka_unit_test(test_set_back_nothing_fires_again),
        cmocka_unit_test(test_set_forward_is_an_absence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

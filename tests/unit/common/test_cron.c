#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/cron.h"

static struct cron parse(const char *text)
{
    struct cron cron;
    struct err err = {0};
    if (cron_parse(text, &cron, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return cron;
}

static struct zone *load(const char *name)
{
    struct err err = {0};
    struct zone *z = zone_load(name, &err);
    if (!z)
        fail_msg("%s", err.text);
    return z;
}

static int64_t instant(const char *text)
{
    int64_t us = 0;
    if (clock_parse(text, &us) < 0)
        fail_msg("not an instant: %s", text);
    return us;
}

/* The firings after `from`, each "MM-DDTHH:MMZ" in UTC, separated by blanks. */
static void fires(const char *expr, const char *zone_name, const char *from, const char *expected)
{
    const struct cron cron = parse(expr);
    cleanup_zone struct zone *zone = load(zone_name);
    cleanup_text struct text got = {0};
    int64_t at = instant(from);
    size_t count = 1;
    for (const char *p = expected; *p; p++)
        count += *p == ' ';
    for (size_t i = 0; i < count; i++) {
        at = cron_next(&cron, zone, at);
        char stamp[CLOCK_TEXT];
        clock_format(at, stamp);
        text_printf(&got, "%s%.11sZ", i ? " " : "", stamp + 5);
    }
    if (strcmp(got.data, expected) != 0)
        fail_msg("%s in %s after %s:\n got      %s\n expected %s", expr, zone_name, from, got.data,
                 expected);
}

static void in_utc(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"* * * * *", "2026-11-23T08:59:59Z", "11-23T09:00Z 11-23T09:01Z"},
        {"*/15 * * * *", "2026-11-23T08:50:00Z", "11-23T09:00Z 11-23T09:15Z 11-23T09:30Z"},
        {"0 3 * * *", "2026-11-23T03:00:00Z", "11-24T03:00Z"},
        {"0 3 * * *", "2026-11-23T02:59:59.999999Z", "11-23T03:00Z"},
        {"0 3 * * *", "2026-11-23T03:00:00.000001Z", "11-24T03:00Z"},
        {"30 8-10 * * mon-fri", "2026-11-20T10:00:00Z", "11-20T10:30Z 11-23T08:30Z 11-23T09:30Z"},
        {"0 0 31 * *", "2026-01-31T00:00:00Z", "03-31T00:00Z 05-31T00:00Z 07-31T00:00Z"},
        {"0 0 29 2 *", "2026-01-01T00:00:00Z", "02-29T00:00Z 02-29T00:00Z"},
        {"0 0 13 * fri", "2026-11-01T00:00:00Z", "11-06T00:00Z 11-13T00:00Z 11-20T00:00Z"},
        {"0 0 */7 * fri", "2026-01-01T00:00:00Z", "05-01T00:00Z 05-08T00:00Z 05-15T00:00Z"},
        {"0 0 1,15 * 3", "2026-11-01T00:00:00Z", "11-04T00:00Z 11-11T00:00Z 11-15T00:00Z"},
        {"0 12 * * 7", "2026-11-23T00:00:00Z", "11-29T12:00Z"},
        {"0 12 * * 0", "2026-11-23T00:00:00Z", "11-29T12:00Z"},
        {"0 12 * * SUN", "2026-11-23T00:00:00Z", "11-29T12:00Z"},
        {"0 12 * * fri-sun", "2026-11-23T00:00:00Z", "11-27T12:00Z 11-28T12:00Z 11-29T12:00Z"},
        {"0 12 * * 5-7", "2026-11-23T00:00:00Z", "11-27T12:00Z 11-28T12:00Z 11-29T12:00Z"},
        {"0 0 1 jan,Jul *", "2026-11-23T00:00:00Z", "01-01T00:00Z 07-01T00:00Z"},
        {"10-30/10,50 5 * * *", "2026-11-23T00:00:00Z",
         "11-23T05:10Z 11-23T05:20Z 11-23T05:30Z 11-23T05:50Z"},
        {"  5\t4 *  * * ", "2026-11-23T00:00:00Z", "11-23T04:05Z"},
        {"@hourly", "2026-11-23T08:59:59Z", "11-23T09:00Z 11-23T10:00Z"},
        {"@daily", "2026-11-23T08:59:59Z", "11-24T00:00Z"},
        {"@midnight", "2026-11-23T08:59:59Z", "11-24T00:00Z"},
        {"@weekly", "2026-11-23T08:59:59Z", "11-29T00:00Z"},
        {"@monthly", "2026-11-23T08:59:59Z", "12-01T00:00Z"},
        {"@yearly", "2026-11-23T08:59:59Z", "01-01T00:00Z"},
        {" @Annually ", "2026-11-23T08:59:59Z", "01-01T00:00Z"},
        {"59 23 31 12 *", "2026-12-31T23:58:00Z", "12-31T23:59Z 12-31T23:59Z"},
        {"0 0 * * *", "1969-12-30T12:00:00.5Z", "12-31T00:00Z 01-01T00:00Z 01-02T00:00Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        fires(rows[i][0], "UTC", rows[i][1], rows[i][2]);
}

/* Rome 2026: 29 March 02:00 -> 03:00 (01:00Z), 25 October 03:00 -> 02:00 (01:00Z).
 * New York 2026: 8 March 02:00 -> 03:00 (07:00Z), 1 November 02:00 -> 01:00 (06:00Z).
 * Lord Howe 2026: 5 April 02:00 -> 01:30 (15:00Z the day before), 4 October 02:00 -> 02:30
 * (15:30Z the day before). */
static void when_clocks_change(void **state)
{
    (void)state;
    static const char *const rows[][4] = {
        /* fixed, skipped: the first instant after the gap, once */
        {"30 2 * * *", "Europe/Rome", "2026-03-28T00:00:00Z",
         "03-28T01:30Z 03-29T01:00Z 03-30T00:30Z"},
        {"0,15,30 2 * * *", "Europe/Rome", "2026-03-28T01:30:00Z",
         "03-29T01:00Z 03-30T00:00Z 03-30T00:15Z"},
        {"0 2,3 * * *", "Europe/Rome", "2026-03-28T12:00:00Z",
         "03-29T01:00Z 03-30T00:00Z 03-30T01:00Z"},
        {"0 2 * * sun", "Europe/Rome", "2026-03-23T00:00:00Z", "03-29T01:00Z 04-05T00:00Z"},
        {"0 3 * * *", "Europe/Rome", "2026-03-28T12:00:00Z", "03-29T01:00Z 03-30T01:00Z"},
        {"59 1 * * *", "Europe/Rome", "2026-03-28T12:00:00Z", "03-29T00:59Z 03-29T23:59Z"},
        /* fixed, twice: the first coming */
        {"30 2 * * *", "Europe/Rome", "2026-10-24T12:00:00Z", "10-25T00:30Z 10-26T01:30Z"},
        {"30 2 * * *", "Europe/Rome", "2026-10-25T00:45:00Z", "10-26T01:30Z"},
        {"15,45 2 * * *", "Europe/Rome", "2026-10-24T12:00:00Z",
         "10-25T00:15Z 10-25T00:45Z 10-26T01:15Z"},
        {"0 3 * * *", "Europe/Rome", "2026-10-24T12:00:00Z", "10-25T02:00Z 10-26T02:00Z"},
        /* wildcards follow the ticks: nothing in the gap, both comings */
        {"*/30 * * * *", "Europe/Rome", "2026-03-29T00:15:00Z",
         "03-29T00:30Z 03-29T01:00Z 03-29T01:30Z"},
        {"30 * * * *", "Europe/Rome", "2026-03-29T00:15:00Z", "03-29T00:30Z 03-29T01:30Z"},
        {"*/30 2 * * *", "Europe/Rome", "2026-03-28T12:00:00Z", "03-30T00:00Z 03-30T00:30Z"},
        {"*/30 2 * * *", "Europe/Rome", "2026-10-24T12:00:00Z",
         "10-25T00:00Z 10-25T00:30Z 10-25T01:00Z 10-25T01:30Z 10-26T01:00Z"},
        {"@hourly", "Europe/Rome", "2026-10-24T23:30:00Z",
         "10-25T00:00Z 10-25T01:00Z 10-25T02:00Z"},
        {"0 */2 * * *", "Europe/Rome", "2026-10-24T21:30:00Z",
         "10-24T22:00Z 10-25T00:00Z 10-25T01:00Z 10-25T03:00Z"},
        /* the same in New York */
        {"30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", "03-08T07:00Z 03-09T06:30Z"},
        {"30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", "11-01T05:30Z 11-02T06:30Z"},
        {"30 * * * *", "America/New_York", "2026-11-01T05:00:00Z",
         "11-01T05:30Z 11-01T06:30Z 11-01T07:30Z"},
        {"0 9 * * 1-5", "America/New_York", "2026-03-06T15:00:00Z", "03-09T13:00Z 03-10T13:00Z"},
        /* half an hour on Lord Howe */
        {"15 2 * * *", "Australia/Lord_Howe", "2026-10-02T16:00:00Z", "10-03T15:30Z 10-04T15:15Z"},
        {"30 2 * * *", "Australia/Lord_Howe", "2026-10-02T16:00:00Z", "10-03T15:30Z 10-04T15:30Z"},
        {"45 1 * * *", "Australia/Lord_Howe", "2026-04-03T16:00:00Z", "04-04T14:45Z 04-05T15:15Z"},
        {"15 2 * * *", "Australia/Lord_Howe", "2026-04-03T16:00:00Z", "04-04T15:45Z 04-05T15:45Z"},
        {"*/15 1 * * *", "Australia/Lord_Howe", "2026-04-04T13:45:00Z",
         "04-04T14:00Z 04-04T14:15Z 04-04T14:30Z 04-04T14:45Z 04-04T15:00Z 04-04T15:15Z "
         "04-05T14:30Z"},
        {"0 * * * *", "Australia/Lord_Howe", "2026-04-04T13:45:00Z",
         "04-04T14:00Z 04-04T15:30Z 04-04T16:30Z"},
        /* Samoa had no 30 December 2011 at all; the change was at 10:00Z */
        {"0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z",
         "12-29T22:00Z 12-30T10:00Z 12-30T22:00Z"},
        {"0 * 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z", "12-29T10:00Z"},
        /* years that only the rule at the file's end knows */
        {"30 2 * * *", "Europe/Rome", "2060-03-27T12:00:00Z", "03-28T01:00Z 03-29T00:30Z"},
        {"30 2 * * *", "Europe/Rome", "2060-10-30T12:00:00Z", "10-31T00:30Z 11-01T01:30Z"},
        {"15 2 * * *", "Australia/Lord_Howe", "2060-10-01T16:00:00Z", "10-02T15:30Z 10-03T15:15Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        fires(rows[i][0], rows[i][1], rows[i][2], rows[i][3]);
}

static void sub_second_and_far_away(void **state)
{
    (void)state;
    const struct cron daily = parse("0 0 * * *"), leap_sunday = parse("0 0 29 2 */7");
    cleanup_zone struct zone *utc = load("UTC");
    assert_int_equal(cron_next(&daily, utc, -1), 0);
    assert_int_equal(cron_next(&daily, utc, 0), 86400LL * US_PER_S);
    /* 29 February on a Sunday: 2032, 2060, 2088, and then not before 2128 */
    assert_int_equal(cron_next(&leap_sunday, utc, instant("2026-01-01T00:00:00Z")),
                     instant("2032-02-29T00:00:00Z"));
    assert_int_equal(cron_next(&leap_sunday, utc, instant("2032-02-29T00:00:00Z")),
                     instant("2060-02-29T00:00:00Z"));
    assert_int_equal(cron_next(&leap_sunday, utc, instant("2088-02-29T00:00:00Z")), -1);
    const struct cron leap_wild = parse("* * 29 2 */7");
    cleanup_zone struct zone *rome = load("Europe/Rome");
    assert_int_equal(cron_next(&leap_wild, rome, instant("2089-01-01T00:00:00Z")), -1);
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "column 1: the minute is missing"},
        {"   ", "column 4: the minute is missing"},
        {"* * * *", "column 8: the day of week is missing"},
        {"* * * * * *", "column 11: more than five fields"},
        {"60 * * * *", "column 1: the minute is 0 to 59"},
        {"* 24 * * *", "column 3: the hour is 0 to 23"},
        {"* * 0 * *", "column 5: the day of month is 1 to 31"},
        {"* * 32 * *", "column 5: the day of month is 1 to 31"},
        {"* * * 13 *", "column 7: the month is 1 to 12"},
        {"* * * 0 *", "column 7: the month is 1 to 12"},
        {"* * * * 8", "column 9: the day of week is 0 to 7"},
        {"99999 * * * *", "column 1: the number is too large"},
        {"-1 * * * *", "column 1: a value of the minute is missing"},
        {"1, * * * *", "column 3: a value of the minute is missing"},
        {",1 * * * *", "column 1: a value of the minute is missing"},
        {"1- * * * *", "column 3: a value of the minute is missing"},
        {"5/15 * * * *", "column 2: a step needs a range or a star"},
        {"*/0 * * * *", "column 3: a step of the minute is 1 to 59"},
        {"*/60 * * * *", "column 3: a step of the minute is 1 to 59"},
        {"*/ * * * *", "column 3: a step is a number"},
        {"*/x * * * *", "column 3: a step is a number"},
        {"30-10 * * * *", "column 1: the range ends before it begins"},
        {"* * * * fri-mon", "column 9: the range ends before it begins"},
        {"* * * * fri-0", "column 9: the range ends before it begins"},
        {"*5 * * * *", "column 2: unexpected in the minute"},
        {"1-2-3 * * * *", "column 4: unexpected in the minute"},
        {"1.5 * * * *", "column 2: unexpected in the minute"},
        {"mon * * * *", "column 1: no minute begins with \"m\""},
        {"* * * foo *", "column 7: no month begins with \"f\""},
        {"* * * january *", "column 7: no month begins with \"j\""},
        {"* * * * monday", "column 9: no day of week begins with \"m\""},
        {"* * L * *", "column 5: L, W, # and ? are not known"},
        {"* * ? * *", "column 5: L, W, # and ? are not known"},
        {"* * 15W * *", "column 7: unexpected in the day of month"},
        {"* * * * 5#2", "column 10: unexpected in the day of week"},
        {"0 0 30 2 *", "column 1: no year has such a date"},
        {"0 0 31 4,6,9,11 *", "column 1: no year has such a date"},
        {"0 0 30,31 feb */2", "column 1: no year has such a date"},
        {"@reboot", "column 1: write @hourly"},
        {"@daily 5", "column 1: write @hourly"},
        {"@", "column 1: write @hourly"},
        {"every day", "column 1: no minute begins with \"e\""},
        {"0 \xc3\xa9 * * *", "column 3: no hour begins with \"?\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cron cron;
        struct err err = {0};
        assert_int_equal(cron_parse(rows[i][0], &cron, &err), LEAT_EINPUT);
        if (strncmp(err.text, rows[i][1], strlen(rows[i][1])) != 0)
            fail_msg("\"%s\": \"%s\", expected \"%s\"", rows[i][0], err.text, rows[i][1]);
    }
    parse("0 0 30 2 mon"); /* Mondays of February */
    parse("0 0 29 2 *");
}

static void length_at_and_over(void **state)
{
    (void)state;
    char text[CRON_TEXT_MAX + 2];
    memset(text, ' ', sizeof text);
    memcpy(text, "0 0 * * *", 9);
    text[CRON_TEXT_MAX] = '\0';
    parse(text);
    text[CRON_TEXT_MAX] = ' ';
    text[CRON_TEXT_MAX + 1] = '\0';
    struct cron cron;
    struct err err = {0};
    assert_int_equal(cron_parse(text, &cron, &err), LEAT_EINPUT);
}

/* Firings come in order, each strictly later, on whole minutes of the local clock or at a change
 * of it, whatever instant the search starts from. */
static void order_holds_around_every_change(void **state)
{
    (void)state;
    static const char *const zones[] = {"Europe/Rome",  "America/New_York",  "Australia/Lord_Howe",
                                        "Pacific/Apia", "Africa/Casablanca", "Asia/Kathmandu"};
    static const char *const exprs[] = {"17 2 * * *", "*/20 * * * *", "0-59/7 0-4 * * *",
                                        "0 */3 1,15 * sun"};
    for (size_t z = 0; z < ARRAY_LEN(zones); z++) {
        cleanup_zone struct zone *zone = load(zones[z]);
        for (size_t e = 0; e < ARRAY_LEN(exprs); e++) {
            const struct cron cron = parse(exprs[e]);
            int64_t expected = cron_next(&cron, zone, instant("2026-01-01T00:00:00Z"));
            for (int64_t t = instant("2026-01-01T00:00:00Z"); t < instant("2026-12-31T00:00:00Z");
                 t += 1013 * US_PER_S) {
                while (expected <= t) {
                    const int64_t next = cron_next(&cron, zone, expected);
                    assert_true(next > expected);
                    expected = next;
                }
                assert_int_equal(cron_next(&cron, zone, t), expected);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_utc),
        cmocka_unit_test(when_clocks_change),
        cmocka_unit_test(sub_second_and_far_away),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(length_at_and_over),
        cmocka_unit_test(order_holds_around_every_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

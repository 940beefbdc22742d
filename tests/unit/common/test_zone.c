#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/civil.h"
#include "common/text/zone.h"

static int64_t seconds(const char *text)
{
    int64_t us = 0;
    if (clock_parse(text, &us) < 0)
        fail_msg("not an instant: %s", text);
    return us / US_PER_S;
}

static void offsets(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *at;
        int32_t offset_s;
    } rows[] = {
        {"UTC", "2026-07-01T00:00:00Z", 0},
        {"Etc/UTC", "2026-07-01T00:00:00Z", 0},
        {"Europe/Rome", "2026-01-01T00:00:00Z", 3600},
        {"Europe/Rome", "2026-07-01T00:00:00Z", 7200},
        {"Europe/Rome", "2026-03-29T00:59:59Z", 3600},
        {"Europe/Rome", "2026-03-29T01:00:00Z", 7200},
        {"Europe/Rome", "2026-10-25T00:59:59Z", 7200},
        {"Europe/Rome", "2026-10-25T01:00:00Z", 3600},
        {"Europe/Rome", "2099-07-01T00:00:00Z", 7200},
        {"Europe/Rome", "2100-02-28T00:00:00Z", 3600},
        {"America/New_York", "2026-01-01T00:00:00Z", -18000},
        {"America/New_York", "2050-07-01T00:00:00Z", -14400},
        {"Asia/Kolkata", "2050-07-01T00:00:00Z", 19800},
        {"Asia/Kathmandu", "2026-07-01T00:00:00Z", 20700},
        {"Australia/Lord_Howe", "2026-01-01T00:00:00Z", 39600},
        {"Australia/Lord_Howe", "2026-07-01T00:00:00Z", 37800},
        {"Australia/Lord_Howe", "2077-01-01T00:00:00Z", 39600},
        {"Europe/Dublin", "2077-01-01T00:00:00Z", 0}, /* its winter time is the "daylight" one */
        {"Europe/Dublin", "2077-07-01T00:00:00Z", 3600},
        {"America/Argentina/Buenos_Aires", "2026-07-01T00:00:00Z", -10800},
        {"Etc/GMT+12", "2026-07-01T00:00:00Z", -43200},
        {"Pacific/Apia", "2011-12-30T09:59:59Z", -36000},
        {"Pacific/Apia", "2011-12-30T10:00:00Z", 50400},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        cleanup_zone struct zone *z = zone_load(rows[i].zone, &err);
        if (!z)
            fail_msg("%s", err.text);
        int64_t until;
        const int64_t at = seconds(rows[i].at);
        if (zone_offset(z, at, &until) != rows[i].offset_s)
            fail_msg("%s at %s: %d", rows[i].zone, rows[i].at, zone_offset(z, at, NULL));
        assert_true(until > at);
    }
}

static void local_times(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"Europe/Rome", "2026-01-01T12:00:00Z", "2026-01-01T11:00:00Z"},
        {"Europe/Rome", "2026-03-29T01:59:59Z", "2026-03-29T00:59:59Z"},
        {"Europe/Rome", "2026-03-29T02:00:00Z", "2026-03-29T01:00:00Z"},
        {"Europe/Rome", "2026-03-29T02:59:59Z", "2026-03-29T01:00:00Z"},
        {"Europe/Rome", "2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z"},
        {"Europe/Rome", "2026-03-29T03:00:01Z", "2026-03-29T01:00:01Z"},
        {"Europe/Rome", "2026-10-25T02:00:00Z", "2026-10-25T00:00:00Z"},
        {"Europe/Rome", "2026-10-25T02:59:59Z", "2026-10-25T00:59:59Z"},
        {"Europe/Rome", "2026-10-25T03:00:00Z", "2026-10-25T02:00:00Z"},
        {"Pacific/Apia", "2011-12-30T18:00:00Z", "2011-12-30T10:00:00Z"},
        {"UTC", "2026-10-25T03:00:00Z", "2026-10-25T03:00:00Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_zone struct zone *z = zone_load(rows[i][0], NULL);
        assert_int_equal(zone_to_utc(z, seconds(rows[i][1])), seconds(rows[i][2]));
    }
}

static void names_that_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"",
                                        "/etc/passwd",
                                        "../../../etc/passwd",
                                        "Europe/../Europe/Rome",
                                        "Europe/Nowhere",
                                        "Europe",
                                        "Europe/",
                                        "Europe//Rome",
                                        "/usr/share/zoneinfo/UTC",
                                        "europe/rome ",
                                        "tzdata.zi",
                                        "leapseconds",
                                        "Europe/Rome\n",
                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct err err = {0};
        assert_null(zone_load(names[i], &err));
        assert_int_equal(err.code, LEAT_EINPUT);
        assert_true(err.text[0] != '\0');
    }
}

/* A version-2 file with no transitions and the given rule at its end. */
static struct zone *with_rule(const char *rule)
{
    cleanup_text struct text t = {0};
    for (int i = 0; i < 2; i++) {
        unsigned char header[44] = "TZif2";
        header[39] = 1; /* one type */
        header[43] = 4; /* its name */
        text_append(&t, header, sizeof header);
        text_append(&t, "\0\0\0\0\0\0XXX", 10);
    }
    text_printf(&t, "\n%s\n", rule);
    return zone_parse(t.data, t.len, NULL);
}

static void rules(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *at;
        int32_t offset_s;
    } rows[] = {
        {"UTC0", "2026-01-01T00:00:00Z", 0},
        {"<+0530>-5:30", "2026-01-01T00:00:00Z", 19800},
        {"XXX3:10:20", "2026-01-01T00:00:00Z", -11420},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-03-08T06:59:59Z", -18000},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00:00Z", -14400},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-11-01T05:59:59Z", -14400},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-11-01T06:00:00Z", -18000},
        {"AAA-1BBB-3,J60/0,J300/0", "2028-02-29T22:59:59Z", 3600},
        {"AAA-1BBB-3,J60/0,J300/0", "2028-02-29T23:00:00Z", 10800}, /* J60 is 1 March always */
        {"AAA0BBB,59/0,300/0", "2028-02-28T23:59:59Z", 0},
        {"AAA0BBB,59/0,300/0", "2028-02-29T00:00:00Z", 3600}, /* day 59 from 0 in a leap year */
        {"<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2026-03-29T00:59:59Z", -10800},
        {"<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2026-03-29T01:00:00Z", -7200},
        {"XXX3EDT4,0/0,J365/23", "2026-12-31T23:59:59Z", -14400}, /* daylight saving all year */
        {"XXX3EDT4,0/0,J365/23", "2026-06-01T00:00:00Z", -14400},
        {"XXX3EDT4,0/0,J365/23", "2027-01-01T03:00:00Z", -14400},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_zone struct zone *z = with_rule(rows[i].rule);
        if (!z)
            fail_msg("refused: %s", rows[i].rule);
        int64_t until;
        const int32_t got = zone_offset(z, seconds(rows[i].at), &until);
        if (got != rows[i].offset_s)
            fail_msg("%s at %s: %d", rows[i].rule, rows[i].at, got);
        assert_true(until > seconds(rows[i].at));
    }
}

static void bad_rules(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "X",
        "UTC",
        "AB0",
        "<+0>0",
        "<+01-1",
        "UTC25",
        "UTC0:60",
        "EST5EDT",
        "EST5EDT,M3.2.0",
        "EST5EDT,M3.2.0,M13.1.0",
        "EST5EDT,M3.6.0,M11.1.0",
        "EST5EDT,M3.2.7,M11.1.0",
        "EST5EDT,J0,J1",
        "EST5EDT,366,1",
        "EST5EDT,M3.2.0/168,M11.1.0",
        "EST5EDT,M3.2.0,M11.1.0x",
        "EST5ED,M3.2.0,M11.1.0",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        cleanup_zone struct zone *z = with_rule(texts[i]);
        if (z)
            fail_msg("taken: %s", texts[i]);
    }
}

static void damaged_files(void **state)
{
    (void)state;
    cleanup_text struct text t = {0};
    unsigned char header[44] = "TZif2";
    header[39] = 1;
    header[43] = 4;
    for (int i = 0; i < 2; i++) {
        text_append(&t, header, sizeof header);
        text_append(&t, "\0\0\0\0\0\0XXX", 10);
    }
    text_puts(&t, "\nUTC0\n");
    cleanup_zone struct zone *whole = zone_parse(t.data, t.len, NULL);
    assert_non_null(whole);
    for (size_t len = 0; len < t.len; len++) {
        struct err err = {0};
        cleanup_free char *exact = mem_bytes(t.data, len);
        assert_null(zone_parse(exact, len, &err));
        assert_int_equal(err.code, LEAT_EINPUT);
    }
    t.data[54 + 31] = 1; /* leap seconds */
    assert_null(zone_parse(t.data, t.len, NULL));
}

static void calendar(void **state)
{
    (void)state;
    struct civil expected = {1599, 12, 31};
    const int64_t first = civil_to_days((struct civil){1600, 1, 1});
    assert_int_equal(first, -135140);
    for (int64_t days = first; days < first + 146097 * 2; days++) {
        if (expected.day < civil_month_days(expected.year, expected.month))
            expected.day++;
        else if (expected.month < 12)
            expected = (struct civil){expected.year, expected.month + 1, 1};
        else
            expected = (struct civil){expected.year + 1, 1, 1};
        const struct civil got = civil_from_days(days);
        if (got.year != expected.year || got.month != expected.month || got.day != expected.day)
            fail_msg("day %lld", (long long)days);
        if (civil_to_days(got) != days)
            fail_msg("back from day %lld", (long long)days);
    }
    assert_int_equal(civil_weekday(0), 4);
    assert_int_equal(civil_weekday(-1), 3);
    assert_int_equal(civil_weekday(-5), 6);
    assert_int_equal(civil_floor_div(-1, 60), -1);
    assert_int_equal(civil_floor_div(-60, 60), -1);
    assert_int_equal(civil_floor_div(59, 60), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets),
        cmocka_unit_test(local_times),
        cmocka_unit_test(names_that_are_refused),
        cmocka_unit_test(rules),
        cmocka_unit_test(bad_rules),
        cmocka_unit_test(damaged_files),
        cmocka_unit_test(calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

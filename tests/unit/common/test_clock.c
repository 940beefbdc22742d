/* Clocks and RFC 3339. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

static void test_clocks_go_forward(void **state)
{
    (void)state;
    const int64_t a = clock_monotonic_us(), boot = clock_boottime_us();
    assert_true(clock_monotonic_us() >= a);
    assert_true(boot >= a);
    assert_true(clock_wall_us() > 1700000000LL * US_PER_S);
}

static void test_format(void **state)
{
    (void)state;
    char text[CLOCK_TEXT];
    clock_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000000Z");
    clock_format(1795423619123456, text);
    assert_string_equal(text, "2026-11-23T08:46:59.123456Z");
    clock_format(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
}

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {{"1970-01-01T00:00:00Z", 0},
                {"1970-01-01 00:00:01z", US_PER_S},
                {"1970-01-01T01:00:00+01:00", 0},
                {"1969-12-31T18:30:00-05:30", 0},
                {"2026-11-23T08:46:59.123456Z", 1795423619123456},
                {"2026-11-23T08:46:59.1234569Z", 1795423619123456},
                {"2026-11-23T08:46:59.5Z", 1795423619500000},
                {"2024-02-29T00:00:00Z", 1709164800 * US_PER_S}};
    static const char *const bad[] = {"",
                                      "2026-11-23",
                                      "2026-11-23T08:46:59",
                                      "2026-11-23T08:46:59+1",
                                      "2026-11-23T08:46:59+24:00",
                                      "2026-11-23T08:46:59+01:60",
                                      "2026-11-23T08:46:59Zx",
                                      "2026-13-23T08:46:59Z",
                                      "2026-11-23T25:46:59Z",
                                      "x"};
    int64_t us = 0;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(clock_parse(good[i].text, &us), 0);
        assert_int_equal(us, good[i].us);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(clock_parse(bad[i], &us), -1);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (int64_t us = -3000000000000000; us < 4000000000000000; us += 77777777777777) {
        char text[CLOCK_TEXT];
        int64_t back = 0;
        clock_format(us, text);
        assert_int_equal(clock_parse(text, &back), 0);
        assert_int_equal(back, us);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks_go_forward),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

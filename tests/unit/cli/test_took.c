/* How long something took, at and over the edge of each unit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/took.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/text/json.h"

static void is(int64_t us, const char *want)
{
    char from[CLOCK_TEXT], to[CLOCK_TEXT];
    clock_format(1700000000000000, from);
    clock_format(1700000000000000 + us, to);
    json_t *item cleanup_json = json_pack("{s:s, s:s}", "started", from, "finished", to);
    cleanup_free char *text = took_text(item);
    assert_string_equal(text, want);
}

static void each_length_in_its_unit(void **state)
{
    (void)state;
    is(0, "0 ms");
    is(999999, "999 ms");
    is(1000000, "1.0 s");
    is(59999999, "59.9 s");
    is(60 * US_PER_S, "1 min 0 s");
    is(3599 * US_PER_S, "59 min 59 s");
    is(3600 * US_PER_S, "1 h 0 min");
    is(86399 * US_PER_S, "23 h 59 min");
    is(86400 * US_PER_S, "1 d 0 h");
    is(400 * 86400 * US_PER_S, "400 d 0 h");
}

static void another_clock_that_is_behind_makes_nothing_negative(void **state)
{
    (void)state;
    is(-5 * US_PER_S, "0 ms");
}

static void what_goes_on_takes_until_now(void **state)
{
    (void)state;
    char from[CLOCK_TEXT];
    clock_format(clock_wall_us() - 7200 * US_PER_S, from);
    json_t *item cleanup_json = json_pack("{s:s, s:n}", "started", from, "finished");
    cleanup_free char *text = took_text(item);
    assert_memory_equal(text, "2 h ", 4);
}

static void what_has_not_started_took_nothing(void **state)
{
    (void)state;
    json_t *item cleanup_json =
        json_pack("{s:n, s:s}", "started", "finished", "2026-01-31T12:00:00Z");
    assert_null(took_text(item));
    json_t *none cleanup_json = json_object();
    assert_null(took_text(none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_length_in_its_unit),
        cmocka_unit_test(another_clock_that_is_behind_makes_nothing_negative),
        cmocka_unit_test(what_goes_on_takes_until_now),
        cmocka_unit_test(what_has_not_started_took_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

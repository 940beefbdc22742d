/* How long ago a file was touched, by two clocks that may not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/attempt/progress.h"

#define S 1000000LL

static void the_age_of_a_touch(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int64_t modified_s, now_s, wall_s, age_s;
    } rows[] = {
        {"just now", 1030, 130, 1030, 0},
        {"a while ago", 1010, 130, 1030, 20},
        {"just after the look before", 1000, 130, 1030, 30},
        {"before the look before: it was set so", 999, 130, 1030, 0},
        {"long ago: it was set so", 5, 130, 1030, 0},
        {"in the future", 1031, 130, 1030, 0},
        {"the clock was put forward, an hour", 1010, 130, 4630, 0},
        {"put forward after the touch, a little", 1025, 130, 1035, 0},
        {"put back", 1010, 130, 1020, 0},
        {"the machine slept", 1010, 101, 1030, 0},
    };
    const struct progress p = {.looked_us = 100 * S, .looked_wall_us = 1000 * S};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const int64_t age =
            progress_age(&p, rows[i].modified_s * S * 1000, rows[i].now_s * S, rows[i].wall_s * S);
        if (age != rows[i].age_s * S)
            fail_msg("%s: %lld", rows[i].what, (long long)age);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_age_of_a_touch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

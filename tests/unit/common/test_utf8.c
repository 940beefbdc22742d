/* Where a text may be cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/text/utf8.h"

static void no_character_is_cut(void **state)
{
    static const struct {
        const char *text;
        size_t most, kept;
    } ROWS[] = {{"", 0, 0},
                {"abc", 3, 3},
                {"abc", 4, 3},
                {"abc", 2, 2},
                {"a\xc3\xa4z", 4, 4},
                {"a\xc3\xa4z", 3, 3},
                {"a\xc3\xa4z", 2, 1},
                {"\xe2\x82\xac", 2, 0},
                {"\xf0\x9f\x98\x80", 3, 0},
                {"\x80\x80\x80", 2, 0}}; /* no UTF-8 at all */
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
        assert_int_equal(utf8_cut(ROWS[i].text, ROWS[i].most), ROWS[i].kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_character_is_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

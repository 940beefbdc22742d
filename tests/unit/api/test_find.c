/* RUN as people give it: the range of ids that a prefix stands for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "api/api.h"
#include "common/base/uuid.h"

static void check(const char *prefix, const char *least, const char *greatest)
{
    char text[UUID_TEXT];
    struct uuid low, high;
    assert_true(run_prefix_bounds(prefix, &low, &high));
    uuid_format(&low, text);
    assert_string_equal(text, least);
    uuid_format(&high, text);
    assert_string_equal(text, greatest);
}

static void a_prefix_is_a_range(void **state)
{
    (void)state;
    check("0192", "01920000-0000-0000-0000-000000000000", "0192ffff-ffff-ffff-ffff-ffffffffffff");
    check("01920000-7", "01920000-7000-0000-0000-000000000000",
          "01920000-7fff-ffff-ffff-ffffffffffff");
    check("01920000-", "01920000-0000-0000-0000-000000000000",
          "01920000-ffff-ffff-ffff-ffffffffffff");
}

static void a_whole_id_is_itself(void **state)
{
    (void)state;
    const char *id = "01920000-7abc-7000-8000-00000000000f";
    check(id, id, id);
}

static void what_cannot_begin_an_id_is_refused(void **state)
{
    (void)state;
    struct uuid low, high;
    const char *const bad[] = {
        "",          "019",          "zzzz",
        "0192 ",     "01920000x",    "0192-000",
        "%27OR 1=1", "019200007abc", "01920000-7abc-7000-8000-00000000000ff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(run_prefix_bounds(bad[i], &low, &high));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_is_a_range),
        cmocka_unit_test(a_whole_id_is_itself),
        cmocka_unit_test(what_cannot_begin_an_id_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

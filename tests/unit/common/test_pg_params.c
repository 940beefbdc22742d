/* The binary form of parameters: what a server would read, byte by byte. (That a server does read
 * it so is tested by tests/integration/test_pg_types.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "common/pg/params.h"

static void empty_array_has_no_dimension(void **state)
{
    (void)state;
    cleanup_pg_params struct pg_params p = {0};
    pg_array_begin(&p, PG_INT8);
    pg_array_end(&p);
    const uint8_t expected[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20};
    assert_int_equal(p.count, 1);
    assert_int_equal(p.list[0].oid, 1016);
    assert_int_equal(p.list[0].len, sizeof expected);
    assert_memory_equal(p.data.data + p.list[0].at, expected, sizeof expected);
}

static void array_with_null_says_so(void **state)
{
    (void)state;
    cleanup_pg_params struct pg_params p = {0};
    pg_add_bool(&p, true);
    pg_array_begin(&p, PG_INT4);
    pg_add_int4(&p, -2);
    pg_add_null(&p, PG_INT4);
    pg_array_end(&p);
    pg_add_text(&p, NULL);
    const uint8_t expected[] = {0,  0, 0,    1,    0,    0,    0,    1,    0,    0,   0,
                                23, 0, 0,    0,    2,    0,    0,    0,    1,    0,   0,
                                0,  4, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff};
    assert_int_equal(p.count, 3);
    assert_int_equal(p.list[0].len, 1);
    assert_int_equal(p.list[1].len, sizeof expected);
    assert_memory_equal(p.data.data + p.list[1].at, expected, sizeof expected);
    assert_int_equal(p.list[2].len, -1);
    assert_int_equal(p.list[2].oid, PG_TEXT);
}

static void cleared_is_empty_and_usable(void **state)
{
    (void)state;
    cleanup_pg_params struct pg_params p = {0};
    pg_add_int8(&p, 1);
    pg_params_clear(&p);
    assert_int_equal(p.count, 0);
    pg_add_text(&p, "");
    assert_int_equal(p.count, 1);
    assert_int_equal(p.list[0].len, 0); /* an empty text is not NULL */
    assert_int_equal(p.list[0].at, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_array_has_no_dimension),
        cmocka_unit_test(array_with_null_says_so),
        cmocka_unit_test(cleared_is_empty_and_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The error table and the way an error grows on its way up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/base/err.h"

static void test_set_returns_the_code(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set(&err, LEAT_EINPUT, "line %d", 7), LEAT_EINPUT);
    assert_int_equal(err.code, LEAT_EINPUT);
    assert_string_equal(err.text, "line 7");
    assert_int_equal(err_set(NULL, LEAT_EIO, "x"), LEAT_EIO);
    assert_int_equal(err_errno(&err, ENOENT, "file %s", "a"), LEAT_EIO);
    assert_string_equal(err.text, "file a: No such file or directory");
}

static void test_no_space_is_full(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_errno(&err, ENOSPC, "file %s", "a"), LEAT_EFULL);
    assert_string_equal(err.text, "file a: No space left on device");
    assert_int_equal(err_errno(&err, EDQUOT, "file %s", "a"), LEAT_EFULL);
    assert_true(err_is_full(ENOSPC) && err_is_full(EDQUOT) && !err_is_full(EFBIG));
}

static void test_text_may_be_its_own_argument(void **state)
{
    (void)state;
    struct err err = {0};
    err_set(&err, LEAT_EINPUT, "inner");
    err_set(&err, LEAT_EUSAGE, "again %s", err.text);
    assert_string_equal(err.text, "again inner");
}

static void test_wrap_keeps_the_code(void **state)
{
    (void)state;
    struct err err = {0};
    err_set(&err, LEAT_EFULL, "no space");
    assert_int_equal(err_wrap(&err, "step %s", "a"), LEAT_EFULL);
    assert_string_equal(err.text, "step a: no space");
    struct err unset = {0};
    assert_int_equal(err_wrap(&unset, "x"), LEAT_EINTERNAL);
    assert_int_equal(err_wrap(NULL, "x"), LEAT_EINTERNAL);
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    struct err err = {0};
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    err_set(&err, LEAT_EINPUT, "%s", longer);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    err_wrap(&err, "%s", longer);
    err_errno(&err, EIO, "%s", longer);
    assert_true(strlen(err.text) < sizeof err.text);
}

static void test_every_row_has_its_statuses(void **state)
{
    (void)state;
#define E(code, value, name, exit, http, text)                                                     \
    assert_string_equal(err_name(code), name);                                                     \
    assert_int_equal(err_exit_status(code), exit);                                                 \
    assert_int_equal(err_http_status(code), http);                                                 \
    assert_true(code < 0);
    LEAT_ERRORS(E)
#undef E
    assert_string_equal(err_name(-999), "internal");
    assert_int_equal(err_exit_status(0), 0);
    assert_int_equal(err_http_status(0), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_returns_the_code),
        cmocka_unit_test(test_no_space_is_full),
        cmocka_unit_test(test_text_may_be_its_own_argument),
        cmocka_unit_test(test_wrap_keeps_the_code),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_every_row_has_its_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

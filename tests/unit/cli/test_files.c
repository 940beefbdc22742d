/* Files that a person names: read whole within a limit, written whole, folders above made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/files.h"
#include "common/base/mem.h"

static char folder[] = "/tmp/leat-test-files-XXXXXX";
static struct err err;

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static void test_to_the_limit(void **state)
{
    (void)state;
    cleanup_free char *path = mem_printf("%s/a", folder);
    size_t len = 0;
    assert_int_equal(file_write(path,
                                "0123\0"
                                "56789",
                                10, &err),
                     0);
    cleanup_free char *whole = file_read(path, 10, &len, &err);
    assert_int_equal(len, 10);
    assert_memory_equal(whole,
                        "0123\0"
                        "56789",
                        11);
    assert_null(file_read(path, 9, &len, &err));
    assert_int_equal(err.code, LEAT_ELIMIT);
    assert_non_null(strstr(err.text, "larger than 9 bytes"));
    assert_int_equal(file_write(path, "", 0, &err), 0);
    cleanup_free char *nothing = file_read(path, 9, &len, &err);
    assert_int_equal(len, 0);
    assert_string_equal(nothing, "");
    unlink(path);
}

static void test_errors_name_the_file(void **state)
{
    (void)state;
    size_t len;
    cleanup_free char *absent = mem_printf("%s/none", folder);
    assert_null(file_read(absent, 10, &len, &err));
    assert_int_equal(err.code, LEAT_EINPUT);
    assert_non_null(strstr(err.text, absent));
    assert_null(file_read(folder, 10, &len, &err)); /* a folder opens and cannot be read */
    assert_int_equal(err.code, LEAT_EINPUT);
    cleanup_free char *below = mem_printf("%s/none/x", folder);
    assert_int_equal(file_write(below, "x", 1, &err), LEAT_EIO);
    assert_int_equal(file_write("/dev/full", "x", 1, &err), LEAT_EFULL);
    assert_non_null(strstr(err.text, "/dev/full"));
}

static void test_folders_above(void **state)
{
    (void)state;
    struct stat st;
    cleanup_free char *path = mem_printf("%s/x/y/z", folder);
    cleanup_free char *above = mem_printf("%s/x/y", folder);
    assert_int_equal(file_make_parents(path, 0700, &err), 0);
    assert_int_equal(file_make_parents(path, 0700, &err), 0);
    assert_int_equal(stat(above, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_not_equal(stat(path, &st), 0);
    assert_int_equal(file_make_parents("/dev/null/x/y", 0700, &err), LEAT_EIO);
    cleanup_free char *first = mem_printf("%s/x", folder);
    rmdir(above);
    rmdir(first);
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_to_the_limit),
                                       cmocka_unit_test(test_errors_name_the_file),
                                       cmocka_unit_test(test_folders_above)};
    return cmocka_run_group_tests(tests, setup, teardown);
}

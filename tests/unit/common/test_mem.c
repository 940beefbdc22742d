/* Memory: zeroed, copied, grown, taken; and the end of the process when there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"

static void test_copies(void **state)
{
    (void)state;
    cleanup_free char *s = mem_string("abc");
    assert_string_equal(s, "abc");
    assert_null(mem_string(NULL));
    cleanup_free char *b = mem_bytes("a\0b", 3);
    assert_memory_equal(b, "a\0b", 4);
    cleanup_free char *none = mem_bytes(NULL, 0);
    assert_string_equal(none, "");
    cleanup_free char *p = mem_printf("%d-%s", 5, "x");
    assert_string_equal(p, "5-x");
}

static void test_zeroed_and_never_null(void **state)
{
    (void)state;
    cleanup_free char *zero = mem_alloc(64);
    for (int i = 0; i < 64; i++)
        assert_int_equal(zero[i], 0);
    cleanup_free void *empty = mem_alloc(0), *array = mem_array(0, 8),
                      *grown = mem_grow(NULL, 0, 8);
    assert_true(empty && array && grown);
}

static void test_room(void **state)
{
    (void)state;
    int *a = NULL;
    size_t count = 0, cap = 0;
    for (int i = 0; i < 100; i++) {
        MEM_ROOM(a, count, cap);
        a[count++] = i;
    }
    assert_true(cap >= 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(a[i], i);
    free(a);
}

static void test_take_and_cleanup(void **state)
{
    (void)state;
    char *kept = NULL;
    {
        cleanup_free char *s = mem_string("kept");
        kept = TAKE(s);
        assert_null(s);
    }
    assert_string_equal(kept, "kept");
    free(kept);
    int copy = -1;
    {
        cleanup_close int fd = dup(STDERR_FILENO);
        cleanup_close int none = -1;
        (void)none;
        copy = fd;
        assert_true(fd >= 0);
    }
    assert_int_equal(close(copy), -1);
}

static void test_wipe(void **state)
{
    (void)state;
    char secret[] = "hunter2";
    mem_wipe(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++)
        assert_int_equal(secret[i], 0);
}

/* Too much: the process ends, it does not go on with NULL. */
static void test_overflow_ends_the_process(void **state)
{
    (void)state;
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        volatile size_t huge = SIZE_MAX / 2;
        free(mem_grow(NULL, huge, 4));
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies), cmocka_unit_test(test_zeroed_and_never_null),
        cmocka_unit_test(test_room),   cmocka_unit_test(test_take_and_cleanup),
        cmocka_unit_test(test_wipe),   cmocka_unit_test(test_overflow_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

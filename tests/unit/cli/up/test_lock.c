/* One supervisor a data folder, whoever died before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/up/supervise.h"
#include "common/base/mem.h"

static char folder[] = "/tmp/leat-test-lock-XXXXXX";
static char run[64];
static struct up_settings s;
static struct err err;

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(run, sizeof run, "%s/run", folder);
    s = (struct up_settings){.data = folder, .run = run};
    return mkdir(run, 0700);
}

/* A process that has the lock; it writes '+' to its pipe once it has it, or its error. */
static pid_t holder(char *answer, size_t len)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        const int rc = up_lock(&s, &err);
        dprintf(ends[1], "%s", rc == 0 ? "+" : err.text);
        close(ends[1]);
        if (rc == 0)
            pause();
        _exit(0);
    }
    close(ends[1]);
    const ssize_t n = read(ends[0], answer, len - 1);
    answer[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void test_one_holder(void **state)
{
    (void)state;
    char answer[512], expected[64];
    assert_int_equal(up_running(folder), 0); /* no file yet */
    const pid_t first = holder(answer, sizeof answer);
    assert_string_equal(answer, "+");
    assert_int_equal(up_running(folder), first);
    const pid_t second = holder(answer, sizeof answer);
    snprintf(expected, sizeof expected, "(process %d)", first);
    assert_non_null(strstr(answer, expected));
    assert_non_null(strstr(answer, "leat down --data"));
    end(second);
    assert_int_equal(up_running(folder), first); /* who was refused took nothing away */
    end(first);
    assert_int_equal(up_running(folder), 0);
    const pid_t third = holder(answer, sizeof answer); /* kill -9 leaves no lock behind */
    assert_string_equal(answer, "+");
    assert_int_equal(up_running(folder), third);
    end(third);
}

static void test_errors(void **state)
{
    (void)state;
    char none[] = "/tmp/leat-test-lock-none/run";
    struct up_settings elsewhere = {.data = none, .run = none};
    assert_int_equal(up_lock(&elsewhere, &err), LEAT_EIO);
    assert_non_null(strstr(err.text, none));
    assert_int_equal(up_running(none), 0);
}

static int teardown(void **state)
{
    (void)state;
    cleanup_free char *lock = mem_printf("%s/up.lock", run);
    unlink(lock);
    rmdir(run);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_holder),
                                       cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, setup, teardown);
}

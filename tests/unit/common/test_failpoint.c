/* Failpoints: armed by the environment, acting at their n-th pass, recorded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/failpoint.h"
#include "common/base/mem.h"

static void test_names_are_unique(void **state)
{
    (void)state;
    for (int i = 0; i < FAILPOINT_COUNT; i++) {
        assert_non_null(failpoint_process((enum failpoint)i));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(failpoint_name((enum failpoint)i),
                                    failpoint_name((enum failpoint)j));
    }
    assert_string_equal(failpoint_name(FAILPOINT_SPAWN_BEFORE), "spawn-before");
    assert_string_equal(failpoint_process(FAILPOINT_SPAWN_BEFORE), "worker");
}

#ifdef LEAT_FAILPOINTS
static char log_file[] = "/tmp/leat-test-failpoint-XXXXXX";

/* How a child ends that passes the point three times; its exit status is the pass that failed. */
static int pass_three_times(const char *spec)
{
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0) {
        setenv("LEAT_FAILPOINT", spec, 1);
        setenv("LEAT_FAILPOINT_LOG", log_file, 1);
        close(STDERR_FILENO);
        for (int i = 1; i <= 3; i++)
            if (failpoint_hit(FAILPOINT_SPAWN_BEFORE))
                _exit(10 + i);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int exit_status(const char *spec)
{
    const int status = pass_three_times(spec);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static char *recorded(void)
{
    static char text[256];
    FILE *f = fopen(log_file, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static int setup(void **state)
{
    (void)state;
    memcpy(log_file + strlen(log_file) - 6, "XXXXXX", 6);
    const int fd = mkstemp(log_file);
    return fd >= 0 ? close(fd) : -1;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(log_file);
}

static void test_acts_at_the_nth_pass(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        int status;
    } rows[] = {
        {"spawn-before:2:error", 12},
        {"spawn-after:1:kill,spawn-before:3:error", 13},
        {"spawn-before", -SIGKILL},
        {"spawn-before:1:delay", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(truncate(log_file, 0), 0);
        assert_int_equal(exit_status(rows[i].spec), rows[i].status);
        assert_string_equal(recorded(), "spawn-before\n");
    }
}

static void test_a_point_that_is_not_reached_is_not_recorded(void **state)
{
    (void)state;
    assert_int_equal(exit_status("spawn-before:4:error"), 0);
    assert_int_equal(exit_status("spawn-after:1:error"), 0);
    assert_int_equal(exit_status(""), 0);
    assert_string_equal(recorded(), "");
}

static void test_acts_once_over_restarts(void **state)
{
    (void)state;
    assert_int_equal(exit_status("spawn-before:1:error"), 11);
    assert_int_equal(exit_status("spawn-before:1:error"), 0);
    assert_string_equal(recorded(), "spawn-before\n");
}

static void test_a_file_arms_as_well(void **state)
{
    (void)state;
    char file[] = "/tmp/leat-test-failpoint-XXXXXX";
    const int fd = mkstemp(file);
    assert_int_equal(write(fd, "spawn-before:2:error\n", 21), 21);
    close(fd);
    cleanup_free char *spec = mem_printf("@%s", file);
    assert_int_equal(exit_status(spec), 12);
    unlink(file);
    assert_int_equal(exit_status(spec), 0); /* no file, nothing armed */
}

static void test_unknown_names_end_the_process(void **state)
{
    (void)state;
    static const char *const bad[] = {"nothing:1", "spawn-before:1:explode", ":"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const int status = pass_three_times(bad[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
    }
}
#else
static void test_without_failpoints_nothing_acts(void **state)
{
    (void)state;
    setenv("LEAT_FAILPOINT", "spawn-before:1:kill", 1);
    assert_false(failpoint_hit(FAILPOINT_SPAWN_BEFORE));
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_unique),
#ifdef LEAT_FAILPOINTS
        cmocka_unit_test_setup_teardown(test_acts_at_the_nth_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_point_that_is_not_reached_is_not_recorded, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_acts_once_over_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_arms_as_well, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_names_end_the_process, setup, teardown),
#else
        cmocka_unit_test(test_without_failpoints_nothing_acts),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

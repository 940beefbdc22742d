/* The machines: terminal states absorb, every state is reached, a forbidden move ends the process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/states.h"

static void test_names_go_both_ways(void **state)
{
    (void)state;
    for (const struct machine *const *m = MACHINE_ALL; *m; m++) {
        for (int i = 0; i < (*m)->count; i++)
            assert_int_equal(machine_parse(*m, machine_state_name(*m, i)), i);
        assert_int_equal(machine_parse(*m, "nothing"), -1);
        assert_false(machine_allows(*m, 0, (*m)->count));
        assert_false(machine_allows(*m, -1, 0));
    }
}

/* States that can be reached from the first one; and none leads back to itself. */
static void test_every_state_is_reached(void **state)
{
    (void)state;
    for (const struct machine *const *m = MACHINE_ALL; *m; m++) {
        uint32_t reached = 1, before = 0;
        while (reached != before) {
            before = reached;
            for (int i = 0; i < (*m)->count; i++)
                if (reached >> i & 1)
                    reached |= (*m)->states[i].next;
        }
        assert_int_equal(reached, (1u << (*m)->count) - 1);
        for (int i = 0; i < (*m)->count; i++)
            assert_false(machine_allows(*m, i, i));
    }
}

static void test_terminal_states(void **state)
{
    (void)state;
    static const char *const run[] = {"succeeded", "failed", "cancelled", "skipped"};
    for (size_t i = 0; i < sizeof run / sizeof run[0]; i++) {
        const int s = machine_parse(&MACHINE_RUN, run[i]);
        assert_true(machine_is_terminal(&MACHINE_RUN, s));
        for (int to = 0; to < MACHINE_RUN.count; to++)
            assert_false(machine_allows(&MACHINE_RUN, s, to));
    }
    assert_false(machine_is_terminal(&MACHINE_RUN, RUN_RUNNING));
    assert_true(machine_is_terminal(&MACHINE_ATTEMPT, ATTEMPT_LOST));
}

static void test_move(void **state)
{
    (void)state;
    uint8_t run = RUN_PENDING;
    machine_move(&MACHINE_RUN, &run, RUN_RUNNING);
    assert_int_equal(run, RUN_RUNNING);
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        close(STDERR_FILENO);
        run = RUN_SUCCEEDED;
        machine_move(&MACHINE_RUN, &run, RUN_RUNNING);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_go_both_ways),
        cmocka_unit_test(test_every_state_is_reached),
        cmocka_unit_test(test_terminal_states),
        cmocka_unit_test(test_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* at_most_once on a real worker and its keeper: nothing starts before it has leave, and after that
 * one process at most, whoever is killed where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "tests/support/one_worker.h"
#include "tests/support/waiting.h"

#define PATIENCE_MS 120000

static struct one_worker *o;

static int setup(void **state)
{
    (void)state;
    o = one_worker_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    one_worker_close(o);
    return 0;
}

static int executions(int attempt)
{
    char path[128], id[UUID_TEXT], buf[4096];
    const struct uuid uuid = one_worker_id(attempt);
    struct text all = {0};
    uuid_format(&uuid, id);
    one_worker_path(o, path, sizeof path, "ledger");
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t n; fd >= 0 && (n = read(fd, buf, sizeof buf)) > 0;)
        text_append(&all, buf, (size_t)n);
    cleanup_free char *ledger = text_take(&all);
    int n = 0;
    for (const char *at = ledger; (at = strstr(at, id)); at++)
        n++;
    return n;
}

static void order_for(int attempt, const char *seconds)
{
    char script[300];
    snprintf(script, sizeof script, "echo $LEAT_ATTEMPT_ID >> %s/ledger; sleep %s", o->dir,
             seconds);
    const char *argv[] = {"sh", "-c", script};
    struct order_start start = {.executor = ORDER_START_EXECUTOR_PROCESS,
                                .at_most_once = true,
                                .argv = argv,
                                .argv_count = 3};
    one_worker_order(o, attempt, &start);
}

static void order_once(int attempt)
{
    order_for(attempt, "0.3");
}

static void until_asked(int attempt)
{
    assert_true(wait_for_count(o->loop, &o->seen[attempt].asked, 1, PATIENCE_MS));
}

static void test_it_waits_for_leave_and_takes_it_once(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    order_once(1);
    until_asked(1);
    one_worker_pass(o, 500);
    assert_int_equal(executions(1), 0);
    one_worker_leave(o, 1);
    one_worker_leave(o, 1);
    assert_int_equal(one_worker_finished(o, 1)->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
    one_worker_leave(o, 1); /* long over */
    one_worker_pass(o, 300);
    assert_int_equal(executions(1), 1);
}

static void test_leave_of_another_placing_is_none(void **state)
{
    (void)state;
    struct order other = {
        .kind = ORDER_KIND_GRANT, .attempt = one_worker_id(1), .nonce = 77, .committed = 0};
    one_worker_start(o, NULL, NULL);
    order_once(1);
    until_asked(1);
    one_worker_send(o, &other);
    one_worker_pass(o, 300);
    assert_int_equal(executions(1), 0);
    struct order cancel = {.kind = ORDER_KIND_CANCEL, .attempt = one_worker_id(1), .nonce = 1};
    one_worker_send(o, &cancel);
    assert_int_equal(one_worker_finished(o, 1)->outcome, REPORT_RESULT_OUTCOME_CANCELLED);
    one_worker_leave(o, 1); /* too late */
    one_worker_pass(o, 300);
    assert_int_equal(executions(1), 0);
}

static void test_killed_while_it_asks_it_never_starts(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    order_once(1);
    until_asked(1);
    one_worker_kill(o, SIGKILL);
    one_worker_leave(o, 1); /* was on its way */
    one_worker_start(o, NULL, NULL);
    assert_true(o->seen[1].lost);
    one_worker_pass(o, 500);
    assert_int_equal(executions(1), 0);
}

/* A leave that comes after the lease may be of an attempt that was judged lost meanwhile. */
static void test_leave_after_the_lease_is_refused(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    order_once(1);
    until_asked(1);
    o->mute = true;
    one_worker_pass(o, 12500);
    one_worker_leave(o, 1);
    o->mute = false;
    assert_int_equal(one_worker_finished(o, 1)->outcome, REPORT_RESULT_OUTCOME_REFUSED);
    assert_int_equal(executions(1), 0);
}

static void test_the_keeper_dies_while_it_runs(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    order_for(1, "600");
    until_asked(1);
    one_worker_leave(o, 1);
    char ledger[128];
    one_worker_path(o, ledger, sizeof ledger, "ledger");
    one_worker_until_file(o, ledger);
    one_worker_signal_keeper(o, SIGKILL);
    assert_int_equal(one_worker_finished(o, 1)->outcome, REPORT_RESULT_OUTCOME_LOST);
    one_worker_pass(o, 500);
    assert_int_equal(executions(1), 1);
}

#ifdef LEAT_FAILPOINTS
static const char *const DEATHS[] = {"spawn-before", "spawn-after", "exit-seen-before",
                                     "report-publish-before", "report-publish-after"};

static void test_one_process_whoever_dies(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(DEATHS); i++) {
        const int attempt = (int)i + 1;
        print_message("%s\n", DEATHS[i]);
        one_worker_start(o, DEATHS[i], NULL);
        order_once(attempt);
        until_asked(attempt);
        one_worker_leave(o, attempt);
        const int status = one_worker_wait(o);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        one_worker_leave(o, attempt); /* as a takeover sends it again */
        one_worker_start(o, NULL, NULL);
        one_worker_over(o, attempt);
        one_worker_pass(o, 500);
        assert_int_equal(executions(attempt), o->seen[attempt].lost ? 0 : 1);
        assert_int_equal(o->seen[attempt].lost, strstr(DEATHS[i], "spawn") != NULL);
        one_worker_kill(o, SIGKILL);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_waits_for_leave_and_takes_it_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leave_of_another_placing_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_while_it_asks_it_never_starts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leave_after_the_lease_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_keeper_dies_while_it_runs, setup, teardown),
#ifdef LEAT_FAILPOINTS
        cmocka_unit_test_setup_teardown(test_one_process_whoever_dies, setup, teardown),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

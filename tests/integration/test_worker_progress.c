/* A real worker: steps that must touch LEAT_PROGRESS, and a worker that is away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/support/one_worker.h"

#define SAID "heartbeat: its program did not touch LEAT_PROGRESS for "

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

static void order(int attempt, const char *script, int64_t heartbeat_us)
{
    const char *argv[] = {"/bin/sh", "-c", script};
    one_worker_order(o, attempt,
                     &(struct order_start){.executor = ORDER_START_EXECUTOR_PROCESS,
                                           .argv = argv,
                                           .argv_count = 3,
                                           .heartbeat_us = heartbeat_us});
}

static void assert_silent(int attempt, const char *length)
{
    struct seen_attempt *s = one_worker_finished(o, attempt);
    char want[200];
    snprintf(want, sizeof want, SAID "%s", length);
    assert_string_equal(s->reason, want);
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_TIMED_OUT);
}

static void assert_succeeded(int attempt)
{
    struct seen_attempt *s = one_worker_finished(o, attempt);
    assert_string_equal(s->reason ? s->reason : "", "");
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
}

static void who_is_silent_is_ended(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    order(1, "sleep 600", US_PER_S); /* never touches it */
    order(2, "for i in $(seq 20); do touch $LEAT_PROGRESS; sleep 0.5; done", 8 * US_PER_S);
    order(3, "touch $LEAT_PROGRESS; sleep 0.2; touch $LEAT_PROGRESS; exec sleep 600", US_PER_S);
    order(4, "rm $LEAT_PROGRESS; exec sleep 600", US_PER_S);
    order(5, "trap 'exit 0' TERM; while :; do sleep 0.1; done", US_PER_S); /* says all is well */
    order(6, "test -z \"$LEAT_PROGRESS\"", 0);
    assert_succeeded(6);
    assert_silent(1, "1 s");
    assert_silent(3, "1 s");
    assert_silent(4, "1 s");
    assert_silent(5, "1 s");
    assert_succeeded(2);
}

/* Whatever its times say: that it changes is what counts. */
static void times_that_were_set_count(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    order(1, "for i in $(seq 10 30); do touch -d 2001-01-$i $LEAT_PROGRESS; sleep 0.5; done",
          8 * US_PER_S);
    order(2, "for i in $(seq 10 25); do touch -d 2101-01-$i $LEAT_PROGRESS; sleep 0.6; done",
          8 * US_PER_S);
    assert_succeeded(1);
    assert_succeeded(2);
}

/* It touches the file all the time while nobody looks; then it stops. */
static void a_worker_that_was_away_ends_nobody(void **state)
{
    (void)state;
    char go[400], script[900];
    one_worker_start(o, NULL, NULL);
    one_worker_path(o, go, sizeof go, "go");
    snprintf(script, sizeof script,
             "while ! test -s %s; do touch $LEAT_PROGRESS; sleep 0.1; done; exit 0", go);
    order(1, script, 6 * US_PER_S);
    order(2, "echo x > up; exec sleep 600", 8 * US_PER_S);
    char up[400];
    one_worker_workspace(o, 2, "up", up, sizeof up);
    one_worker_until_file(o, up);
    one_worker_kill(o, SIGKILL);
    one_worker_pass(o, 8000); /* longer than the heartbeat of the first */
    one_worker_start(o, NULL, NULL);
    one_worker_pass(o, 3000);
    assert_int_equal(o->seen[1].finished, 0);
    FILE *f = fopen(go, "w");
    assert_non_null(f);
    fputs("go\n", f);
    fclose(f);
    assert_succeeded(1);
    assert_silent(2, "8 s"); /* the new life goes on watching */
}

static void a_worker_that_was_stopped_ends_nobody(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    char up[400];
    one_worker_workspace(o, 1, "up", up, sizeof up);
    order(1,
          "echo x > up; i=0; while test $i -lt 100; do touch $LEAT_PROGRESS; sleep 0.1; "
          "i=$((i+1)); done",
          6 * US_PER_S);
    one_worker_until_file(o, up);
    kill(o->pid, SIGSTOP);
    one_worker_pass(o, 8000);
    kill(o->pid, SIGCONT);
    assert_succeeded(1);
}

/* The worker dies between its decision and the end of the step, which takes its time. */
static void why_it_was_ended_outlives_the_worker(void **state)
{
    (void)state;
    char asked[400];
    one_worker_start(o, NULL, NULL);
    one_worker_workspace(o, 1, "asked", asked, sizeof asked);
    o->grace_us = 8 * US_PER_S;
    order(1, "trap 'echo x > asked' TERM; while :; do sleep 0.1; done", 5 * US_PER_S);
    one_worker_until_file(o, asked);
    one_worker_kill(o, SIGKILL);
    one_worker_start(o, NULL, NULL);
    assert_silent(1, "5 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_is_silent_is_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(times_that_were_set_count, setup, teardown),
        cmocka_unit_test_setup_teardown(a_worker_that_was_away_ends_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(a_worker_that_was_stopped_ends_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(why_it_was_ended_outlives_the_worker, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

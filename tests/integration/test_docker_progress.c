/* A heartbeat in a container: the file is seen by both sides, whoever the image's user is, and
 * whether outputs are mounted or copied. */
#include "tests/integration/docker_fixture.h"

static void order(int attempt, const char *script, int64_t heartbeat_us)
{
    order_container(attempt, script, (struct order_start){.heartbeat_us = heartbeat_us});
}

static void assert_succeeded(int attempt)
{
    struct seen_attempt *s = one_worker_finished(o, attempt);
    assert_string_equal(s->reason ? s->reason : "", "");
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
}

static void assert_silent(int attempt)
{
    struct seen_attempt *s = one_worker_finished(o, attempt);
    assert_non_null(strstr(s->reason, "heartbeat: its program did not touch LEAT_PROGRESS"));
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_TIMED_OUT);
}

static void silence_is_seen(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    one_worker_start(o, NULL, docker_flags);
    order(1, "sleep 600", 2 * US_PER_S);
    order(2,
          "test $LEAT_PROGRESS = /leat/progress && for i in $(seq 20); do touch $LEAT_PROGRESS; "
          "sleep 0.5; done",
          8 * US_PER_S);
    order(3, "trap 'exit 0' TERM; while :; do sleep 0.1; done", 2 * US_PER_S);
    assert_silent(1);
    assert_silent(3);
    assert_succeeded(2);
    assert_clean();
}

static void it_is_watched_by_the_next_life(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    char go[400], script[500];
    one_worker_start(o, NULL, docker_flags);
    order(1, "for i in $(seq 150); do touch $LEAT_PROGRESS; sleep 0.1; done", 7 * US_PER_S);
    snprintf(script, sizeof script, "echo x > /leat/progress; exec sleep 600");
    order(2, script, 6 * US_PER_S);
    one_worker_workspace(o, 2, "progress", go, sizeof go);
    one_worker_until_file(o, go);
    one_worker_kill(o, SIGKILL);
    one_worker_pass(o, 9000);
    one_worker_start(o, NULL, docker_flags);
    assert_succeeded(1);
    assert_silent(2);
    assert_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(silence_is_seen, docker_setup, docker_teardown),
        cmocka_unit_test_setup_teardown(silence_is_seen, docker_setup_copies, docker_teardown),
        cmocka_unit_test_setup_teardown(it_is_watched_by_the_next_life, docker_setup,
                                        docker_teardown),
    };
    cmocka_set_test_filter(getenv("LEAT_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Steps in containers of a real engine: what they see, how they end, what is left. */
#include "tests/integration/docker_fixture.h"

#define LINES "a b\"c'$(id)\\ \n\xe2\x80\xae end\n/tmp\n0\n{\n"

/* The engine has no order between what a program writes to one stream and to the other: the step
 * writes to the second when the worker has read the first, which the test tells it. */
static void until_log_has(int attempt, const char *lines)
{
    char id[UUID_TEXT], name[64], path[400];
    struct stat st = {0};
    const struct uuid uuid = one_worker_id(attempt);
    uuid_format(&uuid, id);
    until_ready(attempt);
    snprintf(name, sizeof name, "data/logs/%s", id);
    one_worker_path(o, path, sizeof path, name);
    assert_true(wait_until(o->loop, stat(path, &st) == 0 && st.st_size >= (off_t)strlen(lines)));
    one_worker_workspace(o, attempt, "out/read", path, sizeof path);
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
}

static void test_a_step_runs_in_a_container(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    struct order_output outputs[] = {{"n", ORDER_OUTPUT_TYPE_INTEGER, false, NULL},
                                     {"a", ORDER_OUTPUT_TYPE_ARTIFACT, false, NULL}};
    struct order_env env[] = {{"ODD", "a b\"c'$(id)\\ \n\xe2\x80\xae end"}};
    json_t *event = json_pack("{s:s, s:{s:i}}", "id", "e1", "data", "a", 1);
    one_worker_start(o, NULL, docker_flags);
    order_container(1,
                    "echo \"$ODD\"; pwd; id -u; printf 42 > $LEAT_OUT/n; printf data > "
                    "/leat/out/a; echo '{\"name\": \"m\", \"value\": 1.5}' >> $LEAT_METRICS; "
                    "cat /leat/event.json | head -c 1; echo; " READY
                    "while [ ! -e $LEAT_OUT/read ]; do sleep 0.1; done; echo err >&2",
                    (struct order_start){.outputs = outputs,
                                         .outputs_count = 2,
                                         .env = env,
                                         .env_count = 1,
                                         .workdir = "/tmp",
                                         .event = event});
    json_decref(event);
    until_log_has(1, LINES);
    struct seen_attempt *s = one_worker_finished(o, 1);
    assert_string_equal(s->reason, "");
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
    assert_int_equal(json_get_int(s->outputs, "n", 0), 42);
    assert_int_equal(json_get_int(json_object_get(s->outputs, "a"), "size", 0), 4);
    assert_true(json_get_double(s->metrics, "m", 0) > 1.4);
    assert_log_is(1, LINES "err\n");
    assert_clean();
}

static void test_how_it_ends(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    static const struct {
        const char *script, *image, *reason;
        int outcome, code;
    } rows[] = {
        {"exit 7", NULL, "exit code 7", REPORT_RESULT_OUTCOME_FAILED, 7},
        {"kill -9 $$", NULL, "killed by signal 9", REPORT_RESULT_OUTCOME_FAILED, 137},
        {"true", "leat.test/none:1", "could not be pulled", REPORT_RESULT_OUTCOME_FAILED, -1},
        {"true", "UPPER/case", "not the name of an image", REPORT_RESULT_OUTCOME_FAILED, -1},
    };
    one_worker_start(o, NULL, docker_flags);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const int attempt = (int)i + 1;
        order_container(attempt, rows[i].script, (struct order_start){.image = rows[i].image});
        struct seen_attempt *s = one_worker_finished(o, attempt);
        print_message("%s: %s\n", rows[i].script, s->reason);
        assert_int_equal(s->outcome, rows[i].outcome);
        assert_int_equal(s->exit_code, rows[i].code);
        assert_non_null(strstr(s->reason, rows[i].reason));
    }
    const char *argv[] = {"/no/such/program"};
    order_container(10, NULL, (struct order_start){.argv = argv, .argv_count = 1, .command = 1});
    struct seen_attempt *s = one_worker_finished(o, 10);
    print_message("%s\n", s->reason);
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_FAILED);
    assert_string_equal(s->reason, "exit code 127"); /* and its log says why: the init's word */
    assert_clean();
}

static void test_timeout_and_cancel(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    one_worker_start(o, NULL, docker_flags);
    order_container(1, "trap '' TERM; echo up; sleep 600",
                    (struct order_start){.timeout_us = 10 * US_PER_S}); /* until it is deaf */
    order_container(2, "echo up; sleep 600", (struct order_start){0});
    struct seen_attempt *s = one_worker_finished(o, 1);
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_TIMED_OUT);
    assert_int_equal(s->exit_code, 137);
    assert_log_is(1, "up\n");
    struct order cancel = {.kind = ORDER_KIND_CANCEL,
                           .attempt = one_worker_id(2),
                           .nonce = 2,
                           .grace_us = 5 * US_PER_S,
                           .reason = "enough"};
    one_worker_send(o, &cancel);
    s = one_worker_finished(o, 2);
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_CANCELLED);
    assert_string_equal(s->reason, "enough");
    assert_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_step_runs_in_a_container, docker_setup,
                                        docker_teardown),
        cmocka_unit_test_setup_teardown(test_how_it_ends, docker_setup, docker_teardown),
        cmocka_unit_test_setup_teardown(test_timeout_and_cancel, docker_setup, docker_teardown),
    };
    cmocka_set_test_filter(getenv("LEAT_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

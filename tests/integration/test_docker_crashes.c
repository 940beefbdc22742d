/* Deaths around containers: of the worker at each failpoint and at twenty random moments, of the
 * engine, of the container by another's hand. Each container writes a ledger into an output, so
 * that a second execution would show. */
#include <sys/wait.h>

#include "tests/integration/docker_fixture.h"

#define LEDGER_LINE 37 /* an attempt's id and a line end */

/* Lines and bytes that are no text, and one of more than 16 KiB, over a second or two. */
#define WRITES                                                                                     \
    "echo $LEAT_ATTEMPT_ID >> /leat/out/ledger; mkdir -p /tmp/elsewhere; "                         \
    "echo $LEAT_ATTEMPT_ID >> /tmp/elsewhere/told; i=0; while [ $i -lt 8 ]; do i=$((i+1)); "       \
    "echo line $i; printf 'a\\000b\\377\\n'; sleep 0.1; done; "                                    \
    "head -c 40000 /dev/zero | tr '\\000' x; echo; printf end"

static void order_ledger(int attempt)
{
    struct order_output outputs[] = {
        {"ledger", ORDER_OUTPUT_TYPE_ARTIFACT, false, NULL},
        {"told", ORDER_OUTPUT_TYPE_STRING, false, "/tmp/elsewhere/told"}};
    order_container(attempt, WRITES, (struct order_start){.outputs = outputs, .outputs_count = 2});
}

static struct text expected_log(void)
{
    struct text t = {0};
    for (int i = 1; i <= 8; i++) {
        text_printf(&t, "line %d\n", i);
        text_append(&t, "a\0b\377\n", 5);
    }
    for (int i = 0; i < 40000; i++)
        text_append(&t, "x", 1);
    text_puts(&t, "\nend");
    return t;
}

static void assert_once(int attempt)
{
    const struct seen_attempt *s = &o->seen[attempt];
    if (s->outcome != REPORT_RESULT_OUTCOME_SUCCEEDED)
        print_message("attempt %d: %s\n", attempt, s->reason);
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
    assert_int_equal(json_get_int(json_object_get(s->outputs, "ledger"), "size", 0), LEDGER_LINE);
    assert_int_equal(strlen(json_get_string(s->outputs, "told", "")), LEDGER_LINE - 1);
    struct text want = expected_log(), log = docker_log(attempt);
    assert_int_equal(log.len, want.len);
    assert_memory_equal(log.data, want.data, want.len);
    text_free(&want);
    text_free(&log);
}

#ifdef LEAT_FAILPOINTS
static void test_worker_dies_at_each_failpoint(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    static const struct {
        const char *failpoint;
        bool lost; /* nothing had been begun */

    } rows[] = {
        {"container-create-before", true},  {"container-create-after", false},
        {"container-start-before", false},  {"container-start-after", false},
        {"exit-seen-before", false},        {"exit-seen-after", false},
        {"log-closed-before", false},       {"output-stored-after", false},
        {"report-publish-after", false},    {"container-removed-before", false},
        {"container-removed-after", false}, {"container-copied-before", false},
        {"container-copied-after", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const int attempt = (int)i * 2 + 1;
        print_message("%s\n", rows[i].failpoint);
        one_worker_start(o, rows[i].failpoint, docker_flags);
        order_ledger(attempt);
        const int status = one_worker_wait(o);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        one_worker_start(o, NULL, docker_flags);
        one_worker_over(o, attempt);
        assert_int_equal(o->seen[attempt].lost, rows[i].lost);
        if (rows[i].lost) {
            order_ledger(attempt + 1);
            one_worker_finished(o, attempt + 1);
        }
        assert_once(rows[i].lost ? attempt + 1 : attempt);
        assert_clean();
        one_worker_kill(o, SIGKILL);
    }
}
#endif

static void test_worker_dies_twenty_times(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    int ordered = 0, finished = 0, lost = 0;
    for (int kill_n = 0; kill_n < 20; kill_n++) {
        uint8_t moment[2];
        random_bytes(moment, sizeof moment);
        one_worker_start(o, NULL, docker_flags);
        for (int i = 0; i < 2; i++)
            order_ledger(++ordered);
        if (kill_n % 2) /* on a busy machine the others may all be too early */
            until_running(ordered);
        one_worker_pass(o, moment[0] * 6 + moment[1] % 7); /* 0 to 1.5 s */
        one_worker_kill(o, SIGKILL);
    }
    one_worker_start(o, NULL, docker_flags);
    for (int n = 1; n <= ordered; n++) {
        one_worker_over(o, n);
        if (!o->seen[n].lost && o->seen[n].outcome != REPORT_RESULT_OUTCOME_REFUSED) {
            assert_once(n);
            finished++;
        } else { /* its order had not been begun: what refuses it may come after the hello */
            lost++;
        }
    }
    print_message("%d containers followed to their end, %d orders never begun\n", finished, lost);
    assert_true(finished >= 10);
    assert_clean();
}

static char *path_of(int attempt, const char *verb)
{
    char id[UUID_TEXT];
    const struct uuid uuid = one_worker_id(attempt);
    uuid_format(&uuid, id);
    return mem_printf("/containers/leat-%s%s", id, verb);
}

static void test_killed_and_removed_by_others(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    one_worker_start(o, NULL, docker_flags);
    order_container(1, "echo up; sleep 600", (struct order_start){0});
    order_container(2, "echo up; sleep 600", (struct order_start){0});
    until_running(1);
    until_running(2);
    cleanup_free char *kill_it = path_of(1, "/kill");
    cleanup_free char *remove_it = path_of(2, "?force=1");
    assert_int_equal(engine_get("POST", kill_it, NULL, NULL), 204);
    assert_int_equal(engine_get("DELETE", remove_it, NULL, NULL), 204);
    for (int attempt = 1; attempt <= 2; attempt++) {
        struct seen_attempt *s = one_worker_finished(o, attempt);
        print_message("%s\n", s->reason);
        assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_LOST);
        assert_non_null(strstr(s->reason, "somebody else"));
    }
    assert_clean();
}

static char *make_foreign(const char *name, const char *cluster, const char *worker)
{
    json_t *answer = NULL;
    cleanup_json json_t *body = json_pack(
        "{s:s, s:[s, s], s:{s:s, s:s, s:s}, s:{s:s}}", "Image", engine_image(), "Cmd", "sleep",
        "600", "Labels", "dev.leat.cluster", cluster, "dev.leat.worker", worker, "dev.leat.attempt",
        "01234567-89ab-7cde-8f01-23456789abcd", "HostConfig", "NetworkMode", "none");
    cleanup_free char *path = mem_printf("/containers/create?name=%s", name);
    assert_int_equal(engine_get("POST", path, body, &answer), 201);
    char *id = mem_string(json_get_string(answer, "Id", ""));
    cleanup_free char *start = mem_printf("/containers/%s/start", id);
    assert_int_equal(engine_get("POST", start, NULL, NULL), 204);
    json_decref(answer);
    return id;
}

static int exists(const char *id)
{
    cleanup_free char *path = mem_printf("/containers/%s/json", id);
    return engine_get("GET", path, NULL, NULL) == 200;
}

static void test_others_are_left_alone(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    char cluster[UUID_TEXT];
    uuid_format(o->bus->ops->id(o->bus), cluster);
    cleanup_free char *other_cluster =
        make_foreign("other-cluster", "00000000-0000-0000-0000-00000000000c", "w1");
    cleanup_free char *other_worker = make_foreign("other-worker", cluster, "w2");
    cleanup_free char *ours = make_foreign("ours", cluster, "w1");
    one_worker_start(o, NULL, docker_flags);
    assert_true(wait_until(o->loop, !exists(ours)));
    one_worker_pass(o, 500);
    assert_true(exists(other_cluster));
    assert_true(exists(other_worker));
    engine_remove_all("w2");
}

/* Its containers end with it: they are judged once, as lost. */
static void test_engine_restarts(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    one_worker_start(o, NULL, docker_flags);
    order_container(1, "trap 'exit 3' TERM; echo up; " READY "sleep 600 & wait",
                    (struct order_start){0});
    order_container(2, "echo up; " READY "sleep 600", (struct order_start){0});
    until_ready(1);
    until_ready(2);
    engine_service("down");
    one_worker_pass(o, 2000);
    engine_service("up");
    for (int attempt = 1; attempt <= 2; attempt++) {
        struct seen_attempt *s = one_worker_finished(o, attempt);
        print_message("%s\n", s->reason);
        assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_LOST);
        assert_int_equal(s->finished, 1);
        assert_log_is(attempt, "up\n");
    }
    int nothing = 10;
    one_worker_until_it_takes(o, &nothing); /* the lease lapsed if that took long */
    engine_service("kill");
    order_ledger(3); /* waits for it */
    one_worker_pass(o, 1000);
    engine_service("up");
    one_worker_finished(o, 3);
    assert_once(3);
    assert_clean();
}

/* The worker comes back while the engine is away: what it held it still holds. */
static void test_both_away(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    docker_flags[1] = "--executor=auto";
    one_worker_start(o, NULL, docker_flags);
    order_container(1, "echo up; sleep 600", (struct order_start){0});
    until_running(1);
    one_worker_kill(o, SIGKILL);
    engine_service("kill");
    one_worker_start(o, NULL, docker_flags);
    one_worker_pass(o, 500);
    assert_false(o->seen[1].lost);
    engine_service("up");
    struct seen_attempt *s = one_worker_finished(o, 1);
    print_message("%s\n", s->reason);
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_LOST);
    int nothing = 10;
    one_worker_until_it_takes(o, &nothing);
    order_ledger(2); /* and containers are run again */
    one_worker_finished(o, 2);
    assert_once(2);
    assert_clean();
}

static int up_teardown(void **state)
{
    if (o)
        engine_service("up");
    return docker_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef LEAT_FAILPOINTS
        cmocka_unit_test_setup_teardown(test_worker_dies_at_each_failpoint, docker_setup,
                                        docker_teardown),
        cmocka_unit_test_setup_teardown(test_worker_dies_at_each_failpoint, docker_setup_copies,
                                        docker_teardown),
#endif
        cmocka_unit_test_setup_teardown(test_worker_dies_twenty_times, docker_setup,
                                        docker_teardown),
        cmocka_unit_test_setup_teardown(test_killed_and_removed_by_others, docker_setup,
                                        docker_teardown),
        cmocka_unit_test_setup_teardown(test_others_are_left_alone, docker_setup, docker_teardown),
        cmocka_unit_test_setup_teardown(test_engine_restarts, docker_setup, up_teardown),
        cmocka_unit_test_setup_teardown(test_both_away, docker_setup, up_teardown),
    };
    cmocka_set_test_filter(getenv("LEAT_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

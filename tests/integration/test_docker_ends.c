/* Limits and bad ends of containers on a real engine: a log that is too long, memory that is too
 * short, a lease that lapses, a process that will not go, an engine that is away for half a minute
 * or leaves its containers running. */
#include "tests/integration/docker_fixture.h"

#define AWAY_MS 30000

enum { WHOLE, CUT };

static int log_says(int attempt)
{
    return json_is_true(json_object_get(o->seen[attempt].log, "truncated")) ? CUT : WHOLE;
}

/* One byte over, and exactly as much: the first bytes are kept, and the record says which. */
static void test_log_limit(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    one_worker_start(o, NULL, docker_flags);
    order_container(1, "head -c 100000 /dev/zero | tr '\\000' x",
                    (struct order_start){.log_limit = 100000});
    order_container(2, "head -c 100001 /dev/zero | tr '\\000' x",
                    (struct order_start){.log_limit = 100000});
    /* 200 times as much, and it is not held up by nobody's reading. */
    order_container(3, "head -c 20000000 /dev/zero | tr '\\000' x; exit 3",
                    (struct order_start){.log_limit = 100000});
    for (int attempt = 1; attempt <= 3; attempt++) {
        struct seen_attempt *s = one_worker_finished(o, attempt);
        assert_int_equal(s->exit_code, attempt == 3 ? 3 : 0);
        struct text log = docker_log(attempt);
        assert_int_equal(log.len, 100000);
        assert_int_equal(strspn(log.data, "x"), 100000);
        text_free(&log);
        assert_int_equal(log_says(attempt), attempt == 1 ? WHOLE : CUT);
    }
    assert_clean();
}

static void test_out_of_memory(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    struct order_container small = {.memory = 16 << 20};
    one_worker_start(o, NULL, docker_flags);
    /* By process 1's child, and by a process whose parent goes on and fails for it. */
    order_container(1, "exec tail /dev/zero", (struct order_start){.container = &small});
    order_container(2, "tail /dev/zero; sleep 1; exit 9",
                    (struct order_start){.container = &small});
    order_container(3, "tail /dev/zero; exit 0", (struct order_start){.container = &small});
    for (int attempt = 1; attempt <= 2; attempt++) {
        struct seen_attempt *s = one_worker_finished(o, attempt);
        print_message("%s\n", s->reason);
        assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_FAILED);
        assert_int_equal(s->exit_code, attempt == 1 ? 137 : 9);
        assert_string_equal(s->reason, "out of memory: its limit was 16777216 bytes");
    }
    /* One that copes with it has succeeded. */
    assert_int_equal(one_worker_finished(o, 3)->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
    assert_clean();
}

static void test_fuse(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    one_worker_start(o, NULL, docker_flags);
    order_container(1, "trap '' TERM; echo up; while :; do sleep 1; done",
                    (struct order_start){.lost_after_us = 5500 * US_PER_MS});
    until_running(1);
    o->mute = true;
    const int64_t began = clock_monotonic_us();
    int left = 1;
    while (left && clock_monotonic_us() - began < 80 * US_PER_S) {
        one_worker_pass(o, 100);
        json_t *list = NULL;
        engine_get("GET", "/containers/json", NULL, &list); /* those that run */
        left = (int)json_array_size(list);
        json_decref(list);
    }
    const double after = (double)(clock_monotonic_us() - began) / 1e6;
    print_message("its container has ended %.1f s after the last grant\n", after);
    assert_int_equal(left, 0);
    assert_true(after < 60); /* the lease's 10 s, then what it is given to end; 95 s by default */
    o->mute = false;
    struct seen_attempt *s = one_worker_finished(o, 1);
    print_message("%s\n", s->reason);
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_LOST);
    assert_non_null(strstr(s->reason, "fuse"));
    assert_clean();
}

static void test_one_that_ignores_term(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    one_worker_start(o, NULL, docker_flags);
    order_container(1, "trap 'echo not I' TERM; echo up; " READY "while :; do sleep 0.1; done",
                    (struct order_start){0});
    until_running(1);
    until_ready(1);
    struct order cancel = {.kind = ORDER_KIND_CANCEL,
                           .attempt = one_worker_id(1),
                           .nonce = 1,
                           .grace_us = 5 * US_PER_S,
                           .reason = "enough"};
    const int64_t began = clock_monotonic_us();
    one_worker_send(o, &cancel);
    struct seen_attempt *s = one_worker_finished(o, 1);
    const int64_t took = clock_monotonic_us() - began;
    print_message("gone after %.1f s\n", (double)took / 1e6);
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_CANCELLED);
    assert_int_equal(s->exit_code, 137);
    assert_true(took >= 5 * US_PER_S && took < 60 * US_PER_S);
    assert_log_is(1, "up\nnot I\n");
    assert_clean();
}

/* Without live-restore containers end with their engine, which tells of it as it goes or when it is
 * back: each is judged once. */
static void test_engine_away(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    one_worker_start(o, NULL, docker_flags);
    order_container(1, "trap 'exit 0' TERM; echo up; " READY "sleep 600 & wait",
                    (struct order_start){0});
    order_container(2, "echo up; " READY "sleep 600", (struct order_start){0});
    until_ready(1);
    until_ready(2);
    engine_service("down");
    one_worker_pass(o, AWAY_MS);
    engine_service("up");
    assert_int_equal(one_worker_finished(o, 1)->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
    struct seen_attempt *s = one_worker_finished(o, 2);
    print_message("%s\n", s->reason);
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_LOST);
    assert_int_equal(o->seen[1].finished, 1);
    assert_int_equal(o->seen[2].finished, 1);
    assert_log_is(1, "up\n");
    assert_log_is(2, "up\n");
    assert_clean();
}

#define UNTIL_LET "while [ ! -e $LEAT_OUT/let ]; do sleep 0.1; done; "

static void let_end(int attempt)
{
    char path[400];
    one_worker_workspace(o, attempt, "out/let", path, sizeof path);
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
}

/* With live-restore they go on: one ends while the engine is away, one after that. */
static void test_live_restore(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    struct order_output outputs[] = {{"ledger", ORDER_OUTPUT_TYPE_ARTIFACT, false, NULL}};
    struct order_start start = {.outputs = outputs, .outputs_count = 1};
    engine_service("down");
    engine_service_with("up", "live_restore=true");
    one_worker_start(o, NULL, docker_flags);
    order_container(1, "echo $$ >> /leat/out/ledger; echo a; " READY UNTIL_LET "echo b", start);
    order_container(2, "echo $$ >> /leat/out/ledger; echo a; " READY UNTIL_LET "echo b", start);
    order_container(3, "echo a; " READY UNTIL_LET "exit 5", (struct order_start){0});
    order_container(4, "echo a; " READY UNTIL_LET "exit 5", (struct order_start){0});
    for (int attempt = 1; attempt <= 4; attempt++)
        until_ready(attempt);
    engine_service("kill");
    let_end(1);
    let_end(3);
    one_worker_pass(o, AWAY_MS);
    assert_int_equal(o->seen[1].finished, 0);
    engine_service("up");
    one_worker_finished(o, 1);
    one_worker_finished(o, 3); /* so the worker has looked at all of them */
    one_worker_pass(o, 5000);
    let_end(2);
    let_end(4);
    for (int attempt = 1; attempt <= 4; attempt++) {
        struct seen_attempt *s = one_worker_finished(o, attempt);
        print_message("%d: %d %s\n", attempt, s->outcome, s->reason);
    }
    for (int attempt = 1; attempt <= 2; attempt++) {
        struct seen_attempt *s = &o->seen[attempt];
        assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
        assert_int_equal(json_get_int(json_object_get(s->outputs, "ledger"), "size", 0), 2);
        assert_int_equal(log_says(attempt), attempt == 2 ? WHOLE : CUT);
    }
    assert_log_is(2, "a\nb\n");
    assert_int_equal(o->seen[3].outcome, REPORT_RESULT_OUTCOME_LOST);   /* nobody can say */
    assert_int_equal(o->seen[4].outcome, REPORT_RESULT_OUTCOME_FAILED); /* its own end */
    assert_int_equal(o->seen[4].exit_code, 5);
    assert_clean();
}

static int up_teardown(void **state)
{
    if (o) {
        engine_service("down");
        engine_service_with("up", "live_restore=false");
    }
    return docker_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_log_limit, docker_setup, docker_teardown),
        cmocka_unit_test_setup_teardown(test_out_of_memory, docker_setup, docker_teardown),
        cmocka_unit_test_setup_teardown(test_fuse, docker_setup, docker_teardown),
        cmocka_unit_test_setup_teardown(test_one_that_ignores_term, docker_setup, docker_teardown),
        cmocka_unit_test_setup_teardown(test_engine_away, docker_setup, up_teardown),
        cmocka_unit_test_setup_teardown(test_live_restore, docker_setup, up_teardown),
    };
    cmocka_set_test_filter(getenv("LEAT_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

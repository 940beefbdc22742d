/* The process executor over a real leat-keeper: byte-exact arguments, exec failures, time limits,
 * groups, logs. */
#include "tests/integration/keeper_fixture.h"

/* ---- tests: starting
 * ----------------------------------------------------------------------------- */

static void test_exit_code_output_and_environment(void **state)
{
    (void)state;
    shell(1, "echo out; echo err >&2; env | sort; pwd; exit 7");
    until(&seen[1].exited);
    assert_true(seen[1].started);
    assert_int_equal(seen[1].exit.exit_code, 7);
    assert_true(seen[1].exit.finished_us >= seen[1].exit.started_us);
    cleanup_free char *log = log_of(1);
    char text[UUID_TEXT];
    const struct uuid attempt = id(1);
    uuid_format(&attempt, text);
    cleanup_free char *want = mem_printf("out\nerr\nLEAT_ATTEMPT_ID=%s\n"
                                         "PATH=/usr/bin:/bin\nPWD=%s\n%s\n",
                                         text, dir, dir);
    assert_string_equal(log, want);
    assert_int_equal(seen[1].exit.log_bytes, strlen(want));
    assert_string_equal(seen[1].reason, "");
}

static void test_hostile_arguments_arrive_byte_for_byte(void **state)
{
    (void)state;
    static const char *const hostile[] = {"printf",
                                          "%s\\n",
                                          "a'b\"c",
                                          "$(touch pwned) `id` ${HOME}",
                                          "line\nbreak\ttab",
                                          "../../etc/passwd",
                                          "\xe2\x80\xae"
                                          "fdp.exe",
                                          "",
                                          "; rm -rf *",
                                          "\\",
                                          NULL};
    const struct executor_spec spec = spec_of(1, hostile);
    run_to_end(&spec);
    struct text want = {0};
    for (size_t i = 2; hostile[i]; i++)
        text_printf(&want, "%s\n", hostile[i]);
    cleanup_free char *log = log_of(1);
    assert_string_equal(log, want.data);
    text_free(&want);
    assert_int_not_equal(access(path_in("pwned"), F_OK), 0);
}

static void test_command_that_cannot_be_executed(void **state)
{
    (void)state;
    const char *const missing[] = {"no-such-program", NULL};
    const char *const folder[] = {"/", NULL};
    const char *const empty[] = {"", NULL};
    cleanup_free char *script_path = mem_string(path_in("script"));
    const char *const bad_interpreter[] = {script_path, NULL};
    cleanup_close int fd = open(script_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    assert_true(write(fd, "#!/no/interpreter\n", 18) == 18);
    close(fd); /* or it could not be executed */
    fd = -1;
    const struct executor_spec specs[] = {spec_of(1, missing), spec_of(2, folder),
                                          spec_of(3, empty), spec_of(4, bad_interpreter)};
    for (size_t i = 0; i < ARRAY_LEN(specs); i++)
        run_to_end(&specs[i]);
    assert_int_equal(seen[1].exit.exit_code, 127);
    assert_string_equal(seen[1].reason, "command not found: no-such-program");
    assert_int_equal(seen[2].exit.exit_code, 126);
    assert_string_equal(seen[2].reason, "cannot execute /: Permission denied");
    assert_int_equal(seen[3].exit.exit_code, 127);
    assert_non_null(strstr(seen[4].reason, "its interpreter does not exist"));
    assert_false(seen[1].started);
}

static void test_working_directory_that_is_not_there(void **state)
{
    (void)state;
    const char *const argv[] = {"true", NULL};
    struct executor_spec spec = spec_of(1, argv);
    spec.workdir = "/no/such/folder";
    run_to_end(&spec);
    assert_int_equal(seen[1].exit.exit_code, 126);
    assert_string_equal(seen[1].reason,
                        "working directory /no/such/folder: No such file or directory");
}

static void test_arguments_at_and_over_the_limit(void **state)
{
    (void)state;
    enum { BIG = 120 * 1024 };
    char *big = mem_alloc(BIG + 1);
    memset(big, 'x', BIG);
    const char *const argv[] = {"sh", "-c", "printf %s \"$1$2\" | wc -c", "sh", big, big, NULL};
    const char *const over[] = {"true", big, big, big, NULL};
    struct executor_spec spec = spec_of(1, argv);
    run_to_end(&spec);
    cleanup_free char *log = log_of(1);
    assert_string_equal(log, "245760\n");
    struct err err = {0};
    spec = spec_of(2, over);
    assert_int_equal(ex->ops->start(ex, &spec, &err), LEAT_ELIMIT);
    const char *const none[] = {NULL};
    spec = spec_of(3, none);
    assert_int_equal(ex->ops->start(ex, &spec, &err), LEAT_EINPUT);
    free(big);
}

static void test_child_starts_clean(void **state)
{
    (void)state;
    shell(1,
          "ls /proc/self/fd | tr '\\n' ' '; grep -E 'SigBlk|SigIgn' /proc/self/status; "
          "readlink /proc/self/fd/0; ps -o pid=,pgid=,sid= -p $$ | awk '{print ($1==$2)($2==$3)}'");
    until(&seen[1].exited);
    cleanup_free char *log = log_of(1);
    assert_string_equal(log, "0 1 2 3 SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
                             "/dev/null\n11\n");
}

static void test_same_attempt_twice_runs_once(void **state)
{
    (void)state;
    shell(1, "echo ran >> twice");
    until(&seen[1].exited);
    shell(1, "echo ran >> twice");
    run_for(100000);
    cleanup_free char *text = read_all(path_in("twice"));
    assert_string_equal(text, "ran\n");
    assert_int_equal(seen[1].exits, 1);
    ex->ops->forget(ex, &(struct uuid){{0}}); /* unknown: nothing */
}

/* ---- tests: ending
 * -------------------------------------------------------------------------------- */

static void test_timeout_term_then_kill(void **state)
{
    (void)state;
    const char *const polite[] = {"sleep", "600", NULL};
    const char *const deaf[] = {"sh", "-c", "trap '' TERM; while :; do sleep 0.05; done", NULL};
    struct executor_spec a = spec_of(1, polite), b = spec_of(2, deaf);
    a.timeout_us = 200 * US_PER_MS;
    b.timeout_us = 10 * US_PER_S; /* on a busy machine a shell needs its time to turn deaf */
    const int64_t begun = clock_monotonic_us();
    start(&a);
    start(&b);
    until(&seen[1].exited);
    assert_true(clock_monotonic_us() - begun >= 200 * US_PER_MS);
    until(&seen[2].exited);
    assert_true(clock_monotonic_us() - begun >= 10300 * US_PER_MS);
    assert_true(seen[1].exit.timed_out && seen[2].exit.timed_out);
    assert_int_equal(seen[1].exit.exit_code, 128 + SIGTERM);
    assert_int_equal(seen[2].exit.exit_code, 128 + SIGKILL);
}

static void test_stop_and_stop_without_grace(void **state)
{
    (void)state;
    shell(1, "trap 'echo bye; exit 3' TERM; echo $$ > ready1; while :; do sleep 0.05; done");
    shell(2, "trap '' TERM; echo $$ > ready2; while :; do sleep 0.05; done");
    wait_for_pid("ready1");
    wait_for_pid("ready2");
    const struct uuid polite = id(1), deaf = id(2);
    ex->ops->stop(ex, &polite, 60 * US_PER_S);
    ex->ops->stop(ex, &deaf, 0);
    until(&seen[1].exited);
    until(&seen[2].exited);
    assert_true(seen[1].exit.cancelled && seen[2].exit.cancelled);
    assert_int_equal(seen[1].exit.exit_code, 3);
    assert_int_equal(seen[2].exit.exit_code, 128 + SIGKILL);
}

static void test_fuse_ends_what_no_lease_covers(void **state)
{
    (void)state;
    const char *const argv[] = {"sleep", "600", NULL};
    struct executor_spec spec = spec_of(1, argv);
    spec.fuse_slack_us = 100 * US_PER_MS;
    ex->ops->lease(ex, clock_boottime_us() + 5 * US_PER_S);
    start(&spec);
    until(&seen[1].started);
    const int64_t moved = clock_boottime_us() + 6 * US_PER_S;
    ex->ops->lease(ex, moved); /* it goes on */
    until(&seen[1].exited);
    assert_true(clock_boottime_us() >= moved + spec.fuse_slack_us);
    assert_true(seen[1].exit.fused);
    assert_false(seen[1].exit.timed_out);
}

static void test_fuse_burns_without_the_worker(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "echo $$ > alone; exec sleep 600", NULL};
    struct executor_spec spec = spec_of(1, argv);
    spec.fuse_slack_us = 100 * US_PER_MS;
    ex->ops->lease(ex, clock_boottime_us() + 8 * US_PER_S);
    start(&spec);
    while (access(path_in("alone"), F_OK) != 0) { /* as long as it takes */
        ex->ops->lease(ex, clock_boottime_us() + 8 * US_PER_S);
        run_for(100000);
    }
    const pid_t pid = wait_for_pid("alone");
    close_executor();
    assert_goes_alone(pid);
    open_executor();
    until(&ready);
    assert_true(ex->ops->adopt(ex, &spec));
    until(&seen[1].exited);
    assert_true(seen[1].exit.fused);
}

static void test_group_and_escaped_grandchildren_are_killed(void **state)
{
    (void)state;
    shell(1, "sleep 60 & echo $! > grandchild; setsid sh -c 'echo $$ > escaped; exec sleep 60' & "
             "while [ ! -s escaped ]; do sleep 0.01; done; exit 0");
    const pid_t grandchild = wait_for_pid("grandchild");
    const pid_t escaped = wait_for_pid("escaped");
    until(&seen[1].exited);
    assert_int_equal(seen[1].exit.exit_code, 0);
    assert_goes(grandchild);
    assert_goes(escaped);
}

/* ---- tests: logs
 * ---------------------------------------------------------------------------------- */

static void test_log_limit(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x; exit 4", NULL};
    struct executor_spec spec = spec_of(1, argv), exact = spec_of(2, argv);
    spec.log_limit = 999999;
    exact.log_limit = 1000000;
    run_to_end(&spec);
    run_to_end(&exact);
    assert_int_equal(seen[1].exit.exit_code, 4); /* the program itself saw nothing of it */
    assert_true(seen[1].exit.truncated);
    assert_int_equal(seen[1].exit.log_bytes, 999999);
    assert_false(seen[2].exit.truncated);
    assert_int_equal(seen[2].exit.log_bytes, 1000000);
    struct stat st;
    assert_int_equal(stat(spec.log_path, &st), 0);
    assert_int_equal(st.st_size, 999999);
}

static void test_log_that_cannot_be_written(void **state)
{
    (void)state;
    const char *const argv[] = {"echo", "lost", NULL};
    struct executor_spec spec = spec_of(1, argv);
    spec.log_path = "/no/such/folder/log";
    run_to_end(&spec);
    assert_int_equal(seen[1].exit.exit_code, 0);
    assert_true(seen[1].exit.truncated);
}

static void test_silent_step_makes_no_log(void **state)
{
    (void)state;
    const char *const argv[] = {"true", NULL};
    const struct executor_spec spec = spec_of(1, argv);
    run_to_end(&spec);
    assert_int_not_equal(access(spec.log_path, F_OK), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_exit_code_output_and_environment),
        T(test_hostile_arguments_arrive_byte_for_byte),
        T(test_command_that_cannot_be_executed),
        T(test_working_directory_that_is_not_there),
        T(test_arguments_at_and_over_the_limit),
        T(test_child_starts_clean),
        T(test_same_attempt_twice_runs_once),
        T(test_timeout_term_then_kill),
        T(test_stop_and_stop_without_grace),
        T(test_fuse_ends_what_no_lease_covers),
        T(test_fuse_burns_without_the_worker),
        T(test_group_and_escaped_grandchildren_are_killed),
        T(test_log_limit),
        T(test_log_that_cannot_be_written),
        T(test_silent_step_makes_no_log),
    };
    cmocka_set_test_filter(getenv("LEAT_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

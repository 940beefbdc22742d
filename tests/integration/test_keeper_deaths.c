/* The process executor over a real leat-keeper: deaths of either side, strays, recycled pids, many
 * at once. */
#include "tests/integration/keeper_fixture.h"

static void make_file(const char *name)
{
    cleanup_close int fd = open(path_in(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
}

/* ---- tests: deaths
 * --------------------------------------------------------------------------------- */

static void test_worker_dies_and_adopts(void **state)
{
    (void)state;
    shell(1, "echo 1; echo 2; echo $$ > running; while [ ! -e alone ]; do sleep 0.1; done; "
             "echo 3; echo 4; echo $$ > written; while [ ! -e adopted ]; do sleep 0.1; done; "
             "echo 5; echo 6; exit 5");
    shell(2, "exit 6");
    const pid_t pid = wait_for_pid("running");
    until(&seen[2].exited);
    memset(seen, 0, sizeof seen);
    close_executor(); /* as by kill -9: the keeper is told nothing */
    make_file("alone");
    for (int i = 0; i < 12000 && access(path_in("written"), F_OK) != 0; i++)
        usleep(10000);
    assert_false(is_gone(pid));
    open_executor();
    until(&ready);
    const struct uuid a = id(1), b = id(2), c = id(3);
    assert_true(ex->ops->adopt(ex, &(struct executor_spec){.attempt = a}));
    assert_true(ex->ops->adopt(ex, &(struct executor_spec){.attempt = b}));
    assert_false(ex->ops->adopt(ex, &(struct executor_spec){.attempt = c}));
    ex->ops->settle(ex);
    make_file("adopted");
    until(&seen[1].exited);
    until(&seen[2].exited);
    assert_int_equal(seen[1].exit.exit_code, 5);
    assert_int_equal(seen[2].exit.exit_code, 6);
    cleanup_free char *log = log_of(1);
    assert_string_equal(log,
                        "1\n2\n3\n4\n5\n6\n"); /* also what was written while nobody listened */
}

static void test_strays_are_ended(void **state)
{
    (void)state;
    shell(1, "echo $$ > stray; exec sleep 30");
    const pid_t pid = wait_for_pid("stray");
    close_executor();
    open_executor();
    until(&ready);
    ex->ops->settle(ex);
    assert_goes(pid);
    assert_false(seen[1].exited);
    while (kill(pid, 0) == 0)
        run_for(10000);
    shell(2, "exit 0"); /* its end is told after that of the stray, which is forgotten then */
    until(&seen[2].exited);
    assert_false(seen[1].exited);
    close_executor();
    open_executor();
    until(&ready);
    const struct uuid stray = id(1);
    assert_false(ex->ops->adopt(ex, &(struct executor_spec){.attempt = stray}));
}

static void test_forgotten_is_unknown(void **state)
{
    (void)state;
    shell(1, "exit 0");
    until(&seen[1].exited);
    const struct uuid a = id(1);
    ex->ops->forget(ex, &a);
    run_for(50000);
    close_executor();
    open_executor();
    until(&ready);
    assert_false(ex->ops->adopt(ex, &(struct executor_spec){.attempt = a}));
}

static void test_keeper_dies(void **state)
{
    (void)state;
    shell(1,
          "sleep 60 & echo $! > inner; setsid sleep 60 & echo $! > outer; echo $$ > shell; wait");
    shell(2, "exit 2");
    const pid_t inner = wait_for_pid("inner"), outer = wait_for_pid("outer"),
                leader = wait_for_pid("shell");
    until(&seen[2].exited);
    const pid_t keeper = keeper_pid();
    assert_true(keeper > 0);
    kill(keeper, SIGKILL);
    until(&seen[1].lost);
    assert_string_equal(seen[1].reason, "the keeper that ran it died");
    assert_goes(leader);
    assert_goes(inner);
    assert_goes(outer);
    assert_int_equal(seen[2].exits, 1); /* told once, and still known */
    shell(3, "exit 3");
    until(&seen[3].exited);
    assert_int_equal(seen[3].exit.exit_code, 3);
    assert_int_not_equal(keeper_pid(), keeper);
}

static void test_keeper_dies_with_the_worker_away(void **state)
{
    (void)state;
    shell(1, "echo $$ > away; exec sleep 60");
    shell(2, "exit 9");
    const pid_t pid = wait_for_pid("away");
    until(&seen[2].exited);
    memset(seen, 0, sizeof seen);
    close_executor();
    const pid_t keeper = keeper_pid();
    assert_true(keeper > 0); /* 0 would be all of this test */
    kill(keeper, SIGKILL);
    assert_goes_alone(pid);
    open_executor();
    until(&ready);
    const struct uuid a = id(1), b = id(2);
    assert_true(ex->ops->adopt(ex, &(struct executor_spec){.attempt = a}));
    assert_true(ex->ops->adopt(ex, &(struct executor_spec){.attempt = b}));
    until(&seen[1].lost);
    until(&seen[2].exited); /* its status was kept on disk */
    assert_int_equal(seen[2].exit.exit_code, 9);
}

/* A record whose pid is a stranger's now: the stranger lives. */
static void test_recycled_pid_is_spared(void **state)
{
    (void)state;
    close_executor();
    const pid_t keeper = keeper_pid();
    assert_true(keeper > 0);
    kill(keeper, SIGKILL);
    assert_goes_alone(keeper);
    const pid_t stranger = fork();
    if (stranger == 0) {
        setsid();
        pause();
        _exit(0);
    }
    usleep(200000);
    struct table t;
    bool same_boot;
    struct err err = {0};
    assert_int_equal(table_open(&t, dir, &same_boot, &err), 0);
    assert_true(same_boot);
    const struct uuid a = id(1);
    const int64_t slot = table_add(&t, &a, &err);
    assert_true(slot >= 0);
    table_at(&t, (size_t)slot)->pid = stranger;
    table_at(&t, (size_t)slot)->begun_us = clock_boottime_us() - 60 * US_PER_S;
    record_move(table_at(&t, (size_t)slot), RECORD_BEGUN);
    table_close(&t);
    open_executor();
    until(&ready);
    assert_true(ex->ops->adopt(ex, &(struct executor_spec){.attempt = a}));
    until(&seen[1].lost);
    run_for(100000);
    assert_false(is_gone(stranger));
    kill(stranger, SIGKILL);
}

static void test_term_ends_all_that_runs(void **state)
{
    (void)state;
    shell(1, "setsid sleep 60 & echo $! > outer; trap '' TERM; echo $$ > deaf; while :; do sleep "
             "0.1; done");
    const pid_t outer = wait_for_pid("outer"), leader = wait_for_pid("deaf");
    const pid_t keeper = wait_for_pid("keeper.pid");
    assert_int_equal(keeper, keeper_pid());
    close_executor();
    kill(keeper, SIGTERM);
    assert_goes_alone(keeper);
    assert_true(is_gone(leader));
    assert_goes_alone(outer);
    open_executor();
    until(&ready);
    const struct uuid a = id(1);
    assert_true(ex->ops->adopt(ex, &(struct executor_spec){.attempt = a}));
    until(&seen[1].lost);
    assert_string_equal(seen[1].reason, "its keeper was told to end");
}

static void test_keeper_ignores_polite_signals(void **state)
{
    (void)state;
    const pid_t keeper = keeper_pid();
    kill(keeper, SIGINT);
    kill(keeper, SIGHUP);
    shell(1, "exit 0");
    until(&seen[1].exited);
    assert_int_equal(keeper_pid(), keeper);
}

/* ---- tests: many
 * ----------------------------------------------------------------------------------- */

static void test_a_thousand(void **state)
{
    (void)state;
    enum { N = 1000 };
    const char *const argv[] = {"/bin/true", NULL};
    struct executor_spec spec = spec_of(0, argv);
    const int64_t begun = clock_monotonic_us();
    for (int i = 0; i < N; i++) {
        spec.attempt = id(i);
        start(&spec);
    }
    bool all = false;
    while (!all) {
        loop_step(loop, true);
        all = ended == N;
    }
    const int64_t took = clock_monotonic_us() - begun;
    for (int i = 0; i < N; i++) {
        assert_int_equal(seen[i].exits, 1);
        assert_int_equal(seen[i].exit.exit_code, 0);
        const struct uuid a = id(i);
        ex->ops->forget(ex, &a);
    }
    print_message("%d processes in %d ms\n", N, (int)(took / 1000));
}

/* ---- tests: its own log
 * ------------------------------------------------------------------------------ */

static int64_t size_in(const char *name)
{
    struct stat st;
    return stat(path_in(name), &st) == 0 ? (int64_t)st.st_size : -1;
}

/* Turned over and written to. */
static bool is_fresh(const char *name)
{
    const int64_t size = size_in(name);
    return size > 0 && size <= 1000;
}

/* It turns its log over itself, by the line that would not fit; one old file stays. */
static void test_its_log_is_bounded(void **state)
{
    (void)state;
    enum { MOST = 1 << 20 };
    until(&ready);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(truncate(path_in("keeper.log"), MOST - i), 0);
        const pid_t keeper = keeper_pid();
        close_executor();
        kill(keeper, SIGTERM);
        assert_goes_alone(keeper); /* the next is not to take this one for its own */
        assert_true(is_fresh("keeper.log"));
        assert_int_equal(size_in("keeper.log.1"), MOST - i);
        assert_in_range(size_in("keeper.log"), 1, 1000);
        assert_int_equal(size_in("keeper.log.2"), -1);
        open_executor();
        until(&ready);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_worker_dies_and_adopts),
        T(test_strays_are_ended),
        T(test_forgotten_is_unknown),
        T(test_keeper_dies),
        T(test_keeper_dies_with_the_worker_away),
        T(test_recycled_pid_is_spared),
        T(test_term_ends_all_that_runs),
        T(test_keeper_ignores_polite_signals),
        T(test_a_thousand),
        T(test_its_log_is_bounded),
    };
    cmocka_set_test_filter(getenv("LEAT_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

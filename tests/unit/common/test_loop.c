/* The loop: order, exactness of timers, freeing in callbacks, processes, threads, sleep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include "tests/support/cpu.h"

static struct loop *loop;
static char trace[256];
static size_t traced;

/* A callback's argument that is one character of the trace. */
#define MARK(c) ((void *)(intptr_t)(c))

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    memset(trace, 0, sizeof trace);
    traced = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

static void note(void *arg)
{
    trace[traced++] = (char)(intptr_t)arg;
}

static void stop(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

/* Runs until `stop`, or for longer than any machine is busy. */
static void run(void)
{
    struct loop_timer guard = {0};
    loop_timer_start(loop, &guard, 60 * US_PER_S, 0, stop, NULL);
    loop_run(loop);
    assert_true(loop_timer_armed(&guard));
    loop_timer_stop(&guard);
}

static void test_timers_fire_in_order(void **state)
{
    (void)state;
    struct loop_timer a = {0}, b = {0}, c = {0}, end = {0};
    loop_timer_start(loop, &c, 3000, 0, note, MARK('c'));
    loop_timer_start(loop, &a, 1000, 0, note, MARK('a'));
    loop_timer_start(loop, &b, 2000, 0, note, MARK('b'));
    loop_timer_start(loop, &end, 4000, 0, stop, NULL);
    run();
    assert_string_equal(trace, "abc");
    assert_false(loop_timer_armed(&a));
}

static void test_timer_is_never_early_and_finer_than_a_millisecond(void **state)
{
    (void)state;
    int64_t least = INT64_MAX;
    const int64_t end = clock_monotonic_us() + 60 * US_PER_S; /* a busy machine is often late */
    for (int i = 0; i < 50 || (least >= 1000 && clock_monotonic_us() < end); i++) {
        struct loop_timer t = {0};
        const int64_t start = clock_monotonic_us();
        loop_timer_start(loop, &t, 200, 0, stop, NULL);
        loop_run(loop);
        const int64_t took = clock_monotonic_us() - start;
        assert_true(took >= 200);
        least = took < least ? took : least;
    }
    assert_true(least < 1000);
}

static void test_many_timers_keep_their_heap(void **state)
{
    (void)state;
    enum { N = 500 };
    struct loop_timer *t = mem_array(N, sizeof *t);
    for (int i = 0; i < N; i++)
        loop_timer_start(loop, &t[i], (i * 7919) % 100000 + 600 * US_PER_S, 0, note, MARK('x'));
    for (int i = 0; i < N; i += 3)
        loop_timer_stop(&t[i]);
    for (int i = 1; i < N; i += 3)
        loop_timer_start(loop, &t[i], i * 10, 0, note, MARK('y'));
    for (int i = 1; i < N; i += 3)
        if (i % 2)
            loop_timer_stop(&t[i]);
    struct loop_timer end = {0};
    loop_timer_start(loop, &end, 20000, 0, stop, NULL);
    run();
    size_t expected = 0;
    for (int i = 1; i < N; i += 3)
        expected += i % 2 == 0;
    assert_int_equal(traced, expected);
    assert_null(strchr(trace, 'x'));
    for (int i = 0; i < N; i++)
        loop_timer_stop(&t[i]);
    free(t);
}

struct owner {
    struct loop_timer timer;
    struct loop_fd fd;
};

static void free_owner(void *arg)
{
    struct owner *o = arg;
    loop_timer_stop(&o->timer);
    loop_fd_stop(&o->fd);
    free(o);
    loop_stop(loop);
}

static void test_timer_callback_may_free_its_owner(void **state)
{
    (void)state;
    struct owner *one_shot = mem_alloc(sizeof *one_shot);
    loop_timer_start(loop, &one_shot->timer, 10, 0, free_owner, one_shot);
    run();
    struct owner *repeating = mem_alloc(sizeof *repeating);
    loop_timer_start(loop, &repeating->timer, 10, 10, free_owner, repeating);
    run();
}

static int beats;
static void beat(void *arg)
{
    (void)arg;
    if (++beats == 1)
        usleep(10500); /* misses ten of them */
    if (beats == 3)
        loop_stop(loop);
}

static void test_repeating_timer_skips_missed_beats(void **state)
{
    (void)state;
    beats = 0;
    struct loop_timer t = {0};
    const int64_t start = clock_monotonic_us();
    loop_timer_start(loop, &t, 1000, 1000, beat, NULL);
    run();
    assert_true(clock_monotonic_us() - start >= 12000);
    loop_timer_stop(&t);
}

static void test_timer_far_away_does_not_overflow(void **state)
{
    (void)state;
    struct loop_timer far = {0}, end = {0};
    loop_timer_start(loop, &far, INT64_MAX, 0, note, MARK('f'));
    loop_timer_start(loop, &end, -5, 0, stop, NULL);
    run();
    assert_int_equal(traced, 0);
    loop_timer_stop(&far);
}

static void defer_more(void *arg)
{
    note(arg);
    loop_defer(loop, note, MARK('2'));
    loop_defer(loop, stop, NULL);
}

static void test_deferred_calls_keep_their_order_and_do_not_nest(void **state)
{
    (void)state;
    loop_defer(loop, note, MARK('0'));
    loop_defer(loop, defer_more, MARK('1'));
    loop_defer(loop, note, MARK('x'));
    const int64_t start = clock_monotonic_us();
    run();
    assert_string_equal(trace, "01x2");
    assert_true(clock_monotonic_us() - start < 30 * US_PER_S); /* nothing slept in between */
}

static void drain(void *arg, int events)
{
    char buf[16];
    const int fd = *(int *)arg;
    if (events & LOOP_READ)
        note(read(fd, buf, sizeof buf) > 0 ? MARK('r') : MARK('e'));
    if (events & LOOP_WRITE)
        note(MARK('w'));
    if (events & LOOP_HANGUP)
        note(MARK('h'));
    loop_stop(loop);
}

static void test_fd_watch(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct loop_fd watch = {0};
    assert_int_equal(loop_fd_start(loop, &watch, pair[0], LOOP_READ, drain, &pair[0], NULL), 0);
    loop_step(loop, false);
    assert_string_equal(trace, "");
    assert_int_equal(write(pair[1], "x", 1), 1);
    run();
    assert_string_equal(trace, "r");
    loop_fd_events(&watch, LOOP_WRITE);
    run();
    assert_string_equal(trace, "rw");
    loop_fd_events(&watch, 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    loop_step(loop, false);
    assert_string_equal(trace, "rw");
    loop_fd_events(&watch, LOOP_HANGUP);
    close(pair[1]);
    run();
    assert_string_equal(trace, "rwh");
    loop_fd_stop(&watch);
    loop_fd_stop(&watch);
    close(pair[0]);
}

static void take_one(void *arg, int events)
{
    char byte;
    (void)events;
    const bool data = read(*(int *)arg, &byte, 1) == 1;
    note(data ? MARK('r') : errno == ECONNRESET ? MARK('x') : MARK('e'));
    loop_stop(loop);
}

/* Whose peer goes away without having read has data and an error at once. The data says why the
 * peer went, so it is read first, and the error has to be told after it. */
static void test_fd_with_an_error_is_told_until_it_is_taken(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct loop_fd watch = {0};
    assert_int_equal(write(pair[0], "q", 1), 1); /* that the peer never reads */
    assert_int_equal(write(pair[1], "ab", 2), 2);
    close(pair[1]);
    assert_int_equal(loop_fd_start(loop, &watch, pair[0], LOOP_READ, take_one, &pair[0], NULL), 0);
    for (int i = 0; i < 3; i++)
        run();
    assert_string_equal(trace, "rrx");
    loop_fd_stop(&watch);
    close(pair[0]);
}

static void test_regular_file_cannot_be_watched(void **state)
{
    (void)state;
    struct err err = {0};
    struct loop_fd watch = {0};
    cleanup_close int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(loop_fd_start(loop, &watch, fd, LOOP_READ, drain, &fd, &err), LEAT_EIO);
    assert_int_equal(err.code, LEAT_EIO);
    assert_null(watch.watch);
    loop_fd_stop(&watch);
}

static void test_signal(void **state)
{
    (void)state;
    loop_stop_on_signals(loop);
    loop_on_signal(loop, SIGHUP, note, MARK('H'));
    kill(getpid(), SIGHUP);
    const int64_t end = clock_monotonic_us() + 60 * US_PER_S;
    while (traced == 0 && clock_monotonic_us() < end)
        loop_step(loop, false);
    kill(getpid(), SIGTERM);
    run();
    assert_string_equal(trace, "H");
}

static int child_status;
static pid_t child_pid;
static void child_ended(void *arg, pid_t pid, int status)
{
    child_pid = pid;
    child_status = status;
    free(arg);
    loop_stop(loop);
}

static void test_child_exit(void **state)
{
    (void)state;
    const pid_t pid = fork();
    if (pid == 0)
        _exit(7);
    struct loop_child *child = mem_alloc(sizeof *child);
    assert_int_equal(loop_child_start(loop, child, pid, child_ended, child, NULL), 0);
    run();
    assert_int_equal(child_pid, pid);
    assert_true(WIFEXITED(child_status) && WEXITSTATUS(child_status) == 7);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* reaped */
    struct err err = {0};
    struct loop_child none = {0};
    assert_int_equal(loop_child_start(loop, &none, pid, child_ended, NULL, &err), LEAT_ENOTFOUND);
    loop_child_stop(&none);
}

static void test_grandchild_exit_has_no_status(void **state)
{
    (void)state;
    int tell[2], go[2];
    char byte;
    assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    const pid_t middle = fork();
    if (middle == 0) {
        const pid_t grandchild = fork();
        if (grandchild == 0) {
            close(go[1]);
            (void)!read(go[0], &byte, 1); /* until it is watched */
            _exit(3);
        }
        _exit(write(tell[1], &grandchild, sizeof grandchild) == sizeof grandchild ? 0 : 1);
    }
    pid_t pid = 0;
    assert_int_equal(read(tell[0], &pid, sizeof pid), sizeof pid);
    assert_int_equal(waitpid(middle, NULL, 0), middle);
    struct loop_child *child = mem_alloc(sizeof *child);
    assert_int_equal(loop_child_start(loop, child, pid, child_ended, child, NULL), 0);
    close(go[1]);
    run();
    assert_int_equal(child_pid, pid);
    assert_int_equal(child_status, -1);
    close(go[0]);
    close(tell[0]);
    close(tell[1]);
}

static pthread_t worked_on;
static void work(void *arg)
{
    worked_on = pthread_self();
    *(int *)arg = 42;
}

static void worked(void *arg)
{
    assert_int_equal(*(int *)arg, 42);
    assert_false(pthread_equal(worked_on, pthread_self()));
    note(MARK('d'));
    loop_stop(loop);
}

static void test_work_runs_on_a_thread(void **state)
{
    (void)state;
    int value = 0;
    loop_work(loop, work, worked, &value);
    assert_int_equal(traced, 0);
    run();
    assert_string_equal(trace, "d");
    value = 0;
    loop_work(loop, work, worked, &value);
    loop_free(loop); /* waits for the job and tells its end */
    loop = NULL;
    assert_string_equal(trace, "dd");
}

static void test_stop_before_run(void **state)
{
    (void)state;
    loop_stop(loop);
    loop_run(loop);
}

static void test_idle_loop_sleeps(void **state)
{
    (void)state;
    struct loop_timer end = {0}, later = {0};
    loop_timer_start(loop, &later, 60 * US_PER_S, 0, stop, NULL);
    loop_timer_start(loop, &end, 300000, 0, stop, NULL);
    const int64_t before = cpu_us();
    run();
    assert_true(cpu_us() - before < 30000);
    loop_timer_stop(&later);
}

/* What is still active when the loop is freed is not leaked. */
static void test_free_with_everything_active(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct loop_fd watch = {0};
    struct loop_timer timer = {0};
    assert_int_equal(loop_fd_start(loop, &watch, pair[0], LOOP_READ, drain, &pair[0], NULL), 0);
    loop_timer_start(loop, &timer, 1000, 0, note, MARK('t'));
    loop_on_signal(loop, SIGUSR1, note, MARK('s'));
    loop_defer(loop, note, MARK('d'));
    loop_free(loop);
    loop = NULL;
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_timers_fire_in_order),
        T(test_timer_is_never_early_and_finer_than_a_millisecond),
        T(test_many_timers_keep_their_heap),
        T(test_timer_callback_may_free_its_owner),
        T(test_repeating_timer_skips_missed_beats),
        T(test_timer_far_away_does_not_overflow),
        T(test_deferred_calls_keep_their_order_and_do_not_nest),
        T(test_fd_watch),
        T(test_fd_with_an_error_is_told_until_it_is_taken),
        T(test_regular_file_cannot_be_watched),
        T(test_signal),
        T(test_child_exit),
        T(test_grandchild_exit_has_no_status),
        T(test_work_runs_on_a_thread),
        T(test_stop_before_run),
        T(test_idle_loop_sleeps),
        T(test_free_with_everything_active),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

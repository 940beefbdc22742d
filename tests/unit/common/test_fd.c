/* Writing all of something: in pieces, through signals, and to where it does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/mem.h"

#define BYTES ((size_t)4 << 20) /* many times what a pipe holds */

static volatile sig_atomic_t interrupted;

static void count(int signo)
{
    (void)signo;
    interrupted++;
}

/* Slowly, so that the writer waits. Ends with 0 when each byte came in its place. */
static void read_all(int fd)
{
    char buf[64 * 1024];
    size_t at = 0;
    ssize_t n;
    while ((n = read(fd, buf, sizeof buf)) > 0) {
        for (ssize_t i = 0; i < n; i++, at++)
            if (buf[i] != (char)(at * 7))
                _exit(1);
        usleep(2000);
    }
    _exit(at == BYTES ? 0 : 2);
}

static void test_all_of_it_through_signals(void **state)
{
    (void)state;
    int pipe_fds[2], status;
    cleanup_free char *data = mem_alloc(BYTES);
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (char)(i * 7);
    assert_int_equal(pipe(pipe_fds), 0);
    const pid_t reader = fork();
    if (reader == 0) {
        close(pipe_fds[1]);
        read_all(pipe_fds[0]);
    }
    close(pipe_fds[0]);
    const struct sigaction action = {.sa_handler = count}; /* without SA_RESTART */
    const struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    assert_int_equal(fd_write(pipe_fds[1], data, BYTES), 0);
    setitimer(ITIMER_REAL, &never, NULL);
    close(pipe_fds[1]);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
    assert_true(interrupted > 0);
}

static void test_nothing_and_no_place(void **state)
{
    (void)state;
    cleanup_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    assert_int_equal(fd_write(full, "", 0), 0);
    assert_int_equal(fd_write(full, "x", 1), -1);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(fd_write(-1, "x", 1), -1);
    assert_int_equal(errno, EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it_through_signals),
        cmocka_unit_test(test_nothing_and_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

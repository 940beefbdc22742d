/* tests/integration/keeper_fixture.h: the process executor over a real leat-keeper, in a folder of
 * its own; attempts are known by a small number. Included by the programs that test it. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "worker/executor/executor.h"
#include "worker/keeper/table.h"

#define SEEN_MOST 1024

/* What became of an attempt, by the number in its id. */
struct seen {
    bool started, exited, lost;
    int exits;
    struct executor_exit exit;
    char reason[KEEPER_REASON];
};

static struct loop *loop;
static struct executor *ex;
static char dir[128]; /* longer than a socket's name may be */
static struct seen seen[SEEN_MOST];
static bool ready;
static size_t ended;

/* ---- the worker's side --------------------------------------------------------------------------
 */

/* Of this program alone, as ids are: a new keeper ends whatever of its dead one's attempts says
 * that it is one, on all of the machine. */
static inline struct uuid id(int n)
{
    const int own = (int)getpid();
    struct uuid u = {{0}};
    u.b[0] = 0xab;
    memcpy(&u.b[8], &own, sizeof own);
    u.b[14] = (uint8_t)(n >> 8);
    u.b[15] = (uint8_t)n;
    return u;
}

static inline struct seen *of(const struct uuid *attempt)
{
    return &seen[attempt->b[14] << 8 | attempt->b[15]];
}

static inline void on_ready(void *arg, struct executor *which)
{
    (void)arg;
    (void)which;
    ready = true;
}

static inline void on_started(void *arg, const struct uuid *attempt, int64_t wall_us)
{
    (void)arg;
    assert_true(wall_us > 0);
    of(attempt)->started = true;
}

static inline void on_exited(void *arg, const struct uuid *attempt,
                             const struct executor_exit *exit)
{
    (void)arg;
    struct seen *s = of(attempt);
    s->exited = true;
    s->exits++;
    s->exit = *exit;
    snprintf(s->reason, sizeof s->reason, "%s", exit->reason);
    ended++;
}

static inline void on_lost(void *arg, const struct uuid *attempt, const char *reason)
{
    (void)arg;
    of(attempt)->lost = true;
    snprintf(of(attempt)->reason, KEEPER_REASON, "%s", reason);
    ended++;
}

static inline void open_executor(void)
{
    static const struct executor_events events = {
        .ready = on_ready, .started = on_started, .exited = on_exited, .lost = on_lost};
    char self[4096], keeper[4200];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = '\0';
    *strstr(self, "/tests/") = '\0';
    snprintf(keeper, sizeof keeper, "%s/bin/leat-keeper", self);
    loop = loop_new();
    ready = false;
    const struct executor_owner owner = {.loop = loop, .events = &events};
    ex = process_executor_open(&owner, dir, keeper);
}

static inline void close_executor(void)
{
    if (!ex)
        return; /* a test that failed had closed it */
    ex->ops->close(ex);
    ex = NULL;
    loop_free(loop);
}

static inline void tick(void *arg)
{
    (void)arg;
}

/* Runs the loop until `*flag` holds, or fails after two minutes. */
static inline void until(const bool *flag)
{
    const int64_t end = clock_monotonic_us() + 120 * US_PER_S;
    struct loop_timer timer = {0};
    loop_timer_start(loop, &timer, 10000, 10000, tick, NULL);
    while (!*flag) {
        assert_true(clock_monotonic_us() < end);
        loop_step(loop, true);
    }
    loop_timer_stop(&timer);
}

static inline void run_for(int64_t us)
{
    const int64_t end = clock_monotonic_us() + us;
    struct loop_timer timer = {0};
    loop_timer_start(loop, &timer, 5000, 5000, tick, NULL);
    while (clock_monotonic_us() < end)
        loop_step(loop, true);
    loop_timer_stop(&timer);
}

static inline const char *path_in(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* A sensible spec of attempt n; tests change what they are about. */
static inline struct executor_spec spec_of(int n, const char *const *argv)
{
    static char id_text[8][64];
    static const char *env[8][4];
    static char log[8][600];
    snprintf(log[n % 8], sizeof log[0], "%s/log-%d", dir, n);
    const struct uuid attempt = id(n);
    memcpy(id_text[n % 8], "LEAT_ATTEMPT_ID=", 17);
    uuid_format(&attempt, id_text[n % 8] + 16);
    env[n % 8][0] = "PATH=/usr/bin:/bin";
    env[n % 8][1] = id_text[n % 8];
    return (struct executor_spec){
        .attempt = id(n),
        .argv = argv,
        .env = env[n % 8],
        .workdir = dir,
        .log_path = log[n % 8],
        .log_limit = 1 << 20,
        .grace_us = 300 * US_PER_MS,
        .fuse_slack_us = -1,
    };
}

static inline void start(const struct executor_spec *spec)
{
    struct err err = {0};
    assert_int_equal(ex->ops->start(ex, spec, &err), 0);
}

static inline void run_to_end(const struct executor_spec *spec)
{
    start(spec);
    until(&of(&spec->attempt)->exited);
}

static inline void shell(int n, const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    const struct executor_spec spec = spec_of(n, argv);
    start(&spec);
}

static inline char *read_all(const char *path)
{
    struct text t = {0};
    char buf[4096];
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t n; fd >= 0 && (n = read(fd, buf, sizeof buf)) > 0;)
        text_append(&t, buf, (size_t)n);
    return text_take(&t);
}

static inline char *log_of(int n)
{
    char name[32];
    snprintf(name, sizeof name, "log-%d", n);
    return read_all(path_in(name));
}

/* The number in a file that a step writes, once it is there. */
static inline pid_t wait_for_pid(const char *name)
{
    for (int i = 0; i < 12000; i++) {
        cleanup_free char *text = read_all(path_in(name));
        if (strchr(text, '\n'))
            return (pid_t)strtol(text, NULL, 10);
        run_for(10000);
    }
    fail_msg("nothing wrote %s", name);
    return -1;
}

static inline bool is_gone(pid_t pid)
{
    char path[64], stat[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, stat, sizeof stat - 1) <= 0)
        return true;
    const char *state = strrchr(stat, ')');
    return state && state[2] == 'Z';
}

static inline void assert_goes(pid_t pid)
{
    for (int i = 0; i < 12000; i++) {
        if (is_gone(pid))
            return;
        run_for(10000);
    }
    fail_msg("process %d is left over", (int)pid);
}

/* Without a look at the loop, which may be that of a worker that is dead. */
static inline void assert_goes_alone(pid_t pid)
{
    for (int i = 0; i < 12000 && !is_gone(pid); i++)
        usleep(10000);
    assert_true(is_gone(pid));
}

/* ---- the keeper's process -----------------------------------------------------------------------
 */

/* Until it executes, a child has its keeper's command line: the one that wrote itself down counts.
 */
static inline pid_t keeper_pid(void)
{
    pid_t found = 0;
    cleanup_free char *written = read_all(path_in("keeper.pid"));
    const pid_t own = (pid_t)strtol(written ? written : "0", NULL, 10);
    DIR *proc = opendir("/proc");
    for (const struct dirent *e; (e = readdir(proc));) {
        char path[300], line[600] = "";
        snprintf(path, sizeof path, "/proc/%s/cmdline", e->d_name);
        cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, line, sizeof line - 1) <= 0)
            continue;
        const char *second = line + strlen(line) + 1;
        if (found != own && text_ends_with(line, "leat-keeper") && strcmp(second, dir) == 0 &&
            !is_gone((pid_t)strtol(e->d_name, NULL, 10)))
            found = (pid_t)strtol(e->d_name, NULL, 10);
    }
    closedir(proc);
    return found;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/leat-keeper-%s-XXXXXX",
             "a-folder-whose-path-is-longer-than-the-name-of-a-socket-may-ever-be-0123456789");
    assert_non_null(mkdtemp(dir));
    memset(seen, 0, sizeof seen);
    ended = 0;
    open_executor();
    until(&ready);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    close_executor();
    const pid_t pid = keeper_pid();
    if (pid > 0)
        kill(pid, SIGKILL);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

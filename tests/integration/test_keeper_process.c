/* The process executor over a real leat-keeper: byte-exact arguments, exec failures, time limits,
 * groups, logs, deaths of either side, many at once. */
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

static struct uuid id(int n)
{
    struct uuid u = {{0}};
    u.b[0] = 0xab;
    u.b[14] = (uint8_t)(n >> 8);
    u.b[15] = (uint8_t)n;
    return u;
}

static struct seen *of(const struct uuid *attempt)
{
    return &seen[attempt->b[14] << 8 | attempt->b[15]];
}

static void on_ready(void *arg, struct executor *which)
{
    (void)arg;
    (void)which;
    ready = true;
}

static void on_started(void *arg, const struct uuid *attempt, int64_t wall_us)
{
    (void)arg;
    assert_true(wall_us > 0);
    of(attempt)->started = true;
}

static void on_exited(void *arg, const struct uuid *attempt, const struct executor_exit *exit)
{
    (void)arg;
    struct seen *s = of(attempt);
    s->exited = true;
    s->exits++;
    s->exit = *exit;
    snprintf(s->reason, sizeof s->reason, "%s", exit->reason);
    ended++;
}

static void on_lost(void *arg, const struct uuid *attempt, const char *reason)
{
    (void)arg;
    of(attempt)->lost = true;
    snprintf(of(attempt)->reason, KEEPER_REASON, "%s", reason);
    ended++;
}

static void open_executor(void)
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

static void close_executor(void)
{
    ex->ops->close(ex);
    loop_free(loop);
}

static void tick(void *arg)
{
    (void)arg;
}

/* Runs the loop until `*flag` holds, or fails after 20 s. */
static void until(const bool *flag)
{
    const int64_t end = clock_monotonic_us() + 20 * US_PER_S;
    struct loop_timer timer = {0};
    loop_timer_start(loop, &timer, 10000, 10000, tick, NULL);
    while (!*flag) {
        assert_true(clock_monotonic_us() < end);
        loop_step(loop, true);
    }
    loop_timer_stop(&timer);
}

static void run_for(int64_t us)
{
    const int64_t end = clock_monotonic_us() + us;
    struct loop_timer timer = {0};
    loop_timer_start(loop, &timer, 5000, 5000, tick, NULL);
    while (clock_monotonic_us() < end)
        loop_step(loop, true);
    loop_timer_stop(&timer);
}

static const char *path_in(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* A sensible spec of attempt n; tests change what they are about. */
static struct executor_spec spec_of(int n, const char *const *argv)
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

static void start(const struct executor_spec *spec)
{
    struct err err = {0};
    assert_int_equal(ex->ops->start(ex, spec, &err), 0);
}

static void run_to_end(const struct executor_spec *spec)
{
    start(spec);
    until(&of(&spec->attempt)->exited);
}

static void shell(int n, const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    const struct executor_spec spec = spec_of(n, argv);
    start(&spec);
}

static char *read_all(const char *path)
{
    struct text t = {0};
    char buf[4096];
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t n; fd >= 0 && (n = read(fd, buf, sizeof buf)) > 0;)
        text_append(&t, buf, (size_t)n);
    return text_take(&t);
}

static char *log_of(int n)
{
    char name[32];
    snprintf(name, sizeof name, "log-%d", n);
    return read_all(path_in(name));
}

/* The number in a file that a step writes, once it is there. */
static pid_t wait_for_pid(const char *name)
{
    for (int i = 0; i < 500; i++) {
        cleanup_free char *text = read_all(path_in(name));
        if (strchr(text, '\n'))
            return (pid_t)strtol(text, NULL, 10);
        run_for(10000);
    }
    fail_msg("nothing wrote %s", name);
    return -1;
}

static bool is_gone(pid_t pid)
{
    char path[64], stat[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, stat, sizeof stat - 1) <= 0)
        return true;
    const char *state = strrchr(stat, ')');
    return state && state[2] == 'Z';
}

static void assert_goes(pid_t pid)
{
    for (int i = 0; i < 300; i++) {
        if (is_gone(pid))
            return;
        run_for(10000);
    }
    fail_msg("process %d is left over", (int)pid);
}

/* ---- the keeper's process -----------------------------------------------------------------------
 */

static pid_t keeper_pid(void)
{
    pid_t found = 0;
    DIR *proc = opendir("/proc");
    for (const struct dirent *e; (e = readdir(proc));) {
        char path[300], line[600] = "";
        snprintf(path, sizeof path, "/proc/%s/cmdline", e->d_name);
        cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, line, sizeof line - 1) <= 0)
            continue;
        const char *second = line + strlen(line) + 1;
        if (text_ends_with(line, "leat-keeper") && strcmp(second, dir) == 0 &&
            !is_gone((pid_t)strtol(e->d_name, NULL, 10)))
            found = (pid_t)strtol(e->d_name, NULL, 10);
    }
    closedir(proc);
    return found;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int setup(void **state)
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

static int teardown(void **state)
{
    (void)state;
    close_executor();
    const pid_t pid = keeper_pid();
    if (pid > 0)
        kill(pid, SIGKILL);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

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
    cleanup_free char *want = mem_printf("out\nerr\n"
                                         "LEAT_ATTEMPT_ID=ab000000-0000-0000-0000-000000000001\n"
                                         "PATH=/usr/bin:/bin\nPWD=%s\n%s\n",
                                         dir, dir);
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
    const char *const polite[] = {"sleep", "30", NULL};
    const char *const deaf[] = {"sh", "-c", "trap '' TERM; while :; do sleep 0.05; done", NULL};
    struct executor_spec a = spec_of(1, polite), b = spec_of(2, deaf);
    a.timeout_us = b.timeout_us = 200 * US_PER_MS;
    const int64_t begun = clock_monotonic_us();
    start(&a);
    start(&b);
    until(&seen[1].exited);
    assert_true(clock_monotonic_us() - begun >= 200 * US_PER_MS);
    until(&seen[2].exited);
    assert_true(clock_monotonic_us() - begun >= 500 * US_PER_MS);
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
    ex->ops->stop(ex, &polite, 5 * US_PER_S);
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
    const char *const argv[] = {"sleep", "30", NULL};
    struct executor_spec spec = spec_of(1, argv);
    spec.fuse_slack_us = 100 * US_PER_MS;
    ex->ops->lease(ex, clock_boottime_us() + 200 * US_PER_MS);
    start(&spec);
    run_for(200 * US_PER_MS);
    ex->ops->lease(ex, clock_boottime_us() + 300 * US_PER_MS); /* moved: it goes on */
    run_for(200 * US_PER_MS);
    assert_false(seen[1].exited);
    until(&seen[1].exited);
    assert_true(seen[1].exit.fused);
    assert_false(seen[1].exit.timed_out);
}

static void test_fuse_burns_without_the_worker(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "echo $$ > alone; exec sleep 30", NULL};
    struct executor_spec spec = spec_of(1, argv);
    spec.fuse_slack_us = 100 * US_PER_MS;
    ex->ops->lease(ex, clock_boottime_us() + 300 * US_PER_MS);
    start(&spec);
    const pid_t pid = wait_for_pid("alone");
    close_executor();
    for (int i = 0; i < 300 && !is_gone(pid); i++)
        usleep(10000);
    assert_true(is_gone(pid));
    open_executor();
    until(&ready);
    assert_true(ex->ops->adopt(ex, &spec.attempt));
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

/* ---- tests: deaths
 * --------------------------------------------------------------------------------- */

static void test_worker_dies_and_adopts(void **state)
{
    (void)state;
    shell(1, "echo $$ > running; for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done; exit 5");
    shell(2, "exit 6");
    const pid_t pid = wait_for_pid("running");
    until(&seen[2].exited);
    memset(seen, 0, sizeof seen);
    close_executor(); /* as by kill -9: the keeper is told nothing */
    usleep(200000);
    assert_false(is_gone(pid));
    open_executor();
    until(&ready);
    const struct uuid a = id(1), b = id(2), c = id(3);
    assert_true(ex->ops->adopt(ex, &a));
    assert_true(ex->ops->adopt(ex, &b));
    assert_false(ex->ops->adopt(ex, &c));
    ex->ops->settle(ex);
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
    run_for(100000);
    assert_false(seen[1].exited);
    close_executor();
    open_executor();
    until(&ready);
    const struct uuid stray = id(1);
    assert_false(ex->ops->adopt(ex, &stray)); /* forgotten */
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
    assert_false(ex->ops->adopt(ex, &a));
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
    kill(keeper_pid(), SIGKILL);
    for (int i = 0; i < 300 && !is_gone(pid); i++)
        usleep(10000);
    open_executor();
    until(&ready);
    const struct uuid a = id(1), b = id(2);
    assert_true(ex->ops->adopt(ex, &a));
    assert_true(ex->ops->adopt(ex, &b));
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
    kill(keeper, SIGKILL);
    while (!is_gone(keeper))
        usleep(1000);
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
    assert_true(ex->ops->adopt(ex, &a));
    until(&seen[1].lost);
    run_for(100000);
    assert_false(is_gone(stranger));
    kill(stranger, SIGKILL);
}

static void test_keeper_ignores_polite_signals(void **state)
{
    (void)state;
    const pid_t keeper = keeper_pid();
    kill(keeper, SIGTERM);
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
        T(test_worker_dies_and_adopts),
        T(test_strays_are_ended),
        T(test_forgotten_is_unknown),
        T(test_keeper_dies),
        T(test_keeper_dies_with_the_worker_away),
        T(test_recycled_pid_is_spared),
        T(test_keeper_ignores_polite_signals),
        T(test_a_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "cli/up/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/up/children.h"
#include "cli/up/database.h"
#include "cli/up/postgres.h"
#include "cli/up/ready.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/log_file.h"
#include "common/base/loop.h"
#include "common/base/mem.h"

#define AGAIN_FIRST_US   (100 * US_PER_MS)
#define AGAIN_LONGEST_US (5 * US_PER_S)
#define STABLE_US        (10 * US_PER_S)
#define LOGS_EVERY_US    (15 * US_PER_S)
#define STOP_GRACE_US    (10 * US_PER_S)

struct supervisor {
    struct loop *loop;
    const struct up_settings *settings;
    struct up_child *children; /* in the order of starting */
    size_t count;
    bool stopping;
    struct loop_timer logs;
};

struct watched { /* what the loop's callbacks need to find their child */
    struct supervisor *supervisor;
    struct up_child *child;
};

static void start_child(void *arg);

static void child_ended(void *arg, pid_t pid, int status)
{
    struct watched *w = arg;
    struct up_child *c = w->child;
    c->pid = 0;
    if (w->supervisor->stopping) {
        loop_stop(w->supervisor->loop);
        return;
    }
    const bool stable = clock_monotonic_us() - c->started_us > STABLE_US;
    c->again_us = stable || c->again_us == 0 ? AGAIN_FIRST_US : c->again_us * 2;
    if (c->again_us > AGAIN_LONGEST_US)
        c->again_us = AGAIN_LONGEST_US;
    log_warn("a process ended and is started again", LOG_S("process", c->name), LOG_I("pid", pid),
             LOG_I("status", WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)),
             LOG_I("in_us", c->again_us));
    loop_timer_start(w->supervisor->loop, &c->timer, c->again_us, 0, start_child, w);
}

/* Between fork and exec: our death is the child's, its output goes to its log. */
static void become_child(const struct up_child *c, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, c->orphan_signal);
    if (getppid() != parent)
        _exit(0);
    signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    const int log = open(c->log, O_WRONLY | O_CREAT | O_APPEND, 0640);
    const int null = open("/dev/null", O_RDONLY);
    if (log >= 0 && null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
    }
    if (c->database)
        setenv(UP_DATABASE_ENV, c->database, 1);
    setpgid(0, 0); /* Ctrl-C is for the supervisor alone: it stops them in order */
    execv(c->argv[0], c->argv);
    dprintf(STDERR_FILENO, "%s: %s\n", c->argv[0], strerror(errno));
    _exit(127);
}

static void start_child(void *arg)
{
    struct watched *w = arg;
    struct up_child *c = w->child;
    if (w->supervisor->stopping)
        return;
    /* Nobody has it open now: so even one that ends before it reads its settings is bounded. */
    (void)log_file_turn(c->log, LOG_FILE_SIZE, LOG_FILE_KEEP, NULL);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid == 0)
        become_child(c, parent);
    struct err err = {0};
    if (pid < 0) {
        loop_timer_start(w->supervisor->loop, &c->timer, AGAIN_LONGEST_US, 0, start_child, w);
        return;
    }
    c->pid = pid;
    c->started_us = clock_monotonic_us();
    if (loop_child_start(w->supervisor->loop, &c->watch, pid, child_ended, w, &err) < 0)
        log_error("cannot follow a process", LOG_S("process", c->name), LOG_ERR(&err));
}

static void stop_child(struct supervisor *s, struct up_child *c)
{
    loop_timer_stop(&c->timer);
    if (c->pid == 0)
        return;
    kill(c->pid, c->stop_signal);
    const int64_t until = clock_monotonic_us() + STOP_GRACE_US;
    struct loop_timer wake = {0};
    loop_timer_start(s->loop, &wake, STOP_GRACE_US, 0, (loop_fn *)loop_stop, s->loop);
    while (c->pid != 0 && clock_monotonic_us() < until)
        loop_run(s->loop);
    loop_timer_stop(&wake);
    if (c->pid == 0)
        return;
    log_warn("a process did not stop in time and is killed", LOG_S("process", c->name));
    kill(c->pid, SIGKILL);
    while (c->pid != 0)
        loop_run(s->loop);
}

static void stop_all(struct supervisor *s)
{
    s->stopping = true;
    for (size_t i = s->count; i-- > 0;)
        stop_child(s, &s->children[i]);
    /* Steps that the worker could not end: `down` leaves nothing behind. */
    up_keeper_stop(s->settings);
}

/* The loop has to go on while we wait: processes that end at once are started again. So does a
 * Postgres that finds the one of a `leat up` that was killed still ending. */
static int wait_for(struct supervisor *s,
                    int (*look)(const struct up_settings *settings, struct err *err),
                    struct err *err)
{
    const int64_t until = clock_monotonic_us() + UP_READY_LIMIT_US;
    struct loop_timer wake = {0};
    int rc;
    while ((rc = look(s->settings, err)) < 0 && clock_monotonic_us() < until) {
        loop_timer_start(s->loop, &wake, UP_READY_LOOK_US, 0, (loop_fn *)loop_stop, s->loop);
        loop_run(s->loop);
        loop_timer_stop(&wake);
    }
    return rc;
}

static int start_all(struct supervisor *s, struct watched *watched, struct err *err)
{
    for (size_t i = 0; i < s->count; i++) {
        watched[i] = (struct watched){s, &s->children[i]};
        start_child(&watched[i]);
        if (strcmp(s->children[i].name, "postgres") == 0) {
            const int rc = wait_for(s, up_postgres_database, err);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

/* The daemons turn their own logs over; Postgres has to be told. */
static void look_at_logs(void *arg)
{
    struct supervisor *s = arg;
    for (size_t i = 0; i < s->count; i++)
        if (s->children[i].pid && strcmp(s->children[i].name, "postgres") == 0)
            up_postgres_turn_log(s->settings, s->children[i].pid);
}

/* Nothing of ours comes up without it, and the logs are long by now. */
static int blame_database(const struct supervisor *s, int rc, struct err *err)
{
    struct err own = {0};
    if (!s->settings->database)
        return rc;
    PGconn *conn = up_database_connect(s->settings->conninfo, &own);
    if (!conn)
        rc = err_set(err, own.code, "the database does not answer: %s", own.text);
    PQfinish(conn);
    return rc;
}

int up_supervise(const struct up_settings *settings, int ready_fd, struct err *err)
{
    struct supervisor s = {.loop = loop_new(), .settings = settings};
    cleanup_free struct watched *watched = NULL;
    loop_stop_on_signals(s.loop);
    int rc = up_children_make(settings, &s.children, &s.count, err);
    if (rc == 0) {
        watched = mem_array(s.count, sizeof *watched);
        rc = start_all(&s, watched, err);
    }
    if (rc == 0 && (rc = wait_for(&s, up_ready, err)) < 0)
        rc = blame_database(&s, rc, err);
    if (rc == 0) {
        if (ready_fd >= 0)
            (void)!write(ready_fd, "+", 1);
        log_info("everything is up", LOG_S("api", settings->listen),
                 LOG_S("hooks", settings->hooks), LOG_S("data", settings->data));
        loop_timer_start(s.loop, &s.logs, LOGS_EVERY_US, LOGS_EVERY_US, look_at_logs, &s);
        loop_run(s.loop);
    }
    loop_timer_stop(&s.logs);
    stop_all(&s);
    up_children_free(s.children, s.count);
    loop_free(s.loop);
    return rc;
}

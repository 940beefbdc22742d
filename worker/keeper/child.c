/* The child shares the keeper's memory until it executes (CLONE_VM | CLONE_VFORK: no page table is
 * copied and the keeper waits), so what goes wrong there is simply left in `struct birth`. */
#include "worker/keeper/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define UNSANITIZED  __attribute__((no_sanitize("address", "undefined")))

enum stage { STAGE_NONE, STAGE_SETUP, STAGE_CHDIR, STAGE_EXEC, STAGE_INTERPRETER };

struct birth {
    const struct child_setup *setup;
    const struct keeper_start *start;
    struct keeper_record *record;
    const char *path; /* value of PATH */
    pid_t parent;
    int output;
    enum stage failed; /* what did not work, with errno */
    int why;
    char candidate[PATH_MAX];
};

/* ---- in the child ---------------------------------------------------------------------------- */

static UNSANITIZED int fail(struct birth *b, enum stage stage, int why)
{
    b->failed = stage;
    b->why = why;
    _exit(why == ENOENT && stage == STAGE_EXEC ? 127 : 126);
}

static UNSANITIZED void try_exec(struct birth *b, const char *file)
{
    execve(file, (char *const *)b->start->argv, (char *const *)b->start->env);
    if (errno == ENOENT && access(file, F_OK) == 0)
        fail(b, STAGE_INTERPRETER, ENOENT);
}

/* One entry of PATH: false when the search must end. An empty entry is the working directory. */
static UNSANITIZED bool try_entry(struct birth *b, const char *dir, size_t len, int *why)
{
    const char *name = b->start->argv[0];
    const size_t name_len = strlen(name);
    if (len + 1 + name_len + 1 > sizeof b->candidate)
        return true;
    memcpy(b->candidate, len ? dir : ".", len ? len : 1);
    len = len ? len : 1;
    b->candidate[len] = '/';
    memcpy(b->candidate + len + 1, name, name_len + 1);
    try_exec(b, b->candidate);
    if (errno == EACCES)
        *why = EACCES; /* told when no later entry has it */
    return errno == EACCES || errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
}

static UNSANITIZED int search_path(struct birth *b)
{
    int why = ENOENT;
    for (const char *dir = b->path;; dir++) {
        const size_t len = strcspn(dir, ":");
        if (!try_entry(b, dir, len, &why))
            return fail(b, STAGE_EXEC, errno);
        dir += len;
        if (*dir == '\0')
            return fail(b, STAGE_EXEC, why);
    }
}

static UNSANITIZED bool put_in_place(struct birth *b)
{
    if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return false;
    if (getppid() != b->parent)
        _exit(126); /* the keeper died before it could have killed us */
    b->record->pid = getpid();
    record_move(b->record, RECORD_BEGUN);
    if (dup2(b->setup->null_fd, 0) < 0 || dup2(b->output, 1) < 0 || dup2(b->output, 2) < 0)
        return false;
    return close_range(3, ~0U, 0) == 0 && setrlimit(RLIMIT_NOFILE, &b->setup->nofile) == 0;
}

/* The keeper ignores SIGPIPE and blocks everything; all else is at its default there. */
static UNSANITIZED void reset_signals(void)
{
    const struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;
    sigaction(SIGPIPE, &plain, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static UNSANITIZED int child_main(void *arg)
{
    struct birth *b = arg;
    if (!put_in_place(b))
        return fail(b, STAGE_SETUP, errno);
    if (chdir(b->start->workdir) != 0)
        return fail(b, STAGE_CHDIR, errno);
    reset_signals();
    if (!strchr(b->start->argv[0], '/') && b->start->argv[0][0] != '\0')
        return search_path(b);
    try_exec(b, b->start->argv[0]);
    return fail(b, STAGE_EXEC, errno);
}

/* ---- in the keeper --------------------------------------------------------------------------- */

static const char *path_of(const char **env)
{
    for (; *env; env++)
        if (text_starts_with(*env, "PATH="))
            return *env + strlen("PATH=");
    return DEFAULT_PATH;
}

static void explain(const struct birth *b, char reason[KEEPER_REASON])
{
    const char *command = b->start->argv[0];
    switch (b->failed) {
    case STAGE_NONE:
        reason[0] = '\0';
        break;
    case STAGE_CHDIR:
        snprintf(reason, KEEPER_REASON, "working directory %.150s: %s", b->start->workdir,
                 strerror(b->why));
        break;
    case STAGE_INTERPRETER:
        snprintf(reason, KEEPER_REASON, "%.150s: its interpreter does not exist", command);
        break;
    case STAGE_EXEC:
        if (b->why == ENOENT)
            snprintf(reason, KEEPER_REASON, "command not found: %.150s", command);
        else
            snprintf(reason, KEEPER_REASON, "cannot execute %.150s: %s", command, strerror(b->why));
        break;
    case STAGE_SETUP:
        snprintf(reason, KEEPER_REASON, "cannot prepare a process: %s", strerror(b->why));
        break;
    }
}

static pid_t birth(struct birth *b)
{
    static char stack[64 * 1024] __attribute__((aligned(16)));
    return clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, b);
}

pid_t child_spawn(const struct child_setup *setup, const struct keeper_start *start,
                  struct keeper_record *record, int *output_fd, char reason[KEEPER_REASON],
                  struct err *err)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot make a pipe");
    struct birth b;
    b.setup = setup;
    b.start = start;
    b.record = record;
    b.path = path_of(start->env);
    b.parent = getpid();
    b.output = pipe_fds[1];
    b.failed = STAGE_NONE;
    b.why = 0;
    record->begun_us = clock_boottime_us();
    const pid_t pid = birth(&b);
    const int why = errno;
    close(pipe_fds[1]);
    if (pid < 0) {
        close(pipe_fds[0]);
        return err_errno(err, why, "cannot make a process");
    }
    explain(&b, reason);
    fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
    *output_fd = pipe_fds[0];
    return pid;
}

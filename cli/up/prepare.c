#include "cli/up/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/files.h"
#include "common/base/mem.h"
#include "common/base/text.h"

const char *const UP_PROGRAMS[] = {"leat",     "leat-scheduler", "leat-worker", "leat-triggers",
                                   "leat-api", "leat-keeper",    NULL};

int up_run(const char *const *argv, const char *log_path, struct err *err)
{
    const pid_t pid = fork();
    if (pid < 0)
        return err_errno(err, errno, "fork");
    if (pid == 0) {
        const int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0640);
        if (log >= 0) {
            dup2(log, STDOUT_FILENO);
            dup2(log, STDERR_FILENO);
        }
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return err_set(err, LEAT_EIO, "%s ended with status %d; its output is in %s", argv[0],
                   WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), log_path);
}

static int make_user(const struct up_settings *s, struct err *err)
{
    if (geteuid() != 0 || getpwnam(s->user))
        return 0;
    if (strcmp(s->user, "leat") != 0)
        return err_set(err, LEAT_ENOTFOUND, "--user %s: there is no such user", s->user);
    const char *argv[] = {"useradd",      "--system",
                          "--user-group", "--no-create-home",
                          "--shell",      "/usr/sbin/nologin",
                          "--home-dir",   s->data,
                          s->user,        NULL};
    return up_run(argv, "/dev/null", err);
}

static int make_folder(const char *path, mode_t mode, struct err *err)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return err_errno(err, errno, "%s", path);
    return 0;
}

/* The data folder is the user's own; only its own folders are given away, never what is above. */
static int make_folders(const struct up_settings *s, struct err *err)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam(s->user) : NULL;
    const char *folders[] = {s->data,
#define F(field, name) s->field,
                             UP_FOLDERS(F)
#undef F
    };
    int rc = file_make_parents(s->data, 0755, err);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(folders); i++) {
        rc = make_folder(folders[i], folders[i] == s->bin || folders[i] == s->data ? 0755 : 0700,
                         err);
        if (rc == 0 && user && chown(folders[i], user->pw_uid, user->pw_gid) != 0)
            rc = err_errno(err, errno, "%s", folders[i]);
    }
    return rc;
}

/* Copies to a new name and renames, so that a program that runs keeps its old file. */
static int copy_program(const char *from, const char *to, struct err *err)
{
    cleanup_free char *fresh = mem_printf("%s.new", to);
    cleanup_close int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return err_errno(err, errno, "%s (the programs of one build belong together)", from);
    struct stat st;
    unlink(fresh);
    cleanup_close int out = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    if (out < 0 || fstat(in, &st) != 0)
        return err_errno(err, errno, "%s", fresh);
    for (off_t left = st.st_size; left > 0;) {
        const ssize_t n = copy_file_range(in, NULL, out, NULL, (size_t)left, 0);
        if (n <= 0)
            return err_errno(err, errno, "copying %s", from);
        left -= n;
    }
    if (fchmod(out, 0755) != 0 || rename(fresh, to) != 0)
        return err_errno(err, errno, "%s", to);
    return 0;
}

static bool is_same_program(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 &&
           ((x.st_ino == y.st_ino && x.st_dev == y.st_dev) ||
            (x.st_size == y.st_size && x.st_mtime < y.st_mtime));
}

char *up_own_folder(struct err *err)
{
    char self[4096];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) {
        err_errno(err, errno, "/proc/self/exe");
        return NULL;
    }
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    return mem_string(self);
}

static int install_programs(const struct up_settings *s, struct err *err)
{
    cleanup_free char *self = up_own_folder(err);
    int rc = self ? 0 : LEAT_EIO;
    for (const char *const *program = UP_PROGRAMS; rc == 0 && *program; program++) {
        cleanup_free char *from = mem_printf("%s/%s", self, *program);
        cleanup_free char *to = mem_printf("%s/%s", s->bin, *program);
        if (!is_same_program(from, to))
            rc = copy_program(from, to, err);
    }
    return rc;
}

int up_prepare(const struct up_settings *settings, struct err *err)
{
    int rc = make_user(settings, err);
    if (rc == 0)
        rc = make_folders(settings, err);
    if (rc == 0)
        rc = install_programs(settings, err);
    return rc;
}

int up_become_user(const struct up_settings *settings, struct err *err)
{
    if (geteuid() != 0)
        return 0;
    const struct passwd *user = getpwnam(settings->user);
    if (!user)
        return err_set(err, LEAT_ENOTFOUND, "--user %s: there is no such user", settings->user);
    if (user->pw_uid == 0)
        return err_set(err, LEAT_EUSAGE, "--user %s: not as root: Postgres refuses it",
                       settings->user);
    if (initgroups(settings->user, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
        setuid(user->pw_uid) != 0)
        return err_errno(err, errno, "becoming user %s", settings->user);
    setenv("HOME", settings->data, 1);
    setenv("USER", settings->user, 1);
    setenv("LOGNAME", settings->user, 1);
    return chdir(settings->data) == 0 ? 0 : err_errno(err, errno, "%s", settings->data);
}

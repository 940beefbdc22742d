#include "cli/doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/up/supervise.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

static const char *const level_names[] = {"ok", "warning", "wrong"};

static const struct row {
    const char *name;
    doctor_check *check;
} checks[] = {
    {"user", doctor_user},
    {"programs", doctor_programs},
    {"disk", doctor_disk},
    {"disk-speed", doctor_disk_speed},
    {"postgres", doctor_postgres},
    {"bus", doctor_bus},
    {"store", doctor_store},
    {"docker", doctor_docker},
    {"clock", doctor_clock},
    {"port-api", doctor_port_api},
    {"port-hooks", doctor_port_hooks},
    {"daemons", doctor_daemons},
    {"keeper", doctor_keeper},
};

/* One line of UTF-8, whatever a path or a server said, and wherever it was cut. */
static void make_line(char *s)
{
    while (*s) {
        const size_t len = text_utf8_length(s);
        if (len == 0 || (unsigned char)*s < 0x20)
            *s = len ? ' ' : '?';
        s += len ? len : 1;
    }
}

void found(struct finding *f, enum doctor_level level, const char *todo, const char *why, ...)
{
    va_list ap;
    f->level = level;
    va_start(ap, why);
    vsnprintf(f->why, sizeof f->why, why, ap);
    va_end(ap);
    snprintf(f->todo, sizeof f->todo, "%s", todo ? todo : "");
    make_line(f->why);
    make_line(f->todo);
}

/* What Leat's user may not do, a check must not be able to do either. */
static void become_user(const struct up_settings *s)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam(s->user) : NULL;
    if (!user || user->pw_uid == 0)
        return;
    if (initgroups(s->user, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
        setuid(user->pw_uid) != 0)
        _exit(1);
}

static void child(doctor_check *check, const struct doctor *d, int out)
{
    struct finding f = {.level = DOCTOR_WRONG};
    signal(SIGPIPE, SIG_IGN);
    if (check != doctor_programs) /* leat up copies them to where its user can read them */
        become_user(d->settings);
    check(d, &f);
    (void)!write(out, &f, sizeof f); /* below PIPE_BUF: whole or not at all */
    _exit(0);
}

static bool read_finding(int fd, struct finding *f)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    const int64_t until = clock_monotonic_us() + DOCTOR_LIMIT_US;
    int n;
    while ((n = poll(&ready, 1, (int)((until - clock_monotonic_us()) / US_PER_MS))) < 0 &&
           errno == EINTR && clock_monotonic_us() < until)
        ;
    if (n <= 0) {
        found(f, DOCTOR_WRONG,
              "see what it hangs on: a mount, a server that takes and does not answer",
              "no answer within %lld s", DOCTOR_LIMIT_US / US_PER_S);
        return true;
    }
    return read(fd, f, sizeof *f) == (ssize_t)sizeof *f;
}

void doctor_run(doctor_check *check, const struct doctor *d, struct finding *f)
{
    int ends[2];
    *f = (struct finding){.level = DOCTOR_WRONG};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        found(f, DOCTOR_WRONG, NULL, "pipe: %s", strerror(errno));
        return;
    }
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0)
        child(check, d, ends[1]);
    close(ends[1]);
    if (pid < 0)
        found(f, DOCTOR_WRONG, "end some processes", "fork: %s", strerror(errno));
    else if (!read_finding(ends[0], f))
        found(f, DOCTOR_WRONG, "report this", "the check itself ended without an answer");
    close(ends[0]);
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

/* ---- the verb ------------------------------------------------------------------------------ */

static const struct option options[] = {
    {"data", 'd', "DIR", false, "the data folder of leat up"},
    {"bus", 0, "BUS", false, "as for leat up; default: what runs there was told, then its default"},
    {"database", 0, "URL", false, "likewise"},
    {"database-file", 0, "FILE", false, "likewise"},
    {"executor", 0, "NAME", false, "likewise"},
    {"store", 0, "DIR|s3://BUCKET[/PREFIX]", false, "likewise"},
    {"store-endpoint", 0, "URL", false, "likewise"},
    {"store-region", 0, "REGION", false, "likewise"},
    {"store-style", 0, "auto|path|host", false, "likewise"},
    {"store-credentials", 0, "FILE", false, "likewise"},
    {"listen", 0, "ADDR:PORT", false, "likewise"},
    {"hooks", 0, "ADDR:PORT", false, "likewise"},
    {"user", 0, "NAME", false, "likewise"},
#define B(id, name, value, help) {name, 0, value, false, "likewise"},
    UP_BUS(B)
#undef B
        OPTION_OUTPUT,
    OPTION_END,
};
static const struct column columns[] = {{"LEVEL", "/level", ALWAYS},
                                        {"WHAT", "/what", ALWAYS},
                                        {"WHY", "/why", ALWAYS},
                                        {"WHAT TO DO", "/todo", ALWAYS},
                                        COLUMN_END};
static const struct column names[] = {{"WHAT", "/what", ALWAYS}, COLUMN_END};

static json_t *examine(const struct doctor *d, int *wrong)
{
    json_t *items = json_array();
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        struct finding f;
        doctor_run(checks[i].check, d, &f);
        *wrong += f.level == DOCTOR_WRONG;
        json_t *item = json_pack("{s:s, s:s, s:s?, s:s?}", "what", checks[i].name, "level",
                                 level_names[f.level], "why", f.why, "todo", f.todo);
        json_array_append_new(items, item);
    }
    return items;
}

static int run_doctor(const struct given *given, struct err *err)
{
    struct up_settings settings = {0};
    struct up_told *told = NULL;
    int wrong = 0, rc = output_check(given, err);
    if (rc == 0)
        rc = up_settings_find(given, &told, &settings, err);
    if (rc < 0)
        return rc;
    const struct doctor d = {&settings, up_running(settings.data), geteuid() == 0};
    cleanup_json json_t *items = examine(&d, &wrong);
    output_list(given, items, output_is(given, "name") ? names : columns);
    up_settings_free(&settings);
    up_told_free(told);
    return wrong ? 1 : 0;
}

const struct verb VERB_DOCTOR = {
    .name = "doctor",
    .arguments = "",
    .summary = "Says what is wrong on this machine and how to mend it",
    .details =
        "Works with and without the daemons. Where `leat up` runs in the data folder, its own\n"
        "options are taken. Each check ends after 2 s. Exit 1 when something is wrong; a warning\n"
        "is no reason for that.",
    .options = options,
    .offline = true,
    .run = run_doctor};

/* The user, the programs, the daemons. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"
#include "cli/up/children.h"
#include "cli/up/prepare.h"
#include "cli/up/ready.h"
#include "common/base/mem.h"

static const char *own_name(void)
{
    const struct passwd *me = getpwuid(geteuid());
    return me ? me->pw_name : "a user without a name";
}

/* Runs as the settings' user already when that exists and we were root. */
void doctor_user(const struct doctor *d, struct finding *f)
{
    const struct up_settings *s = d->settings;
    struct stat st;
    if (geteuid() == 0 && !getpwnam(s->user)) {
        found(f, strcmp(s->user, "leat") == 0 ? DOCTOR_WARNING : DOCTOR_WRONG,
              "leat up makes the user leat; any other: useradd --system --user-group NAME",
              "there is no user %s, as whom everything runs", s->user);
    } else if (geteuid() == 0) {
        found(f, DOCTOR_WRONG, "give --user a user without root's rights: Postgres refuses root",
              "%s is root", s->user);
    } else if (stat(s->data, &st) != 0 && errno == ENOENT) {
        found(f, DOCTOR_OK, NULL, "%s; %s is not there yet", own_name(), s->data);
    } else if (access(s->data, R_OK | W_OK | X_OK) != 0) {
        cleanup_free char *give = mem_printf("chown -R %s: %s", own_name(), s->data);
        found(f, DOCTOR_WRONG,
              d->by_root ? give : "run leat doctor as root or as the user that runs Leat",
              "%s cannot use %s: %s", own_name(), s->data, strerror(errno));
    } else {
        found(f, DOCTOR_OK, NULL, "%s, whose %s is", own_name(), s->data);
    }
}

void doctor_programs(const struct doctor *d, struct finding *f)
{
    (void)d;
    cleanup_free char *folder = up_own_folder(NULL);
    if (!folder) {
        found(f, DOCTOR_WRONG, "mount /proc", "/proc/self/exe cannot be read");
        return;
    }
    for (const char *const *program = UP_PROGRAMS; *program; program++) {
        cleanup_free char *path = mem_printf("%s/%s", folder, *program);
        if (access(path, X_OK) != 0) {
            found(f, DOCTOR_WRONG, "install the programs of one build together (make install)",
                  "%s: %s", path, strerror(errno));
            return;
        }
    }
    found(f, DOCTOR_OK, NULL, "all of version %s in %s", LEAT_VERSION, folder);
}

void doctor_daemons(const struct doctor *d, struct finding *f)
{
    struct err err = {0};
    if (!d->running)
        found(f, DOCTOR_WARNING, "leat up --detach", "nothing runs in %s", d->settings->data);
    else if (up_ready(d->settings, &err) < 0)
        found(f, DOCTOR_WRONG, "read the end of that log; leat down, then leat up starts all anew",
              "%s", err.text);
    else
        found(f, DOCTOR_OK, NULL, "all answer, a scheduler leads, a worker is active (process %d)",
              d->running);
}

void doctor_keeper(const struct doctor *d, struct finding *f)
{
    const pid_t pid = up_keeper_pid(d->settings);
    if (pid)
        found(f, DOCTOR_OK, NULL, "runs (process %d)", pid);
    else if (d->running)
        found(f, DOCTOR_WRONG, "read worker.log in the log folder: the worker starts it",
              "no leat-keeper runs for %s: steps cannot start", d->settings->worker);
    else
        found(f, DOCTOR_OK, NULL, "the worker will start it");
}

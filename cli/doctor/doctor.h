/* cli/doctor/doctor.h: what is wrong with this machine's Leat and how to mend it. A check looks for
 * itself, with or without the daemons; each runs in a process of its own, as the user that Leat
 * runs as, and is ended after DOCTOR_LIMIT_US: a disk or a server that hangs is a finding too. */
#pragma once
#include <libpq-fe.h>
#include <sys/types.h>
#include "cli/up/settings.h"
#include "common/base/clock.h"

#define DOCTOR_LIMIT_US (2 * US_PER_S)

enum doctor_level { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_WRONG };

struct finding {
    enum doctor_level level;
    char why[900];  /* one line: what was seen */
    char todo[600]; /* what to do; "" when nothing */
};

struct doctor {
    const struct up_settings *settings;
    pid_t running; /* of the `leat up` in the data folder; 0 = none */
    bool by_root;  /* who asks; the checks are run as Leat's user then */
};

/* Fills *f, which is DOCTOR_WRONG without text before. May block. */
typedef void doctor_check(const struct doctor *d, struct finding *f);

doctor_check doctor_daemons, doctor_user, doctor_programs, doctor_keeper; /* machine.c */
doctor_check doctor_port_api, doctor_port_hooks;                          /* ports.c */
doctor_check doctor_postgres, doctor_bus;                                 /* postgres.c */
doctor_check doctor_kafka;                   /* kafka.c: of doctor_bus */
doctor_check doctor_store;                   /* store.c */
doctor_check doctor_disk, doctor_disk_speed; /* disk.c */
doctor_check doctor_docker;                  /* docker.c */
doctor_check doctor_clock;                   /* clock.c */

/* One check as above, in its own process. Blocking, DOCTOR_LIMIT_US at most. */
void doctor_run(doctor_check *check, const struct doctor *d, struct finding *f);

/* Sets all of a finding; `todo` NULL = nothing to do. */
void found(struct finding *f, enum doctor_level level, const char *todo, const char *why, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- what checks share ---- */

/* A connection to the Postgres of the settings, or NULL with the reason in `err`. PQfinish. */
PGconn *doctor_connect(const struct doctor *d, struct err *err);
/* Postgres is private and nothing runs: nobody can ask it. */
bool doctor_postgres_sleeps(const struct doctor *d);
/* `path`, or the nearest folder above it that is there; malloc'd. */
char *doctor_existing(const char *path);

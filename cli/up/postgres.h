/* cli/up/postgres.h: the private Postgres cluster of `leat up`. */
#pragma once
#include <sys/types.h>
#include "cli/up/settings.h"

/* Folder of initdb and postgres: PATH, or the newest under /usr/lib/postgresql. malloc'd; NULL with
 * LEAT_ENOTFOUND saying what to install. */
char *up_postgres_programs(struct err *err);

/* Makes the cluster when the folder is empty. Blocking, a second or two. */
int up_postgres_init(const struct up_settings *settings, const char *programs, struct err *err);

/* argv of the server in the foreground; ends with NULL; freed with up_argv_free. */
char **up_postgres_argv(const struct up_settings *settings, const char *programs);
void up_argv_free(char **argv);

/* Turns the server's log over when it is full, and has it open the new one. `postmaster` is its
 * pid. */
void up_postgres_turn_log(const struct up_settings *settings, pid_t postmaster);

/* Makes the database when it is absent. LEAT_EUNREACHABLE: the server takes no connections (yet);
 * LEAT_EIO. Blocking. */
int up_postgres_database(const struct up_settings *settings, struct err *err);

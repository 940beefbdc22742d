/* cli/up/supervise.h: the processes of one machine: started, started again when they end, stopped
 * together. Crash-only: a supervisor that is killed takes its children with it (PDEATHSIG), and
 * the next `leat up` starts from what Postgres and the journals say. */
#pragma once
#include <sys/types.h>
#include "cli/up/settings.h"

/* Blocks until SIGTERM or SIGINT, then stops everything in the reverse order of starting.
 * `ready_fd`: a byte is written there once all are up (-1 = nobody waits); on failure to come up
 * it is closed without one. */
int up_supervise(const struct up_settings *settings, int ready_fd, struct err *err);

/* Takes DATA/run/up.lock for this process; LEAT_EREFUSED names the process that has it. The lock
 * lives as long as the process. */
int up_lock(const struct up_settings *settings, struct err *err);
/* Pid of the supervisor that holds the lock of this data folder, or 0. */
pid_t up_running(const char *data);

/* worker/keeper/child.h: starting one process, as cheaply as posix_spawn does. */
#pragma once
#include <sys/resource.h>
#include <sys/types.h>
#include "common/base/err.h"
#include "worker/keeper/table.h"
#include "worker/keeper/wire.h"

/* What every child gets from the keeper. */
struct child_setup {
    int null_fd;          /* its standard input */
    struct rlimit nofile; /* as the keeper found it */
};

/* Makes a process in a session and group of its own that runs start->argv[0], searched in the PATH
 * of start->env. It dies with the keeper, has default signals, no file descriptors but 0 to 2, and
 * marks `record` BEGUN itself, before anything of the program runs. Returns its pid and the pipe
 * of its standard output and error (*output_fd, non-blocking); the process is to be waited for.
 * When the program cannot be executed, *reason says why and the process ends with 126 or 127.
 * < 0: there is no process. The caller blocks all signals during the call and has one thread. */
pid_t child_spawn(const struct child_setup *setup, const struct keeper_start *start,
                  struct keeper_record *record, int *output_fd, char reason[KEEPER_REASON],
                  struct err *err);

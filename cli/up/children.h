/* cli/up/children.h: which processes `leat up` runs, with their arguments. */
#pragma once
#include "cli/up/settings.h"
#include "common/base/loop.h"

struct up_child {
    const char *name;
    char **argv; /* ends with NULL; argv[0] is the program's path */
    char *log;
    const char *database; /* LEAT_DATABASE of its environment: the settings'; NULL = none */
    int stop_signal;
    int orphan_signal; /* when leat up itself is gone */
    pid_t pid;         /* 0 = does not run */
    int64_t started_us;
    int64_t again_us; /* last wait before it was started again */
    struct loop_child watch;
    struct loop_timer timer;
};

/* In the order of starting. With --database there is no postgres among them. */
int up_children_make(const struct up_settings *settings, struct up_child **out, size_t *count,
                     struct err *err);
void up_children_free(struct up_child *children, size_t count);

/* Pid of the worker's keeper that runs, or 0. */
pid_t up_keeper_pid(const struct up_settings *settings);
/* Ends the worker's keeper, and with it what still runs; nothing when there is none. */
void up_keeper_stop(const struct up_settings *settings);

/* tests/sim/scheduler.h: one scheduler process: the real shell and core over the fakes. */
#pragma once
#include "scheduler/shell/shell.h"
#include "tests/sim/database/database.h"

struct scheduler {
    struct sim *sim;
    int index;
    struct proc *proc; /* NULL while it is down */
    struct world *world;
    struct shell *shell;
    struct db *db;
    struct bus *bus;
    int64_t wall_skew;
    int64_t ends_at; /* when the end of the reports was last asked for */
    bool db_cut, bus_cut, restarting;
};

struct scheduler *scheduler_new(struct sim *sim, int index);
void scheduler_free(struct scheduler *s);
void scheduler_start(void *s);
void scheduler_kill(struct scheduler *s, int64_t restart_after_us);
void scheduler_cut(struct scheduler *s, bool db, bool bus);
bool scheduler_leads(const struct scheduler *s);
void scheduler_check(const struct scheduler *s); /* the core's own recount */

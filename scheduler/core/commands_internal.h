/* scheduler/core/commands_internal.h: what the files of commands share. */
#pragma once
#include "schema/gen/messages.h"
#include "scheduler/core/state.h"

struct asked {
    struct core *core;
    const struct command *command;
    bool tombstoned;
    const struct core_now *now;
    struct batch *out;
};

/* The one verdict of a command. */
void command_accept(const struct asked *a);
void command_refuse(const struct asked *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* NULL, false: refused. */
struct pipeline *command_pipeline(const struct asked *a, const char *name);
struct version *command_version(const struct asked *a, const struct pipeline *p, const char *hash);
bool command_id_is_free(const struct asked *a);
/* The last that is asked before a run is made. */
bool command_has_room(const struct asked *a);

/* scheduler/core/run/again.c */
void command_take_retry(const struct asked *a);
void command_take_rerun(const struct asked *a);
void command_take_only(const struct asked *a);

/* scheduler/shell/input.h: records of one batch, decoded and checked. Pure. */
#pragma once
#include <stdbool.h>
#include "schema/gen/messages.h"
#include "scheduler/shell/intake.h"

struct input {
    struct intake_record *record; /* owned */
    bool bad;                     /* not to be used: its offset passes, nothing else */
    union {                       /* by record->kind */
        struct command command;
        struct report report;
        struct event event;
    };
    /* What the inbox said; filled in after the fetch. */
    bool seen;       /* this very record came before */
    bool run_seen;   /* command: the run that it asks for exists already */
    bool tombstoned; /* command: a cancel of that run came before it */
};

struct inputs {
    struct input *items;
    size_t count, cap;
};

/* Takes the record. A record that cannot be decoded, or lacks what its kind needs, is kept as bad:
 * LEAT_EINPUT and err says what is wrong with it. */
int inputs_add(struct inputs *in, struct intake_record *record, struct err *err);
/* Takes the record out: the input is as one that cannot be read. The record is the caller's. */
struct intake_record *input_release(struct input *input);
void inputs_clear(struct inputs *in); /* the array is kept */
void inputs_free(struct inputs *in);

/* True for a worker id that can be part of a topic's name. */
bool input_worker_ok(const char *worker);

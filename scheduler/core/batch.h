/* scheduler/core/batch.h: what one leader transaction writes.
 * The core fills it (it is plain data, no I/O), the shell adds inbox rows and offsets, a db backend
 * turns each array into one statement. Strings and JSON texts are owned by the batch's arena and
 * live until batch_clear. Wall times are µs since 1970. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/states.h"
#include "common/base/uuid.h"
#include "common/bus/bus.h"

struct batch_inbox {
    struct uuid id;
    int64_t received_us;
};

struct batch_event { /* one event and its verdicts */
    struct uuid id;
    int64_t received_us;
    const char *source;
    const char *type;
    const char *envelope; /* JSON */
    const char *verdicts; /* JSON */
};

struct batch_run { /* a new row of run_live */
    struct uuid id;
    const char *pipeline;
    const char *version;
    const char *name;
    int64_t number;
    const char *experiment;
    uint8_t state;
    const char *reason;
    const char *trigger;
    struct uuid event;  /* nil = none */
    const char *params; /* JSON */
    const char *vars;   /* JSON */
    struct uuid retry_of;
    const char *retry_from; /* "" = none; with `again` only: steps, with commas between */
    const char *again;      /* how it repeats retry_of: AGAIN_LIST; "" = a retry, or none */
    const char *concurrency_key;
    bool no_cache;
    int64_t created_us;
    int64_t started_us; /* 0 = not yet */
};

/* A change of run_live; a terminal state moves the row to run_done. At most one a run and batch; it
 * may be for a run that this very batch inserts, so `runs` is written first. */
struct batch_run_move {
    struct uuid id;
    uint8_t state;
    const char *reason;
    int64_t started_us;   /* 0 = leave */
    int64_t cancelled_us; /* 0 = leave */
    int64_t finished_us;  /* set with a terminal state */
};

/* Upsert of step_live. State `ready` (attempt > 0) when an attempt was lost and the next waits for
 * capacity: the count must survive a takeover. */
struct batch_step {
    struct uuid run;
    int32_t step;
    int32_t iteration;
    uint8_t state;
    int32_t attempt;
    struct uuid attempt_id; /* nil = none */
    int64_t nonce;
    const char *worker; /* NULL = none */
    struct uuid incarnation;
    int64_t since_us;
    int64_t started_us; /* 0 = not yet */
    int64_t due_us;     /* length of the wait or timeout; 0 = none */
    int32_t lost;       /* attempts of this step that ended lost, refused or revoked */
    const char *reason;
    bool leave;         /* at_most_once: it was let start, so that it may have run */
    const char *limits; /* JSON {NAME: n}: what its attempt holds, or what it waits for; NULL */
    const char *pool;   /* with a worker: whose slots its attempt uses; else NULL */
    int32_t slots;      /* how many */
};

struct batch_result { /* insert into step_result, and the step_live row goes */
    struct uuid run;
    int32_t step;
    int32_t iteration;
    uint8_t state;
    int32_t attempt;
    struct uuid attempt_id;
    const char *worker;
    int32_t exit_code; /* INT32_MIN = none */
    const char *reason;
    const char *outputs; /* JSON or NULL, as the next two */
    const char *metrics;
    const char *log;
    int64_t started_us; /* 0 = never */
    int64_t finished_us;
    const char *image;       /* what ran in a container; NULL = nothing */
    struct uuid cached_from; /* run whose result it is; nil = its own */
};

struct batch_attempt { /* insert into attempt_done */
    struct uuid run;
    int32_t step;
    int32_t iteration;
    int32_t attempt;
    struct uuid attempt_id;
    uint8_t state;
    const char *worker;
    int32_t exit_code;
    const char *reason;
    const char *log;
    int64_t started_us;
    int64_t finished_us;
    const char *image;
};

/* One try of a step that is a group begins: insert into group_start. Its frames have the iterations
 * first, first + 1, …; the row never changes. */
struct batch_group {
    struct uuid run;
    int32_t step;
    int32_t iteration;
    int32_t attempt;
    int32_t first;
    int32_t count;
    int32_t branch;    /* taken, of a switch */
    const char *items; /* JSON list; NULL = the IR has them, or there are none */
};

/* The finally steps of a frame begin, under a deadline, and later it is up: upsert of
 * finally_start, once each. It goes with the run. */
struct batch_finally {
    struct uuid run;
    int32_t iteration; /* of the frame */
    int64_t started_us;
    bool up;
};

struct batch_cached { /* upsert of cached_result: the newest of a key is found */
    const char *key;
    struct uuid run;
    int32_t step;
    int32_t iteration;
    int64_t finished_us;
};

struct batch_start { /* a step starts a run: insert into run_start, beside the run itself */
    struct uuid child;
    struct uuid parent;
    int32_t step;
    int32_t iteration;
    int32_t attempt;
    int32_t depth; /* runs above the child */
    int64_t at_us;
};

struct batch_worker { /* upsert of worker */
    const char *id;
    struct uuid incarnation;
    const char *boot;
    uint8_t state;
    int64_t report_n;
    const char *info; /* JSON; NULL = leave */
    int64_t heard_us;
};

struct batch_forget { /* delete from worker */
    const char *id;
};

struct batch_command { /* insert into command_done */
    struct uuid id;
    const char *kind;
    bool accepted;
    bool busy; /* refused only because there are too many runs now */
    const char *detail;
    int64_t at_us;
};

struct batch_number { /* pipeline.next_number */
    const char *pipeline;
    int64_t next;
};

struct batch_message { /* the outbox: an order or the change record */
    const char *topic;
    const char *key; /* NULL = none */
    const char *value;
    size_t len;
};

struct batch_tombstone {
    struct uuid run;
    int64_t at_us;
};

/*      field       element                 */
#define BATCH_ARRAYS(A)                                                                            \
    A(inbox, struct batch_inbox)                                                                   \
    A(events, struct batch_event)                                                                  \
    A(runs, struct batch_run)                                                                      \
    A(run_moves, struct batch_run_move)                                                            \
    A(steps, struct batch_step)                                                                    \
    A(results, struct batch_result)                                                                \
    A(attempts, struct batch_attempt)                                                              \
    A(starts, struct batch_start)                                                                  \
    A(groups, struct batch_group)                                                                  \
    A(finallys, struct batch_finally)                                                              \
    A(cached, struct batch_cached)                                                                 \
    A(workers, struct batch_worker)                                                                \
    A(forgets, struct batch_forget)                                                                \
    A(commands, struct batch_command)                                                              \
    A(numbers, struct batch_number)                                                                \
    A(tombstones, struct batch_tombstone)                                                          \
    A(messages, struct batch_message)                                                              \
    A(offsets, struct bus_position)

struct arena; /* common/base/arena.h: reset per batch, memory kept */

struct batch {
    int64_t epoch;
    int64_t tx_seq; /* the leader row must hold it before; it is tx_seq + 1 after */
#ifdef LEAT_PLANTS
    bool unfenced;
#endif
#define A(field, type)                                                                             \
    type *field;                                                                                   \
    size_t field##_count;                                                                          \
    size_t field##_cap;
    BATCH_ARRAYS(A)
#undef A
    struct arena *arena;
};

struct batch *batch_new(void);
void batch_free(struct batch *b);
void batch_clear(struct batch *b); /* counts to 0, arena reset; capacities stay */
bool batch_is_empty(const struct batch *b);

/* Adds one zeroed element and returns it; the pointer is valid until the next add to that array.
 * The core writes at most one row a key into the arrays that are upserts (run_moves, steps,
 * workers, numbers), and no row into `steps` for a step that has one in `results`. */
#define A(field, type) type *batch_add_##field(struct batch *b);
BATCH_ARRAYS(A)
#undef A

/* Copies into the arena. NULL gives NULL. */
const char *batch_text(struct batch *b, const char *s);
const char *batch_bytes(struct batch *b, const void *data, size_t len);
const char *batch_printf(struct batch *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

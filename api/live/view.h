/* api/live/view.h: one run as its readers see it: its state, and the steps that have one, in the
 * order in which they last changed. Fed from change records and from Postgres, each with the batch
 * (tx_seq) that it belongs to, so that an old answer never overwrites a newer record. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>
#include "common/base/states.h"
#include "common/base/uuid.h"

#define VIEW_CUT 197 /* bytes that a change record has at least of a reason that it cuts */

struct known_attempt { /* one attempt, for its log */
    int32_t attempt;
    struct uuid id;
    struct uuid run; /* below which its log lies: an earlier one, where the result was adopted; nil
                        = not known, Postgres must be read */
    bool over;       /* nothing is added to its log any more */
    int64_t chunks;  /* so many are in the store, perhaps more */
    int64_t last;    /* so many it has when it is over; -1 = not known */
};

struct cell { /* a step, or one iteration of it */
    struct {
        int32_t step, iteration;
    } key;
    int state; /* enum step_state; -1 = only attempts are known */
    int32_t attempt;
    char *reason;
    struct known_attempt *tries; /* by attempt */
    size_t try_count, try_cap;
    int64_t tx_seq;   /* of what was last taken in */
    uint64_t version; /* of the view when it last changed */
    struct cell *prev, *next;
    UT_hash_handle hh;
};

struct view {
    struct uuid run;
    bool known; /* Postgres has been read */
    bool stale; /* something was missed: Postgres must be read */
    char *name, *pipeline, *reason;
    int state; /* enum run_state */
    int64_t tx_seq;
    uint64_t version;       /* grows with every change */
    uint64_t state_version; /* when the run's own state last changed */
    char **steps;           /* names by index */
    size_t step_count;
    struct cell *cells;   /* the hash */
    struct cell *changed; /* list: the latest change last */
};

/* What a row of Postgres or a change record says of a step. Borrowed. */
struct told {
    int32_t step, iteration;
    int state; /* enum step_state; < 0: only the attempt, which is over */
    int32_t attempt;
    struct uuid attempt_id; /* nil = none */
    struct uuid log_run; /* below which its log lies; nil = a change record, which does not say */
    const char *reason;  /* NULL = "" */
    int64_t chunks;      /* of the log of an attempt that is over; -1 = not known */
};

void view_free(struct view *v); /* its content */
/* Both: true when it changed what readers see. Repeats and what is older are ignored; a terminal
 * state stays. */
bool view_run(struct view *v, int64_t tx_seq, int state, const char *reason);
bool view_step(struct view *v, int64_t tx_seq, const struct told *told);
/* The first cell that changed after `version`; NULL = none. The ones after it follow by `next`. */
struct cell *view_after(const struct view *v, uint64_t version);
const char *view_step_name(const struct view *v, int32_t step); /* "" when it is not known */
/* The attempt of this number or the first later one; the one of this id; NULL = none. */
struct known_attempt *cell_try(const struct cell *c, int32_t attempt);
struct known_attempt *cell_try_by_id(const struct cell *c, const struct uuid *attempt);
struct cell *view_cell(const struct view *v, int32_t step, int32_t iteration); /* or NULL */
static inline bool cell_is_over(const struct cell *c)
{
    return c->state >= 0 && machine_is_terminal(&MACHINE_STEP, c->state);
}

/* scheduler/core/state.h: what the core holds in memory. For the files of scheduler/core only.
 *
 * Who owns what: the core owns pipelines, versions, runs, workers, pools; a run owns its root
 * frame, a group (a step that is a DAG) the frames that it has begun; a frame owns the dense array
 * of its steps; an attempt belongs to its step and hangs on its worker. A step that is not
 * being tried costs one `struct step`, whatever its definition holds: names and templates are
 * shared in the version's IR. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include <uthash.h>

#include "common/base/states.h"
#include "common/base/uuid.h"
#include "common/ir/ir.h"
#include "scheduler/core/core.h"
#include "scheduler/core/timers.h"

struct attempt;
struct worker;
struct pool;
struct run;
struct frame;
struct group;
struct await;
struct await_key;
struct adoption;
struct lookup;

/* What a step takes of a worker and what a worker has. */
struct capacity {
    int32_t slots;
    int32_t gpu;
    double cpu;     /* of a worker: 0 = it did not say, no limit */
    int64_t memory; /* bytes; as cpu */
};

/* One instance of a step: where it stands in its instance of a DAG. */
struct step_ref {
    struct frame *frame;
    int32_t place;
};

/* How much of something the steps of all runs may use at once: a named limit, or the slots of a
 * pool. */
struct limit {
    char *name;   /* of a pool's: "pool:NAME", which no file can name */
    bool pooled;  /* slots of a pool: not by name in rows and orders */
    int32_t refs; /* lanes that want it, attempts that hold it, its pool; known apart */
    int64_t n;    /* LIMIT_OPEN = any number */
    int64_t used; /* sum over the attempts that hold it; changes only where they take and give */
    bool known;   /* it is in the catalog */
    bool listed;
    struct limit_want *wants; /* of the lanes that are not empty; utlist DL */
    UT_hash_handle hh;
};

/* What each step of a lane wants of a limit. */
struct limit_want {
    struct limit *limit;
    int64_t n;
    struct lane *lane;
    struct limit_want *prev, *next;
};

/* What an attempt holds of it. */
struct limit_hold {
    struct limit *limit;
    int64_t n;
};

#define LIMIT_OPEN INT64_MAX

/* A step that may wait in its lane only so long. */
struct queued {
    struct step_ref at;
    int64_t since_us; /* wall */
    struct timer timer;
};

/* Steps of one pool that want the same thing wait in one lane, oldest run first: when its head
 * finds no worker, nobody behind it does, so nothing is looked at twice. */
struct lane {
    struct pool *pool;
    int executor;       /* enum order_start_executor; NONE = the worker's default */
    uint32_t abilities; /* that the worker must have: a set of ABILITY_… */
    struct capacity wants;
    int32_t refs;                /* steps of versions that wait in it; without any it is freed */
    struct limit_want *wants_of; /* named limits, by name; then the slots of its pool */
    size_t want_count;
    size_t named; /* of these: named limits. With any its steps are `waiting`, else `ready` */
    bool claims;  /* what its head wants of limits is set aside from younger ones */
    struct step_ref *heap;
    size_t count, cap;
    int64_t blocked_pass;               /* the pool's pass in which no worker fitted */
    struct timer blocked;               /* armed while the head finds no worker */
    struct worker *keeper;              /* kept free for the head; NULL = none */
    struct lane *prev, *next;           /* all lanes of the pool */
    struct lane *busy_prev, *busy_next; /* those that are not empty */
};

struct pool {
    char *name;
    char *path;          /* PATH of its steps as processes; NULL = the worker's */
    struct limit *slots; /* of all its workers together */
    bool known;          /* it is in the catalog */
    bool listed;
    struct lane *lanes, *busy;
    struct worker *workers;
    int64_t pass; /* raised whenever something may have become placeable */
    bool dirty;   /* something may be: on core->dirty_pools */
    struct pool *dirty_prev, *dirty_next;
    UT_hash_handle hh;
};

/* What an expression of a step can see beyond params, vars and event; found once a version. */
enum {
    SEES_STEPS = 1,
    SEES_INPUTS = 2,
    SEES_OUTPUTS = 4,
    SEES_RUN = 8,
    SEES_VALUES = 16 /* params, vars, event */
};

/* An output of a program that is listed by a for_each. */
struct listed {
    int32_t step;
    const char *output;
};

struct version {
    char *key; /* pipeline@hash */
    char *pipeline;
    char *hash;
    struct ir *ir; /* NULL: `broken` says why */
    char *broken;
    struct lane **lanes;   /* one a step, made when first wanted */
    uint8_t *sees;         /* one a step: of its order's templates */
    uint8_t *looked_at;    /* one a step: somebody looks at its outputs */
    struct listed *listed; /* by step, then output */
    size_t listed_count, listed_cap;
    int32_t refs; /* runs, and the pipeline of which it is the current one */
    UT_hash_handle hh;
};

struct pipeline {
    char *name;
    struct version *current; /* NULL: not known */
    bool paused, deleted;
    json_t *paused_triggers; /* names of those that are paused alone; NULL = none */
    bool number_dirty;
    int64_t next_number;
    struct concurrency *groups; /* by key */
    int64_t runs;               /* of it that are in memory */
    struct pipeline *number_prev, *number_next;
    UT_hash_handle hh;
};

/* Runs of a pipeline that share a limit: their key has the same text. There while a run is in it.
 */
struct concurrency {
    struct pipeline *pipeline;
    char *key;
    int64_t going;                       /* begun and not over */
    int64_t running_count, queued_count; /* of the lists */
    struct run *running;                 /* of those going: nobody has asked for their end */
    struct run *queued;                  /* both oldest first; utlist DL */
    bool due;                            /* on core->due_groups: something may begin */
    struct concurrency *due_prev, *due_next;
    UT_hash_handle hh;
};

enum {
    STEP_DIRTY = 1,
    STEP_REPEATS = 2, /* a group: what it was in the run that is repeated may be taken over */
    STEP_LOOKING = 4  /* an earlier result is looked up */
};

struct step {
    int32_t needs_left; /* not yet terminal */
    uint8_t state;      /* enum step_state */
    uint8_t flags;
    uint16_t attempt;    /* attempts made */
    uint16_t lost;       /* of these: lost, refused or revoked */
    uint32_t heap_place; /* index in its lane + 1; 0 = not in one */
    union {
        struct queued *queued; /* in a lane; NULL = it may wait there for ever */
        struct attempt *live;  /* placed, running, cancelling; waiting: the wait */
        struct group *group;   /* of a step that is one, while running, cancelling, waiting */
        struct await *await;   /* of one that waits for what comes from outside, while it does */
    };
    json_t *outputs; /* of a succeeded step that somebody looks at */
};

/* Why nothing more of a frame or a group begins. */
enum stop { GOES_ON, STOP_CANCELLED, STOP_FAILED };

/* One instance of a DAG: the root of a run, one item of a for_each, one round of a loop, the taken
 * branch of a switch. Work first; when all of it is over its finally steps, also after a stop. */
struct frame {
    struct run *run;
    const struct ir_dag *dag; /* NULL: of a run without its IR */
    struct step *steps;       /* by place */
    int32_t count;
    int32_t id;          /* iteration of its rows; the root is 0 */
    int32_t left;        /* steps that are not terminal */
    int32_t work_left;   /* of these: not finally */
    int32_t failed;      /* failed without leave to; and finally steps that were cancelled; and it
                            by itself, when it is unfit */
    int32_t work_failed; /* of these: not finally */
    int32_t cancelled;   /* work that was cancelled */
    int32_t ordinal;     /* in its group */
    int32_t sweep;       /* next step that the stop looks at */
    int32_t pins;        /* queue entries that point here */
    uint8_t stop;        /* enum stop, of the work */
    bool unfit;          /* what it is given could not be worked out */
    bool stop_finally;   /* its finally steps took too long */
    bool in_finally;     /* its work is over */
    bool sweeping;       /* on core->sweeping */
    bool closing;        /* on core->closing */
    bool over;           /* waits to be freed */
    struct group *group; /* whose it is; NULL = the root */
    char *reason;        /* of its first failure, or why it was stopped; the root's is the run's */
    json_t *params;      /* what is seen inside of a group with `scope`; NULL = what is outside */
    int32_t old;         /* the iteration that it repeats, of the run that is; -1 = none */
    struct adoption *adoption; /* while it takes over results: nothing of it begins */
    struct timer finally;
    int64_t finally_started_us; /* wall, as its row says; 0 = they have not begun */
    bool finally_up;            /* the row says that their time is up */
    struct frame *prev, *next;  /* of the group, or core->over_frames */
    struct frame *sweep_prev, *sweep_next;
    struct frame *close_prev, *close_next;
};

/* A step that is a DAG, from its first try to its end. */
struct group {
    struct step_ref at;
    const struct ir_step *def;
    int32_t first;     /* id of its frame 0 */
    int32_t count;     /* frames that it may have: items, rounds, 1 */
    int32_t branch;    /* the one taken */
    int32_t old;       /* id of frame 0 of the try that it repeats; -1 = it repeats none */
    int32_t old_count; /* of its frames, from 0, only so many are repeated */
    int32_t next;      /* ordinal that begins next */
    int32_t begun, open, done, failed, cancelled;
    uint8_t stop;  /* enum stop */
    bool ended;    /* a loop whose condition holds */
    bool fatal;    /* failed as a whole: `reason` */
    bool outside;  /* stopped by what is around it */
    bool starting; /* on core->starting */
    char *reason;
    json_t *items;
    uint8_t *begun_before; /* after a takeover, one a frame: it has rows */
    json_t **outs;         /* by ordinal: what each gave; NULL = null */
    size_t out_count, out_cap;
    size_t *sizes;      /* bytes collected, one an output of the group */
    int64_t started_us; /* wall; this try */
    int64_t since_us, due_us;
    struct timer timeout, wait;
    struct frame *frames; /* open ones */
    struct group *start_prev, *start_next;
};

/* The row key of a step of a run whose IR cannot be read. */
struct bare_key {
    int32_t step, iteration;
};

/* How a run repeats the one that `retry_of` names. */
#define AGAIN_LIST(A)                                                                              \
    A(RETRY, "")      /* takes over what succeeded; `retry_from`: from where on all runs anew */   \
    A(RERUN, "rerun") /* runs all anew, with the objects and images of then */                     \
    A(ONLY, "only")   /* runs the steps of `retry_from` only, and takes over what they need */
enum again {
#define A(id, name) AGAIN_##id,
    AGAIN_LIST(A)
#undef A
};

struct run {
    struct uuid id;
    struct version *version;
    struct pipeline *pipeline; /* never NULL */
    char *name;
    char *experiment;
    char *trigger;
    char *reason;
    char *key; /* of its concurrency group; never NULL */
    json_t *params, *vars;
    json_t *event; /* the envelope, shared; NULL = none */
    json_t *self;  /* what expressions see as `run`; made when first wanted */
    struct uuid event_id, retry_of;
    uint8_t again;    /* enum again */
    char *retry_from; /* a retry: the step from which on all runs anew; NULL = what failed */
    int64_t number;
    int64_t created_us, started_us, cancelled_us; /* wall */
    uint8_t state;
    bool doomed;   /* cancelling, but will end failed: its own timeout, or a broken version */
    bool over;     /* terminal, waits to be freed */
    bool no_cache; /* nothing of it is looked up */
    bool broken;   /* restored without its IR: it ends in the next turn */
    struct learned *adopts; /* what it takes over from, held while there may be more; or NULL */
    uint8_t *marks;         /* one a step: what retry_from says of it; NULL = nothing */
    const char **images;    /* with AGAIN_RERUN and `adopts`, one a step: what ran then, or NULL */
    struct version *of;     /* with AGAIN_ONLY, while it adopts: the version of the old run */
    struct frame root;      /* steps: NULL while queued, unless it adopts */
    struct bare_key *keys;  /* of a broken run: one a step */
    int32_t next_frame;     /* id that is free */
    int32_t frames;         /* not freed yet, the root apart */
    int64_t live;           /* steps of all frames that are not terminal */
    struct timer timeout;   /* of its waiting while queued, then of itself */
    struct concurrency *among; /* NULL until it is its turn */
    bool stands_aside;         /* its end was asked for: not in among->running */
    struct await *asked;       /* steps that wait for a person */
    struct await *starter;     /* the step that started it and waits for it; NULL = none does */
    int32_t depth;             /* runs above it */
    bool orphan;    /* the one that waits for it cannot be read: it ends in the next turn */
    size_t move_at; /* of out->run_moves, when move_turn is the core's turn */
    int64_t move_turn;
    struct run *prev, *next; /* a list of its group, or core->over */
    UT_hash_handle hh;
};

/* One try of a step; also the wait before the next one (worker NULL). */
struct attempt {
    struct uuid id; /* nil while waiting */
    int64_t nonce;
    struct step_ref at;
    int32_t number;
    struct worker *worker;
    struct capacity takes;
    struct limit_hold *holds; /* of limits, while it has a worker */
    size_t hold_count;
    int64_t since_us, started_us; /* wall */
    int64_t due_us;               /* length of what the timer runs, for the row */
    char *reason;                 /* why it waits */
    bool leave;                   /* at_most_once: let start; committed with its row */
    char *key;                    /* of a result that is kept; only where outcome is seen */
#ifdef LEAT_PLANTS
    bool given_back;
#endif
    struct timer timer;
    struct attempt *prev, *next; /* of the worker */
    UT_hash_handle hh;
};

struct worker {
    char *id;
    char *topic;
    char *boot;
    char *workspace;
    struct uuid incarnation;
    uint8_t state;
    bool draining;      /* goes back to draining, not active, when it is heard again */
    bool removed;       /* gone; only a new life is listened to */
    uint32_t executors; /* bit n: enum order_start_executor n */
    int default_executor;
    uint32_t abilities; /* a set of ABILITY_… */
    struct capacity has;
    bool overfull;        /* its last hello has less than what runs there */
    struct capacity used; /* sum over `attempts`; changes only where that list does */
#ifdef LEAT_PLANTS
    int32_t slots_apart;
#endif
    json_t *info;
    int64_t report_n;
    int64_t heard_us, heard_answered_us, heard_wall_us;
    struct attempt *attempts;
    struct pool *pool;
    struct lane *kept_for; /* takes nothing else in */
    int64_t suspect;       /* ticket of its silence; 0 = none */
    int64_t heartbeat;     /* to be granted; 0 = none */
    int64_t orders_read;   /* its orders below this offset were; 0 = not known yet */
    int64_t granted_us;    /* when the last grant left */
    bool heartbeat_due, ack_due;
    bool judged;                     /* a drain has covered its silence */
    bool touched, dirty, info_dirty; /* on core->dirty_workers; its row is due; with info */
    struct timer silence, grant;
    struct worker *prev, *next;             /* of the pool */
    struct worker *dirty_prev, *dirty_next; /* core->dirty_workers */
    UT_hash_handle hh;
};

/* A finished run that a retry may adopt from, or that a cancel came too late for. */
struct learned {
    struct uuid id;
    uint8_t state;
    int32_t refs; /* retries that adopt from it */
    bool fresh;   /* its results are in the delta that is taken in */
    char *pipeline, *version, *name, *experiment, *trigger;
    struct uuid event_id;
    json_t *params, *vars, *event;
    struct learned_result { /* ordered by iteration, then step */
        int32_t step, iteration;
        uint8_t state;
        int32_t attempt;
        struct uuid attempt_id;
        json_t *outputs, *metrics, *log;
        char *reason, *image; /* NULL = none */
        struct uuid cached_from;
    } * results;
    size_t result_count, result_cap;
    struct learned_group { /* tries of groups, ordered by iteration, step, attempt */
        int32_t step, iteration, attempt, first, count, branch;
        json_t *items; /* NULL = the version has them, or there are none */
    } * groups;
    size_t group_count, group_cap;
    UT_hash_handle hh;
};

/* First in, first out. Entries pin their frame. */
struct step_queue {
    struct step_ref *items;
    size_t head, count, cap;
};

struct core {
    struct core_config config;
    uint64_t random;
    int64_t catalog_gen;
    int64_t highest_epoch;
    int64_t turn; /* batches written so far */
    struct version *versions;
    struct pipeline *pipelines;
    struct run *runs;
    struct run *over;       /* terminal in this batch */
    struct frame *sweeping; /* stopped, with steps to look at */
    struct frame *closing;  /* restored with all of a phase in */
    struct frame *over_frames;
    struct group *starting;       /* with frames that may begin */
    struct await *told;           /* whose run has ended in this batch */
    struct await_key *await_keys; /* open waits for an event, by its type */
    struct concurrency *due_groups;
    struct adoption *adopting; /* frames that take over results */
    struct learned *learned;
    struct lookup *looking; /* steps whose earlier result is to be asked for, in order */
    struct lookup *looked;  /* answered */
    size_t cache_asked;     /* of looking: the first so many are being asked for */
    struct worker *workers;
    struct pool *pools;
    struct limit *limits;
    struct attempt *attempts; /* by id; waits are not in it */
    struct timers timers;
    struct step_queue settle; /* all needs are terminal: skip it, or let it be ready */
    struct step_queue dirty;  /* wants a row of step_live at the end of the batch */
    struct pool *dirty_pools;
    struct worker *dirty_workers;
    struct pipeline *dirty_numbers;
    struct uuid *resend; /* attempts placed at the takeover */
    size_t resend_count, resend_cap;
    int64_t resend_ticket; /* > 0: the drain that must end before */
    int64_t ticket;        /* last one given to a silence */
    int64_t drained;       /* highest ticket covered by a drain */
    struct arena *scratch; /* what one order is built from */
    size_t batch_bytes;    /* orders and adopted results written into this batch */
    bool restoring;        /* a frame is closed that was complete at the takeover */
    bool judge;            /* a drained worker waits for its judgement */
    bool sweep_catalog;    /* some version or learned run may be unused */
    bool restored;         /* the first turn after a takeover is still to come */
    int64_t ready, waiting, queued_runs, live_steps, bytes;
    struct core_stats counted; /* the counters that only grow */
};

/* ---- small things that every file uses ---- */
static inline const struct ir_step *step_ir(const struct run *run, int32_t step)
{
    return &run->version->ir->steps[step];
}
static inline struct step *ref_step(struct step_ref at)
{
    return &at.frame->steps[at.place];
}
static inline struct run *ref_run(struct step_ref at)
{
    return at.frame->run;
}
/* The row key of the instance, with its run. */
static inline int32_t ref_index(struct step_ref at)
{
    return at.frame->dag ? at.frame->dag->steps[at.place] : ref_run(at)->keys[at.place].step;
}
static inline int32_t ref_iteration(struct step_ref at)
{
    return at.frame->dag ? at.frame->id : ref_run(at)->keys[at.place].iteration;
}
static inline const struct ir_step *ref_ir(struct step_ref at)
{
    return step_ir(ref_run(at), at.frame->dag->steps[at.place]);
}
/* NULL when the run is broken. */
static inline const struct ir_step *ref_ir_known(struct step_ref at)
{
    return at.frame->dag ? ref_ir(at) : NULL;
}
static inline bool ref_is_group(struct step_ref at)
{
    const struct ir_step *def = ref_ir_known(at);
    return def && def->kind == IR_STEP_GROUP;
}
static inline bool ref_is_await(struct step_ref at)
{
    const struct ir_step *def = ref_ir_known(at);
    return def && def->kind > IR_STEP_GROUP;
}
/* NULL of groups and waits, and of a step that waits in its lane. */
static inline struct attempt *ref_attempt(struct step_ref at)
{
    return ref_is_group(at) || ref_is_await(at) || ref_step(at)->heap_place ? NULL
                                                                            : ref_step(at)->live;
}
bool step_is_over(const struct step *s);
size_t batch_row_count(const struct batch *b);
uint64_t core_random(struct core *core);
double core_random01(struct core *core); /* in [0, 1) */
struct uuid core_uuid(struct core *core,
                      int64_t wall_us); /* UUIDv7 from the core's own randomness */

void queue_push(struct step_queue *q, struct step_ref at);
struct step_ref queue_pop(struct step_queue *q);

/* Canonical text of `value` in the batch's arena; NULL gives NULL. */
const char *batch_json(struct batch *b, const json_t *value);

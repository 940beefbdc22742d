/* tests/sim/plan/plan.h: the pipelines of a seed, as the harness itself understands them: what
 * should come out is worked out from these and never by asking the core. */
#pragma once
#include <jansson.h>
#include "common/base/hash.h"
#include "tests/sim/sim.h"

#define PLAN_PIPELINES 3
#define PLAN_STEPS     32 /* a bit each in a mask */
#define PLAN_ENOUGH    20 /* a nested one gets no more than it must */
#define PLAN_FLAT      9
#define PLAN_DEPTH     4
#define PLAN_BRANCHES  3
#define PLAN_VERSIONS  3
#define PLAN_CHANGES   16
#define PLAN_LIMITS    2 /* with a name */
#define PLAN_POOLS     2 /* "default" and "side" */
#define PLAN_SIZED     (PLAN_LIMITS + PLAN_POOLS)
#define PLAN_SIZES     8
#define PLAN_SIZE_MOST 3
#define PLAN_ITEMS     2 /* of a run's parameter `items`: 0, 1 */

enum plan_kind {
    PLAN_RUN,
    PLAN_GROUP,
    PLAN_SWITCH,
    PLAN_EACH,
    PLAN_LOOP,
    PLAN_WAIT,
    PLAN_APPROVAL,
    PLAN_START
};
enum plan_rule {
    PLAN_ALL_SUCCEEDED,
    PLAN_ALL_DONE,
    PLAN_ANY_FAILED,
    PLAN_ANY_SUCCEEDED,
    PLAN_NONE_FAILED
};

/* What the size of a part is: one more than its user has, and its place; or nothing, so that it is
 * PLAN_PART_SIZE; one more than a step's n, and its place; that n as text, behind a 1; one more
 * than the item around it; one more than what the round before gave, and its place. */
enum plan_given {
    PLAN_GIVEN_SIZE,
    PLAN_GIVEN_NOTHING,
    PLAN_GIVEN_STEP,
    PLAN_GIVEN_TEXT,
    PLAN_GIVEN_ITEM,
    PLAN_GIVEN_ROUND
};

/* Bits of plan_step.again, in the order of the file's words. */
#define PLAN_AGAIN_FAILED    1u
#define PLAN_AGAIN_TIMED_OUT 2u
#define PLAN_AGAIN_LOST      4u
#define PLAN_AGAIN_ALL       7u
#define PLAN_LOST_USUAL      5 /* of a file that does not say */

/* As what a step takes the n of the run that it starts. */
enum plan_taken { PLAN_TAKES_NOTHING, PLAN_TAKES_INTEGER, PLAN_TAKES_NUMBER, PLAN_TAKES_STRING };
#define PLAN_DEFAULT        55 /* what default(…) says in place of a number */
#define PLAN_NO_ROUND       77 /* … of what the round before gave, where there is none */
#define PLAN_ROUND_BEFORE   "default(loop.previous.n, 77)"
#define PLAN_DEFAULT_BRANCH 9 /* and of that of a branch */

/* What a condition looks at, and when it holds: that is over `over`. */
enum plan_looks {
    PLAN_ALWAYS,
    PLAN_LOOKS_AT_STEP,
    PLAN_LOOKS_AT_SIZE,
    PLAN_LOOKS_AT_EVENT,
    PLAN_LOOKS_AT_BRANCH,
    PLAN_LOOKS_AT_INDEX, /* filters alone */
    PLAN_LOOKS
};
struct plan_condition {
    enum plan_looks looks; /* at n of a step, params.size, event.data.n, vars.BRANCH_NAME: bN */
    int step;              /* -1 = none */
    int over;
    bool or_default; /* PLAN_DEFAULT where there is none */
};

enum plan_policy { PLAN_QUEUE, PLAN_SKIP, PLAN_CANCEL_RUNNING, PLAN_LATEST_ONLY };

struct plan_step {
    char label[8];
    char name[48]; /* path */
    enum plan_kind kind;
    int parent; /* -1 = the run's own DAG */
    int branch;
    bool finally;
    uint32_t needs; /* bit n: step n, beside it; implied ones included */
    enum plan_rule rule;
    bool allow_failure;
    struct plan_condition when;
    int sees;                         /* -1 = none; else how that step ended is an argument */
    int refers;                       /* -1 = none; else that step's n is an argument */
    bool refers_default;              /* PLAN_DEFAULT where there is none */
    int attempts;                     /* tries in all */
    unsigned again;                   /* which ends are tried again: PLAN_AGAIN_… */
    unsigned only_codes, never_codes; /* exit codes, by plan/retry.c; none: any, and none */
    int lost;                         /* how many attempts may be lost */
    int64_t timeout_us;               /* 0 = none */
    int64_t heartbeat_us;             /* 0 = none */
    int64_t queue_us;                 /* how long it may wait to be placed; 0 = any time */
    int64_t takes_us;                 /* a usual attempt */
    int64_t grace_us, lost_after_us;  /* 0 = the cluster's */
    bool at_most_once;
    bool cache;
    int64_t cache_us; /* 0 = of any age */
    int slots;
    int pool; /* of PLAN_POOLS */
    int priority;
    int uses[PLAN_LIMITS]; /* of each named limit; 0 = not */
    double fails;          /* chance of an attempt */
    double hangs;          /* chance of running into the timeout, or falling silent */
    /* groups */
    int gives[PLAN_BRANCHES];                   /* whose n is the group's; -1 = none */
    int branches;                               /* 1 but of a switch */
    struct plan_condition cases[PLAN_BRANCHES]; /* of a switch: the last may have none */
    int item_count; /* literal 0, 1, …; with items_from one more: its n, or all of its list */
    int items_from;
    int parallelism; /* 0 = any */
    bool fail_fast;
    int rounds, until_over;
    bool until_same; /* or until a round gives what the one before gave */
    bool delayed;
    int times;    /* instances that there may be */
    bool part;    /* what is in it is in a file of its own, and sees nothing of outside but what it
                     is given; no switch */
    bool grafted; /* and that is a pipeline of its own, of which a version is taken */
    bool late_inside;      /* its timeout is said there */
    enum plan_given given; /* a part: its size */
    int given_by;          /* STEP and TEXT: whose n; else -1 */
    bool given_default;    /* PLAN_DEFAULT where there is none */
    bool picky;            /* its size is one of some: plan_picks */
    bool direct; /* for_each, loop or uses in one entry with what is in it, one step of its label */
    int when_item; /* in a for_each of one entry: runs from the place after that one; -1 = always */
    /* folders */
    bool folder;       /* a program that writes one, d */
    bool items_folder; /* goes over the names in the d of items_from */
    int gives_folder;  /* a for_each: whose d it collects; -1 = none */
    bool spare;        /* a program in a component: an input of it that its user need not give */
    int takes;         /* a program: whose d is its input, one or a list of them; -1 = none */
    bool pin;          /* built in: pins the objects that one program takes (plan/pins.c) */
    int pins_for;      /* whose text asks for them: it, or the part that it stands in */
    bool hashed;       /* a component: its user says which content it has */
    bool pins_item, pins_round; /* its set is another for each: it stands in that item or round */
    /* outputs: whether they may be left out, the chance that they are, or are of no such type */
    bool n_optional, d_optional;
    double n_left, d_left, n_wrong;
    /* waits */
    const char *type; /* of the event; "a.*" too */
    int over;         /* its filter: event.data.n > over, or with something beside it: */
    enum plan_looks
        filter;         /* event.data.n + over > params.size, the n that it refers to, 4 * index */
    const char *source; /* only events of it; NULL = of any */
    bool asks;          /* an approval: with a message, of what it refers to and where it is */
    bool by_anna;       /* an approval: only she may answer */
    int starts;         /* which pipeline */
    bool waits;         /* for the run that it starts */
    enum plan_taken taken;             /* its run's n is its own */
    bool named;                        /* it gives that run a name */
    int silence;                       /* what it comes to when nobody does: enum step_state */
    int64_t finally_us[PLAN_BRANCHES]; /* how long its finally steps may take; 0 = not said */
};                                     /* a new field that holds a step's index: plan/drop.c too */

/* By place: those for events, then cron. */
enum { PLAN_ON_EVENTS = 3, PLAN_CRON = PLAN_ON_EVENTS, PLAN_TRIGGERS };

/* A trigger for events. */
struct plan_on {
    const char *type;
    const char *source; /* NULL = of any */
    int over;           /* its filter: event.data.n > over; -1 = none */
    int size;           /* what it gives; PLAN_SIZE_OF_EVENT = event.data.n */
};
#define PLAN_SIZE_OF_EVENT 0

struct plan_version {
    char hash[SHA256_HEX];
    int limit;  /* runs at once; 0 = any */
    bool keyed; /* of one parity of `size` */
    enum plan_policy policy;
    int64_t queued_us;  /* how long a run may be queued; 0 = any */
    int64_t timeout_us; /* of a run; 0 = none */
    int64_t finally_us; /* how long its finally steps may take; 0 = not said */
    int gives;          /* which step's n is the run's; -1 = none */
    int priority;       /* of its runs */
    struct plan_on on[PLAN_ON_EVENTS];
    int on_count; /* may be 0 */
    bool cron;
    json_t *ir;
    int first_child, last_child; /* pipelines that it may start: later ones only */
    struct plan_step steps[PLAN_STEPS];
    int step_count;
    int index_of[PLAN_STEPS]; /* in the IR, which is what rows name */
    int step_at[PLAN_STEPS];  /* the reverse */
};

/* What the catalog says of a pipeline from `at` on. */
struct plan_change {
    int64_t at, gen;
    int version;
    bool paused, deleted, trigger_paused[PLAN_TRIGGERS];
};

struct plan_pipeline {
    char name[16];
    bool dropped; /* was never applied, and nothing is sent for it (minimising) */
    struct plan_version versions[PLAN_VERSIONS];
    int version_count;
    struct plan_change changes[PLAN_CHANGES]; /* the first since for ever */
    int change_count;
};

/* A named limit, or the slots of a pool: how much it was from which catalog on. */
struct plan_limit {
    struct {
        int64_t gen;
        int n; /* PLAN_ANY: of a pool, no limit */
    } sizes[PLAN_SIZES];
    int count;
};

#define PLAN_ANY       1000000
#define PLAN_NO_BOUND  10000
#define PLAN_PART_SIZE 3 /* default of a part's own parameter */

struct plan {
    struct plan_limit limits[PLAN_SIZED];
    struct plan_pipeline pipelines[PLAN_PIPELINES];
    int pipeline_count;
};

struct text;
/* Parts of the generator. plan_shapes: groups in groups; plan_write_steps: the file's text. */
void plan_step_clear(struct plan_step *step, int i);
void plan_step_program(struct rng *rng, struct plan_step *step);
int plan_pick(struct rng *rng, uint32_t mask); /* a bit of it; -1 = it is empty */
void plan_shapes(struct rng *rng, struct plan_version *v);
void plan_gives(struct rng *rng, struct plan_version *v); /* what the run as a whole does */
void plan_write_steps(struct text *out, const struct plan_version *v);
/* Without the steps that are not in `kept`, nor those that cannot stand without them. */
void plan_drop(struct plan_version *v, uint32_t kept);
/* The file of a part, "cN.yaml", or the pipeline "pipeN"; false when there is none of that name. */
void plan_write_dag(struct text *out, const struct plan_version *v, int parent, int branch);
void plan_write_gives(struct text *out, const struct plan_version *v, int group, int branch);
void plan_write_program(struct text *out, const struct plan_version *v, int step);
bool plan_write_part_file(struct text *out, const struct plan_version *v, const char *name);
/* Is its n a number, of a step that succeeded? A list, of a for_each that collects? */
bool plan_is_number(const struct plan_version *v, int step);
bool plan_is_list(const struct plan_version *v, int step);
bool plan_is_real(const struct plan_version *v, int step); /* said to be any number, no integer */
uint32_t plan_numbers(const struct plan_version *v, uint32_t mask); /* those of them that are one */

/* What a program writes as d: its hash is of the attempt, its names follow from n. */
json_t *plan_folder(const struct uuid *attempt, int n, bool listed);
int plan_names(int n);                                   /* how many */
bool plan_lists(const struct plan_version *v, int step); /* does a for_each go over its names? */
void plan_items_of_folder(struct rng *rng, const struct plan_version *v, struct plan_step *each);
void plan_give_folders(struct rng *rng, struct plan_version *v, int each, uint32_t here);
void plan_take_list(struct rng *rng, const struct plan_version *v, const struct plan_step *head,
                    struct plan_step *s);
/* Of those, programs that write one, and for_each that collect them. */
uint32_t plan_folders(const struct plan_version *v, uint32_t mask);
void plan_write_folders(struct text *out, const struct plan_version *v, const struct plan_step *s);

/* plan/pins.c: some programs take pinned objects, and the steps that pin them. What an order of one
 * says of its set: SIZE|PLACE; NULL = it asks for something else. */
struct order_start;
void plan_pins(struct rng *rng, struct plan_version *v);
void plan_write_pinned(struct text *out, const struct plan_version *v, int pin);
const char *plan_pinned_set(int pin, const struct order_start *start);

/* plan/parts.c: what is written elsewhere. `head`: the outermost of its entry. */
void plan_make_part(struct rng *rng, struct plan_version *v, int head, int part, bool grafted);
bool plan_picks(int size);
/* The for_each whose item it sees, where that is a number and not its place; -1 = none. */
int plan_items_seen(const struct plan_version *v, int part);
void plan_write_uses(struct text *out, const struct plan_version *v, int part);

/* plan/ties.c: inputs of components, and of components in them. plan_user_of: the component around
 * it that may have inputs, -1 = none; plan_pin_user: whose text is to ask for what it takes. */
int plan_user_of(const struct plan_version *v, int step);
bool plan_is_handed_in(const struct plan_version *v, int step); /* what it takes, by its part */
void plan_take_through(struct rng *rng, struct plan_version *v, int step);
int plan_pin_user(struct rng *rng, const struct plan_version *v, int step);
void plan_write_taken_input(struct text *out, const struct plan_version *v, int step);
void plan_write_declared(struct text *out, const struct plan_version *v, int part);
void plan_write_ties(struct text *out, const struct plan_version *v, int part);

/* plan/outputs.c: what it writes and may leave out; what of it a step that starts a run takes. */
void plan_outputs(struct rng *rng, struct plan_step *step);
void plan_take_started(struct rng *rng, struct plan_step *step);
void plan_write_number(struct text *out, const struct plan_version *v, int step, bool or_default);
void plan_write_outputs(struct text *out, const struct plan_step *step);
void plan_write_taken(struct text *out, const struct plan_step *step);

/* plan/finally.c: how long the finally steps of a DAG may take together; parent -1 = the run's. */
void plan_finally_time(struct rng *rng, struct plan_version *v, int parent, int branch);
int64_t plan_finally_us(const struct plan_version *v, int parent, int branch);
void plan_write_finally_time(struct text *out, const struct plan_version *v, int parent,
                             int branch);

/* plan/retry.c: of a program (what else it does is known), of what starts a run and of a group. */
void plan_retry(struct rng *rng, struct plan_step *step);
void plan_retry_whole(struct rng *rng, struct plan_step *step);
int plan_exit_code(struct rng *rng); /* of a program that fails; -1 = it never began */
/* Is an attempt that ended so tried again, while there are tries left? Anything but failed and
 * timed_out is lost. */
bool plan_is_meant(const struct plan_step *step, int report_result_outcome, int exit_code);
void plan_write_retry(struct text *out, const struct plan_step *step);

/* plan/conditions.c: what `when` says, of a step and of a branch. `numbers`: steps that it may look
 * at. */
void plan_when(struct rng *rng, struct plan_step *step, uint32_t numbers);
void plan_switch(struct rng *rng, struct plan_step *step, uint32_t numbers);
void plan_write_condition(struct text *out, const struct plan_version *v,
                          const struct plan_condition *c);

/* plan/triggers.c: what starts runs. */
void plan_triggers(struct rng *rng, struct plan_version *v, const struct plan_version *before);
void plan_write_triggers(struct text *out, const struct plan_version *v);
const char *plan_trigger_name(int trigger);
bool plan_has_trigger(const struct plan_version *v, int trigger);
const char *plan_some_type(struct rng *rng, const struct plan_pipeline *p); /* of a trigger */
bool plan_ticks(const struct plan_pipeline *p); /* has a version a cron? */

/* plan/layers.c: several steps of one entry, all of its label; the outermost is its head. */
int plan_inside(const struct plan_version *v, int direct); /* the one in it */
int plan_body(const struct plan_version *v, int head);     /* the innermost of them in this file */
int plan_layer_add(struct plan_version *v, int around);
void plan_layers_settle(struct plan_version *v); /* what is in a layer is what it gives */
void plan_write_layers(struct text *out, const struct plan_version *v, int head);
void plan_write_items(struct text *out, const struct plan_version *v, const struct plan_step *s);

/* Steps that run nothing and wait for what comes from outside. */
bool plan_is_group(const struct plan_step *step);
bool plan_waits(const struct plan_step *step);
void plan_step_waits(struct rng *rng, const struct plan_version *v, struct plan_step *step);
bool plan_wait_fits(const struct plan_step *step, const char *type, const char *source);
void plan_wait_looks(struct rng *rng, const struct plan_version *v, const struct plan_step *head,
                     struct plan_step *step);
/* `head`: the outermost of its entry. */
void plan_start_looks(struct rng *rng, const struct plan_version *v, const struct plan_step *head,
                      struct plan_step *step);
void plan_asks(struct rng *rng, const struct plan_version *v, const struct plan_step *head,
               struct plan_step *step);
void plan_write_wait(struct text *out, const struct plan_version *v, const struct plan_step *step);
/* The group of that kind that is nearest around it, in its own file; -1 = none. */
int plan_nearest(const struct plan_version *v, int step, enum plan_kind kind);
/* Its place in the items and rounds around it, as expressions. */
void plan_write_place(struct text *out, const struct plan_version *v, int step, bool item,
                      bool round);
/* What it is given of its place, with `between` between the three of them. */
void plan_write_arguments(struct text *out, const struct plan_version *v, int step,
                          const char *between);

/* Of a pool: its own. */
const char *plan_limit_name(int limit);
int plan_step_uses(const struct plan_step *step, int limit);
const char *plan_pool_name(int pool);
/* The most that it was since catalog `gen`. */
int plan_limit_size_since(const struct plan_limit *limit, int64_t gen);
struct plan *plan_new(struct sim *sim);
void plan_free(struct plan *plan);
/* Any that the seed has; NULL when it is one that was dropped. */
struct plan_pipeline *plan_some(struct sim *sim);
struct plan_pipeline *plan_find(struct plan *plan, const char *pipeline);
struct plan_version *plan_version_find(struct plan_pipeline *pipeline, const char *hash);
int plan_step_find(const struct plan_version *version, const char *step); /* -1 = none */

/* plan/catalog.c: the last change; one more, a copy of it with a new gen (NULL: there are enough).
 */
const struct plan_change *plan_now(const struct plan_pipeline *pipeline);
int plan_open(const struct plan *plan); /* pipelines that are not deleted now */
struct plan_change *plan_change_add(struct sim *sim, struct plan_pipeline *pipeline);
/* What it was at some instant of [from, to]: open is neither deleted nor paused, nor its trigger
 * (-1 = none). */
struct plan_seen {
    bool open, closed, there, deleted;
    uint32_t versions;
};
struct plan_seen plan_seen(const struct plan_pipeline *pipeline, int trigger, int64_t from,
                           int64_t to);
/* What it was for who had read the catalog of that gen. */
const struct plan_change *plan_at(const struct plan_pipeline *pipeline, int64_t gen);
/* How many runs may go on in a group, by any version that was current since catalog `gen`. */
int plan_limit_since(const struct plan_pipeline *pipeline, int64_t gen);
